"""What ReadProcessMemory and WriteProcessMemory do here, asked of the system before the tests.

Windows and each Wine treat some addresses differently, and Microsoft's engine passes the answers
on. Tests expect what this system does with the memory of another process.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

INVALID_PARAMETER: Final = 87
#: No 64-bit process of Windows has memory there.
FAR: Final = 2**47 + 8
PAGE: Final = 4096
#: Its pages by their numbers: each follows a page to read and write. What follows the last is free.
READ_ONLY, NO_ACCESS, GUARD, RESERVED, FREE = 1, 3, 5, 7, 9
# Argument: where its memory is, 0 for a place of the system's choice. It lives until its input
# ends.
_CHILD = f"""
import ctypes, sys
kernel = ctypes.windll.kernel32
kernel.VirtualAlloc.restype = ctypes.c_void_p
pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32
kernel.VirtualAlloc.argtypes = [pointer, size, number, number]
kernel.VirtualProtect.argtypes = [pointer, size, number, pointer]
base = kernel.VirtualAlloc(int(sys.argv[1]) or None, {FREE * PAGE}, 0x2000, 4)
for page in range({FREE}):
    assert page == {RESERVED} or kernel.VirtualAlloc(base + page * {PAGE}, {PAGE}, 0x1000, 4)
for page, protection in (({READ_ONLY}, 2), ({NO_ACCESS}, 1), ({GUARD}, 0x104)):
    before = ctypes.byref(number())
    assert kernel.VirtualProtect(base + page * {PAGE}, {PAGE}, protection, before)
print(base, flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class OtherProcess:
    """The memory of another process. Its methods return error numbers, 0 if the call succeeds."""

    kernel: Any
    handle: int
    base: int

    def page(self, number: int) -> int:
        """Return the address of a page."""
        return self.base + number * PAGE

    def read(self, address: int, size: int = 8) -> int:
        """Call ReadProcessMemory."""
        data = ctypes.create_string_buffer(max(size, 1))
        return self._error(self.kernel.ReadProcessMemory(self.handle, address, data, size, None))

    def write(self, address: int, size: int = 8) -> int:
        """Call WriteProcessMemory, for bytes that are not 0."""
        data = b"\1" * size
        return self._error(self.kernel.WriteProcessMemory(self.handle, address, data, size, None))

    @staticmethod
    def _error(done: int) -> int:
        number: int = 0 if done else ctypes.get_last_error()  # type: ignore[attr-defined,unused-ignore]
        return number


@contextmanager
def other_process(place: int = 0) -> Iterator[OtherProcess]:
    """Yield a process of Windows with the pages above. place: where; 0: the system chooses."""
    kernel: Any = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    kernel.OpenProcess.restype = ctypes.c_void_p
    kernel.CloseHandle.argtypes = [ctypes.c_void_p]
    for call in (kernel.ReadProcessMemory, kernel.WriteProcessMemory):
        call.argtypes = [*[ctypes.c_void_p] * 3, ctypes.c_size_t, ctypes.c_void_p]
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _CHILD, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdin is not None and child.stdout is not None
        base = int(child.stdout.readline())
        handle = kernel.OpenProcess(0x38, 0, child.pid)  # PROCESS_VM_*
        assert handle
        try:
            yield OtherProcess(kernel, handle, base)
        finally:
            kernel.CloseHandle(handle)
            child.stdin.close()
            child.wait()


@dataclass(frozen=True)
class SystemMemory:
    """Is a no-access page read, and a read-only one written: a write that begins or goes on there?

    Then error numbers, 0 if the call succeeds: of a write of no byte, and of one at FAR.
    """

    reads_no_access: bool
    writes_read_only: bool
    writes_on_into_read_only: bool
    empty_write: int
    far_write: int


@cache
def system_memory() -> SystemMemory:
    """Return what this system does. Other systems than Windows have no such calls."""
    if sys.platform != "win32":
        return SystemMemory(False, False, False, INVALID_PARAMETER, 0)
    with other_process() as other:
        return SystemMemory(
            reads_no_access=other.read(other.page(NO_ACCESS)) == 0,
            writes_read_only=other.write(other.page(READ_ONLY)) == 0,
            writes_on_into_read_only=other.write(other.page(READ_ONLY) - 4) == 0,
            empty_write=other.write(other.base, 0),
            far_write=other.write(FAR),
        )
