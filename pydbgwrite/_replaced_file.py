"""Replace a file as a whole, so that it never holds a part of its content."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pydbgwrite._regular_file import open_regular
from pydbgwrite._signal_handlers import not_from_handler

if TYPE_CHECKING:
    from io import FileIO

__all__ = ["replace_file"]


def replace_file(path: str, content: bytes, mode: int = 0o666) -> None:
    """Write a file beside the path, and give it that name.

    Args:
        path: The file. A link there is replaced, not followed.
        content: Its content.
        mode: Its permissions; those of the umask are taken away.

    Raises:
        OSError: The file can't be written.
    """
    temporary = os.path.join(os.path.dirname(path), f".pydbgwrite-{os.urandom(8).hex()}.tmp")
    file: FileIO | None = None
    try:
        file = open_regular(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode=mode)
        left = memoryview(content)
        while left:
            left = left[file.write(left) :]
        file.close()
        os.replace(temporary, path)
    except BaseException:
        if file is not None:
            file.close()  # Windows removes no file that is open
        try:
            os.unlink(temporary)
        except not_from_handler(OSError):
            pass
        raise
