"""Search for Microsoft's engine, and the error message if it is not found.

Only absolute folders, in this order: the `engine=` argument; the environment variable
PYDBGWRITE_DBGENG; the Debugging Tools of the Windows SDK (the registry's KitsRoot10, in both of its
views); Windows' own System32. If a folder is named and has no engine, that is an error: the search
continues only if no folder was named. Never the current folder, never PATH.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING, NamedTuple

from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import DebugEngineError, EngineNotFoundError

if TYPE_CHECKING:
    from _typeshed import StrPath

__all__ = ["ENVIRONMENT", "EngineInfo", "candidates", "engine_at", "load_engine", "loaded_engine"]

#: Names the folder that holds dbgeng.dll.
ENVIRONMENT = "PYDBGWRITE_DBGENG"

# The SDK's folder names, by sysconfig's platform of this Python.
_SDK_FOLDERS = {"win-amd64": "x64", "win32": "x86", "win-arm64": "arm64"}
_MACHINES = {
    0x014C: "32-bit x86",
    0x8664: "64-bit x86 (x64)",
    0xAA64: "64-bit Arm (arm64)",
    0x01C4: "32-bit Arm",
}


class EngineInfo(NamedTuple):
    """The engine behind a session.

    Attributes:
        name: "dbgeng" (Microsoft's) or "embedded" (this package's own); "other" for an engine of
            wrap() that is neither.
        file: The library that the engine is in.
        version: That library's version.
        folder: That library's folder.
    """

    name: str
    file: str
    version: str
    folder: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.file})"


EngineInfo.__module__ = "pydbgwrite"


class Candidate(NamedTuple):
    """A folder to try, and its source."""

    origin: str
    folder: str


def candidates(engine: StrPath | None = None) -> list[Candidate]:
    """Return the folders to search for the engine, in order, as absolute paths."""
    if engine is not None:
        return [Candidate("the engine argument", os.fspath(engine))]
    named = os.environ.get(ENVIRONMENT)
    if named:
        return [Candidate(f"the environment variable {ENVIRONMENT}", named)]
    found = [Candidate("the Windows SDK's Debugging Tools", folder) for folder in _sdk_folders()]
    system = _system_folder()
    if system:
        found.append(Candidate("Windows itself", system))
    return found


def loaded_engine() -> EngineInfo | None:
    """Return the engine that this process has loaded, or None."""
    if sys.platform != "win32":
        raise EngineNotFoundError("Microsoft's engine is for Windows")
    from pydbgwrite import _core

    loaded = _core.dbgeng_loaded()
    if loaded is None:
        return None
    file, version = loaded
    return EngineInfo("dbgeng", file, ".".join(map(str, version)), _folder_of(file))


def engine_at(code: int) -> EngineInfo:
    """Return the engine whose code is at an address of this process."""
    file, version = "", ""
    if sys.platform == "win32":
        from pydbgwrite import _core

        found = _core.dbgeng_file_of(code)
        if found is not None:
            file, version = found[0], ".".join(map(str, found[1]))
    elif sys.platform.startswith("linux"):
        with open("/proc/self/maps", "rb") as maps:  # proc_pid_maps(5)
            for line in maps:
                start, end = (int(each, 16) for each in line.split(b" ", 1)[0].split(b"-"))
                if start <= code < end:
                    path = line.split(None, 5)[5:]
                    file = os.fsdecode(path[0].strip()) if path else ""
    name = "dbgeng" if file.lower().endswith("\\dbgeng.dll") else "other"
    return EngineInfo(name, file, version, os.path.dirname(file))


def load_engine(engine: StrPath | None = None) -> EngineInfo:
    """Load the engine, unless this process has loaded it, and return its description.

    Raises EngineNotFoundError, which names every folder tried and its fault.
    """
    if sys.platform != "win32":
        raise EngineNotFoundError("Microsoft's engine is for Windows")
    from pydbgwrite import _core

    if engine is None:
        loaded = loaded_engine()
        if loaded is not None:
            return loaded
    tried = []
    for origin, folder in candidates(engine):
        failure, os_error, machine, own_machine, file, mixed = _core.dbgeng_load(folder)
        if failure == "ok":
            if mixed:
                warnings.warn(_mixed(file, mixed), RuntimeWarning, stacklevel=4)
            found = loaded_engine()
            if found is None:
                raise DebugEngineError("the engine was loaded, but is not in the list of modules")
            return found
        what = _what_was_wrong(failure, os_error, machine, own_machine, file)
        if mixed:
            what += f". {_mixed(file, mixed)}"
        tried.append(f"  {folder} ({origin}): {what}")
    if not tried:
        tried.append("  no folder: neither the Windows SDK nor System32 was found")
    raise EngineNotFoundError(
        "Microsoft's debugger engine (dbgeng.dll) could not be loaded. Tried:\n"
        + "\n".join(tried)
        + "\nInstall the Debugging Tools for Windows (part of the Windows SDK), or name a folder "
        f"with {IN_FORCE.get().argument('engine')} or {ENVIRONMENT}"
    )


def _folder_of(file: str) -> str:
    return file.rpartition("\\")[0]


def _mixed(file: str, mixed: list[str]) -> str:
    """Return the message if parts of two engines are loaded in one process."""
    return (
        f"{', '.join(mixed)} was loaded before, by other code in this process, and is used instead "
        f"of the file beside {file}: parts of two versions may not fit. Open the session before "
        f"that code runs, or pass its folder as {IN_FORCE.get().argument('engine')}"
    )


def _what_was_wrong(failure: str, os_error: int, machine: int, own_machine: int, file: str) -> str:
    system = _system_message(os_error)
    if failure == "path":
        return "not an absolute path with a drive or server, such as C:\\Debuggers\\x64"
    if failure == "folder":
        return f"no such folder ({system})"
    if failure == "file":
        return f"no {file} ({system})" if os_error == 2 else f"{file} can't be opened: {system}"
    if failure == "program":
        return f"{file} is not a DLL: empty, truncated, or another kind of file"
    if failure == "bitness":
        made_for, own = (
            _MACHINES.get(each, f"machine 0x{each:x}") for each in (machine, own_machine)
        )
        return f"{file} is for {made_for}, and this Python for {own}: they must be the same"
    if failure == "function":
        return f"{file} has no function DebugCreate: it is not the debugger engine"
    if failure == "other":
        return (
            f"this process already has the engine {file}, and can have only one: pass that "
            "folder, or start a new process"
        )
    return f"{file} could not be loaded: {system}"


def _system_message(number: int) -> str:
    if not number:
        return "no reason given"
    if sys.platform == "win32":
        import ctypes

        return f"error {number}: {ctypes.FormatError(number)}"
    return f"error {number}"


def _sdk_folders() -> list[str]:
    r"""Return the Debuggers folders of the SDKs in the registry, for this Python's platform.

    KitsRoot10 under Microsoft\\Windows Kits\\Installed Roots: installers write it in the 64-bit
    view of the registry, in the 32-bit one, or in both.
    """
    if sys.platform != "win32":
        return []
    import sysconfig
    import winreg

    kind = _SDK_FOLDERS.get(sysconfig.get_platform(), "x64")
    found: list[str] = []
    for view in (winreg.KEY_WOW64_64KEY, winreg.KEY_WOW64_32KEY):
        try:
            with winreg.OpenKey(
                winreg.HKEY_LOCAL_MACHINE,
                r"SOFTWARE\Microsoft\Windows Kits\Installed Roots",
                access=winreg.KEY_READ | view,
            ) as key:
                root, _kind = winreg.QueryValueEx(key, "KitsRoot10")
        except not_from_handler(OSError):
            continue
        folder = os.path.join(str(root), "Debuggers", kind)
        if folder not in found:
            found.append(folder)
    return found


def _system_folder() -> str:
    """Return System32 (GetSystemDirectoryW)."""
    if sys.platform != "win32":
        return ""
    import ctypes

    text = ctypes.create_unicode_buffer(1024)
    length = ctypes.windll.kernel32.GetSystemDirectoryW(text, len(text))
    return text.value if 0 < length < len(text) else ""
