"""Searches with the ioctl PAGEMAP_SCAN (Linux 6.7), and by /proc/PID/pagemap on older kernels.

Only the kernel lane runs this file, in its guests, as root and as an ordinary user.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import pydbgwrite

PAGE = mmap.PAGESIZE
PAGEMAP_SCAN = 0xC0606610  # _IOWR('f', 16, struct pm_scan_arg), linux/fs.h
GIB = 1 << 30
#: Page tables of a GiB that was read are 2 MiB.
MOST_TABLES = 256  # KiB
WANTED, OTHER, ACROSS = 0x1234567, 0x7654321, 0x123456789ABCDEF0

CHILD = """
import ctypes, mmap, sys
NORESERVE = 0x4000
kinds = (mmap.MAP_PRIVATE | NORESERVE, mmap.MAP_SHARED)
areas = [mmap.mmap(-1, int(sys.argv[1]), flags=mmap.MAP_ANONYMOUS | kind) for kind in kinds]
print(*(ctypes.addressof(ctypes.c_char.from_buffer(each)) for each in areas), flush=True)
sys.stdin.read()
"""


@contextmanager
def areas() -> Iterator[tuple[pydbgwrite.Session, int, int]]:
    """Yield a session, and the addresses of a GiB of private and of shared memory, not touched."""
    with subprocess.Popen(
        [sys.executable, "-I", "-c", CHILD, str(GIB)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        private, shared = map(int, child.stdout.readline().split())
        with pydbgwrite.attach(child.pid) as session:
            yield session, private, shared
        child.communicate()


def memory_of(session: pydbgwrite.Session, field: str) -> int:
    """Return a number of /proc/PID/status, in KiB."""
    text = Path(f"/proc/{session.pid}/status").read_text()
    return int(text.partition(f"{field}:")[2].split()[0])


def test_the_kernel_is_as_old_as_it_says() -> None:
    """Both ways are seen in this lane."""
    major, minor = map(int, os.uname().release.split(".")[:2])
    with open("/proc/self/pagemap", "rb") as file, pytest.raises(OSError) as refused:
        fcntl.ioctl(file, PAGEMAP_SCAN, bytes(96))
    assert (refused.value.errno != errno.ENOTTY) == ((major, minor) >= (6, 7))


def test_private_memory() -> None:
    with areas() as (session, private, _):
        places = [private, private + GIB // 2 + 8 * 511, private + GIB - 8]
        for place in places:
            session.write_pointers(place, [WANTED if place == private else OTHER])
        # The upper half of a pointer is in a page that was never written.
        across = private + GIB // 4 - 4
        session.write(across, (ACROSS & 0xFFFFFFFF).to_bytes(4, "little"))
        tables = memory_of(session, "VmPTE")
        found = session.find_pointers([WANTED, OTHER])
        assert list(found) == list(zip(places, (WANTED, OTHER, OTHER), strict=True))
        whole = range(private, private + GIB)
        found = session.find_pointers(range(WANTED, OTHER + 1), within=whole)
        assert list(found.addresses) == places
        found = session.find_pointers(ACROSS & 0xFFFFFFFF, within=whole, aligned=False)
        assert list(found.addresses) == [across]
        assert (found.searched, found.skipped) == (GIB, [])
        assert memory_of(session, "VmPTE") - tables < MOST_TABLES
        # The pages never touched are searched for zeros.
        zeros = session.find_pointers(0, within=range(private, private + 3 * PAGE))
        assert list(zeros.addresses) == [*range(private + 8, private + 3 * PAGE, 8)]


def test_shared_memory() -> None:
    """A read of a hole would fill it for good."""
    with areas() as (session, _, shared):
        places = [shared + 8, shared + GIB - 8]
        for place in places:
            session.write_pointers(place, [WANTED])
        held = memory_of(session, "RssShmem")
        found = session.find_pointers(WANTED, within=range(shared, shared + GIB))
        assert list(found.addresses) == places
        assert memory_of(session, "RssShmem") == held
        assert found.searched + sum(each.size for each in found.skipped) == GIB
        # Only root may open the file behind it and ask for its holes.
        assert (found.skipped == []) == (os.geteuid() == 0)
