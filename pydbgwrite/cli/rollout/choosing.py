"""The options that choose the processes of a rollout."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click

from pydbgwrite.cli.processes import not_found
from pydbgwrite.errors import NoTargetError

if TYPE_CHECKING:
    from pydbgwrite.rollout import Choice, FoundProcess

__all__ = ["choice_options", "found_by"]


class _Pid(click.ParamType):  # type: ignore[type-arg]
    """The id of a process. Other commands take the name of its program, too."""

    name = "pid"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> int:
        text = f"{value}"
        number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else 0
        if not 0 < number < 2**32:
            self.fail(
                f"{text[:40]!r} is not the id of a process. --program takes the name of a program.",
                param,
                context,
            )
        return number


_NAMES: Final = ("program", "build_id", "user", "cgroup", "pid")
_OPTIONS: Final[tuple[Callable[[Any], Any], ...]] = (
    click.option(
        "--program",
        metavar="NAME",
        help="Processes whose executable has this file name, or this path.",
    ),
    click.option(
        "--build-id", metavar="ID", help="Those whose executable has this GNU build id (Linux)."
    ),
    click.option("--user", metavar="USER", help="Those of this user: a name or a number."),
    click.option(
        "--cgroup",
        metavar="GROUP",
        help="Those in this control group: its path, its last part such as shop.service, or a "
        "container's id (Linux).",
    ),
    click.option(
        "--pid",
        "-p",
        type=_Pid(),
        multiple=True,
        metavar="PID",
        help="This process. Give it again for more.",
    ),
)


def choice_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add the options to a command, which gets them as `choice`, a Choice."""

    @functools.wraps(command)
    def with_choice(**others: Any) -> object:
        program, build_id, user, cgroup, pids = (others.pop(name) for name in _NAMES)
        if program is None and build_id is None and cgroup is None and not pids:
            raise click.UsageError(
                "Give one of --program, --build-id, --cgroup and -p, or several: a process must "
                "fit all of them."
            )
        from pydbgwrite import rollout

        choice = rollout.processes(
            program=program, build_id=build_id, user=user, cgroup=cgroup, pids=pids or None
        )
        return command(choice=choice, **others)

    for option in reversed(_OPTIONS):
        option(with_choice)
    return with_choice


def found_by(choice: Choice) -> list[FoundProcess]:
    """Return the processes of this machine that fit; NoTargetError if there are none."""
    found = choice.look()
    if found:
        return found
    if choice.program is not None and choice == type(choice)(choice.program):
        raise NoTargetError(not_found(choice.program))
    raise NoTargetError(f"no process that can be seen here fits: {choice}")
