"""Patches and journals are regular files: a pipe or a device is refused without waiting for it.

Each call runs in a separate process, because a call that opens a pipe could wait without limit.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX pipes in folders")

CALLS = {
    "Patch.load": "pydbgwrite.Patch.load(name)",
    "read_journal": "pydbgwrite.read_journal(name)",
    "undo": "pydbgwrite.undo(name, session)",
}
SCRIPT = """
import sys, pydbgwrite
name = sys.argv[1]
with pydbgwrite.simulate([(0x1000, 0x1000)]) as session:
    try:
        {}
    except OSError as error:
        print(type(error).__name__, error.strerror)
"""


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_regular_file(call: str, kind: str, tmp_path: Path) -> None:
    name = {"pipe": str(tmp_path / "pipe"), "device": "/dev/zero", "folder": str(tmp_path)}[kind]
    if kind == "pipe":
        os.mkfifo(name)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(CALLS[call]), name],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    wanted = "IsADirectoryError" if kind == "folder" else "not a regular file"
    assert wanted in done.stdout


@pytest.mark.parametrize("command", ["apply", "undo", "verify"])
def test_commands_say_so(command: str, tmp_path: Path) -> None:
    name = tmp_path / "pipe"
    os.mkfifo(name)
    target = ["--pid", str(os.getpid())] if command != "undo" else []
    target += ["--dry-run"] if command == "apply" else []
    done = subprocess.run(
        [sys.executable, "-m", "pydbgwrite", command, *target, str(name)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "not a regular file" in done.stderr
