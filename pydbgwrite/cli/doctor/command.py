"""pydbgwrite doctor: check what works on this machine, and advise about the rest."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from pydbgwrite.cli.exit_codes import ExitCode
from pydbgwrite.cli.output import console, example, on_terminal, print_json, printable
from pydbgwrite.cli.parameters import FOLDER
from pydbgwrite.cli.targets import json_option

if TYPE_CHECKING:
    from pydbgwrite.cli.doctor.checks import Check

__all__ = ["doctor"]


@click.command(epilog=example("pydbgwrite doctor --json"))
@click.option(
    "--engine",
    type=FOLDER,
    metavar="FOLDER",
    help="The folder of Microsoft's dbgeng.dll (Windows). By default it is searched for.",
)
@json_option
def doctor(engine: str | None, as_json: bool) -> int:
    """Check what works on this machine, and say what to do about the rest.

    Shows the engines and the permissions. Then starts a process, writes to it, and compares what
    the process reports.

    Exit codes: 0 the write worked; 3 it did not, or could not be tried.
    """
    from pydbgwrite.cli.doctor.checks import LIMITED, WORKS, Check, of_this_python
    from pydbgwrite.cli.doctor.self_check import MAIN_JOB, WITHOUT_SUSPENDING, self_checks

    checks = of_this_python()
    tried: list[str] = []
    if sys.platform == "win32":
        from pydbgwrite.cli.doctor import windows

        found, loaded, tried = windows.engine_checks(engine)
        checks += [*found, *windows.permissions()]
        tests = [] if loaded is None else self_checks(engine)
    else:
        if engine is not None:
            raise click.UsageError("--engine is for Windows.")
        checks.append(Check("Microsoft's engine", "info", "none: it is only for Windows"))
        if sys.platform.startswith("linux"):
            from pydbgwrite.cli.doctor import linux

            checks += linux.permissions()
            tests = self_checks(None)
        else:
            tests = []
    checks += tests
    states = [check.state for check in tests if check.name == MAIN_JOB]
    works, untried = WORKS in states, LIMITED in states
    running = any(check.name == WITHOUT_SUSPENDING and check.state == WORKS for check in tests)
    if as_json:
        print_json(
            {
                "works": None if untried else works,
                "checks": [check._asdict() for check in checks],
                "engine_paths_tried": tried,
            }
        )
    else:
        _show(checks)
        click.echo()
        click.echo(
            "Writing to processes works here."
            if works
            else "Writing to processes could not be tried here."
            if untried
            else "Writing to processes works here only with --no-suspend."
            if running
            else "Writing to processes does not work here."
        )
    return ExitCode.DONE if works else ExitCode.NO_ACCESS


_STYLES: Final = {"works": "green", "limited": "yellow", "fails": "bold red", "info": "dim"}


def _show(checks: list[Check]) -> None:
    if not on_terminal():
        for check in checks:
            click.echo(f"{check.state:8} {check.name}: {printable(check.detail)}")
            if check.advice:
                click.echo(f"{'':8} -> {printable(check.advice)}")
        return
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for check in checks:
        said = Text(printable(check.detail), overflow="fold")
        if check.advice:
            said.append(f"\n-> {printable(check.advice)}", style="italic")
        grid.add_row(
            Text(check.state if check.state != "info" else "", style=_STYLES[check.state]),
            Text(check.name, style="bold"),
            said,
        )
    console().print(grid)
