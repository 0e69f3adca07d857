"""Journals of earlier versions are read and undone, and the checksum of the present one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.journal_fixtures import BASE, IMAGE, SIZE, write

import pydbgwrite
from pydbgwrite import JournalError, Session, _core

JOURNALS = sorted(Path(__file__).with_name("journals").glob("version-*.journal"))
STATES = {(version, state, size) for version in (1,) for state in "cou" for size in (32, 64)}


@pytest.fixture(params=JOURNALS, ids=lambda path: path.stem)
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a copy of each journal: an undo appends its marks."""
    made: Path = request.param
    copy = tmp_path / made.name
    copy.write_bytes(made.read_bytes())
    return copy


@pytest.fixture
def target(journal: Path) -> Iterator[Session]:
    """Open the memory that the journal is of, with what its writes have left there."""
    info = pydbgwrite.read_journal(journal)
    with pydbgwrite.simulate([(BASE, SIZE)], pointer_size=info.pointer_size) as session:
        session._token = info.started
        session.write(BASE, IMAGE)
        if info.state != "undone":
            write(session)
        yield session


def test_all_are_here() -> None:
    names = [path.stem.split("-") for path in JOURNALS]
    assert {(int(version), state[0], int(size)) for _, version, state, size in names} == STATES


def test_it_is_undone(journal: Path, target: Session) -> None:
    _, version, state, _ = journal.stem.split("-")
    info = pydbgwrite.read_journal(journal)
    assert (info.version, info.state, info.writes, info.torn) == (int(version), state, 4, False)
    report = pydbgwrite.undo(journal, target)
    assert report.complete
    assert report.undone_before == (state == "undone")
    assert bool(report.restored) == (state != "undone")
    assert target.read(BASE, SIZE) == IMAGE
    after = pydbgwrite.read_journal(journal)
    assert (after.version, after.state, after.writes) == (int(version), "undone", 4)
    assert pydbgwrite.undo(journal, target).undone_before


def test_its_damage_is_found(journal: Path, target: Session) -> None:
    data = journal.read_bytes()
    held = target.read(BASE, SIZE)
    for at in range(0, len(data), 3):
        damaged = bytearray(data)
        damaged[at] ^= 0x10
        journal.write_bytes(damaged)
        with pytest.raises(JournalError, match="damaged"):
            pydbgwrite.undo(journal, target)
    assert target.read(BASE, SIZE) == held


@pytest.mark.parametrize("size", [0, 1, 7, 8, 24, 63, 64, 65, 128, 1000])
def test_a_checksum_sees_each_change(size: int) -> None:
    """It depends on every bit of the data, on the order of words, on the size and on the seed."""
    chance = random.Random(size)
    data = chance.randbytes(size)
    sums = {_core.checksum(data, 1), _core.checksum(data, 2), _core.checksum(data + b"\0", 1)}
    wanted = 3
    for at in range(size):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            sums.add(_core.checksum(changed, 1))
            wanted += 1
    for at in range(0, size - 8, 8):
        swapped = bytearray(data)
        swapped[at : at + 8], swapped[at + 8 : at + 16] = data[at + 8 : at + 16], data[at : at + 8]
        sums.add(_core.checksum(swapped, 1))
        wanted += 1
    assert len(sums) == wanted
    assert all(0 <= each < 2**64 for each in sums)


def test_the_checksum_stays() -> None:
    """It is part of the format: these values may never change."""
    data = bytes(range(256)) * 3
    assert [_core.checksum(data[:size], 7) for size in (0, 1, 24, 64, 700)] == [
        13841185890026929263,
        4859772032458742037,
        6275010488791451413,
        6551106094888188609,
        14749410266086403024,
    ]
