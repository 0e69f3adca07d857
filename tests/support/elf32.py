"""A 32-bit Linux program, written by hand: a live target with 4-byte pointers.

Its areas lie at fixed addresses. It writes one byte once it is ready, then serves requests
of two 32-bit words, address and size: it writes that range of its memory to its output.
"""

from __future__ import annotations

import platform
import struct
import sys
from pathlib import Path

from support.child import PAGE, RW_PAGES, pattern

_IS_FOREIGN = sys.platform == "linux" and platform.machine() not in ("x86_64", "i686")

CODE = 0x08048000
RW = 0x10000000
READ_ONLY = 0x20000000
NONE = 0x30000000
SCRATCH = 0x40000000  # the highest, since the kernel puts the heap behind it
READ, WRITE, EXECUTE = 4, 2, 1

_PROGRAM = b"".join(
    [
        # write(1, scratch, 1)
        b"\xb8\x04\x00\x00\x00\xbb\x01\x00\x00\x00\xb9" + struct.pack("<I", SCRATCH),
        b"\xba\x01\x00\x00\x00\xcd\x80",
        # next: read(0, scratch, 8)
        b"\xb8\x03\x00\x00\x00\x31\xdb\xb9" + struct.pack("<I", SCRATCH),
        b"\xba\x08\x00\x00\x00\xcd\x80",
        # if (eax != 8) goto end
        b"\x83\xf8\x08\x75\x1a",
        # write(1, scratch[0], scratch[1]); goto next
        b"\xb8\x04\x00\x00\x00\xbb\x01\x00\x00\x00\x8b\x0d" + struct.pack("<I", SCRATCH),
        b"\x8b\x15" + struct.pack("<I", SCRATCH + 4) + b"\xcd\x80\xeb\xce",
        # end: exit(0)
        b"\xb8\x01\x00\x00\x00\x31\xdb\xcd\x80",
    ]
)


def _segment(offset: int, address: int, size: int, flags: int, room: int = 0) -> bytes:
    """Return an Elf32_Phdr of type PT_LOAD (elf(5)); room beyond the content is zeros."""
    return struct.pack("<8I", 1, offset, address, address, size, max(size, room), flags, PAGE)


def write_program(path: Path, room: int = 0) -> None:
    """Write the executable; `room`: the least number of bytes at RW.

    A test is skipped on a machine that can't run it.
    """
    if _IS_FOREIGN:
        import pytest

        pytest.skip("the 32-bit program is one for x86")
    parts = [
        (CODE, b"", READ | EXECUTE),
        (RW, pattern(RW_PAGES * PAGE), READ | WRITE),
        (READ_ONLY, bytes(PAGE), READ),
        (NONE, bytes(PAGE), 0),
        (SCRATCH, b"r" + bytes(PAGE - 1), READ | WRITE),
    ]
    headers = 52 + 32 * (len(parts) + 1)
    first = b"\x7fELF\x01\x01\x01".ljust(16, b"\0") + struct.pack(
        "<2H5I6H", 2, 3, 1, CODE + headers, 52, 0, 0, 52, 32, len(parts) + 1, 40, 0, 0
    )
    # PT_GNU_STACK without execution; without it the kernel makes all readable memory executable.
    body, segments = b"", struct.pack("<8I", 0x6474E551, 0, 0, 0, 0, 0, READ | WRITE, 16)
    for address, content, flags in parts:
        page = content or bytes(PAGE)
        segments += _segment(len(body), address, len(page), flags, room if address == RW else 0)
        body += page
    text = first + segments + _PROGRAM
    path.write_bytes(text + body[len(text) :])
    path.chmod(0o755)
