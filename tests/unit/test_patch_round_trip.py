"""Saving and loading patches, the faster reader for long patches, and a million entries."""

from __future__ import annotations

import os
import tomllib
from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.patch_files import load, problems_of

import pydbgwrite
from pydbgwrite import BuildCheck, Patch, PatchEntry, PatchError, ScatteredEntry
from pydbgwrite._patch.toml_fast import read_plain
from pydbgwrite._patch.toml_lines import Lines

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBERS = st.integers(0, 2**64 - 1)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
#: A text that begins with "[" is the pointer at an address, and its brackets must match.
MODULES = NAMES.filter(lambda name: not name.startswith("["))
ADDRESSES = NUMBERS | st.builds(lambda m, s: f"{m}!{s}", MODULES, NAMES)
POINTERS = st.lists(NUMBERS, min_size=1, max_size=20) | st.lists(ADDRESSES, min_size=1, max_size=6)


@st.composite
def scattered_entries(draw: st.DrawFn, number: int) -> ScatteredEntry:
    """Generate an entry of any kind, in numbers that no other entry has."""
    count = draw(st.integers(1, 20))
    offsets = st.integers(0, 0x1FFF).map(lambda each: 8 * each)
    addresses: Any = draw(st.lists(offsets, min_size=count, max_size=count, unique=True))
    base: Any = draw(st.sampled_from([None, number * 0x10000, f"{number}.so", f"{number}!x+8"]))
    if base is None:
        addresses = [number * 0x10000 + each for each in addresses]
        if draw(st.booleans()):
            addresses[0] = f"{number}{draw(NAMES)}!{draw(NAMES)}"

    def one_or_each() -> Any:
        numbers = st.lists(NUMBERS, min_size=count, max_size=count)
        return draw(ADDRESSES | numbers | st.lists(ADDRESSES, min_size=count, max_size=count))

    def file_of(values: Any, kind: str) -> str | None:
        whole = isinstance(values, list) and all(type(each) is int for each in values)
        return f"{kind}{number}.npy" if whole and draw(st.booleans()) else None

    pointers, expect = one_or_each(), draw(st.none()) if draw(st.booleans()) else one_or_each()
    return ScatteredEntry(
        addresses,
        pointers,
        base=base,
        expect=expect,
        note=draw(TEXTS),
        file=file_of(pointers, "side"),
        addresses_file=file_of(addresses, "places"),
        expect_file=file_of(expect, "expected"),
    )


@st.composite
def patches(draw: st.DrawFn) -> Patch:
    """Generate patches of every kind, without overlaps that a loader can detect."""
    entries: list[PatchEntry | ScatteredEntry] = []
    for number in range(draw(st.integers(1, 4))):
        if draw(st.integers(0, 3)) == 0:
            entries.append(draw(scattered_entries(number)))
            continue
        pointers = draw(POINTERS)
        expect: Any = draw(st.none() | ADDRESSES)
        if draw(st.booleans()):
            expect = [draw(ADDRESSES) for _ in pointers]
        address: int | str = number * 0x10000 + draw(st.integers(0, 9))
        if draw(st.booleans()):
            address = f"{number}{draw(NAMES)}!{draw(NAMES)}"
        file = f"side{number}.{draw(st.sampled_from(['npy', 'bin']))}"
        whole = all(type(each) is int for each in pointers)
        entries.append(
            PatchEntry(
                address,
                pointers,
                expect=expect,
                note=draw(TEXTS),
                file=file if whole and draw(st.booleans()) else None,
            )
        )
    builds = [
        BuildCheck(name, build_id="ab12", sha256=draw(st.none() | st.just("0f" * 32)))
        for name in draw(st.lists(NAMES, max_size=2))
    ]
    return Patch(entries, builds=builds, note=draw(TEXTS))


