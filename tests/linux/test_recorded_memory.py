"""The memory that recorded writes take beyond plain ones, whatever their size."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.child import PAGE
from support.processes import Child64

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="for live Linux processes")

COUNT = 3 << 20  # their records take twice what may be in memory
LIMIT = 32 << 20

#: Prints the peak of its resident memory in KiB, beyond what it had before the write.
SCRIPT = """
import resource, sys
from array import array
import pydbgwrite

pid, address, count, how, journal = sys.argv[1:]
values = array("Q", range(int(count)))

def resident():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))

with pydbgwrite.attach(int(pid)) as session:
    before = resident()
    if how == "plain":
        session.write_pointers(int(address), values)
    else:
        file, durable = (None, None) if how == "memory" else (journal, how == "durable")
        with session.transaction(file, durable=durable) as t:
            session.write_pointers(int(address), values)
            assert t.undo().complete
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.fixture(scope="module")
def child() -> Iterator[Child64]:
    with Child64(COUNT * 8 // PAGE) as started:
        yield started


@pytest.fixture(scope="module")
def plain(child: Child64, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Return what the plain write takes."""
    return extra(child, "plain", tmp_path_factory.getbasetemp())


def extra(child: Child64, how: str, journal: Path) -> int:
    """Return the bytes that a write takes at its peak."""
    arguments = [child.pid, child.areas["rw"], COUNT, how, journal]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout) * 1024


@pytest.mark.parametrize("how", ["memory", "journal", "durable"])
def test_a_recorded_write_and_its_undo(
    child: Child64, plain: int, tmp_path: Path, how: str
) -> None:
    before = child.digest(child.areas["rw"], COUNT * 8)
    assert extra(child, how, tmp_path / "a.journal") - plain < LIMIT
    assert child.digest(child.areas["rw"], COUNT * 8) == before
