"""Undoing recorded writes, the last one first: by a transaction, or from a journal."""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from pydbgwrite._changes import Change, Conflict, UndoReport
from pydbgwrite._journal_format import UNDOING, UNDONE
from pydbgwrite._ranges import RangeMap, merged
from pydbgwrite._undo_judge import Verdict, clusters_of, elements_of, judge
from pydbgwrite.errors import DebugEngineError, JournalError, NoTargetError

if TYPE_CHECKING:
    from pydbgwrite._journal_log import JournalLog
    from pydbgwrite._session import Session

__all__ = ["undo_log"]

_PAGE: Final = 4096
_LISTED: Final = 100
_SHOWN_BYTES: Final = 64

_Progress = Callable[[int, int], object]


def undo_log(
    session: Session, log: JournalLog, *, force: bool = False, progress: _Progress | None = None
) -> UndoReport:
    """Write back what each record replaced, the last one first; the journal is marked.

    What was undone wholly before is looked at and not touched, unless force is True. Raises nothing
    of its own: what could not be done is in the report. An exception from outside (Ctrl-C, or what
    progress raises) goes on, with the report as its attribute `report` and in a note.
    """
    done_before = log.undone
    work = _Undo(session, log, force, done_before)
    if not done_before:
        # From here on any record's write back may be cut short too. Where the mark can't be made
        # (a full disk, a file that is not ours), undoing is still what matters.
        with contextlib.suppress(JournalError, OSError):
            log.mark(UNDOING)
    try:
        work.run(progress)
    except BaseException as error:
        work.give_up("the undo was interrupted")
        report = work.report()
        error.report = report  # type: ignore[attr-defined]
        error.add_note(f"The undo was interrupted: {report}. It can be run again")
        raise
    report = work.report()
    if report.complete and not done_before:
        with contextlib.suppress(JournalError, OSError):
            log.mark(UNDONE)
    return report


