"""Patch files: loading returns the saved patch, and all problems are reported at once."""

from __future__ import annotations

import time
import tomllib
import tracemalloc
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.patch_files import ENTRY, load, problems_of

from pydbgwrite import BuildCheck, Patch, PatchEntry

#: Tables in tables, deeper than repr() can show on CPython 3.11.
DEEP = "{a.a.a.a.a.a.a.a = " * 300 + "1" + "}" * 300 + "\n"
DOTS = "a." * 20


def test_the_example(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    values = np.arange(5, dtype="<u8") + 2**63
    np.save(tmp_path / "sub" / "values.npy", values)
    (tmp_path / "raw.bin").write_bytes(values.tobytes())
    patch = load(
        tmp_path,
        """
format = 1
note = "for 2.4"

[[build]]
module = "libfoo.so"
build_id = "5D2F-00"
[[write]]
address = "libfoo.so+0x4010"
pointers = ["0x7f0000001000", 4096, "libc.so.6!puts"]
expect = [0, 0, 0]
note = "dispatch table"
[[write]]
address = 65536
file = "sub/values.npy"
expect = "libc.so.6!puts"
[[write]]
address = "0x20000"
file = "raw.bin"
""",
    )
    first, second, third = patch.entries
    assert isinstance(first, PatchEntry)
    assert isinstance(second, PatchEntry) and isinstance(third, PatchEntry)
    assert patch.note == "for 2.4"
    assert patch.builds == [BuildCheck("libfoo.so", build_id="5d2f00")]
    assert (first.address, first.note) == ("libfoo.so+0x4010", "dispatch table")
    assert first.pointers == (0x7F0000001000, 4096, "libc.so.6!puts")
    assert first.expect == array("Q", [0, 0, 0])
    assert (second.address, second.expect) == (65536, "libc.so.6!puts")
    assert second.pointers == third.pointers == array("Q", values.tolist())
    assert (second.file, third.file, third.address) == ("sub/values.npy", "raw.bin", 0x20000)


def test_every_mistake_at_once(tmp_path: Path) -> None:
    text = f"""format = 1
frmat = 2
[[build]]
modul = "x"
[[write]]
adress = 5
pointers = [
    1, -1,
    true, 1.5, "0zz", {2**64}, 2020-01-01]
[[write]]
address = "0x12g"
file = "x.npy"
pointers = []
[[write]]
address = {2**64 - 4}
"pointers" = [1, 2]
expect = [1]
'note' = 5
"""
    found = problems_of(tmp_path, text)
    for index, (line, words) in enumerate(
        [
            ("line 2", "unknown key 'frmat'; did you mean 'format'?"),
            ("line 3, build 1", "module is missing"),
            ("line 3, build 1", "build_id or sha256 must be given"),
            ("line 4, build 1", "unknown key 'modul'; did you mean 'module'?"),
            ("line 5, entry 1", "address is missing"),
            ("line 6, entry 1", "unknown key 'adress'; did you mean 'address'?"),
            ("line 7, entry 1", "pointers[1] is -0x1"),
            ("line 7, entry 1", "pointers[2] must be a whole number or text, got bool"),
            ("line 7, entry 1", "pointers[3] must be a whole number or text, got float"),
            ("line 7, entry 1", "pointers[4] '0zz'"),
            ("line 7, entry 1", "pointers[5] is 0x10000000000000000"),
            ("line 7, entry 1", "pointers[6] must be a whole number or text, got date"),
            ("line 11, entry 2", "not a hexadecimal number"),
            ("line 12, entry 2", "both given"),
            ("line 13, entry 2", "pointers is empty"),
            ("line 15, entry 3", "would go past 2**64"),
            ("line 17, entry 3", "expect has 1 values and pointers 2"),
            ("line 18, entry 3", "note must be text"),
        ]
    ):
        assert found[index].startswith(f"{line}: "), found[index]
        assert words in found[index]
    assert len(found) == 18


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["format is missing: write format = 1", "there is no [[write]]"]),
        ("[[write]]\naddresses = [1]\npointers = 2\n", ["format is missing: write format = 2"]),
        ("format = 1\n", ["there is no [[write]]"]),
        ("format = 1\nwrite = []\n", ["line 2: write is empty"]),
        ("format = true\n" + ENTRY, ["line 1: format is True"]),
        ("format = 3\nnew = 1\n", ["line 1: format is 3: this version reads format = 1 and"]),
        ("format = 0\n" + ENTRY, ["line 1: format is 0"]),
        ("format = '1'\n" + ENTRY, ["line 1: format is '1'"]),
        ("format = 1\n[write]\naddress = 1\n", ["line 2: write must be tables", "a table"]),
        ("format = 1\nwrite = 5\n", ["line 2: write must be tables"]),
        ("format = 1\nbuild = 'x'\n" + ENTRY, ["line 2: build must be tables"]),
        ("format = 1\nnote = 5\n" + ENTRY, ["line 2: note must be text, got a number (5)"]),
        ("format = 1\n[[write]\n", ["line 2: syntax error"]),
        ("format = 1\nformat = 1\n", ["line 2: syntax error"]),
        ("format = 1\nnote = 'x\n", ["syntax error"]),
        (
            f"format = 1\nx = {'9' * 100_000}\n",
            ["line 2: a number has 100,000 digits: it must be from 0 to 2**64 - 1"],
        ),
        (
            f"format = 1\n[[write]]\naddress = 1\npointers = [\n1,\n-1{'_000' * 2000}]\n",
            ["line 6: a number has 6,001 digits: it must be from 0 to 2**64 - 1"],
        ),
        (f"format = {'9' * 600}\n", ["line 1: format is 9999"]),
        (f"format = 1\nnote = '{'9' * 5000}\n", ["syntax error"]),
        ("format = 1\nx = " + "[" * 100_000, ["nests too deeply"]),
        (f"format = 1\n\n{'a.' * 8}b = 1\n", ["line 3: a key has more than 8 parts"]),
        (f"format = 1\n[ a{' . a' * 8} ]\n", ["line 2: a key has more than 8 parts"]),
        ("format = 1\nx = {'a'" + '. "."' * 8 + " = 1}\n", ["line 2: a key has more than 8 parts"]),
        (f"format = 1\n{'a.' * 7}b = 1\n", ["unknown key 'a'"]),
        ("format = 1\na.\n", ["line 2: syntax error"]),
        (f"format = 1\nnote = '{'a.' * 8}b\n", ["syntax error"]),
        (f"format = 0x{'f' * 9000}\n", ["line 1: format is too long to show"]),
        (f"format = 1\nnote = 0x{'f' * 9000}\n", ["line 2: note must be text, got a number (too"]),
        (f"format = 1\n{ENTRY}expect = {{a = 0x{'f' * 9000}}}\n", ["too long to show (dict)"]),
        ("format = 1\nx = 2020-13-01\n", ["line 2"]),
        ("format = 1\n[[write]]\naddress = true\npointers = [1]\n", ["line 3", "got bool"]),
        ("format = 1\n[[write]]\naddress = [1]\npointers = [1]\n", ["line 3", "got list"]),
        ("format = 1\n[[write]]\naddress = 1\npointers = 5\n", ["line 4", "a list in brackets"]),
        ("format = 1\n[[write]]\naddress = 1\npointers = '5'\n", ["line 4", "a list in brackets"]),
        (
            "format = 1\n[[write]]\naddress = 1\n",
            ["line 2, entry 1: pointers (or file) is missing"],
        ),
        ("format = 1\n[[write]]\naddress = 1\npointers = [[1]]\n", ["line 4", "got list"]),
        ("format = 1\n[[write]]\naddress = 1\npointers = [1]\nexpect = 1.5\n", ["line 5", "float"]),
        ("format = 1\n[[write]]\naddress = 1\npointers = [1]\nexpect = false\n", ["bool"]),
        ("format = 1\n[[write]]\naddress = 1\npointers = [1]\nexpect = []\n", ["0 values"]),
        ("format = 1\n[[write]]\naddress = 1\npointers = [1]\nexpect = -1\n", ["line 5", "-0x1"]),
        (
            "format = 1\nwrite = [\n  {address = 1, pointers = [1]},\n  {address = 'x'},\n]\n",
            ["line 4, entry 2", "pointers (or file) is missing"],
        ),
    ],
)
def test_mistakes(tmp_path: Path, text: str, words: list[str]) -> None:
    found = problems_of(tmp_path, text)
    assert all(any(word in problem for problem in found) for word in words), found


