"""A live target with pages that its own thread fills or unlocks by userfaultfd(2).

Run it as a program. Its arguments are the number of present pages and the number of absent pages
behind them; or a file of tmpfs, or "memory", for a shared page that is write-protected. It prints
the address, or "refused" if the system denies userfaultfd. It serves faults until its input ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import platform
import struct
import sys
import threading
from collections.abc import Callable

PAGE = mmap.PAGESIZE
SYSTEM_CALL = {"x86_64": 323, "aarch64": 282}
# include/uapi/linux/userfaultfd.h
API, REGISTER, COPY, PROTECT = 0xC018AA3F, 0xC020AA00, 0xC028AA03, 0xC018AA06
MISSING, WRITE_PROTECT, VERSION = 1, 2, 0xAA
PROTECTS_SHARED = 1 << 0 | 1 << 12  # features
MESSAGE = struct.Struct("<B7x3Q")


KEPT: list[mmap.mmap] = []  # mapped until the end


def serve(faults: int, answer: Callable[[int], None]) -> None:
    """Call answer(page) for each page fault that is reported."""
    while True:
        _, _, fault, _ = MESSAGE.unpack(os.read(faults, MESSAGE.size))
        answer(fault & -PAGE)


def fill_absent(faults: int, present: int, absent: int) -> int:
    """Map anonymous memory whose absent pages a thread fills; return its address."""
    memory = mmap.mmap(-1, (present + absent) * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    KEPT.append(memory)
    memory[: present * PAGE] = b"p" * (present * PAGE)
    fcntl.ioctl(faults, API, struct.pack("<3Q", VERSION, 0, 0))
    start = address + present * PAGE
    fcntl.ioctl(faults, REGISTER, struct.pack("<4Q", start, absent * PAGE, MISSING, 0))
    filling = ctypes.create_string_buffer(b"f" * PAGE)
    source = ctypes.addressof(filling)

    def fill(page: int) -> None:
        fcntl.ioctl(faults, COPY, struct.pack("<5Q", page, source, PAGE, 0, 0))

    threading.Thread(target=serve, args=(faults, fill), daemon=True).start()
    return address


def unlock_shared(faults: int, path: str) -> int:
    """Map a write-protected page of a file or of shared memory; return its address."""
    file = -1 if path == "memory" else os.open(path, os.O_RDWR | os.O_CREAT)
    if file >= 0:
        os.ftruncate(file, PAGE)
    memory = mmap.mmap(file, PAGE, mmap.MAP_SHARED)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    KEPT.append(memory)
    memory[:] = b"p" * PAGE
    fcntl.ioctl(faults, API, struct.pack("<3Q", VERSION, PROTECTS_SHARED, 0))
    fcntl.ioctl(faults, REGISTER, struct.pack("<4Q", address, PAGE, WRITE_PROTECT, 0))
    fcntl.ioctl(faults, PROTECT, struct.pack("<3Q", address, PAGE, 1))

    def unlock(page: int) -> None:
        fcntl.ioctl(faults, PROTECT, struct.pack("<3Q", page, PAGE, 0))

    threading.Thread(target=serve, args=(faults, unlock), daemon=True).start()
    return address


def main(words: list[str]) -> None:
    """Register the pages, print their address, and serve faults."""
    libc = ctypes.CDLL(None, use_errno=True)
    faults = libc.syscall(SYSTEM_CALL[platform.machine()], os.O_CLOEXEC)
    if faults < 0:
        print("refused", flush=True)
        return
    if len(words) == 2:
        print(fill_absent(faults, int(words[0]), int(words[1])), flush=True)
    else:
        print(unlock_shared(faults, words[0]), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:])