class _Undo:
    """One undo of a journal's records."""

    def __init__(self, session: Session, log: JournalLog, force: bool, settled: bool) -> None:
        self._session = session
        self._log = log
        self._force = force
        self._settled = settled
        self._begun_before = log.undoing
        self._next = len(log) - 1
        self._last = 0 if settled else log.first
        self._restored = self._unchanged = 0
        self._foreign = RangeMap()
        self._remaining: list[tuple[int, int, str]] = []

    def run(self, progress: _Progress | None) -> None:
        """All of it. Ends early where the target has gone."""
        total = self._next + 1 - self._last
        while self._next >= self._last:
            try:
                self._undo(self._next)
            except NoTargetError as error:
                self.give_up(f"the target has gone: {error}")
                return
            self._next -= 1
            if progress is not None:
                progress(total - (self._next + 1 - self._last), total)

    def give_up(self, why: str) -> None:
        """Count all that was not come to yet as remaining."""
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
        """What was done so far."""
        remaining = merged(self._remaining)
        for address, size, _ in remaining:
            self._foreign.cut(address, address + size)
        conflicts, total = self._conflicts()
        return UndoReport(
            self._restored,
            self._unchanged,
            conflicts,
            total,
            tuple(remaining),
            self._force,
            self._log.torn,
        )

    def _conflicts(self) -> tuple[tuple[Conflict, ...], int]:
        listed: list[Conflict] = []
        total = 0
        change, loaded = None, -1
        for start, found, record, whole in self._foreign:
            if (len(listed) < _LISTED or not whole) and (change is None or loaded != record):
                change, loaded = self._log.load(record), record
            # Beside what an earlier record explained, the rest of a pointer may be as it was.
            if not whole and change and found == _images(change, start, len(found))[0]:
                continue
            unit = self._log.unit(record)
            step = unit if unit > 1 and not len(found) % unit else _SHOWN_BYTES
            total += -(-len(found) // step)
            if len(listed) >= _LISTED or change is None:
                continue
            for at in range(0, len(found), step):
                here = found[at : at + step]
                listed.append(Conflict(start + at, *_images(change, start + at, len(here)), here))
        return tuple(listed[:_LISTED]), total

    # One record.

    def _undo(self, index: int) -> None:
        change = self._log.load(index)
        mixed = self._begun_before or self._log.is_cut(index)
        if change.addresses is None:
            self._undo_stretch(change.address, change.old, change.new, change.unit, index, mixed)
            return
        change, clusters = clusters_of(change, mixed)
        self._undo_scattered(change, index, mixed)
        for cluster in clusters:
            for at, found in self._read(cluster.address, len(cluster.old), cluster.unit):
                if len(found) == len(cluster.old):
                    verdict = cluster.judge(found, mixed)
                    self._settle(cluster.address, found, cluster.old, cluster.new, verdict, index)
                else:
                    self._judge_part(
                        cluster.address, at, found, cluster.old, cluster.new, 1, index, mixed
                    )

    def _undo_stretch(
        self, address: int, old: bytes, new: bytes, unit: int, index: int, mixed: bool
    ) -> None:
        for at, found in self._read(address, len(old), unit):
            self._judge_part(address, at, found, old, new, unit, index, mixed)

    def _judge_part(
        self,
        address: int,
        at: int,
        found: bytes,
        old: bytes,
        new: bytes,
        unit: int,
        index: int,
        mixed: bool,
    ) -> None:
        """Undo the part of a stretch that could be read."""
        end = at + len(found)
        if len(found) < len(old):
            old, new = old[at:end], new[at:end]
        self._settle(address + at, found, old, new, judge(found, old, new, unit, mixed), index)

    def _settle(
        self, address: int, found: bytes, old: bytes, new: bytes, verdict: Verdict, index: int
    ) -> None:
        """Write back what is ours; note what is not, in place of what later records said of it."""
        self._reconsider(address, old, new)
        self._unchanged += verdict.unchanged
        ours, foreign = verdict.ours, verdict.foreign
        if self._settled:  # this was undone: whatever has come since is not ours
            ours, foreign = [], sorted(ours + foreign)
        for start, end in foreign:
            self._note(address + start, found[start:end], index)
        for start, end in sorted(ours + foreign) if self._force else ours:
            self._write(address + start, old[start:end])

    def _reconsider(self, address: int, old: bytes, new: bytes) -> None:
        """Of what a later record could not explain, this record's range is this record's to say."""
        if not self._foreign:
            return
        end = address + len(old)
        if not self._force:
            self._foreign.cut(address, end)
            return
        # The target no longer holds what was found there: it was restored by force.
        for start, found in self._foreign.within(address, end):
            at = start - address
            if found in (old[at : at + len(found)], new[at : at + len(found)]):
                self._foreign.cut(start, start + len(found))

    def _note(self, address: int, found: bytes, index: int) -> None:
        if self._force and self._foreign.within(address, address + len(found)):
            return  # what was found there first is what counts
        self._foreign.put(address, found, index)

    # Scattered elements that do not overlap.

    def _undo_scattered(self, change: Change, index: int, mixed: bool) -> None:
        addresses, unit = change.addresses, change.unit
        assert addresses is not None
        if not addresses:
            return
        found = self._read_elements(addresses, unit)
        if found is None:
            for i, address in enumerate(addresses):
                old, new = (part[unit * i : unit * i + unit] for part in (change.old, change.new))
                self._undo_stretch(address, old, new, unit, index, mixed)
            return
        if self._foreign:
            for i, address in enumerate(addresses):
                old, new = (part[unit * i : unit * i + unit] for part in (change.old, change.new))
                self._reconsider(address, old, new)
        verdict = judge(found, change.old, change.new, unit, mixed)
        self._unchanged += verdict.unchanged
        ours, foreign = verdict.ours, verdict.foreign
        if self._settled:
            ours, foreign = [], sorted(ours + foreign)
        for start, end in foreign:
            for at in range(start, end, unit):
                self._note(addresses[at // unit], found[at : at + unit], index)
        self._write_elements(change, sorted(ours + foreign) if self._force else ours)

    def _read_elements(self, addresses: array[int], unit: int) -> bytes | None:
        """All of them, one behind the other; None where that can't be had at once."""
        if unit != self._session.pointer_size:
            return None
        try:
            values = self._session.read_scattered(addresses)
        except NoTargetError:
            raise
        except DebugEngineError:
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
        try:
            # No span: bytes beside these may be others' to change.
            self._session.write_scattered(where, what, spans=False)
        except NoTargetError:
            raise
        except DebugEngineError:
            for address, value in zip(where, what, strict=True):
                self._write(address, value.to_bytes(unit, "little"))
        else:
            self._restored += unit * len(where)

    # Access to the target, past what can't be accessed.

    def _read(self, address: int, size: int, unit: int) -> Iterator[tuple[int, bytes]]:
        """(offset, bytes) of what can be read, in whole elements; the rest remains."""
        try:
            whole = self._session.read(address, size)
        except NoTargetError:
            raise
        except DebugEngineError as error:
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
            except DebugEngineError as error:
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
        """Write back, past pages that can't be written; these are noted as remaining."""
        at = 0
        while at < len(data):
            try:
                self._session.write(address + at, data[at:] if at else data)
            except NoTargetError:
                raise
            except DebugEngineError as error:
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
    """The offsets of a range's parts page by page."""
    start = 0
    while start < size:
        end = min(size, start + _PAGE - (address + start) % _PAGE)
        yield start, end
        start = end


def _images(change: Change, start: int, size: int) -> tuple[bytes, bytes]:
    """What a record says was and was written at a range within it."""
    if change.addresses is None:
        at = start - change.address
        return change.old[at : at + size], change.new[at : at + size]
    old, new = bytearray(size), bytearray(size)
    unit = change.unit
    for i, address in enumerate(change.addresses):
        if start - unit < address < start + size:
            low, high = max(address, start), min(address + unit, start + size)
            source = slice(unit * i + low - address, unit * i + high - address)
            old[low - start : high - start] = change.old[source]
            new[low - start : high - start] = change.new[source]
    return bytes(old), bytes(new)
