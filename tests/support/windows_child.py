"""A live target on Windows, with memory at the addresses that its arguments give.

Run it as a program: each argument is ADDRESS:SIZE:PROTECTION, in hex, hex, and a PAGE_ number. It
prints the size of its pointers in one line, then lives until its input ends.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

MEM_COMMIT_RESERVE = 0x3000


def main() -> None:
    """Allocate the memory, print the pointer size, and wait."""
    kernel: Any = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    kernel.VirtualAlloc.restype = ctypes.c_void_p
    kernel.VirtualAlloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_uint32] * 2]
    for wish in sys.argv[1:]:
        address, size, protection = wish.split(":")
        base = kernel.VirtualAlloc(
            int(address, 16), int(size, 16), MEM_COMMIT_RESERVE, int(protection)
        )
        if base != int(address, 16):
            sys.exit(f"VirtualAlloc gave {base} for {wish}")
    print(ctypes.sizeof(ctypes.c_void_p), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
