"""The table of docs/engine.md of what Wine does differently agrees with the tests and with Wine."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pytest
from support.differences import LANE, SYSTEM
from support.places import ROOT
from support.system_memory import (
    FAR,
    FREE,
    GUARD,
    NO_ACCESS,
    READ_ONLY,
    RESERVED,
    OtherProcess,
    other_process,
)

SYSTEMS = ["Windows, as documented", "Wine 8", "Wine 10"]
#: The free memory here is none that Wine keeps for itself.
ELSEWHERE = 0x90000000
USER_END = 0x7FFFFFFF0000


def table() -> dict[str, list[str]]:
    """Return the cells of each row, by the row's first cell."""
    text = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")
    lines = text.partition("## What Wine can't show")[2].splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    return {first.strip(): [cell.strip() for cell in rest] for first, *rest in rows}


def test_each_row_has_a_cell_for_each_system() -> None:
    rows = table()
    assert next(iter(rows.values())) == [*SYSTEMS, "Seen by"]
    for row, cells in rows.items():
        assert len(cells) == len(SYSTEMS) + 1 and all(cells), row


def test_each_difference_of_the_tests_has_a_row() -> None:
    seen_by = " ".join(cells[-1] for cells in table().values())
    for name in SYSTEM:
        assert f'"{name}"' in seen_by


def asked(near: OtherProcess, elsewhere: OtherProcess) -> Iterator[tuple[str, list[int]]]:
    """Yield the rows about memory, each with the error numbers of its calls.

    near: its free memory is in an area that Wine keeps; elsewhere: it is not.
    """

    def at(*pages: int, before: int = 0) -> list[tuple[OtherProcess, int]]:
        return [(each, each.page(page) - before) for each in (near, elsewhere) for page in pages]

    def reads(row: str, places: list[tuple[OtherProcess, int]]) -> tuple[str, list[int]]:
        return row, [each.read(place) for each, place in places]

    def writes(
        row: str, places: list[tuple[OtherProcess, int]], size: int = 8
    ) -> tuple[str, list[int]]:
        return row, [each.write(place, size) for each, place in places]

    refused = (READ_ONLY, NO_ACCESS, RESERVED)
    free_near, free_elsewhere = at(FREE)
    on_near, on_elsewhere = at(FREE, before=4)
    unreadable = (NO_ACCESS, GUARD, RESERVED)
    yield reads("a read of a no-access page, a guard page or reserved memory", at(*unreadable))
    yield reads("a read that goes on there from a readable page", at(*unreadable, before=4))
    yield reads(
        "a read of free memory that Wine keeps, or that goes on to it", [free_near, on_near]
    )
    yield reads(
        "a read of other free memory, or that goes on to it", [free_elsewhere, on_elsewhere]
    )
    yield writes("a write of 0 bytes to a writable page", at(0), 0)
    yield writes("a write of 0 bytes to other memory, or to none", at(*refused, FREE), 0)
    yield writes(
        "a write that begins in a read-only or no-access page, or in reserved memory", at(*refused)
    )
    yield writes("a write that begins in a guard page", at(GUARD))
    yield writes(
        "a write that goes on from a writable page to one of these", at(*refused, GUARD, before=4)
    )
    yield writes("a write to free memory that Wine keeps", [free_near])
    yield writes("a write that goes on to free memory that Wine keeps", [on_near])
    yield writes("a write to other free memory", [free_elsewhere])
    yield writes("a write that goes on to other free memory", [on_elsewhere])
    far = [(near, place) for place in (USER_END, 2**47, FAR, 2**63, 2**64 - 16)]
    yield writes("a write at the end of user space (0x7FFFFFFF0000) or above", far)


@pytest.mark.skipif(
    not LANE or ctypes.sizeof(ctypes.c_void_p) == 4, reason="the rows are about 64-bit Wine"
)
def test_what_this_wine_does() -> None:
    version = ctypes.CDLL("ntdll").wine_get_version
    version.restype = ctypes.c_char_p
    this = SYSTEMS.index(f"Wine {version().decode().partition('.')[0]}")
    rows = table()
    with other_process() as near, other_process(ELSEWHERE) as elsewhere:
        for row, errors in asked(near, elsewhere):
            answers = {f"fails, {error}" if error else "works" for error in errors}
            assert (row, answers) == (row, {rows[row][this]})
