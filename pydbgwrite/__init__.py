"""Write pointer arrays into another program's memory, and know what was written.

    import array, pydbgwrite

    with pydbgwrite.attach(pid) as session:
        session.write_pointers(0x7F0000001000, array.array("Q", [0x401000, 0x401040]))

attach(), launch() and simulate() open a Session, whose methods do the rest.
"""

# Older Pythons load the abi3 module too, if it is copied there, and fail after they have written.
# This file must compile there: 3.6 has no "from __future__ import annotations".
import sys as _sys

if _sys.hexversion < 0x030B0000:
    raise ImportError(
        "This is Python {}.{}.{}; pydbgwrite needs 3.11 or later. Such a Python's own pip installs "
        "it: python3.11 -m pip install pydbgwrite (in a clone: -m pip install -e .)".format(
            *_sys.version_info
        )
    )

from pydbgwrite import _from_c as _from_c  # which C imports: for tools that follow imports
from pydbgwrite._signal_handlers import not_from_handler as _not_from_handler

try:
    if "free-threading" in _sys.version:
        from pydbgwrite._wrong_wheel import refuse_untagged as _refuse_untagged

        _refuse_untagged("_core")
    from pydbgwrite._core import (
        BULK_THRESHOLD_POINTERS,
        GIL_RELEASE_BYTES,
        DataSpaces,
        MemoryBasicInformation,
    )
# SystemError: it is loaded, and is of another kind.
except _not_from_handler(ImportError, SystemError) as _error:
    from pydbgwrite._wrong_wheel import not_loaded

    raise not_loaded("_core", _error) from None
from pydbgwrite._opening.api import (
    attach,
    attach_kernel,
    connect,
    launch,
    open_dump,
    process_server,
    simulate,
)
from pydbgwrite._session import Session
from pydbgwrite._version import __version__
from pydbgwrite.errors import (
    AddressError,
    DebugEngineError,
    EngineNotFoundError,
    Error,
    ExpectationError,
    JournalError,
    NoTargetError,
    PatchError,
    PointerRangeError,
    ReadOnlyError,
    RolloutError,
    SessionBusyError,
    SessionClosedError,
    SessionError,
    TargetAccessError,
    UndoError,
    VerificationError,
    WriteNotAppliedError,
    WrongThreadError,
)

# typing is not imported at run time, nor is what most programs never need (_LATER): they would cost
# more than all the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pydbgwrite._dbgeng import EngineInfo
    from pydbgwrite._find.found import Found
    from pydbgwrite._find.retargeted import Retargeted
    from pydbgwrite._opening.process_server import ProcessServer
    from pydbgwrite._opening.wrap import wrap
    from pydbgwrite._patch.patch import BuildCheck, Patch, PatchEntry, ScatteredEntry
    from pydbgwrite._patch.preview import Preview, PreviewEntry
    from pydbgwrite._regions import Module, Region
    from pydbgwrite._reports import Change, Conflict, JournalInfo, Mismatch, UndoReport
    from pydbgwrite._symbols.model import ImportSlot, Symbol
    from pydbgwrite._transactions.api import read_journal, undo
    from pydbgwrite._transactions.transaction import Transaction

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
    "Found",
    "ImportSlot",
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
    "Retargeted",
    "RolloutError",
    "ScatteredEntry",
    "Session",
    "SessionBusyError",
    "SessionClosedError",
    "SessionError",
    "Symbol",
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

# Tracebacks, help() and pickles show the name that users know.
for _name in __all__:
    if getattr(globals().get(_name), "__module__", __name__) != __name__:
        globals()[_name].__module__ = __name__

#: What is imported when it is asked for first: many programs never need it.
_LATER = {
    "BuildCheck": "_patch.patch",
    "Change": "_reports",
    "Conflict": "_reports",
    "EngineInfo": "_dbgeng",
    "Found": "_find.found",
    "ImportSlot": "_symbols.model",
    "JournalInfo": "_reports",
    "Mismatch": "_reports",
    "Module": "_regions",
    "Patch": "_patch.patch",
    "PatchEntry": "_patch.patch",
    "Preview": "_patch.preview",
    "PreviewEntry": "_patch.preview",
    "ProcessServer": "_opening.process_server",
    "Region": "_regions",
    "Retargeted": "_find.retargeted",
    "ScatteredEntry": "_patch.patch",
    "Symbol": "_symbols.model",
    "Transaction": "_transactions.transaction",
    "UndoReport": "_reports",
    "read_journal": "_transactions.api",
    "undo": "_transactions.api",
    "wrap": "_opening.wrap",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module 'pydbgwrite' has no attribute {name!r}")
    from importlib import import_module

    value: Any = getattr(import_module(f"pydbgwrite.{_LATER[name]}"), name)
    value.__module__ = __name__
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
