"""The running processes of Windows: their programs' files, and the users that they belong to."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, wintypes
from typing import Any, Final, NamedTuple

assert sys.platform == "win32"

__all__ = ["Running", "path_of", "running", "user_of"]

# tlhelp32.h, winnt.h and winbase.h
_TH32CS_SNAPPROCESS: Final = 2
_QUERY_LIMITED_INFORMATION: Final = 0x1000
_TOKEN_QUERY: Final = 8
_TOKEN_USER: Final = 1  # of TOKEN_INFORMATION_CLASS
_LONGEST_PATH: Final = 32_768
_LONGEST_NAME: Final = 1024


class _Entry(ctypes.Structure):
    """PROCESSENTRY32W."""

    _fields_ = (
        ("size", wintypes.DWORD),
        ("usage", wintypes.DWORD),
        ("process_id", wintypes.DWORD),
        ("heap", ctypes.c_size_t),
        ("module", wintypes.DWORD),
        ("threads", wintypes.DWORD),
        ("parent", wintypes.DWORD),
        ("priority", wintypes.LONG),
        ("flags", wintypes.DWORD),
        ("file", wintypes.WCHAR * wintypes.MAX_PATH),
    )


class Running(NamedTuple):
    """A running process: its id, its parent's, and the file name of its program."""

    pid: int
    parent: int
    name: str


def running() -> list[Running]:
    """Return all processes, by Toolhelp. The names are the system's, not the processes' own."""
    create = _function(
        "kernel32", "CreateToolhelp32Snapshot", wintypes.HANDLE, wintypes.DWORD, wintypes.DWORD
    )
    step, after = (
        _function("kernel32", name, wintypes.BOOL, wintypes.HANDLE, POINTER(_Entry))
        for name in ("Process32FirstW", "Process32NextW")
    )
    snapshot = create(_TH32CS_SNAPPROCESS, 0)
    if snapshot == wintypes.HANDLE(-1).value:
        raise ctypes.WinError(ctypes.get_last_error())
    entry, found = _Entry(size=ctypes.sizeof(_Entry)), []
    try:
        while step(snapshot, byref(entry)):
            found.append(Running(entry.process_id, entry.parent, entry.file))
            step = after
    finally:
        _close(snapshot)
    return found


def path_of(pid: int) -> str | None:
    """Return the path of its program's file; None if this process may not ask."""
    with _process(pid) as process:
        if process is None:
            return None
        query = _function(
            "kernel32",
            "QueryFullProcessImageNameW",
            wintypes.BOOL,
            wintypes.HANDLE,
            wintypes.DWORD,
            wintypes.LPWSTR,
            POINTER(wintypes.DWORD),
        )
        path = ctypes.create_unicode_buffer(_LONGEST_PATH)
        length = wintypes.DWORD(_LONGEST_PATH)
        return path.value if query(process, 0, path, byref(length)) else None


def user_of(pid: int) -> tuple[str, bool]:
    """Return the name of its user, and whether that is this process's; "" if that is not known."""
    with _process(pid) as process:
        user = None if process is None else _user(process)
    if user is None:
        return "", False
    own = _user(_function("kernel32", "GetCurrentProcess", wintypes.HANDLE)())
    return _name_of(user), user == own


def _name_of(user: bytes) -> str:
    """Return the account of a security identifier, with its domain; "" if it has none."""
    look_up = _function(
        "advapi32",
        "LookupAccountSidW",
        wintypes.BOOL,
        wintypes.LPCWSTR,
        ctypes.c_char_p,
        wintypes.LPWSTR,
        POINTER(wintypes.DWORD),
        wintypes.LPWSTR,
        POINTER(wintypes.DWORD),
        POINTER(ctypes.c_int),
    )
    name, domain = (ctypes.create_unicode_buffer(_LONGEST_NAME) for _ in range(2))
    sizes = [wintypes.DWORD(_LONGEST_NAME) for _ in range(2)]
    use = ctypes.c_int()
    if not look_up(None, user, name, byref(sizes[0]), domain, byref(sizes[1]), byref(use)):
        return ""
    return f"{domain.value}\\{name.value}" if domain.value else name.value


def _user(process: int) -> bytes | None:
    open_token = _function(
        "advapi32",
        "OpenProcessToken",
        wintypes.BOOL,
        wintypes.HANDLE,
        wintypes.DWORD,
        POINTER(wintypes.HANDLE),
    )
    query = _function(
        "advapi32",
        "GetTokenInformation",
        wintypes.BOOL,
        wintypes.HANDLE,
        ctypes.c_int,
        ctypes.c_void_p,
        wintypes.DWORD,
        POINTER(wintypes.DWORD),
    )
    length_of = _function("advapi32", "GetLengthSid", wintypes.DWORD, ctypes.c_void_p)
    token = wintypes.HANDLE()
    if not open_token(process, _TOKEN_QUERY, byref(token)) or token.value is None:
        return None
    try:
        # TOKEN_USER begins with the address of the identifier, which lies behind it.
        found = (ctypes.c_void_p * 64)()
        size = wintypes.DWORD()
        if not query(token, _TOKEN_USER, found, ctypes.sizeof(found), byref(size)):
            return None
        address = found[0]
        return None if address is None else ctypes.string_at(address, length_of(address))
    finally:
        _close(token.value)


@contextmanager
def _process(pid: int) -> Iterator[int | None]:
    open_process = _function(
        "kernel32",
        "OpenProcess",
        wintypes.HANDLE,
        wintypes.DWORD,
        wintypes.BOOL,
        wintypes.DWORD,
    )
    process: int | None = open_process(_QUERY_LIMITED_INFORMATION, False, pid)
    try:
        yield process
    finally:
        if process is not None:
            _close(process)


def _close(handle: int) -> None:
    _function("kernel32", "CloseHandle", wintypes.BOOL, wintypes.HANDLE)(handle)


def _function(library: str, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """Return a function of the system. A prototype of its own: windll's are everybody's."""
    prototype: Any = ctypes.WINFUNCTYPE(result, *arguments, use_last_error=True)
    made: Callable[..., Any] = prototype((name, ctypes.WinDLL(library)))
    return made
