"""The process that `pydbgwrite doctor` writes to: a separate program that needs only ctypes.

It prints one line of JSON: its pid, and the addresses of a writable and a read-only page. For each
line of input it prints the contents of both pages, in hex. It ends when its input ends. With the
argument "orphan" it first becomes a process that is no descendant of the one that started it.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import Any

PAGE = 4096


def _pages() -> list[int]:
    """Map a writable page and a read-only page; return their addresses."""
    if sys.platform == "win32":
        kernel: Any = ctypes.windll.kernel32
        kernel.VirtualAlloc.restype = ctypes.c_void_p
        kernel.VirtualAlloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_uint32] * 2]
        commit_reserve, read_only, read_write = 0x3000, 2, 4
        return [
            kernel.VirtualAlloc(None, PAGE, commit_reserve, each)
            for each in (read_write, read_only)
        ]
    libc: Any = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    read_only, read_write, private_anonymous = 1, 3, 0x22
    return [
        libc.mmap(None, PAGE, each, private_anonymous, -1, 0) for each in (read_write, read_only)
    ]


def _become_an_orphan() -> None:
    parent = os.getpid()
    ends, held = os.pipe()
    if os.fork():
        os._exit(0)
    os.close(held)
    os.read(ends, 1)  # until the parent ends; the kernel then gives this process another one
    while os.getppid() == parent:
        pass


def main() -> None:
    """Map the pages, print their addresses, and serve until the input ends."""
    if "orphan" in sys.argv and sys.platform != "win32":
        _become_an_orphan()
    pages = _pages()
    said = {"pid": os.getpid(), "writable": pages[0], "read_only": pages[1]}
    print(json.dumps(said), flush=True)
    for _ in sys.stdin:
        print(json.dumps([ctypes.string_at(each, 16).hex() for each in pages]), flush=True)


if __name__ == "__main__":
    main()
