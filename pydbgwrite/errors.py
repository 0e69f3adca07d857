"""The exceptions of pydbgwrite. DebugEngineError is the base of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pydbgwrite._reports import UndoReport

__all__ = [
    "AddressError",
    "DebugEngineError",
    "EngineNotFoundError",
    "ExpectationError",
    "JournalError",
    "Mismatch",
    "NoTargetError",
    "PatchError",
    "PointerRangeError",
    "ReadOnlyError",
    "SessionBusyError",
    "SessionClosedError",
    "TargetAccessError",
    "UndoError",
    "VerificationError",
    "WriteNotAppliedError",
    "WrongThreadError",
]


class DebugEngineError(Exception):
    """An engine call said anything but S_OK, or could not be made at all.

    Attributes:
        hresult: the engine's HRESULT as an unsigned 32-bit int; None where no engine call was made.
        hresult_name: its name, e.g. "E_UNEXPECTED"; None where there is no HRESULT.
        method: the engine's method, e.g. "WritePointersVirtual"; None where none was called.
        address: the target address of the request; None where it had none.
        count: the number of elements asked for: pointers, or bytes for the calls on bytes.
        written: how many leading elements the target holds now, found by reading back with
            ReadVirtual; counting stops at the first that differs or can't be read. 0 for calls that
            write nothing. None only when the target itself no longer answers.
        index: the first element that is not in place, or at fault; None where there is none.
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

    def __reduce__(self) -> tuple[object, ...]:
        # The keyword-only attributes travel as state, so that errors survive pickling.
        return (type(self), self.args, self.__dict__)


class TargetAccessError(DebugEngineError):
    """The target is there, but this memory of it, or the process itself, can't be accessed."""


class NoTargetError(DebugEngineError):
    """There is no accessible target: it has ended, runs and refuses, or was never there."""


class WriteNotAppliedError(DebugEngineError):
    """The engine answered with a success code that is not S_OK, and did not write (dumps do)."""


class ReadOnlyError(DebugEngineError):
    """A write in a session that was opened with writable=False; the engine was not touched."""


class EngineNotFoundError(DebugEngineError):
    """The engine that this call needs is not here; the message says what was tried."""


class WrongThreadError(DebugEngineError):
    """A session was used by another thread, or process, than the one that opened it."""


class SessionBusyError(DebugEngineError):
    """A call into a session that is in the middle of one."""


class SessionClosedError(DebugEngineError):
    """A call into a session that has been closed."""


class PointerRangeError(DebugEngineError, OverflowError):
    """A value that a 32-bit target can't hold: neither zero- nor sign-extended from 32 bits.

    `index` says which element. truncate=True writes the low 32 bits instead, as the engine does.
    """


class AddressError(DebugEngineError):
    """An address whose module or symbol the target does not have, or has several of."""


class PatchError(DebugEngineError, ValueError):
    """A patch file that can't be taken, or a patch that does not fit the target; nothing written.

    `problems` lists all of them, each a str that begins with the line and the entry; the message
    shows the first ones. `kind` is "patch" where the patch itself is at fault, and else what
    Preview.kind is: "build" or "access".
    """

    #: All that is wrong, in the order of the file.
    problems: list[str]

    #: "patch", "build" or "access".
    kind: str

    def __init__(
        self,
        message: str,
        problems: list[str] | None = None,
        *,
        kind: str = "patch",
        **details: Any,
    ) -> None:
        super().__init__(message, **details)
        self.problems = problems if problems is not None else [message]
        self.kind = kind


class JournalError(DebugEngineError):
    """A journal that can't be used: damaged, another process's, of another version, or full.

    Nothing was written to the target, unless the message says what.
    """


class UndoError(DebugEngineError):
    """A transaction could not be undone wholly, where no other exception could say so.

    Attributes:
        report: the UndoReport, which says exactly what remains.
    """

    def __init__(self, message: str, report: UndoReport | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.report = report


class Mismatch(NamedTuple):
    """A place where the target holds something else: its address, and both values.

    For pointers of a 32-bit target both are the low 32 bits; for bytes each is one byte.
    """

    address: int
    wanted: int
    found: int


class _DifferenceError(DebugEngineError):
    """The target holds other values than it should.

    Attributes:
        mismatches: the first 100 of them, in the order of the elements; of scattered ones, each
            address once.
        total: how many there are.
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
        mismatches: the first 100 of them, in the order of the elements; of scattered ones, each
            address once.
        total: how many there are.
    """


class VerificationError(_DifferenceError):
    """The engine said S_OK to a write, and yet the target does not hold what was written.

    `written` is how many leading elements it does hold.

    Attributes:
        mismatches: the first 100 of them, in the order of the elements; of scattered ones, each
            address once.
        total: how many there are.
    """
