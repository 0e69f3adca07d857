"""Symbol names of an ELF file that share the same end."""

from __future__ import annotations

import struct

from pydbgwrite._symbols.elf_tables import SymbolTable, _Table


def test_names_that_would_make_a_large_index() -> None:
    """Each name starts one byte after the previous one: each search works without an index."""
    count = 3000
    strings = b"a" * count + b"\0"
    symbols = b"".join(
        struct.pack("<IBBHQQ", number, 0x11, 0, 1, 0x1000 + 8 * number, 8)
        for number in range(count)
    )
    table = SymbolTable([_Table("<IBBHQQ", symbols, strings, None)], None, stripped=True)
    for number in range(200):
        (found,) = table.find("a" * (count - number))
        assert found.value == 0x1000 + 8 * number
