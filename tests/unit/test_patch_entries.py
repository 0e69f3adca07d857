"""Entries, build checks and patches as objects: the arguments they accept and refuse."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pytest
from support.inputs import Index

from pydbgwrite import BuildCheck, Patch, PatchEntry, ScatteredEntry


@pytest.mark.parametrize(
    ("pointers", "expect", "error", "words"),
    [
        ([], None, ValueError, "empty"),
        (b"", None, ValueError, "empty"),
        ("abc", None, TypeError, "got 'abc'"),
        (5, None, TypeError, "got 5"),
        ({1: 2}, None, TypeError, "dict"),
        ({1}, None, TypeError, "set"),
        (bytes(7), None, TypeError, "7 bytes"),
        (array("I", [1]), None, TypeError, "format 'I'"),
        (array("d", [1]), None, TypeError, "format 'd'"),
        (np.zeros((2, 2), "u8"), None, TypeError, "2 dimensions"),
        (np.zeros(2, ">u8"), None, TypeError, "format '>"),
        ([1, True], None, TypeError, r"pointers\[1\].*bool"),
        ([1, 2.0], None, TypeError, r"pointers\[1\].*float"),
        ([1, -1], None, OverflowError, r"pointers\[1\] is -0x1"),
        ([2**64], None, OverflowError, r"pointers\[0\]"),
        (["0a"], None, ValueError, r"pointers\[0\]"),
        ([1], [1, 2], ValueError, "expect has 2 values and pointers 1"),
        ([1], True, TypeError, "expect.*bool"),
        ([1], -1, OverflowError, "expect is -0x1"),
        ([1], "", ValueError, "expect"),
    ],
)
def test_entries_that_are_wrong(
    pointers: Any, expect: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        PatchEntry(0x1000, pointers, expect=expect)


@pytest.mark.parametrize(
    "pointers",
    [
        [1, 2**64 - 1],
        (1, 2**64 - 1),
        iter([1, 2**64 - 1]),
        [Index(1), np.uint64(2**64 - 1)],
        ["1", "0xffffffffffffffff"],
        array("Q", [1, 2**64 - 1]),
        array("q", [1, -1]),
        array("Q", [1, 2**64 - 1]).tobytes(),
        bytearray(array("Q", [1, 2**64 - 1]).tobytes()),
        np.array([1, 2**64 - 1], "u8"),
        np.array([1, 7, 2**64 - 1, 7], "u8")[::2],
        memoryview(array("Q", [1, 2**64 - 1])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_entries_of_every_kind(pointers: Any) -> None:
    assert PatchEntry("a!b", pointers).pointers == array("Q", [1, 2**64 - 1])


def test_entries_are_copies() -> None:
    values = array("Q", [1])
    entry = PatchEntry(1, values)
    values[0] = 2
    assert entry.pointers == array("Q", [1])
    assert repr(entry) == "<pydbgwrite.PatchEntry of 1 pointer at 0x1>"
    assert repr(Patch([entry])) == "<pydbgwrite.Patch of 1 entry, 1 pointer>"


@pytest.mark.parametrize(
    ("addresses", "pointers", "options", "error", "words"),
    [
        ([], 1, {}, ValueError, "addresses is empty"),
        (5, 1, {}, TypeError, "addresses must be a list"),
        ([-1], 1, {}, OverflowError, r"addresses\[0\] is -0x1"),
        ([True], 1, {}, TypeError, r"addresses\[0\].*bool"),
        ([1], [], {}, ValueError, "pointers is empty"),
        ([1], None, {}, TypeError, "pointers"),
        ([1], True, {}, TypeError, "pointers.*bool"),
        ([1], 2**64, {}, OverflowError, "pointers is 0x1"),
        ([1, 16], [1], {}, ValueError, "pointers has 1 values and addresses 2"),
        ([1], [1, 2], {"base": 8}, ValueError, "pointers has 2 values and offsets 1"),
        ([1, 16], 1, {"expect": [1, 2, 3]}, ValueError, "expect has 3 values and addresses 2"),
        ([1], 1, {"expect": -1}, OverflowError, "expect is -0x1"),
        ([1, "a!b"], 1, {"base": "a"}, TypeError, r"offsets\[1\] is 'a!b', and must be a number"),
        ([1], 1, {"base": ""}, ValueError, "base"),
        ([1], 1, {"base": 1.5}, TypeError, "base.*float"),
        ([2**64 - 1], 1, {}, OverflowError, "at 0xffffffffffffffff would go past"),
        (["a!b", 2**64 - 3], 1, {}, OverflowError, "would go past"),
        ([2**63], 1, {"base": 2**63}, OverflowError, "would go past"),
        ([1], 1, {"note": 5}, TypeError, "note must be a str"),
        ([1], 1, {"file": "../x.npy"}, ValueError, "file"),
        ([1], 1, {"addresses_file": "x.txt"}, ValueError, "file"),
        ([1], 1, {"expect_file": "/x.npy"}, ValueError, "file"),
    ],
)
def test_scattered_entries_that_are_wrong(
    addresses: Any, pointers: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        ScatteredEntry(addresses, pointers, **options)


def test_scattered_entries_of_every_kind() -> None:
    places = array("Q", [8, 2**64 - 16])
    for given in (list(places), iter(places), places, np.array(places), places.tobytes()):
        entry = ScatteredEntry(given, "a!b", expect=np.uint64(7))
        assert (entry.addresses, entry.pointers, entry.expect) == (places, "a!b", 7)
    entry = ScatteredEntry(places[:1], [5], base="7zip")  # a module's name may begin with a digit
    assert len(entry) == 1
    assert repr(entry) == "<pydbgwrite.ScatteredEntry of 1 pointer at offsets from 7zip>"
    assert entry == ScatteredEntry([8], [5], base="7zip")
    assert entry != ScatteredEntry([8], [5])
    assert entry != PatchEntry(8, [5])
    places[0] = 9
    assert entry.addresses == array("Q", [8])


def test_patches_that_are_wrong() -> None:
    entry: Any = "entry"
    with pytest.raises(ValueError, match="at least one entry"):
        Patch([])
    with pytest.raises(TypeError, match=r"entries\[0\] must be a PatchEntry or a Scat.*, got str"):
        Patch([entry])
    with pytest.raises(TypeError, match=r"builds\[0\] must be a BuildCheck, got str"):
        Patch([PatchEntry(1, [1])], builds=[entry])
    with pytest.raises(TypeError, match="note must be a str"):
        Patch([PatchEntry(1, [1])], note=5)  # type: ignore[arg-type]
    patch = Patch([PatchEntry(1, [1])])
    patch.entries.clear()
    with pytest.raises(ValueError, match="at least one entry"):
        patch.save("nowhere.toml")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({}, ValueError, "build_id or sha256"),
        ({"build_id": 5}, TypeError, "build_id must be text"),
        ({"build_id": "xyz"}, ValueError, "hexadecimal"),
        ({"build_id": ""}, ValueError, "hexadecimal"),
        ({"sha256": "ab"}, ValueError, "64 hexadecimal digits, got 2"),
    ],
)
def test_builds_that_are_wrong(arguments: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        BuildCheck("libfoo.so", **arguments)
    for module in ("", "a\0"):
        with pytest.raises(ValueError, match="module"):
            BuildCheck(module, build_id="ab")
