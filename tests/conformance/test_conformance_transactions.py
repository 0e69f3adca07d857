"""Transactions, journals and undo, over every engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.cases import EngineCase

import pydbgwrite
from pydbgwrite import (
    Conflict,
    NoTargetError,
    SessionBusyError,
    TargetAccessError,
    Transaction,
    UndoReport,
)


class Oops(Exception):  # noqa: N818
    """The exception that the tests raise."""


def write_all_sorts(case: EngineCase) -> dict[str, bytes]:
    """Make every kind of write, also over each other; return the expected bytes of rw."""
    session, size = case.session, case.pointer_size
    image = case.image()

    def expect(address: int, data: bytes) -> None:
        at = address - case.rw
        image[at : at + len(data)] = data

    session.write_pointers(case.rw + 3, case.values(6))
    expect(case.rw + 3, case.pack(case.values(6)))
    bulk = case.values(12, seed=50)
    session.write_pointers(case.rw + 16, bulk, via="WriteVirtual")
    expect(case.rw + 16, case.pack(bulk))
    session.write(case.rw + 30, b"some bytes in between")
    expect(case.rw + 30, b"some bytes in between")
    # The addresses are far apart, adjacent, equal, and half overlapping.
    places = [
        *(case.rw + case.page * 2, case.rw + 8, case.rw + 8 + size, case.rw + 200),
        *(case.rw + 200, case.rw + 300, case.rw + 302, case.rw + 20),
    ]
    values = case.values(len(places), seed=100)
    session.write_scattered(places, values)
    for place, value in zip(places, values, strict=True):
        expect(place, case.pack([value]))
    session.write_pointers(case.rw + 3, case.values(2, seed=900))
    expect(case.rw + 3, case.pack(case.values(2, seed=900)))
    return {"all": bytes(image)}


def now(case: EngineCase) -> bytes:
    """Return the bytes that the session reads from rw."""
    return case.session.read(case.rw, case.rw_size)


def rolled_back(report: UndoReport | None) -> bool:
    assert report is not None
    return report.complete and not report.conflicts and not report.remaining


@pytest.mark.parametrize("kept", [False, True], ids=["no journal", "journal"])
def test_an_exception_undoes_everything(
    engine_case: EngineCase, tmp_path: Path, kept: bool
) -> None:
    case = engine_case
    file = tmp_path / "a.journal" if kept else None
    with pytest.raises(Oops) as caught, case.session.transaction(file) as t:
        left = write_all_sorts(case)
        assert now(case) == left["all"] != case.image()
        raise Oops("half-way")
    assert rolled_back(t.report)
    assert now(case) == case.image()
    assert [note[:27] for note in caught.value.__notes__] == ["The transaction was undone:"]
    assert getattr(caught.value, "undo_report", None) is t.report
    if file is not None:
        assert pydbgwrite.read_journal(file).state == "undone"
    case.session.write_pointers(case.rw, case.values(1))  # writes are no longer recorded
    assert case.peek(case.rw, case.pointer_size) == case.pack(case.values(1))


def test_a_block_that_ends_well_keeps_its_writes(engine_case: EngineCase, tmp_path: Path) -> None:
    case, file = engine_case, tmp_path / "a.journal"
    with case.session.transaction(file) as t:
        left = write_all_sorts(case)
        assert isinstance(t, Transaction)
        assert t.journal == str(file)
        reported = pydbgwrite.read_journal(file)
        assert (reported.state, reported.torn) == ("open", False)
        assert reported.writes == len(t.changes) == 5
    assert t.report is None
    assert now(case) == left["all"]
    reported = pydbgwrite.read_journal(file)
    assert reported.state == "committed"
    assert (reported.pid, reported.target) == (case.session.pid, case.session.target)
    assert reported.engine.startswith(case.session.engine.name)
    assert reported.pointer_size == case.pointer_size
    assert reported.bytes == sum(len(change.new) for change in t.changes)
    report = pydbgwrite.undo(file, case.session)
    assert rolled_back(report)
    assert report.restored > 0
    assert now(case) == case.image()
    assert pydbgwrite.read_journal(file).state == "undone"
    again = pydbgwrite.undo(file, case.session)
    assert rolled_back(again)
    assert again.restored == 0
    assert case.peek(case.rw, case.rw_size) == case.image()


def test_changes(engine_case: EngineCase) -> None:
    case, size = engine_case, engine_case.pointer_size
    values = case.values(3)
    with case.session.transaction() as t:
        case.session.write_pointers(case.rw + 5, values)
        case.session.write_scattered([case.rw + 900, case.rw + 100], values[:2])
        case.session.write(case.rw + 1000, b"xyz")
        image = bytes(case.image())
        first, second, third = t.changes
        assert first == (case.rw + 5, image[5 : 5 + 3 * size], case.pack(values), size, None)
        assert second.address == case.rw + 100
        assert second.addresses is not None
        assert list(second.addresses) == [case.rw + 900, case.rw + 100]
        assert second.old == image[900 : 900 + size] + image[100 : 100 + size]
        assert (second.new, second.unit) == (case.pack(values[:2]), size)
        assert third == (case.rw + 1000, image[1000:1003], b"xyz", 1, None)
        assert t.changes[-1] == third
        assert t.changes[:2] == [first, second]
        with pytest.raises(IndexError):
            t.changes[3]


def test_undo_within_the_block_goes_on(engine_case: EngineCase) -> None:
    case = engine_case
    with case.session.transaction() as t:
        write_all_sorts(case)
        report = t.undo()
        assert rolled_back(report)
        assert now(case) == case.image()
        case.session.write_pointers(case.rw, case.values(4))
        with pytest.raises(SessionBusyError, match="transaction"):
            case.session.close()
    image = case.image()
    image[: 4 * case.pointer_size] = case.pack(case.values(4))
    assert now(case) == image
    assert rolled_back(t.undo())  # undo() works after the transaction's end, too
    assert now(case) == case.image()
    assert rolled_back(t.undo())
    assert case.peek(case.rw, case.rw_size) == case.image()


def test_conflicts(engine_case: EngineCase, tmp_path: Path) -> None:
    """Values that another writer put there stay and are reported; force restores the old ones."""
    case, file, size = engine_case, tmp_path / "a.journal", engine_case.pointer_size
    values = case.values(10)
    scattered = [case.rw + 2000, case.rw + 3000]
    with case.session.transaction(file):
        case.session.write_pointers(case.rw, values)
        case.session.write_scattered(scattered, values[:2])
        case.session.write(case.rw + 1000, b"abcdef")
    image = case.image()
    stranger = case.pack(case.values(1, seed=7000))
    # A pointer of a row, a scattered one and two bytes conflict; one has its old value again.
    conflicting = {case.rw + 4 * size: stranger, scattered[1]: stranger, case.rw + 1002: b"YZ"}
    for address, data in conflicting.items():
        case.session.write(address, data)
    case.session.write(case.rw + 6 * size, bytes(image[6 * size : 7 * size]))
    old = {
        address: bytes(image[address - case.rw :][: len(conflicting[address])])
        for address in conflicting
    }
    report = pydbgwrite.undo(file, case.session)
    assert not report.complete
    assert report.conflict_total == 3
    assert report.conflicts == (
        Conflict(case.rw + 4 * size, old[case.rw + 4 * size], case.pack([values[4]]), stranger),
        Conflict(case.rw + 1002, old[case.rw + 1002], b"cd", b"YZ"),
        Conflict(scattered[1], old[scattered[1]], case.pack([values[1]]), stranger),
    )
    assert (report.restored, report.unchanged) == (9 * size + 4, size)
    left = case.image()
    for address, data in conflicting.items():
        left[address - case.rw : address - case.rw + len(data)] = data
    assert now(case) == left
    assert pydbgwrite.read_journal(file).state == "committed"
    report = pydbgwrite.undo(file, case.session)  # a second undo finds the same conflicts
    assert (report.conflict_total, report.restored) == (3, 0)
    report = pydbgwrite.undo(file, case.session, force=True)
    assert report.complete
    assert report.forced
    assert report.conflict_total == 3
    assert pydbgwrite.read_journal(file).state == "undone"
    assert case.peek(case.rw, case.rw_size) == case.image()


def test_what_was_undone_is_not_undone_again(engine_case: EngineCase, tmp_path: Path) -> None:
    """The same values, written again after an undo, count as another writer's."""
    case, file = engine_case, tmp_path / "a.journal"
    values = case.values(4)
    with case.session.transaction(file):
        case.session.write_pointers(case.rw, values)
    assert pydbgwrite.undo(file, case.session).complete
    case.session.write_pointers(case.rw, values)
    report = pydbgwrite.undo(file, case.session)
    assert report.restored == 0
    assert report.conflict_total == 4
    assert [each.found for each in report.conflicts] == [case.pack([value]) for value in values]
    assert pydbgwrite.undo(file, case.session, force=True).complete
    assert case.peek(case.rw, case.rw_size) == case.image()


