"""The headers of an ELF file, as it is on disk or as the loader mapped it (elf(5)).

Only what needs no symbols: where the parts go, where the sections are, and the build id. It is read
out of a live target or its files, so everything is checked: nothing here trusts a number of theirs.
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
_NT_GNU_BUILD_ID: Final = 3
_MOST_SEGMENTS: Final = 512
_MOST_NOTES: Final = 1 << 16

#: Reads that many bytes from that place on: from the file's, or from the module's beginning.
#: Fewer where that is the end.
Reader = Callable[[int, int], bytes]


#: An entry of a table; then, in the file's header, the form and place of the table's offset, and
#: the place of its sizes: how many bytes an entry has, and how many entries there are.
_PROGRAM_HEADERS: Final = {64: ("2I6Q", "Q", 32, 54), 32: ("8I", "I", 28, 42)}
_SECTION_HEADERS: Final = {64: ("2I4Q2I2Q", "Q", 40, 58), 32: ("10I", "I", 32, 46)}
_Layouts: TypeAlias = dict[int, tuple[str, str, int, int]]


class Segment(NamedTuple):
    """A part of the file (Elf64_Phdr): what it is, where in the file, and where in memory."""

    kind: int
    offset: int
    address: int
    file_size: int
    memory_size: int


class Section(NamedTuple):
    """A part of the file (Elf64_Shdr): what it is, where, and the number of the one it needs."""

    kind: int
    offset: int
    size: int
    link: int


class ElfHeaders(NamedTuple):
    """What an ELF file says of itself."""

    bits: int
    order: str  # of bytes, as struct names it
    segments: list[Segment]
    #: Those of them that the loader maps.
    loads: list[Segment]

    @property
    def dynamic(self) -> Segment | None:
        """Where the dynamic linker's data is; None: the file is linked statically."""
        return next((each for each in self.segments if each.kind == _PT_DYNAMIC), None)

    def extent(self, page: int) -> tuple[int, int]:
        """The first address of the parts and the end of the last, in whole pages.

        Raises ValueError where the address space has no room for them.
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
        """What may be added to the file's addresses where a mapping from `offset` is at `start`.

        Parts may share a page of the file, so there can be several.
        """
        return [
            start - offset + each.offset - each.address
            for each in self.loads
            if each.offset // page * page <= offset < each.offset + each.file_size
        ]


def read_headers(read: Reader) -> ElfHeaders:
    """The headers; ValueError where it is no ELF file, or makes no sense."""
    bits, order, rows = _table(read, "program", _PROGRAM_HEADERS)
    if not 0 < len(rows) <= _MOST_SEGMENTS:
        raise ValueError(f"it has {len(rows)} program headers")
    return _headers(bits, order, rows)


def headers_of_table(bits: int, raw: bytes) -> ElfHeaders:
    """The headers that a table of program headers of this machine's byte order makes."""
    order = "<" if sys.byteorder == "little" else ">"
    return _headers(bits, order, struct.iter_unpack(order + _PROGRAM_HEADERS[bits][0], raw))


def _headers(bits: int, order: str, rows: Iterable[tuple[int, ...]]) -> ElfHeaders:
    fields = itemgetter(0, 2, 3, 5, 6) if bits == 64 else itemgetter(0, 1, 2, 4, 5)
    segments = [Segment(*fields(row)) for row in rows]
    loads = [each for each in segments if each.kind == _PT_LOAD and each.memory_size]
    return ElfHeaders(bits, order, segments, loads)


def read_sections(read: Reader) -> list[Section]:
    """The sections, none where they were stripped; ValueError as from read_headers()."""
    rows = _table(read, "section", _SECTION_HEADERS)[2]
    return [Section(kind, offset, size, link) for _, kind, _, _, offset, size, link, *_ in rows]


def read_named_section(read: Reader, name: bytes) -> bytes | None:
    """The content of the section of that name; None: there is none. ValueError as above."""
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
    """So many bytes; ValueError where the file ends before."""
    content = read(offset, size)
    if len(content) != size:
        raise ValueError(f"it ends within the {size:,} bytes at 0x{offset:x}")
    return content


def _table(read: Reader, name: str, layouts: _Layouts) -> tuple[int, str, list[tuple[int, ...]]]:
    """A table that the file's header points to: its width, byte order, and entries."""
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
    """The build id that the linker left in a note (ld --build-id), in hex; None: there is none."""
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
