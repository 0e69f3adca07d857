"""The one table of answers that may differ between dbgeng and the embedded engine, by name.

The conformance suite (EngineCase.differs) and the differential test (tests/windows) both use it;
all other answers must agree. WINE names the differences that only Wine makes: on Windows these
answers must agree, too.
"""

from __future__ import annotations

import os
from typing import Final

LANE: Final = os.environ.get("PYDBGWRITE_LANE") == "wine"

#: Made by Wine 8, not by the engine.
WINE: Final[dict[str, str]] = {
    "page protection": (
        "Wine's ReadProcessMemory and WriteProcessMemory ignore page protection: pages that may "
        "not be read or written are moved all the same"
    ),
    "short WriteVirtual": (
        "Wine's WriteProcessMemory moves all or nothing, so WriteVirtual past the end of a mapping "
        "fails and writes nothing; the embedded engine writes what fits (Windows may do either)"
    ),
    "free memory": (
        "what is free near Wine's own mappings, and up to the end of user space, is accessible to "
        "debuggers, though QueryVirtual says that it is free"
    ),
    "Win32 error numbers": (
        "a failing write is the system's own error: 0x80070005 under Wine, 0x800703E6 or "
        "0x8007012B on Windows, 0x800701E7 or 0x80070005 by the embedded engine"
    ),
}

#: Made by the engine itself, or by the kind of target.
ENGINE: Final[dict[str, str]] = {
    "Win32 error numbers": WINE["Win32 error numbers"],
    "short WriteVirtual": WINE["short WriteVirtual"],
    "other mappings": (
        "a process holds more than the test's own memory: a gap may end sooner than where the "
        "test's next area begins, and low addresses are not free"
    ),
    "narrow user space": (
        "a 64-bit process that is looked at as a 32-bit one keeps its 64-bit user space, that of "
        "simulated memory with 32-bit pointers ends at 4 GiB"
    ),
    "gone processes": (
        "dbgeng does not notice that a process has ended: raw calls fail as for memory "
        "that is not mapped, and some succeed; a Session looks and raises NoTargetError"
    ),
    "unknown far away": (
        "behind a process server nothing tells which process a target is, so undo() begins, and "
        "its report says that the target has gone; elsewhere it raises NoTargetError"
    ),
    "dump ranges": (
        "a dump holds ranges of bytes: what it does not hold is E_NOINTERFACE to read as to write, "
        "validity changes at any byte, and QueryVirtual knows what was stored of the map"
    ),
}

#: The differences here for dbgeng over a live process.
DBGENG: Final[frozenset[str]] = frozenset(
    {*ENGINE, *(WINE if LANE else ())} - {"dump ranges", "unknown far away"}
)

#: HRESULTs of refused writes: the class of errors that "Win32 error numbers" names.
REFUSED: Final = frozenset({0x80070005, 0x800701E7, 0x800703E6, 0x8007012B, 0x8007001D})
