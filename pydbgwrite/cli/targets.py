"""The options that name a command's target, and opening it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

import pydbgwrite
from pydbgwrite._opening.api import DEFAULT_TIMEOUT
from pydbgwrite.cli.parameters import FILE, FOLDER

if TYPE_CHECKING:
    from pydbgwrite import Session

__all__ = ["Target", "json_option", "target_options"]

#: The options of which a command takes one, as click names its parameters.
_KINDS: Final = ("pid", "connect", "dump", "kernel")


@dataclass(frozen=True, slots=True)
class Target:
    """The target as given by a command's options.

    kind: "pid", "connect", "dump" or "kernel"; None if the command needs no target and none was
        given. value: the value of that option; of a process its id, or the name of its program.
    """

    kind: str | None
    value: Any
    timeout: float
    engine: str | None
    suspend: bool

    def open(self, *, writable: bool) -> Session:
        """Open the target. writable=False makes every write fail, for commands that only read.

        A process that is given by its program is looked for now.
        """
        common: dict[str, Any] = {
            "writable": writable,
            "timeout": self.timeout,
            "engine": self.engine,
        }
        if self.kind == "pid":
            if isinstance(self.value, int):
                return pydbgwrite.attach(self.value, suspend=self.suspend, **common)
            from pydbgwrite.cli.processes import attach_to_program

            return attach_to_program(self.value, suspend=self.suspend, **common)
        if self.kind == "connect":
            return pydbgwrite.connect(self.value, **common)
        if self.kind == "dump":
            return pydbgwrite.open_dump(self.value, **common)
        assert self.kind == "kernel"  # or the command has asked for a target
        return pydbgwrite.attach_kernel(self.value, **common)


def target_options(
    *, required: bool = True
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Add the options that name a target to a command, which gets them as `target`, a Target."""

    def decorate(command: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(command)
        def with_target(
            *,
            timeout: float,
            engine: str | None,
            no_suspend: bool,
            **others: Any,
        ) -> object:
            given = {name: others.pop(name) for name in _KINDS}
            target = _target(given, timeout, engine, not no_suspend, required)
            return command(target=target, **others)

        for option in reversed(_OPTIONS):
            option(with_target)
        return with_target

    return decorate


def _target(
    given: dict[str, Any], timeout: float, engine: str | None, suspend: bool, required: bool
) -> Target:
    chosen = [name for name in _KINDS if given[name] is not None]
    if len(chosen) > 1 or (required and not chosen):
        got = " and ".join("-p" if name == "pid" else f"--{name}" for name in chosen) or "none"
        raise click.UsageError(f"Give one of -p, --connect, --dump and --kernel; got {got}.")
    if not suspend and chosen != ["pid"]:
        raise click.UsageError("--no-suspend needs -p.")
    kind = chosen[0] if chosen else None
    return Target(kind, given[kind] if kind else None, timeout, engine, suspend)


class _ProcessType(click.ParamType):  # type: ignore[type-arg]
    """A process: its id, or the name or path of its program."""

    name = "process"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> int | str:
        text: str = value
        if text.isascii() and text.isdecimal():
            pid = int(text) if len(text) <= 20 else 0
            if pid < 1:
                self.fail(f"{text[:40]!r} is not the id of a process.", param, context)
            return pid
        if not text or text.startswith("-") or "\0" in text:
            self.fail(
                f"{text!r} is neither the id of a process nor the name of a program. A program "
                "whose name begins with '-' is given by a path: ./-name.",
                param,
                context,
            )
        return text


_OPTIONS: Final[tuple[Callable[[Any], Any], ...]] = (
    click.option(
        "--pid",
        "-p",
        type=_ProcessType(),
        metavar="NAME|PID",
        help="A running process: its id, or the file name of its executable where only one process "
        "runs that. A name of digits alone is given by a path, such as ./123.",
    ),
    click.option(
        "--connect",
        metavar="OPTIONS",
        help="Another debugger's session (Windows), such as tcp:server=host,port=5005.",
    ),
    click.option("--dump", type=FILE, metavar="FILE", help="A dump file, read-only (Windows)."),
    click.option(
        "--kernel",
        metavar="OPTIONS",
        help="Another machine's kernel (Windows), such as net:port=50000,key=1.2.3.4.",
    ),
    click.option(
        "--timeout",
        type=float,
        default=DEFAULT_TIMEOUT,
        show_default=True,
        metavar="SECONDS",
        help="The longest time to open the target.",
    ),
    click.option(
        "--engine",
        type=FOLDER,
        metavar="FOLDER",
        help="The folder of Microsoft's dbgeng.dll (Windows). By default it is searched for.",
    ),
    click.option(
        "--no-suspend",
        is_flag=True,
        help="With -p: keep the process running. It then sees a write piece by piece.",
    ),
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
