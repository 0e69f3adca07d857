"""The target program: it maps memory, and reports what the memory holds.

    python target_child.py BYTES

It prints the address of its memory, then answers each line of standard input:

    digest OFFSET SIZE     BLAKE2b of those bytes, in hex
    same OFFSET SIZE PATH  "yes" if they equal the first SIZE bytes of the file
    places 0 COUNT PATH    BLAKE2b, in hex, of the 8 bytes at each of COUNT offsets in the file
"""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import sys
from array import array

BLOCK = 1 << 20
# Not in the mmap module before Python 3.13; asm-generic/mman.h.
MAP_NORESERVE = 0x4000
# Permit every process of this user to trace this one, under Yama too (prctl(2), PR_SET_PTRACER).
SET_PTRACER, ANY_TRACER = 0x59616D61, ctypes.c_ulong(-1)


def main() -> None:
    """Map the memory and answer until standard input ends."""
    size = int(sys.argv[1])
    memory: bytearray | mmap.mmap
    if sys.platform == "win32":
        memory = bytearray(size)  # private; mmap's memory on Windows is not
    else:
        ctypes.CDLL(None).prctl(SET_PTRACER, ANY_TRACER, 0, 0, 0)
        memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
    print(ctypes.addressof(ctypes.c_char.from_buffer(memory)), flush=True)
    view = memoryview(memory)
    for line in sys.stdin:
        command, *words = line.split(maxsplit=3)
        offset, length = int(words[0]), int(words[1])
        if command == "digest":
            print(hashlib.blake2b(view[offset : offset + length]).hexdigest(), flush=True)
        elif command == "places":
            print(digest_of_places(view, length, words[2].strip()), flush=True)
        else:
            print("yes" if same(view[offset : offset + length], words[2].strip()) else "no")
            sys.stdout.flush()


def digest_of_places(memory: memoryview, count: int, path: str) -> str:
    """Return the digest of single pointers, in the order of the file."""
    offsets = array("Q")
    with open(path, "rb") as file:
        offsets.fromfile(file, count)
    digest = hashlib.blake2b()
    for offset in offsets:
        digest.update(memory[offset : offset + 8])
    return digest.hexdigest()


def same(memory: memoryview, path: str) -> bool:
    """True if the file begins with these bytes; compares in blocks, to save memory."""
    with open(path, "rb", buffering=0) as file:
        return all(
            memory[at : at + BLOCK] == file.read(min(BLOCK, len(memory) - at))
            for at in range(0, len(memory), BLOCK)
        )


if __name__ == "__main__":
    main()
