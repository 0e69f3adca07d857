"""A journal as a sequence of recorded writes: a transaction appends, an undo reads.

Its file is any unbuffered binary file: a journal on disk, or the spool of a transaction that has
none.
"""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from pydbgwrite._journal import format as form
from pydbgwrite._reports import Change, JournalInfo
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import JournalError

__all__ = ["JournalLog"]

_U64: Final = 8
_NOTHING: Final = "nothing was written to the target"
#: The types of a header's parts; target_identity.py says what they mean.
_PARTS: Final[dict[str, tuple[type, ...]]] = {
    **dict.fromkeys(("created",), (int, float)),
    **dict.fromkeys(("durable",), (bool,)),
    **dict.fromkeys(("pointer_size",), (int,)),
    **dict.fromkeys(("pid", "base", "size"), (int, type(None))),
    **dict.fromkeys(("target", "engine", "program"), (str,)),
    **dict.fromkeys(("id", "started", "boot", "exec", "header"), (str, type(None))),
    # Not in every journal of this version: they were added later.
    **dict.fromkeys(("command", "machine", "pid_namespace"), (str,)),
}


class _State(NamedTuple):
    """The sum of the records up to `end`. It is replaced as one value, so no signal splits it."""

    end: int = 0  # the end of the last record, and the place of the next
    number: int = 0  # the number of the next record
    chain: int = 0  # the checksum that the next record continues
    bytes: int = 0
    committed: bool = False
    undone: bool = False  # an undo has finished, and nothing was recorded since
    undoing: bool = False  # an undo has begun and has not finished
    first: int = 0


