"""When a Windows process started, and whether it has ended."""

from __future__ import annotations

import sys
from typing import Final, NamedTuple

__all__ = ["NO_SUCH_PROCESS", "WindowsProcess", "windows_process"]

#: The error of OpenProcess for an id that no process has (ERROR_INVALID_PARAMETER).
NO_SUCH_PROCESS: Final = 87
_QUERY_LIMITED: Final = 0x1000  # PROCESS_QUERY_LIMITED_INFORMATION
_STILL_ACTIVE: Final = 259


class WindowsProcess(NamedTuple):
    """A process: its start time in units of 100 ns, and whether it runs; or why it can't be opened.

    error is 0, or the error code of Windows.
    """

    started: int = 0
    runs: bool = False
    error: int = 0


def windows_process(pid: int) -> WindowsProcess:
    """Ask the system about a process (GetProcessTimes, GetExitCodeProcess)."""
    if sys.platform != "win32":
        raise OSError("for Windows")
    import ctypes
    from ctypes import wintypes

    system = ctypes.WinDLL("kernel32", use_last_error=True)
    system.OpenProcess.restype = wintypes.HANDLE
    system.OpenProcess.argtypes = [wintypes.DWORD, wintypes.BOOL, wintypes.DWORD]
    system.GetProcessTimes.argtypes = [wintypes.HANDLE, *[ctypes.POINTER(wintypes.FILETIME)] * 4]
    system.GetExitCodeProcess.argtypes = [wintypes.HANDLE, ctypes.POINTER(wintypes.DWORD)]
    system.CloseHandle.argtypes = [wintypes.HANDLE]
    handle = system.OpenProcess(_QUERY_LIMITED, False, pid)
    if not handle:
        return WindowsProcess(error=ctypes.get_last_error())
    times = [wintypes.FILETIME() for _ in range(4)]
    code = wintypes.DWORD()
    try:
        if not (
            system.GetProcessTimes(handle, *map(ctypes.byref, times))
            and system.GetExitCodeProcess(handle, ctypes.byref(code))
        ):
            return WindowsProcess(error=ctypes.get_last_error())
    finally:
        system.CloseHandle(handle)
    started = times[0].dwHighDateTime << 32 | times[0].dwLowDateTime
    return WindowsProcess(started, code.value == _STILL_ACTIVE)
