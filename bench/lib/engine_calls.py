"""The engine's calls from C: bench/lib/engine_calls.c, loaded by ctypes, on its own client.

All clients of a process share the engine's target, so the measured session and the calls from C
reach the same memory.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import c_int32, c_int64, c_uint32, c_uint64, c_void_p, create_string_buffer
from pathlib import Path

__all__ = ["SOURCE", "EngineCalls"]

SOURCE = Path(__file__).with_name("engine_calls.c")

# A client by ctypes alone; the Windows lane uses it to check that the engine works.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from support.probe_engine import DATA_SPACES_4, create_client  # noqa: E402


class EngineCalls:
    """The functions of engine_calls.c on an IDebugDataSpaces4 of their own."""

    def __init__(self, library: Path, engine_folder: Path) -> None:
        loaded = ctypes.CDLL(str(library))
        self._write_pointers = loaded.timed_write_pointers
        self._write_pointers.argtypes = (c_void_p, c_uint32, c_uint64, c_void_p, c_int32)
        self._write_bytes = loaded.timed_write_bytes
        self._write_bytes.argtypes = (c_void_p, c_uint64, c_void_p, c_uint32, c_int32)
        self._write_each = loaded.timed_write_each
        self._write_each.argtypes = (c_void_p, c_uint32, c_void_p, c_void_p)
        self._read_blocks = loaded.timed_read_blocks
        self._read_blocks.argtypes = (c_void_p, c_uint64, c_uint64, c_void_p, c_uint32)
        for timed in (
            self._write_pointers,
            self._write_bytes,
            self._write_each,
            self._read_blocks,
        ):
            timed.restype = c_int64
        self._room = create_string_buffer(256 << 10)
        self._client = create_client(engine_folder)  # held: it owns the engine's side
        self.spaces = self._client.query(DATA_SPACES_4).pointer

    def write_pointers(self, address: int, data: int, count: int, calls: int = 1) -> int:
        """Time `calls` WritePointersVirtual of `count` pointers at `data`."""
        return _checked(self._write_pointers(self.spaces, count, address, data, calls))

    def write_bytes(self, address: int, data: int, size: int, calls: int = 1) -> int:
        """Time `calls` WriteVirtual of `size` bytes at `data`."""
        return _checked(self._write_bytes(self.spaces, address, data, size, calls))

    def read_blocks(self, address: int, size: int) -> int:
        """Time ReadVirtual of `size` bytes in blocks of 256 KiB."""
        return _checked(self._read_blocks(self.spaces, address, size, self._room, len(self._room)))

    def write_each(self, addresses: int, data: int, count: int) -> int:
        """Time a WriteVirtual of 8 bytes to each of `count` addresses."""
        return _checked(self._write_each(self.spaces, count, addresses, data))


def _checked(took: int) -> int:
    if took < 0:
        raise OSError(f"the engine answered 0x{-took:08x}")
    return took
