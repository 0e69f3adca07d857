"""setup.py refuses a switch that is neither on nor off, and packs the same files the same."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import pytest
from setuptools import Distribution

SETUP = runpy.run_path(str(Path(__file__).resolve().parent.parent / "setup.py"))


@pytest.mark.parametrize(("value", "on"), [(None, False), ("", False), ("0", False), ("1", True)])
def test_switches(value: str | None, on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYDBGWRITE_WERROR", raising=False)
    if value is not None:
        monkeypatch.setenv("PYDBGWRITE_WERROR", value)
    assert SETUP["switched_on"]("WERROR") is on


@pytest.mark.parametrize("value", ["no", "yes", "thread", "01"])
def test_a_switch_that_is_neither(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYDBGWRITE_WERROR", value)
    with pytest.raises(SystemExit, match=f"PYDBGWRITE_WERROR is '{value}': 1 turns it on"):
        SETUP["switched_on"]("WERROR")


def test_an_sdist_depends_on_no_time_mode_or_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "315532800")
    packed = []
    for name, mode, when in (("one", 0o600, 10), ("other", 0o664, 20)):
        files = tmp_path / name / "files"
        files.mkdir(parents=True)
        for each in sorted("ab", reverse=name == "other"):
            (files / each).write_text(each)
            (files / each).chmod(mode)
            os.utime(files / each, (when, when))
        monkeypatch.chdir(files.parent)
        command = SETUP["SourceArchive"](Distribution())
        made = command.make_archive(
            str(files.parent / "dist" / "packed"), "gztar", base_dir="files"
        )
        packed.append(Path(made).read_bytes())
    assert packed[0] == packed[1]
