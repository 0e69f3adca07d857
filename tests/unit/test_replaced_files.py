"""A file is replaced as a whole, and nothing else stays beside it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pydbgwrite._replaced_file import replace_file


def test_a_file_and_one_that_is_there(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 250)  # as long as a name can be
    for content in (b"first " * 100_000, b"", b"second"):
        replace_file(str(file), content)
        assert file.read_bytes() == content
        assert [*tmp_path.iterdir()] == [file]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    place = tmp_path / "folder"
    place.mkdir()
    with pytest.raises(OSError):
        replace_file(str(place), b"content")
    with pytest.raises(OSError):
        replace_file(str(tmp_path / "absent" / "file"), b"content")
    assert [*tmp_path.rglob("*")] == [place]


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
def test_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace_file(str(tmp_path / "open"), b"")
        replace_file(str(tmp_path / "private"), b"", 0o600)
    finally:
        os.umask(before)
    modes = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
    assert modes == {"open": 0o640, "private": 0o600}


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX links")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"precious")
    (tmp_path / "link").symlink_to("other")
    replace_file(str(tmp_path / "link"), b"content")
    assert (tmp_path / "other").read_bytes() == b"precious"
    assert not (tmp_path / "link").is_symlink()
