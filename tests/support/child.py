"""A live target: maps areas of several protections, prints their addresses, reports their bytes.

Run it as a program. Its arguments are the number of writable pages and, if processes that are not
its ancestors trace it, "anyone". It prints one line of JSON with the addresses, then answers
commands, one a line:

    read ADDRESS SIZE     prints that memory in hex
    digest ADDRESS SIZE   prints its SHA-256
    exit                  ends (so does the end of the input)
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import mmap
import os
import sys

PAGE = mmap.PAGESIZE
RW_PAGES = 4
NONE, READ, READ_WRITE = 0, 1, 3
#: Far below the place where mmap(2) puts mappings without an address: they could fill a hole.
FAR_BELOW = 1 << 45
MAP_SHARED, MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS = 1, 2, 16, 32


def pattern(size: int) -> bytes:
    """Return the first content of a writable area: 251 different bytes, repeated."""
    cycle = bytes((index * 7 + 3) % 251 for index in range(251))
    return (cycle * (size // 251 + 1))[:size]


def main() -> None:
    """Map the areas, print their addresses, and answer commands."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

    # hole, rw of that many pages, hole, private r, hole, shared r, hole, none, hole
    pages = int(sys.argv[1])
    if "anyone" in sys.argv:
        # PR_SET_PTRACER, PR_SET_PTRACER_ANY (prctl(2)); refused without Yama, where none is needed
        libc.prctl(0x59616D61, ctypes.c_ulong(-1), *[ctypes.c_ulong(0)] * 3)
    start = libc.mmap(FAR_BELOW, (pages + 8) * PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    writable = start + PAGE
    private = writable + (pages + 1) * PAGE
    shared = private + 2 * PAGE
    nothing = shared + 2 * PAGE
    ctypes.memmove(writable, pattern(pages * PAGE), pages * PAGE)
    libc.mprotect(private, PAGE, READ)
    libc.mprotect(nothing, PAGE, NONE)
    file = os.memfd_create("shared")
    os.ftruncate(file, PAGE)
    libc.mmap(shared, PAGE, READ, MAP_SHARED | MAP_FIXED, file, 0)
    for hole in (start, private - PAGE, shared - PAGE, nothing - PAGE, nothing + PAGE):
        libc.munmap(hole, PAGE)
    print(
        json.dumps({"rw": writable, "read_only": private, "shared": shared, "none": nothing}),
        flush=True,
    )
    for line in sys.stdin:
        words = line.split()
        if words[0] == "exit":
            break
        data = ctypes.string_at(int(words[1]), int(words[2]))
        print(hashlib.sha256(data).hexdigest() if words[0] == "digest" else data.hex(), flush=True)


if __name__ == "__main__":
    main()
