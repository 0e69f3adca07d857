"""The fuzzer's tool fails if the fuzzer can't run or runs nothing new, and leaves no files."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

fuzz: Any = importlib.import_module("fuzz.fuzz")


@pytest.mark.parametrize(
    ("new", "good"),
    [(None, False), (0, False), (fuzz.LEAST_NEW - 1, False), (fuzz.LEAST_NEW, True)],
)
def test_runs(
    new: int | None,
    good: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(fuzz, "CACHE", tmp_path)
    kept = len(list((fuzz.HERE / "corpus" / "pe").iterdir()))
    prints = "" if new is None else f"stat::number_of_executed_units: {kept + new}"
    script = f'mkdir "$TMPDIR/files" && echo "$TMPDIR" >{tmp_path}/made && echo "{prints}"'
    monkeypatch.setattr(fuzz, "command", lambda kind: ["sh", "-c", script, kind])
    assert fuzz.fuzz("pe", 1) is good
    assert ("no fault" in capsys.readouterr().out) is good
    assert not Path((tmp_path / "made").read_text().strip()).exists()


@pytest.mark.parametrize("seconds", ["0", "-1"])
def test_no_time(seconds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["fuzz.py", "--seconds", seconds])
    with pytest.raises(SystemExit, match="2"):
        fuzz.main()


def test_no_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fuzz, "HERE", tmp_path)
    monkeypatch.setattr(sys, "argv", ["fuzz.py", "core"])
    with pytest.raises(SystemExit, match="2"):
        fuzz.main()
    assert "tests/fuzz/corpus/core has no files" in capsys.readouterr().err


def test_no_atheris(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["fuzz.py", "core", "toml"])
    with pytest.raises(SystemExit, match="2"):
        fuzz.main()
    assert "need atheris: python -m pip install --group fuzz" in capsys.readouterr().err
