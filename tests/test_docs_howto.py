"""The how-to pages keep their word: what they say to do is done, and what they show is compared."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from support.pages import Reader

#: Pages for any platform, and how many blocks each has at least: less, and they are not found.
ANYWHERE = {"howto/coming-from.md": 1, "howto/large-arrays.md": 7}
#: Pages on live processes of Linux; tests/windows/test_genuine_docs.py has those of Windows.
LINUX = {
    "howto/addresses.md": 3,
    "howto/linux-permissions.md": 3,
    "howto/undo.md": 8,
}


@pytest.mark.parametrize("page", ANYWHERE)
def test_anywhere(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Reader(tmp_path).follow(page) >= ANYWHERE[page]


@pytest.mark.skipif(sys.platform != "linux", reason="for live Linux processes")
@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler: cc")
@pytest.mark.parametrize("page", LINUX)
def test_on_linux(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Reader(tmp_path).follow(page) >= LINUX[page]
