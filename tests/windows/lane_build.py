"""The extension for Windows, built on Linux: cross build, abi3 wheel, installation.

The project's own setup.py does the build; the environment selects a cross build. The result is
checked: the wheel's tag, and the libraries that the module imports.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import sys
import zipfile
from pathlib import Path

from lane_cache import (
    HERE,
    ROOT,
    Cache,
    LaneError,
    call,
    digest_of_files,
    fetch,
    note,
    package_sources,
)
from lane_library import cpython
from lane_parts import PYTHON, WindowsPython
from lane_toolchain import compiler, exports, import_library, imports

RECIPE = 1
BUILD_PACKAGES = ("setuptools==84.2.1",)
ABI_TAG = "cp311-abi3"
WARNINGS = "-Wall -Wextra -Wshadow -Wvla -Wmissing-prototypes -Werror"
SOURCE_FILES = ("setup.py", "pyproject.toml", "setup.cfg", "MANIFEST.in", "README.md", "LICENSE")
OWN_FILES = ("cross_setup.py", "lane_build.py", "lane_toolchain.py", "pyconfig.h")
SYSTEM_LIBRARIES = frozenset(
    {"kernel32.dll", "msvcrt.dll", "advapi32.dll", "ole32.dll", "oleaut32.dll"}
    | {"user32.dll", "version.dll", "shlwapi.dll", "ntdll.dll", "ws2_32.dll", "shell32.dll"}
)


def _tools(cache: Cache) -> Path:
    """Return a folder with setuptools and wheel, separate from the packages of this machine."""

    def make(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command: list[str | Path] = [*pip, "--no-deps", "--target", folder, *BUILD_PACKAGES]
        fetch(command, what="fetching setuptools", clear=folder)

    return cache.part("build-tools", [RECIPE, BUILD_PACKAGES, sys.version], make)


def _cross_parts(cache: Cache, builder: WindowsPython, python: Path) -> Path:
    """Return CPython's headers, with Windows' pyconfig.h, and the import library of its DLL."""
    _, headers = cpython(cache, builder.numbers)
    if not (headers / "Python.h").is_file():
        raise LaneError(
            f"the headers of CPython {builder.numbers} are missing: no {headers / 'Python.h'}."
            f" Install them: apt-get install python{builder.numbers}-dev"
        )

    def make(folder: Path) -> None:
        shutil.copytree(headers, folder / "include")
        shutil.copy(HERE / "pyconfig.h", folder / "include" / "pyconfig.h")
        names = exports(python / f"python{builder.tag}.dll")
        (folder / "lib").mkdir()
        name = _python_library(builder)
        import_library(folder / "lib" / f"lib{name}.a", f"{name}.dll", names, builder.bits)

    own = digest_of_files([HERE / "pyconfig.h", HERE / "lane_toolchain.py"])
    recipe = [RECIPE, own, str(headers), sys.version, compiler(builder.bits)[1]]
    return cache.part(f"cross{_suffix(builder)}", recipe, make)


def _suffix(builder: WindowsPython) -> str:
    """Return the end of the names of parts that are made for each builder."""
    return (f"-{builder.version}" if builder.free_threaded else "") + builder.suffix


def _python_library(builder: WindowsPython) -> str:
    """Return the name of the DLL that the modules import, without its end."""
    return f"python{builder.tag}" if builder.free_threaded else "python3"


def _sources(project: Path) -> list[Path]:
    """Return the files of which a change requires another wheel."""
    files = [project / name for name in SOURCE_FILES if (project / name).is_file()]
    return [*files, *package_sources(project)]


def build_wheel(cache: Cache, builder: WindowsPython, python: Path, project: Path = ROOT) -> Path:
    """Cross-build the project's wheel, again after a source has changed; return its path.

    It is an abi3 wheel, or that of a free-threaded Python.

    python: the folder of the builder, with whose DLL the modules are linked.
    """
    if sys.version_info[:2] != tuple(int(part) for part in PYTHON.split(".")):
        raise LaneError(f"the build needs the headers of CPython {PYTHON}: run lane.py with it")
    if not (project / "setup.py").is_file():
        raise LaneError(f"there is no setup.py in {project}: nothing to build")
    tools, cross = _tools(cache), _cross_parts(cache, builder, python)
    gcc, version = compiler(builder.bits)
    # Else gcc warns of mingw's own header, by which CPython's reads the thread's id.
    warnings = WARNINGS + (" --param=min-pagesize=0" if builder.free_threaded else "")

    def make(folder: Path) -> None:
        env = {key: text for key, text in os.environ.items() if not key.startswith("PYTHON")}
        env.update(
            PYTHONPATH=str(tools),
            PYTHONDONTWRITEBYTECODE="1",
            _PYTHON_HOST_PLATFORM="win-amd64" if builder.bits == 64 else "win32",
            PYDBGWRITE_LANE_BUILDER=builder.tag,  # read by cross_setup.py
            CC=gcc,
            LDSHARED=f"{gcc} -shared -static-libgcc -s",
            CFLAGS=f"-I{shlex.quote(str(cross / 'include'))} -O2 -DNDEBUG {warnings}",
            LDFLAGS="",
        )
        scratch = folder / "build"
        command: list[str | Path] = [
            *(sys.executable, HERE / "cross_setup.py"),
            *("egg_info", "--egg-base", folder),
            *("build", "--build-base", scratch),
            *("build_ext", "--libraries", _python_library(builder)),
            *("--library-dirs", cross / "lib"),
            *("bdist_wheel", "--plat-name", builder.platform, "--bdist-dir", folder / "unpacked"),
            *("--dist-dir", folder),
        ]
        text = call(command, what="the cross build", env=env, cwd=project)
        if ": warning:" in text:  # the compiler's and the linker's; setuptools has its own
            raise LaneError(f"the cross build warned:\n{text}")
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(folder / "unpacked", ignore_errors=True)
        for left in folder.glob("*.egg-info"):
            shutil.rmtree(left)
        _check_wheel(_only_wheel(folder), builder)

    own = digest_of_files([HERE / name for name in OWN_FILES])
    recipe = [
        RECIPE,
        own,
        BUILD_PACKAGES,
        version,
        str(project),
        digest_of_files(_sources(project)),
    ]
    name = f"wheel{_suffix(builder)}" + ("" if project == ROOT else f"-{project.name}")
    return _only_wheel(cache.part(name, recipe, make))


def _only_wheel(folder: Path) -> Path:
    found = list(folder.glob("*.whl"))
    if len(found) != 1:
        raise LaneError(f"the cross build made {len(found)} wheels instead of one: {found}")
    return found[0]


def _check_wheel(wheel: Path, builder: WindowsPython) -> None:
    """Check its tag, and that it imports only the builder's DLL and system DLLs."""
    tags = f"cp{builder.tag.removesuffix('t')}-{builder.abi}"
    tag = f"{tags if builder.free_threaded else ABI_TAG}-{builder.platform}"
    library = f"{_python_library(builder)}.dll"
    if not wheel.name.endswith(f"-{tag}.whl"):
        raise LaneError(
            f"the cross build made {wheel.name}, not a wheel tagged {tag}: setup.py must set"
            " bdist_wheel's py_limited_api to cp311 and py_limited_api=True on its Extension"
        )
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        modules = [name for name in names if name.endswith(".pyd")]
        stray = [name for name in names if name.endswith((".so", ".c", ".o"))]
        if not modules or stray:
            raise LaneError(f"{wheel.name}: modules {modules}, not belonging there {stray}")
        for name in modules:
            module = wheel.parent / "module.pyd"
            module.write_bytes(archive.read(name))
            needed = imports(module)
            module.unlink()
            wrong = [one for one in needed if one not in {library, *SYSTEM_LIBRARIES}]
            if wrong or library not in needed:
                raise LaneError(f"{name} imports {needed}: {library} and system DLLs expected")


def install(wheel: Path, python: WindowsPython, folder: Path) -> None:
    """Install the wheel into a Windows Python with pip, which checks its tag."""
    site = folder / "Lib" / "site-packages"
    stamp = folder / "installed-wheel"
    key = f"{wheel.name} {hashlib.sha256(wheel.read_bytes()).hexdigest()}"
    if stamp.is_file() and stamp.read_text() == key:
        return
    stamp.unlink(missing_ok=True)
    name = wheel.name.partition("-")[0]
    for old in [site / name, *site.glob(f"{name}-*.dist-info")]:
        shutil.rmtree(old, ignore_errors=True)
    command: list[str | Path] = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-index", "--no-compile", "--upgrade", "--only-binary=:all:"),
        *("--platform", python.platform, "--python-version", python.numbers),
        *("--implementation", "cp", "--abi", python.abi, "--target", site, wheel),
    ]
    call(command, what=f"installing {wheel.name} into Windows Python {python.version}")
    stamp.write_text(key)
    note(f"installed {wheel.name} into Windows Python {python.version}")
