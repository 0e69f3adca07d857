"""Patches with pointers at separate addresses: their files, overlaps, previews and pages."""

from __future__ import annotations

import json
import re
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.patch_files import load, problems_of

import pydbgwrite
from pydbgwrite import ExpectationError, Patch, PatchEntry, PatchError, ScatteredEntry, testing

BASE = 0x10000
HEAD = "format = 2\n[[write]]\n"


def test_the_example(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    np.save(tmp_path / "sub" / "found.npy", np.array([8, 64, 16], "<u8"))
    (tmp_path / "values.bin").write_bytes(array("Q", [1, 2, 3]).tobytes())
    patch = load(
        tmp_path,
        """
format = 2
[[write]]
base = "libfoo.so"
offsets = "sub/found.npy"
pointers = "libnew.so!table"
expect_file = "values.bin"
note = "all of them"
[[write]]
base = 0x20000
offsets = [0, 8, "0x18"]
file = "values.bin"
""",
    )
    first, second = patch.entries
    assert isinstance(first, ScatteredEntry) and isinstance(second, ScatteredEntry)
    assert (first.base, first.addresses) == ("libfoo.so", array("Q", [8, 64, 16]))
    assert (first.pointers, first.expect) == ("libnew.so!table", array("Q", [1, 2, 3]))
    assert (first.note, first.addresses_file) == ("all of them", "sub/found.npy")
    assert (first.file, first.expect_file) == (None, "values.bin")
    assert (second.base, second.addresses) == (0x20000, array("Q", [0, 8, 24]))
    assert (second.pointers, second.expect) == (array("Q", [1, 2, 3]), None)
    assert (second.file, second.addresses_file) == ("values.bin", None)


def test_addresses_by_name(tmp_path: Path) -> None:
    text = 'addresses = [4096, "a.so!x+8", "0x2000"]\npointers = [1, "b", 3]\nexpect = ["c", 0, 0]'
    (entry,) = load(tmp_path, HEAD + text).entries
    assert entry == ScatteredEntry([4096, "a.so!x+8", "0x2000"], [1, "b", 3], expect=["c", 0, 0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("addresses = [1]\n", ["line 2, entry 1: pointers (or file) is missing"]),
        ("offsets = [1]\npointers = 1\n", ["line 3, entry 1: base is missing"]),
        ("base = 'x'\npointers = 1\n", ["line 3, entry 1: offsets is missing"]),
        ("base = 'x'\naddresses = [1]\npointers = 1\n", ["addresses and base are both given"]),
        ("offsets = [1]\naddresses = [1]\npointers = 1\n", ["addresses and offsets are both"]),
        ("address = 1\naddresses = [1]\npointers = 1\n", ["address and addresses are both given"]),
        ("addresses = [1]\npointers = 1\nfile = 'x.npy'\n", ["pointers and file are both given"]),
        (
            "addresses = [1]\npointers = 1\nexpect = 1\nexpect_file = 'x.npy'\n",
            ["line 6, entry 1: expect and expect_file are both given"],
        ),
        (
            "addresses = 5\npointers = 1\n",
            ["line 3, entry 1: addresses must be a list", "a number"],
        ),
        ("addresses = []\npointers = 1\n", ["line 3, entry 1: addresses is empty"]),
        ("addresses = [-1]\npointers = 1\n", ["addresses[0] is -0x1"]),
        (
            "addresses = [1]\npointers = 1.5\n",
            ["line 4, entry 1: pointers must be a list", "float"],
        ),
        ("addresses = [1]\npointers = [1, 2]\n", ["line 4, entry 1: pointers has 2 values"]),
        ("addresses = [1]\npointers = 1\nexpect = []\n", ["line 5, entry 1: expect is empty"]),
        ("addresses = [1]\npointers = 1\nexpect = {}\n", ["expect must be a list", "a table"]),
        ("addresses = [1]\npointers = 1\nnote = 1\n", ["line 5, entry 1: note must be text"]),
        ("addresses = [1]\npointer = 1\n", ["unknown key 'pointer'; did you mean 'pointers'?"]),
        ("base = true\noffsets = [1]\npointers = 1\n", ["line 3, entry 1: base", "got bool"]),
        ("base = 1\noffsets = ['a!b']\npointers = 1\n", ["offsets[0] is 'a!b', and must be a n"]),
        ("base = 1\noffsets = ['0xffffffffffffffff']\npointers = 1\n", ["would go past 2**64"]),
        ("addresses = 'x.npy'\npointers = 1\n", ["line 3, entry 1: file 'x.npy' can't be read"]),
        ("addresses = '../x.npy'\npointers = 1\n", ["leads out of the patch file's folder"]),
        ("addresses = 'x.txt'\npointers = 1\n", ["must end in .npy or .bin"]),
        (
            "addresses = [1]\npointers = 1\nexpect_file = 5\n",
            ["line 5, entry 1: file must be text"],
        ),
    ],
)
def test_mistakes(tmp_path: Path, text: str, words: list[str]) -> None:
    found = problems_of(tmp_path, HEAD + text)
    assert all(any(word in problem for problem in found) for word in words), found
    assert len(found) <= 2


def test_side_files_are_refused_alike(tmp_path: Path) -> None:
    """A file of addresses has to be what a file of pointers has to be."""
    np.save(tmp_path / "x.npy", np.zeros(4, "<i8"))
    for key in ("addresses = 'x.npy'\nfile", "addresses = [1]\nexpect_file"):
        found = problems_of(tmp_path, f"{HEAD}{key} = 'x.npy'\n")
        assert any("must have '<u8'" in problem for problem in found)
    np.save(tmp_path / "x.npy", np.array([{}, 1], object), allow_pickle=True)
    (problem,) = problems_of(tmp_path, f"{HEAD}addresses = 'x.npy'\npointers = 1\n")
    assert problem.startswith("line 3, entry 1: file 'x.npy' has elements of type '|O'")


def test_format_1_has_none(tmp_path: Path) -> None:
    for key in ("addresses", "offsets", "base"):
        (problem,) = problems_of(tmp_path, f"format = 1\n[[write]]\n{key} = 'x'\npointers = 1\n")
        assert problem == f"line 3, entry 1: {key} is of format 2: write format = 2"
    assert load(tmp_path, "format = 2\n[[write]]\naddress = 1\npointers = [2]\n").entries == [
        PatchEntry(1, [2])
    ]


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        ("addresses = [16, 8]", None, None),
        (
            "addresses = [16, 8, 16]",
            None,
            "entry 1: more than one of .* goes to .*at 0x10",
        ),
        ("addresses = [16, 18]", None, "entry 1: more than one .*: at 0x12"),
        ("base = 'x'\noffsets = [16, 18, 17]", None, "more than one .*: at x.0x11 and 1 more"),
        ("addresses = ['x+16', 'x+18']", None, "more than one .*: at x.0x12"),
        ("addresses = [16]", "addresses = [18]", "entry 2: it writes .* entry 1 .*: at 0x12"),
        ("addresses = [16]", "addresses = [20]", None),
        ("addresses = [16]", "base = 8\noffsets = [8]", "entry 2: .* entry 1 .*: at 0x10"),
        ("addresses = [16]", "base = 'x'\noffsets = [16]", None),
        ("base = 'x'\noffsets = [16]", "base = 'x+8'\noffsets = [8]", "entry 2: .*: at x.0x10"),
        ("base = 'x'\noffsets = [16]", "address = 'x+12'", "entry 2: .* entry 1 .*: at x.0x10"),
        ("base = 'x'\noffsets = [16]", "address = 'x-16'", None),
        ("address = 12", "addresses = [32, 16]", "entry 2: .* entry 1 .*: at 0x10"),
        ("addresses = [32, 8]", "address = 12", None),
    ],
)
def test_overlaps_that_can_be_seen(
    tmp_path: Path, first: str, second: str | None, problem: str | None
) -> None:
    """Within an entry and among entries, by the smaller pointer size and without a target."""
    text = "format = 2\n"
    for each in (first, second):
        if each is not None:
            text += f"[[write]]\n{each}\npointers = {'7' if '[' in each else '[7, 7]'}\n"
    if problem is None:
        assert load(tmp_path, text).entries
    else:
        (found,) = problems_of(tmp_path, text)
        assert re.search(problem, found), found


