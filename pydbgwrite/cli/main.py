"""The command group, and how every command ends: an exit code and a message, never a traceback."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence

import click

from pydbgwrite import __version__
from pydbgwrite.cli.demo import demo
from pydbgwrite.cli.exit_codes import ExitCode, exit_code_of
from pydbgwrite.cli.output import HeldOutput, example, fail, show_on_stderr

__all__ = ["group", "run"]


@click.group(
    name="pydbgwrite",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example("pydbgwrite demo"),
)
@click.version_option(__version__, prog_name="pydbgwrite", message="%(prog)s %(version)s")
def group() -> None:
    """Write pointer arrays into another program's memory."""


group.add_command(demo)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, sys.argv's where none is given; the exit code.

    A command returns its exit code, or raises what the library raised.
    """
    held = HeldOutput(sys.stdout)
    with contextlib.redirect_stdout(held):
        code = _outcome(arguments)
    failure = held.release()
    if failure is None:
        return code
    if not isinstance(failure, BrokenPipeError):  # whoever closed a pipe has seen enough
        fail(f"the output could not be written: {failure.strerror}")
    return ExitCode.NO_OUTPUT if code == ExitCode.DONE else code


def _outcome(arguments: Sequence[str] | None) -> int:
    try:
        result = group.main(arguments, prog_name="pydbgwrite", standalone_mode=False)
    except click.ClickException as failure:
        show_on_stderr(failure.show)
        return ExitCode.BAD_USAGE
    except (click.Abort, KeyboardInterrupt) as interrupt:
        fail(_interrupted(interrupt))
        return ExitCode.INTERRUPTED
    except Exception as failure:
        code = exit_code_of(failure)
        if code is ExitCode.INTERNAL:
            fail(f"internal error, please report it: {type(failure).__name__}: {failure}")
        else:
            fail(str(failure))
        return code
    return result if isinstance(result, int) else ExitCode.DONE


def _interrupted(interrupt: BaseException) -> str:
    cause = interrupt.__context__ if isinstance(interrupt, click.Abort) else interrupt
    notes = getattr(cause, "__notes__", [])
    return "; ".join(["interrupted", *notes])
