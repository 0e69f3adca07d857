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
_EXECUTE = 0x20000000


class Section(NamedTuple):
    """A section in memory: its first address, the one behind it, and whether it is code."""

    start: int
    end: int
    is_code: bool


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
        _name, size, address, flags = _SECTION.unpack_from(head, place)
        found.append(Section(base + address, base + address + size, bool(flags & _EXECUTE)))
    return sorted(found)
