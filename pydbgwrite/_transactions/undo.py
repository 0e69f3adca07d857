"""Undo recorded writes, the last one first, for a transaction or from a journal."""

from __future__ import annotations

import operator
from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pydbgwrite._journal.format import UNDOING, UNDONE
from pydbgwrite._reports import Change, Conflict, UndoReport
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._transactions.compare import (
    CONFLICTING,
    OLD,
    WRITTEN,
    Classified,
    Overlaps,
    elements_of,
)
from pydbgwrite._transactions.ranges import Conflicts, merged
from pydbgwrite.errors import DebugEngineError, JournalError, NoTargetError

if TYPE_CHECKING:
    from pydbgwrite._journal.log import JournalLog
    from pydbgwrite._target import Target, _Progress

__all__ = ["undo_log"]

_PAGE: Final = 4096
_LISTED: Final = 100
_SHOWN_BYTES: Final = 8
_KEPT_RECORDS: Final = 8
_MANY: Final = 64  # runs


def undo_log(
    session: Target,
    log: JournalLog,
    *,
    spans: bool = False,
    force: bool = False,
    progress: _Progress | None = None,
) -> UndoReport:
    """Restore the old bytes of each record, the last record first, and mark the journal.

    Records that an earlier undo finished are compared but not changed, unless force is true. The
    function raises nothing of its own: the report says what could not be restored. An exception
    from outside (Ctrl-C, or from progress) propagates, with the report as `undo_report` and in a
    note. spans: as for write_scattered(), for scattered records.
    """
    done_before = log.undone
    work = _Undo(session, log, spans, force)
    try:
        if not done_before:
            # From here on, restoring a record can be cut short too. If the mark can't be written
            # (full disk, another user's file), the undo goes on all the same.
            try:
                log.mark(UNDOING)
            except not_from_handler(JournalError, OSError):
                pass
        work.run(progress)
    except BaseException as error:
        work.give_up("the undo was interrupted")
        report = work.report()
        error.undo_report = report  # type: ignore[attr-defined]
        error.add_note(f"The undo was interrupted: {report}. It can be run again")
        raise
    report = work.report()
    if report.complete and not done_before:
        try:
            log.mark(UNDONE)
        except not_from_handler(JournalError, OSError):
            pass
    return report


