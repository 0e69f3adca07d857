"""Undo recorded writes, the last one first, for a transaction or from a journal."""

from __future__ import annotations

import operator
from array import array
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from pydbgwrite._journal.format import UNDOING, UNDONE
from pydbgwrite._reports import Change, Conflict, UndoReport
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._transactions.compare import Overlaps, Verdict, classify, elements_of
from pydbgwrite._transactions.ranges import RangeMap, merged
from pydbgwrite.errors import DebugEngineError, JournalError, NoTargetError

if TYPE_CHECKING:
    from pydbgwrite._journal.log import JournalLog
    from pydbgwrite._target import Target, _Progress

__all__ = ["undo_log"]

_PAGE: Final = 4096
_LISTED: Final = 100
_SHOWN_BYTES: Final = 64
_KEPT_RECORDS: Final = 8
_MANY: Final = 64  # runs


def undo_log(
    session: Target, log: JournalLog, *, force: bool = False, progress: _Progress | None = None
) -> UndoReport:
    """Restore the old bytes of each record, the last record first, and mark the journal.

    Records that an earlier undo finished are compared but not changed, unless force is true. The
    function raises nothing of its own: the report says what could not be restored. An exception
    from outside (Ctrl-C, or from progress) propagates, with the report as `undo_report` and in a
    note.
    """
    done_before = log.undone
    work = _Undo(session, log, force)
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

    def __init__(self, session: Target, log: JournalLog, force: bool) -> None:
        self._session = session
        self._log = log
        self._force = force
        # True if an earlier undo finished the current record. Then nothing there is ours, even if
        # it equals our bytes: it can be an earlier record's old bytes.
        self._settled = False
        self._marks = not log.undone
        self._undone_before = log.undone
        self._begun_before = log.undoing
        self._next = len(log) - 1
        self._last = 0 if log.undone else log.first
        self._restored = self._unchanged = 0
        self._conflicting = RangeMap()
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
            self._conflicting.cut(address, address + size)
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
        total = 0
        units: dict[int, int] = {}
        images = _Images(self._log)
        conflicting = self._conflicting
        # Where an earlier record explains a part of a pointer, the rest can hold the old bytes. Go
        # record by record, since reading a record is slow.
        parts = sorted(
            (each for each in conflicting if not each.whole), key=operator.attrgetter("record")
        )
        as_it_was = {
            each.start
            for each in parts
            if conflicting.found(each)
            == images.at(each.record, each.start, each.end - each.start)[0]
        }
        for each in conflicting:
            start, size, record = each.start, each.end - each.start, each.record
            if start in as_it_was:
                continue
            unit = units.get(record)
            if unit is None:
                unit = units[record] = self._log.unit(record)
            step = unit if unit > 1 and not size % unit else _SHOWN_BYTES
            total += -(-size // step)
            if len(listed) >= _LISTED:
                continue
            shown = each._replace(end=start + min(size, step * _LISTED))
            found = conflicting.found(shown)
            for at in range(0, len(found), step):
                here = found[at : at + step]
                listed.append(Conflict(start + at, *images.at(record, start + at, len(here)), here))
        return tuple(listed[:_LISTED]), total

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
        for at, found in self._read(address, len(old), unit):
            part = slice(at, at + len(found))
            before, ours = (old, new) if len(found) == len(old) else (old[part], new[part])
            verdict = classify(found, before, ours, unit, mixed)
            self._settle(address + at, found, before, ours, verdict, index)

    def _settle(
        self, address: int, found: bytes, old: bytes, new: bytes, verdict: Verdict, index: int
    ) -> None:
        """Restore what is ours. Note the conflicts, in place of those of later records."""
        self._reconsider(address, old, new)
        self._unchanged += verdict.unchanged
        ours, conflicting = verdict.ours, verdict.conflicting
        if self._settled:  # undone before: whatever was written since is not ours
            ours, conflicting = [], sorted(ours + conflicting)
        self._note([(address + start, found[start:end], True) for start, end in conflicting], index)
        self._write_runs(address, old, sorted(ours + conflicting) if self._force else ours, index)

    def _write_runs(
        self, address: int, old: bytes, runs: list[tuple[int, int]], index: int
    ) -> None:
        """Restore runs; many of them as one scattered write."""
        unit = self._log.unit(index) if len(runs) > _MANY else 1
        if unit != self._session.pointer_size:
            for start, end in runs:
                self._write(address + start, old[start:end])
            return
        values = elements_of(old, unit)
        where, what = array("Q"), array("Q")
        for start, end in runs:
            where.extend(range(address + start, address + end, unit))
            what.extend(values[start // unit : end // unit])
        self._write_pointers(where, what, unit)

    def _reconsider(self, address: int, old: bytes, new: bytes) -> None:
        """Drop conflicts in this range: an earlier record overrides a later one."""
        if not self._conflicting:
            return
        end = address + len(old)
        if not self._force:
            self._conflicting.cut(address, end)
            return
        # Restored by force: the target no longer holds what was found.
        for start, found in self._conflicting.within(address, end):
            at = start - address
            if found in (old[at : at + len(found)], new[at : at + len(found)]):
                self._conflicting.cut(start, start + len(found))

    def _note(self, found: list[tuple[int, bytes, bool]], index: int) -> None:
        """Note conflicts, by address."""
        if self._force:  # the first finding counts
            found = [
                each
                for each in found
                if not self._conflicting.touches(each[0], each[0] + len(each[1]))
            ]
        self._conflicting.put_all(found, index)

    # Undo of scattered elements.

    def _undo_scattered(self, change: Change, index: int, mixed: bool) -> None:
        addresses, unit = change.addresses, change.unit
        assert addresses is not None
        if not addresses:
            return
        overlaps = Overlaps(change)
        left = overlaps.left
        found = self._read_elements(addresses, unit)
        if found is None:
            for i, address in enumerate(addresses):
                part = slice(unit * i, unit * i + unit)
                self._undo_stretch(address, change.old[part], left[part], unit, index, mixed)
            return
        if self._conflicting and self._force:
            for i, address in enumerate(addresses):
                part = slice(unit * i, unit * i + unit)
                self._reconsider(address, change.old[part], left[part])
        elif self._conflicting:
            self._conflicting.cut_all([(each, each + unit) for each in sorted(addresses)])
        verdict = classify(found, change.old, left, unit, mixed)
        self._unchanged += verdict.unchanged
        ours, conflicting = list(verdict.ours), []
        for start, end in verdict.conflicting:
            for at in range(start, end, unit):
                one = found[at : at + unit]
                if mixed and overlaps.explain(at // unit, one):
                    ours.append((at, at + unit))
                else:
                    conflicting.append((at, at + unit))
        if self._settled:
            ours, conflicting = [], sorted(ours + conflicting)
        self._note(
            _apart(
                (addresses[at // unit], found[at : at + unit])
                for start, end in conflicting
                for at in range(start, end, unit)
            ),
            index,
        )
        self._write_elements(change, sorted(ours + conflicting) if self._force else ours)

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

    def _write_elements(self, change: Change, runs: list[tuple[int, int]]) -> None:
        if not runs:
            return
        addresses, unit = change.addresses, change.unit
        assert addresses is not None
        values = elements_of(change.old, unit)
        where, what = array("Q"), array("Q")
        for start, end in runs:
            where += addresses[start // unit : end // unit]
            what.extend(values[start // unit : end // unit])
        self._write_pointers(where, what, unit)

    def _write_pointers(self, where: array[int], what: array[int], unit: int) -> None:
        try:
            # Element by element, not as a span: the target can change the bytes between them.
            self._session.write_scattered(where, what, spans=False)
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


def _apart(found: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes, bool]]:
    """Sort elements by address and trim overlaps. Also return whether all stay whole."""
    apart: list[tuple[int, bytes, bool]] = []
    end = 0
    for start, here in sorted(found):
        known = max(end - start, 0)
        if known < len(here):
            apart.append((start + known, here[known:], known == 0))
            end = start + len(here)
    return apart


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
