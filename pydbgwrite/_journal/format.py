r"""The format of a journal: framed records, chained by checksums.

A journal is only ever appended to. In version 2, which this package writes:

    "PDBGWJNL", version, CRC-32 of both          16 bytes
    records: a head  (kind, unit, number, length of the payload, checksum of these)  32 bytes
             a payload, and zeros up to a multiple of 8
             a tail  (checksum of the payload and its zeros, "END\n", four zeros)     16 bytes

Numbers are little-endian. A checksum has 64 bits (_core.checksum). Each one continues the one
before it, so no record can be left out, moved, or copied from another journal: the first record,
the header, holds a random number. The checksums find damage. They are no signature: who can write
to the file can forge them.

The records of writes that begin together share a sync: all of them are in the file before the
first of their writes begins. Each but the first is marked as joined to the one before it.

Version 1 differs in this: a checksum is a CRC-32, no zeros follow a payload, none follow "END\n",
and no records are joined. Its journals are read and undone; an undo appends marks of version 1.

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
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from pydbgwrite import _core
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import JournalError

__all__ = [
    "COMMITTED",
    "CUT_SHORT",
    "FILE_HEAD_SIZE",
    "FRAMINGS",
    "HEAD",
    "HEADER",
    "JOINED",
    "SCATTERED",
    "SETTLED",
    "UNDOING",
    "UNDONE",
    "VERSION",
    "WRITE",
    "BinaryFile",
    "Frame",
    "Framing",
    "damaged",
    "is_not_begun",
    "not_begun",
    "read_all",
    "read_at",
    "read_file_head",
    "write_all",
]

VERSION: Final = 2
_MAGIC: Final = b"PDBGWJNL"
_FILE_HEAD: Final = struct.Struct("<8sI")
_CRC: Final = struct.Struct("<I")
FILE_HEAD_SIZE: Final = _FILE_HEAD.size + _CRC.size
#: The head of a record, without its checksum.
HEAD: Final = struct.Struct("<IIQQ")

HEADER, WRITE, SCATTERED, CUT_SHORT, COMMITTED, UNDOING, SETTLED, UNDONE = range(1, 9)
_KINDS: Final = frozenset(range(1, 9))
#: Added to the kind of a write that begins together with that of the record before it.
JOINED: Final = 0x100
_GROUPED: Final = frozenset((WRITE | JOINED, SCATTERED | JOINED))

# A piece has 1 MiB of target bytes, and at most four times that in addresses and values.
_LONGEST: Final = 64 << 20
_BLOCK: Final = 1 << 20


class BinaryFile(Protocol):
    """The methods of an unbuffered binary file that a journal uses."""

    def read(self, size: int = ..., /) -> bytes: ...
    def write(self, data: bytes | memoryview, /) -> int: ...
    def seek(self, offset: int, whence: int = ..., /) -> int: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


class Frame(NamedTuple):
    """A complete record in a file. place: the payload's. chain: the checksum after the record."""

    kind: int
    unit: int
    place: int  # offset in the file
    payload: bytes
    end: int
    chain: int


class Framing(NamedTuple):
    """How one version of the format frames a record. checksum(data, the one before it)."""

    version: int
    checksum: Callable[[bytes, int], int]
    form: struct.Struct  # of a checksum
    multiple: int  # zeros fill a payload up to a multiple of this
    tail: bytes  # after the last checksum
    kinds: frozenset[int]
    magic: bytes = _MAGIC

    @property
    def head_size(self) -> int:
        """The bytes before a payload."""
        return HEAD.size + self.form.size

    def file_head(self) -> bytes:
        """Return the first bytes of every file of this version."""
        head = _FILE_HEAD.pack(self.magic, self.version)
        return head + _CRC.pack(zlib.crc32(head))

    def begin(self) -> int:
        """Return the checksum after the first bytes of a journal."""
        return self.checksum(self.file_head(), 0)

    def encode(
        self, kind: int, unit: int, number: int, chain: int, parts: list[bytes]
    ) -> tuple[bytes, int]:
        """Return a record as bytes, and the checksum after it."""
        payload = b"".join(parts)
        head = HEAD.pack(kind, unit, number, len(payload))
        sealed = self.checksum(head, chain)
        payload += bytes(-len(payload) % self.multiple)
        chain = self.checksum(payload, sealed)
        return b"".join(
            [head, self.form.pack(sealed), payload, self.form.pack(chain), self.tail]
        ), chain

    def next_frame(
        self, file: BinaryFile, offset: int, size: int, number: int, chain: int, name: str
    ) -> Frame | None:
        """Return the record at offset, or None if it is torn. Raises JournalError for damage."""
        file.seek(offset)
        sealed = read_all(file, self.head_size)
        if len(sealed) < self.head_size:
            return None
        head = sealed[: HEAD.size]
        chain = self.checksum(head, chain)
        if chain != self.form.unpack_from(sealed, HEAD.size)[0]:
            if _zeros(file, offset + HEAD.size, size):  # from anywhere in the head on
                return None
            raise damaged(name, offset, f"the head of record {number} does not fit its checksum")
        kind, unit, stated, length = HEAD.unpack(head)
        if kind not in self.kinds or stated != number or length > _LONGEST:
            raise damaged(
                name, offset, f"record {number} has a kind that this version does not write"
            )
        place = offset + self.head_size
        filled = length + -length % self.multiple
        end = place + filled + self.form.size + len(self.tail)
        if end > size:
            return None
        payload = read_all(file, filled)
        tail = read_all(file, end - place - filled)
        if len(payload) + len(tail) < end - place:
            return None  # the file was truncated while it was read
        chain = self.checksum(payload, chain)
        if tail != self.form.pack(chain) + self.tail:
            if end == size and not any(tail[self.form.size :]):
                return None
            raise damaged(
                name, offset, f"the contents of record {number} do not fit their checksum"
            )
        return Frame(kind, unit, place, payload[:length], end, chain)


#: By their versions.
FRAMINGS: Final = {
    1: Framing(1, zlib.crc32, _CRC, 1, b"END\n", _KINDS),
    2: Framing(2, _core.checksum, struct.Struct("<Q"), 8, b"END\n\0\0\0\0", _KINDS | _GROUPED),
}


def read_file_head(file: BinaryFile, name: str) -> Framing:
    """Read a journal's first bytes. JournalError for a version that this package can't read."""
    file.seek(0)
    head = read_all(file, FILE_HEAD_SIZE)
    if len(head) < FILE_HEAD_SIZE and any(
        each.file_head().startswith(head) for each in FRAMINGS.values()
    ):
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
    if version not in FRAMINGS:
        age = "an older" if version < min(FRAMINGS) else "a newer"
        raise JournalError(
            f"{name} is of {age} version of pydbgwrite: its format is {version}, and this version "
            f"reads {' and '.join(map(str, FRAMINGS))}; undo it with the version that wrote it. "
            "Nothing was written to the target"
        )
    return FRAMINGS[version]


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


def is_not_begun(error: Exception) -> bool:
    """Return whether that is the error of not_begun()."""
    return isinstance(error, JournalError) and error._not_begun


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
