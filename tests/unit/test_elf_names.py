"""Symbol names of an ELF file that share the same end."""

from __future__ import annotations

import struct

import pytest

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


def table_of(strings: bytes, values: dict[int, int]) -> SymbolTable:
    """Return a table with a function at each of the values, by the start of its name."""
    symbols = b"".join(
        struct.pack("<IBBHQQ", start, 0x12, 0, 1, value, 8) for start, value in values.items()
    )
    return SymbolTable([_Table("<IBBHQQ", symbols, strings, None)], None, stripped=False)


@pytest.mark.parametrize("searches", [0, 200], ids=["searched", "indexed"])
def test_a_name_with_a_version_can_be_the_end_of_another(searches: int) -> None:
    """Linkers store "name@@V_1" only once if "my_name@@V_1" ends with it."""
    strings = b"\0my_name@@V_1\0my_name@V_0\0@odd@V_1\0@\0"
    starts = (b"my_name@@", b"name@@", b"my_name@V_0", b"name@V_0", b"@odd", b"@\0")
    values = {strings.find(text): 16 * number for number, text in enumerate(starts, 1)}
    table = table_of(strings, values)
    for _ in range(searches):
        assert table.find("none") == []
    for number, names in enumerate(
        (
            ("my_name", "my_name@@V_1", "my_name@V_1"),
            ("name", "name@@V_1", "name@V_1"),
            ("my_name@V_0",),
            ("name@V_0",),
            ("@odd", "@odd@V_1"),
            ("@",),
        ),
        1,
    ):
        for name in names:
            assert [each.value for each in table.find(name)] == [16 * number], name
    assert table.find("me") == table.find("name@V_2") == table.find("") == []
    assert table.spellings("name", 32) == ["name@@V_1"]


def test_names_with_versions_that_share_their_ends_are_not_all_copied() -> None:
    """30,000 names of up to 60 kB are "a" and a version, in one string."""
    strings = b"a@" * 30_000 + b"\0"
    table = table_of(strings, {start: start for start in range(0, 60_000, 2)})
    assert 0 < len(list(table._tables[0].with_versions(b"a"))) < 100
