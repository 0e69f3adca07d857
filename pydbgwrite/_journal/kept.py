"""The journals that the command line keeps in the user's state folder.

A name is a number, which orders them, and a random part, so that no name is used twice: what one
command removes is never another's new journal. Everything else stands in the journal itself.

The rules of pruning, which docs/howto/undo.md states:
- A journal is needed while its process lives, or may live, and it is not undone.
- When there are more than MOST, or they have more than MOST_BYTES, the oldest of the others go.
- A journal whose process has ended goes after MOST_DAYS.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from io import FileIO
from typing import Final, NamedTuple

from pydbgwrite._journal.files import open_to_read
from pydbgwrite._journal.format import is_not_begun
from pydbgwrite._journal.locks import is_locked
from pydbgwrite._journal.place import JournalPlace
from pydbgwrite._journal.process_life import Life, life_of
from pydbgwrite._reports import JournalInfo
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._state_folder import StateFolder
from pydbgwrite.errors import JournalError

__all__ = ["MOST", "MOST_BYTES", "MOST_DAYS", "Kept", "KeptJournals", "KeptPlace"]

MOST: Final = 1_000
MOST_BYTES: Final = 1 << 30
MOST_DAYS: Final = 30
_GONE: Final = ("ended", "replaced")
_DAY: Final = 24 * 60 * 60
_FOLDER: Final = "journals"
#: A file of this name is there while a command makes the journal of that number.
_CLAIM: Final = "{}.claim"
_CLAIM_NAME: Final = re.compile(r"[1-9][0-9]{0,14}\.claim", re.ASCII)
_NAME: Final = re.compile(r"([1-9][0-9]{0,14})-[0-9a-f]{8}\.journal", re.ASCII)
#: A journal without a record can be one that a command is about to use.
_PATIENCE: Final = 60 * 60  # seconds
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL


class KeptPlace(JournalPlace):
    """The place of a journal in the state folder. A new one has no name until it is made."""

    def __init__(self, kept: KeptJournals, folder: StateFolder, name: str = "") -> None:
        super().__init__(folder.path_of(name))
        self._kept = kept
        self._folder = folder
        self.name = name

    @property
    def number(self) -> int:
        """The journal's number; 0 before it is made."""
        return _number_of(self.name)

    def make_room(self, size: int) -> None:
        """Remove older journals that are not needed. JournalError if too many are."""
        self._kept.make_room(size)

    def create(self) -> FileIO:
        """Make the file with the next number."""
        try:
            number = _last_number(self._folder) + 1
            while True:
                try:
                    self._folder.open(_CLAIM.format(number), _NEW).close()
                except not_from_handler(FileExistsError):  # of a command that has begun at once
                    number += 1
                else:
                    try:
                        last = _last_number(self._folder)
                        if last < number:
                            self.name = f"{number}-{os.urandom(4).hex()}.journal"
                            self.path = self._folder.path_of(self.name)
                            return self._folder.open(self.name, _NEW)
                    finally:
                        self._folder.remove(_CLAIM.format(number))
                    number = last + 1  # that command has made it
        except not_from_handler(OSError) as error:
            raise JournalError(
                f"no journal can be made in {self._folder.path}: {error.strerror or error}; "
                "nothing was written to the target"
            ) from error

    def open(self, flags: int = os.O_RDONLY) -> FileIO:
        """Open the file. Raises PermissionError if it may be another user's work."""
        return self._folder.open(self.name, flags)

    def remove(self) -> None:
        """Remove the file, unless it is gone already."""
        self._folder.remove(self.name)

    def sync_folder(self) -> None:
        """Sync the file's name to the disk."""
        self._folder.sync()


class Kept(NamedTuple):
    """A journal of the state folder.

    info is None if it can't be used: fault says why, or is "" if its transaction had not begun.
    in_use: a command has it open. undoing: an undo has begun and has not restored everything.
    """

    number: int
    place: KeptPlace
    info: JournalInfo | None = None
    life: Life = "unknown"
    in_use: bool = False
    undoing: bool = False
    fault: str = ""

    @property
    def is_needed(self) -> bool:
        """Return whether an undo may need it."""
        # One that can't be used here may be of use to another version of this package.
        is_done = self.info is not None and (
            self.info.state == "undone" or self.life in _GONE or not self.info.writes
        )
        return self.in_use or not is_done


class _File(NamedTuple):
    number: int
    name: str
    size: int
    changed: float


