"""No call waits for pages of a process that its own suspended thread must fill.

A separate script makes each call, and is ended if it takes too long.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from support.waiting_script import BOUND

CHILD = Path(__file__).parent.parent / "support" / "absent_child.py"
PAGE = 4096
PRESENT = 4

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")

SCRIPT = """
import sys
import pydbgwrite
pid, present, page = (int(word) for word in sys.argv[1:4])
absent = present + 4 * page
size = 4 * page
many = [5] * (8 << 20 >> 3)
with pydbgwrite.attach(pid) as session:
    spaces = session.data_spaces
    try:
        print("returned", eval(sys.argv[4]))
    except pydbgwrite.DebugEngineError as error:
        print(type(error).__name__, error.written)
"""
FAILING = {
    "session.write_pointers(absent, [5])": "TargetAccessError 0",
    "session.write_pointers(absent - 16, [5, 5, 5])": "TargetAccessError 2",
    "session.write_pointers(present, many)": f"TargetAccessError {PRESENT * PAGE // 8}",
    "session.write(absent - 16, bytes(32))": "TargetAccessError 16",
    "session.write_scattered([present, absent, present + 8], [1, 2, 3])": "TargetAccessError 1",
    "session.write_pointers(present, [5], expect=1 << 60)": "ExpectationError 0",
    "session.write_pointers(absent, [5], expect=5)": "TargetAccessError 0",
    "session.read(absent, 8)": "TargetAccessError 0",
    "session.read(absent - 16, 32)": "TargetAccessError 0",
    "session.read_pointers(present, len(many))": "TargetAccessError 0",
    "session.read_scattered([present, absent])": "TargetAccessError 0",
    "spaces.write_pointers_virtual(absent, [5])": "TargetAccessError 0",
    "spaces.read_pointers_virtual(absent, 1)": "TargetAccessError 0",
}
ANSWERED = {
    "len(spaces.read_virtual(absent - 16, 32))": "returned 16",
    "spaces.fill_virtual(absent - 16, 32, b'x')": "returned 16",
    "spaces.search_virtual(present, 2 * size, b'ff')": "returned None",
    "session.query(absent).base <= absent": "returned True",
    "session.find_pointers(5, within=range(present, present + 2 * size)).skipped[0].size": (
        f"returned {PRESENT * PAGE}"
    ),
}


@contextmanager
def running(*words: object) -> Iterator[tuple[int, int]]:
    """Yield the pid of absent_child.py, and the address that it prints."""
    command = [sys.executable, "-I", str(CHILD), *(str(word) for word in words)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdin is not None
        assert one.stdout is not None
        heard = one.stdout.readline().strip()
        if heard == "refused":
            pytest.skip("needs root: userfaultfd")
        yield one.pid, int(heard)
        one.stdin.close()
        assert one.wait(BOUND) == 0


@pytest.fixture(scope="module")
def child() -> Iterator[tuple[int, int]]:
    """Yield a process and the address of its present pages; absent pages follow them."""
    with running(PRESENT, 3000) as (pid, address):
        yield pid, address


def said_of(target: tuple[int, int], call: str) -> str:
    """Return the script's output for this call."""
    words = [sys.executable, "-c", SCRIPT, *(str(word) for word in target), str(PAGE), call]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=BOUND, check=False)
    assert ran.stderr == ""
    return ran.stdout.strip()


@pytest.mark.parametrize("call", [*FAILING, *ANSWERED])
def test_a_call_comes_back(child: tuple[int, int], call: str) -> None:
    assert said_of(child, call) == {**FAILING, **ANSWERED}[call]


@pytest.mark.parametrize("place", ["memory", "file"])
def test_shared_memory_that_is_locked_against_writing(place: str, tmp_path: Path) -> None:
    """The file lies on a file system of memory (tmpfs) that is mounted for this test."""
    with ExitStack() as stack:
        if place == "file":
            place = str(stack.enter_context(file_system(tmp_path)) / "file")
        locked = stack.enter_context(running(place))
        assert said_of(locked, "session.read(present, 2)") == "returned b'pp'"
        assert said_of(locked, "session.write_pointers(present, [5])") == "TargetAccessError 0"


@contextmanager
def file_system(folder: Path) -> Iterator[Path]:
    """Mount one there."""
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts")
    subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
