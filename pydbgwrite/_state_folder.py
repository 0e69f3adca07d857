"""The user's state folder, into which nobody else can have put a file.

A file in it decides what an undo writes, so a planted one would be a write with this user's rights.
The ledger of a rollout does so, too: its folder is held to the same rules.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pydbgwrite._core import FileDescriptor
from pydbgwrite._regular_file import open_regular
from pydbgwrite._signal_handlers import not_from_handler

if TYPE_CHECKING:
    from io import FileIO
    from typing import Self

__all__ = ["StateFolder", "check_file", "refused"]

_NAME: Final = "pydbgwrite"
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_FOLDER: Final = _NO_LINK | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


class StateFolder:
    """An open folder of this user, and the files in it.

    On Linux it is of mode 0700 and belongs to the effective user, and each file is opened from its
    descriptor: the path is walked once. On Windows the profile's access list protects the folder.
    """

    def __init__(self, *names: str, create: bool) -> None:
        """Open the folder of these names below pydbgwrite's.

        Raises:
            FileNotFoundError: It does not exist, and create is false.
            PermissionError: It is a link, or others may write to it.
            OSError: It can't be made or opened.
        """
        self._folder: FileDescriptor | None = None
        base = _state_home()
        #: The folder's absolute path, without links.
        self.path = os.path.join(base, _NAME, *names)
        if sys.platform == "win32":
            _make_on_windows(base, [_NAME, *names], create)
        else:
            self._folder = _open_below(base, [_NAME, *names], create)

    @classmethod
    def at(cls, path: str, *, create: bool) -> Self:
        """Open a folder that the caller names; it and its files are checked in the same way.

        Raises what StateFolder() raises.
        """
        made = cls.__new__(cls)
        base, name = os.path.split(os.path.abspath(path))
        base = os.path.realpath(base)
        made._folder = None
        made.path = os.path.join(base, name)
        if sys.platform == "win32":
            _make_on_windows(base, [name], create)
        else:
            made._folder = _open_below(base, [name], create)
        return made

    def open(self, name: str, flags: int = os.O_RDONLY) -> FileIO:
        """Open a file, as open_regular() does; with O_CREAT | O_EXCL a new one.

        Raises:
            PermissionError: It is a link, or it may be another user's work.
            OSError: It can't be opened.
        """
        path, flags = self.path_of(name), flags | _NO_LINK
        if sys.platform == "win32" and not flags & os.O_CREAT:
            _refuse_link(path)
        try:
            file = open_regular(self._given(name), flags, self._at)
        except not_from_handler(OSError) as error:
            error.filename = path
            if error.errno == errno.ELOOP:
                raise refused(path, "it is a symbolic link") from None
            raise
        try:
            if sys.platform != "win32":
                check_file(os.fstat(file.fileno()), path)
        except BaseException:
            file.close()
            raise
        return file

    def names(self) -> list[str]:
        """Return the names in the folder."""
        return os.listdir(self.path if self._at is None else self._at)

    def stat(self, name: str) -> os.stat_result | None:
        """Return the lstat(2) of a file; None if there is none."""
        try:
            return os.stat(self._given(name), dir_fd=self._at, follow_symlinks=False)
        except not_from_handler(FileNotFoundError):
            return None

    def remove(self, name: str) -> None:
        """Remove a file, unless it is gone already."""
        try:
            os.unlink(self._given(name), dir_fd=self._at)
        except not_from_handler(FileNotFoundError):
            pass

    def sync(self) -> None:
        """Sync the folder's names to the disk. Windows has no such call and needs none."""
        if self._at is not None:
            os.fsync(self._at)

    def path_of(self, name: str) -> str:
        """Return the path of a file in it, for messages."""
        return os.path.join(self.path, name)

    def close(self) -> None:
        """Close the folder."""
        if self._folder is not None:
            self._folder.close()

    @property
    def _at(self) -> int | None:
        """The folder's descriptor; None on Windows, where paths are given whole."""
        return None if self._folder is None else self._folder.fileno()

    def _given(self, name: str) -> str:
        return self.path_of(name) if self._folder is None else name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def refused(path: str, what: str) -> PermissionError:
    """Return the error for a file that may be another user's work."""
    return PermissionError(errno.EPERM, f"{what}, so another user may have made it", path)


def check_file(found: os.stat_result, path: str) -> None:
    """Raise PermissionError if anybody else may have written the file."""
    if found.st_uid != os.geteuid():
        raise refused(path, f"it belongs to the user {found.st_uid}")
    if found.st_nlink > 1:
        raise refused(path, f"it has {found.st_nlink} names (hard links)")
    if found.st_mode & _OTHERS_WRITE:
        raise refused(path, f"its mode is {stat.S_IMODE(found.st_mode):04o}")


