"""The functions that C calls. Each one imports the module that does its work.

C looks these up by name when the extension is imported. They are in one module that the package
imports, so that tools that follow imports (PyInstaller and others) see all of them.
"""

from __future__ import annotations

import sys

if sys.version_info[:3] == (3, 13, 0):
    # There a thread that imports this while another does can get an empty module, and the first
    # calls of several threads import it (https://github.com/python/cpython/issues/125245).
    import collections.abc as collections_abc

    del collections_abc

from pydbgwrite._signal_handlers import is_from_handler, not_from_handler
from pydbgwrite.errors import (
    DebugEngineError,
    NoTargetError,
    ReadOnlyError,
    SessionBusyError,
    SessionClosedError,
    WrongThreadError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pydbgwrite._core import RecordLog
    from pydbgwrite._messages.engine import EngineFailure
    from pydbgwrite._symbols.resolver import Resolver
    from pydbgwrite._target import Target

__all__ = [
    "NoTargetError",
    "ReadOnlyError",
    "SessionBusyError",
    "SessionClosedError",
    "WrongThreadError",
    "call_failed",
    "engine_failed",
    "heap_buffers",
    "is_from_handler",
    "leave_memory",
    "linux_opening_failed",
    "no_sequences",
    "record_failed",
    "resolver",
    "sync_records",
    "windows_opening_failed",
    "wrapping_failed",
]


def no_sequences() -> tuple[type, ...]:
    """Return the types of iterables that are refused as arrays, such as sets."""
    from collections.abc import Mapping, Set

    return (str, Mapping, Set)


def heap_buffers() -> tuple[type, ...]:
    """Types whose memory is on the heap: it can't go away as a mapped file's can."""
    from array import array

    return (bytes, bytearray, array)


def leave_memory(records: RecordLog) -> None:
    """Move the records of a transaction into a temporary file."""
    from pydbgwrite._journal import spool

    spool.leave_memory(records)


def sync_records(records: RecordLog) -> None:
    """Sync a journal's contents to the disk."""
    from pydbgwrite._journal import log

    log.sync(records)


def record_failed(
    records: RecordLog,
    error: BaseException,
    scattered: bool,
    address: int,
    count: int,
    unit: int,
) -> BaseException:
    """Return the exception for a write that can't be recorded, and so was not made."""
    from pydbgwrite._journal import log

    if not isinstance(error, OSError):
        return error
    place = f"at {count:,} addresses" if scattered else f"at 0x{address:x}"
    what = f"the record of {count * unit:,} bytes {place}"
    effect = "These bytes were not written to the target"
    failure = log.failed(records, what, error, effect)
    failure.__cause__ = error
    return failure


def resolver(session: Target) -> Resolver:
    """Return what resolves the names among a call's arguments."""
    from pydbgwrite._symbols.resolver import Resolver

    return Resolver(session)


def engine_failed(failure: EngineFailure) -> BaseException:
    """Return the exception for a request that did not end with S_OK."""
    try:
        from pydbgwrite._messages import engine
    except not_from_handler(OSError, ImportError, MemoryError) as error:
        return _without_words(failure, error)
    return engine.engine_failed(failure)


def _without_words(failure: EngineFailure, error: BaseException) -> BaseException:
    """Return what the program must know where the module with the words can't be imported.

    It is imported when it is first needed, and this process may have no free descriptor then.
    """
    landed, count = failure["landed"], failure["count"]
    held = "nothing was written"
    if failure["writes"]:
        held = f"the target holds {'an unknown part' if landed is None else landed} of {count}"
    return DebugEngineError(
        f"{failure['method']} failed at 0x{failure['at']:x} (HRESULT 0x{failure['hresult']:08x}); "
        f"{held}. More can't be said: {error}",
        hresult=failure["hresult"],
        method=failure["method"],
        address=failure["address"],
        count=count,
        written=landed if failure["writes"] else 0,
    )


def call_failed(method: str, hresult: int, gone: str, embedded: bool) -> BaseException:
    """Return the exception for a failed call without an address, such as DetachProcesses."""
    from pydbgwrite._messages import engine

    return engine.call_failed(method, hresult, gone, embedded)


def linux_opening_failed(
    failure: str, os_error: int, operation: str | None, detail: int, subject: object
) -> BaseException:
    """Return the exception for a Linux process that could not be opened."""
    from pydbgwrite._messages import linux

    return linux.opening_failed(failure, os_error, operation, detail, subject)


def windows_opening_failed(
    call: str, failure: str, hresult: int, os_error: int, operation: str | None, subject: object
) -> BaseException:
    """Return the exception for a target that dbgeng could not open."""
    from pydbgwrite._messages import windows

    return windows.opening_failed(call, failure, hresult, os_error, operation, subject)


def wrapping_failed(
    failure: str, interface: int, address: int, slot: int, operation: str | None, hresult: int
) -> BaseException:
    """Return the exception for an interface that wrap() can't use."""
    from pydbgwrite._opening import wrap

    return wrap.wrapping_failed(failure, interface, address, slot, operation, hresult)
