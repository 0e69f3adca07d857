"""write_scattered on live Linux processes: the memory that it may read and write back."""

from __future__ import annotations

import mmap
import os
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


class Mapped:
    """A child that maps a file that this process also maps."""

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
        """End the child."""
        self.process.kill()
        self.process.communicate()
        os.close(self._file)


@pytest.fixture
def shared() -> Iterator[Mapped]:
    """Yield a child with a shared mapping."""
    child = Mapped(private=False)
    yield child
    child.close()


@pytest.fixture
def private() -> Iterator[Mapped]:
    """Yield a child with a private mapping of a file."""
    child = Mapped(private=True)
    yield child
    child.close()


def test_shared_memory_is_never_written_back(shared: Mapped) -> None:
    """This process keeps writing next to the pointers; none of its writes is lost."""
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
