"""Open the very file of a module of a Linux process, or none.

A package update replaces the file that a process still runs, and a process in a container has other
files under the same names. So the opened file is compared with the memory map, by device and inode.
"""

from __future__ import annotations

import os
import stat
import sys
from io import BufferedReader
from typing import TYPE_CHECKING

from pydbgwrite._core import FileDescriptor
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.elf_headers import ElfHeaders, read_headers
from pydbgwrite._symbols.linux_maps import Image, Mapping
from pydbgwrite.errors import AddressError

if TYPE_CHECKING:
    from io import FileIO

    from pydbgwrite._target import Target

__all__ = ["file_headers", "open_image"]


def open_image(session: Target, image: Image) -> FileIO:
    """Open the file that the process has mapped.

    Raises AddressError if that file is not available any more.
    """
    assert sys.platform != "win32"
    mapping = image.mapping
    if mapping is None:
        raise AddressError(
            f"no part of the file of {image.name} ({image.path}) is mapped any more, so the file "
            "can't be identified. Give module+offset"
        )
    # map_files leads to the file itself, deleted or not, but needs CAP_CHECKPOINT_RESTORE
    # (proc_pid_map_files(5)). The memory map has names relative to this process's root (if the
    # target has called chroot) or, for mounts that this process can't reach, to the target's (a
    # container).
    paths = [f"map_files/{mapping.start:x}-{mapping.end:x}"]
    for path in image.paths:
        paths += [f"root{path}", path]
    why = "it was deleted, or replaced by another file of that name"
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    with FileDescriptor(session._open_folder, True) as folder:
        for path in paths:
            try:
                file = FileDescriptor(os.open, path, flags, dir_fd=folder.fileno())
            except not_from_handler(OSError) as error:
                if path == image.path and not image.deleted:
                    why = error.strerror or str(error)
                continue
            except not_from_handler(ValueError):  # a name with a null character is no file
                continue
            with file:
                if _is_same(file.fileno(), mapping, image.deleted, session):
                    return file.into_file("rb")
    raise AddressError(
        f"the file of {image.name} ({image.path}) that the target has mapped can't be read: {why}; "
        "its symbols are not known. Give module+offset, or restart the target"
    )


def file_headers(session: Target, image: Image) -> ElfHeaders | None:
    """Read the headers of an image's file; None if it can't be read or is no ELF file."""
    try:
        file = open_image(session, image)
    except not_from_handler(AddressError):
        return None
    with BufferedReader(file) as stream:

        def read(offset: int, size: int) -> bytes:
            stream.seek(offset)
            return stream.read(size)

        try:
            return read_headers(read)
        except not_from_handler(ValueError, OSError):
            return None


def _is_same(file: int, mapping: Mapping, deleted: bool, session: Target) -> bool:
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode):
        return False
    device = (os.major(status.st_dev), os.minor(status.st_dev))
    if (device, status.st_ino) == (mapping.device, mapping.inode):
        return True
    if deleted:
        return False
    # btrfs and overlayfs show different devices in the map and to stat(2). Then the first page
    # decides, which has the headers and usually the build id.
    size = min(4096, mapping.end - mapping.start)
    try:
        return os.pread(file, size, mapping.offset) == session.read(mapping.start, size)
    except not_from_handler(OSError):
        return False
