"""The exceptions of pydbgwrite.

They form one tree::

    Error                           the base of all exceptions of this package
        DebugEngineError            an engine's answer: hresult, method, address, count, written
            TargetAccessError       the target is there, and refuses access
            NoTargetError           there is no accessible target
            WriteNotAppliedError    the engine reported success and wrote nothing
            PointerRangeError       a 32-bit target can't hold the value (also an OverflowError)
            ExpectationError        the target does not hold what `expect` says: mismatches
            VerificationError       the target does not hold what was written: mismatches
        SessionError                a wrong use of a session; the engine is not called
            EngineNotFoundError     the engine that the call needs was not found
            ReadOnlyError           a write in a session with writable=False
            SessionBusyError        a call into a session while another call runs
            SessionClosedError      a call into a session that is closed
            WrongThreadError        a call from another thread or process than the owner
        AddressError                a name that the target does not have, or has more than once
        PatchError                  a patch that is not valid or does not fit (also a ValueError)
        JournalError                a journal that can't be used
        UndoError                   a transaction that could not be rolled back completely
        RolloutError                a rollout that can't begin or go on

Opening a target also raises TimeoutError (the target or the server does not answer in time),
ValueError and TypeError (an argument is not valid on this platform) and OSError (a program or a
file can't be opened). Input that is not valid raises TypeError, ValueError or OverflowError before
anything is written.

An exception that leaves a transaction or an undo has the UndoReport as `undo_report`, whatever
its type.
"""

from __future__ import annotations

# typing is not imported at run time: it costs more than the rest of the package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pydbgwrite._reports import Mismatch, UndoReport

__all__ = [
    "AddressError",
    "DebugEngineError",
    "EngineNotFoundError",
    "Error",
    "ExpectationError",
    "JournalError",
    "Mismatch",
    "NoTargetError",
    "PatchError",
    "PointerRangeError",
    "ReadOnlyError",
    "RolloutError",
    "SessionBusyError",
    "SessionClosedError",
    "SessionError",
    "TargetAccessError",
    "UndoError",
    "VerificationError",
    "WriteNotAppliedError",
    "WrongThreadError",
]


class Error(Exception):
    """The base of all exceptions of this package."""

    def __reduce__(self) -> tuple[object, ...]:
        # The keyword-only attributes travel as state, so that errors survive pickling.
        return (type(self), self.args, self.__dict__)


class DebugEngineError(Error):
    """An engine call answered something other than S_OK, or a check of its data failed.

    Attributes:
        hresult: The engine's HRESULT as an unsigned 32-bit int; None if no engine call was made.
        hresult_name: Its name, such as "E_UNEXPECTED"; None if there is no HRESULT.
        method: The engine's method, such as "WritePointersVirtual"; None if none was called.
        address: The target address of the request; None if it has none.
        count: The number of elements in the request: pointers, or bytes for the calls on bytes.
        written: How many leading elements the target holds now, found by reading back with
            ReadVirtual. Counting stops at the first that differs or can't be read. 0 for calls that
            write nothing. None only if the target no longer answers.
        index: The first element that is not in place, or at fault; None if there is none.
    """

    def __init__(
        self,
        message: str,
        *,
        hresult: int | None = None,
        hresult_name: str | None = None,
        method: str | None = None,
        address: int | None = None,
        count: int | None = None,
        written: int | None = 0,
        index: int | None = None,
    ) -> None:
        super().__init__(message)
        self.hresult = hresult
        self.hresult_name = hresult_name
        self.method = method
        self.address = address
        self.count = count
        self.written = written
        self.index = index


class TargetAccessError(DebugEngineError):
    """The target is there, but this memory, or the process itself, refuses access."""


class NoTargetError(DebugEngineError):
    """There is no accessible target: it has ended, is running, or never existed."""


class WriteNotAppliedError(DebugEngineError):
    """The engine answered with a success code other than S_OK and did not write, as for a dump."""


class SessionError(Error):
    """A session is used or opened in a wrong way. The engine is not called."""


class ReadOnlyError(SessionError):
    """A write in a session that was opened with writable=False."""


class EngineNotFoundError(SessionError):
    """The engine that this call needs was not found. The message lists every path tried."""


class WrongThreadError(SessionError):
    """A call from another thread, or process, than the one that opened the session."""


class SessionBusyError(SessionError):
    """A call into a session while another call runs."""


class SessionClosedError(SessionError):
    """A call into a session that is closed."""


class PointerRangeError(DebugEngineError, OverflowError):
    """A value that a 32-bit target can't hold: neither zero- nor sign-extended from 32 bits.

    `index` is its element. truncate=True writes the low 32 bits instead, as the engine does.
    """


class AddressError(Error):
    """An address whose module or symbol does not exist in the target, or is ambiguous."""


class PatchError(Error, ValueError):
    """A patch file that is not valid, or a patch that does not fit the target. Nothing is written.

    `problems` lists all of them, each a str that begins with the line and the entry; the message
    shows the first ones. `kind` is "patch" if the patch itself is at fault, else "build" or
    "access", as Preview.kind is.
    """

    #: All problems, in the order of the file.
    problems: list[str]

    #: "patch", "build" or "access".
    kind: str

    def __init__(
        self,
        message: str,
        problems: list[str] | None = None,
        *,
        kind: str = "patch",
    ) -> None:
        super().__init__(message)
        self.problems = problems if problems is not None else [message]
        self.kind = kind


class JournalError(Error):
    """A journal that can't be used: damaged, another process's, of another version, or full.

    Nothing is written to the target, unless the message says what.
    """

    #: True if the file ends before its header does.
    _not_begun = False


class UndoError(Error):
    """A transaction could not be rolled back completely, and no other exception says so.

    Attributes:
        undo_report: The UndoReport, which says exactly what remains.
    """

    def __init__(self, message: str, undo_report: UndoReport | None = None) -> None:
        super().__init__(message)
        self.undo_report = undo_report


class RolloutError(Error):
    """A rollout that can't begin or go on: no process fits, or another rollout has the processes.

    Nothing is written, unless the message says what.
    """


class _DifferenceError(DebugEngineError):
    """The target holds other values than it should.

    Attributes:
        mismatches: The first 100 of them, in the order of the elements; of scattered ones, each
            address once.
        total: How many there are.
    """

    def __init__(
        self,
        message: str,
        *,
        mismatches: Iterable[Mismatch] = (),
        total: int = 0,
        **attributes: Any,
    ) -> None:
        super().__init__(message, **attributes)
        self.mismatches = list(mismatches)
        self.total = total


class ExpectationError(_DifferenceError):
    """The target does not hold what `expect` says, so nothing was written: `written` is 0.

    Attributes:
        mismatches: The first 100 of them, in the order of the elements; of scattered ones, each
            address once.
        total: How many there are.
    """


class VerificationError(_DifferenceError):
    """The engine answered a write with S_OK, but the target does not hold the written values.

    `written` is how many leading elements it does hold.

    Attributes:
        mismatches: The first 100 of them, in the order of the elements; of scattered ones, each
            address once.
        total: How many there are.
    """


def __getattr__(name: str) -> object:
    """Load Mismatch on first use."""
    if name == "Mismatch":
        from pydbgwrite._reports import Mismatch

        return Mismatch
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
