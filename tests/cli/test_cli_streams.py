"""Commands whose standard streams are closed or full: the exit code holds."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import COMMAND, Target, target

if sys.platform != "linux":
    pytest.skip("Linux processes and devices", allow_module_level=True)


@pytest.fixture(scope="module")
def process() -> Iterator[Target]:
    with target() as started:
        yield started


@pytest.mark.parametrize(
    ("redirected", "code"),
    [
        (">&-", 0),
        ("2>&-", 0),
        ("<&-", 0),
        ("<&- >&- 2>&-", 0),
        (">/dev/full", 74),
        (">/dev/full 2>/dev/full", 74),
        ("2>/dev/full", 0),
    ],
)
def test_streams(process: Target, tmp_path: Path, redirected: str, code: int) -> None:
    patch = tmp_path / "patch.toml"
    patch.write_text(f"format = 1\n[[write]]\naddress = {process.rw}\npointers = [1, 2]\n")
    journal = tmp_path / "x.journal"
    pid = f"--pid {process.pid}"
    for words in (
        f"modules {pid}",
        f"read {pid} {process.rw} 2000 --json",
        f"write {pid} {process.rw} 7 --json",
        f"apply {pid} {shlex.quote(str(patch))} --yes --journal {shlex.quote(str(journal))}",
        f"verify {pid} {shlex.quote(str(patch))} --json",
        f"undo {shlex.quote(str(journal))}",
    ):
        done = subprocess.run(
            ["sh", "-c", f"{shlex.join(COMMAND)} {words} {redirected}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == code, words
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr
        if code == 74 and "2>" not in redirected:
            assert done.stderr.startswith("pydbgwrite: the output could not be written")
        elif code == 0:
            assert done.stderr == ""


def test_apply_without_anybody_to_ask(process: Target, tmp_path: Path) -> None:
    patch = tmp_path / "patch.toml"
    patch.write_text(f"format = 1\n[[write]]\naddress = {process.rw}\npointers = [1, 2]\n")
    line = [*COMMAND, "apply", "--pid", str(process.pid), str(patch)]
    for redirected in ("<&-", "<&- >&- 2>&-", "</dev/full", "</dev/null"):
        done = subprocess.run(["sh", "-c", f"{shlex.join(line)} {redirected}"], check=False)
        assert done.returncode == 2
