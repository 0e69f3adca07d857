"""The demo's child process as its parent sees it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

from pydbgwrite._child_process import PATIENCE, Child
from pydbgwrite._demo.proof import Proof

__all__ = ["DemoChild", "DemoTable"]

#: Seconds that each pointer adds to the child's patience, and the most.
_PATIENCE_PER_POINTER: Final = 1e-6
_MOST_PATIENCE: Final = 3600.0


@dataclass(frozen=True, slots=True)
class DemoTable:
    """Where the child's table is, and the addresses of its functions by number."""

    address: int
    functions: list[int]


class DemoChild(Child):
    """A running child (pydbgwrite/_demo/child.py)."""

    def __init__(self, pointers: int) -> None:
        super().__init__(
            "the demo's child",
            # -P: a folder pydbgwrite in the current one is not the installed package.
            [sys.executable, "-P", "-m", "pydbgwrite._demo.child", str(pointers)],
            min(PATIENCE + pointers * _PATIENCE_PER_POINTER, _MOST_PATIENCE),
        )

    def table(self) -> DemoTable:
        """Its table, once that stands; MemoryError when the child has no room for it."""
        said = self.hear()
        if said["event"] == "error":
            raise MemoryError(said["message"])
        return DemoTable(said["address"], [*said["originals"], *said["replacements"]])

    def prove(self) -> Proof:
        """Let it call through its whole table."""
        said = self.ask("check")
        return Proof(said["checksum"], said["originals"], said["replacements"])
