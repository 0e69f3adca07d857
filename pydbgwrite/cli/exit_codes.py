"""Exit codes, and the exceptions that lead to each."""

from __future__ import annotations

from enum import IntEnum

from pydbgwrite import errors
from pydbgwrite.cli.held_output import OutputError

__all__ = ["CommandError", "ExitCode", "code_of_kind", "exit_code_of"]


class ExitCode(IntEnum):
    """The exit codes of commands. Scripts rely on the numbers."""

    DONE = 0
    NOT_AS_EXPECTED = 1  # the target does not hold what was expected
    BAD_USAGE = 2  # bad input or usage; nothing written
    NO_ACCESS = 3  # no access, target or name, nothing mapped there; nothing written
    UNDONE = 4  # the write failed, and what it had written was undone
    NOT_UNDONE = 5  # the write failed, and the target may hold a part of it
    INTERNAL = 70  # a fault of this program (EX_SOFTWARE of sysexits.h)
    NO_OUTPUT = 74  # done, but what was to be printed could not be written (EX_IOERR)
    INTERRUPTED = 130  # Ctrl-C, as shells count it; or a no to a question


class CommandError(Exception):
    """Ends a command with this message and exit code; details: more fields for --json."""

    def __init__(
        self, message: str, code: ExitCode, details: dict[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.details = details or {}


#: Of these the first that fits counts: more special ones come before their bases.
_CODES: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (OutputError, ExitCode.NO_OUTPUT),
    # A command uses its own sessions, on one thread, one call at a time, until it closes them.
    (errors.WrongThreadError, ExitCode.INTERNAL),
    (errors.SessionClosedError, ExitCode.INTERNAL),
    (errors.JournalError, ExitCode.BAD_USAGE),
    (errors.UndoError, ExitCode.NOT_UNDONE),
    (errors.Error, ExitCode.NO_ACCESS),
    (MemoryError, ExitCode.BAD_USAGE),  # more was asked for than there is room for
    (OSError, ExitCode.NO_ACCESS),
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
)


def code_of_kind(kind: str | None) -> ExitCode:
    """Return the exit code for a Preview.kind."""
    return {
        None: ExitCode.DONE,
        "build": ExitCode.NOT_AS_EXPECTED,
        "access": ExitCode.NO_ACCESS,
        "expect": ExitCode.NOT_AS_EXPECTED,
    }.get(kind, ExitCode.BAD_USAGE)


def exit_code_of(exception: BaseException) -> ExitCode:
    """Return the exit code for an exception of the library, or for a bug in it."""
    if isinstance(exception, CommandError):
        return exception.code
    # `written` of these says how much of it the target does hold: nothing of it is at stake.
    if isinstance(exception, (errors.VerificationError, errors.ExpectationError)):
        return ExitCode.NOT_AS_EXPECTED
    # PointerRangeError is both an OverflowError and an engine's: what was written counts first.
    if isinstance(exception, errors.DebugEngineError) and exception.written != 0:
        return ExitCode.NOT_UNDONE
    if isinstance(exception, errors.PatchError):
        return code_of_kind(exception.kind)
    if isinstance(exception, (TypeError, ValueError, OverflowError)):
        return ExitCode.BAD_USAGE
    return next((code for kind, code in _CODES if isinstance(exception, kind)), ExitCode.INTERNAL)