def test_what_a_transaction_does_not_let_happen(engine_case: EngineCase) -> None:
    case, session = engine_case, engine_case.session
    refused: list[Any] = [
        lambda: session.data_spaces.write_virtual(case.rw, b"1234"),
        lambda: session.data_spaces.write_pointers_virtual(case.rw, [1]),
        lambda: session.data_spaces.fill_virtual(case.rw, 8, b"1"),
        session.detach,
        session.terminate,
        session.close,
        lambda: session.transaction().__enter__(),
    ]
    with session.transaction() as t:
        for call in refused:
            with pytest.raises(SessionBusyError, match="transaction"):
                call()
        with pytest.raises(ValueError, match="once"):
            t.__enter__()
        session.write_pointers(case.rw, case.values(1))
    assert len(t.changes) == 1
    with pytest.raises(ValueError, match="once"), t:
        pass
    with pytest.raises(ValueError, match="not begun"):
        session.transaction().undo()
    assert not session.closed


def test_a_failed_write_is_undone_with_the_others(engine_case: EngineCase) -> None:
    case = engine_case
    with pytest.raises(TargetAccessError) as caught, case.session.transaction() as t:
        case.session.write_pointers(case.rw + 64, case.values(3))
        case.session.write_pointers(case.end - 2 * case.pointer_size, case.values(4))
    assert rolled_back(t.report)
    assert "undone" in caught.value.__notes__[-1]
    assert case.peek(case.rw, case.rw_size) == case.image()


