"""The build of the extension: sources by platform, ABI lane, and switches by environment.

Switches ("1" turns on; "0", or nothing, leaves off; another value is an error):
    PYDBGWRITE_WERROR    warnings are errors; CI sets it, an installing user's compiler never fails
    PYDBGWRITE_SANITIZE  build with the address and undefined-behaviour sanitizers
    PYDBGWRITE_COVERAGE  build for gcov
    PYDBGWRITE_PEDANTIC  clang: also -pedantic -Wgnu
"""

from __future__ import annotations

import gzip
import os
import runpy
import sysconfig
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

# The platform of the target, which in a cross-build is not the platform that builds.
PLATFORM = sysconfig.get_platform()
WINDOWS = PLATFORM.startswith("win")
LINUX = PLATFORM.startswith("linux")
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

SOURCE_FOLDERS = ("base", "com", "core", "engines", "python")
# A folder, or a file, with one of these names is only for that platform.
FOR_PLATFORM = {"linux": LINUX, "dbgeng": WINDOWS}
# MSVC: headers in <> belong to others. Of its warnings at level 4, these are about code that C or
# CPython's API requires:
MSVC_EXEMPT = [
    *("/external:anglebrackets", "/external:W0"),
    *("/wd4054", "/wd4055"),  # functions as void *: CPython's slots hold them so
    "/wd4127",  # a condition that is constant: sizeof(void *)
    *("/wd4204", "/wd4221"),  # initialisers that are not constants, which C allows since C99
]
GCC_WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wvla", "-Wmissing-prototypes"]


def switched_on(name: str) -> bool:
    """Return whether this environment switch is on."""
    value = os.environ.get(f"PYDBGWRITE_{name}", "")
    if value not in ("", "0", "1"):
        raise SystemExit(f"PYDBGWRITE_{name} is {value!r}: 1 turns it on, 0 turns it off")
    return value == "1"


def is_for_this_platform(path: Path) -> bool:
    """Can this C file be compiled for the target platform?"""
    return all(FOR_PLATFORM.get(name, True) for name in (*path.parent.parts, path.stem))


def sources() -> list[str]:
    """Return the C files of this platform, in a fixed order; write their generated header."""
    make = runpy.run_path("csrc/python/make_docstrings.py")
    make["write_header"](Path("pydbgwrite/_core.pyi"), Path("csrc/python/docstrings.h"))
    found = sorted(path for part in SOURCE_FOLDERS for path in Path("csrc", part).rglob("*.c"))
    return [path.as_posix() for path in found if is_for_this_platform(path)]


class BuildExtension(build_ext):
    """Sets compiler flags, which depend on the compiler that setuptools finds."""

    def build_extensions(self) -> None:
        """Add the flags, then build."""
        link_flags: list[str] = []
        if self.compiler.compiler_type == "msvc":
            # /Brepro: no times in objects and modules, so that they are the same to the byte.
            compile_flags = ["/std:c11", "/W4", "/Brepro", *MSVC_EXEMPT]
            link_flags.append("/Brepro")
            if switched_on("WERROR"):
                compile_flags.append("/WX")
        else:
            compile_flags = ["-std=c11", "-O3", "-fvisibility=hidden", *GCC_WARNINGS]
            # The module is the same to the byte wherever it is built.
            compile_flags.append(f"-fdebug-prefix-map={Path.cwd()}=.")
            if switched_on("WERROR"):
                compile_flags.append("-Werror")
            if switched_on("PEDANTIC"):
                compile_flags += ["-pedantic", "-Wgnu"]
            if LINUX:
                compile_flags.append("-pthread")
                link_flags.append("-pthread")
            if switched_on("SANITIZE"):
                sanitize = ["-fsanitize=address,undefined", "-fno-omit-frame-pointer", "-g", "-O1"]
                # Asserts are for these builds: Python's own flags leave them out.
                compile_flags += [*sanitize, "-fno-sanitize-recover=undefined", "-UNDEBUG"]
                link_flags.append("-fsanitize=address,undefined")
            if switched_on("COVERAGE"):
                compile_flags += ["--coverage", "-O0"]
                link_flags.append("--coverage")
        for extension in self.extensions:
            extension.extra_compile_args = [*compile_flags, *extension.extra_compile_args]
            extension.extra_link_args = [*link_flags, *extension.extra_link_args]
        self.rebuild_where_flags_changed([*compile_flags, *link_flags])
        self.compile_side_by_side()
        super().build_extensions()

    def compile_side_by_side(self) -> None:
        """Compile on all processors: setuptools compiles the files of an extension in turn."""
        compile_files = self.compiler.compile

        def compile_all(sources: list[str], **options: Any) -> list[str]:
            # The first call finds the compiler (MSVC) and must be alone. The order stays, so that
            # the module is the same to the byte.
            first, *rest = ([source] for source in sources)
            objects: list[str] = compile_files(first, **options)
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                for made in pool.map(lambda one: compile_files(one, **options), rest):
                    objects += made
            return objects

        self.compiler.compile = compile_all

    def rebuild_where_flags_changed(self, flags: list[str]) -> None:
        """Rebuild all after a switch or the compiler has changed: setuptools checks only files."""
        told = " ".join([*getattr(self.compiler, "compiler_so", []), *flags])
        stamp = Path(self.build_temp, "flags.txt")
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != told:
            self.force = True
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.write_text(told, encoding="utf-8")


class SourceArchive(sdist):
    """Makes the sdist of the same files the same to the byte, if SOURCE_DATE_EPOCH is set.

    setuptools archives the owner, the mode and the time of each file as they are on the disk.
    """

    def make_archive(
        self,
        base_name: Any,
        format: str,
        root_dir: Any = None,
        base_dir: Any = None,
        *_: Any,
        **__: Any,
    ) -> str:
        """Write a tar archive packed by gzip, the one format of an sdist (PEP 625)."""
        if format != "gztar":
            raise SystemExit(f"an sdist is a .tar.gz file (gztar), not {format}")
        epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())

        def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mode = 0o755 if entry.mode & 0o100 else 0o644
            entry.mtime = epoch
            return entry

        name = f"{base_name}.tar.gz"
        self.mkpath(str(Path(name).parent))
        with (
            gzip.GzipFile(name, "wb", mtime=epoch) as packed,
            tarfile.open(fileobj=packed, mode="w") as archive,
        ):
            archive.add(base_dir, filter=anonymous)  # in the order of the names
        return name


# Free-threaded builds have no Limited API (docs.python.org, "Python support for free threading").
LIMITED = not FREE_THREADED
MACROS: list[tuple[str, str | None]] = [("Py_LIMITED_API", "0x030B0000")] if LIMITED else []
if FREE_THREADED and WINDOWS:  # both builds share a pyconfig.h there, which does not define it
    MACROS = [("Py_GIL_DISABLED", "1")]

if __name__ == "__main__":
    os.umask(0o022)  # the modes of the files in a wheel
    setup(
        ext_modules=[
            Extension(
                "pydbgwrite._core",
                sources=sources(),
                depends=sorted(path.as_posix() for path in Path("csrc").rglob("*.h")),
                libraries=["version"] if WINDOWS else [],  # GetFileVersionInfoW
                define_macros=MACROS,
                py_limited_api=LIMITED,
            ),
            Extension(
                "pydbgwrite._demo_target",
                sources=["csrc/demo/demo_target.c"],
                define_macros=MACROS,
                py_limited_api=LIMITED,
            ),
        ],
        cmdclass={"build_ext": BuildExtension, "sdist": SourceArchive},
        options={"bdist_wheel": {"py_limited_api": "cp311"}} if LIMITED else {},
    )
