"""Side files of patches: which names are accepted; none leads out of the patch's folder."""

from __future__ import annotations

import os
import sys
from array import array
from pathlib import Path

import numpy as np
import pytest
from support.patch_files import load, problems_of

from pydbgwrite import Patch, PatchEntry


def npy(header: str, data: bytes = bytes(16), version: bytes = b"\x01\x00") -> bytes:
    """Return the bytes of a .npy file with that header."""
    return (
        b"\x93NUMPY" + version + len(header).to_bytes(2, "little") + header.encode("latin-1") + data
    )


GOOD = "{'descr': '<u8', 'fortran_order': False, 'shape': (2,), }\n"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.bin", b"", "holds no pointers"),
        ("x.bin", bytes(7), "not a multiple of 8"),
        ("x.npy", b"", "not a .npy file"),
        ("x.npy", b"PK\x03\x04" + bytes(100), "not a .npy file"),
        ("x.npy", npy(GOOD)[:20], "truncated"),
        ("x.npy", npy(GOOD, bytes(15)), "damaged or truncated"),
        ("x.npy", npy(GOOD, bytes(17)), "damaged or truncated"),
        ("x.npy", npy(GOOD, bytes(8)), "damaged or truncated"),
        ("x.npy", npy(GOOD.replace("(2,)", "(-2,)")), "damaged"),
        ("x.npy", npy(GOOD.replace("(2,)", "(0,)"), b""), "holds no pointers"),
        ("x.npy", npy(GOOD.replace("(2,)", "(True,)")), "one dimension"),
        ("x.npy", npy(GOOD.replace("(2,)", "(2, 1)")), "one dimension"),
        ("x.npy", npy(GOOD.replace("(2,)", "()"), bytes(8)), "one dimension"),
        ("x.npy", npy(GOOD.replace("(2,)", "2")), "one dimension"),
        ("x.npy", npy(GOOD.replace("<u8", ">u8")), "type '>u8'"),
        ("x.npy", npy(GOOD.replace("<u8", "<i8")), "must have '<u8'"),
        ("x.npy", npy(GOOD.replace("<u8", "<u4"), bytes(8)), "must have '<u8'"),
        ("x.npy", npy(GOOD.replace("<u8", "<f8")), "must have '<u8'"),
        ("x.npy", npy(GOOD.replace("<u8", "|O")), "must have '<u8'"),
        ("x.npy", npy(GOOD.replace("'<u8'", "[('a', '<u8')]")), "must have '<u8'"),
        ("x.npy", npy("__import__('os').abort()"), "header is not valid"),
        ("x.npy", npy("(" * 5000), "header is not valid"),
        # A space for str.strip(), and none for Python's parser: NumPy refuses it (a fuzzer's find).
        ("x.npy", npy(GOOD.replace("\n", "\xa0\n")), "header is not valid"),
        ("x.npy", npy("{'descr': '<u8'}"), "three keys"),
        ("x.npy", npy("[1]"), "three keys"),
        ("x.npy", npy(GOOD, version=b"\x07\x00"), "version 7"),
        ("x.npy", npy(GOOD, version=b"\x01\x20"), "version 1.32"),
        ("x.npy", npy(GOOD.replace("False", "0")), "fortran_order that is not a bool"),
        ("x.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(50), "truncated"),
    ],
)
def test_side_files_that_are_wrong(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    text = f"format = 1\n\n[[write]]\naddress = 1\nfile = '{name}'\n"
    (problem,) = problems_of(tmp_path, text)
    assert problem.startswith("line 5, entry 1: file ") and words in problem


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files with holes")
@pytest.mark.parametrize(
    ("header", "words"),
    [
        (GOOD.replace("<u8", "<f8"), "must have '<u8'"),
        (GOOD, "says that it has 2 pointers, and 1,099,511,627,"),
        (GOOD.replace("(2,)", "(1,)"), "says that it has 1 pointer, and 1,099,511,627,"),
    ],
)
def test_a_header_is_checked_before_memory_is_taken(
    tmp_path: Path, header: str, words: str
) -> None:
    """No machine could read the whole file first."""
    with open(tmp_path / "x.npy", "wb") as file:
        file.write(npy(header))
        file.truncate(1 << 40)
    (problem,) = problems_of(tmp_path, "format = 1\n\n[[write]]\naddress = 1\nfile = 'x.npy'\n")
    assert words in str(problem)


def test_side_files_that_are_missing(tmp_path: Path) -> None:
    text = "format = 1\n[[write]]\naddress = 1\nfile = 'no.bin'\n"
    (problem,) = problems_of(tmp_path, text)
    assert problem == "line 4, entry 1: file 'no.bin' can't be read: No such file or directory"
    (tmp_path / "no.bin").mkdir()
    assert "entry 1: file 'no.bin'" in problems_of(tmp_path, text)[0]


HOSTILE = [
    "../x.bin",
    "a/../../x.bin",
    "/etc/x.bin",
    "\\\\server\\share\\x.bin",
    "C:\\x.bin",
    "C:x.bin",
    "c:/x.bin",
    "\\x.bin",
    "..\\x.bin",
    "sub\\x.bin",
    "x.txt:stream.bin",
    "nul.bin",
    "sub/CON.npy",
    "COM1.bin",
    "LPT\u00b9.bin",
    "//server/share/x.bin",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(tmp_path: Path, name: str) -> None:
    """The name alone is the reason for refusal, on every platform."""
    text = f"format = 1\n[[write]]\naddress = 1\nfile = {name!r}\n"
    (problem,) = problems_of(tmp_path, text)
    assert problem.startswith("line 4, entry 1: file ")
    assert "can't be read" not in problem
    with pytest.raises(ValueError, match="file"):
        PatchEntry(1, [1], file=name)


@pytest.mark.parametrize("name", ["", "x.bin\\u0000", "x", "x.txt", "dev/fd/0"])
def test_names_that_mean_nothing(tmp_path: Path, name: str) -> None:
    text = f'format = 1\n[[write]]\naddress = 1\nfile = "{name}"\n'
    (problem,) = problems_of(tmp_path, text, side_files_anywhere=True)
    assert "line 4, entry 1: file " in problem


def test_side_files_anywhere(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "x.bin").write_bytes(bytes(8))
    for name in ("../x.bin", (tmp_path / "x.bin").as_posix()):
        text = f"format = 1\n[[write]]\naddress = 1\nfile = {name!r}\n"
        assert problems_of(tmp_path / "sub", text)
        patch = load(tmp_path / "sub", text, side_files_anywhere=True)
        assert patch.entries[0].pointers == array("Q", [0])


@pytest.mark.skipif(sys.platform == "win32", reason="making symbolic links is a privilege there")
def test_symbolic_links(tmp_path: Path) -> None:
    """A link that leads out is refused; one that stays inside is not. A pipe is refused at once."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "x.bin").write_bytes(bytes(8))
    (inside / "real.bin").write_bytes(bytes(8))
    (inside / "out.bin").symlink_to(tmp_path / "x.bin")
    (inside / "folder").symlink_to(tmp_path)
    (inside / "good.bin").symlink_to("real.bin")
    os.mkfifo(inside / "pipe.bin")
    text = "format = 1\n[[write]]\naddress = 1\nfile = '{}'\n"
    for name in ("out.bin", "folder/x.bin"):
        (problem,) = problems_of(inside, text.format(name))
        assert "leads out of the patch file's folder" in problem
        assert load(inside, text.format(name), side_files_anywhere=True).entries
    assert load(inside, text.format("good.bin")).entries
    assert "not a regular file" in problems_of(inside, text.format("pipe.bin"))[0]
    (tmp_path / "link").symlink_to(inside)  # the path to the folder may contain a link
    assert load(tmp_path / "link", text.format("real.bin")).entries


def test_side_files_are_numpys(tmp_path: Path) -> None:
    values = [2**64 - 1, 0, 5]
    Patch([PatchEntry(1, values)]).save(tmp_path / "a.toml", inline=2)
    found = np.load(tmp_path / "a.1.npy")
    assert (found.dtype, found.tolist()) == (np.dtype("<u8"), values)
    Patch([PatchEntry(1, values, file="sub/b.bin")]).save(tmp_path / "b.toml")
    assert np.fromfile(tmp_path / "sub" / "b.bin", "<u8").tolist() == values
