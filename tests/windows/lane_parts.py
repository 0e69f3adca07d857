"""The parts of the Windows lane: their names, their sources, and how they are assembled.

All come by package name, through pip and apt, as the machine has them configured. None of them is
ever committed or put into a wheel.
"""

from __future__ import annotations

import py_compile
import re
import shutil
import sys
import sysconfig
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

from lane_cache import HERE, Cache, LaneError, digest_of_files, fetch
from lane_library import cpython
from lane_toolchain import SOURCES, compiler, forwarding_dll, python_program

RECIPE = 1  # raise it if a step changes without a change of names or versions
PYTHON = "3.11"  # the version that the suite runs on

PANDA3D = "panda3d==1.10.16"  # deploy_libs/ holds the official python3XY.dll and its extensions
PYKD = "pykd==0.3.4.15"  # holds dbgeng 10.0.15063.400 with its siblings, for either width
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
NUMPY = "numpy==1.26.4"  # 2.2 and 2.4 call a function that Wine's ucrtbase lacks
TEST_PACKAGES = (
    "pytest==9.2.0",
    "hypothesis==6.170.15",
    "click==8.5.1",
    "rich==15.0.0",
    "colorama==0.4.6",  # named here, since pip reads markers for the machine it runs on
)
TRIAL_PACKAGES = ("pytest==9.2.0", "colorama==0.4.6")  # of try_wheel.py
PEER_PACKAGES = (
    "comtypes==1.4.17",
    "Pybag==2.2.16",
    "win32more==0.8.1",
    "pywin32==312",
)
CAPSTONE = {64: "capstone==5.0.9", 32: "capstone==5.0.2"}  # the newest of each width; for Pybag
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
    """A Windows Python that the lane can make: a version, as 3.13 or 3.13t, and a width in bits."""

    version: str = PYTHON
    bits: int = 64

    @property
    def tag(self) -> str:
        """The version without its point: 311, or 314t."""
        return self.version.replace(".", "")

    @property
    def free_threaded(self) -> bool:
        """Is it a build without the GIL? It has no stable ABI."""
        return self.version.endswith("t")

    @property
    def numbers(self) -> str:
        """The version without the letter of a free-threaded build."""
        return self.version.removesuffix("t")

    @property
    def builder(self) -> WindowsPython:
        """The Windows Python with whose DLL its wheel is linked: one abi3 wheel is for all."""
        return self if self.free_threaded else WindowsPython(bits=self.bits)

    @property
    def abi(self) -> str:
        """The ABI tag of the project's wheel for it."""
        return f"cp{self.tag}" if self.free_threaded else "abi3"

    @property
    def platform(self) -> str:
        """The platform tag of its wheels."""
        return "win_amd64" if self.bits == 64 else "win32"

    @property
    def name(self) -> str:
        """The name of its folder in the cache."""
        return f"python-{self.version}{self.suffix}"

    @property
    def suffix(self) -> str:
        """The end of the names of parts that are made once for each width."""
        return "" if self.bits == 64 else "-32"


def pip_download(target: Path, python: WindowsPython, *packages: str, deps: bool = False) -> None:
    """Fetch wheels for a Windows Python by name, as pip is configured here."""
    command: list[str | Path] = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--only-binary=:all:", "--platform", python.platform, "--implementation", "cp"),
        *("--python-version", python.numbers, "--abi", f"cp{python.tag}", "--abi", "none"),
        *("--dest", target),
    ]
    if not python.free_threaded:
        command += ["--abi", "abi3"]
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


def _copy_library(source: Path, target: Path) -> None:
    """Copy a standard library without the files that are specific to its machine."""

    def ignore(folder: str, names: list[str]) -> list[str]:
        top = Path(folder) == source
        return [
            name
            for name in names
            if name in ("__pycache__", "sitecustomize.py")
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
    if python.free_threaded or python.version == "3.14":
        return TRIAL_PACKAGES
    return TEST_PACKAGES + ((NUMPY,) if python.version in ("3.11", "3.12") else ())


def windows_python(cache: Cache, python: WindowsPython) -> Path:
    """Return the folder of a Windows CPython with its standard library and the test packages."""
    library, _ = cpython(cache, python.numbers)
    own = digest_of_files([*SOURCES, HERE / "sitecustomize.py"])
    zipped = python.version == sysconfig.get_python_version()  # it compiles for its own version
    named = [PANDA3D, _packages(python), python.name, str(library), zipped and UNZIPPED]
    recipe = [RECIPE, *named, own, compiler(python.bits)[1]]

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
                tagged = name.endswith(f"t-{python.platform}.pyd")  # the free-threaded build's
                if name.endswith(".pyd") and tagged != python.free_threaded:
                    continue
                if name.startswith("_wmi."):  # the module `platform` goes on without it; Wine ends
                    continue
                beside = name.lower().startswith(("python3", "vcruntime"))
                (folder if beside else extensions).joinpath(name).write_bytes(archive.read(member))
        if not (folder / f"python{python.tag}.dll").is_file():
            raise LaneError(f"{PANDA3D} for {python.platform} holds no python{python.tag}.dll")
        shutil.rmtree(download)
        python_program(folder / "python.exe", python.tag, python.bits)
        if not python.free_threaded:
            forwarding_dll(folder, python.tag, python.bits)
        _copy_library(library, folder / "Lib")
        if zipped:
            _zip_library(folder / "Lib", folder / f"python{python.tag}.zip")
        site = folder / "Lib" / "site-packages"
        site.mkdir()
        pip_download(download, python, *_packages(python), deps=True)
        unpack_wheels(download, site)
        shutil.rmtree(download)

    return cache.part(python.name, recipe, make)


def dbgeng_folder(cache: Cache, bits: int = 64) -> Path:
    """Return a folder with Microsoft's dbgeng.dll and the DLLs that it needs."""
    python = WindowsPython("3.9", bits)
    return _engine(cache, f"dbgeng{python.suffix}", python, PYKD, DBGENG_FILES)


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
    packages = (*PEER_PACKAGES, CAPSTONE[python.bits])

    def make(folder: Path) -> None:
        download = folder / "download"
        pip_download(download, python, *packages, deps=True)
        unpack_wheels(download, folder)
        shutil.rmtree(download)

    return cache.part(f"peers-{python.version}{python.suffix}", [RECIPE, packages], make)
