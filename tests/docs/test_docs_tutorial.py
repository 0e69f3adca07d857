"""The pages in C++ work from their first line to their last, in an empty folder."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from support.demangling import needs_demangler
from support.pages import Reader

#: Each with its minimum count of blocks.
PAGES = {"tutorial/index.md": 15, "howto/vtables.md": 6}


@needs_demangler
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler: g++")
@pytest.mark.skipif(sys.platform != "linux", reason="for live Linux processes")
@pytest.mark.parametrize("page", PAGES)
def test_a_page(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Reader(tmp_path).follow(page) >= PAGES[page]
