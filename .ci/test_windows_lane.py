"""The Windows lane fails if it leaves something out."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "windows"))

# By this function, since mypy checks this folder without the tests'.
lane = importlib.import_module("lane")
lane_cache = importlib.import_module("lane_cache")
lane_wine = importlib.import_module("lane_wine")


def test_each_version_is_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = {"3.11": 0, "3.13t": 0, "3.14": 3}

    def go(command: str, arguments: list[str]) -> int:
        version = arguments[1]
        if version not in codes:
            raise lane.NoLibraryError(f"no CPython {version}")
        return codes[version]

    monkeypatch.setattr(lane, "go", go)
    assert lane.try_versions(["3.11", "3.13t"]) == 0
    assert lane.try_versions(["3.11", "3.14"]) == 3
    capsys.readouterr()
    assert lane.try_versions(["3.11", "3.12", "3.13t"]) == lane.NOT_TO_BE_HAD
    said = capsys.readouterr().err
    assert "not tried: no CPython 3.12" in said
    assert "Windows Python 3.12: not tried" in said
    assert "Windows Python 3.13t: good" in said


@pytest.mark.parametrize("version", ["wine-8.0 (Debian 8.0~repack-4)", "wine-11.0"])
def test_another_wine_than_10(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_wine, "wine_version", lambda: ("/usr/bin/wine", version))
    with pytest.raises(lane.LaneError, match="Wine 10 is wanted, and /usr/bin/wine is wine-"):
        lane_wine.prepared(None, bits_32=True, own=False)


def test_what_a_build_makes_requires_no_other_build(tmp_path: Path) -> None:
    """The build of one lane would make the next lane build again."""
    for name in ("csrc/module.c", "pydbgwrite/__init__.py"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    before = lane_cache.package_sources(tmp_path)
    assert len(before) == 2
    (tmp_path / "csrc" / "python").mkdir()
    for made in ("csrc/python/docstrings.h", "csrc/module.o", "pydbgwrite/_core.pyd"):
        (tmp_path / made).touch()
    assert lane_cache.package_sources(tmp_path) == before
