"""What both demonstrations check: the memory that they take, and what their child proves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from pydbgwrite._dbgeng import EngineInfo
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import NoTargetError

__all__ = ["DemoError", "check_before", "engine_name", "memory_for", "verify"]

P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)


class DemoError(Exception):
    """The demo's child was faulty before anything was written to it."""


class _Proving(Protocol[P_co]):
    """A child that proves what it holds."""

    def prove(self) -> P_co: ...

    def finish(self) -> int: ...


def engine_name(engine: EngineInfo) -> str:
    """Return the engine's name; for dbgeng also its version."""
    return engine.name if engine.name == "embedded" else f"{engine.name} {engine.version}"


def verify(child: _Proving[P], expected: P) -> tuple[P | None, str | None]:
    """Return the child's proof of what was rewritten, and its fault."""
    after = None
    try:
        after = child.prove()
        status = child.finish()
    except not_from_handler(NoTargetError) as failure:
        return after, str(failure)
    if after != expected:
        return after, f"the child reports {after}; expected {expected}"
    if status != 0:
        return after, f"the child proved its table and then ended with exit status {status}"
    return after, None


def check_before(what: str, before: object, expected: object) -> None:
    """Raise DemoError unless the child proves what it was started with."""
    if before != expected:
        raise DemoError(
            f"the child's {what} were wrong before anything was written: it reports {before}; "
            f"expected {expected}"
        )


@contextmanager
def memory_for(pointers: int, each: int) -> Iterator[None]:
    """Let a block use so many bytes for each pointer.

    Raises ValueError for a number of pointers that is below 1, or takes too much memory.
    """
    if pointers < 1:
        raise ValueError(f"a table has 1 pointer or more, got {pointers}")
    needed, free = pointers * each, _free_memory()
    if free is not None and needed > free:
        raise _too_large(pointers, each, f" ({free / 2**30:,.1f} GiB are free)")
    if needed > sys.maxsize:
        raise _too_large(pointers, each)
    try:
        yield
    except not_from_handler(MemoryError):
        raise _too_large(pointers, each) from None


def _too_large(pointers: int, each: int, detail: str = "") -> ValueError:
    """Return the error for a number of pointers that take too much memory, so many bytes each."""
    needed = pointers * each / 2**30
    return ValueError(
        f"{pointers:,} pointers take {needed:,.1f} GiB, here and in the child, and there is not "
        f"enough memory{detail}; ask for fewer"
    )


def _free_memory() -> int | None:
    """Return the bytes available without swapping (proc_meminfo(5)), or None if unknown."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except not_from_handler(OSError, ValueError):
        pass
    return None
