r"""The format of a journal: framed records, chained by checksums.

A journal is only ever appended to:

    "PDBGWJNL", version, CRC-32 of both          16 bytes
    records: a head  (kind, unit, number, length of the payload, CRC-32 of these)   28 bytes
             a payload
             a tail  (CRC-32 of the payload, "END\n")                                8 bytes

Numbers are little-endian. Each CRC-32 continues the one before it, so no record can be left out,
moved, or copied from another journal: the first record, the header, holds a random number.

The file can end anywhere, since its writer can be killed at any moment. An incomplete record at the
end of the file is torn: its write did not begin. (After a crash of the machine, the last blocks of
a grown file can also be zeros.) Any other mismatch is damage: the whole journal is rejected.
"""

from __future__ import annotations

import io
import os
import struct
import sys
import zlib
from typing import Final, NamedTuple, Protocol

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import JournalError

__all__ = [
    "COMMITTED",
    "CUT_SHORT",
    "FILE_HEAD_SIZE",
    "HEAD",
    "HEADER",
    "HEAD_SIZE",
    "KINDS",
    "SCATTERED",
    "SETTLED",
    "UNDOING",
    "UNDONE",
    "VERSION",
    "WRITE",
    "BinaryFile",
    "Frame",
    "damaged",
    "encode",
    "file_head",
    "next_frame",
    "not_begun",
    "read_all",
    "read_at",
    "read_file_head",
    "write_all",
]

VERSION: Final = 1
_MAGIC: Final = b"PDBGWJNL"
_FILE_HEAD: Final = struct.Struct("<8sI")
_CRC: Final = struct.Struct("<I")
FILE_HEAD_SIZE: Final = _FILE_HEAD.size + _CRC.size
HEAD: Final = struct.Struct("<IIQQ")
HEAD_SIZE: Final = HEAD.size + _CRC.size
_TAIL: Final = struct.Struct("<I4s")
_END: Final = b"END\n"

HEADER, WRITE, SCATTERED, CUT_SHORT, COMMITTED, UNDOING, SETTLED, UNDONE = range(1, 9)
KINDS: Final = range(1, 9)

# A piece has 1 MiB of target bytes, and at most four times that in addresses and values.
_LONGEST: Final = 64 << 20
_BLOCK: Final = 1 << 20


class BinaryFile(Protocol):
    """The methods of an unbuffered binary file that a journal uses."""

    def read(self, size: int = ..., /) -> bytes: ...
    def write(self, data: bytes | memoryview, /) -> int: ...
    def seek(self, offset: int, whence: int = ..., /) -> int: ...
    def truncate(self, size: int, /) -> int: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


class Frame(NamedTuple):
    """A complete record: the place of its payload, and the checksum after it."""

    kind: int
    unit: int
    payload: int  # offset in the file
    length: int
    end: int
    chain: int


def file_head() -> bytes:
    """Return the first bytes of every journal of this version."""
    head = _FILE_HEAD.pack(_MAGIC, VERSION)
    return head + _CRC.pack(zlib.crc32(head))


def read_file_head(file: BinaryFile, name: str) -> int:
    """Return the checksum after a journal's first bytes. JournalError for another version."""
    file.seek(0)
    head = read_all(file, FILE_HEAD_SIZE)
    if len(head) < FILE_HEAD_SIZE and file_head().startswith(head):
        raise not_begun(name, len(head))
    if not head.startswith(_MAGIC):
        raise JournalError(
            f"{name} is not a journal of pydbgwrite, or its first bytes are damaged: a journal "
            f"begins with {_MAGIC.decode()}, this with {head[:8]!r}; nothing was written to the "
            "target"
        )
    fixed = head[: _FILE_HEAD.size]
    if _CRC.pack(zlib.crc32(fixed)) != head[_FILE_HEAD.size :]:
        raise damaged(name, 0, "its first 16 bytes do not fit their checksum")
    version = _FILE_HEAD.unpack(fixed)[1]
    if version != VERSION:
        age = "an older" if version < VERSION else "a newer"
        raise JournalError(
            f"{name} is of {age} version of pydbgwrite: its format is {version}, and this version "
            f"reads {VERSION}; undo it with the version that wrote it. Nothing was written to the "
            "target"
        )
    return zlib.crc32(head)