def test_tables_in_tables(tmp_path: Path) -> None:
    """CPython 3.13 can show such a value, 3.11 can't."""
    found = " ".join(problems_of(tmp_path, f"format = 1\nnote = {DEEP}"))
    assert "nests too deeply" in found or "note must be text, got a table ({'a': {'a'" in found


def test_many_unknown_keys(tmp_path: Path) -> None:
    """The first are listed: the line of each is searched for."""
    keys = "".join(f"a{number} = 1\n" for number in range(30))
    found = problems_of(tmp_path, "format = 1\n" + keys + ENTRY + keys)
    assert len(found) == 42
    assert found[19].startswith("line 21: unknown key 'a19'")
    assert found[20] == "line 22: and 10 more unknown keys"
    assert found[40].startswith("line 54, entry 1: unknown key 'a19'")
    assert found[41] == "line 55, entry 1: and 10 more unknown keys"


@pytest.mark.parametrize(
    "note",
    [
        f'"""\n{DOTS}\n"a" ""{DOTS}""\n{DOTS}"""""',
        f"'''\n{DOTS}\n'a' ''{DOTS}''\\\n{DOTS}'''",
        f'"\\"{DOTS}\\\\" # {DOTS}',
        f"'{DOTS}\\' # '\"{DOTS}",
        f'\'\' # """ {DOTS}',
    ],
)
def test_text_with_many_dots(tmp_path: Path, note: str) -> None:
    """Only a key must not have many parts, no string and no comment."""
    text = f"# {DOTS}\r\nformat = 1\r\nnote = {note}\r\n{ENTRY}"
    assert load(tmp_path, text).note == tomllib.loads(text)["note"]
    found = problems_of(tmp_path, f"format = 1\nnote = {note}\n{DOTS}b = 1\n")
    assert [problem.partition(": ")[2] for problem in found] == [
        "a key has more than 8 parts: keys of a patch have one"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a." * 4000 + "b = 1",
        '"a".' * 2000 + "b = 1",
        "".join(f"a{number} = [{{}}]\n" for number in range(800)),
    ],
    ids=["key", "quoted", "arrays"],
)
def test_memory_in_proportion_to_the_file(tmp_path: Path, text: str) -> None:
    problems_of(tmp_path, "x")  # imports what it needs
    tracemalloc.start()
    try:
        assert problems_of(tmp_path, f"format = 1\n{text}\n")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 << 20


