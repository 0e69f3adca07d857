"""Links the modules of the abi3 wheels for Windows, whole, with zig; checks what they hold.

    python .ci/windows_modules.py HEADERS WORK

Runs in the project's folder. It needs ziglang, abi3info and setuptools, and CPython's headers with
the pyconfig.h of Windows (HEADERS); all that it makes is in WORK. Debian has no linker for Windows
on arm64, and zig has one for each machine. The modules are linked with a python3.dll that has only
the names of the stable ABI: any other name of CPython's is an error.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from abi3info import DATAS, FUNCTIONS

MODULES = ("_core", "_demo_target")
OLDEST = (3, 11)
LIBRARIES = ("python3.dll", "kernel32.dll", "version.dll")
C_RUNTIME = "api-ms-win-crt-"  # the parts of Windows' own, ucrtbase.dll


@dataclass(frozen=True)
class Machine:
    """Its names for setuptools, zig and dlltool; its number is of "PE Format"."""

    platform: str
    target: str
    dlltool: str
    number: int


MACHINES = (
    Machine("win-arm64", "aarch64-windows-gnu", "arm64", 0xAA64),
    Machine("win32", "x86-windows-gnu", "i386", 0x014C),
    Machine("win-amd64", "x86_64-windows-gnu", "i386:x86-64", 0x8664),
)


def stable_names() -> list[str]:
    """Return the names of the stable ABI of the oldest CPython, as lines of a .def file."""
    names = []
    for kind, symbols in (("", FUNCTIONS), (" DATA", DATAS)):
        for symbol, entry in symbols.items():
            if (entry.added.major, entry.added.minor) <= OLDEST:
                names.append(f"{symbol.name}{kind}")
    return names


def link(machine: Machine, headers: Path, work: Path) -> Path:
    """Build the modules by the project's own setup.py; return their folder."""
    folder = work / machine.platform
    folder.mkdir(parents=True)
    definition = folder / "python3.def"
    definition.write_text("\n".join(["LIBRARY python3.dll", "EXPORTS", *stable_names()]) + "\n")
    zig = f"{sys.executable} -m ziglang"
    cache = str(work / "zig")
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
    library = ("-d", definition, "-l", folder / "libpython3.a")
    subprocess.run(
        [*zig.split(), "dlltool", "-m", machine.dlltool, *library], env=environment, check=True
    )
    compiler = f"{zig} cc -target {machine.target}"
    environment |= {
        "_PYTHON_HOST_PLATFORM": machine.platform,
        "PYDBGWRITE_LANE_BUILDER": "".join(map(str, OLDEST)),  # read by cross_setup.py
        "PYDBGWRITE_WERROR": "1",
        "CC": compiler,
        "LDSHARED": f"{compiler} -shared -s",
        "CFLAGS": f"-I{headers} -DNDEBUG",
        "LDFLAGS": "",
    }
    build = ("tests/windows/cross_setup.py", "-q", "build_ext")
    linked = ("--libraries", "python3", "--library-dirs", folder)
    places = ("--build-temp", folder / "build", "--build-lib", folder / "modules")
    subprocess.run([sys.executable, *build, *linked, *places], env=environment, check=True)
    return folder / "modules" / "pydbgwrite"


@dataclass(frozen=True)
class Library:
    """What a DLL's headers and directories say; the layout is that of "PE Format"."""

    machine: int
    exports: list[str]
    imports: list[str]


def read(data: bytes) -> Library:
    """Read a DLL."""
    (start,) = struct.unpack_from("<I", data, 0x3C)
    assert data[start : start + 4] == b"PE\0\0"
    machine, count = struct.unpack_from("<2H", data, start + 4)
    (size,) = struct.unpack_from("<H", data, start + 20)
    optional = start + 24
    (magic,) = struct.unpack_from("<H", data, optional)
    directories = optional + (112 if magic == 0x20B else 96)
    sections = [struct.unpack_from("<4I", data, optional + size + 40 * i + 8) for i in range(count)]

    def offset(address: int) -> int:
        for length, base, _, file in sections:
            if base <= address < base + length:
                return int(file + address - base)
        raise ValueError(f"address {address:#x} is in no section")

    def text(address: int) -> str:
        begin = offset(address)
        return data[begin : data.index(b"\0", begin)].decode("ascii")

    export, _, imported = struct.unpack_from("<3I", data, directories)
    exported, _, table = struct.unpack_from("<3I", data, offset(export) + 24)
    names = struct.unpack_from(f"<{exported}I", data, offset(table))
    imports: list[str] = []
    place = offset(imported) if imported else 0
    while imported and (name := struct.unpack_from("<I", data, place + 12)[0]):
        imports.append(text(name).lower())
        place += 20
    return Library(machine, [text(each) for each in names], imports)


def faults(module: str, library: Library, machine: Machine) -> list[str]:
    """Return what is wrong with a module; nothing, if it is as it must be."""
    found = []
    if library.machine != machine.number:
        found.append(f"it is for machine {library.machine:#x}, not {machine.number:#x}")
    if library.exports != [f"PyInit_{module}"]:
        found.append(f"it exports {library.exports}")
    if "python3.dll" not in library.imports:
        found.append("it does not import python3.dll")
    if strange := [
        name for name in library.imports if name not in LIBRARIES and not name.startswith(C_RUNTIME)
    ]:
        found.append(f"it imports {', '.join(strange)}")
    return found


def main() -> int:
    """Link and check the modules for each machine; print a line for each."""
    headers, work = map(Path, sys.argv[1:])
    bad = 0
    for machine in MACHINES:
        folder = link(machine, headers, work)
        for module in MODULES:
            data = (folder / f"{module}.pyd").read_bytes()
            wrong = faults(module, read(data), machine)
            said = "; ".join(wrong) or f"{len(data)} bytes, exports and imports as they must be"
            print(f"{machine.platform}, {module}.pyd: {said}", flush=True)
            bad += bool(wrong)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
