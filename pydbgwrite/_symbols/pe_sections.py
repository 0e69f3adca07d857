"""The sections of a PE image in the target's memory ("PE Format", learn.microsoft.com)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import DebugEngineError, NoTargetError

if TYPE_CHECKING:
    from pydbgwrite._target import Target

__all__ = ["Section", "sections_of_pe"]

_PAGE = 4096
_NEW_HEADER = 0x3C  # e_lfanew
_FILE_HEADER = struct.Struct("<4s2H12x2H")  # signature, machine, sections; optional header's size
_SECTION = struct.Struct("<8s2I16x4xI")  # name, size, address; characteristics
_EXECUTE, _WRITE, _DISCARDABLE = 0x20000000, 0x80000000, 0x02000000
#: Read-only data that the loader relocates no pointers in: resources, and tables of functions.
_NO_POINTERS = (b".rsrc", b".pdata")


class Section(NamedTuple):
    """A section in memory: its first address, and the one behind it.

    is_code: it can be executed. is_data: it is writable, or read-only data such as vtables and
    import addresses.
    """

    start: int
    end: int
    is_code: bool
    is_data: bool


def sections_of_pe(session: Target, base: int) -> list[Section]:
    """Return the sections by address; none if they can't be read, or this is no PE image."""
    try:
        head = session.read(base, _PAGE)
    except NoTargetError:
        raise
    except not_from_handler(DebugEngineError):
        return []
    at = int.from_bytes(head[_NEW_HEADER : _NEW_HEADER + 4], "little")
    if at > _PAGE - _FILE_HEADER.size:
        return []
    signature, _machine, count, optional, _flags = _FILE_HEADER.unpack_from(head, at)
    if signature != b"PE\0\0":
        return []
    at += _FILE_HEADER.size + optional
    found = []
    end = min(at + count * _SECTION.size, _PAGE - _SECTION.size + 1)
    for place in range(at, end, _SECTION.size):
        name, size, address, flags = _SECTION.unpack_from(head, place)
        constant = not flags & (_EXECUTE | _DISCARDABLE) and name.rstrip(b"\0") not in _NO_POINTERS
        is_data = bool(flags & _WRITE) or constant
        start = base + address
        found.append(Section(start, start + size, bool(flags & _EXECUTE), is_data))
    return sorted(found)