class _Undo:
    """One run of an undo over a journal's records."""

    def __init__(self, session: Target, log: JournalLog, spans: bool, force: bool) -> None:
        self._session = session
        self._log = log
        self._spans = spans
        self._force = force
        self._kinds = WRITTEN | CONFLICTING if force else WRITTEN  # the elements to restore
        # True if an earlier undo finished the current record. Then nothing there counts as written,
        # even if it equals those bytes: it can be an earlier record's old bytes.
        self._settled = False
        self._marks = not log.undone
        self._undone_before = log.undone
        self._begun_before = log.undoing
        self._next = len(log) - 1
        self._last = 0 if log.undone else log.first
        self._restored = self._unchanged = 0
        self._conflicting = Conflicts()
        self._remaining: list[tuple[int, int, str]] = []

    def run(self, progress: _Progress | None) -> None:
        """Undo all records. Stop early if the target has ended."""
        total = self._next + 1 - self._last
        while self._next >= self._last:
            try:
                self._undo_next()
            except not_from_handler(NoTargetError) as error:
                self.give_up(f"the target has gone: {error}")
                return
            self._next -= 1
            if progress is not None:
                progress(total - (self._next + 1 - self._last), total)

    def _undo_next(self) -> None:
        index, failed = self._next, len(self._remaining)
        self._settled = self._log.is_settled(index)
        self._undo(index)
        if self._marks and not self._settled and len(self._remaining) == failed:
            try:
                self._log.settle(index)
            except not_from_handler(JournalError, OSError):
                self._marks = False  # full disk, or another user's file

    def give_up(self, why: str) -> None:
        """Report all records that were not reached as remaining."""
        for index in range(self._next, self._last - 1, -1):
            change = self._log.load(index)
            if change.addresses is None:
                self._remaining.append((change.address, len(change.old), why))
            else:
                self._remaining += [(each, change.unit, why) for each in change.addresses]
            if len(self._remaining) > 100_000:
                self._remaining = merged(self._remaining)
        self._next = self._last - 1

    def report(self) -> UndoReport:
        """Return the report of what was done so far."""
        remaining = merged(self._remaining)
        for address, size, _ in remaining:
            self._conflicting.cut(address, size)
        conflicts, total = self._conflicts()
        return UndoReport(
            restored=self._restored,
            unchanged=self._unchanged,
            conflicts=conflicts,
            conflict_total=total,
            remaining=tuple(remaining),
            forced=self._force,
            torn=self._log.torn,
            undone_before=self._undone_before,
        )

    def _conflicts(self) -> tuple[tuple[Conflict, ...], int]:
        listed: list[Conflict] = []
        images = _Images(self._log)
        conflicting = self._conflicting
        # Where an earlier record explains a part of a pointer, the rest can hold the old bytes. Go
        # record by record, since reading a record is slow.
        for each in sorted(conflicting.parts(), key=operator.attrgetter("record")):
            if conflicting.found(each) == images.at(each.record, each.start, each.size)[0]:
                conflicting.cut(each.start, each.size)
        for each in conflicting.first(_LISTED):
            step = each.unit if each.unit > 1 and not each.size % each.unit else _SHOWN_BYTES
            found = conflicting.found(each, step * _LISTED)
            for at in range(0, len(found), step):
                start, here = each.start + at, found[at : at + step]
                listed.append(Conflict(start, *images.at(each.record, start, len(here)), here))
            if len(listed) >= _LISTED:
                break
        return tuple(listed[:_LISTED]), conflicting.pieces(_SHOWN_BYTES)

    # Undo of one record.

    def _undo(self, index: int) -> None:
        change = self._log.load(index)
        mixed = self._begun_before or self._log.is_cut(index)
        if change.addresses is None:
            self._undo_stretch(change.address, change.old, change.new, change.unit, index, mixed)
            return
        self._undo_scattered(change, index, mixed)

    def _undo_stretch(
        self, address: int, old: bytes, new: bytes, unit: int, index: int, mixed: bool
    ) -> None:
        if not self._settled and old != new:
            landed = self._restore_whole(address, old, new)
            mixed = mixed or landed % unit != 0
            landed -= landed % unit
            self._restored += landed
            if landed:
                self._reconsider(address, old[:landed], new[:landed])
                address, old, new = address + landed, old[landed:], new[landed:]
            if not old:
                return
        for at, found in self._read(address, len(old), unit):
            part = slice(at, at + len(found))
            before, written = (old, new) if len(found) == len(old) else (old[part], new[part])
            classified = Classified(found, before, written, unit, mixed)
            self._reconsider(address + at, before, written)
            self._count(classified)
            self._conflicting.put_runs(
                address + at,
                classified.runs(CONFLICTING),
                classified.pick(CONFLICTING, found, unit),
                unit,
                index,
            )
            self._write_runs(address + at, before, classified, unit)

    def _restore_whole(self, address: int, old: bytes, new: bytes) -> int:
        """Restore a stretch if all of it holds the written bytes: the usual case, in one call.

        Returns:
            The number of leading bytes that hold the old ones now.
        """
        try:
            self._session.write(address, old, expect=new)
        except NoTargetError:
            raise
        except not_from_handler(DebugEngineError) as error:
            return min(error.written or 0, len(old))
        return len(old)

    def _count(self, classified: Classified) -> None:
        """Count what is unchanged. If the record was undone before, nothing counts as written."""
        self._unchanged += classified.size(OLD)
        if self._settled:
            classified.settle()

    def _write_runs(self, address: int, old: bytes, classified: Classified, unit: int) -> None:
        """Restore runs; many of them as one scattered write."""
        runs = classified.runs(self._kinds)
        if len(runs) > _MANY and unit == self._session.pointer_size:
            self._write_pointers(
                classified.places(self._kinds, address),
                classified.pick(self._kinds, old, unit),
                unit,
                False,
            )
            return
        for start, end in runs:
            whole = start == 0 and end == len(old)
            self._write(address + start, old if whole else old[start:end])

    def _reconsider(self, address: int, old: bytes, new: bytes) -> None:
        """Drop conflicts in this range: an earlier record overrides a later one."""
        if not self._conflicting:
            return
        if not self._force:
            self._conflicting.cut(address, len(old))
            return
        # Restored by force: the target no longer holds what was found.
        for start, found in self._conflicting.within(address, len(old)):
            part = slice(start - address, start - address + len(found))
            if found in (old[part], new[part]):
                self._conflicting.cut(start, len(found))

    def _reconsider_elements(self, change: Change, left: bytes) -> None:
        """The same for scattered elements, which leave these bytes."""
        addresses, unit = change.addresses, change.unit
        if not self._conflicting or addresses is None:
            return
        if not self._force:
            self._conflicting.cut_elements(addresses, unit)
            return
        for element, start, found in self._conflicting.within_elements(addresses, unit):
            at = unit * element + start - addresses[element]
            part = slice(at, at + len(found))
            if found in (change.old[part], left[part]):
                self._conflicting.cut(start, len(found))

    # Undo of scattered elements.

    def _undo_scattered(self, change: Change, index: int, mixed: bool) -> None:
        addresses, unit = change.addresses, change.unit
        assert addresses is not None
        if not addresses:
            return
        found = self._read_elements(addresses, unit)
        if found is None:
            left = Overlaps(change).left
            for i, address in enumerate(addresses):
                part = slice(unit * i, unit * i + unit)
                self._undo_stretch(address, change.old[part], left[part], unit, index, mixed)
            return
        classified = Classified(found, change.old, change.new, unit, mixed)
        overlaps = None if classified.whole else Overlaps(change)
        if overlaps is not None and overlaps.any:
            classified = overlaps.classify(found, mixed)
        self._reconsider_elements(change, change.new if overlaps is None else overlaps.left)
        self._count(classified)
        self._conflicting.put_elements(
            classified.pick(CONFLICTING, addresses, 8),
            classified.pick(CONFLICTING, found, unit),
            unit,
            index,
        )
        if classified.size(self._kinds):
            self._write_pointers(
                classified.pick(self._kinds, addresses, 8).cast("Q"),
                classified.pick(self._kinds, change.old, unit),
                unit,
                self._spans,
            )

    def _read_elements(self, addresses: array[int], unit: int) -> bytes | None:
        """Read all elements, one after the other; None if one call can't read them."""
        if unit != self._session.pointer_size:
            return None
        try:
            values = self._session.read_scattered(addresses)
        except NoTargetError:
            raise
        except not_from_handler(DebugEngineError):
            return None
        return array("I", values).tobytes() if unit == 4 else values.tobytes()

    def _write_pointers(
        self, where: memoryview[int], old: memoryview[int], unit: int, spans: bool
    ) -> None:
        """Restore pointers, given by their addresses and old bytes."""
        what = elements_of(old, unit)
        try:
            self._session.write_scattered(
                where, what if unit == 8 else array("Q", what), spans=spans
            )
        except NoTargetError:
            raise
        except not_from_handler(DebugEngineError):
            for address, value in zip(where, what, strict=True):
                self._write(address, value.to_bytes(unit, "little"))
        else:
            self._restored += unit * len(where)

    # Access to the target that skips what can't be accessed.

    def _read(self, address: int, size: int, unit: int) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, bytes) of readable whole elements. Report the rest as remaining."""
        try:
            whole = self._session.read(address, size)
        except NoTargetError:
            raise
        except not_from_handler(DebugEngineError) as error:
            yield from self._read_by_page(address, size, unit, str(error))
        else:
            yield 0, whole

    def _read_by_page(
        self, address: int, size: int, unit: int, why: str
    ) -> Iterator[tuple[int, bytes]]:
        parts: list[tuple[int, bytes]] = []  # stretches
        for start, end in _pages(address, size):
            try:
                data = self._session.read(address + start, end - start)
            except NoTargetError:
                raise
            except not_from_handler(DebugEngineError) as error:
                why = str(error)
                continue
            if parts and parts[-1][0] + len(parts[-1][1]) == start:
                parts[-1] = (parts[-1][0], parts[-1][1] + data)
            else:
                parts.append((start, data))
        known = 0
        for start, data in parts:
            first = -(-start // unit) * unit
            end = (start + len(data)) // unit * unit
            if first >= end:
                continue
            if first > known:
                self._remaining.append((address + known, first - known, why))
            known = end
            yield first, data[first - start : end - start]
        if known < size:
            self._remaining.append((address + known, size - known, why))

    def _write(self, address: int, data: bytes) -> None:
        """Restore bytes. Skip pages that can't be written and report them as remaining."""
        at = 0
        while at < len(data):
            try:
                self._session.write(address + at, data[at:] if at else data)
            except NoTargetError:
                raise
            except not_from_handler(DebugEngineError) as error:
                landed = min(error.written or 0, len(data) - at)
                self._restored += landed
                at += landed
                rest = min(len(data) - at, _PAGE - (address + at) % _PAGE)
                self._remaining.append((address + at, rest, str(error)))
                at += rest
            else:
                self._restored += len(data) - at
                at = len(data)


def _pages(address: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the offsets of a range's parts, one for each page."""
    start = 0
    while start < size:
        end = min(size, start + _PAGE - (address + start) % _PAGE)
        yield start, end
        start = end


class _Images:
    """The old and written bytes of records, by address. The last few records are cached."""

    def __init__(self, log: JournalLog) -> None:
        self._log = log
        self._kept: dict[int, Change | Overlaps] = {}

    def at(self, record: int, start: int, size: int) -> tuple[bytes, bytes]:
        """Return the old and written bytes of a range within that record."""
        if record not in self._kept:
            if len(self._kept) >= _KEPT_RECORDS:
                self._kept.clear()
            change = self._log.load(record)
            self._kept[record] = change if change.addresses is None else Overlaps(change)
        said = self._kept[record]
        if isinstance(said, Overlaps):
            return said.at(start, size)
        first = start - said.address
        return said.old[first : first + size], said.new[first : first + size]
