"""The result of a search: Found."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydbgwrite._report.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydbgwrite._regions import Module, Region

__all__ = ["Found"]

#: The most names of unreadable regions in one line.
_NAMED: Final = 2


@dataclass(frozen=True, repr=False)
class Found:
    """The pointers that Session.find_pointers() found.

    len() is their number, and iteration yields (address, value).

    Attributes:
        addresses: Where they are stored, in ascending order. numpy.asarray() takes the array
            without a copy.
        values: What is stored at each address, whole, with the bits outside a mask.
        skipped: Memory that was asked for and not searched, by address, each with the reason:
            protection "none" or "+guard", state "free" if nothing is mapped there; else a read
            failed.
        limited: True if there are more pointers than the limit.
        complete: False if the limit, Ctrl-C or an error ended the search.
        searched: The bytes of memory that were asked for and are mapped and readable. Memory that
            was never written counts, although it is not read where its zeros are not wanted.
        regions: That memory, by address.
        modules: The target's modules.
    """

    addresses: array[int]
    values: array[int]
    skipped: list[Region]
    limited: bool
    complete: bool
    searched: int
    regions: list[Region]
    modules: list[Module]

    def __len__(self) -> int:
        return len(self.addresses)

    def __bool__(self) -> bool:
        return bool(self.addresses)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.addresses, self.values, strict=True)

    def by_module(self) -> dict[str, int]:
        """Return how many pointers lie in each module, the most first; "" stands for no module."""
        names = self._names()
        return self._counted(lambda region: names.get(region.name, ""))

    def by_kind(self) -> dict[str, int]:
        """Return how many pointers lie in each kind of memory, the most first.

        The kinds are "module data", "module code", "heap", "stack" (both as the kernel names them
        on Linux: the memory of brk(2), and the main thread's stack), "file" for other mapped files,
        and "memory" for the rest, such as the memory of malloc() in large pieces, and the stacks of
        other threads.
        """
        names = self._names()

        def kind(region: Region) -> str:
            if region.name in names:
                return "module code" if "x" in region.protection else "module data"
            if region.name in ("<heap>", "<stack>"):
                return region.name[1:-1]
            return "file" if region.name.startswith("/") else "memory"

        return self._counted(kind)

    def _names(self) -> dict[str, str]:
        """Return the names of modules by the names of their regions."""
        return {each.path: each.name for each in self.modules if each.path}

    def _counted(self, key: Callable[[Region], str]) -> dict[str, int]:
        counts: dict[str, int] = {}
        before = 0
        for region in self.regions:
            if before == len(self.addresses):
                break
            behind = bisect_left(self.addresses, region.base + region.size, before)
            if behind > before:
                name = key(region)
                counts[name] = counts.get(name, 0) + behind - before
                before = behind
        return dict(sorted(counts.items(), key=lambda each: -each[1]))

    def __repr__(self) -> str:
        return f"<pydbgwrite.Found: {self}>"

    def __str__(self) -> str:
        unread = [region for region in self.skipped if region.state != "free"]
        where = "in" if self.complete else "of a search of"  # how far it came is not known
        parts = [f"{counted(len(self), 'pointer')} {where} {_size(self.searched)} of memory"]
        if unread:
            names = list(dict.fromkeys(region.name for region in unread if region.name))
            few = ", ".join(names[:_NAMED]) + ", ..." * (len(names) > _NAMED)
            size = _size(sum(region.size for region in unread))
            parts.append(f"{size} could not be read" + (f" ({few})" if few else ""))
        if self.limited:
            parts.append("ended by the limit: there are more")
        elif not self.complete:
            parts.append("not complete")
        return ", ".join(parts)


Found.__module__ = "pydbgwrite"


def _size(size: int) -> str:
    for unit, bits in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << bits:
            return f"{size / (1 << bits):,.1f} {unit}"
    return f"{size} bytes"
