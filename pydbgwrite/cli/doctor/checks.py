"""Check, a result of `pydbgwrite doctor`, and the checks for every platform."""

from __future__ import annotations

import os
import platform
import sys
from typing import Final, NamedTuple

from pydbgwrite import __version__, _core
from pydbgwrite._child_process import is_frozen
from pydbgwrite._extra import NEEDED, OPTIONAL, fault_of
from pydbgwrite._signal_handlers import not_from_handler

__all__ = ["FAILS", "INFO", "LIMITED", "WORKS", "Check", "of_this_python", "read_text"]

INFO: Final = "info"
WORKS: Final = "works"
LIMITED: Final = "limited"
FAILS: Final = "fails"


class Check(NamedTuple):
    """One line of the doctor's report.

    state: INFO (a plain fact), WORKS, LIMITED (works, with a limit) or FAILS. advice: what to do
    about it, or "".
    """

    name: str
    state: str
    detail: str
    advice: str = ""


def of_this_python() -> list[Check]:
    """Return the checks of the platform, the interpreter, and this package."""
    bits = 64 if sys.maxsize > 2**32 else 32
    # _core.abi3.so, on Windows _core.pyd; else the name says which Python it was made for.
    suffix = os.path.basename(_core.__file__).partition(".")[2]
    stable = suffix in ("abi3.so", "pyd")
    abi = "stable ABI of CPython 3.11" if stable else f"ABI {suffix.partition('.')[0]}"
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    where = f"in the frozen program {sys.executable}" if is_frozen() else sys.executable
    return [
        Check("platform", INFO, f"{platform.platform()}, {platform.machine()}"),
        Check(
            "Python",
            INFO,
            f"{platform.python_implementation()} {platform.python_version()}, {bits}-bit, "
            f"{'with' if gil else 'without'} the GIL ({where})",
        ),
        Check("pydbgwrite", INFO, f"{__version__}, {abi} ({_core.__file__})"),
        Check(
            "embedded engine",
            WORKS,
            f"version {__version__}, a part of pydbgwrite ({_core.__file__}): simulated memory"
            + (", live processes" if sys.platform.startswith("linux") else ""),
        ),
        *_packages(),
    ]


def _packages() -> list[Check]:
    """Return a check for each package of the [cli] extra that can't be imported."""
    faults = ((name, fault_of(name)) for name in (*NEEDED, *OPTIONAL))
    return [
        Check(name, FAILS if name in NEEDED else LIMITED, *fault)
        for name, fault in faults
        if fault is not None
    ]


def read_text(path: str) -> str:
    """Return a small file's text without the end of line; "" if it can't be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except not_from_handler(OSError):
        return ""
