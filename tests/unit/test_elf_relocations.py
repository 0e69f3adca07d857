"""Relocations of a symbol, in each form that ELF files have (gABI, "Relocation")."""

from __future__ import annotations

import struct

import pytest

from pydbgwrite._symbols.elf_dynamic import Relocations
from pydbgwrite._symbols.elf_headers import ElfHeaders

# The bytes of these symbol numbers also appear at other places.
ENTRIES = [(0x4000, 3, 6, 8), (0x300, 1, 3, 3), (0x4010, 0x10003, 1, 0), (0x4020, 3, 1, 0x103)]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("addends", [True, False])
def test_each_form(order: str, bits: int, addends: bool) -> None:
    word, shift = ("Q", 32) if bits == 64 else ("I", 8)
    raw = b"".join(
        struct.pack(f"{order}{3 if addends else 2}{word}", *entry)
        for entry in (
            (place, symbol << shift | kind, *([addend] if addends else []))
            for place, symbol, kind, addend in ENTRIES
        )
    )
    table = Relocations(ElfHeaders(bits, order, [], []), [(raw + b"\3", addends)])
    for wanted in (1, 2, 3, 0x10003):
        assert list(table.of(wanted)) == [
            (place, addend if addends else 0)
            for place, symbol, _, addend in ENTRIES
            if symbol == wanted
        ]
