"""What transactions, journals and undo tell: Change, Conflict, UndoReport, JournalInfo."""

from __future__ import annotations

from array import array
from typing import NamedTuple

__all__ = ["Change", "Conflict", "JournalInfo", "UndoReport"]


class Change(NamedTuple):
    """A recorded write, or a piece of one: long writes are recorded a piece at a time.

    address is where it is in the target; of scattered elements it is the lowest, and addresses
    holds all of them, in the order given, else None. old and new are the bytes before and after in
    the target's own form (little-endian), element by element; unit is the bytes of an element: 8 or
    4 for pointers, 1 for bytes.
    """

    address: int
    old: bytes
    new: bytes
    unit: int
    addresses: array[int] | None = None


class Conflict(NamedTuple):
    """A location that holds neither what was written nor what was there before.

    Someone else has changed it: the target, which ran on, or another debugger. old, written and
    found are bytes of equal length in the target's own form: a pointer, or up to 64 changed bytes
    side by side.
    """

    address: int
    old: bytes
    written: bytes
    found: bytes


class UndoReport(NamedTuple):
    """What an undo did, and what remains.

    restored: bytes that were written back. unchanged: bytes that held the old value already, so
    that nothing was to do. Where several writes overlap, each of them counts.
    conflicts: the first 100 by address, conflict_total: how many there are. They were left alone,
    or, with force=True, restored too (and forced is True).
    remaining: (address, size, why) of each range that could not be restored, by address.
    torn: the journal's last record was cut off while it was made; its write was never begun.
    """

    restored: int = 0
    unchanged: int = 0
    conflicts: tuple[Conflict, ...] = ()
    conflict_total: int = 0
    remaining: tuple[tuple[int, int, str], ...] = ()
    forced: bool = False
    torn: bool = False

    @property
    def complete(self) -> bool:
        """Does the target hold again all that it held before the recorded writes?"""
        return not self.remaining and (self.forced or not self.conflict_total)

    def __str__(self) -> str:
        parts = [
            f"{_counted(self.restored, 'byte')} restored, {self.unchanged:,} already as they were"
        ]
        if self.conflict_total:
            fate = "restored too" if self.forced else "left alone"
            parts.append(
                f"{_counted(self.conflict_total, 'conflict')} ({fate}; the first at "
                f"0x{self.conflicts[0].address:x}): neither the old nor the written value is there"
            )
        if self.remaining:
            total = sum(size for _, size, _ in self.remaining)
            shown = [
                f"0x{address:x}, {_counted(size, 'byte')} ({why})"
                for address, size, why in self.remaining
            ]
            more = f" and {len(shown) - 8:,} more ranges" if len(shown) > 8 else ""
            parts.append(f"{_counted(total, 'byte')} NOT restored: {'; '.join(shown[:8])}{more}")
        return "; ".join(parts)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class JournalInfo(NamedTuple):
    """What a journal says of itself and of the target that it belongs to.

    created is seconds since 1970; started tells one process from a later one of the same pid, in
    the system's own terms; program, base and size are the target's main module, where known. state
    is "open" (the transaction did not end: it was killed, or goes on), "committed" or "undone".
    writes counts the recorded pieces and bytes their bytes in the target. torn: the last record was
    cut off while it was made, and its write never begun.
    """

    path: str
    version: int
    created: float
    pid: int | None
    target: str
    engine: str
    pointer_size: int
    started: str
    program: str
    base: int | None
    size: int | None
    durable: bool
    state: str
    writes: int
    bytes: int
    torn: bool
