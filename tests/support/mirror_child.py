"""A live target that maps the same memory at two neighbouring addresses.

It prints the first address and the size of each mapping, and ends with its input.
"""

from __future__ import annotations

import ctypes
import os
import sys

SIZE = 65536  # Windows maps views at multiples of this size


def map_twice_on_linux() -> int:
    """Map one memfd twice; return the first address."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    read_write, shared, private, fixed, anonymous = 3, 1, 2, 16, 32
    start = libc.mmap(None, 2 * SIZE, 0, private | anonymous, -1, 0)
    file = os.memfd_create("mirror")
    os.ftruncate(file, SIZE)
    for place in (start, start + SIZE):
        assert libc.mmap(place, SIZE, read_write, shared | fixed, file, 0) == place
    return int(start)


def map_twice_on_windows() -> int:
    """Map two views of one section; return the first address."""
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    kernel.CreateFileMappingW.restype = ctypes.c_void_p
    kernel.CreateFileMappingW.argtypes = [
        *[ctypes.c_void_p] * 2,
        *[ctypes.c_uint32] * 3,
        ctypes.c_wchar_p,
    ]
    kernel.VirtualAlloc.restype = ctypes.c_void_p
    kernel.VirtualAlloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_uint32] * 2]
    kernel.VirtualFree.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32]
    kernel.MapViewOfFileEx.restype = ctypes.c_void_p
    kernel.MapViewOfFileEx.argtypes = [
        ctypes.c_void_p,
        *[ctypes.c_uint32] * 3,
        ctypes.c_size_t,
        ctypes.c_void_p,
    ]
    no_file, read_write, reserve, no_access, release, map_all = -1, 4, 0x2000, 1, 0x8000, 6
    section = kernel.CreateFileMappingW(no_file, None, read_write, 0, SIZE, None)
    assert section
    start = kernel.VirtualAlloc(None, 2 * SIZE, reserve, no_access)
    assert kernel.VirtualFree(start, 0, release)
    for place in (start, start + SIZE):
        assert kernel.MapViewOfFileEx(section, map_all, 0, 0, SIZE, place) == place
    return int(start)


def main() -> None:
    """Map the memory, print its address and size, and wait."""
    start = map_twice_on_windows() if sys.platform == "win32" else map_twice_on_linux()
    print(start, SIZE, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
