"""A live target with pages that a thread of its own is to fill: userfaultfd(2).

Run as a program, with the number of pages and, before them, of present ones. It prints their
address, or "refused" where the system denies userfaultfd, and fills pages until its input ends.
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

PAGE = mmap.PAGESIZE
SYSTEM_CALL = {"x86_64": 323, "aarch64": 282}
# include/uapi/linux/userfaultfd.h
API, REGISTER, COPY = 0xC018AA3F, 0xC020AA00, 0xC028AA03
MISSING, VERSION = 1, 0xAA
MESSAGE = struct.Struct("<B7x3Q")


def main(present: int, absent: int) -> None:
    """Register, tell, fill."""
    libc = ctypes.CDLL(None, use_errno=True)
    faults = libc.syscall(SYSTEM_CALL[platform.machine()], os.O_CLOEXEC)
    if faults < 0:
        print("refused", flush=True)
        return
    memory = mmap.mmap(-1, (present + absent) * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    memory[: present * PAGE] = b"p" * (present * PAGE)
    fcntl.ioctl(faults, API, struct.pack("<3Q", VERSION, 0, 0))
    start = address + present * PAGE
    fcntl.ioctl(faults, REGISTER, struct.pack("<4Q", start, absent * PAGE, MISSING, 0))
    filling = ctypes.create_string_buffer(b"f" * PAGE)

    def fill() -> None:
        while True:
            _, _, fault, _ = MESSAGE.unpack(os.read(faults, MESSAGE.size))
            page = fault & -PAGE
            source = ctypes.addressof(filling)
            fcntl.ioctl(faults, COPY, struct.pack("<5Q", page, source, PAGE, 0, 0))

    threading.Thread(target=fill, daemon=True).start()
    print(address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
