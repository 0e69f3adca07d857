"""The dynamic section of an ELF file, which the dynamic linker uses (gABI, "Dynamic Section").

The dynamic linker never reads section headers, so these tables exist even if the headers were
removed. Addresses are those of the file, without the load bias. Every count is bounded by the
segment that holds its table.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias

from pydbgwrite._symbols.elf_headers import ElfHeaders, Reader, read_whole

__all__ = [
    "AddressReader",
    "Dynamic",
    "Relocation",
    "Relocations",
    "binds_at_once",
    "dynamic_entries",
    "is_symbolic",
    "reader_of_file",
]

#: Reads that many bytes from an address; ValueError if they are not all there.
AddressReader: TypeAlias = Callable[[int, int], bytes]

_DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ, _DT_SYMENT = 4, 5, 6, 10, 11
_DT_RELA, _DT_RELASZ, _DT_REL, _DT_RELSZ = 7, 8, 17, 18
_DT_PLTRELSZ, _DT_PLTREL, _DT_JMPREL = 2, 20, 23
_DT_SYMBOLIC, _DT_FLAGS, _DF_SYMBOLIC = 16, 30, 2
_DT_BIND_NOW, _DF_BIND_NOW = 24, 8
_DT_FLAGS_1, _DF_1_NOW = 0x6FFFFFFB, 1
_DT_GNU_HASH, _DT_VERSYM = 0x6FFFFEF5, 0x6FFFFFF0
_DT_VERDEF, _DT_VERNEED = 0x6FFFFFFC, 0x6FFFFFFE
_MOST_BYTES: Final = 1 << 16
_MOST_SEARCHES: Final = 50
_PIECE: Final = 4096


def dynamic_entries(headers: ElfHeaders, read: AddressReader) -> dict[int, int]:
    """Return the first value of each tag; empty for a statically linked file."""
    dynamic = headers.dynamic
    if dynamic is None:
        return {}
    form = headers.order + ("2Q" if headers.bits == 64 else "2I")
    step = struct.calcsize(form)
    size = min(dynamic.memory_size, _MOST_BYTES) // step * step
    found: dict[int, int] = {}
    for tag, value in struct.iter_unpack(form, read(dynamic.address, size)):
        if tag == 0:
            break
        found.setdefault(tag, value)
    return found


def is_symbolic(headers: ElfHeaders, read: AddressReader) -> bool:
    """Return whether the library binds references to its own symbols to itself (ld -Bsymbolic)."""
    entries = dynamic_entries(headers, read)
    return _DT_SYMBOLIC in entries or bool(entries.get(_DT_FLAGS, 0) & _DF_SYMBOLIC)


def binds_at_once(headers: ElfHeaders, read: AddressReader) -> bool:
    """Return whether all is bound when the file is loaded (ld -z now)."""
    entries = dynamic_entries(headers, read)
    return (
        _DT_BIND_NOW in entries
        or bool(entries.get(_DT_FLAGS, 0) & _DF_BIND_NOW)
        or bool(entries.get(_DT_FLAGS_1, 0) & _DF_1_NOW)
    )


def reader_of_file(headers: ElfHeaders, read: Reader) -> AddressReader:
    """Return a reader of a file by address."""

    def read_at(address: int, size: int) -> bytes:
        for part in headers.loads:
            place = address - part.address
            if place >= 0 and place + size <= part.file_size:
                return read_whole(read, part.offset + place, size)
        raise ValueError(f"no part of it has the {size:,} bytes at 0x{address:x}")

    return read_at


class Dynamic(NamedTuple):
    """The dynamic symbols with their strings, hashes and versions."""

    symbols: bytes
    strings: bytes
    #: .gnu.version; empty if there are no versions.
    versions: bytes
    #: The addresses of the version tables; 0 if there is none.
    defined: int
    needed: int

    @staticmethod
    def read(
        headers: ElfHeaders, read: AddressReader, bias: int = 0, least: int = 0
    ) -> Dynamic | None:
        """Read them; None if there are none. ValueError if they can't be read.

        bias: the load bias, which some dynamic linkers have added to addresses in the section.
        least: how many symbols there are at least. The hash table of a file that exports nothing
            does not count the symbols that it imports.
        """
        entries = dynamic_entries(headers, read)

        def address(tag: int) -> int:
            return _file_address(headers, entries.get(tag, 0), bias)

        symbols, strings = address(_DT_SYMTAB), address(_DT_STRTAB)
        if not symbols or not strings:
            return None
        size = struct.calcsize("=IBBHQQ" if headers.bits == 64 else "=IIIBBH")
        if entries.get(_DT_SYMENT, size) != size:
            raise ValueError(f"its symbols have {entries[_DT_SYMENT]} bytes each")
        tables = _Tables(headers, read)
        if address(_DT_GNU_HASH):
            count = tables.count_of_gnu_hash(address(_DT_GNU_HASH))
        elif address(_DT_HASH):
            (count,) = tables.numbers(address(_DT_HASH) + 4, 1)
        elif least:
            count = least
        else:
            raise ValueError("it has no hash table that says how many symbols there are")
        count = max(count, least)
        return Dynamic(
            tables.whole(symbols, count * size),
            tables.whole(strings, entries.get(_DT_STRSZ, 0)),
            tables.whole(address(_DT_VERSYM), count * 2) if address(_DT_VERSYM) else b"",
            address(_DT_VERDEF),
            address(_DT_VERNEED),
        )


class Relocation(NamedTuple):
    """A place where the dynamic linker writes; symbol: the number of a symbol, 0 for none."""

    place: int
    kind: int
    symbol: int


class Relocations:
    """What the dynamic linker writes into the file's data when it loads it, by symbol."""

    def __init__(self, headers: ElfHeaders, tables: list[tuple[bytes, bool]]) -> None:
        self._headers = headers
        self._tables = tables
        #: By symbol; made after many searches.
        self._index: dict[int, list[tuple[int, int]]] | None = None
        self._asked = 0
        self.size = sum(len(raw) for raw, _ in tables)

    @staticmethod
    def read(headers: ElfHeaders, read: AddressReader, bias: int, most: int) -> Relocations:
        """Those of DT_RELA and DT_REL, if they have no more bytes than that; ValueError as above.

        Calls through the procedure linkage table have a table of their own, and are not in it.
        """
        forms = ((_DT_RELA, _DT_RELASZ, True), (_DT_REL, _DT_RELSZ, False))
        return Relocations(headers, _read_tables(headers, read, bias, most, forms))

    @staticmethod
    def of_calls(headers: ElfHeaders, read: AddressReader, bias: int, most: int) -> Relocations:
        """Those of DT_JMPREL, which calls through the procedure linkage table use."""
        kind = dynamic_entries(headers, read).get(_DT_PLTREL)
        forms = ((_DT_JMPREL, _DT_PLTRELSZ, kind == _DT_RELA),)
        return Relocations(headers, _read_tables(headers, read, bias, most, forms))

    def by_symbol(self) -> Iterator[Relocation]:
        """All that have a symbol."""
        wide = self._headers.bits == 64
        shift, mask = (32, 0xFFFFFFFF) if wide else (8, 0xFF)
        for raw, addends in self._tables:
            form = f"{self._headers.order}{3 if addends else 2}{'Q' if wide else 'I'}"
            whole = len(raw) // struct.calcsize(form) * struct.calcsize(form)
            for place, info, *_ in struct.iter_unpack(form, memoryview(raw)[:whole]):
                if info >> shift:
                    yield Relocation(place, info & mask, info >> shift)

    def of(self, symbol: int) -> Iterable[tuple[int, int]]:
        """The places, and what is added to the symbol's value there (0 where that stands there)."""
        self._asked += 1
        if self._asked <= _MOST_SEARCHES:
            return self._search(symbol)
        if self._index is None:
            self._index = self._make_index()
        return self._index.get(symbol, ())

    def _make_index(self) -> dict[int, list[tuple[int, int]]]:
        index: dict[int, list[tuple[int, int]]] = {}
        wide = self._headers.bits == 64
        word = "Q" if wide else "I"
        for raw, addends in self._tables:
            form = f"{self._headers.order}{3 if addends else 2}{word}"
            size = struct.calcsize(form)
            for place, info, *addend in struct.iter_unpack(form, raw[: len(raw) // size * size]):
                symbol = info >> (32 if wide else 8)
                if symbol:
                    index.setdefault(symbol, []).append((place, addend[0] if addend else 0))
        return index

    def _search(self, symbol: int) -> Iterator[tuple[int, int]]:
        wide, order = self._headers.bits == 64, self._headers.order
        # Elfxx_Rel(a): r_offset; r_info, whose upper 32 or 24 bits are the symbol; r_addend.
        word = order + ("Q" if wide else "I")
        wanted = struct.pack(order + "I", symbol if wide else symbol << 8)
        at = 8 if wide else 4
        if order == "<":
            wanted, at = (wanted, 12) if wide else (wanted[1:], 5)
        elif not wide:
            wanted = wanted[:3]
        for raw, addends in self._tables:
            size = struct.calcsize(word) * (3 if addends else 2)
            found = raw.find(wanted)
            while found >= 0:
                start = found - at
                beyond = start % size
                if beyond == 0 and 0 <= start <= len(raw) - size:
                    (place,) = struct.unpack_from(word, raw, start)
                    addend = (
                        struct.unpack_from(word, raw, start + size * 2 // 3)[0] if addends else 0
                    )
                    yield place, addend
                found = raw.find(wanted, found + size - beyond)


def _read_tables(
    headers: ElfHeaders,
    read: AddressReader,
    bias: int,
    most: int,
    forms: Iterable[tuple[int, int, bool]],
) -> list[tuple[bytes, bool]]:
    """Read the tables whose address and size these tags have."""
    entries = dynamic_entries(headers, read)
    tables = _Tables(headers, read)
    found = []
    for start, size, addends in forms:
        if entries.get(start) and entries.get(size, 0) <= most:
            at = _file_address(headers, entries[start], bias)
            found.append((tables.whole(at, entries.get(size, 0)), addends))
    return found


def _file_address(headers: ElfHeaders, value: int, bias: int) -> int:
    """An address of the dynamic section as the file has it: some linkers have added the bias."""
    inside = bias and any(
        0 <= value - bias - each.address < each.memory_size for each in headers.loads
    )
    return value - bias if inside else value


class _Tables:
    """Reads tables of a file by their addresses."""

    def __init__(self, headers: ElfHeaders, read: AddressReader) -> None:
        self._headers = headers
        self._read = read

    def whole(self, address: int, size: int) -> bytes:
        """Read size bytes. ValueError if their segment ends before."""
        if size > self._left(address):
            raise ValueError(f"a table of {size:,} bytes at 0x{address:x} is not all in it")
        return self._read(address, size)

    def numbers(self, address: int, count: int) -> tuple[int, ...]:
        """Read count 32-bit numbers."""
        return struct.unpack(f"{self._headers.order}{count}I", self.whole(address, 4 * count))

    def count_of_gnu_hash(self, address: int) -> int:
        """Return the number of symbols: the last entry of the last chain has its lowest bit set."""
        buckets, first, bloom, _ = self.numbers(address, 4)
        at = address + 16 + bloom * self._headers.bits // 8
        last = max(self.numbers(at, buckets), default=0)
        if last < first:
            return first
        at += 4 * (buckets + last - first)
        left = self._left(at)
        for start in range(0, left - 3, _PIECE):
            size = min(_PIECE, left - start) // 4
            raw = self._read(at + start, 4 * size)
            for index, value in enumerate(struct.unpack(f"{self._headers.order}{size}I", raw)):
                if value & 1:
                    return last + start // 4 + index + 1
        raise ValueError("its hash table has no end")

    def _left(self, address: int) -> int:
        """Return how many bytes the segment has from that address on."""
        for part in self._headers.loads:
            if part.address <= address < part.address + part.file_size:
                return part.address + part.file_size - address
        raise ValueError(f"no part of it is loaded at 0x{address:x}")
