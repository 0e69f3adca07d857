"""Modules and symbols as addresses name them, whatever platform knows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

__all__ = ["KnownModule", "Symbols"]


class KnownModule(NamedTuple):
    """A module of the target as addresses name it: by a file name, by a path, by short names."""

    name: str
    base: int
    path: str
    #: Names without an extension, and the engine's own; none on Linux.
    short: tuple[str, ...]


class Symbols(Protocol):
    """What a platform knows of modules and symbols."""

    def modules(self) -> list[KnownModule]:
        """All modules of the target, by address."""

    def key(self, name: str) -> str:
        """The form in which names and paths are compared."""

    def find(self, module: KnownModule, symbol: str) -> int | None:
        """The address of a symbol; None where there is none of that name.

        Raises AddressError where there are several, or it has no address.
        """

    def stripped(self, module: KnownModule) -> bool:
        """Was the table of symbols that are not exported taken out of its file?"""

    def like(self, module: KnownModule, symbol: str) -> Iterable[str]:
        """Names among which the right one may be."""
