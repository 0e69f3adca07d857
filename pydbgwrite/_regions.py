"""The target's address space: Region, Module, and the names of protections and states."""

from __future__ import annotations

from typing import Final, NamedTuple

from pydbgwrite._reprs import record_repr

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


class _Pages(NamedTuple):
    base: int
    size: int
    protection: str
    state: str


class Region(_Pages):
    """Pages of the target with the same protection (QueryVirtual's MEMORY_BASIC_INFORMATION64).

    A tuple of base, size, protection and state. The name stands beside the tuple, as some fields of
    os.stat_result do: two regions are equal if their tuples are.

    Attributes:
        base: The first address; from query(), that of the page that was asked for.
        size: Bytes from there to the end of the run.
        protection: "rw", "r", "rx", "rwx", "x" or "none"; "+guard" follows for a guard page.
        state: "committed", "reserved" or "free".
        name: From regions(), what is there, if that is known: "<heap>", "<stack>", the path of a
            file or module, or the kernel's name ("[vvar]"). Otherwise "".
    """

    name: str = ""

    def __new__(cls, base: int, size: int, protection: str, state: str, name: str = "") -> Region:
        """Make a region; with a name only if one is given."""
        self = super().__new__(cls, base, size, protection, state)
        if name:
            self.name = name
        return self

    def __repr__(self) -> str:
        text = record_repr(self, ("base",))
        return f"{text[:-1]}, name={self.name!r})" if self.name else text


Region.__module__ = "pydbgwrite"


class Module(NamedTuple):
    """A program or library in the target: its name, first address, size in bytes, and file."""

    name: str
    base: int
    size: int
    path: str

    def __repr__(self) -> str:
        return record_repr(self, ("base",))


Module.__module__ = "pydbgwrite"


def protection_name(protect: int) -> str:
    """Return "rw", "r", "rx", "rwx", "x" or "none"; for a guard page with "+guard"."""
    name = _PROTECTIONS.get(protect & 0xFF, "none")
    return f"{name}+guard" if protect & _PAGE_GUARD else name


def state_name(state: int) -> str:
    """Return "committed", "reserved" or "free"."""
    return _STATES.get(state, f"0x{state:x}")
