"""The results of comparisons, transactions, journals and undo."""

from __future__ import annotations

from array import array
from typing import NamedTuple

from pydbgwrite._reprs import record_repr

__all__ = ["Change", "Conflict", "JournalInfo", "Mismatch", "UndoReport"]


class Mismatch(NamedTuple):
    """A place where the target holds something else: its address, and both values.

    For pointers of a 32-bit target both are the low 32 bits; for bytes each is one byte.
    """

    address: int
    wanted: int
    found: int

    def __repr__(self) -> str:
        return record_repr(self, self._fields)


Mismatch.__module__ = "pydbgwrite"


class Change(NamedTuple):
    """A recorded write, or a piece of one: long writes are recorded a piece at a time.

    Attributes:
        address: The address in the target; for scattered elements the lowest one.
        old, new: The bytes before and after, in the target's form (little-endian), by element.
        unit: Bytes of an element: 8 or 4 for pointers, 1 for bytes.
        addresses: The addresses of scattered elements, in the order given; else None.
    """

    address: int
    old: bytes
    new: bytes
    unit: int
    addresses: array[int] | None = None

    def __repr__(self) -> str:
        return record_repr(self, ("address", "addresses"))

    def _repr_html_(self) -> str:
        from itertools import count

        from pydbgwrite._report.notebook import table_html
        from pydbgwrite._report.text import elements

        # A row for each pointer, or for each 16 bytes.
        step = self.unit if self.unit > 1 else 16
        places = count(self.address, step) if self.addresses is None else self.addresses
        starts = range(0, len(self.new), step)
        rows = (
            (address, elements(self.old[at : at + step], self.unit, 16), new)
            for address, at in zip(places, starts, strict=False)
            for new in [elements(self.new[at : at + step], self.unit, 16)]
        )
        return table_html(("address", "old", "new"), rows, len(starts))


Change.__module__ = "pydbgwrite"


class Conflict(NamedTuple):
    """A location that holds neither what was written nor what was there before.

    Someone else has changed it: the target, which was running, or another debugger. After an undo
    that restored it, what was written counts as such a change too: found then equals written.

    Attributes:
        address: Where it is in the target.
        old, written, found: Bytes of equal length in the target's form: a pointer, or up to 8
            adjacent bytes.
    """

    address: int
    old: bytes
    written: bytes
    found: bytes

    def __repr__(self) -> str:
        return record_repr(self, ("address",))


Conflict.__module__ = "pydbgwrite"


class UndoReport(NamedTuple):
    """What an undo did, and what remains.

    Attributes:
        restored: Bytes that were restored. Where several writes overlap, each counts.
        unchanged: Bytes that held the old value already.
        conflicts: The first 100 conflicts, by address. They are not changed, unless force=True
            restored them too.
        conflict_total: How many conflicts there are.
        remaining: (address, size, why) of each range that can't be restored, by address.
        forced: True if conflicts were restored too.
        torn: True if the journal's last record is incomplete. Its write had not begun.
        undone_before: True if an earlier undo finished. A conflict then was written after that
            undo, and may equal what the transaction wrote.
    """

    restored: int = 0
    unchanged: int = 0
    conflicts: tuple[Conflict, ...] = ()
    conflict_total: int = 0
    remaining: tuple[tuple[int, int, str], ...] = ()
    forced: bool = False
    torn: bool = False
    undone_before: bool = False

    @property
    def complete(self) -> bool:
        """True if the target holds all the bytes that it held before the recorded writes."""
        return not self.remaining and (self.forced or not self.conflict_total)

    def __repr__(self) -> str:
        return record_repr(self)

    def _repr_html_(self) -> str:
        from pydbgwrite._report.notebook import table_html
        from pydbgwrite._report.text import elements

        parts = [table_html((), (), 0, caption=str(self))]
        if self.conflicts:
            conflicts = (
                (each.address, *(elements(held, len(held), 1) for held in each[1:]))
                for each in self.conflicts
            )
            head = ("conflict at", "old", "written", "found")
            parts.append(table_html(head, conflicts, self.conflict_total))
        if self.remaining:
            parts.append(
                table_html(("not restored at", "bytes", "why"), self.remaining, len(self.remaining))
            )
        return "".join(parts)

    def __str__(self) -> str:
        parts = [f"{_counted(self.restored, 'byte')} restored, {self.unchanged:,} already original"]
        if self.conflict_total:
            fate = "restored too" if self.forced else "not changed"
            if self.undone_before:
                why = "this journal was undone before, and the memory has been written to since"
            elif any(each.found == each.written for each in self.conflicts):
                why = "another value is there, or the written one again after an undo restored it"
            else:
                why = "neither the old nor the written value is there"
            parts.append(
                f"{_counted(self.conflict_total, 'conflict')} ({fate}; the first at "
                f"0x{self.conflicts[0].address:x}): {why}"
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


UndoReport.__module__ = "pydbgwrite"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class JournalInfo(NamedTuple):
    """The description of a journal and its target.

    Attributes:
        path: The journal's file.
        version: The version of its format.
        created: Seconds since 1970.
        pid: The target's process id; None if it is no process.
        target: What the target is, as Session.target says.
        engine: The engine's name.
        pointer_size: Bytes of a pointer in the target.
        started: Tells the process from a later one of the same pid, in the system's own terms.
        program, base, size: The target's main module, if it is known.
        durable: True if each record is synced to the disk before its write.
        state: "open" (the transaction has not ended, or was killed), "committed" or "undone".
        writes: The number of recorded pieces.
        bytes: Their bytes in the target.
        torn: True if the last record is incomplete. Its write had not begun.
        command: The command line that wrote; "" if it was not the pydbgwrite command.
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
    command: str

    def __repr__(self) -> str:
        return record_repr(self, ("base",))


JournalInfo.__module__ = "pydbgwrite"
