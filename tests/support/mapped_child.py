"""A live target that maps a file and does not touch it.

Run as a program, with the file. It prints two addresses: of a page of its own, and of the file's
pages (private, writable); it ends with its input.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys


def main(path: str) -> None:
    """Map, tell, wait."""
    own = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    own[:] = b"o" * len(own)
    file = os.open(path, os.O_RDONLY)
    size = os.fstat(file).st_size
    pages = mmap.mmap(file, size, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
    own_at, pages_at = (
        ctypes.addressof(ctypes.c_char.from_buffer(memory)) for memory in (own, pages)
    )
    print(own_at, pages_at, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
