"""A package whose compiled module is missing, or is for another Python or machine.

pip takes the wheel that fits: such a package was copied, or unpacked by hand.
"""

from __future__ import annotations

import ast
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest
from support.libraries import shared_library

import pydbgwrite
from pydbgwrite import _core

MACHINE = platform.machine().replace("_", "-")
#: A name that this Python looks for.
NAME = f"_core{EXTENSION_SUFFIXES[0]}"


def elf(machine: int) -> bytes:
    """Return the header of a library for a 64-bit Linux (elf(5))."""
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + b"\x03\0" + machine.to_bytes(2, "little")
    return header + b"\x01\0\0\0" + bytes(40)


def dll(machine: int) -> bytes:
    """Return the headers of a DLL (PE format, "MS-DOS Stub" and "COFF File Header")."""
    return (
        b"MZ".ljust(60, b"\0")
        + b"\x80\0\0\0"
        + bytes(64)
        + b"PE\0\0"
        + machine.to_bytes(2, "little")
    )


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        ("", b"", "none"),
        (NAME, elf(40), f"{NAME} for another system"),
        (NAME, elf(183)[:30], f"{NAME} for Linux on aarch64"),
        (NAME, dll(0xAA64), f"{NAME} for Windows on arm64"),
        (NAME, b"", f"{NAME} for another system"),
        (NAME, None, f"{NAME} for an unknown system"),
        ("_core.other.pyd", dll(0x8664), "_core.other.pyd for Windows on x86-64"),
        ("_core.cpython-399-x.so", elf(62), "_core.cpython-399-x.so for Linux on x86-64"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_import_says_what_is_wrong(
    name: str, data: bytes | None, found: str, tmp_path: Path
) -> None:
    """It says what is there, what this Python takes, what to do. None: a folder has the name."""
    package = tmp_path / "pydbgwrite"
    compiled = shutil.ignore_patterns("__pycache__", "_core.*[!i]")
    shutil.copytree(Path(pydbgwrite.__file__).parent, package, ignore=compiled)
    if data is None:
        (package / name).mkdir()
    elif name:
        (package / name).write_bytes(data)
    # -S: the finder of an editable install would find the compiled module elsewhere.
    code = "import sys; sys.path.insert(0, sys.argv[1]); import pydbgwrite"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    said = done.stderr.partition("\nImportError: ")[2].splitlines()
    assert done.returncode == 1
    assert said[0].startswith("pydbgwrite can't load its compiled module: ")
    assert len(said[0]) > 60  # with the reason that the loader gives
    assert said[1].startswith(f"{package} has {found}")
    version = ".".join(map(str, sys.version_info[:3]))
    assert said[2].startswith(f"This is Python {version}")
    assert f" for {sysconfig.get_platform()}, " in said[2] and NAME in said[2]
    assert f"{os.sep}{Path(sys.executable).name} -m pip install --force-reinstall" in said[3]
    assert len(said) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="needs POSIX libraries of another kind")
def test_a_module_of_another_kind(tmp_path: Path) -> None:
    """A free-threaded 3.13 loads an abi3 module, in which it finds no object of its own layout."""
    package = tmp_path / "pydbgwrite"
    compiled = shutil.ignore_patterns("__pycache__", "_core.*[!i]")
    shutil.copytree(Path(pydbgwrite.__file__).parent, package, ignore=compiled)
    shared_library(
        package / NAME, "static long other[64]; void *PyInit__core(void) { return other; }"
    )
    code = "import sys; sys.path.insert(0, sys.argv[1]); import pydbgwrite"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    said = done.stderr.partition("\nImportError: ")[2].splitlines()
    assert said[0].startswith("pydbgwrite can't load its compiled module: ")
    assert "PyInit" in said[0] or "init function of _core" in said[0]
    assert said[1] == f"{package} has {NAME} for Linux on {MACHINE}."


# Stands in for a free-threaded Python: what it calls itself, and the names that it looks for.
FREE_THREADED = """
import sys
from importlib import machinery
sys.version += " free-threading build"
tag = ".cp313t-win_amd64.pyd" if sys.platform == "win32" else ".cpython-313t-x86_64-linux-gnu.so"
machinery.EXTENSION_SUFFIXES[:] = [tag, ".abi3.so", ".so", ".pyd"]
sys.path.insert(0, sys.argv[1])
import pydbgwrite
"""


