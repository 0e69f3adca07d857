"""What a session tells of the target's address space: Region and Module."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Module", "Region"]


class Region(NamedTuple):
    """Like pages of the target, from one page on (QueryVirtual's MEMORY_BASIC_INFORMATION64).

    base and size are bytes, base of the page that was asked for; protection is "rw", "r", "rx",
    "rwx", "x" or "none"; state is "committed", "reserved" or "free".
    """

    base: int
    size: int
    protection: str
    state: str


class Module(NamedTuple):
    """A program or library in the target: its name, first address, size in bytes, and file."""

    name: str
    base: int
    size: int
    path: str
