"""The library that demangles C++ and Rust names, if it is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["MANGLED", "demangler"]

#: How mangled names begin: Itanium C++ and Rust's older form, Rust's v0.
MANGLED: Final = ("_Z", "_R", "__Z")


def demangler() -> Callable[[str], str] | None:
    """Return the library's function; it returns what it can't demangle unchanged."""
    return None
