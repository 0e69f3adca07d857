"""The parts of the Windows lane: their names, their sources, and how they are assembled.

All come by package name, through pip and apt, as the machine has them configured. None of them is
ever committed or put into a wheel.
"""

from __future__ import annotations

import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

from lane_cache import HERE, Cache, LaneError, digest_of_files, fetch
from lane_toolchain import SOURCES, compiler, forwarding_dll, python_program

RECIPE = 1  # raise it if a step changes without a change of names or versions
PYTHON = "3.11"  # the version that the suite runs on

PANDA3D = "panda3d==1.10.16"  # deploy_libs/ holds the official python3XY.dll and its extensions
PYKD = "pykd==0.3.4.15"  # holds dbgeng 10.0.15063.400 with its siblings
PYKD_OLDER = "pykd==0.3.1.8"  # holds dbgeng 6.3.9600.16384, for CPython 2.7
OLDER_FILES = ("dbgeng.dll", "dbghelp.dll", "msdia120.dll", "srcsrv.dll", "symsrv.dll")
DBGENG_FILES = (
    "dbgeng.dll",
    "dbghelp.dll",
    "DbgModel.dll",
    "msdia140.dll",
    "srcsrv.dll",
    "symsrv.dll",
)
NUMPY = "numpy==1.26.4"  # numpy 2 needs a C function that Wine 8's ucrtbase lacks
TEST_PACKAGES = (
    "pytest==9.2.0",
    "hypothesis==6.170.15",
    "click==8.5.1",
    "rich==15.0.0",
    "colorama==0.4.6",  # named here, since pip reads markers for the machine it runs on
)
PEER_PACKAGES = (
    "comtypes==1.4.17",
    "Pybag==2.2.16",
    "win32more==0.8.1",
    "capstone==5.0.9",
    "pywin32==312",
)
UNZIPPED = (  # found in Lib: a program that does not need them starts sooner
    "curses",
    "distutils",
    "lib2to3",
    "msilib",
    "pydoc_data",
    "sqlite3",
    "tkinter",
    "wsgiref",
    "xmlrpc",
)
PRUNED = (
    "lib-dynload",
    "site-packages",
    "test",
    "idlelib",
    "turtledemo",
    "ensurepip",
    "__pycache__",
)


@dataclass(frozen=True)
class WindowsPython:
    """A Windows Python that the lane can make: a version and a width in bits."""

    version: str = PYTHON
    bits: int = 64

    @property
    def tag(self) -> str:
        """The version without its point: 311."""
        return self.version.replace(".", "")

    @property
    def platform(self) -> str:
        """The platform tag of its wheels."""
        return "win_amd64" if self.bits == 64 else "win32"

    @property
    def name(self) -> str:
        """The name of its folder in the cache."""
        return f"python-{self.version}" + ("" if self.bits == 64 else "-32")


def pip_download(target: Path, python: WindowsPython, *packages: str, deps: bool = False) -> None:
    """Fetch wheels for a Windows Python by name, as pip is configured here."""
    command: list[str | Path] = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--only-binary=:all:", "--platform", python.platform, "--implementation", "cp"),
        *("--python-version", python.version, "--abi", f"cp{python.tag}", "--abi", "abi3"),
        *("--abi", "none", "--dest", target),
    ]
    if not deps:
        command.append("--no-deps")
    fetch([*command, *packages], what=f"fetching {', '.join(packages)} with pip", clear=target)


def unpack_wheels(wheels: Path, site: Path) -> None:
    """Unzip every wheel of a folder into a site-packages folder, as an installer lays it out."""
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    for data in sorted(site.glob("*.data")):
        for scheme in ("purelib", "platlib"):
            if (data / scheme).is_dir():
                shutil.copytree(data / scheme, site, dirs_exist_ok=True)
        shutil.rmtree(data)


class NoLibraryError(LaneError):
    """This machine has no CPython of a version, so no standard library for a Windows Python."""


def standard_library(version: str) -> Path:
    """Return the standard library of this machine's CPython of that version."""
    probe = "import sys, sysconfig; print(sys.version_info[:2], sysconfig.get_path('stdlib'))"
    wanted = tuple(int(part) for part in version.split("."))
    candidates = [sys.executable] if sys.version_info[:2] == wanted else []
    named = shutil.which(f"python{version}")
    candidates += [named] if named else []
    for candidate in candidates:
        # A pyenv shim works only for a requested version; other interpreters ignore this.
        done = subprocess.run(
            [candidate, "-I", "-c", probe],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, "PYENV_VERSION": version},
            check=False,
        )
        found, _, folder = done.stdout.strip().rpartition(") ")
        if done.returncode == 0 and found == str(wanted)[:-1] and Path(folder).is_dir():
            return Path(folder)
    raise NoLibraryError(
        f"a Windows Python {version} needs the standard library of a CPython {version} of this"
        f" machine, and no working python{version} is on PATH (the lane itself runs on"
        f" {sys.version.split()[0]}). Install CPython {version}, so that python{version} starts it."
    )


