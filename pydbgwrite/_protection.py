"""Windows' page protections and states as short words: "rw", "r", "rx", "none"; "committed"."""

from __future__ import annotations

from typing import Final

__all__ = ["protection_name", "state_name"]

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


def protection_name(protect: int) -> str:
    """One of "rw", "r", "rx", "rwx", "x" and "none"; a guard page has "+guard" behind it."""
    name = _PROTECTIONS.get(protect & 0xFF, "none")
    return f"{name}+guard" if protect & _PAGE_GUARD else name


def state_name(state: int) -> str:
    """One of "committed", "reserved" and "free"."""
    return _STATES.get(state, f"0x{state:x}")
