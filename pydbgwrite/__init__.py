"""Write pointer arrays into another program's memory, fast, and only ever claim what was written.

    import array, pydbgwrite

    with pydbgwrite.attach(pid) as session:
        session.write_pointers(0x7F0000001000, array.array("Q", [0x401000, 0x401040]))
"""

from __future__ import annotations

from pydbgwrite._core import GIL_RELEASE_BYTES, DataSpaces, MemoryBasicInformation
from pydbgwrite._opening import attach, launch, simulate
from pydbgwrite._regions import Module, Region
from pydbgwrite._session import Session
from pydbgwrite._version import __version__
from pydbgwrite.errors import (
    DebugEngineError,
    EngineNotFoundError,
    NoTargetError,
    PointerRangeError,
    ReadOnlyError,
    SessionBusyError,
    SessionClosedError,
    TargetAccessError,
    WriteNotAppliedError,
    WrongThreadError,
)



__all__ = [
    "GIL_RELEASE_BYTES",
    "DataSpaces",
    "DebugEngineError",
    "EngineNotFoundError",
    "MemoryBasicInformation",
    "Module",
    "NoTargetError",
    "PointerRangeError",
    "ReadOnlyError",
    "Region",
    "Session",
    "SessionBusyError",
    "SessionClosedError",
    "TargetAccessError",
    "WriteNotAppliedError",
    "WrongThreadError",
    "__version__",
    "attach",
    "launch",
    "simulate",
]
