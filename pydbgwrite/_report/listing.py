"""A list that a notebook shows as a table."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["Listing"]

_Row = TypeVar("_Row", bound="tuple[object, ...]")


class Listing(list[_Row]):
    """A list of named tuples: an ordinary list everywhere but in a notebook."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from pydbgwrite._report.notebook import listing_html

        return listing_html(self)