ELEMENTS = st.lists(st.integers(0, 60), min_size=1, max_size=6)
ENTRIES = st.lists(
    ELEMENTS.map(lambda at: ("separate", at))
    | st.tuples(st.integers(0, 60), st.integers(1, 3)).map(lambda run: ("run", run)),
    min_size=1,
    max_size=4,
)


@given(layout=ENTRIES, width=st.sampled_from([4, 8]))
def test_overlaps_on_a_target(layout: list[tuple[str, Any]], width: int) -> None:
    """A preview refuses a patch if any byte is written twice, and names an entry that does."""
    entries: list[PatchEntry | ScatteredEntry] = []
    written: list[set[int]] = []
    twice: set[int] = set()
    for number, (kind, where) in enumerate(layout, 1):
        if kind == "run":
            starts = [where[0] + width * at for at in range(where[1])]
            entries.append(PatchEntry(BASE + where[0], [7] * where[1]))
        else:
            starts = where
            entries.append(ScatteredEntry([BASE + at for at in where], 7))
        own: set[int] = set()
        for start in starts:
            touched = set(range(start, start + width))
            if touched & own or any(touched & each for each in written):
                twice.add(number)
            own |= touched
        written.append(own)
    with pydbgwrite.simulate([(BASE, 0x1000)], pointer_size=width) as session:
        preview = Patch(entries).preview(session)
        refused = {each.number for each in preview.entries if each.problems}
        assert refused <= twice
        assert bool(refused) == bool(twice) == (not preview.ok)
        if preview.ok:
            assert Patch(entries).apply(session) == preview.pointers


