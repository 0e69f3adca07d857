"""Checks of what decides on Windows whether a process may be written to."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

from pydbgwrite import errors
from pydbgwrite._dbgeng import EngineInfo, load_engine
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.doctor.checks import FAILS, INFO, LIMITED, WORKS, Check

assert sys.platform == "win32"

__all__ = ["engine_checks", "permissions"]

_TOKEN_QUERY = 8
_TOKEN_PRIVILEGES = 3  # TOKEN_INFORMATION_CLASS
_SE_PRIVILEGE_ENABLED = 2


def engine_checks(folder: str | None) -> tuple[list[Check], EngineInfo | None, list[str]]:
    """Check for Microsoft's engine; list each path that was tried without success."""
    try:
        engine = load_engine(folder)
    except not_from_handler(errors.EngineNotFoundError) as failure:
        lines = str(failure).split("\n")
        tried = [line.strip() for line in lines if line.startswith("  ")]
        detail = "not found. Tried: " + "; ".join(tried)
        return [Check("Microsoft's engine", FAILS, detail, lines[-1])], None, tried
    checks = [Check("Microsoft's engine", WORKS, f"version {engine.version} ({engine.file})")]
    if not os.path.exists(os.path.join(engine.folder, "symsrv.dll")):
        checks.append(
            Check(
                "symbol server",
                LIMITED,
                "symsrv.dll is not beside the engine: symbols can't be downloaded",
                "the Debugging Tools for Windows have it; System32 does not",
            )
        )
    path = os.environ.get("_NT_SYMBOL_PATH")
    checks.append(
        Check("symbol path", INFO, path)
        if path
        else Check(
            "symbol path",
            INFO,
            "_NT_SYMBOL_PATH is not set: exports and symbols beside the programs only",
            r"set it to srv*C:\symbols*https://msdl.microsoft.com/download/symbols",
        )
    )
    return checks, engine, []


def permissions() -> list[Check]:
    """Check for SeDebugPrivilege, and for Wine, which differs from Windows."""
    checks = []
    wine = _wine_version()
    if wine:
        checks.append(Check("Wine", INFO, f"this is Wine {wine}, not Windows"))
    state = _debug_privilege()
    if state is None:
        checks.append(
            Check(
                "SeDebugPrivilege",
                INFO,
                "this process does not have it: processes of its own user that are not elevated",
                "for others run it as administrator",
            )
        )
    else:
        enabled = "enabled" if state else "held, not enabled yet"
        checks.append(Check("SeDebugPrivilege", INFO, f"{enabled}: processes of every user"))
    return checks


def _wine_version() -> str:
    try:
        version: Any = ctypes.windll.ntdll.wine_get_version
    except not_from_handler(AttributeError):
        return ""
    version.restype = ctypes.c_char_p
    said: bytes = version()
    return said.decode()


class _Privilege(ctypes.Structure):
    """LUID_AND_ATTRIBUTES."""

    _fields_ = (
        ("low", ctypes.c_uint32),
        ("high", ctypes.c_int32),
        ("attributes", ctypes.c_uint32),
    )


def _debug_privilege() -> bool | None:
    """Return whether SeDebugPrivilege is enabled; None if this process does not hold it."""
    security: Any = ctypes.WinDLL("advapi32")
    kernel: Any = ctypes.WinDLL("kernel32")
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    kernel.CloseHandle.argtypes = [ctypes.c_void_p]
    security.OpenProcessToken.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p]
    security.GetTokenInformation.argtypes = [
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_void_p,
    ]
    wanted = _Privilege()
    if not security.LookupPrivilegeValueW(None, "SeDebugPrivilege", ctypes.byref(wanted)):
        return None
    token = ctypes.c_void_p()
    if not security.OpenProcessToken(kernel.GetCurrentProcess(), _TOKEN_QUERY, ctypes.byref(token)):
        return None
    try:
        buffer = ctypes.create_string_buffer(16384)
        size = ctypes.c_uint32()
        if not security.GetTokenInformation(
            token, _TOKEN_PRIVILEGES, buffer, len(buffer), ctypes.byref(size)
        ):
            return None
        count = int.from_bytes(buffer.raw[:4], sys.byteorder)
        for held in (_Privilege * count).from_buffer(buffer, 4):
            if (held.low, held.high) == (wanted.low, wanted.high):
                return bool(held.attributes & _SE_PRIVILEGE_ENABLED)
    finally:
        kernel.CloseHandle(token)
    return None
