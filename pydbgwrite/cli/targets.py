"""Which target a command works on: the options that say so, for all commands that need one."""

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
    """What the options of a command line say of its target.

    kind: the one that was given of "pid", "connect", "dump" and "kernel"; None where none was, for
        a command that may do without. value: what it was given.
    """

    kind: str | None
    value: Any
    timeout: float
    engine: str | None
    suspend: bool

    def open(self, *, writable: bool) -> Session:
        """Open it; writable=False for a command that only reads, which then can do nothing else."""
        common: dict[str, Any] = {
            "writable": writable,
            "timeout": self.timeout,
            "engine": self.engine,
        }
        if self.kind == "pid":
            return pydbgwrite.attach(self.value, suspend=self.suspend, **common)
        if self.kind == "connect":
            return pydbgwrite.connect(self.value, **common)
        if self.kind == "dump":
            return pydbgwrite.open_dump(self.value, **common)
        assert self.kind == "kernel"  # or the command has asked for a target
        return pydbgwrite.attach_kernel(self.value, **common)


def target_options(
    *, required: bool = True
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Give a command the options that name its target; it gets them as `target`, a Target."""

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
        got = " and ".join(f"--{name}" for name in chosen) or "none"
        raise click.UsageError(f"Give one of --pid, --connect, --dump and --kernel; got {got}.")
    if not suspend and chosen != ["pid"]:
        raise click.UsageError("--no-suspend is for --pid.")
    kind = chosen[0] if chosen else None
    return Target(kind, given[kind] if kind else None, timeout, engine, suspend)


_OPTIONS: Final[tuple[Callable[[Any], Any], ...]] = (
    click.option("--pid", type=click.IntRange(min=1), metavar="N", help="A running process."),
    click.option(
        "--connect",
        metavar="OPTIONS",
        help="Another debugger's session (Windows), such as tcp:server=host,port=5005.",
    ),
    click.option("--dump", type=FILE, metavar="FILE", help="A dump file (Windows), to read from."),
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
        help="How long opening it may take.",
    ),
    click.option(
        "--engine",
        type=FOLDER,
        metavar="FOLDER",
        help="Where Microsoft's dbgeng.dll is (Windows); searched for where not given.",
    ),
    click.option(
        "--no-suspend",
        is_flag=True,
        help="With --pid: let the process run on meanwhile. It sees a write piece by piece then.",
    ),
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
