"""The cross compiler of the Windows lane: programs, import libraries and forwarding libraries."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lane_cache import HERE, LaneError, call, find_tool

#: By the width of the programs that they make: the compiler's triplet and its Debian package.
TRIPLETS = {64: "x86_64-w64-mingw32", 32: "i686-w64-mingw32"}
PACKAGES = {64: "gcc-mingw-w64-x86-64", 32: "gcc-mingw-w64-i686"}
SOURCES = tuple(HERE / name for name in ("python_main.c", "forwarder.c"))
OWN_WARNINGS = ("-Wall", "-Wextra", "-Wshadow", "-Wvla", "-Wmissing-prototypes", "-Werror")


def tool(name: str, bits: int = 64) -> str:
    """Return the path of a cross tool: gcc, ld, dlltool, objdump, strip."""
    return find_tool(f"{TRIPLETS[bits]}-{name}", PACKAGES[bits])


def compiler(bits: int = 64) -> tuple[str, str]:
    """Return the cross compiler and the line with its version."""
    gcc = tool("gcc", bits)
    return gcc, call([gcc, "--version"], what="asking the compiler its version").splitlines()[0]


@contextmanager
def _scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp())
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def exports(library: Path) -> list[str]:
    """Return the names of the Python C API that a python3XY.dll exports."""
    text = call([tool("objdump"), "-p", library], what=f"reading the exports of {library.name}")
    _, found, table = text.partition("[Ordinal/Name Pointer] Table")
    names = re.findall(r"^\s+\[ *\d+\].*?\b(_?Py\w+)\s*$", table, flags=re.MULTILINE)
    if not found or len(names) < 500:
        raise LaneError(f"{library} is no Python DLL: {len(names)} exports of the C API")
    return names


def imports(library: Path) -> list[str]:
    """Return the libraries that a Windows binary imports, in lower case."""
    text = call([tool("objdump"), "-p", library], what=f"reading the imports of {library.name}")
    return sorted(name.lower() for name in re.findall(r"DLL Name: (\S+)", text))


def import_library(archive: Path, dll: str, names: Sequence[str], bits: int = 64) -> Path:
    """Make an import library for names of a DLL.

    On 32-bit Windows the linker's names of system functions carry the size of their arguments, as
    in ExitProcess@4; the DLL's names do not.
    """
    with _scratch() as folder:
        definition = folder / "names.def"
        definition.write_text("\n".join([f"LIBRARY {dll}", "EXPORTS", *names]) + "\n")
        command: list[str | Path] = [tool("dlltool", bits), "--kill-at"]
        command += ["-d", definition, "-l", archive]
        call(command, what=f"making the import library of {dll}")
    return archive


def forwarding_dll(folder: Path, tag: str, bits: int) -> None:
    """Make python3.dll for python3XY.dll beside it: it forwards every name of the C API.

    The official python3.dll exports only the stable ABI. Py_LIMITED_API and abi3audit check that
    an extension uses no other names; this library only has to find the names.
    """
    own = f"python{tag}"
    names = exports(folder / f"{own}.dll")
    with _scratch() as scratch:
        definition = scratch / "python3.def"
        lines = ["LIBRARY python3.dll", "EXPORTS", *(f"{name} = {own}.{name}" for name in names)]
        definition.write_text("\n".join(lines) + "\n")
        flags = [*OWN_WARNINGS, "-O2", "-shared", "-nostdlib", "-s"]
        if bits == 32:
            flags.append("-Wl,-e,_DllMainCRTStartup@12")
        linked: list[str | Path] = [tool("gcc", bits), *flags, SOURCES[1], definition]
        call([*linked, "-o", folder / "python3.dll"], what="linking python3.dll")


def python_program(target: Path, tag: str, bits: int) -> None:
    """Make python.exe, for either width."""
    wide = bits == 64
    needed = {
        f"python{tag}.dll": ["Py_Main"],
        "kernel32.dll": ["ExitProcess" if wide else "ExitProcess@4"],
        "ucrtbase.dll": ["_configure_wide_argv", "__p___argc", "__p___wargv"],
    }
    with _scratch() as scratch:
        libraries = [
            import_library(scratch / f"{dll}.a", dll, names, bits) for dll, names in needed.items()
        ]
        code = scratch / "python_main.o"
        flags = [*OWN_WARNINGS, "-O2"]
        compiled: list[str | Path] = [tool("gcc", bits), *flags, "-c", SOURCES[0], "-o", code]
        call(compiled, what="compiling python.exe")
        linked: list[str | Path] = [tool("ld", bits), "-e", "start" if wide else "_start"]
        linked += ["--subsystem", "console", code, *libraries, "-o", target]
        call(linked, what="linking python.exe")
