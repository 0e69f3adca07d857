"""Pages that can be written but not read (Linux): no pointer is torn, and errors are correct."""

from __future__ import annotations

import mmap
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

import pydbgwrite
from pydbgwrite import Session, TargetAccessError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes are for Linux")

PAGE = mmap.PAGESIZE
FILL = b"\xaa" * 8

# Maps pages by its argument: "w" write-only, "b" read and write, "r" shared and read-only, "-" a
# hole. It prints their address, and for each line of input the bytes that they hold ("-": nothing).
CHILD = """
import ctypes, mmap, os, sys
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
page, kinds = mmap.PAGESIZE, sys.argv[1]
start = libc.mmap(None, page * len(kinds), 3, 0x22, -1, 0)
ctypes.memset(start, 0xAA, page * len(kinds))
for number, kind in enumerate(kinds):
    address = start + page * number
    if kind == "-":
        libc.munmap(address, page)
    elif kind == "w":
        libc.mprotect(address, page, 2)
    elif kind == "r":
        file = os.memfd_create("shared")
        os.write(file, b"\\xaa" * page)
        libc.mmap(address, page, 1, 0x11, file, 0)
print(start, flush=True)
for line in sys.stdin:
    held = ""
    for number, kind in enumerate(kinds):
        address = start + page * number
        if kind == "w":
            libc.mprotect(address, page, 3)
        held += "--" * page if kind == "-" else ctypes.string_at(address, page).hex()
        if kind == "w":
            libc.mprotect(address, page, 2)
    print(held, flush=True)
"""


class Target:
    """The pages of a process, and a session on it."""

    def __init__(self, kinds: str, suspend: bool) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", CHILD, kinds],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.start = int(self._process.stdout.readline())
        self.session = pydbgwrite.attach(self._process.pid, suspend=suspend)

    def holds(self) -> str:
        """Close the session, and return the bytes of the process's pages in hex."""
        self.session.close()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        self.session.close()
        self._process.communicate()


@pytest.fixture(params=[True, False], ids=["stopped", "running"])
def target(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Target]]:
    made: list[Target] = []

    def make(kinds: str) -> Target:
        made.append(Target(kinds, suspend=request.param))
        return made[-1]

    yield make
    for each in made:
        each.close()


def by_pointers(session: Session, address: int, values: list[int]) -> int:
    return session.write_pointers(address, values)


def by_bulk(session: Session, address: int, values: list[int]) -> int:
    return session.write_pointers(address, values, via="WriteVirtual")


def scattered(session: Session, address: int, values: list[int]) -> int:
    return session.write_scattered([address + 8 * i for i in range(len(values))], values)


WAYS = [by_pointers, by_bulk, scattered]
Way = Callable[[Session, int, list[int]], int]


KINDS = ("w-", "-w", "wr", "rw", "b-", "-b", "br", "bw", "wb", "ww")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shift", [1, 4])
def test_a_pointer_across_two_pages_is_whole(
    target: Callable[[str], Target], way: Way, shift: int
) -> None:
    opened = target("-".join(KINDS))
    value = 0x1122334455667788
    for number, kinds in enumerate(KINDS):
        address = opened.start + PAGE * (3 * number + 1) - shift
        if set(kinds) <= {"b", "w"}:
            assert way(opened.session, address, [value]) == 1
            continue
        with pytest.raises(TargetAccessError) as caught:
            way(opened.session, address, [value])
        assert caught.value.written == 0
    held = opened.holds()
    for number, kinds in enumerate(KINDS):
        pages = held[2 * PAGE * 3 * number :][: 2 * PAGE * 2]
        if set(kinds) <= {"b", "w"}:
            at = 2 * (PAGE - shift)
            assert pages[at : at + 16] == value.to_bytes(8, "little").hex(), kinds
        else:
            assert set(pages) <= set("a-"), kinds


@pytest.mark.parametrize("way", WAYS[:2])
@pytest.mark.parametrize("pages", [1, 3])
@pytest.mark.parametrize("odd", [0, 4])
def test_the_address_that_failed_is_named(
    target: Callable[[str], Target], way: Way, pages: int, odd: int
) -> None:
    """The error does not name the first address of the writable page."""
    opened = target("b" + "w" * pages + "-")
    end = opened.start + PAGE * (1 + pages)
    start = end - PAGE * pages - 64 + odd
    count = (end - start) // 8 + 8
    with pytest.raises(TargetAccessError) as caught:
        way(opened.session, start, list(range(1, count + 1)))
    text = str(caught.value)
    assert f"failed at 0x{end:x}, which is not mapped in " in text
    assert f"the target holds the first {(64 - odd) // 8} of {count:,} pointers" in text
    assert "can be written, but not read" in text
    assert caught.value.written == (64 - odd) // 8
    held = bytes.fromhex(opened.holds().rstrip("-"))[start - opened.start :]
    whole = len(held) // 8
    for index in range(whole):
        assert int.from_bytes(held[8 * index : 8 * index + 8], "little") == index + 1
    assert held[8 * whole :] == FILL[: len(held) % 8]
