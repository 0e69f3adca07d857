"""Where a journal is: a path that the caller names. kept.py has the places in the state folder."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

from pydbgwrite._core import FileDescriptor
from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._regular_file import open_regular
from pydbgwrite._signal_handlers import not_from_handler

if TYPE_CHECKING:
    from io import FileIO

    from _typeshed import StrOrBytesPath

__all__ = ["JournalPlace"]


class JournalPlace(os.PathLike[str]):
    """The place of one journal: how to make it, open it and remove it.

    brief: its header need not say where the program is, which takes longer than a short patch.
    made: the random number in the header of the journal that was made here; files.py opens no
    other one then.
    """

    brief = False

    def __init__(self, path: str) -> None:
        self.path = path
        self.made: str | None = None

    @classmethod
    def of(cls, path: StrOrBytesPath) -> JournalPlace:
        """Return the place of that path, which may be a place already."""
        return path if isinstance(path, JournalPlace) else JournalPlace(os.fsdecode(path))

    def __fspath__(self) -> str:
        return self.path

    def make_room(self, size: int) -> None:
        """Do nothing: the disk says whether a file of that size fits."""

    def create(self) -> FileIO:
        """Make the file. Raises FileExistsError if it exists."""
        try:
            return open_regular(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        except not_from_handler(FileExistsError):
            raise FileExistsError(
                errno.EEXIST,
                "the file exists, and a journal never replaces a file: an undo may need it. "
                f"Choose another name, or undo it ({IN_FORCE.get().function('pydbgwrite.undo')}) "
                "and remove it first",
                self.path,
            ) from None

    def open(self, flags: int = os.O_RDONLY) -> FileIO:
        """Open the file to read it; with os.O_RDWR also to write it."""
        return open_regular(self.path, flags)

    def open_trusted(self, flags: int = os.O_RDONLY) -> FileIO:
        """Open the file for an undo, whose writes it decides.

        As root these are writes to any process, so the file must be one that no other user can have
        made. Raises PermissionError if it may be another user's work.
        """
        if sys.platform == "win32" or os.geteuid() != 0:
            return self.open(flags)
        from pydbgwrite._state_folder import check_file, refused

        try:
            file = self.open(flags | os.O_NOFOLLOW)
        except not_from_handler(OSError) as error:
            if error.errno == errno.ELOOP:
                raise refused(self.path, "it is a symbolic link") from None
            raise
        try:
            check_file(os.fstat(file.fileno()), self.path)
        except BaseException:
            file.close()
            raise
        return file

    def remove(self) -> None:
        """Remove the file."""
        os.unlink(self.path)

    def sync_folder(self) -> None:
        """Sync the file's name to the disk. Windows has no such call and needs none."""
        if sys.platform == "win32":
            return
        path = os.path.dirname(os.path.abspath(self.path))
        with FileDescriptor(os.open, path, os.O_RDONLY | os.O_DIRECTORY) as folder:
            os.fsync(folder.fileno())
