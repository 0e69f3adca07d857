"""Recorded writes, shared among cores, of which one meets a page that it can't write."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.child import PAGE

import pydbgwrite
from pydbgwrite import Session, TargetAccessError, Transaction

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="for live Linux processes")

PAGES = 1024  # twice as many as a processor begins to share
SIZE = PAGES * PAGE
COUNT = 20_000

#: Maps memory, makes a page of it a guard, removes it, lets it only be read, or puts a shared page
#: there that can only be read; prints the address, and waits.
CHILD = """
import ctypes, sys
size, page, hole, kind = *map(int, sys.argv[1:4]), sys.argv[4]
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
start = libc.mmap(None, size, 3, 0x22, -1, 0)
ctypes.memset(start, 0x5A, size)
at = ctypes.c_void_p(start + hole * page)
if kind == "shared":
    assert libc.mmap(at, page, 1, 0x31, -1, 0) == at.value
else:
    access = {"guard": 0, "forced": 1}.get(kind)
    assert (libc.munmap(at, page) if access is None else libc.mprotect(at, page, access)) == 0
print(start, flush=True)
sys.stdin.read()
"""


@contextmanager
def mapped(hole: int, kind: str) -> Iterator[tuple[int, int]]:
    """Yield the id of a process and the address of its pages, one of which has no access."""
    words = [str(SIZE), str(PAGE), str(hole), kind]
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        yield child.pid, int(child.stdout.readline())
        child.kill()


def contents(session: Session, start: int, hole: int) -> bytes:
    """Return the memory, with zeros for the page that can't be read."""
    end = start + (hole + 1) * PAGE
    before, behind = session.read(start, hole * PAGE), session.read(end, start + SIZE - end)
    return before + bytes(PAGE) + behind


def old_contents(transaction: Transaction, start: int) -> dict[int, bytes]:
    """Return what was recorded, by offset: what the first record of a place says."""
    found: dict[int, bytes] = {}
    for change in transaction.changes:
        assert change.addresses is not None
        for index, address in enumerate(change.addresses):
            found.setdefault(address - start, change.old[8 * index : 8 * index + 8])
    return found


@pytest.mark.parametrize("spans", [True, False])
@pytest.mark.parametrize("journal", [False, True])
@pytest.mark.parametrize("kind", ["guard", "unmapped", "shared"])
def test_what_landed_is_known_to_the_byte(
    kind: str, journal: bool, spans: bool, tmp_path: Path
) -> None:
    chance = random.Random(f"{kind} {journal} {spans}")
    hole, index = chance.randrange(1, PAGES - 1), chance.randrange(COUNT // 2, COUNT)
    slots = [at for at in range(0, SIZE, 8) if at // PAGE != hole]
    offsets = chance.sample(slots, COUNT)
    offsets[index] = hole * PAGE + 64
    values = array("Q", (chance.randrange(1 << 64) for _ in range(COUNT)))
    with mapped(hole, kind) as (pid, start), pydbgwrite.attach(pid) as session:
        image = contents(session, start, hole)
        opened = session.transaction(tmp_path / "journal" if journal else None)
        with pytest.raises(TargetAccessError) as caught, opened as transaction:
            try:
                session.write_scattered([start + each for each in offsets], values, spans=spans)
            except TargetAccessError:
                held = contents(session, start, hole)
                recorded = old_contents(transaction, start)
                raise
        assert transaction.report is not None
        assert transaction.report.complete
        assert contents(session, start, hole) == image
    assert f"0x{start + offsets[index]:x}" in str(caught.value)
    # Each pointer is in the target whole, or not at all; the leading ones are counted.
    bytes_of = [value.to_bytes(8, "little") for value in values]
    landed = [held[at : at + 8] == new for at, new in zip(offsets, bytes_of, strict=True)]
    assert caught.value.written == landed.index(False)
    # Where the record and the write are one pass, the cores wrote what lies before the page.
    assert any(landed) == (kind == "shared" or (spans and not journal))
    expected = bytearray(image)
    for at, new, is_there in zip(offsets, bytes_of, landed, strict=True):
        if is_there:
            expected[at : at + 8] = new
    assert held == expected
    # And what landed was recorded before.
    before = {at: image[at : at + 8] for at, there in zip(offsets, landed, strict=True) if there}
    assert before.items() <= recorded.items()


@pytest.mark.parametrize("hole", [1, PAGES // 2, PAGES - 1])
@pytest.mark.parametrize("kind", ["guard", "unmapped", "shared", "forced"])
def test_a_row_up_to_such_a_page(kind: str, hole: int) -> None:
    """What lies before it is written and recorded; a forced page is written like any other."""
    values = array("Q", random.Random(hole).randbytes(SIZE))
    with mapped(hole, kind) as (pid, start), pydbgwrite.attach(pid) as session:
        image = contents(session, start, hole)
        with session.transaction() as transaction:
            if kind == "forced":
                assert session.write_pointers(start, values) == len(values)
                assert session.read(start, SIZE) == values.tobytes()
                past = hole * PAGE
            else:
                with pytest.raises(TargetAccessError) as caught:
                    session.write_pointers(start, values)
                past = 8 * (caught.value.written or 0)
                # Of a piece with a page that can't be read, nothing is written.
                assert past <= hole * PAGE
                assert past == hole * PAGE or kind != "shared"
            held = contents(session, start, hole)
            assert held[:past] == values.tobytes()[:past]
            assert kind == "forced" or held[past:] == image[past:]
            assert transaction.undo().complete
        assert contents(session, start, hole) == image


#: Maps a file of zeros, which is shortened later; prints the address and the descriptor, and waits.
OF_A_FILE = """
import ctypes, os, sys
size = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
file = os.memfd_create("file")
os.ftruncate(file, size)
print(libc.mmap(None, size, 3, 2, file, 0), file, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("expects", [False, True])
def test_a_page_that_fails_while_cores_write_a_row(expects: bool) -> None:
    """Every core looks only at its own pages. What landed is known, recorded, and undone."""
    values = array("Q", random.Random(4).randbytes(SIZE))
    left = SIZE // 4 * 3  # bytes of the file
    with subprocess.Popen(
        [sys.executable, "-c", OF_A_FILE, str(SIZE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        start, file = map(int, child.stdout.readline().split())
        with pydbgwrite.attach(child.pid) as session:
            for _ in range(2):  # the pages are present, and are known to be
                assert session.read(start, SIZE) == bytes(SIZE)
            os.truncate(f"/proc/{child.pid}/fd/{file}", left)
            with session.transaction() as transaction:
                with pytest.raises(TargetAccessError) as caught:
                    session.write_pointers(start, values, expect=0 if expects else None)
                landed = 8 * (caught.value.written or 0)
                assert landed == (0 if expects else left)
                held = session.read(start, left)
                assert held == values.tobytes()[:landed] + bytes(left - landed)
                assert transaction.undo().complete
                assert session.read(start, left) == bytes(left)
        child.kill()
