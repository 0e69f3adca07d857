"""Commands whose standard streams are closed or full keep their exit codes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import Target, in_forks, target

from pydbgwrite.cli.held_output import HeldOutput

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
    target_of = ("--pid", process.pid)
    lines = [
        ("modules", *target_of),
        ("read", *target_of, process.rw, 2000, "--json"),
        ("write", *target_of, process.rw, 7, "--json"),
        ("apply", *target_of, patch, "--yes", "--journal", journal),
        ("verify", *target_of, patch, "--json"),
        ("undo", journal),
    ]
    for line, (ended, said) in zip(lines, in_forks(lines, f"COMMAND {redirected}"), strict=True):
        assert ended == code, line
        if code == 74 and "2>" not in redirected:
            assert said.startswith("pydbgwrite: the output could not be written")
        elif code == 0:
            assert said == ""


def test_what_stands_for_the_output_can_be_written_to() -> None:
    """Libraries ask, before they print."""
    with HeldOutput(None) as held:
        assert held.writable() and held.buffer.writable()


def test_apply_without_anybody_to_ask(process: Target, tmp_path: Path) -> None:
    patch = tmp_path / "patch.toml"
    patch.write_text(f"format = 1\n[[write]]\naddress = {process.rw}\npointers = [1, 2]\n")
    line = ("apply", "--pid", process.pid, patch)
    for redirected in ("<&-", "<&- >&- 2>&-", "</dev/full", "</dev/null"):
        [(code, _)] = in_forks([line], f"COMMAND {redirected}")
        assert code == 2
