"""The raw system call from C: bench/lib/raw.c, compiled on demand and called by ctypes."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

__all__ = ["RawCalls"]

_SOURCE = Path(__file__).with_name("raw.c")


class RawCalls:
    """The functions of raw.c."""

    def __init__(self) -> None:
        compiler = shlex.split(os.environ.get("CC", "cc"))
        with tempfile.TemporaryDirectory(prefix="pydbgwrite-bench-") as folder:
            library = Path(folder, "raw.so")
            subprocess.run(
                [*compiler, "-std=c11", "-O2", "-shared", "-fPIC", "-o", library, _SOURCE],
                check=True,
            )
            loaded = ctypes.CDLL(str(library))  # stays mapped after the file is removed
        self._write = loaded.raw_write
        self._write.restype = ctypes.c_int64
        self._write.argtypes = (
            ctypes.c_int32,
            ctypes.c_uint64,
            ctypes.c_void_p,
            ctypes.c_size_t,
            ctypes.c_int32,
        )
        self._write_scattered = loaded.raw_write_scattered
        self._write_scattered.restype = ctypes.c_int64
        self._write_scattered.argtypes = (
            ctypes.c_int32,
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_size_t,
        )

    def write_scattered(self, pid: int, addresses: int, values: int, count: int) -> int:
        """Time process_vm_writev of `count` single pointers, 1,024 a call."""
        took = int(self._write_scattered(pid, addresses, values, count))
        if took < 0:
            raise OSError(-took, f"process_vm_writev: {os.strerror(-took)}")
        return took

    def write(self, pid: int, address: int, data: int, size: int, calls: int = 1) -> int:
        """Time `calls` process_vm_writev of `size` bytes at `data` to `address`."""
        took = int(self._write(pid, address, data, size, calls))
        if took < 0:
            raise OSError(-took, f"process_vm_writev: {os.strerror(-took)}")
        return took
