"""Small ELF files, assembled from pieces: the fuzzer begins with them.

A file has one part that is loaded, and every address in it is an offset in the file.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["DATA", "Symbol", "elf_file"]

OBJECT, FUNCTION, TLS, INDIRECT, UNIQUE = 0x11, 0x12, 0x16, 0x1A, 0xA1
#: The offset of variables: behind all tables.
DATA = 0x1000
_SIZE = 0x100
_DEBUG_SECTIONS = {".gnu_debuglink", ".gnu_debugdata"}


class Symbol(NamedTuple):
    """A dynamic symbol; section 0 means that another file defines it."""

    name: str
    value: int
    info: int = OBJECT
    section: int = 1
    other: int = 0
    version: int = 1


def _strings(names: Sequence[str]) -> tuple[bytes, list[int]]:
    raw, places = b"\0", []
    for name in names:
        places.append(len(raw))
        raw += name.encode() + b"\0"
    return raw, places


def elf_file(
    symbols: Sequence[Symbol],
    *,
    bits: int = 64,
    order: str = "<",
    relocations: Sequence[tuple[int, int, int]] = (),
    tags: Sequence[tuple[int, int]] = (),
    gnu_hash: bool = False,
    symtab: bool = True,
    sections: bool = True,
    more: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return a file.

    relocations: place, number of the symbol, kind; tags: more entries of the dynamic section.
    """
    wide = bits == 64
    word = "Q" if wide else "I"
    machine = 62 if wide else 3
    header_size, entry_size, section_size = (64, 56, 64) if wide else (52, 32, 40)
    strings, places = _strings([*(each.name for each in symbols), "V_1", "V_2", "libx.so"])

    def symbol(at: int, each: Symbol) -> bytes:
        if wide:
            return struct.pack(
                f"{order}IBBHQQ", at, each.info, each.other, each.section, each.value, 8
            )
        return struct.pack(f"{order}IIIBBH", at, each.value, 8, each.info, each.other, each.section)

    table = bytes(24 if wide else 16)
    table += b"".join(symbol(at, each) for at, each in zip(places, symbols, strict=False))
    count = len(symbols) + 1
    if gnu_hash:
        chain = [*[2] * (count - 2), 3]
        hashes = struct.pack(f"{order}4I{word}I{count - 1}I", 1, 1, 1, 0, 0, 1, *chain)
    else:
        hashes = struct.pack(f"{order}3I{count}I", 1, count, 1, *range(count))
    numbers = struct.pack(f"{order}{count}H", 0, *(each.version for each in symbols))
    one, two, name = places[-3:]
    defined = struct.pack(f"{order}4H3I2I", 1, 0, 2, 1, 0, 20, 28, one, 0)
    defined += struct.pack(f"{order}4H3I2I", 1, 0, 3, 1, 0, 20, 0, two, 0)
    needed = struct.pack(f"{order}2H3II2H2I", 1, 1, name, 16, 0, 0, 0, 4, one, 0)
    places_of = b"".join(
        struct.pack(f"{order}3{word}", place, number << (32 if wide else 8) | kind, 0)
        for place, number, kind in relocations
    )
    note = struct.pack(f"{order}3I4s8s", 4, 8, 3, b"GNU\0", bytes(range(8)))

    pieces = [hashes, table, strings, numbers, defined, needed, places_of, note]
    at = header_size + 3 * entry_size
    starts = []
    for piece in pieces:
        at = -(-at // 8) * 8
        starts.append(at)
        at += len(piece)
    hash_at, table_at, strings_at, numbers_at, defined_at, needed_at, rela_at, note_at = starts
    dynamic_at = -(-at // 8) * 8
    dynamic = [
        (0x6FFFFEF5 if gnu_hash else 4, hash_at),
        *((5, strings_at), (6, table_at), (10, len(strings)), (11, len(table) // count)),
        *((0x6FFFFFF0, numbers_at), (0x6FFFFFFC, defined_at), (0x6FFFFFFE, needed_at)),
        *(((7, rela_at), (8, len(places_of))) if relocations else ()),
        *tags,
        (0, 0),
    ]
    listed = b"".join(struct.pack(f"{order}2{word}", *each) for each in dynamic)
    assert dynamic_at + len(listed) <= DATA

    content = bytearray(DATA + _SIZE)
    for start, piece in zip([*starts, dynamic_at], [*pieces, listed], strict=True):
        content[start : start + len(piece)] = piece
    content[DATA:] = bytes(range(_SIZE))

    def part(kind: int, start: int, size: int) -> bytes:
        if wide:
            return struct.pack(f"{order}2I6Q", kind, 6, start, start, start, size, size, 4096)
        return struct.pack(f"{order}8I", kind, start, start, start, size, size, 6, 4096)

    parts = part(1, 0, len(content)) + part(2, dynamic_at, len(listed))
    content[header_size : header_size + 3 * entry_size] = parts + part(4, note_at, len(note))
    section_at = 0
    rows: list[bytes] = []
    if sections:
        kinds = {
            ".dynsym": (11, table_at, len(table), 2),
            ".dynstr": (3, strings_at, len(strings), 0),
            ".gnu.version": (0x6FFFFFFF, numbers_at, len(numbers), 1),
            ".gnu.version_d": (0x6FFFFFFD, defined_at, len(defined), 2),
            ".gnu.version_r": (0x6FFFFFFE, needed_at, len(needed), 2),
        }
        if symtab:
            kinds[".symtab"] = (2, table_at, len(table), 2)
        for title, raw in (more or {}).items():
            kinds[title] = (1, len(content), len(raw), 0)
            content += raw
        names, titles = _strings([*kinds, ".shstrtab"])
        kinds[".shstrtab"] = (3, len(content), len(names), 0)
        content += names
        section_at = len(content)
        rows = [bytes(section_size)]
        for title_at, (kind, start, size, link) in zip(titles, kinds.values(), strict=True):
            row = (title_at, kind, 0, start, start, size, link, 0, 0, 0)
            rows.append(struct.pack(f"{order}2I4{word}2I2{word}", *row))
        content += b"".join(rows)
    ident = b"\x7fELF" + bytes([bits // 32, 1 if order == "<" else 2, 1])
    fields = (3, machine, 1, DATA, header_size, section_at, 0, header_size, entry_size, 3)
    header = struct.pack(
        f"{order}2HI3{word}I6H", *fields, section_size, len(rows), max(0, len(rows) - 1)
    )
    content[:header_size] = ident.ljust(16, b"\0") + header
    return bytes(content)
