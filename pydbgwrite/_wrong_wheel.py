"""What the import says where the compiled module is missing, or is for another Python or machine.

It happens where files are copied, or unpacked, and not installed: pip takes the wheel that fits.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES

from pydbgwrite._signal_handlers import not_from_handler

__all__ = ["not_loaded", "refuse_untagged"]

#: A part of sys.version.
_FREE_THREADED = "free-threading"
#: By the number of the machine in a header of ELF (62 to 183), or of a DLL.
_MACHINES = {
    3: "Linux on x86",
    62: "Linux on x86-64",
    183: "Linux on aarch64",
    0x14C: "32-bit Windows",
    0x8664: "Windows on x86-64",
    0xAA64: "Windows on arm64",
}


def refuse_untagged(module: str) -> None:
    """Raise ImportError if this Python is free-threaded, and only an abi3 module is here.

    It looks for that, by its tag (3.13t) or without one, and can't use it (PEP 703: there is no
    stable ABI). On Linux it would find no object of its own layout in it. On Windows that module is
    linked with python3.dll, which would bring a second interpreter, of the layout with a GIL, into
    this process.
    """
    if _FREE_THREADED not in sys.version:
        return
    own, folder = _own_suffixes(), os.path.dirname(__file__)
    here = [
        each for each in EXTENSION_SUFFIXES if os.path.exists(f"{folder}{os.sep}{module}{each}")
    ]
    if here and not any(each in own for each in here):
        raise ImportError(f"{module}{here[0]} is for Pythons with a GIL")


def not_loaded(module: str, error: Exception) -> ImportError:
    """Return the exception that says which such modules are here, and what Python this is."""
    import sysconfig

    folder = os.path.dirname(__file__)
    try:
        names = sorted(os.listdir(folder))
    except not_from_handler(OSError):
        names = []  # a frozen application, or a zip file
    here = [name for name in names if name.startswith(f"{module}.") and name != f"{module}.pyi"]
    found = ", ".join(f"{name} for {_machine(os.path.join(folder, name))}" for name in here)
    version = ".".join(map(str, sys.version_info[:3]))
    if _FREE_THREADED in sys.version:
        version += ", free-threaded"
    takes = ", ".join(f"{module}{suffix}" for suffix in _own_suffixes())
    return ImportError(
        f"pydbgwrite can't load its compiled module: {error}\n"
        f"{folder} has {found or 'none'}.\n"
        f"This is Python {version} for {sysconfig.get_platform()}, which looks for {takes}.\n"
        f"Its own pip takes the wheel that fits: {sys.executable} -m pip install "
        "--force-reinstall pydbgwrite (in a clone: -m pip install -e .)",
        name=getattr(error, "name", None),
        path=getattr(error, "path", None),
    )


def _own_suffixes() -> list[str]:
    """Return the ends of the names of modules that this Python can use."""
    if _FREE_THREADED not in sys.version:
        return EXTENSION_SUFFIXES
    return [each for each in EXTENSION_SUFFIXES if each not in (".abi3.so", ".so", ".pyd")]


def _machine(file: str) -> str:
    """Return the system and the machine that a compiled module was made for."""
    try:
        with open(file, "rb") as opened:
            head = opened.read(4096)
    except not_from_handler(OSError) as error:
        return f"an unknown system ({error.strerror})"
    at = 18  # ELF
    if head.startswith(b"MZ"):
        at = int.from_bytes(head[60:64], "little") + 4
    return _MACHINES.get(int.from_bytes(head[at : at + 2], "little"), "another system")
