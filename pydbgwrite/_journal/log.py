"""A journal as a sequence of recorded writes: appended to by a transaction, read back by an undo.

The file behind it is any unbuffered binary file: a journal on disk, or the memory of a transaction
that keeps none.
"""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Callable
from typing import Any, Final

from pydbgwrite._journal import format as form
from pydbgwrite._reports import Change
from pydbgwrite.errors import JournalError

__all__ = ["JournalLog"]

_U64: Final = 8


class JournalLog:
    """The records of one transaction, in the order in which they were made."""

    def __init__(
        self, file: form.BinaryFile, name: str, flush: Callable[[], object] | None = None
    ) -> None:
        """flush makes what was written outlast the machine; None where that is not asked for."""
        self.file = file
        self.name = name
        self.header: dict[str, Any] = {}
        self.torn = False
        #: Of the marks: COMMITTED, or UNDONE and nothing recorded after it.
        self.committed = self.undone = False
        #: An undo was begun and not finished: it too may have been cut short in any write.
        self.undoing = False
        #: The first record that a finished undo has not undone already.
        self.first = 0
        self.bytes = 0
        self._flush = flush
        self._offsets = array("Q")
        self._cut: set[int] = set()
        self._settled: set[int] = set()
        # Where the next record goes, its number, and the chain before it: one value, so that a
        # Ctrl-C can't come between them.
        self._at = (0, 0, 0)
        # Whether something may lie behind _end, that an append which failed has left.
        self._litter = False
        self._broken = ""

    @property
    def state(self) -> str:
        """As JournalInfo.state."""
        return "undone" if self.undone else "committed" if self.committed else "open"

    def __len__(self) -> int:
        return len(self._offsets)

    def flush_by(self, flush: Callable[[], object]) -> None:
        """Have what is appended from now on outlast the machine."""
        self._flush = flush

    def begin(self, header: dict[str, Any]) -> None:
        """Write the beginning of a new journal."""
        start = form.file_head()
        form.write_all(self.file, start)
        self._at = (len(start), 0, form.read_file_head(self.file, self.name))
        self.header = header
        text = json.dumps(header, sort_keys=True).encode()
        self._append(form.HEADER, 0, [text], "its header")

    def scan(self) -> None:
        """Read the whole of a journal, checking all of it. JournalError where it is not right."""
        chain = form.read_file_head(self.file, self.name)
        offset, number = form.FILE_HEAD_SIZE, 0
        size = self.file.seek(0, os.SEEK_END)
        while offset < size:
            frame = form.next_frame(self.file, offset, size, number, chain, self.name)
            if frame is None:
                self.torn = self._litter = True
                break
            self._take(frame, offset, number)
            offset, number, chain = frame.end, number + 1, frame.chain
        self._at = (offset, number, chain)
        if not number:
            raise JournalError(
                f"the journal {self.name} ends within its header, after {size:,} bytes: its "
                "transaction had not begun, and there is nothing to undo"
            )

    def _take(self, frame: form.Frame, offset: int, number: int) -> None:
        """Note a record that was read."""
        if (frame.kind == form.HEADER) != (number == 0):
            raise self._nonsense(frame, "a header belongs at the beginning, and there alone")
        if frame.kind == form.HEADER:
            self.header = self._parse_header(frame)
        elif frame.kind in (form.WRITE, form.SCATTERED):
            size = self._size_of(frame)
            self._offsets.append(offset)
            self.bytes += size
            self.undone = False
        elif frame.kind == form.SETTLED:
            index = int.from_bytes(self._payload(frame.payload, frame.length), "little")
            if frame.length != _U64 or index >= len(self):
                raise self._nonsense(frame, "it stands for a record that is not there")
            self._settled.add(index)
        else:
            self._mark(frame.kind)

    def _mark(self, kind: int) -> None:
        if kind == form.CUT_SHORT:
            self._cut.add(len(self) - 1)
        elif kind == form.COMMITTED:
            self.committed = True
        elif kind == form.UNDOING:
            self.undoing = True
        else:
            self.undone, self.undoing, self.first = True, False, len(self)
            self._settled.clear()

    def _parse_header(self, frame: form.Frame) -> dict[str, Any]:
        try:
            header = json.loads(self._payload(frame.payload, frame.length))
        except ValueError:
            header = None
        if not isinstance(header, dict):
            raise self._nonsense(frame, "its header can't be read")
        return header

    def _size_of(self, frame: form.Frame) -> int:
        """The bytes of the target that a recorded write covers."""
        if frame.unit in (1, 4, 8) and frame.length >= _U64:
            if frame.kind == form.WRITE:
                size, rest = divmod(frame.length - _U64, 2)
                if not rest and not size % frame.unit:
                    return size
            else:
                count = int.from_bytes(self._payload(frame.payload, _U64), "little")
                if frame.length == _U64 + count * (_U64 + 2 * frame.unit):
                    return count * frame.unit
        raise self._nonsense(frame, "its lengths do not agree")

    def _nonsense(self, frame: form.Frame, what: str) -> JournalError:
        return form.damaged(self.name, frame.payload, what)

    def add(self, where: int | bytes, old: bytes, new: bytes, unit: int) -> None:
        """Record a write that is about to be made; it must not be made when this raises."""
        if isinstance(where, int):
            parts = [where.to_bytes(_U64, "little"), old, new]
            kind, place = form.WRITE, f"at 0x{where:x}"
        else:
            count = len(where) // _U64
            parts = [count.to_bytes(_U64, "little"), where, old, new]
            kind, place = form.SCATTERED, f"at {count:,} addresses"
        offset = self._at[0]
        what = f"the record of {len(new):,} bytes {place}, so they were not written"
        self._append(kind, unit, parts, what)
        self._offsets.append(offset)
        self.bytes += len(new)
        self.undone = False

    def cut_short(self) -> None:
        """Note that the last recorded write was begun and may not have been finished."""
        if not len(self):
            return
        self._cut.add(len(self) - 1)
        try:
            self._append(form.CUT_SHORT, 0, [], "the mark of a write that was cut short")
        except JournalError:
            # The last record is always taken as cut short. So no other may follow.
            self._broken = "a mark that belongs in front of this record could not be written"
            raise

    def mark(self, kind: int) -> None:
        """Append COMMITTED, UNDOING or UNDONE."""
        self._append(kind, 0, [], "the mark of its end")
        self._mark(kind)

    def settle(self, index: int) -> None:
        """Note that an undo has come past this record: whatever its place holds now is not its."""
        self._append(form.SETTLED, 0, [index.to_bytes(_U64, "little")], "the mark of an undo")
        self._settled.add(index)

    def is_settled(self, index: int) -> bool:
        """Has an undo come past this record?"""
        return self.undone or index in self._settled

    def _append(self, kind: int, unit: int, parts: list[bytes], what: str) -> None:
        if self._broken:
            raise JournalError(f"{what} can't be added to {self.name}: {self._broken}")
        offset, number, chain = self._at
        record, chain = form.encode(kind, unit, number, chain, parts)
        try:
            if self._litter:
                self.file.truncate(offset)
            self._litter = True
            self.file.seek(offset)
            form.write_all(self.file, record)
        except OSError as error:
            raise JournalError(f"{self.name} can't take {what}: {error}") from error
        if self._flush is not None:
            try:
                self._flush()
            except OSError as error:
                # What a disk has once failed to keep it may later claim to have kept.
                self._broken = f"the disk failed before ({error})"
                raise JournalError(
                    f"{self.name} could not be brought to the disk with {what}: {error}"
                ) from error
        self._at = (offset + len(record), number + 1, chain)
        self._litter = False

    def close(self) -> None:
        """Let the file go, and with it the lock of a journal."""
        self.file.close()

    def __del__(self) -> None:
        self.file.close()

    def is_cut(self, index: int) -> bool:
        """May the target hold a mixture of old and new bytes of this record?"""
        last = index == len(self) - 1 and not self.committed
        return last or index in self._cut

    def load(self, index: int) -> Change:
        """A recorded write."""
        offset = self._offsets[index]
        kind, unit, length = self._head_at(offset)
        payload = self._payload(offset + form.HEAD_SIZE, length)
        first = int.from_bytes(payload[:_U64], "little")
        if kind == form.WRITE:
            middle = _U64 + (length - _U64) // 2
            return Change(first, payload[_U64:middle], payload[middle:], unit)
        old_at = _U64 + first * _U64
        new_at = old_at + first * unit
        addresses = array("Q", payload[_U64:old_at])
        return Change(
            min(addresses, default=0), payload[old_at:new_at], payload[new_at:], unit, addresses
        )

    def unit(self, index: int) -> int:
        """The bytes of an element of a recorded write."""
        return self._head_at(self._offsets[index])[1]

    def _head_at(self, offset: int) -> tuple[int, int, int]:
        kind, unit, _, length = form.HEAD.unpack(self._payload(offset, form.HEAD.size))
        return kind, unit, length

    def _payload(self, offset: int, size: int) -> bytes:
        data = form.read_at(self.file, offset, size)
        if len(data) < size:
            raise JournalError(f"{self.name} became shorter while it was read")
        return data