def _number_of(name: str) -> int:
    """Return a journal's number; 0 for a file of another name."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else 0


def _last_number(folder: StateFolder) -> int:
    return max(map(_number_of, folder.names()), default=0)


def _found(folder: StateFolder) -> list[_File]:
    """Return the journals of a folder in their order."""
    files = []
    for name in folder.names():
        number = _number_of(name)
        found = folder.stat(name) if number else None
        if found is not None:
            files.append(_File(number, name, found.st_size, found.st_mtime))
    return sorted(files)


class KeptJournals:
    """The journals in the user's state folder, in the order in which they were made."""

    def __init__(self, *, create: bool) -> None:
        """Open the folder, as StateFolder does; what it raises is raised."""
        self._folder = StateFolder(_FOLDER, create=create)
        self.path = self._folder.path

    def new(self) -> KeptPlace:
        """Return the place of the next journal."""
        return KeptPlace(self, self._folder)

    def newest_first(self) -> Iterator[Kept]:
        """Yield the journals, the last one first. Each is read whole."""
        for each in reversed(_found(self._folder)):
            yield self._read(each)

    def numbered(self, number: int) -> KeptPlace | None:
        """Return the journal of that number."""
        names = [name for name in self._folder.names() if _number_of(name) == number > 0]
        return KeptPlace(self, self._folder, min(names)) if names else None

    def make_room(self, size: int) -> None:
        """Remove journals that are not needed by the rules above, for one more of that size.

        Raises:
            JournalError: Those that are needed leave no room for it.
        """
        self._remove_old_claims()
        files = _found(self._folder)
        total, count = sum(each.size for each in files) + size, len(files) + 1
        oldest = time.time() - MOST_DAYS * _DAY
        for each in files:
            is_over = total > MOST_BYTES or count > MOST
            if not is_over and each.changed > oldest:
                continue
            if self._is_needed(each, by_age=not is_over):
                continue
            try:
                self._folder.remove(each.name)
            except not_from_handler(PermissionError):
                continue  # Windows removes no file that is open
            total, count = total - each.size, count - 1
        if total > MOST_BYTES or count > MOST:
            raise JournalError(
                f"the journals in {self.path} that may still be undone leave no room for one more: "
                f"with it they would be {count:,} of at most {MOST:,}, and have {total:,} bytes of "
                f"at most {MOST_BYTES:,}; nothing was written to the target"
            )

    def _remove_old_claims(self) -> None:
        """Remove the claims of commands that were killed while they made a journal."""
        for name in self._folder.names():
            found = self._folder.stat(name) if _CLAIM_NAME.fullmatch(name) else None
            if found is not None and time.time() - found.st_mtime > _PATIENCE:
                self._folder.remove(name)

    def drop_if_empty(self, place: KeptPlace) -> None:
        """Remove a journal of this command that has no record."""
        if not place.name:
            return
        try:
            log = open_to_read(place)
        except not_from_handler(JournalError, OSError):
            return
        log.close()
        if not len(log):
            place.remove()

    def _is_needed(self, file: _File, *, by_age: bool) -> bool:
        """Return whether a journal stays. by_age: only the end of its process counts."""
        is_young = time.time() - file.changed < _PATIENCE
        try:
            log = open_to_read(KeptPlace(self, self._folder, file.name), header_only=True)
        except not_from_handler(FileNotFoundError):
            return False  # another command has just removed it
        except not_from_handler(JournalError, OSError) as error:
            return is_young or not is_not_begun(error)
        log.close()
        if life_of(log.header) in _GONE:
            return False
        if by_age:
            return True
        kept = self._read(file)
        is_undone = kept.info is not None and kept.info.state == "undone"
        return kept.is_needed or (is_young and not is_undone)

    def _read(self, file: _File) -> Kept:
        place = KeptPlace(self, self._folder, file.name)
        try:
            log = open_to_read(place)
        except not_from_handler(JournalError, OSError) as error:
            if is_not_begun(error) or isinstance(error, FileNotFoundError):  # just removed
                return Kept(file.number, place)
            fault = (isinstance(error, OSError) and error.strerror) or str(error)
            return Kept(file.number, place, fault=fault)
        try:
            in_use = is_locked(log)
            return Kept(file.number, place, log.info(), life_of(log.header), in_use, log.undoing)
        finally:
            log.close()

    def close(self) -> None:
        """Close the folder."""
        self._folder.close()