def _copy_library(source: Path, target: Path) -> None:
    """Copy a standard library without the files that are specific to its machine."""

    def ignore(folder: str, names: list[str]) -> list[str]:
        top = Path(folder) == source
        return [
            name
            for name in names
            if name == "__pycache__"
            or (top and (name in PRUNED or name.startswith(("config-", "_sysconfigdata"))))
        ]

    shutil.copytree(source, target, ignore=ignore)
    # python311.dll 3.11.9 calls this on the class; the library of an earlier 3.11 has a method.
    metadata = target / "importlib" / "metadata" / "__init__.py"
    text = metadata.read_text(encoding="utf-8")
    text = re.sub(
        r"(?<!@classmethod\n)    def invalidate_caches\(cls",
        "    @classmethod\n    def invalidate_caches(cls",
        text,
    )
    metadata.write_text(text, encoding="utf-8")
    shutil.copy(HERE / "sitecustomize.py", target / "sitecustomize.py")


def _zip_library(library: Path, target: Path) -> None:
    """Write the library, compiled, as python3XY.zip, as Python's embeddable distribution has it.

    Under Wine each file that an import opens or searches is slow: with the archive a program such
    as the command line starts in about two thirds of the time. To read the archive's directory
    takes a while too, so it holds no sources: tracebacks find those in Lib.
    """
    compiled = target.with_suffix(".pyc")
    with zipfile.ZipFile(target, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for file in sorted(library.rglob("*.py")):
            name = file.relative_to(library)
            # Some of the library's files have errors on purpose, for its own tests.
            if name.parts[0] not in UNZIPPED and py_compile.compile(
                str(file),
                cfile=str(compiled),
                dfile=str(name),
                quiet=2,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            ):
                archive.write(compiled, name.with_suffix(".pyc"))
    compiled.unlink()


def _packages(python: WindowsPython) -> tuple[str, ...]:
    """Return the test packages that support a version: numpy 1.26 ends with Python 3.12."""
    return TEST_PACKAGES + ((NUMPY,) if python.version in ("3.11", "3.12") else ())


def windows_python(cache: Cache, python: WindowsPython) -> Path:
    """Return the folder of a Windows CPython with its standard library and the test packages."""
    library = standard_library(python.version)
    own = digest_of_files([*SOURCES, HERE / "sitecustomize.py"])
    zipped = python.version == sysconfig.get_python_version()  # it compiles for its own version
    named = [PANDA3D, _packages(python), python.name, str(library), zipped and UNZIPPED]
    recipe = [RECIPE, *named, own, compiler()[1]]

    def make(folder: Path) -> None:
        download = folder / "download"
        pip_download(download, python, PANDA3D)
        extensions = folder / "DLLs"
        extensions.mkdir()
        with zipfile.ZipFile(next(download.glob("*.whl"))) as archive:
            for member in archive.namelist():
                place, _, name = member.rpartition("/")
                if place != "deploy_libs" or name.startswith(("api-ms-", "tcl", "tk", "_test")):
                    continue
                if name.endswith(f"t-{python.platform}.pyd"):  # the free-threaded build's
                    continue
                beside = name.lower().startswith(("python3", "vcruntime"))
                (folder if beside else extensions).joinpath(name).write_bytes(archive.read(member))
        if not (folder / f"python{python.tag}.dll").is_file():
            raise LaneError(f"{PANDA3D} for {python.platform} holds no python{python.tag}.dll")
        shutil.rmtree(download)
        python_program(folder / "python.exe", python.tag, python.bits)
        if python.bits == 64:
            forwarding_dll(folder, python.tag)
        _copy_library(library, folder / "Lib")
        if zipped:
            _zip_library(folder / "Lib", folder / f"python{python.tag}.zip")
        site = folder / "Lib" / "site-packages"
        site.mkdir()
        if python.bits == 64:
            pip_download(download, python, *_packages(python), deps=True)
            unpack_wheels(download, site)
            shutil.rmtree(download)

    return cache.part(python.name, recipe, make)


def dbgeng_folder(cache: Cache) -> Path:
    """Return a folder with Microsoft's dbgeng.dll and the DLLs that it needs."""
    return _engine(cache, "dbgeng", WindowsPython("3.9"), PYKD, DBGENG_FILES)


def older_engine(cache: Cache) -> Path:
    """Return an older dbgeng.dll, which treats 64-bit processes as 32-bit ones (docs/engine.md)."""
    return _engine(cache, "dbgeng-6.3", WindowsPython("2.7"), PYKD_OLDER, OLDER_FILES)


def _engine(
    cache: Cache, name: str, python: WindowsPython, package: str, files: tuple[str, ...]
) -> Path:
    def make(folder: Path) -> None:
        download = folder / "download"
        pip_download(download, python, package)
        with zipfile.ZipFile(next(download.glob("*.whl"))) as archive:
            for file in files:
                (folder / file).write_bytes(archive.read(f"pykd/{file}"))
        shutil.rmtree(download)

    return cache.part(name, [RECIPE, package, files], make)


def peers(cache: Cache, python: WindowsPython) -> Path:
    """Return a separate folder with other packages that drive dbgeng, as installed from PyPI."""

    def make(folder: Path) -> None:
        download = folder / "download"
        pip_download(download, python, *PEER_PACKAGES, deps=True)
        unpack_wheels(download, folder)
        shutil.rmtree(download)

    return cache.part(f"peers-{python.version}", [RECIPE, PEER_PACKAGES], make)
