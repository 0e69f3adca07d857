"""All processors, for tests of several threads: the lane runs a process on one processor."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def every_processor() -> Iterator[None]:
    """Allow this process to run on all processors; on Linux it does already."""
    if sys.platform != "win32":
        yield
        return
    system: Any = ctypes.WinDLL("kernel32")
    system.GetCurrentProcess.restype = ctypes.c_void_p
    system.GetProcessAffinityMask.argtypes = [ctypes.c_void_p] * 3
    system.SetProcessAffinityMask.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    before, every = ctypes.c_size_t(), ctypes.c_size_t()
    process = system.GetCurrentProcess()
    assert system.GetProcessAffinityMask(process, ctypes.byref(before), ctypes.byref(every))
    assert system.SetProcessAffinityMask(process, every)
    try:
        yield
    finally:
        assert system.SetProcessAffinityMask(process, before)
