"""Exit codes, and which exception ends a command with which."""

from __future__ import annotations

from enum import IntEnum

from pydbgwrite import errors

__all__ = ["ExitCode", "exit_code_of"]


class ExitCode(IntEnum):
    """What a command's exit code says. Scripts rely on the numbers."""

    DONE = 0
    NOT_AS_EXPECTED = 1  # the target does not hold what was expected
    BAD_USAGE = 2  # bad input or usage; nothing written
    NO_ACCESS = 3  # no access, no target, nothing mapped there; nothing written
    UNDONE = 4  # the write failed, and what it had written was undone
    NOT_UNDONE = 5  # the write failed, and the target may hold a part of it
    INTERNAL = 70  # a fault of this program (EX_SOFTWARE of sysexits.h)
    NO_OUTPUT = 74  # done, but what was to be printed could not be written (EX_IOERR)
    INTERRUPTED = 130  # Ctrl-C, as shells count it


def exit_code_of(exception: BaseException) -> ExitCode:
    """The exit code for an exception of the library, or of a bug in it."""
    # PointerRangeError is both an OverflowError and an engine's: what was written counts first.
    if isinstance(exception, errors.DebugEngineError) and exception.written != 0:
        return ExitCode.NOT_UNDONE
    if isinstance(exception, (TypeError, ValueError, OverflowError)):
        return ExitCode.BAD_USAGE
    if isinstance(exception, (errors.DebugEngineError, OSError)):
        return ExitCode.NO_ACCESS
    if isinstance(exception, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    return ExitCode.INTERNAL
