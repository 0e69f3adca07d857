"""Messages for what is rarely given: long lists of faults, and arguments of a wrong kind."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

import pydbgwrite
from pydbgwrite import Patch, PatchEntry, PatchError, SessionBusyError
from pydbgwrite._messages.spelling import any_of
from pydbgwrite.cli.history import time_of

BASE = 0x10000


def simulated() -> pydbgwrite.Session:
    """Open simulated memory of one page."""
    return pydbgwrite.simulate([(BASE, 4096)])


def test_a_patch_is_no_number() -> None:
    patch = Patch([PatchEntry(BASE, [1])])
    assert patch == Patch([PatchEntry(BASE, [1])])
    assert (patch == 7) is False and patch != "patch"


def test_the_first_problems_of_many() -> None:
    """Twenty are shown, and how many more there are."""
    patch = Patch([PatchEntry(8 * number, [1]) for number in range(27)])
    with simulated() as session, pytest.raises(PatchError) as caught:
        patch.apply(session)
    assert "27 problems; nothing was written" in str(caught.value)
    assert str(caught.value).endswith("and 7 more")
    assert len(caught.value.problems) == 27


def test_the_first_addresses_of_many_that_are_wrong(tmp_path: Path) -> None:
    """Of one entry, twenty are shown."""
    file = tmp_path / "patch.toml"
    file.write_text(f"format = 2\n[[write]]\naddresses = {[-1] * 50}\npointers = {[1] * 50}\n")
    with pytest.raises(PatchError) as caught:
        Patch.load(file)
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1].endswith("and 30 more like these")


def test_an_entry_that_ends_behind_all_addresses() -> None:
    patch = Patch([PatchEntry(2**64 - 8, [1, 2])])
    with simulated() as session:
        preview = patch.preview(session)
    assert not preview.ok
    assert "2 pointers at 0xfffffffffffffff8 would go past 2**64" in preview.problems[0]


def test_text_that_is_not_valid_unicode(tmp_path: Path) -> None:
    """A file can't hold half of a surrogate pair: nothing is left of it."""
    patch = Patch([PatchEntry(BASE, [1], note="\ud800")])
    with pytest.raises(PatchError, match="not valid Unicode"):
        patch.save(tmp_path / "patch.toml")
    assert not list(tmp_path.iterdir())


def test_a_file_in_another_folder(tmp_path: Path) -> None:
    """A patch has its files beside it."""
    patch = Patch([PatchEntry(BASE, array("Q", [1]))])
    patch.entries[0].file = "../x.npy"
    with pytest.raises(PatchError, match=r"entry 1: .*\.\./x\.npy"):
        patch.save(tmp_path / "patch.toml")
    assert not list(tmp_path.iterdir())


def test_an_offset_of_many_digits() -> None:
    with simulated() as session, pytest.raises(ValueError, match="more than 64 bits"):
        session.resolve(f"0x{BASE:x}+" + "1" * 70)


def test_options_are_text() -> None:
    with pytest.raises(TypeError, match="options must be a str, got int"):
        pydbgwrite.connect(7)  # type: ignore[arg-type]


def test_a_transaction_beside_another() -> None:
    """Two can be made, and one is open at a time; an earlier one is undone when none is."""
    with simulated() as session:
        first, second, third = (session.transaction() for _ in range(3))
        with first:
            session.write_pointers(BASE, [7])
        with second:
            with pytest.raises(SessionBusyError, match="they do not nest"), third:
                pass
            with pytest.raises(SessionBusyError, match="end that first"):
                first.undo()
        assert list(session.read_pointers(BASE, 1)) == [7]
        assert first.undo().complete
        assert list(session.read_pointers(BASE, 1)) == [0]


@pytest.mark.parametrize(
    ("names", "joined"),
    [((), ""), (("a",), "a"), (("a", ""), "a"), (("a", "b", "c"), "a, b, or c")],
)
def test_alternatives(names: tuple[str, ...], joined: str) -> None:
    assert any_of(*names) == joined


def test_a_time_that_is_none() -> None:
    """A journal's header can say anything."""
    assert time_of(1e300) == time_of(float("nan")) == "?"
    assert time_of(0)[:2] in ("19", "20")
