"""The repr of records shows addresses in hexadecimal, and the first elements of what is long."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

import pydbgwrite
from pydbgwrite import (
    BuildCheck,
    Change,
    Conflict,
    Mismatch,
    Module,
    Patch,
    PatchEntry,
    Region,
    UndoReport,
    rollout,
)


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        (Module("a", 4096, 20, "/a"), "Module(name='a', base=0x1000, size=20, path='/a')"),
        (
            Region(2**64 - 4096, 4096, "rw", "committed"),
            "Region(base=0xfffffffffffff000, size=4096, protection='rw', state='committed')",
        ),
        (
            Mismatch(16, 0, 2**64 - 1),
            "Mismatch(address=0x10, wanted=0x0, found=0xffffffffffffffff)",
        ),
        (
            Change(16, b"a", b"b", 1),
            "Change(address=0x10, old=b'a', new=b'b', unit=1, addresses=None)",
        ),
        (
            Conflict(16, b"a", b"b", b"c"),
            "Conflict(address=0x10, old=b'a', written=b'b', found=b'c')",
        ),
    ],
)
def test_addresses_are_hexadecimal(record: object, shown: str) -> None:
    assert repr(record) == str(record) == shown
    assert eval(shown, vars(pydbgwrite)) == record


@pytest.mark.parametrize(
    ("unit", "first"),
    [
        (8, "0x0, 0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, ... 65,536 in all"),
        (4, "0x0, 0x0, 0x1, 0x0, 0x2, 0x0, 0x3, 0x0, ... 131,072 in all"),
        (1, "0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, ... 524,288 in all"),
    ],
)
def test_a_long_change_shows_its_first_elements(unit: int, first: str) -> None:
    with pydbgwrite.simulate([(4096, 2**20)]) as session, session.transaction() as transaction:
        session.write_pointers(4096, range(2**17))
        change = transaction.changes[0]._replace(unit=unit)
    old = ", ".join(["0x0"] * 8)
    assert repr(change) == (
        f"Change(address=0x1000, old=[{old}, ... {2**19 // unit:,} in all], new=[{first}], "
        f"unit={unit}, addresses=None)"
    )


def test_a_short_change_is_shown_exactly() -> None:
    record = Change(8, bytes(64), bytes(range(64)), 8)
    assert eval(repr(record), vars(pydbgwrite)) == record
    assert repr(record._replace(addresses=array("Q", [1, 2]))).endswith("addresses=[0x1, 0x2])")


def test_long_lists_are_cut() -> None:
    change = Change(8, b"", b"", 8, array("Q", range(8, 1_000_008)))
    assert repr(change).endswith("0xe, 0xf, ... 1,000,000 in all])")
    remaining = tuple((at, 8, "why") for at in range(5000))
    conflicts = (Conflict(16, b"a", b"b", b"c"),) * 100
    report = UndoReport(remaining=remaining, conflicts=conflicts, conflict_total=100)
    assert "(7, 8, 'why'), ... 5,000 in all]" in repr(report)
    assert "conflicts=[Conflict(address=0x10, old=b'a'" in repr(report)
    assert "... 100 in all], conflict_total=100, " in repr(report)
    few = UndoReport(8, remaining=remaining[:8], conflicts=conflicts[:1], conflict_total=1)
    assert eval(repr(few), vars(pydbgwrite)) == few
    chosen = rollout.Choice(pids=tuple(range(1, 5001)))
    assert "pids=[1, 2, 3, 4, 5, 6, 7, 8, ... 5,000 in all]" in repr(chosen)


def test_a_journal_with_a_long_command_line(tmp_path: Path) -> None:
    place = tmp_path / "a.journal"
    with pydbgwrite.simulate([(4096, 4096)]) as session, session.transaction(journal=place):
        session.write_pointers(4096, [8])
    info = pydbgwrite.read_journal(place)
    info = info._replace(command="x" * 100_000, base=4096)
    assert repr(info).endswith(f"torn=False, command='{'x' * 1000}'... 100,000 in all)")
    assert "base=0x1000, " in repr(info)


def test_a_rollout_of_many_processes_is_counted() -> None:
    outcomes = tuple(rollout.Outcome("here", pid, "", "applied") for pid in range(1, 5001))
    report = rollout.Report(id="1", folder="/ledger", outcomes=outcomes)
    assert repr(report) == (
        "<pydbgwrite.rollout.Report of /ledger: 5,000 processes: 5,000 applied>"
    )


def test_a_check_of_a_build_compares_by_its_values() -> None:
    check = BuildCheck("game", build_id="ab" * 20)
    assert repr(check) == f"BuildCheck('game', build_id='{'ab' * 20}', sha256=None)"
    assert {check: 1}[BuildCheck("game", build_id="ab" * 20)] == 1
    assert check != BuildCheck("game", build_id="cd" * 20)
    assert check != "game"


def test_results_say_how_much_there_is() -> None:
    with pydbgwrite.simulate([(4096, 4096)]) as session:
        transaction = session.transaction()
        assert repr(transaction).endswith(", new>")
        with transaction:
            session.write_pointers(4096, [8, 9])
            assert repr(transaction) == f"<pydbgwrite.Transaction of {session!r}, open>"
            assert repr(transaction.changes) == "<recorded changes: 1, of 16 bytes>"
        found = session.find_pointers([8], within=range(4096, 8192))
        assert repr(found) == f"<pydbgwrite.Found: {found}>"
        assert str(found) == "1 pointer in 4.0 KiB of memory"
        moved = session.retarget(8, 10, within=range(4096, 8192))
        assert repr(moved) == f"<pydbgwrite.Retargeted: {moved}>"
        preview = Patch([PatchEntry(4096, [1, 2])]).preview(session)
        assert repr(preview) == "<pydbgwrite.Preview of 2 pointers, ok>"
        (entry,) = preview.entries
        assert repr(entry) == f"<pydbgwrite.PreviewEntry {entry.number}: {entry.entry!r}>"