@pytest.mark.parametrize("suffix", [".abi3.so", ".so", ".pyd"])
def test_a_module_for_pythons_with_a_gil(suffix: str, tmp_path: Path) -> None:
    """A free-threaded Python looks for some of these names: the module is not even loaded."""
    package = tmp_path / "pydbgwrite"
    compiled = shutil.ignore_patterns("__pycache__", "_core.*[!i]")
    shutil.copytree(Path(pydbgwrite.__file__).parent, package, ignore=compiled)
    shutil.copyfile(_core.__file__, package / f"_core{suffix}")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", FREE_THREADED, str(tmp_path)],
        capture_output=True,
        text=True,
    )
    said = done.stderr.partition("\nImportError: ")[2].splitlines()
    assert said[0] == (
        f"pydbgwrite can't load its compiled module: _core{suffix} is for Pythons with a GIL"
    )
    assert said[1].startswith(f"{package} has _core{suffix} for ")
    assert ", free-threaded for " in said[2] and "313t" in said[2]
    assert said[2].count("_core") == 1  # the only name of a module that it can use
    assert "--force-reinstall" in said[3]


def test_a_wrong_module_of_the_demo(tmp_path: Path) -> None:
    """The package itself works; the demo names the module, as the import does its own."""
    package = tmp_path / "pydbgwrite"
    compiled = shutil.ignore_patterns("__pycache__", "_demo_target.*[!i]")
    shutil.copytree(Path(pydbgwrite.__file__).parent, package, ignore=compiled)
    name = NAME.replace("_core", "_demo_target")
    (package / name).write_bytes(elf(183) + bytes(4096))
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pydbgwrite.__main__ import main; sys.exit(main(['demo', '--pointers', '1']))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    said = done.stderr.splitlines()
    assert done.returncode == 3
    assert said[0].startswith("pydbgwrite: pydbgwrite can't load its compiled module: ")
    assert said[1] == f"{package} has {name} for Linux on aarch64."
    assert said[2].endswith(f"{name}.") or f"{name}, " in said[2]
    assert "--force-reinstall" in said[3] and len(said) == 4


def test_a_package_in_a_zip_file(tmp_path: Path) -> None:
    """Python loads no compiled module from it."""
    package = tmp_path / "files" / "pydbgwrite"
    without = shutil.ignore_patterns("__pycache__", "_core.*")
    shutil.copytree(Path(pydbgwrite.__file__).parent, package, ignore=without)
    archive = shutil.make_archive(str(tmp_path / "x"), "zip", package.parent)
    code = "import sys; sys.path.insert(0, sys.argv[1]); import pydbgwrite"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, archive], capture_output=True, text=True
    )
    said = done.stderr.partition("\nImportError: ")[2].splitlines()
    assert said[0].startswith("pydbgwrite can't load its compiled module: ")
    assert said[1] == f"{Path(archive) / 'pydbgwrite'} has none."


def test_an_older_python_imports_nothing(tmp_path: Path) -> None:
    """3.6 to 3.10 load the abi3 module, or fail in it: the version is looked at before it."""
    package = tmp_path / "pydbgwrite"
    package.mkdir()
    initial = Path(pydbgwrite.__file__).read_bytes()
    (package / "__init__.py").write_bytes(initial)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "sys.version_info, sys.hexversion = (3, 10, 13, 'final', 0), 0x030A0DF0\n"
        "import pydbgwrite"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1] == (
        "ImportError: This is Python 3.10.13; pydbgwrite needs 3.11 or later. Such a Python's own "
        "pip installs it: python3.11 -m pip install pydbgwrite (in a clone: -m pip install -e .)"
    )
    assert metadata.metadata("pydbgwrite")["Requires-Python"] == ">=3.11"
    # Those Pythons can compile it.
    ast.parse(initial, feature_version=(3, 7))
    assert b"import annotations\n" not in initial
