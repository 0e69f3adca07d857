"""Write pointer arrays into another program's memory, fast, and only ever claim what was written.

    import array, pydbgwrite

    with pydbgwrite.attach(pid) as session:
        session.write_pointers(0x7F0000001000, array.array("Q", [0x401000, 0x401040]))

attach(), launch() and simulate() open a Session, whose methods do the rest.
"""

from __future__ import annotations

from pydbgwrite._changes import Change, Conflict, JournalInfo, UndoReport
from pydbgwrite._core import (
    BULK_THRESHOLD_POINTERS,
    GIL_RELEASE_BYTES,
    DataSpaces,
    MemoryBasicInformation,
)
from pydbgwrite._engine_search import EngineInfo
from pydbgwrite._journal import read_journal, undo
from pydbgwrite._opening import (
    attach,
    attach_kernel,
    connect,
    launch,
    open_dump,
    process_server,
    simulate,
)
from pydbgwrite._process_server import ProcessServer
from pydbgwrite._regions import Module, Region
from pydbgwrite._session import Session
from pydbgwrite._transaction import Transaction
from pydbgwrite._version import __version__
from pydbgwrite._wrapping import wrap
from pydbgwrite.errors import (
    AddressError,
    DebugEngineError,
    EngineNotFoundError,
    JournalError,
    NoTargetError,
    PatchError,
    PointerRangeError,
    ReadOnlyError,
    SessionBusyError,
    SessionClosedError,
    TargetAccessError,
    UndoError,
    WriteNotAppliedError,
    WrongThreadError,
)

__all__ = [
    "BULK_THRESHOLD_POINTERS",
    "GIL_RELEASE_BYTES",
    "AddressError",
    "Change",
    "Conflict",
    "DataSpaces",
    "DebugEngineError",
    "EngineInfo",
    "EngineNotFoundError",
    "JournalError",
    "JournalInfo",
    "MemoryBasicInformation",
    "Module",
    "NoTargetError",
    "PatchError",
    "PointerRangeError",
    "ProcessServer",
    "ReadOnlyError",
    "Region",
    "Session",
    "SessionBusyError",
    "SessionClosedError",
    "TargetAccessError",
    "Transaction",
    "UndoError",
    "UndoReport",
    "WriteNotAppliedError",
    "WrongThreadError",
    "__version__",
    "attach",
    "attach_kernel",
    "connect",
    "launch",
    "open_dump",
    "process_server",
    "read_journal",
    "simulate",
    "undo",
    "wrap",
]
