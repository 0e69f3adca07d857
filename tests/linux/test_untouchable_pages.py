"""Pages that the map calls readable and writable, but that no other process can access."""

from __future__ import annotations

import mmap
import subprocess
import sys
from collections.abc import Iterator

import pytest

import pydbgwrite
from pydbgwrite import TargetAccessError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")
PAGE = mmap.PAGESIZE

#: A page of a file, and a page after its end: access to that one is SIGBUS for the program.
PROGRAM = """
import ctypes, mmap, os, sys
size = mmap.PAGESIZE
file = os.memfd_create("file")
os.ftruncate(file, 2 * size)
memory = mmap.mmap(file, 2 * size)
os.ftruncate(file, size)
print(ctypes.addressof(ctypes.c_char.from_buffer(memory)), flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=[True, False], ids=["stopped", "running"])
def opened(request: pytest.FixtureRequest) -> Iterator[tuple[pydbgwrite.Session, int]]:
    """Yield a session, and the address of the page that can't be accessed."""
    with subprocess.Popen(
        [sys.executable, "-I", "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        start = int(child.stdout.readline())
        with pydbgwrite.attach(child.pid, suspend=request.param) as session:
            yield session, start + PAGE


@pytest.mark.parametrize("before", [0, 1, 5])
def test_the_write_ended_there(opened: tuple[pydbgwrite.Session, int], before: int) -> None:
    """The error has the exact count: the target holds all pointers before that page."""
    session, bad = opened
    for via in ("WritePointersVirtual", "WriteVirtual"):
        with pytest.raises(TargetAccessError) as caught:
            session.write_pointers(bad - 8 * before, [7] * (before + 3), via=via)
        assert caught.value.written == before
        assert caught.value.index == before
        text = str(caught.value)
        assert f"at 0x{bad:x}, in a page with protection 'rw'" in text
        assert "can't be said" not in text
        assert "can be written" not in text
        assert "behind the end of a mapped file" in text
    assert list(session.read_pointers(bad - 8 * before, before)) == [7] * before


def test_a_pointer_that_reaches_into_it(opened: tuple[pydbgwrite.Session, int]) -> None:
    session, bad = opened
    session.write(bad - 12, b"x" * 12)
    with pytest.raises(TargetAccessError) as caught:
        session.write_pointers(bad - 12, [7, 8])
    assert caught.value.written == 1
    assert f"at 0x{bad:x}" in str(caught.value)
    assert session.read(bad - 12, 12) == (7).to_bytes(8, "little") + b"x" * 4


def test_scattered(opened: tuple[pydbgwrite.Session, int]) -> None:
    session, bad = opened
    with pytest.raises(TargetAccessError) as caught:
        session.write_scattered([bad - 16, bad + 64], [1, 2])
    assert caught.value.written == 1
    assert "can't be said" not in str(caught.value)
    assert f"addresses[1] = 0x{bad + 64:x}" in str(caught.value)
