"""The ledger of a rollout: what was begun and what became of it, in one append-only file.

Its records are framed and chained as those of a journal (_journal/format.py), and each is on the
disk before what it announces begins. It holds data only. The folder and the file must be this
user's alone: what they say decides what a resumed rollout writes.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

from pydbgwrite._journal import format as form
from pydbgwrite._journal.locks import is_locked, lock
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._state_folder import StateFolder
from pydbgwrite.errors import JournalError, RolloutError

if TYPE_CHECKING:
    from io import FileIO
    from typing import Self

__all__ = ["FILE_NAME", "Ledger", "Recorded"]

FILE_NAME: Final = "rollout.ledger"
VERSION: Final = 1
_HEADER, _PATCH, _EVENT = 1, 2, 3
_LEDGER: Final = form.FRAMINGS[2]._replace(
    version=VERSION, kinds=frozenset((_HEADER, _PATCH, _EVENT)), magic=b"PDBGWROL"
)
#: A long patch is in several records.
_PIECE: Final = 16 << 20


class Recorded:
    """What a ledger records.

    hosts: (name, key of the machine). targets: (number of the host, pid, program, user, started).
    outcomes: state and detail by the target's number. begun: the numbers that were begun. batch:
    those of the last batch, until it has passed its check.
    """

    def __init__(self) -> None:
        self.header: dict[str, Any] = {}
        self.patch = ""
        self.hosts: list[tuple[str, str]] = []
        self.targets: list[tuple[int, int, str, str, str]] = []
        self.outcomes: dict[int, tuple[str, str]] = {}
        self.begun: set[int] = set()
        self.batch: list[int] = []
        self.stopped = ""
        self.undoing = False
        self.ended = False
        self.late = 0
        self.stable: bool | None = None

    def take(self, event: dict[str, Any]) -> None:
        """Take one event into account."""
        self.hosts += [(name, key) for name, key in event.get("hosts", ())]
        new = [
            (h, pid, program, user, start)
            for h, pid, program, user, start in event.get("targets", ())
        ]
        self.targets += new
        self.late += event.get("late", 0)
        self.begun.update(event.get("begin", ()))
        self.batch = event.get("begin", [] if event.get("passed") else self.batch)
        for number, state, detail in event.get("outcomes", ()):
            self.outcomes[number] = (state, detail)
        self.stopped = event.get("stopped", self.stopped)
        self.undoing = event.get("undoing", self.undoing)
        self.ended = event.get("ended", self.ended)
        self.stable = event.get("stable", self.stable)


class Ledger:
    """An open ledger; `recorded` is all that it has."""

    def __init__(self, folder: StateFolder, file: FileIO) -> None:
        self._folder = folder
        self._file = file
        self._end = self._number = self._chain = 0
        self.path = folder.path
        self.name = folder.path_of(FILE_NAME)
        self.recorded = Recorded()
        #: Why nothing more can be written; "" if it can.
        self.broken = ""

    @classmethod
    def create(cls, path: str, header: dict[str, Any], patch: str) -> Self:
        """Make the folder, if it is missing, and a new ledger in it.

        Raises RolloutError if it has a ledger, and OSError or JournalError if none can be made.
        """
        folder = StateFolder.at(path, create=True)
        try:
            try:
                file = folder.open(FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            except not_from_handler(FileExistsError):
                raise RolloutError(
                    f"{folder.path} has the ledger of a rollout already: resume that or undo it, "
                    "or choose another folder. Nothing was written"
                ) from None
        except BaseException:
            folder.close()
            raise
        made = cls(folder, file)
        try:
            lock(file, made.name)
            start = _LEDGER.file_head()
            form.write_all(file, start)
            made._end, made._chain = len(start), _LEDGER.begin()
            text = patch.encode()
            header = {**header, "patch_bytes": len(text)}
            made.recorded.header, made.recorded.patch = header, patch
            made._add(_HEADER, json.dumps(header).encode())
            for at in range(0, len(text), _PIECE):
                made._add(_PATCH, text[at : at + _PIECE])
            folder.sync()
        except BaseException:
            made.discard()
            raise
        return made

    @classmethod
    def open(cls, path: str, *, writing: bool) -> Self:
        """Open a ledger and check all of it. It is locked if it is to be written.

        Raises RolloutError if there is none, JournalError if it is damaged or in use, OSError.
        """
        try:
            folder = StateFolder.at(path, create=False)
        except not_from_handler(FileNotFoundError):
            raise RolloutError(
                f"there is no folder {path!r}: no rollout has its ledger there"
            ) from None
        try:
            flags = os.O_RDWR if writing else os.O_RDONLY
            try:
                file = folder.open(FILE_NAME, flags)
            except not_from_handler(FileNotFoundError):
                raise RolloutError(
                    f"{folder.path} has no {FILE_NAME}: no rollout has its ledger there"
                ) from None
        except BaseException:
            folder.close()
            raise
        made = cls(folder, file)
        try:
            if writing:
                lock(file, made.name)
            made._read()
        except BaseException:
            made.close()
            raise
        return made

    @property
    def in_use(self) -> bool:
        """True if another process works on the rollout."""
        return is_locked(self._file)

    def record(self, *, sync: bool = True, **event: object) -> None:
        """Write an event, and take it into account. Raises JournalError.

        What this process knows is right even where the disk is full. sync=False leaves it to the
        system when an event is on the disk: journals have the outcomes, too.
        """
        self.recorded.take(event)
        self._add(_EVENT, json.dumps(event).encode(), sync=sync)

    def discard(self) -> None:
        """Remove a ledger of which nothing was begun."""
        self._file.close()  # Windows removes no file that is open
        self._folder.remove(FILE_NAME)
        self._folder.close()

    def close(self) -> None:
        """Close it, which unlocks it."""
        self._file.close()
        self._folder.close()

    def _add(self, kind: int, payload: bytes, *, sync: bool = True) -> None:
        record, chain = _LEDGER.encode(kind, 0, self._number, self._chain, [payload])
        try:
            if self.broken:
                raise OSError(self.broken)
            self._file.seek(self._end)
            form.write_all(self._file, record)
            if sync:
                getattr(os, "fdatasync", os.fsync)(self._file.fileno())
        except not_from_handler(OSError) as error:
            # After a failed sync a later one can succeed although the data is lost.
            self.broken = self.broken or str(error)
            raise JournalError(
                f"the rollout's ledger {self.name} can't be written: {error}"
            ) from error
        self._end += len(record)
        self._number += 1
        self._chain = chain

    def _read(self) -> None:
        file, name = self._file, self.name
        file.seek(0)
        head, own = form.read_all(file, form.FILE_HEAD_SIZE), _LEDGER.file_head()
        size = file.seek(0, os.SEEK_END)
        if head != own:
            raise _not_ours(name, head, own)
        self._end, self._chain = len(own), _LEDGER.begin()
        while self._end < size:
            frame = _LEDGER.next_frame(file, self._end, size, self._number, self._chain, name)
            if frame is None:
                break  # torn: what it announces had not begun
            self._take(frame)
            self._end, self._chain = frame.end, frame.chain
            self._number += 1
        if len(self.recorded.patch) != self.recorded.header.get("patch_bytes"):
            raise RolloutError(f"{name} ends before its patch does: its rollout had not begun")
        if self._end < size and file.writable():
            file.truncate(self._end)

    def _take(self, frame: form.Frame) -> None:
        recorded = self.recorded
        try:
            if (frame.kind == _HEADER) != (self._number == 0):
                raise ValueError("its records are out of order")
            if frame.kind == _PATCH:
                recorded.patch += frame.payload.decode()
            elif frame.kind == _HEADER:
                recorded.header = dict(json.loads(frame.payload))
            else:
                recorded.take(json.loads(frame.payload))
        except not_from_handler(ValueError, TypeError, AttributeError, RecursionError) as error:
            raise form.damaged(
                self.name, frame.place, f"a record can't be read ({error})"
            ) from None


def _not_ours(name: str, head: bytes, own: bytes) -> Exception:
    if own.startswith(head):
        return RolloutError(f"{name} has only {len(head)} bytes: its rollout had not begun")
    if head[:8] == own[:8] and head[8:12] != own[8:12]:
        version = int.from_bytes(head[8:12], "little")
        return JournalError(
            f"{name} is of another version of pydbgwrite: its format is {version}, and this "
            f"version reads {VERSION}. Nothing was written"
        )
    return form.damaged(name, 0, "its first 16 bytes are not those of a ledger")
