"""What ReadProcessMemory and WriteProcessMemory do here, asked of the system before the tests.

Windows and each Wine treat some addresses differently, and Microsoft's engine passes the answers
on. Tests expect what this system does with the memory of another process.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from typing import Final

INVALID_PARAMETER: Final = 87
#: No 64-bit process of Windows has memory there.
FAR: Final = 2**47 + 8
# Its memory is a page to read and write, one to read, and one for neither. It lives until its input
# ends.
_CHILD = """
import ctypes, sys
kernel = ctypes.windll.kernel32
kernel.VirtualAlloc.restype = ctypes.c_void_p
pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32
kernel.VirtualAlloc.argtypes = [pointer, size, number, number]
kernel.VirtualProtect.argtypes = [pointer, size, number, pointer]
base = kernel.VirtualAlloc(None, 3 * 4096, 0x3000, 4)
for page, protection in ((1, 2), (2, 1)):
    before = ctypes.byref(number())
    assert kernel.VirtualProtect(base + page * 4096, 4096, protection, before)
print(base, flush=True)
sys.stdin.read()
"""


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
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenProcess.restype = ctypes.c_void_p
    kernel.CloseHandle.argtypes = [ctypes.c_void_p]
    pointers = [ctypes.c_void_p] * 3
    for call in (kernel.ReadProcessMemory, kernel.WriteProcessMemory):
        call.argtypes = [*pointers, ctypes.c_size_t, ctypes.c_void_p]
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdin is not None and child.stdout is not None
        base = int(child.stdout.readline())
        handle = kernel.OpenProcess(0x38, 0, child.pid)  # PROCESS_VM_*
        assert handle

        def write(address: int, size: int) -> int:
            done = kernel.WriteProcessMemory(handle, address, bytes(size), size, None)
            return 0 if done else ctypes.get_last_error()

        try:
            data = ctypes.create_string_buffer(8)
            return SystemMemory(
                reads_no_access=bool(
                    kernel.ReadProcessMemory(handle, base + 2 * 4096, data, 8, None)
                ),
                writes_read_only=write(base + 4096, 8) == 0,
                writes_on_into_read_only=write(base + 4092, 8) == 0,
                empty_write=write(base, 0),
                far_write=write(FAR, 8),
            )
        finally:
            kernel.CloseHandle(handle)
            child.stdin.close()
            child.wait()
