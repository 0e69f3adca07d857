"""What this platform lacks: functions that need Microsoft's engine, and arguments for it alone."""

from __future__ import annotations

import sys

from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite.errors import EngineNotFoundError

__all__ = ["argument_for_windows", "no_live_engine", "windows_only"]


def windows_only(function: str) -> EngineNotFoundError:
    """For a function that exists on Windows alone."""
    words = IN_FORCE.get()
    here = list(filter(None, map(words.function, ("attach", "launch"))))
    everywhere = words.function("simulate")
    return EngineNotFoundError(
        f"{words.function(function)} needs Microsoft's debugger engine (dbgeng.dll), which exists "
        f"on Windows alone; this is {sys.platform}. {' and '.join(here)} "
        f"{'works' if len(here) == 1 else 'work'} on Linux"
        + (f", {everywhere} everywhere" if everywhere else "")
    )


def argument_for_windows(name: str) -> ValueError:
    """For an argument that was given although this platform has no use for it."""
    option = IN_FORCE.get().argument(name)
    return ValueError(f"{option} is for Windows: here the embedded engine works")


def no_live_engine(function: str) -> EngineNotFoundError:
    """For a function that opens processes, on a system without an engine for them."""
    words = IN_FORCE.get()
    everywhere = words.function("simulate")
    return EngineNotFoundError(
        f"{words.function(function)} has no engine for live processes on {sys.platform} in this "
        "version of pydbgwrite" + (f"; {everywhere} works everywhere" if everywhere else "")
    )
