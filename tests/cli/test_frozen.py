"""In a frozen program sys.executable is the program: demo and doctor do not start it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from support.commands import SAME_EVERYWHERE

from pydbgwrite.cli.main import run

pytestmark = SAME_EVERYWHERE


@pytest.mark.parametrize("kind", ["frozen", "embedded"])
@pytest.mark.parametrize("arguments", [["demo"], ["doctor"], ["doctor", "--json"]])
def test_no_process_is_started(
    kind: str,
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # The program leaves a trace if it is started.
    trace, program = tmp_path / "trace", tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho started >>{trace}\n")
    program.chmod(0o755)
    # The values that PyInstaller's bootloader and a program that embeds Python set in sys.
    if kind == "frozen":
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(program) if kind == "frozen" else "")
    assert run(arguments) == 3
    done = capsys.readouterr()
    said = done.out + done.err
    assert "nothing was started" in said
    assert ("frozen" in said) == (kind == "frozen")
    assert "Traceback" not in said
    assert "does not work" not in said  # it was not tried
    if "--json" in arguments:
        assert json.loads(done.out)["works"] is None
    assert not trace.exists()
