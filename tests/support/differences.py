"""The one table of answers that may differ between dbgeng and the embedded engine, by name.

The conformance suite (EngineCase.differs) and the differential test (tests/dbgeng) both use it;
all other answers must agree. SYSTEM names the differences that the system's own calls make, each in
force if this system does so (support.system_memory). The table of docs/engine.md has what each Wine
does, by the same names.
"""

from __future__ import annotations

import os
from typing import Final

from support.system_memory import INVALID_PARAMETER, system_memory

LANE: Final = os.environ.get("PYDBGWRITE_LANE") == "wine"

#: Made by ReadProcessMemory and WriteProcessMemory, not by the engine.
SYSTEM: Final[dict[str, str]] = {
    "protection against reading": "Wine reads pages that may not be read",
    "protection against writing": "Wine 8 writes pages that may not be written",
    "protection of later pages": (
        "a write that begins in a page that may be written goes on in pages that may not: Wine 10 "
        "heeds the protection of the first page alone"
    ),
    "empty writes": (
        "a write of no byte to writable memory is 0x80070057 under Wine 8, as by the embedded "
        "engine, and works under Wine 10"
    ),
    "far addresses": (
        "a write where no process has memory is 0x80070057 under Wine 10, so FillVirtual's error "
        "is no TargetAccessError"
    ),
    "short WriteVirtual": (
        "WriteProcessMemory moves all or nothing, by its documentation and under Wine, so "
        "WriteVirtual past the end of a mapping fails and writes nothing; the embedded engine "
        "writes what fits (Windows was not seen)"
    ),
    "free memory": (
        "what is free near Wine's own mappings, and up to the end of user space, is accessible to "
        "debuggers, though QueryVirtual says that it is free; Wine 10 refuses a write that begins "
        "there"
    ),
    "Win32 error numbers": (
        "a failing write is the system's own error: 0x80070005 under Wine, 0x8007001D under Wine "
        "10, too, 0x800701E7 or 0x80070005 by the embedded engine; 0x800703E6 or 0x8007012B, of "
        "ERROR_NOACCESS and ERROR_PARTIAL_COPY, may be Windows' (it was not seen)"
    ),
}

#: Made by the engine itself, or by the kind of target.
ENGINE: Final[dict[str, str]] = {
    "Win32 error numbers": SYSTEM["Win32 error numbers"],
    "short WriteVirtual": SYSTEM["short WriteVirtual"],
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

_HERE: Final = {
    "protection against reading": system_memory().reads_no_access,
    "protection against writing": system_memory().writes_read_only,
    "protection of later pages": system_memory().writes_on_into_read_only,
    "empty writes": system_memory().empty_write == 0,
    "far addresses": system_memory().far_write == INVALID_PARAMETER,
    "free memory": LANE,
}

#: The differences here for dbgeng over a live process.
DBGENG: Final[frozenset[str]] = frozenset(
    {*ENGINE, *(name for name, here in _HERE.items() if here)} - {"dump ranges", "unknown far away"}
)

#: HRESULTs of refused writes: the class of errors that "Win32 error numbers" names.
REFUSED: Final = frozenset({0x80070005, 0x800701E7, 0x800703E6, 0x8007012B, 0x8007001D})
#: The same, at addresses that no process has.
REFUSED_FAR: Final = REFUSED | ({0x80070057} if "far addresses" in DBGENG else set())