def encode(kind: int, unit: int, number: int, chain: int, parts: list[bytes]) -> tuple[bytes, int]:
    """Return a record as bytes, and the checksum after it."""
    head = HEAD.pack(kind, unit, number, sum(map(len, parts)))
    chain = zlib.crc32(head, chain)
    sealed = head + _CRC.pack(chain)
    for part in parts:
        chain = zlib.crc32(part, chain)
    return b"".join([sealed, *parts, _TAIL.pack(chain, _END)]), chain


def next_frame(
    file: BinaryFile, offset: int, size: int, number: int, chain: int, name: str
) -> Frame | None:
    """Return the record at offset, or None if it is torn. Raises JournalError for damage."""
    file.seek(offset)
    sealed = read_all(file, HEAD_SIZE)
    if len(sealed) < HEAD_SIZE:
        return None
    head = sealed[: HEAD.size]
    chain = zlib.crc32(head, chain)
    if chain != _CRC.unpack_from(sealed, HEAD.size)[0]:
        if _zeros(file, offset, size):
            return None
        raise damaged(name, offset, f"the head of record {number} does not fit its checksum")
    kind, unit, stated, length = HEAD.unpack(head)
    if kind not in KINDS or stated != number or length > _LONGEST:
        raise damaged(name, offset, f"record {number} has a kind that this version does not write")
    payload = offset + HEAD_SIZE
    end = payload + length + _TAIL.size
    if end > size:
        return None
    left = length
    while left > 0:
        block = read_all(file, min(left, _BLOCK))
        if not block:
            return None  # the file was truncated while it was read
        chain = zlib.crc32(block, chain)
        left -= len(block)
    tail = read_all(file, _TAIL.size)
    if tail != _TAIL.pack(chain, _END):
        if end == size and not any(tail):
            return None
        raise damaged(name, offset, f"the contents of record {number} do not fit their checksum")
    return Frame(kind, unit, payload, length, end, chain)


def damaged(name: str, offset: int, what: str) -> JournalError:
    """Return the error for a damaged journal."""
    return JournalError(
        f"the journal {name} is damaged at byte {offset:,}: {what}. Nothing was written to the "
        "target. An undo needs every record: use an intact copy of the file"
    )


def not_begun(name: str, size: int) -> JournalError:
    """Return the error for a journal that ends within its header."""
    error = JournalError(
        f"the journal {name} has only {size:,} bytes and ends before its header does: its "
        "transaction had not begun, and there is nothing to undo"
    )
    error._not_begun = True
    return error


def write_all(file: BinaryFile, data: bytes) -> None:
    """Write all of the data to an unbuffered file, which can accept it in parts."""
    done = file.write(data)
    if done == len(data):
        return
    view = memoryview(data)
    while done < len(data):
        taken = file.write(view[done:])
        if not taken:
            raise OSError("the file accepts no more data")
        done += taken


def read_all(file: BinaryFile, size: int) -> bytes:
    """Read up to size bytes from an unbuffered file, which can return them in parts."""
    data = file.read(size)
    if len(data) == size or not data:
        return data
    parts = [data]
    left = size - len(data)
    while left:
        data = file.read(left)
        if not data:
            break
        parts.append(data)
        left -= len(data)
    return b"".join(parts)


def read_at(file: BinaryFile, offset: int, size: int) -> bytes:
    """Return the bytes at that offset, up to size.

    By pread(2): a forked child has the position of an open file in common with its parent, and must
    not move it under an append of the parent's. Windows has no fork, and memory is not shared.
    """
    if sys.platform == "win32":
        file.seek(offset)
        return read_all(file, size)
    try:
        descriptor = file.fileno()
    except not_from_handler(io.UnsupportedOperation):
        file.seek(offset)
        return read_all(file, size)
    data = os.pread(descriptor, size, offset)
    while 0 < len(data) < size:
        more = os.pread(descriptor, size - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data


def _zeros(file: BinaryFile, offset: int, size: int) -> bool:
    file.seek(offset)
    while offset < size:
        block = read_all(file, min(_BLOCK, size - offset))
        if not block:
            break
        if any(block):
            return False
        offset += len(block)
    file.seek(0, io.SEEK_END)
    return True
