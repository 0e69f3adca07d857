"""Names of an ELF file's symbols that share their ends."""

from __future__ import annotations

import struct

from pydbgwrite._symbols.elf_tables import SymbolTable, _Table


def test_names_that_would_make_a_large_index() -> None:
    """Each begins one byte behind the one before: they are searched for, one by one."""
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