def test_time_in_proportion_to_the_file(tmp_path: Path) -> None:
    """20,000 tables whose lines are not found take less than a second, not a minute."""
    text = 'format = 1\n"\\u0077rite" = [' + "{},\n" * 20_000 + "]\n"
    before = time.process_time()
    assert len(problems_of(tmp_path, text)) == 40_000
    assert time.process_time() - before < 10


def test_text_that_is_not_utf_8(tmp_path: Path) -> None:
    assert problems_of(tmp_path, b"format = 1\n\n# \xff\n") == [
        "line 3: this is not UTF-8, as TOML requires"
    ]


def test_files_as_windows_writes_them(tmp_path: Path) -> None:
    """A file with a byte order mark and CR LF line ends is read, with correct line numbers."""
    text = ("\ufeffformat = 1\n" + ENTRY).replace("\n", "\r\n").encode()
    (tmp_path / "patch.toml").write_bytes(text)
    assert Patch.load(tmp_path / "patch.toml").entries == [PatchEntry(0x1000, [1])]
    found = problems_of(tmp_path, text + b"x = 1\r\n")
    assert found == [
        "line 5, entry 1: unknown key 'x'; known are address, pointers, file, expect, note"
    ]


def test_a_patch_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Patch.load(tmp_path / "none.toml")
    with pytest.raises(OSError):
        Patch.load(tmp_path)


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ((0x1000, 2), (0x1004, 1), True),
        ((0x1000, 2), (0x1000, 2), True),
        ((0x1004, 1), (0x1000, 9), True),
        ((0x1000, 2), (0x1008, 1), False),  # they do not overlap if pointers are 32 bits wide
        (("a.so+0x10", 4), ("a.so+28", 1), True),
        (("a.so!t", 4), ("a.so!t+8", 1), True),
        (("a.so!t-4", 4), ("a.so!t", 1), True),
        (("a.so+0x10", 4), ("b.so+28", 1), False),
    ],
)
def test_overlaps_that_can_be_seen(
    tmp_path: Path, first: tuple[Any, int], second: tuple[Any, int], overlap: bool
) -> None:
    text = "format = 1\n"
    for address, count in (first, second):
        text += f"[[write]]\naddress = {address!r}\npointers = {[7] * count}\n"
    if overlap:
        (problem,) = problems_of(tmp_path, text)
        assert problem == "line 6, entry 2: it writes to bytes that entry 1 writes to, too"
    else:
        assert len(load(tmp_path, text).entries) == 2
