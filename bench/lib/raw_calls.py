"""The raw system call from C: bench/lib/raw.c, compiled on demand and called by ctypes."""

from __future__ import annotations

import ctypes
import errno
import os
import shlex
import subprocess
import tempfile
from array import array
from collections.abc import Sequence
from pathlib import Path

__all__ = ["RawCalls"]

_SOURCE = Path(__file__).with_name("raw.c")
_SEARCH = Path(__file__).resolve().parents[2] / "csrc" / "core" / "search"


class RawCalls:
    """The functions of raw.c."""

    def __init__(self) -> None:
        compiler = shlex.split(os.environ.get("CC", "cc"))
        with tempfile.TemporaryDirectory(prefix="pydbgwrite-bench-") as folder:
            library = Path(folder, "raw.so")
            subprocess.run(
                [
                    *compiler,
                    "-std=c11",
                    "-O3",
                    "-shared",
                    "-fPIC",
                    "-pthread",
                    "-o",
                    library,
                    _SOURCE,
                    _SEARCH / "lanes.c",
                    _SEARCH / "words.c",
                    _SEARCH.parents[1] / "base" / "pointer_view.c",
                ],
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
        self._write_each = loaded.raw_write_each
        for function in (self._write_scattered, self._write_each):
            function.restype = ctypes.c_int64
            function.argtypes = (ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)

        self._patch_processes = loaded.raw_patch_processes
        self._patch_processes.restype = ctypes.c_int64
        self._patch_processes.argtypes = (
            ctypes.c_void_p,
            ctypes.c_size_t,
            ctypes.c_uint64,
            ctypes.c_uint64,
            ctypes.c_size_t,
        )

        self._read_blocks = loaded.raw_read_blocks
        self._read_blocks.restype = ctypes.c_int64
        self._read_blocks.argtypes = (
            ctypes.c_int32,
            ctypes.c_uint64,
            ctypes.c_size_t,
            ctypes.c_size_t,
            ctypes.c_int32,
        )

        self._find_blocks = loaded.raw_find_blocks
        self._find_blocks.restype = ctypes.c_int64
        self._find_blocks.argtypes = (
            *self._read_blocks.argtypes[:4],
            ctypes.c_uint64,
            ctypes.c_int32,
            ctypes.POINTER(ctypes.c_uint64),
        )

    def find_blocks(self, pid: int, address: int, size: int, value: int, way: int) -> int | None:
        """Time the same by one thread, with the core's comparison; None without this way."""
        found = ctypes.c_uint64()
        took = int(
            self._find_blocks(pid, address, size, 256 << 10, value, way, ctypes.byref(found))
        )
        if took == -errno.ENOSYS:
            return None
        if took < 0 or found.value == 0:
            raise OSError(-took, f"found {found.value}: {os.strerror(-took)}")
        return took

    def read_blocks(self, pid: int, address: int, size: int, threads: int) -> int:
        """Time process_vm_readv of `size` bytes in blocks of 256 KiB, by some threads."""
        took = int(self._read_blocks(pid, address, size, 256 << 10, threads))
        if took < 0:
            raise OSError(-took, f"process_vm_readv: {os.strerror(-took)}")
        return took

    def write_scattered(self, pid: int, addresses: int, values: int, count: int) -> int:
        """Time process_vm_writev of `count` single pointers, 1,024 a call."""
        return _nanoseconds(self._write_scattered(pid, addresses, values, count))

    def write_each(self, pid: int, addresses: int, values: int, count: int) -> int:
        """Time process_vm_writev of `count` single pointers, one a call."""
        return _nanoseconds(self._write_each(pid, addresses, values, count))

    def patch_processes(self, pids: Sequence[int], address: int, stride: int, words: int) -> int:
        """Time stopping each process, reading and writing words of it, and letting it go."""
        given = array("i", pids)
        at, count = given.buffer_info()
        return _nanoseconds(self._patch_processes(at, count, address, stride, words))

    def write(self, pid: int, address: int, data: int, size: int, calls: int = 1) -> int:
        """Time `calls` process_vm_writev of `size` bytes at `data` to `address`."""
        return _nanoseconds(self._write(pid, address, data, size, calls))


def _nanoseconds(took: int) -> int:
    if took < 0:
        raise OSError(-took, f"process_vm_writev: {os.strerror(-took)}")
    return took
