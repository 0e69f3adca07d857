"""Write pointer arrays into another program's memory, fast, and only ever claim what was written.

    import array, pydbgwrite

    with pydbgwrite.attach(pid) as session:
        session.write_pointers(0x7F0000001000, array.array("Q", [0x401000, 0x401040]))

attach(), launch() and simulate() open a Session, whose methods do the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydbgwrite._core import (
    BULK_THRESHOLD_POINTERS,
    GIL_RELEASE_BYTES,
    DataSpaces,
    MemoryBasicInformation,
)
from pydbgwrite._dbgeng import EngineInfo
from pydbgwrite._opening.api import (
    attach,
    attach_kernel,
    connect,
    launch,
    open_dump,
    process_server,
    simulate,
)
from pydbgwrite._opening.process_server import ProcessServer
from pydbgwrite._opening.wrap import wrap
from pydbgwrite._regions import Module, Region
from pydbgwrite._reports import Change, Conflict, JournalInfo, UndoReport
from pydbgwrite._session import Session
from pydbgwrite._transactions.api import read_journal, undo
from pydbgwrite._transactions.transaction import Transaction
from pydbgwrite._version import __version__
from pydbgwrite.errors import (
    AddressError,
    DebugEngineError,
    EngineNotFoundError,
    Error,
    ExpectationError,
    JournalError,
    Mismatch,
    NoTargetError,
    PatchError,
    PointerRangeError,
    ReadOnlyError,
    SessionBusyError,
    SessionClosedError,
    SessionError,
    TargetAccessError,
    UndoError,
    VerificationError,
    WriteNotAppliedError,
    WrongThreadError,
)

if TYPE_CHECKING:
    from pydbgwrite._patch.patch import BuildCheck, Patch, PatchEntry
    from pydbgwrite._patch.preview import Preview, PreviewEntry

__all__ = [
    "BULK_THRESHOLD_POINTERS",
    "GIL_RELEASE_BYTES",
    "AddressError",
    "BuildCheck",
    "Change",
    "Conflict",
    "DataSpaces",
    "DebugEngineError",
    "EngineInfo",
    "EngineNotFoundError",
    "Error",
    "ExpectationError",
    "JournalError",
    "JournalInfo",
    "MemoryBasicInformation",
    "Mismatch",
    "Module",
    "NoTargetError",
    "Patch",
    "PatchEntry",
    "PatchError",
    "PointerRangeError",
    "Preview",
    "PreviewEntry",
    "ProcessServer",
    "ReadOnlyError",
    "Region",
    "Session",
    "SessionBusyError",
    "SessionClosedError",
    "SessionError",
    "TargetAccessError",
    "Transaction",
    "UndoError",
    "UndoReport",
    "VerificationError",
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

# Tracebacks, help() and pickles show the name that users know. What comes later says so itself.
for _name in __all__:
    if getattr(globals().get(_name), "__module__", __name__) != __name__:
        globals()[_name].__module__ = __name__

#: What is imported when it is asked for first: many programs never need it.
_LATER = {
    "BuildCheck": "_patch.patch",
    "Patch": "_patch.patch",
    "PatchEntry": "_patch.patch",
    "Preview": "_patch.preview",
    "PreviewEntry": "_patch.preview",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module 'pydbgwrite' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"pydbgwrite.{_LATER[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
