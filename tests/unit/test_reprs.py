"""The repr of records shows addresses in hexadecimal, as they are read elsewhere."""

from __future__ import annotations

from array import array

import pytest

import pydbgwrite
from pydbgwrite import BuildCheck, Change, Conflict, Mismatch, Module, Patch, PatchEntry, Region


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


def test_long_lists_of_addresses_are_cut() -> None:
    record = Change(8, b"", b"", 8, array("Q", range(8, 1_000_008)))
    assert repr(record).endswith("0xe, 0xf, ... 999,992 more])")
    assert repr(record._replace(addresses=array("Q", [1, 2]))).endswith("addresses=[0x1, 0x2])")


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
