"""What the import says where the compiled module is missing, or is for another Python or machine.

It happens where files are copied, or unpacked, and not installed: pip takes the wheel that fits.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES

from pydbgwrite._signal_handlers import not_from_handler

__all__ = ["not_loaded", "refuse_untagged"]

#: By the number of the machine in a header of ELF (62 to 183), or of a DLL.
_MACHINES = {
    3: "Linux on x86",
    62: "Linux on x86-64",
    183: "Linux on aarch64",
    0x14C: "32-bit Windows",
    0x8664: "Windows on x86-64",
    0xAA64: "Windows on arm64",
}


def refuse_untagged() -> None:
    """Raise ImportError if a free-threaded Python on Windows would load a module without a tag.

    It looks for that name, too, which is that of the abi3 module. That is linked with python3.dll,
    which would bring a second interpreter, of the layout with a GIL, into this process.
    """
    folder = os.path.dirname(__file__)
    *tagged, untagged = (os.path.join(folder, f"_core{suffix}") for suffix in EXTENSION_SUFFIXES)
    if os.path.exists(untagged) and not any(map(os.path.exists, tagged)):
        raise not_loaded(ImportError("_core.pyd is for Pythons with a GIL"))


def not_loaded(error: Exception) -> ImportError:
    """Return the exception that says which compiled modules are here, and what Python this is."""
    folder = os.path.dirname(__file__)
    try:
        names = sorted(os.listdir(folder))
    except not_from_handler(OSError):
        names = []  # a frozen application, or a zip file
    here = [name for name in names if name.startswith("_core.") and name != "_core.pyi"]
    found = ", ".join(f"{name} for {_machine(os.path.join(folder, name))}" for name in here)
    version = ".".join(map(str, sys.version_info[:3]))
    suffixes = EXTENSION_SUFFIXES
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        version += ", free-threaded"
        # It looks for abi3's too (3.13t; on Windows each one), and can't use it (PEP 703: there is
        # no stable ABI).
        suffixes = [each for each in suffixes if "abi3" not in each and each != ".pyd"]
    takes = ", ".join(f"_core{suffix}" for suffix in suffixes)
    return ImportError(
        f"pydbgwrite can't load its compiled module: {error}\n"
        f"{folder} has {found or 'none'}.\n"
        f"This is Python {version} for {sysconfig.get_platform()}, which looks for {takes}.\n"
        f"Its own pip takes the wheel that fits: {sys.executable} -m pip install "
        "--force-reinstall pydbgwrite (in a clone: -m pip install -e .)",
        name=getattr(error, "name", None),
        path=getattr(error, "path", None),
    )


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
