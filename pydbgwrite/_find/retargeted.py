"""The result of a retarget: Retargeted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydbgwrite._find.found import Found
    from pydbgwrite._patch.patch import Patch

__all__ = ["Retargeted"]


@dataclass(frozen=True, repr=False)
class Retargeted:
    """What Session.retarget() found and replaced, or would replace in a dry run.

    len() is the number of pointers.

    Attributes:
        found: The pointers as they were found, with counts by module and by kind of memory
            (by_module(), by_kind()), and what could not be read (skipped).
        patch: A Patch that writes the new pointers, and expects what was found. After a retarget
            it was applied: its undo() and verify() take the session, and save() keeps it as a
            file. After a dry run its preview() shows each pointer, and its apply() writes them.
            None if nothing was found.
        written: How many pointers were written: all that were found, or 0 in a dry run.
    """

    found: Found
    patch: Patch | None
    written: int

    def __len__(self) -> int:
        return len(self.found)

    def __repr__(self) -> str:
        return f"<pydbgwrite.Retargeted: {self}>"

    def __str__(self) -> str:
        return f"{'replaced' if self.written or not self.found else 'would replace'} {self.found}"


Retargeted.__module__ = "pydbgwrite"
