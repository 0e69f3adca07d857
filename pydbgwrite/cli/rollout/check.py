"""--check: a program that decides after each batch whether a rollout goes on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.exit_codes import CommandError, ExitCode
from pydbgwrite.cli.rollout.ledgers import read_status
from pydbgwrite.cli.rollout.shown import outcome_fields, report_fields

if TYPE_CHECKING:
    from pydbgwrite.rollout import Outcome

__all__ = ["CheckProgram", "check_option"]


class CheckProgram:
    """Runs the program. It is the check= of a rollout.

    program: its path. before: called first each time, to erase a progress bar.
    """

    def __init__(self, program: str, ledger: str, before: Callable[[], object]) -> None:
        self._program = program
        self._ledger = ledger
        self._before = before
        #: How the last run failed; "" if it did not.
        self.failed = ""

    def __call__(self, batch: Sequence[Outcome]) -> bool:
        """Run it with the outcomes so far on its standard input; return whether it ends with 0."""
        self._before()
        said: dict[str, Any] = report_fields(read_status(self._ledger))
        said["batch"] = [outcome_fields(each) for each in batch]
        try:
            code = _run(self._program, json.dumps(said).encode())
        except not_from_handler(OSError) as failure:
            raise CommandError(
                f"the check {self._program!r} could not be run: {failure.strerror or failure}",
                ExitCode.BAD_USAGE,
            ) from failure
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        self.failed = f"{self._program} ended {how}" if code else ""
        return not code


class _Process(subprocess.Popen):  # type: ignore[type-arg]
    """A process that its owner has before it is started: Ctrl-C in between does not lose it."""

    def __init__(self, program: str, owned: list[_Process]) -> None:
        owned.append(self)
        # What it prints must not come into this command's output, which can be JSON.
        output = subprocess.DEVNULL if sys.stderr is None else _error_stream()
        super().__init__([program], stdin=subprocess.PIPE, stdout=output)

    def end(self) -> None:
        """End it, if it was started, and wait for its end."""
        if getattr(self, "pid", None) is not None:
            self.kill()
            self.wait()
            if self.stdin is not None:
                self.stdin.close()


def _run(program: str, given: bytes) -> int:
    """Run a program with that input; return its exit code, or minus the signal that ended it."""
    owned: list[_Process] = []
    try:
        process = _Process(program, owned)
        process.communicate(given)
        return process.returncode
    except BaseException:
        for each in owned:
            each.end()
        raise


def _error_stream() -> int:
    """Return the descriptor of standard error; where that is none, of what discards output."""
    try:
        return sys.stderr.fileno()
    except not_from_handler(OSError, ValueError, AttributeError):
        return subprocess.DEVNULL


class _Program(click.Path):
    """A program that can be run, by its path or by a name that PATH has."""

    name = "program"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> str:
        path: str | None = shutil.which(value)
        if path is None:
            self.fail(
                f"{value!r} is no program that can be run: give the path of an executable file, or "
                "a name that PATH has. It gets no arguments.",
                param,
                context,
            )
        return path


check_option = click.option(
    "--check",
    type=_Program(),
    metavar="PROGRAM",
    help="Run this program after each batch, without a shell: the rollout goes on if it ends with "
    "0. On its standard input it has the outcomes so far as JSON.",
)
