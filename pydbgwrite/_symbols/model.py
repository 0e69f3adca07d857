"""Modules and symbols as addresses name them, independent of the platform."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

__all__ = ["KnownModule", "Symbols"]


class KnownModule(NamedTuple):
    """A module of the target, with the names for it: file name, path, short names."""

    name: str
    base: int
    path: str
    #: The name without its extension, and the engine's name; none on Linux.
    short: tuple[str, ...]


class Symbols(Protocol):
    """A platform's modules and symbols."""

    def modules(self) -> list[KnownModule]:
        """Return all modules of the target, sorted by address."""

    def key(self, name: str) -> str:
        """Return a name or path in the form that is compared."""

    def find(self, module: KnownModule, symbol: str) -> int | None:
        """Return the address of a symbol, or None if there is none of that name.

        Raises AddressError if there are several, or if it has no address.
        """

    def stripped(self, module: KnownModule) -> bool:
        """Was the module's file stripped of its symbols that are not exported?"""

    def like(self, module: KnownModule, symbol: str) -> Iterable[str]:
        """Return names to compare a misspelt one with."""