class JournalLog:
    """The records of one transaction, in the order in which they were made."""

    def __init__(
        self, file: form.BinaryFile, name: str, flush: Callable[[], object] | None = None
    ) -> None:
        """flush syncs the file to the disk; None if that is not wanted."""
        self.file = file
        self.name = name
        self.header: dict[str, Any] = {}
        self.torn = False
        self._flush = flush
        self._state = _State()
        # The index. Each entry holds the offset of its record, and is valid only if that is before
        # the state's end: an exception can come between an entry and the state.
        self._offsets = array("Q")
        self._cut: dict[int, int] = {}
        self._settled: dict[int, int] = {}
        # True if the file or the index can hold parts of an append that did not finish.
        self._litter = False
        self._owes_cut = False
        self._broken = ""

    @property
    def state(self) -> str:
        """The same as JournalInfo.state."""
        return "undone" if self.undone else "committed" if self.committed else "open"

    def info(self) -> JournalInfo:
        """Return the description of the journal and its target."""
        header = self.header
        return JournalInfo(
            path=self.name,
            version=form.VERSION,
            created=float(header.get("created", 0)),
            pid=header.get("pid"),
            target=str(header.get("target", "")),
            engine=str(header.get("engine", "")),
            pointer_size=int(header.get("pointer_size", 0)),
            started=str(header.get("started", "")),
            program=str(header.get("program", "")),
            base=header.get("base"),
            size=header.get("size"),
            durable=bool(header.get("durable")),
            state=self.state,
            writes=len(self),
            bytes=self.recorded_bytes,
            torn=self.torn,
            command=str(header.get("command", "")),
        )

    @property
    def committed(self) -> bool:
        """True if the transaction has committed."""
        return self._state.committed

    @property
    def undone(self) -> bool:
        """True if an undo has finished and nothing has been recorded since."""
        return self._state.undone

    @property
    def undoing(self) -> bool:
        """True if an undo has begun and has not finished: one of its writes can be cut short."""
        return self._state.undoing

    @property
    def first(self) -> int:
        """The first record that no finished undo has undone."""
        return self._state.first

    @property
    def recorded_bytes(self) -> int:
        """Bytes of the target that the recorded writes cover."""
        return self._state.bytes

    def __len__(self) -> int:
        count = len(self._offsets)
        return count - 1 if count and self._offsets[-1] >= self._state.end else count

    def flush_by(self, flush: Callable[[], object]) -> None:
        """Sync each record to the disk from now on."""
        self._flush = flush

    def begin(self, header: dict[str, Any]) -> None:
        """Write the file head and the header of a new journal."""
        start = form.file_head()
        try:
            form.write_all(self.file, start)
        except not_from_handler(OSError) as error:
            raise JournalError(
                f"{_NOTHING}: the journal's head can't be written to {self.name}: {error}"
            ) from error
        self._state = _State(end=len(start), chain=form.read_file_head(self.file, self.name))
        self.header = header
        text = json.dumps(header, sort_keys=True).encode()
        self._append(form.HEADER, 0, [text], f"{_NOTHING}: the journal's header")

    def scan(self, *, header_only: bool = False) -> None:
        """Read and check a whole journal, or its header. Raises JournalError for damage."""
        self._state = _State(
            end=form.FILE_HEAD_SIZE, chain=form.read_file_head(self.file, self.name)
        )
        size = self.file.seek(0, os.SEEK_END)
        while (here := self._state).end < size:
            frame = form.next_frame(self.file, here.end, size, here.number, here.chain, self.name)
            if frame is None:
                self.torn = self._litter = True
                break
            self._take(frame, here)
            if header_only:
                break
        if not self._state.number:
            raise form.not_begun(self.name, size)

    def _take(self, frame: form.Frame, here: _State) -> None:
        """Add a record that was read; it begins where `here` ends."""
        if (frame.kind == form.HEADER) != (here.number == 0):
            raise self._nonsense(frame, "a header can be only the first record")
        size = index = 0
        if frame.kind == form.HEADER:
            self.header = self._parse_header(frame)
        elif frame.kind in (form.WRITE, form.SCATTERED):
            size = self._size_of(frame)
        elif frame.kind == form.SETTLED:
            index = int.from_bytes(self._payload(frame.payload, frame.length), "little")
            if frame.length != _U64 or index >= len(self):
                raise self._nonsense(frame, "it refers to a record that does not exist")
        self._note(frame.kind, here, frame.end, frame.chain, size or index)

    def _note(self, kind: int, here: _State, end: int, chain: int, value: int = 0) -> None:
        """Add a record that is complete in the file to the index.

        value: for a write its bytes in the target; for SETTLED the index of a record.
        """
        after = here._replace(end=end, number=here.number + 1, chain=chain)
        if kind in (form.WRITE, form.SCATTERED):
            self._offsets.append(here.end)
            after = after._replace(bytes=here.bytes + value, undone=False)
        elif kind == form.SETTLED:
            self._settled[value] = here.end
        elif kind == form.CUT_SHORT:
            self._cut[len(self) - 1] = here.end
        elif kind == form.COMMITTED:
            after = after._replace(committed=True)
        elif kind == form.UNDOING:
            after = after._replace(undoing=True)
        elif kind == form.UNDONE:
            after = after._replace(undone=True, undoing=False, first=len(self))
        self._state = after

    def _forget_unfinished(self) -> None:
        """Remove the index entries of an append that did not finish."""
        end = self._state.end
        while self._offsets and self._offsets[-1] >= end:
            self._offsets.pop()
        for entries in (self._cut, self._settled):
            for index in [index for index, offset in entries.items() if offset >= end]:
                del entries[index]

    def _parse_header(self, frame: form.Frame) -> dict[str, Any]:
        try:
            header = json.loads(self._payload(frame.payload, frame.length))
        except not_from_handler(ValueError, RecursionError):
            header = None
        if not isinstance(header, dict):
            raise self._nonsense(frame, "its header can't be read")
        for key, value in header.items():
            if not _fits(key, value):
                raise self._nonsense(frame, f"its header has {value!r:.60} for {key!r:.60}")
        return header

    def _size_of(self, frame: form.Frame) -> int:
        """Return the number of target bytes that a recorded write covers."""
        if frame.unit in (1, 4, 8) and frame.length >= _U64:
            if frame.kind == form.WRITE:
                size, rest = divmod(frame.length - _U64, 2)
                if not rest and not size % frame.unit:
                    self._check_end(frame, self._numbers(frame.payload, 1), size)
                    return size
            else:
                (count,) = self._numbers(frame.payload, 1)
                if frame.length == _U64 + count * (_U64 + 2 * frame.unit):
                    self._check_end(frame, self._numbers(frame.payload + _U64, count), frame.unit)
                    return count * frame.unit
        raise self._nonsense(frame, "its lengths are inconsistent")

    def _check_end(self, frame: form.Frame, addresses: array[int], size: int) -> None:
        if max(addresses, default=0) + size > 2**64:
            raise self._nonsense(frame, "it would go past the end of the address space")

    def _numbers(self, offset: int, count: int) -> array[int]:
        return array("Q", self._payload(offset, _U64 * count))

    def _nonsense(self, frame: form.Frame, what: str) -> JournalError:
        return form.damaged(self.name, frame.payload, what)

    def add(self, where: int | bytes, old: bytes, new: bytes, unit: int) -> None:
        """Record a write before it is made. If this raises, the write must not be made."""
        if isinstance(where, int):
            parts = [where.to_bytes(_U64, "little"), old, new]
            kind, place = form.WRITE, f"at 0x{where:x}"
        else:
            count = len(where) // _U64
            parts = [count.to_bytes(_U64, "little"), where, old, new]
            kind, place = form.SCATTERED, f"at {count:,} addresses"
        what = f"the record of {len(new):,} bytes {place}, so they were not written"
        self._append(kind, unit, parts, what, len(new))

    def cut_short(self) -> None:
        """Note that the last recorded write has begun and possibly not finished."""
        if len(self):
            # The last record always counts as cut short. So no record can follow before the mark.
            self._owes_cut = True
            self._pay_cut()

    def _pay_cut(self) -> None:
        self._append(form.CUT_SHORT, 0, [], "the mark of a write that was cut short")
        self._owes_cut = False

    def mark(self, kind: int) -> None:
        """Append COMMITTED, UNDOING or UNDONE."""
        self._append(kind, 0, [], "the mark of its end")

    def settle(self, index: int) -> None:
        """Note that an undo has finished this record: its range holds nothing of it any more."""
        payload = index.to_bytes(_U64, "little")
        self._append(form.SETTLED, 0, [payload], "the mark of an undo", index)

    def is_settled(self, index: int) -> bool:
        """Return whether an undo has finished this record."""
        return self.undone or self._settled.get(index, self._state.end) < self._state.end

    def _append(self, kind: int, unit: int, parts: list[bytes], what: str, value: int = 0) -> None:
        if self._broken:
            raise JournalError(f"{what} can't be added to {self.name}: {self._broken}")
        if self._owes_cut and kind != form.CUT_SHORT:
            try:
                self._pay_cut()
            except not_from_handler(JournalError) as error:
                raise JournalError(
                    f"{what} can't be added to {self.name}: an earlier mark could not be "
                    f"written: {error}"
                ) from error
        here = self._state
        record, chain = form.encode(kind, unit, here.number, here.chain, parts)
        try:
            if self._litter:
                self.file.truncate(here.end)
                self._forget_unfinished()
            self._litter = True
            self.file.seek(here.end)
            form.write_all(self.file, record)
        except not_from_handler(OSError) as error:
            raise JournalError(f"{what} can't be written to {self.name}: {error}") from error
        if self._flush is not None:
            try:
                self._flush()
            except not_from_handler(OSError) as error:
                # After a failed fsync, a later one can succeed although the data is lost.
                self._broken = f"the disk failed before ({error})"
                raise JournalError(
                    f"{self.name} could not be synced to the disk after {what}: {error}"
                ) from error
        self._note(kind, here, here.end + len(record), chain, value)
        self._litter = False

    def close(self) -> None:
        """Close the file, which unlocks a journal."""
        self.file.close()

    def __del__(self) -> None:
        if hasattr(self, "file"):  # not so where Ctrl-C came at the beginning of __init__
            self.file.close()

    def is_cut(self, index: int) -> bool:
        """Return whether the target can hold a mixture of old and new bytes of this record."""
        last = index == len(self) - 1 and not self.committed
        return last or self._cut.get(index, self._state.end) < self._state.end

    def load(self, index: int) -> Change:
        """Read a recorded write."""
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
        """Return the number of bytes of an element of a recorded write."""
        return self._head_at(self._offsets[index])[1]

    def _head_at(self, offset: int) -> tuple[int, int, int]:
        kind, unit, _, length = form.HEAD.unpack(self._payload(offset, form.HEAD.size))
        return kind, unit, length

    def _payload(self, offset: int, size: int) -> bytes:
        data = form.read_at(self.file, offset, size)
        if len(data) < size:
            raise JournalError(f"{self.name} became shorter while it was read")
        return data


def _fits(key: str, value: object) -> bool:
    """Return whether a part of a header has its type, and a number its range."""
    if key not in _PARTS or type(value) in _PARTS[key]:
        return not isinstance(value, int | float) or 0 <= value < 2**64
    return False
