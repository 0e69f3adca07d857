"""Errors for functions and arguments that this platform does not support."""

from __future__ import annotations

import sys

from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite.errors import EngineNotFoundError

__all__ = ["argument_for_windows", "no_live_engine", "windows_only"]


def windows_only(function: str) -> EngineNotFoundError:
    """Return the error for a function that exists only on Windows."""
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
    """Return the error for an argument that this platform does not support."""
    option = IN_FORCE.get().argument(name)
    return ValueError(f"{option} is for Windows: here the embedded engine works")


def no_live_engine(function: str) -> EngineNotFoundError:
    """Return the error for opening a process on a system without an engine for it."""
    words = IN_FORCE.get()
    everywhere = words.function("simulate")
    return EngineNotFoundError(
        f"{words.function(function)} has no engine for live processes on {sys.platform} in this "
        "version of pydbgwrite" + (f"; {everywhere} works everywhere" if everywhere else "")
    )
