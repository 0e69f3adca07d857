"""Open regular files only: opening a pipe or a device can block without limit."""

from __future__ import annotations

import errno
import os
import stat

__all__ = ["open_regular"]

_FLAGS = ("O_NONBLOCK", "O_BINARY", "O_CLOEXEC", "O_NOINHERIT")


def open_regular(path: str, flags: int = os.O_RDONLY) -> int:
    """Open a file that exists, and return its descriptor.

    Raises:
        OSError: The file can't be opened, or is not a regular file.
    """
    for name in _FLAGS:
        flags |= getattr(os, name, 0)
    descriptor = os.open(path, flags)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is not a regular file, but a pipe or a device", path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