@given(patch=patches(), inline=st.integers(0, 30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_saved_is_loaded_again(tmp_path: Path, patch: Patch, inline: int) -> None:
    path = tmp_path / "round.toml"
    patch.save(path, inline=inline)
    again = Patch.load(path)
    assert again == patch
    first = path.read_bytes()
    again.save(path, inline=inline)
    assert path.read_bytes() == first
    scattered = any(isinstance(entry, ScatteredEntry) for entry in patch.entries)
    assert tomllib.loads(first.decode())["format"] == (2 if scattered else 1)


@given(patch=patches())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_faster_reader_reads_what_is_saved(tmp_path: Path, patch: Patch) -> None:
    """It reads a saved patch as tomllib does.

    It leaves a text with escaped strings or scattered entries to tomllib.
    """
    patch.save(tmp_path / "plain.toml")
    text = (tmp_path / "plain.toml").read_text(encoding="utf-8")
    escaped = "\\" in text.partition("\n[[write]]\n")[2]
    scattered = any(isinstance(entry, ScatteredEntry) for entry in patch.entries)
    assert read_plain(text) == (None if escaped or scattered else tomllib.loads(text))


PIECES = st.sampled_from(
    [
        *("format = 1\n", "\n", "[[write]]\n", "\n[[write]]\n", "[[build]]\n", "[write]\n", "#x\n"),
        *("note = ", "address = ", "pointers = ", "expect = ", "file = ", "x = 1\n", "=", ",", " "),
        *('"0x10"', '"a!b"', "16", "0x10", "0", "007", "1_0", "-1", "+1", "1.0", "1e5", "true"),
        *(
            "[",
            "]",
            "[]",
            "[1]",
            '["a", 2]',
            "[1,\n  2,\n]",
            "[1 2]",
            "[,]",
            "[1,,2]",
            "1z",
            "0X10",
        ),
        *(
            '"""\n',
            "'",
            '"',
            "\\",
            "\t",
            "12:00:00",
            "1979-05-27",
            "\r\n",
            "9" * 30,
            '"\t"',
            '"\x7f"',
        ),
    ]
)


@given(pieces=st.lists(PIECES, max_size=30))
@settings(max_examples=3 * settings().max_examples)
def test_the_faster_reader_never_differs(pieces: list[str]) -> None:
    """For any text it returns the same as tomllib, or None."""
    text = "format = 1\n\n[[write]]\naddress = 1\npointers = [1]\n" + "".join(pieces)
    for each in (text, "".join(pieces)):
        found = read_plain(each.replace("\r\n", "\n"))
        if found is not None:
            assert found == tomllib.loads(each)


@given(pieces=st.lists(PIECES, max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_answered(tmp_path: Path, pieces: list[str]) -> None:
    """Loading any text returns a patch or raises a PatchError that lists a problem."""
    path = tmp_path / "any.toml"
    for start in ("", "format = 1\n\n[[write]]\naddress = 1\npointers = [1]\n"):
        path.write_text(start + "".join(pieces), encoding="utf-8", newline="")
        try:
            assert Patch.load(path).entries
        except PatchError as error:
            assert error.problems


@given(
    notes=st.lists(
        st.sampled_from(
            ["", "'x'", '"""\n[[write]]\n"""', "'''\n\n[[build]]'''", '"[[write]]"', "[['a']]"]
        ),
        min_size=1,
        max_size=5,
    ),
    comment=st.booleans(),
)
def test_lines_of_tables_and_keys(notes: list[str], comment: bool) -> None:
    """The lines found are correct even if strings and comments look like headers."""
    text, wanted = "format = 1\n", []
    for note in notes:
        text += "# [[write]]\n" if comment else "\n"
        first = text.count("\n") + 1
        text += "  [[ write ]] # x\naddress = [\n1,\n]\n"
        text += f"note = {note}\n" if note else ""
        wanted.append((first, text.count("\n") + 1))
        text += "pointers = [1]\n"
    assert len(tomllib.loads(text)["write"]) == len(notes)
    for each in (text, text.replace("[[ write ]]", '[["write"]]')):
        lines = Lines(each)
        for index, (first, last) in enumerate(wanted):
            assert lines.of("write", index) == first
            assert lines.of("write", index, "address") == first + 1
            assert lines.of("write", index, "pointers") == last
            assert lines.of("write", index, "missing") == first
        assert lines.of_key("format") == 1
        assert lines.of_key("write") == wanted[0][0]
        assert lines.of_key("missing") is None


def test_a_million_entries(tmp_path: Path) -> None:
    """A file with a table for each entry takes seconds, not minutes, also with a mistake in it."""
    count = 1_000_000 if os.environ.get("PYDBGWRITE_TEST_PROFILE") == "full" else 20_000
    text = "format = 1\n" + "".join(
        f'\n[[write]]\naddress = "0x{0x10000 + 8 * i:x}"\npointers = ["0x{i:x}"]\nexpect = 0\n'
        for i in range(count)
    )
    patch = load(tmp_path, text)
    assert len(patch.entries) == count
    assert patch.entries[-1].pointers == array("Q", [count - 1])
    with pydbgwrite.simulate([(0x10000, 8 * count)]) as session:
        preview = patch.preview(session)
        assert (preview.ok, preview.pointers, preview.changed) == (True, count, count - 1)
        assert patch.apply(session) == count
        assert session.read_pointers(0x10000, count) == array("Q", range(count))
        patch.verify(session)
        preview = patch.preview(session)
        assert (len(preview.problems), preview.mismatch_total) == (count - 1, count - 1)
    last = text.rindex("address")
    (problem,) = problems_of(tmp_path, text[:last] + "adress" + text[last + 7 :] + "address = 1\n")
    assert problem.startswith(f"line {5 * count - 1}, entry {count}: unknown key 'adress'")


def test_a_million_scattered_pointers(tmp_path: Path) -> None:
    """They take one table and side files, and no work for each pointer in Python."""
    count = 1_000_000 if os.environ.get("PYDBGWRITE_TEST_PROFILE") == "full" else 50_000
    offsets = array("Q", range(0, 16 * count, 16))
    values = array("Q", range(1, count + 1))
    saved = Patch([ScatteredEntry(offsets, values, base=0x10000, expect=array("Q", [0]) * count)])
    saved.save(tmp_path / "found.toml")
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["found.1.expect.npy", "found.1.npy", "found.1.offsets.npy", "found.toml"]
    patch = Patch.load(tmp_path / "found.toml")
    assert patch == saved
    with pydbgwrite.simulate([(0x10000, 16 * count)]) as session:
        preview = patch.preview(session)
        assert (preview.ok, preview.pointers, preview.changed) == (True, count, count)
        assert f"{count:,} pointers" in preview.to_html()
        assert patch.apply(session) == count
        places = array("Q", range(0x10000, 0x10000 + 16 * count, 16))
        assert session.read_scattered(places) == values
        patch.verify(session)
        preview = patch.preview(session)
        assert (len(preview.problems), preview.mismatch_total) == (1, count)
        assert f"({count:,} of {count:,} differ)" in preview.problems[0]
        assert len(preview.mismatches) == 100
        assert patch.undo(session).complete
        assert not any(session.read(0x10000, 16 * count))


@given(text=st.text(st.characters()))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_note_is_saved_or_refused(tmp_path: Path, text: str) -> None:
    """A note is saved and loaded unchanged; one with a surrogate, invalid in TOML, is refused."""
    patch = Patch([PatchEntry(1, [2], note=text)])
    try:
        patch.save(tmp_path / "note.toml")
    except PatchError as error:
        assert any(0xD800 <= ord(character) < 0xE000 for character in text)
        assert "entry 1" in error.problems[0]
    else:
        assert Patch.load(tmp_path / "note.toml") == patch


def test_saving_what_can_not_be_saved(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("precious")
    named = PatchEntry(1, ["a!b"])
    named.file = "x.npy"
    first, second = PatchEntry(1, [1], file="x.npy"), PatchEntry(100, [2], file="x.npy")
    for entries, words in (
        ([named], "can't hold addresses by name"),
        ([first, second], "belongs to another entry"),
    ):
        with pytest.raises(PatchError, match=words):
            Patch(entries).save(path)
        assert path.read_text() == "precious"
        assert [each.name for each in tmp_path.iterdir()] == ["x.toml"]
    with pytest.raises(OSError):
        Patch([PatchEntry(1, [1])]).save(tmp_path / "none" / "x.toml")
