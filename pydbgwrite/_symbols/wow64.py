"""The 32-bit modules of a 32-bit program on 64-bit Windows (WOW64), from its own loader's list.

Such a process has two loaders: the 64-bit one of the system's part, and the program's. Attached
noninvasively, an engine may list the first one's modules alone (docs/engine.md). The second list is
in the process's memory, from its 32-bit PEB on. The structures are those of 32-bit Windows
(winternl.h; "dt ntdll!_PEB" and the like of the debugger show the offsets).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import DebugEngineError, NoTargetError

if TYPE_CHECKING:
    from pydbgwrite._target import Target

__all__ = ["modules_of_program"]

# Of _TEB32: its own address, and that of the PEB.
_SELF_32: Final = 0x18
_PEB_32: Final = 0x30
#: In a 64-bit TEB: how far behind it the 32-bit one is (WowTebOffset, since Windows 10).
_WOW_TEB_OFFSET: Final = 0x180C
_LDR: Final = 0x0C  # of _PEB32
_IN_LOAD_ORDER: Final = 0x0C  # of _PEB_LDR_DATA32
#: _LDR_DATA_TABLE_ENTRY32 as far as FullDllName: its links, DllBase, SizeOfImage, and the name.
_ENTRY: Final = struct.Struct("<II 16x I 4x I HHI")
_MOST: Final = 4096  # modules: a list can be a circle, and memory may say anything


def modules_of_program(session: Target) -> Iterator[tuple[int, int, str]]:
    """Yield base, size and path of each module in the list of the program's loader."""
    teb = _teb_32(session)
    peb = _number(session, teb + _PEB_32) if teb else 0
    data = _number(session, peb + _LDR) if peb else 0
    if not data:  # a program that has not begun has no list yet
        return
    head = data + _IN_LOAD_ORDER
    at = _number(session, head)
    for _ in range(_MOST):
        entry = _read(session, at, _ENTRY.size) if at not in (0, head) else b""
        if not entry:
            return
        at, _back, base, size, length, _room, text = _ENTRY.unpack(entry)
        if base and size:
            path = _read(session, text, length & ~1)
            yield base, size, path.decode("utf-16-le", "replace")


def _teb_32(session: Target) -> int:
    """Return the address of a thread's 32-bit TEB; 0 if the engine leads to none.

    An engine gives the 64-bit TEB or the 32-bit one; each has its own address in itself. The 64-bit
    one begins with the address of the other (its exception list, which such a thread does not use).
    """
    teb = session._thread_teb()
    if not teb or _number(session, teb + _SELF_32) == teb:
        return teb
    candidates = [
        _number(session, teb),
        teb + int.from_bytes(_read(session, teb + _WOW_TEB_OFFSET, 4), "little", signed=True),
    ]
    return next((at for at in candidates if at and _number(session, at + _SELF_32) == at), 0)


def _number(session: Target, address: int) -> int:
    return int.from_bytes(_read(session, address, 4), "little")


def _read(session: Target, address: int, size: int) -> bytes:
    """Return the bytes; none if they can't be read."""
    try:
        return session.read(address, size) if size else b""
    except NoTargetError:
        raise
    except not_from_handler(DebugEngineError):
        return b""
