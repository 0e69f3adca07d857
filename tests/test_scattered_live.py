"""write_scattered on live Linux processes: what may be read and written back, and what not."""

from __future__ import annotations

import mmap
import os
import random
import subprocess
import sys
import threading
from array import array
from collections.abc import Iterator

import pytest

import pydbgwrite

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="for live Linux processes")

SIZE = 1 << 20

CHILD = """
import ctypes, mmap, sys
file, size, private = map(int, sys.argv[1:])
kind = mmap.MAP_PRIVATE if private else mmap.MAP_SHARED
memory = mmap.mmap(file, size, flags=kind)
print(ctypes.addressof(ctypes.c_char.from_buffer(memory)), flush=True)
sys.stdin.read()
"""

CHILD_WITH_HOLE = """
import ctypes, mmap, sys
size = -(-int(sys.argv[1]) // 4096) * 4096
memory = mmap.mmap(-1, size + 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
assert ctypes.CDLL(None).munmap(ctypes.c_void_p(start + size), ctypes.c_size_t(4096)) == 0
print(start, flush=True)
sys.stdin.read()
"""


class Mapped:
    """A child that maps a file which this process maps too."""

    def __init__(self, private: bool) -> None:
        self._file = os.memfd_create("shared")
        os.ftruncate(self._file, SIZE)
        self.memory = mmap.mmap(self._file, SIZE)
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(self._file), str(SIZE), str(int(private))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(self._file,),
        )
        assert self.process.stdout is not None
        self.address = int(self.process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()
        os.close(self._file)


@pytest.fixture
def shared() -> Iterator[Mapped]:
    """A shared mapping."""
    child = Mapped(private=False)
    yield child
    child.close()


@pytest.fixture
def private() -> Iterator[Mapped]:
    """A private mapping of a file."""
    child = Mapped(private=True)
    yield child
    child.close()


def test_shared_memory_is_never_written_back(shared: Mapped) -> None:
    """This process goes on writing next to the pointers: none of its writes is lost."""
    lost: list[tuple[int, int]] = []
    done = threading.Event()

    def write_along() -> None:
        number = 0
        while not done.is_set():
            number = (number + 1) % 256
            for at in range(8, SIZE, 4096):
                shared.memory[at] = number
            lost.extend((at, number) for at in range(8, SIZE, 4096) if shared.memory[at] != number)

    addresses = array("Q", range(shared.address, shared.address + SIZE, 64))
    with pydbgwrite.attach(shared.process.pid) as session:
        thread = threading.Thread(target=write_along)
        thread.start()
        for turn in range(100):
            values = array("Q", [turn] * len(addresses))
            session.write_scattered(addresses, values)
        done.set()
        thread.join()
        assert session.read_scattered(addresses) == values
    assert lost == []


def test_a_private_file_mapping(private: Mapped) -> None:
    addresses = [private.address + 24 * i for i in range(4000)]
    values = array("Q", range(1, 4001))
    with pydbgwrite.attach(private.process.pid) as session:
        session.write_scattered(addresses, values)
        assert session.read_scattered(addresses) == values
    assert private.memory[:] == bytes(SIZE)


@pytest.mark.parametrize("size", [4 << 20, (4 << 20) + 5 * 8, 24 << 20])
def test_large_transfers_by_several_threads(size: int) -> None:
    """Large enough for that, at any address in a page; the bytes before and behind stay."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD_WITH_HOLE, str(size + 8192)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        start = int(child.stdout.readline())
        data = array("Q", random.Random(size).randbytes(size))
        with pydbgwrite.attach(child.pid) as session:
            for offset in (0, 8, 4091):
                session.write(start, bytes(size + 8192))
                assert session.data_spaces.write_virtual(start + offset, data) == size
                held = session.read(start, size + 8192)
                assert held[offset : offset + size] == data.tobytes()
                assert held[:offset] == bytes(offset)
                assert held[offset + size :] == bytes(8192 - offset)
                session.write_pointers(start + offset, data[::-1])
                assert session.read_pointers(start + offset, len(data)) == data[::-1]
            # Past the end of the mapping: in order, up to there.
            mapped = (size + 8192 + 4095) // 4096 * 4096
            with pytest.raises(pydbgwrite.TargetAccessError) as caught:
                session.write_pointers(start + 8192 + 4096, data)
            assert caught.value.written == (mapped - 8192 - 4096) // 8
        child.kill()
