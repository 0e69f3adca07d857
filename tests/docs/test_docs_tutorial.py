"""The tutorial works from its first line to its last, in an empty folder."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from support.pages import Reader

PAGE = "tutorial/index.md"


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler: g++")
@pytest.mark.skipif(sys.platform != "linux", reason="for live Linux processes")
def test_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Reader(tmp_path).follow(PAGE) >= 15