def _check_folder(found: os.stat_result, path: str) -> None:
    """Raise PermissionError if anybody else may write to the folder, or read its names."""
    if found.st_uid != os.geteuid():
        raise refused(path, f"the folder belongs to the user {found.st_uid}")
    if found.st_mode & _OTHERS:
        raise PermissionError(
            errno.EPERM,
            f"the folder's mode is {stat.S_IMODE(found.st_mode):04o} and must be 0700: others may "
            "have put files into it. Look at what is in it, then: chmod 700",
            path,
        )


def _state_home() -> str:
    """Return the folder that has the state of this user's programs, without links.

    An environment can be another user's: `sudo -E` keeps HOME and XDG_STATE_HOME. What they name is
    taken only if it belongs to the effective user, or to root where a part does not exist yet.
    """
    if sys.platform == "win32":
        given = os.environ.get("LOCALAPPDATA", "")
        return given if os.path.isabs(given) else os.path.expanduser("~\\AppData\\Local")
    state, home = os.environ.get("XDG_STATE_HOME", ""), os.environ.get("HOME", "")
    # "All paths must be absolute. If an implementation encounters a relative path ..., it should
    # consider the path invalid and ignore it." (XDG Base Directory Specification)
    for path in (state, os.path.join(home, ".local", "state")):
        if os.path.isabs(path) and _is_ours(path):
            return os.path.realpath(path)
    import pwd

    try:
        home = pwd.getpwuid(os.geteuid()).pw_dir
    except not_from_handler(KeyError):
        raise FileNotFoundError(
            errno.ENOENT, f"the user {os.geteuid()} has no home folder", home
        ) from None
    path = os.path.join(home, ".local", "state")
    if not _is_ours(path):
        raise refused(path, "a folder of this path belongs to another user")
    return os.path.realpath(path)


def _is_ours(path: str) -> bool:
    """Return whether the existing part of a path belongs to the effective user or to root.

    For root each folder and link of it must, since another user could exchange what is below.
    """
    if sys.platform == "win32":
        raise OSError("for POSIX")
    # In a user namespace the owner of / can be a user that it does not know.
    ours = {0, os.geteuid(), os.stat("/").st_uid}
    for way in (path, os.path.realpath(path)):
        owners = list(_owners(way))
        if not ours.issuperset(owners if os.geteuid() == 0 else owners[-1:]):
            return False
    return True


def _owners(path: str) -> Iterator[int]:
    """Yield the owner of each folder and link of a path, as far as it exists."""
    at = "/"
    for name in ["", *filter(None, path.split("/"))]:
        at = os.path.join(at, name)
        try:
            yield os.lstat(at).st_uid
        except not_from_handler(OSError):
            return


def _open_below(base: str, names: list[str], create: bool) -> FileDescriptor:
    """Open a folder of this user below a path without links; make what is missing of both."""
    missing: list[str] = []
    while not os.path.lexists(base) and base != "/":
        base, name = os.path.split(base)
        missing.insert(0, name)
    if missing and not create:
        there_is_no = os.path.join(base, missing[0])
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), there_is_no)
    at = FileDescriptor(os.open, base, _FOLDER)
    for number, name in enumerate([*missing, *names]):
        base = os.path.join(base, name)
        with at:
            at = _open_folder(at.fileno(), name, base, create)
        if number >= len(missing):
            _check_folder(os.fstat(at.fileno()), base)
    return at


def _open_folder(at: int, name: str, path: str, create: bool) -> FileDescriptor:
    try:
        if create:
            try:
                os.mkdir(name, 0o700, dir_fd=at)
            except not_from_handler(FileExistsError):
                pass
        return FileDescriptor(os.open, name, _FOLDER, dir_fd=at)
    except not_from_handler(OSError) as error:
        error.filename = path
        # With O_DIRECTORY, Linux reports a link as ENOTDIR (open(2)).
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise refused(path, "it is a link, or no folder") from None
        raise


def _make_on_windows(base: str, names: list[str], create: bool) -> None:
    for name in names:
        if create and not os.path.isdir(base):
            os.makedirs(base, exist_ok=True)
        base = os.path.join(base, name)
        if create and not os.path.lexists(base):
            try:
                os.mkdir(base, 0o700)
            except not_from_handler(FileExistsError):
                pass
        _refuse_link(base)


def _refuse_link(path: str) -> None:
    """Raise PermissionError for a symbolic link, a junction, or another reparse point."""
    if sys.platform == "win32":
        found = os.lstat(path)
        if found.st_file_attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT:
            raise refused(path, "it is a link")
