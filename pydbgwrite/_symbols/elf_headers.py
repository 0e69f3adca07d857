"""The headers of an ELF file, as it is on disk or as the loader mapped it (elf(5)).

Only what needs no symbols: where the parts go, and the build id. It is read out of a live target,
so everything is checked: nothing here trusts a number of the file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

__all__ = ["ElfHeaders", "Segment", "build_id_of", "read_headers"]

_PT_LOAD, _PT_NOTE = 1, 4
_NT_GNU_BUILD_ID: Final = 3
_MOST_SEGMENTS: Final = 4096
_MOST_NOTES: Final = 1 << 16

#: Reads that many bytes from that place on: from the file's, or from the module's beginning.
Reader = Callable[[int, int], bytes]


class Segment(NamedTuple):
    """A part of the file (Elf64_Phdr): what it is, where in the file, and where in memory."""

    kind: int
    offset: int
    address: int
    file_size: int


class ElfHeaders(NamedTuple):
    """What an ELF file says of itself."""

    bits: int
    order: str  # of bytes, as struct names it
    segments: list[Segment]

    def bias(self, base: int, offset: int) -> int:
        """What is added to the file's addresses where its part from `offset` on lies at `base`."""
        for segment in self.segments:
            # The kernel maps whole pages: the part begins at most a page (64 KiB) behind.
            if segment.kind == _PT_LOAD and 0 <= segment.offset - offset < 1 << 16:
                return base - (segment.address - (segment.offset - offset))
        raise ValueError("no part of it is loaded from there")


def read_headers(read: Reader) -> ElfHeaders:
    """The headers; ValueError where it is no ELF file, or makes no sense."""
    start = read(0, 64)
    if (
        len(start) < 52
        or start[:4] != b"\x7fELF"
        or start[4] not in (1, 2)
        or start[5] not in (1, 2)
    ):
        raise ValueError("it does not begin with an ELF header")
    order = "<" if start[5] == 1 else ">"
    if start[4] == 2:
        form, place, sizes = f"{order}2I6Q", 32, 54
        (table,) = struct.unpack_from(f"{order}Q", start, place)
    else:
        form, place, sizes = f"{order}8I", 28, 42
        (table,) = struct.unpack_from(f"{order}I", start, place)
    entry, count = struct.unpack_from(f"{order}2H", start, sizes)
    if entry != struct.calcsize(form) or not 0 < count <= _MOST_SEGMENTS:
        raise ValueError(f"its program headers have {entry} bytes, {count} of them")
    raw = read(table, entry * count)
    if len(raw) != entry * count:
        raise ValueError("its program headers are cut off")
    segments = []
    for values in struct.iter_unpack(form, raw):
        if start[4] == 2:
            kind, _flags, offset, address, _physical, file_size = values[:6]
        else:
            kind, offset, address, _physical, file_size = values[:5]
        segments.append(Segment(kind, offset, address, file_size))
    return ElfHeaders(64 if start[4] == 2 else 32, order, segments)


def build_id_of(headers: ElfHeaders, read: Callable[[Segment], bytes]) -> str | None:
    """The build id that the linker left in a note (ld --build-id), in hex; None: there is none."""
    for segment in headers.segments:
        if segment.kind != _PT_NOTE or not 0 < segment.file_size <= _MOST_NOTES:
            continue
        for kind, name, content in _notes(read(segment), headers.order):
            if kind == _NT_GNU_BUILD_ID and name == b"GNU\0" and content:
                return content.hex()
    return None


def _notes(raw: bytes, order: str) -> Iterator[tuple[int, bytes, bytes]]:
    at = 0
    while at + 12 <= len(raw):
        name_size, size, kind = struct.unpack_from(f"{order}3I", raw, at)
        name_at = at + 12
        content_at = name_at + (name_size + 3) // 4 * 4
        yield kind, raw[name_at : name_at + name_size], raw[content_at : content_at + size]
        at = content_at + (size + 3) // 4 * 4
