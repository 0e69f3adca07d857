"""Write a page to a file that nobody else can read: it holds memory of the target."""

from __future__ import annotations

import errno
import os
import stat

from pydbgwrite._replaced_file import replace_file
from pydbgwrite._signal_handlers import not_from_handler

__all__ = ["write_private"]


def write_private(path: str, text: str) -> None:
    """Write a file with the permissions 0600, or replace a regular file as a whole.

    The new file takes the place of the old one, so a link is never followed, and one that stands
    there is refused, as a device is. Windows has no such permissions: there the folder's count.

    Raises:
        OSError: The file can't be written.
    """
    try:
        mode = os.lstat(path).st_mode
    except not_from_handler(FileNotFoundError):
        pass
    else:
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(mode):
            raise FileExistsError(errno.EEXIST, "it is a link or a device, and no file", path)
    replace_file(path, text.encode(), 0o600)