def test_a_target_that_goes(engine_case: EngineCase, tmp_path: Path) -> None:
    """The report lists every changed range as remaining; the exception keeps its type."""
    case, file = engine_case, tmp_path / "a.journal"
    size = case.pointer_size
    with pytest.raises(Oops) as caught, case.session.transaction(file) as t:
        case.session.write_pointers(case.rw, case.values(3))
        case.session.write_pointers(case.rw + size, case.values(3, seed=9))
        case.session.write_scattered([case.rw + 1000, case.rw + 2000], case.values(2))
        case.take_away()
        raise Oops("the target has gone")
    assert t.report is not None
    assert not t.report.complete
    assert [(address, length) for address, length, _ in t.report.remaining] == [
        *((case.rw, 4 * size), (case.rw + 1000, size), (case.rw + 2000, size))
    ]
    assert t.report.restored == 0
    reported = "".join(caught.value.__notes__)
    assert "NOT" in reported
    assert f"0x{case.rw + 2000:x}" in reported
    assert str(file) in reported or repr(str(file)) in reported
    if case.differs("unknown far away"):
        assert pydbgwrite.undo(file, case.session).remaining == t.report.remaining
        return
    with pytest.raises(NoTargetError):
        pydbgwrite.undo(file, case.session)


def test_what_was_undone_and_written_again(engine_case: EngineCase, tmp_path: Path) -> None:
    """A finished undo is not repeated: the same values, written since, are another writer's."""
    case, file = engine_case, tmp_path / "a.journal"
    values = case.values(2)
    before = case.image()
    with case.session.transaction(file):
        case.session.write_pointers(case.rw, values)
    first = pydbgwrite.undo(file, case.session)
    assert first.complete and not first.undone_before
    case.session.write_pointers(case.rw, values)
    second = pydbgwrite.undo(file, case.session)
    assert not second.complete and second.undone_before
    assert second.conflict_total == 2
    assert "was undone before, and the memory has been written to since" in str(second)
    assert list(case.session.read_pointers(case.rw, 2)) == list(values)
    assert pydbgwrite.undo(file, case.session, force=True).complete
    assert case.peek(case.rw, case.rw_size) == before


def test_what_an_incomplete_undo_restored_and_is_written_again(
    engine_case: EngineCase, tmp_path: Path
) -> None:
    """The report does not call a written value another one."""
    case, file = engine_case, tmp_path / "a.journal"
    size = case.pointer_size
    first, second, foreign = case.values(3)
    with case.session.transaction(file):
        case.session.write_pointers(case.rw, [first, second])
    case.session.write_pointers(case.rw, [foreign])
    report = pydbgwrite.undo(file, case.session)
    assert (report.restored, report.conflict_total) == (size, 1)
    assert str(report).endswith(": neither the old nor the written value is there")
    case.session.write_pointers(case.rw + size, [second])
    report = pydbgwrite.undo(file, case.session)
    assert report.conflict_total == 2
    assert report.conflicts[1].found == report.conflicts[1].written
    assert "or the written one again after an undo restored it" in str(report)
    assert list(case.session.read_pointers(case.rw, 2)) == [foreign, second]
