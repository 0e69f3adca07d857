"""The command group, and the end of every command: an exit code and a message, no traceback."""

from __future__ import annotations

import contextlib
import importlib
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

import click

from pydbgwrite import __version__
from pydbgwrite._extra import unusable
from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite.cli.error_fields import error_fields
from pydbgwrite.cli.exit_codes import CommandError, ExitCode, exit_code_of
from pydbgwrite.cli.held_output import HeldOutput, OutputError
from pydbgwrite.cli.output import example, fail, print_json, show_on_stderr
from pydbgwrite.cli.spelling import CommandLineSpelling

if TYPE_CHECKING:  # for what follows imports, as PyInstaller does: _COMMANDS has texts
    from pydbgwrite.cli import apply as apply
    from pydbgwrite.cli import demo as demo
    from pydbgwrite.cli import find as find
    from pydbgwrite.cli import history as history
    from pydbgwrite.cli import imports as imports
    from pydbgwrite.cli import modules as modules
    from pydbgwrite.cli import read as read
    from pydbgwrite.cli import regions as regions
    from pydbgwrite.cli import retarget as retarget
    from pydbgwrite.cli import symbols as symbols
    from pydbgwrite.cli import undo as undo
    from pydbgwrite.cli import verify as verify
    from pydbgwrite.cli import write as write
    from pydbgwrite.cli.doctor import command as command
    from pydbgwrite.cli.rollout.command import rollout as rollout

__all__ = ["group", "run"]


#: The module of each command, in the order of the help. It is imported when it is asked for:
#: most of what commands import, a command line does not need.
_COMMANDS: Final = {
    "doctor": "doctor.command",
    "demo": "demo",
    "modules": "modules",
    "regions": "regions",
    "symbols": "symbols",
    "imports": "imports",
    "find": "find",
    "read": "read",
    "write": "write",
    "retarget": "retarget",
    "apply": "apply",
    "verify": "verify",
    "undo": "undo",
    "history": "history",
    "rollout": "rollout.command",
}


class _Commands(click.Group):
    """The commands of _COMMANDS."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"pydbgwrite.cli.{_COMMANDS[name]}")
        command: click.Command = getattr(module, name)
        return command


@click.group(
    name="pydbgwrite",
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example("pydbgwrite doctor"),
)
@click.version_option(__version__, prog_name="pydbgwrite", message="%(prog)s %(version)s")
def group() -> None:
    """Write pointer arrays into another program's memory.

    Exit codes: 0 done; 1 the target does not hold what was expected; 2 bad input or usage; 3 no
    access, no target, no such name, or nothing mapped there; 4 a write failed and was undone; 5 a
    write failed, and the target may hold a part of it; 70 a bug in pydbgwrite; 74 the output could
    not be written; 130 interrupted, or the answer no to a question.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (default: sys.argv), and return the exit code.

    A command returns its exit code, or raises an exception of the library.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    spelling = IN_FORCE.set(CommandLineSpelling(words))
    try:
        return _run(words)
    finally:
        IN_FORCE.reset(spelling)


def _run(words: list[str]) -> int:
    held = HeldOutput(sys.stdout)
    code: int = ExitCode.DONE
    try:
        with _signals_interrupt():
            with contextlib.redirect_stdout(held):
                code = _outcome(words, held)
            held.release()
    except OutputError as failure:
        return _no_output(failure, code)
    except KeyboardInterrupt as interrupt:  # while the output is waited for
        fail(_interrupted(interrupt))
        return ExitCode.INTERRUPTED if code == ExitCode.DONE else code
    return code


#: These end a command as Ctrl-C does: a write that they cut short is undone first. They come from
#: kill(1), a terminal that is closed, Ctrl-Break.
_SIGNALS: Final = ("SIGTERM", "SIGHUP", "SIGBREAK")


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Within this block these signals raise KeyboardInterrupt, with the signal's number.

    Signals that are ignored (nohup), or that have another handler, are not changed.
    """
    taken: list[signal.Signals] = []
    try:
        if threading.current_thread() is threading.main_thread():
            for name in _SIGNALS:
                number: signal.Signals | None = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                    signal.signal(number, _interrupt)
                    taken.append(number)
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(f"interrupted by {signal.Signals(number).name}")


def _no_output(failure: OutputError, code: int) -> int:
    """Return the exit code for output that could not be written, unless the command failed."""
    if failure.message is not None:
        fail(failure.message)
    return ExitCode.NO_OUTPUT if code == ExitCode.DONE else code


def _outcome(arguments: list[str], held: HeldOutput) -> int:
    try:
        result = group.main(arguments, prog_name="pydbgwrite", standalone_mode=False)
    except OutputError as failure:
        return _no_output(failure, ExitCode.DONE)
    except SystemExit as ended:  # by click itself, once it has answered a shell's tab completion
        return ended.code if isinstance(ended.code, int) else ExitCode.DONE
    except click.ClickException as failure:
        _release(held)
        show_on_stderr(failure.show)
        code, message = ExitCode.BAD_USAGE, failure.format_message()
        outcome: BaseException = failure
    except (click.Abort, KeyboardInterrupt) as interrupt:
        code, message = ExitCode.INTERRUPTED, _interrupted(interrupt)
        outcome = interrupt
        _release(held)
        fail(message)
    except Exception as failure:
        outcome = _known(failure)
        code, message = exit_code_of(outcome), _message(outcome)
        _release(held)
        fail(message)
    else:
        return result if isinstance(result, int) else ExitCode.DONE
    if _wants_json(arguments) and not held.used:
        print_json({"error": error_fields(outcome, message, code)})
    return code


def _known(failure: Exception) -> Exception:
    """Return the exception, or another for a package that can't be imported: that is no bug."""
    fault = unusable(failure)
    if not fault:
        return failure
    known = CommandError(fault, ExitCode.BAD_USAGE)
    known.__cause__ = failure
    for note in getattr(failure, "__notes__", []):  # what became of a write
        known.add_note(note)
    return known


def _release(held: HeldOutput) -> None:
    """Print what is held: the reason of a failure stands below what was shown before it."""
    try:
        held.release()
    except OutputError as failure:
        if failure.message is not None:
            fail(failure.message)


def _wants_json(arguments: list[str]) -> bool:
    """Return whether --json is given, even if click can't parse the command line."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return "--json" in arguments[:end]


def _message(failure: Exception) -> str:
    text = _system_error(failure) if isinstance(failure, OSError) else str(failure)
    if exit_code_of(failure) is ExitCode.INTERNAL:
        return f"internal error, please report it: {type(failure).__name__}: {text}"
    if isinstance(failure, MemoryError) and not text:
        text = "not enough memory; ask for less at once"
    return "; ".join([text or type(failure).__name__, *getattr(failure, "__notes__", [])])


def _system_error(failure: OSError) -> str:
    """Return the message of an OSError without Python's "[Errno N]" in front."""
    if failure.strerror is None:
        return str(failure)
    named = "" if failure.filename is None else f"{failure.filename}: "
    return f"{named}{failure.strerror}"


def _interrupted(interrupt: BaseException) -> str:
    cause = interrupt.__context__ if isinstance(interrupt, click.Abort) else interrupt
    notes = getattr(cause, "__notes__", [])
    return "; ".join([str(cause) or "interrupted", *notes])
