"""A live target that maps a file and does not access the mapping.

Run it as a program; its argument is the file. It prints two addresses: of a page of its own memory,
and of the file's pages (private, writable). It ends with its input.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys


def main(path: str) -> None:
    """Map the file, print the addresses, and wait."""
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