@pytest.mark.parametrize("width", [4, 8])
def test_a_page_is_that_of_the_same_pointers(width: int) -> None:
    """The page of a scattered entry has the groups of as many entries with one pointer each."""
    offsets = [0x1000, 8, 0x20, 16, 0x18, 0x2FF8, 0x4000]
    values, expect = [1, 2, 3, 4, 5, 6, 7], [0, 2, 9, 0, 0, 0, 0]
    with pydbgwrite.simulate([(BASE, 0x3000)], pointer_size=width) as session:
        session.write_pointers(BASE + 8, [2])
        single = Patch(
            [
                PatchEntry(BASE + at, [value], expect=want, note="n")
                for at, value, want in zip(offsets[:-1], values, expect, strict=False)
            ]
        )
        scattered = Patch(
            [ScatteredEntry(offsets[:-1], values[:-1], base=BASE, expect=expect[:-1], note="n")]
        )
        pages = [data_of(each.preview(session).to_html()) for each in (single, scattered)]
        for page in pages:
            for group in page["groups"]:
                group["rows"] = [row[1:] for row in group["rows"]]  # the entry's number differs
        assert pages[0]["groups"] == pages[1]["groups"]
        states = [group["states"] for group in pages[1]["groups"]]
        assert [sum(each) for each in zip(*states, strict=True)] == [4, 1, 1, 0, 0]
        unmapped = Patch([ScatteredEntry(offsets, 1, base=BASE)]).preview(session)
        assert "0x14000 is" in unmapped.problems[0]
        (*_, last) = data_of(unmapped.to_html())["groups"]
        assert last["states"] == [0, 0, 0, 1, 0]
        lost = Patch([ScatteredEntry(["nowhere!x", BASE], 1), PatchEntry(BASE + 64, [1])])
        first, last = data_of(lost.preview(session).to_html())["groups"]
        assert (first["name"], first["count"], last["count"]) == ("no address", 2, 1)


def data_of(page: str) -> Any:
    """Return what the page's script reads."""
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert match is not None
    return json.loads(match[1])


def test_a_notebook_shows_each_address(session: pydbgwrite.Session) -> None:
    preview = Patch([ScatteredEntry([BASE + 64, BASE], [5, 6])]).preview(session)
    shown = preview._repr_html_()
    assert shown.index("0x10040") < shown.index("0x10000")
    assert "2 pointers" in shown


def test_problems_of_many_addresses_are_one() -> None:
    places = array("Q", [BASE + 0x800 * at for at in range(6)])
    with pydbgwrite.simulate([(BASE, 0x1000), (BASE + 0x2000, 0x1000)]) as session:
        preview = Patch([ScatteredEntry(places, 1)]).preview(session)
        (problem,) = preview.problems
        assert problem.startswith("entry 1: 0x11000 is not mapped")
        assert "(2 of 6 pointers" in problem
        assert preview.kind == "access"
        (entry,) = preview.entries
        assert (entry.before, entry.addresses, entry.address) == (None, places, BASE)
        # Over the end of the mapping, and to a place that is behind it.
        crossing = Patch([ScatteredEntry([BASE + 0xFFC], 1)]).preview(session)
        assert crossing.problems[0].startswith("entry 1: 0x11000 is not mapped")
        session.write_pointers(BASE, [2**64 - 8])
        past = Patch([ScatteredEntry([8, 0], 1, base=f"[{BASE}]")]).preview(session)
        assert past.problems == ["entry 1: a pointer at 0x10000000000000000 would go past 2**64"]


def test_a_base_that_is_not_there(session: pydbgwrite.Session) -> None:
    preview = Patch([ScatteredEntry([0, 8], 1, base="nowhere.so")]).preview(session)
    assert preview.problems[0].startswith("entry 1: base: ")
    assert "nowhere.so" in preview.problems[0]
    assert preview.entries[0].addresses is None


