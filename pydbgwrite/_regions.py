"""The target's address space: Region, Module, and the names of protections and states."""

from __future__ import annotations

from typing import Final, NamedTuple

from pydbgwrite._reprs import repr_with_addresses

__all__ = ["Module", "Region", "protection_name", "state_name"]

# winnt.h; learn.microsoft.com/windows/win32/memory/memory-protection-constants
_PROTECTIONS: Final = {
    0x01: "none",
    0x02: "r",
    0x04: "rw",
    0x08: "rw",  # PAGE_WRITECOPY: a write makes a private copy
    0x10: "x",
    0x20: "rx",
    0x40: "rwx",
    0x80: "rwx",  # PAGE_EXECUTE_WRITECOPY
}
_PAGE_GUARD: Final = 0x100
_STATES: Final = {0x1000: "committed", 0x2000: "reserved", 0x10000: "free"}


class Region(NamedTuple):
    """Pages of the target with the same protection (QueryVirtual's MEMORY_BASIC_INFORMATION64).

    Attributes:
        base: The address of the page that was asked for.
        size: Bytes from there to the end of the run.
        protection: "rw", "r", "rx", "rwx", "x" or "none"; "+guard" follows for a guard page.
        state: "committed", "reserved" or "free".
    """

    base: int
    size: int
    protection: str
    state: str

    def __repr__(self) -> str:
        return repr_with_addresses(self, ("base",))


Region.__module__ = "pydbgwrite"


class Module(NamedTuple):
    """A program or library in the target: its name, first address, size in bytes, and file."""

    name: str
    base: int
    size: int
    path: str

    def __repr__(self) -> str:
        return repr_with_addresses(self, ("base",))


Module.__module__ = "pydbgwrite"


def protection_name(protect: int) -> str:
    """Return "rw", "r", "rx", "rwx", "x" or "none"; for a guard page with "+guard"."""
    name = _PROTECTIONS.get(protect & 0xFF, "none")
    return f"{name}+guard" if protect & _PAGE_GUARD else name


def state_name(state: int) -> str:
    """Return "committed", "reserved" or "free"."""
    return _STATES.get(state, f"0x{state:x}")
