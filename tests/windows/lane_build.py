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
import sysconfig
import zipfile
from pathlib import Path

from lane_cache import HERE, ROOT, Cache, LaneError, call, digest_of_files, fetch, note
from lane_parts import PYTHON, WindowsPython
from lane_toolchain import compiler, exports, import_library, imports

RECIPE = 1
BUILD_PACKAGES = ("setuptools==84.2.1",)
TAG = "cp311-abi3-win_amd64"
WARNINGS = "-Wall -Wextra -Wshadow -Wvla -Wmissing-prototypes -Werror"
SOURCE_FOLDERS = ("csrc", "pydbgwrite")
SOURCE_FILES = ("setup.py", "pyproject.toml", "setup.cfg", "MANIFEST.in", "README.md", "LICENSE")
OWN_FILES = ("cross_setup.py", "lane_build.py", "lane_toolchain.py", "pyconfig.h")
SYSTEM_LIBRARIES = frozenset(
    {"python3.dll", "kernel32.dll", "msvcrt.dll", "advapi32.dll", "ole32.dll", "oleaut32.dll"}
    | {"user32.dll", "version.dll", "shlwapi.dll", "ntdll.dll", "ws2_32.dll", "shell32.dll"}
)


def _tools(cache: Cache) -> Path:
    """Return a folder with setuptools and wheel, separate from the packages of this machine."""

    def make(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command: list[str | Path] = [*pip, "--no-deps", "--target", folder, *BUILD_PACKAGES]
        fetch(command, what="fetching setuptools", clear=folder)

    return cache.part("build-tools", [RECIPE, BUILD_PACKAGES, sys.version], make)


def _cross_parts(cache: Cache, python: Path) -> Path:
    """Return CPython's headers, with Windows' pyconfig.h, and the import library of python3.dll."""
    headers = Path(sysconfig.get_path("include"))
    if not (headers / "Python.h").is_file():
        raise LaneError(
            f"the headers of this CPython are missing: no {headers / 'Python.h'}."
            f" Install them: apt-get install python{sysconfig.get_python_version()}-dev"
        )

    def make(folder: Path) -> None:
        shutil.copytree(headers, folder / "include")
        shutil.copy(HERE / "pyconfig.h", folder / "include" / "pyconfig.h")
        names = exports(python / f"python{WindowsPython().tag}.dll")
        (folder / "lib").mkdir()
        import_library(folder / "lib" / "libpython3.a", "python3.dll", names)

    own = digest_of_files([HERE / "pyconfig.h", HERE / "lane_toolchain.py"])
    return cache.part("cross", [RECIPE, own, str(headers), sys.version, compiler()[1]], make)


def _sources(project: Path) -> list[Path]:
    """Return the files of which a change requires another wheel."""
    found = [project / name for name in SOURCE_FILES if (project / name).is_file()]
    for name in SOURCE_FOLDERS:
        for file in (project / name).rglob("*"):
            hidden = "__pycache__" in file.parts or file.suffix in {".so", ".pyd", ".pyc", ".o"}
            if file.is_file() and not hidden:
                found.append(file)
    return found


def build_wheel(cache: Cache, python: Path, project: Path = ROOT) -> Path:
    """Cross-build the project's abi3 wheel, again after a source has changed; return its path."""
    if sys.version_info[:2] != tuple(int(part) for part in PYTHON.split(".")):
        raise LaneError(f"the build needs the headers of CPython {PYTHON}: run lane.py with it")
    if not (project / "setup.py").is_file():
        raise LaneError(f"there is no setup.py in {project}: nothing to build")
    tools, cross, (gcc, version) = _tools(cache), _cross_parts(cache, python), compiler()

    def make(folder: Path) -> None:
        env = {key: text for key, text in os.environ.items() if not key.startswith("PYTHON")}
        env.update(
            PYTHONPATH=str(tools),
            PYTHONDONTWRITEBYTECODE="1",
            _PYTHON_HOST_PLATFORM="win-amd64",
            CC=gcc,
            LDSHARED=f"{gcc} -shared -static-libgcc -s",
            CFLAGS=f"-I{shlex.quote(str(cross / 'include'))} -O2 -DNDEBUG {WARNINGS}",
            LDFLAGS="",
        )
        scratch = folder / "build"
        command: list[str | Path] = [
            *(sys.executable, HERE / "cross_setup.py"),
            *("egg_info", "--egg-base", folder),
            *("build", "--build-base", scratch),
            *("build_ext", "--libraries", "python3", "--library-dirs", cross / "lib"),
            *("bdist_wheel", "--plat-name", "win_amd64", "--bdist-dir", folder / "unpacked"),
            *("--dist-dir", folder),
        ]
        text = call(command, what="the cross build", env=env, cwd=project)
        if ": warning:" in text:  # the compiler's and the linker's; setuptools has its own
            raise LaneError(f"the cross build warned:\n{text}")
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(folder / "unpacked", ignore_errors=True)
        for left in folder.glob("*.egg-info"):
            shutil.rmtree(left)
        _check_wheel(_only_wheel(folder))

    own = digest_of_files([HERE / name for name in OWN_FILES])
    recipe = [
        RECIPE,
        own,
        BUILD_PACKAGES,
        version,
        str(project),
        digest_of_files(_sources(project)),
    ]
    name = "wheel" if project == ROOT else f"wheel-{project.name}"
    return _only_wheel(cache.part(name, recipe, make))


def _only_wheel(folder: Path) -> Path:
    found = list(folder.glob("*.whl"))
    if len(found) != 1:
        raise LaneError(f"the cross build made {len(found)} wheels instead of one: {found}")
    return found[0]


def _check_wheel(wheel: Path) -> None:
    """Check that the tag is the stable ABI's, and the imports only python3.dll and system DLLs."""
    if not wheel.name.endswith(f"-{TAG}.whl"):
        raise LaneError(
            f"the cross build made {wheel.name}, not a wheel tagged {TAG}: setup.py must set"
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
            wrong = [one for one in needed if one not in SYSTEM_LIBRARIES]
            if wrong or "python3.dll" not in needed:
                raise LaneError(
                    f"{name} imports {needed}: python3.dll and system libraries expected"
                )


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
        *("--platform", python.platform, "--python-version", python.version),
        *("--implementation", "cp", "--abi", "abi3", "--target", site, wheel),
    ]
    call(command, what=f"installing {wheel.name} into Windows Python {python.version}")
    stamp.write_text(key)
    note(f"installed {wheel.name} into Windows Python {python.version}")