def test_memory_that_can_not_be_read_after_all() -> None:
    with pydbgwrite.simulate([(BASE, 0x4000)]) as session:
        testing.fail_reads(session, BASE + 0x2000, after=0)
        few = [ScatteredEntry([at, at + 0x10], 1) for at in (BASE + 0x2000, BASE)]
        many = ScatteredEntry(range(BASE + 0x100, BASE + 0x3000, 8), 1)
        preview = Patch([*few, many]).preview(session)
        assert preview.kind == "access"
        assert [each.before is None for each in preview.entries] == [True, False, True]
        assert {problem.partition(":")[0] for problem in preview.problems} == {"entry 1", "entry 3"}


def test_a_write_that_fails_is_undone() -> None:
    with pydbgwrite.simulate([(BASE, 0x4000)]) as session:
        before = bytes(range(256)) * 64
        session.write(BASE, before)
        patch = Patch(
            [
                PatchEntry(BASE, range(300)),
                ScatteredEntry(range(BASE + 0x1000, BASE + 0x3000, 16), 1),
            ]
        )
        testing.fail_writes(session, BASE + 0x2000, after=0)
        with pytest.raises(pydbgwrite.TargetAccessError) as caught:
            patch.apply(session)
        assert any("undone" in note for note in caught.value.__notes__)
        testing.clear(session)
        assert session.read(BASE, 0x4000) == before


def test_what_was_shown_is_expected(session: pydbgwrite.Session) -> None:
    patch = Patch([ScatteredEntry([BASE + 64, BASE], [5, 6])])
    shown = patch.preview(session)
    session.write_pointers(BASE + 64, [9])
    with pytest.raises(ExpectationError, match="changed since the preview") as caught:
        patch.apply(session, expect=shown)
    assert caught.value.mismatches == [(BASE + 64, 0, 9)]
    session.write_pointers(BASE, [BASE + 0x100])
    chain = Patch([ScatteredEntry([0, 64], 1, base=f"[{BASE}]")])
    shown = chain.preview(session)
    session.write_pointers(BASE, [BASE + 0x200])
    with pytest.raises(ExpectationError, match="written at 0x10100, and that place is at 0x10200"):
        chain.apply(session, expect=shown)
    value = Patch([ScatteredEntry([BASE + 64], f"[{BASE}]")])
    shown = value.preview(session)
    session.write_pointers(BASE, [BASE + 0x300])
    with pytest.raises(ExpectationError, match="what entry 1 writes has another address now"):
        value.apply(session, expect=shown)
    many = Patch([PatchEntry(f"[{BASE}]+{8 * at}", [1]) for at in range(5)])
    shown = many.preview(session)
    session.write_pointers(BASE, [BASE + 0x400])
    with pytest.raises(ExpectationError, match="2 more entries have moved"):
        many.apply(session, expect=shown)


def test_narrow_targets() -> None:
    with pydbgwrite.simulate([(BASE, 0x1000)], pointer_size=4) as session:
        patch = Patch([ScatteredEntry([4, 0, 12], [1, 2**64 - 5, 3], base=BASE, expect=0)])
        assert patch.apply(session) == 3
        patch.verify(session)
        assert list(session.read_pointers(BASE, 4)) == [2**32 - 5, 1, 0, 3]
        wide = Patch([ScatteredEntry([BASE, BASE + 4], 2**33, expect=[2**34, 0])]).preview(session)
        assert "pointers is 0x200000000, and the target has 32-bit pointers" in wide.problems[0]
        assert "expect[0] is 0x400000000" in wide.problems[1]


def test_saving(tmp_path: Path) -> None:
    patch = Patch(
        [
            ScatteredEntry(range(0, 800, 8), "a!b", base="x.so", expect=range(100)),
            ScatteredEntry([5000, 6000], [1, 2], expect=0, addresses_file="sub/at.bin"),
        ]
    )
    patch.save(tmp_path / "p.toml", inline=50)
    assert (tmp_path / "p.toml").read_text() == (
        'format = 2\n\n[[write]]\nbase = "x.so"\noffsets = "p.1.offsets.npy"\npointers = "a!b"\n'
        'expect_file = "p.1.expect.npy"\n\n[[write]]\naddresses = "sub/at.bin"\n'
        'pointers = ["0x1", "0x2"]\nexpect = "0x0"\n'
    )
    assert np.load(tmp_path / "p.1.offsets.npy").tolist() == list(range(0, 800, 8))
    for options, words in (
        ({"file": "x.npy"}, "can't hold one value"),
        ({"expect": 1, "expect_file": "x.npy"}, "can't hold one value"),
    ):
        with pytest.raises(PatchError, match=words):
            Patch([ScatteredEntry([8], 1, **options)]).save(tmp_path / "q.toml")
    names = ScatteredEntry(["a!b"], 1, addresses_file="x.npy")
    with pytest.raises(PatchError, match="can't hold addresses by name"):
        Patch([names]).save(tmp_path / "q.toml")
