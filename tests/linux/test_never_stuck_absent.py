"""No call waits for pages of a process that its own suspended thread must fill.

A separate script makes each call, and is ended if it takes too long.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.waiting_script import BOUND, WATCH, said_after_ctrl_c

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


def test_shared_memory_that_is_locked_against_writing() -> None:
    with running("memory") as locked:
        assert said_of(locked, "session.read(present, 2)") == "returned b'pp'"
        assert said_of(locked, "session.write_pointers(present, [5])") == "TargetAccessError 0"


LEFT_BEHIND = """
import sys
import pydbgwrite
pid, page = (int(word) for word in sys.argv[1:3])

session = pydbgwrite.attach(pid)
assert session.read(page, 8) == b"p" * 8
WATCH
try:
    session.write_pointers(page, [5])
except KeyboardInterrupt as interrupt:
    print(interrupt.written, "may still land" in interrupt.__notes__[0], flush=True)
for call in (lambda: session.read(page, 8), lambda: session.write_pointers(page, [6])):
    try:
        call()
    except pydbgwrite.NoTargetError as error:
        print("NoTargetError", flush=True)
session.close()
print("closed", flush=True)
""".replace("WATCH", WATCH)


@pytest.fixture
def file_system(tmp_path: Path) -> Iterator[Path]:
    """Yield a mounted folder whose files any process could use."""
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts")
    subprocess.run(["mount", "-t", "tmpfs", "none", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def test_a_write_that_has_begun_is_left_behind(file_system: Path) -> None:
    """The page can be read; a write to it waits for a suspended thread."""
    with running(file_system / "file") as (pid, address):
        said = said_after_ctrl_c(LEFT_BEHIND, [str(pid), str(address)])
    assert said == ["None True", "NoTargetError", "NoTargetError", "closed"]
