"""A journal as a sequence of recorded writes: a transaction appends, an undo reads.

C counts and writes the records (_core.RecordLog); here is what reads and words them.
"""

from __future__ import annotations

import json
import os
from array import array
from typing import TYPE_CHECKING, Any, Final

from pydbgwrite import _core
from pydbgwrite._journal import format as form
from pydbgwrite._journal.spool import handle_of
from pydbgwrite._messages.spelling import IN_FORCE, any_of
from pydbgwrite._reports import Change, JournalInfo
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import JournalError

if TYPE_CHECKING:
    import io

__all__ = ["TEMPORARY", "JournalLog", "changed", "failed", "sync"]

_U64: Final = 8
#: The name of a log without a journal. For messages: it is what can refuse a record.
TEMPORARY: Final = "a temporary file"
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


class JournalLog:
    """The records of one transaction, in the order in which they were made.

    `records` counts them, and adds those of a session's writes. Marks are added here.
    """

    def __init__(self, file: io.FileIO | None, name: str) -> None:
        """Begin with no records. file: the journal, or None for records in memory."""
        handle = -1 if file is None else handle_of(file)
        self.records = _core.RecordLog(file, handle, name)
        self.name = name
        self.header: dict[str, Any] = {}
        self.torn = False
        self._framing = form.FRAMINGS[form.VERSION]

    @property
    def state(self) -> str:
        """The same as JournalInfo.state."""
        return "undone" if self.undone else "committed" if self.committed else "open"

    def info(self) -> JournalInfo:
        """Return the description of the journal and its target."""
        header = self.header
        return JournalInfo(
            path=self.name,
            version=self._framing.version,
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
        return self.records.committed

    @property
    def undone(self) -> bool:
        """True if an undo has finished and nothing has been recorded since."""
        return self.records.undone

    @property
    def undoing(self) -> bool:
        """True if an undo has begun and has not finished: one of its writes can be cut short."""
        return self.records.undoing

    @property
    def first(self) -> int:
        """The first record that no finished undo has undone."""
        return self.records.first

    @property
    def recorded_bytes(self) -> int:
        """Bytes of the target that the recorded writes cover."""
        return self.records.recorded_bytes

    def __len__(self) -> int:
        return len(self.records)

    def sync_each(self) -> None:
        """Sync each record to the disk from now on."""
        self.records.durable = True

    def begin(self, header: dict[str, Any]) -> None:
        """Write the file head and the header of a new journal."""
        file, start = self._file(), self._framing.file_head()
        try:
            form.write_all(file, start)
        except not_from_handler(OSError) as error:
            raise JournalError(
                f"{_NOTHING}: the journal's head can't be written to {self.name}: {error}"
            ) from error
        self.records.start(len(start), self._framing.begin())
        self.header = header
        text = json.dumps(header, sort_keys=True).encode()
        self._add(form.HEADER, text, f"{_NOTHING}: the journal's header")

    def scan(self, *, header_only: bool = False) -> None:
        """Read and check a whole journal, or its header. Raises JournalError for damage."""
        file, records = self._file(), self.records
        self._framing = framing = form.read_file_head(file, self.name)
        records.start(form.FILE_HEAD_SIZE, framing.begin())
        size = file.seek(0, os.SEEK_END)
        while records.end < size:
            if records.number and framing.version == form.VERSION:
                records.scan(size)
                if records.end == size:
                    break
            frame = framing.next_frame(
                file, records.end, size, records.number, records.chain, self.name
            )
            if frame is None:
                self.torn = records.litter = True
                break
            self._take(frame)
            if header_only:
                break
        if not records.number:
            raise form.not_begun(self.name, size)

    def _take(self, frame: form.Frame) -> None:
        """Count a record that was read; it begins where the last one ends."""
        if (frame.kind == form.HEADER) != (self.records.number == 0):
            raise self._nonsense(frame, "a header can be only the first record")
        value = 0
        if frame.kind == form.HEADER:
            self.header = self._parse_header(frame)
        elif frame.kind & ~form.JOINED in (form.WRITE, form.SCATTERED):
            value = self._size_of(frame)
        elif frame.kind == form.SETTLED:
            value = int.from_bytes(frame.payload, "little")
            if len(frame.payload) != _U64 or value >= len(self):
                raise self._nonsense(frame, "it refers to a record that does not exist")
        self.records.take(frame.kind, value, frame.end, frame.chain)

    def _parse_header(self, frame: form.Frame) -> dict[str, Any]:
        try:
            header = json.loads(frame.payload)
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
        payload, length = frame.payload, len(frame.payload)
        if frame.unit in (1, 4, 8) and length >= _U64:
            first = int.from_bytes(payload[:_U64], "little")
            if frame.kind & ~form.JOINED == form.WRITE:
                size, rest = divmod(length - _U64, 2)
                if not rest and not size % frame.unit:
                    self._check_end(frame, first, size)
                    return size
            elif length == _U64 + first * (_U64 + 2 * frame.unit):
                addresses = array("Q", payload[_U64 : _U64 + first * _U64])
                self._check_end(frame, max(addresses, default=0), frame.unit)
                return first * frame.unit
        raise self._nonsense(frame, "its lengths are inconsistent")

    def _check_end(self, frame: form.Frame, address: int, size: int) -> None:
        if address + size > 2**64:
            raise self._nonsense(frame, "it would go past the end of the address space")

    def _nonsense(self, frame: form.Frame, what: str) -> JournalError:
        return form.damaged(self.name, frame.place, what)

    def cut_short(self) -> None:
        """Note that the last recorded write has begun and possibly not finished."""
        if len(self):
            # The last record always counts as cut short. So no record can follow before the mark,
            # which the next one brings along if it can't be written now.
            self.records.owes_cut = True
            self._pay_cut()

    def _pay_cut(self) -> None:
        self._add(form.CUT_SHORT, b"", "the mark of a write that was cut short")

    def mark(self, kind: int) -> None:
        """Append COMMITTED, UNDOING or UNDONE."""
        self._add(kind, b"", "the mark of its end")

    def settle(self, index: int) -> None:
        """Note that an undo has finished this record: its range holds nothing of it any more."""
        self._add(form.SETTLED, index.to_bytes(_U64, "little"), "the mark of an undo", index)

    def is_settled(self, index: int) -> bool:
        """Return whether an undo has finished this record."""
        return self.records.is_settled(index)

    def _add(self, kind: int, payload: bytes, what: str, value: int = 0) -> None:
        records = self.records
        try:
            if self._framing.version == form.VERSION:
                records.add(kind, 0, payload, value)
            else:
                record, chain = self._framing.encode(
                    kind, 0, records.number, records.chain, [payload]
                )
                records.append(kind, value, record, chain)
        except not_from_handler(OSError) as error:
            raise failed(records, what, error) from error

    @property
    def closed(self) -> bool:
        """True if the journal's file is closed."""
        return self._file().closed

    def fileno(self) -> int:
        """Return the descriptor of the journal's file."""
        return self._file().fileno()

    def _file(self) -> io.FileIO:
        file = self.records.file
        assert file is not None
        return file

    def close(self) -> None:
        """Close the file, which unlocks a journal."""
        self.records.close()

    def __del__(self) -> None:
        if hasattr(self, "records"):  # not so where Ctrl-C came at the beginning of __init__
            self.records.close()

    def is_cut(self, index: int) -> bool:
        """Return whether the target can hold a mixture of old and new bytes of this record."""
        return self.records.is_cut(index)

    def load(self, index: int, again: JournalLog | None = None) -> Change:
        """Read a recorded write; of a log that is closed, from its journal opened `again`."""
        handle = -1 if again is None else handle_of(again._file())
        head_size = self._framing.head_size
        try:
            lowest, old, new, unit, addresses = self.records.load(index, head_size, handle)
        except not_from_handler(EOFError) as error:
            raise changed(self.name, str(error)) from None
        return Change(lowest, old, new, unit, None if addresses is None else array("Q", addresses))


def changed(name: str, what: str) -> JournalError:
    """Return the error for a journal that is not as this process has written or read it."""
    return JournalError(
        f"the journal {name} was changed by another program ({what}): what was recorded there "
        "can't be read"
    )


def failed(records: _core.RecordLog, what: str, error: OSError, effect: str = "") -> JournalError:
    """Return the exception for what can't be recorded. effect: a sentence, what that means."""
    if records.broken is not None and str(error) != records.broken:
        text = f"{records.name} could not be synced to the disk after {what}: {error}"
    else:
        text = f"{what} can't be written to {records.name}: {error}"
    parts = [text, effect] if effect else [text]
    if records.name == TEMPORARY:
        journal = IN_FORCE.get().argument("journal")
        remedies = (
            "make room in the folder for temporary files",
            "name another folder in the environment variable TMPDIR",
            journal and f"pass {journal}, a file on another disk",
        )
        parts.append(f"To record more, {any_of(*remedies)}")
    return JournalError(". ".join(parts))


def sync(records: _core.RecordLog) -> None:
    """Sync a journal's contents to the disk. Raises OSError, and then nothing more is recorded."""
    file = records.file
    assert file is not None
    try:
        getattr(os, "fdatasync", os.fsync)(file.fileno())
    except not_from_handler(OSError) as error:
        # After a failed fsync, a later one can succeed although the data is lost.
        records.broken = f"the disk failed before ({error})"
        raise


def _fits(key: str, value: object) -> bool:
    """Return whether a part of a header has its type, and a number its range."""
    if key not in _PARTS or type(value) in _PARTS[key]:
        return not isinstance(value, int | float) or 0 <= value < 2**64
    return False
