"""Find separate debug files where distributions install them.

They are described in "Separate Debug Files" and "MiniDebugInfo" of GDB's manual: a folder of build
ids, a name and CRC in .gnu_debuglink, and a compressed file in .gnu_debugdata. Names come from the
target. So only regular files below its own root are opened, no link leads out of it, and a file
must have the right build id or CRC.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader, BytesIO
from typing import IO, TYPE_CHECKING, Final

from pydbgwrite._core import FileDescriptor
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.elf_headers import (
    Reader,
    Segment,
    build_id_of,
    read_headers,
    read_named_section,
    read_whole,
)
from pydbgwrite._symbols.linux_files import open_image
from pydbgwrite._symbols.linux_loader import memory_reader
from pydbgwrite.errors import AddressError

if TYPE_CHECKING:
    from io import FileIO

    from pydbgwrite._symbols.linux_maps import Image
    from pydbgwrite._target import Target

__all__ = ["debug_file", "open_below", "reader_of"]

_MOST_LINKS: Final = 40
_MOST_BYTES: Final = 1 << 31
#: Of .gnu_debugdata, unpacked. SECURITY.md says so.
_MOST_UNPACKED: Final = 64 << 20
#: The decoder's memory, mostly its dictionary: xz takes 9 MiB for files of its default preset, with
#: which distributions make .gnu_debugdata (xz(1)).
_MOST_OF_DECODER: Final = 16 << 20
_PIECE: Final = 1 << 20


def reader_of(stream: IO[bytes]) -> Reader:
    """Return a reader of a file; it returns fewer bytes at the end."""
    end = stream.seek(0, os.SEEK_END)

    def read(offset: int, size: int) -> bytes:
        stream.seek(min(offset, end))
        return stream.read(min(size, end))

    return read


@contextmanager
def debug_file(session: Target, image: Image) -> Iterator[IO[bytes] | None]:
    """Open the debug file of an image; None if no file is shown to be its own."""
    with ExitStack() as stack:
        build_id = _build_id(session, image)
        link: tuple[str, int] | None = None
        packed = None
        try:
            file = stack.enter_context(BufferedReader(open_image(session, image)))
            read = reader_of(file)
            link = _link_of(read)
            packed = read_named_section(read, b".gnu_debugdata")
        except not_from_handler(AddressError, ValueError, IndexError, struct.error, OSError):
            pass  # the build id can still lead to one
        for path in _paths(image, build_id, link):
            try:
                found = stack.enter_context(BufferedReader(_open_in_target(session, path)))
            except not_from_handler(OSError, ValueError):
                continue
            if _fits(found, build_id, link):
                yield found
                return
        yield _unpacked(packed)


def open_below(root: int, path: str) -> FileIO:
    """Open a regular file without following a link out of the folder `root`.

    Links are followed as in processes with that root. Raises OSError if there is no such file.
    """
    assert sys.platform != "win32"
    folder = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    pending = _parts(path)
    opened = [FileDescriptor(os.dup, root)]
    links = 0
    try:
        while pending:
            part = pending.pop()
            if part == "..":
                if len(opened) > 1:
                    opened.pop().close()
                continue
            opened.append(FileDescriptor(os.open, part, folder, dir_fd=opened[-1].fileno()))
            if not stat.S_ISLNK(os.fstat(opened[-1].fileno()).st_mode):
                continue
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            target = os.readlink("", dir_fd=opened[-1].fileno())
            opened.pop().close()
            while target.startswith("/") and len(opened) > 1:
                opened.pop().close()
            pending += _parts(target)
        if not stat.S_ISREG(os.fstat(opened[-1].fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        again = f"/proc/self/fd/{opened[-1].fileno()}"
        return FileDescriptor(os.open, again, os.O_RDONLY | os.O_CLOEXEC).into_file("rb")
    finally:
        for each in opened:
            each.close()


def _parts(path: str) -> list[str]:
    """Return the parts of a path in reverse order."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def _open_in_target(session: Target, path: str) -> FileIO:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    with (
        FileDescriptor(session._open_folder, True) as folder,
        FileDescriptor(os.open, "root", flags, dir_fd=folder.fileno()) as root,
    ):
        return open_below(root.fileno(), path)


def _build_id(session: Target, image: Image) -> str | None:
    read = memory_reader(session)

    def read_segment(segment: Segment) -> bytes:
        return read((segment.address + image.bias) % 2**64, segment.file_size)

    try:
        return None if image.headers is None else build_id_of(image.headers, read_segment)
    except not_from_handler(ValueError):
        return None


def _link_of(read: Reader) -> tuple[str, int] | None:
    """Return the name and the CRC in .gnu_debuglink; the CRC follows, aligned."""
    content = read_named_section(read, b".gnu_debuglink")
    if content is None:
        return None
    name, _, _ = content.partition(b"\0")
    place = (len(name) + 4) // 4 * 4
    if not name or b"/" in name or name in (b".", b"..") or len(content) < place + 4:
        return None
    (crc,) = struct.unpack_from(f"{read_headers(read).order}I", content, place)
    return name.decode(errors="surrogateescape"), crc


def _paths(image: Image, build_id: str | None, link: tuple[str, int] | None) -> list[str]:
    paths = []
    if build_id is not None and len(build_id) > 2:
        paths.append(f"usr/lib/debug/.build-id/{build_id[:2]}/{build_id[2:]}.debug")
    if link is not None:
        folder = image.path.rpartition("/")[0]
        name = link[0]
        paths += [f"{folder}/{name}", f"{folder}/.debug/{name}", f"usr/lib/debug{folder}/{name}"]
    return paths


def _fits(file: IO[bytes], build_id: str | None, link: tuple[str, int] | None) -> bool:
    """Is it of that build? If no build id decides, the CRC of the whole file does."""
    read = reader_of(file)
    try:
        headers = read_headers(read)
        found = build_id_of(headers, lambda part: read_whole(read, part.offset, part.file_size))
    except not_from_handler(ValueError, OSError):
        return False
    if build_id is not None and found is not None:
        return found == build_id
    if link is None or os.fstat(file.fileno()).st_size > _MOST_BYTES:
        return False
    import zlib

    crc = 0
    file.seek(0)
    while piece := file.read(_PIECE):
        crc = zlib.crc32(piece, crc)
    return crc == link[1]


def _unpacked(packed: bytes | None) -> IO[bytes] | None:
    if packed is None:
        return None
    try:
        import lzma
    except ImportError:  # this Python was built without it
        return None
    try:
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_OF_DECODER)
        found = BytesIO()
        piece = unpacker.decompress(packed, _PIECE)  # the rest it keeps
        while piece and found.tell() + len(piece) <= _MOST_UNPACKED:
            found.write(piece)
            piece = b"" if unpacker.eof else unpacker.decompress(b"", _PIECE)
    except not_from_handler(lzma.LZMAError):
        return None
    return found if unpacker.eof and not piece else None
