"""The headers of an ELF file, on disk or as mapped by the loader (elf(5)).

It reads segments, sections and the build id, but not symbols. The data comes from a live target or
its files, so every number is checked before it is used.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias

__all__ = [
    "ElfHeaders",
    "Reader",
    "Section",
    "Segment",
    "build_id_of",
    "headers_of_table",
    "read_headers",
    "read_named_section",
    "read_sections",
    "read_whole",
]

_PT_LOAD, _PT_DYNAMIC, _PT_NOTE = 1, 2, 4
_PF_W: Final = 2
_NT_GNU_BUILD_ID: Final = 3
_MOST_SEGMENTS: Final = 512
_MOST_NOTES: Final = 1 << 16

#: Reads that many bytes from an offset in the file or module; fewer at its end.
Reader = Callable[[int, int], bytes]


#: The format of a table's entry; then, in the file header, the format and place of the table's
#: offset, and the place of its entry size and entry count.
_PROGRAM_HEADERS: Final = {64: ("2I6Q", "Q", 32, 54), 32: ("8I", "I", 28, 42)}
_SECTION_HEADERS: Final = {64: ("2I4Q2I2Q", "Q", 40, 58), 32: ("10I", "I", 32, 46)}
_Layouts: TypeAlias = dict[int, tuple[str, str, int, int]]


class Segment(NamedTuple):
    """A segment (Elf64_Phdr): its type, its place in the file and in memory, and its rights."""

    kind: int
    offset: int
    address: int
    file_size: int
    memory_size: int
    flags: int

    @property
    def is_writable(self) -> bool:
        """True if the loader may write it, also if it is read-only afterwards (PT_GNU_RELRO)."""
        return bool(self.flags & _PF_W)


class Section(NamedTuple):
    """A section (Elf64_Shdr): its type, places in memory and in the file, and linked section."""

    kind: int
    address: int
    offset: int
    size: int
    link: int


class ElfHeaders(NamedTuple):
    """The headers of an ELF file."""

    bits: int
    order: str  # byte order, as the struct module names it
    segments: list[Segment]
    #: The segments that the loader maps.
    loads: list[Segment]

    @property
    def dynamic(self) -> Segment | None:
        """The dynamic segment; None for a statically linked file."""
        return next((each for each in self.segments if each.kind == _PT_DYNAMIC), None)

    def extent(self, page: int) -> tuple[int, int]:
        """Return the first address of the segments and the end of the last, in whole pages.

        Raises ValueError if they exceed the address space.
        """
        loads = self.loads
        if not loads:
            raise ValueError("no part of it is loaded")
        first = min(each.address for each in loads) // page * page
        end = max(each.address + each.memory_size for each in loads)
        if end > 2**self.bits - page:
            raise ValueError(f"its parts end at 0x{end:x}")
        return first, -(-end // page) * page

    def biases(self, start: int, offset: int, page: int) -> list[int]:
        """Return the possible load biases if file offset `offset` is mapped at `start`.

        Segments can share a page of the file, so there can be several. Each is a multiple of a
        page: a loader maps whole ones (gABI, "Program Loading").
        """
        return [
            bias
            for each in self.loads
            if each.offset // page * page <= offset < each.offset + each.file_size
            and (bias := start - offset + each.offset - each.address) % page == 0
        ]


def read_headers(read: Reader) -> ElfHeaders:
    """Read the headers. ValueError if it is no ELF file or is inconsistent."""
    bits, order, rows = _table(read, "program", _PROGRAM_HEADERS)
    if not 0 < len(rows) <= _MOST_SEGMENTS:
        raise ValueError(f"it has {len(rows)} program headers")
    return _headers(bits, order, rows)


def headers_of_table(bits: int, raw: bytes) -> ElfHeaders:
    """Make headers from a table of program headers in this machine's byte order."""
    order = "<" if sys.byteorder == "little" else ">"
    return _headers(bits, order, struct.iter_unpack(order + _PROGRAM_HEADERS[bits][0], raw))


def _headers(bits: int, order: str, rows: Iterable[tuple[int, ...]]) -> ElfHeaders:
    fields = itemgetter(0, 2, 3, 5, 6, 1) if bits == 64 else itemgetter(0, 1, 2, 4, 5, 6)
    segments = [Segment(*fields(row)) for row in rows]
    loads = [each for each in segments if each.kind == _PT_LOAD and each.memory_size]
    return ElfHeaders(bits, order, segments, loads)


def read_sections(read: Reader) -> list[Section]:
    """Read the sections, none if they were removed. ValueError as for read_headers()."""
    rows = _table(read, "section", _SECTION_HEADERS)[2]
    return [Section(*row[1:2], *row[3:7]) for row in rows]


def read_named_section(read: Reader, name: bytes) -> bytes | None:
    """Read the section of that name; None if there is none. ValueError as above."""
    bits, order, rows = _table(read, "section", _SECTION_HEADERS)
    (index,) = struct.unpack_from(f"{order}H", read(0, 64), _SECTION_HEADERS[bits][3] + 4)
    if not 0 < index < len(rows):
        return None
    names = _content(read, rows[index])
    for row in rows:
        if names.startswith(name + b"\0", row[0]):
            return _content(read, row)
    return None


def _content(read: Reader, row: tuple[int, ...]) -> bytes:
    return read_whole(read, row[4], row[5])


def read_whole(read: Reader, offset: int, size: int) -> bytes:
    """Read size bytes. ValueError if the file ends before."""
    content = read(offset, size)
    if len(content) != size:
        raise ValueError(f"it ends within the {size:,} bytes at 0x{offset:x}")
    return content


def _table(read: Reader, name: str, layouts: _Layouts) -> tuple[int, str, list[tuple[int, ...]]]:
    """Read a table that the file header points to: its width, byte order and entries."""
    start = read(0, 64)
    if (
        len(start) < 64
        or start[:4] != b"\x7fELF"
        or start[4] not in (1, 2)
        or start[5] not in (1, 2)
    ):
        raise ValueError("it does not begin with an ELF header")
    bits, order = 32 * start[4], "<" if start[5] == 1 else ">"
    form, address, offset_at, sizes_at = layouts[bits]
    (offset,) = struct.unpack_from(order + address, start, offset_at)
    size, count = struct.unpack_from(f"{order}2H", start, sizes_at)
    form = order + form
    if offset == 0:
        count = 0
    # A count of 0 stands for 65,280 sections or more, which no linker makes of a program.
    elif count == 0 or size != struct.calcsize(form):
        raise ValueError(f"its {name} headers have {size} bytes, {count} of them")
    return bits, order, list(struct.iter_unpack(form, read_whole(read, offset, size * count)))


def build_id_of(headers: ElfHeaders, read: Callable[[Segment], bytes]) -> str | None:
    """Return the build id from the linker's note (ld --build-id) in hex, or None."""
    left = _MOST_NOTES
    for segment in headers.segments:
        if segment.kind != _PT_NOTE or not 0 < segment.file_size <= left:
            continue
        left -= segment.file_size
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
