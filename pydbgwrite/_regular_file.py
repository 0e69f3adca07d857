"""Open regular files only: opening a pipe or a device can block without limit."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from pydbgwrite._core import FileDescriptor

if TYPE_CHECKING:
    from io import FileIO

__all__ = ["open_regular"]

_FLAGS = ("O_NONBLOCK", "O_BINARY", "O_CLOEXEC", "O_NOINHERIT")


def open_regular(
    path: str, flags: int = os.O_RDONLY, folder: int | None = None, mode: int = 0o600
) -> FileIO:
    """Open a file to read it; with os.O_RDWR also to write it.

    Args:
        path: The file.
        flags: As for os.open().
        folder: The descriptor of the folder that a relative path begins at.
        mode: The permissions of a file that O_CREAT makes.

    Raises:
        OSError: The file can't be opened, or is not a regular file.
    """
    for name in _FLAGS:
        flags |= getattr(os, name, 0)
    with FileDescriptor(os.open, path, flags, mode, dir_fd=folder) as descriptor:
        kind = os.fstat(descriptor.fileno()).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(kind):
            raise OSError(errno.EINVAL, "it is not a regular file, but a pipe or a device", path)
        return descriptor.into_file("r+b" if flags & os.O_RDWR else "rb")
