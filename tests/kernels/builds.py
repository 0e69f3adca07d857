"""The extension for a guest: cross-built against its own C library and its Python's headers."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from lane_cache import ROOT, Cache, call, digest_of_files, package_sources

from kernels.images import PYTHON, precompile
from kernels.machines import Architecture

#: Run in place of setup.py: the build is for a CPython other than the one that runs it.
SCRIPT = """
import runpy, sys, sysconfig
sysconfig.get_config_vars().update(
    CFLAGS="", OPT="", CCSHARED="-fPIC", LDFLAGS="", BLDSHARED="", INCLUDEPY="", Py_GIL_DISABLED=0
)
sysconfig.get_path = lambda *_, **__: "/nowhere"
sys.argv[0] = "setup.py"
sys.path.insert(0, "")
runpy.run_path("setup.py", run_name="__main__")
"""
FILES = ("setup.py", "pyproject.toml")


def sources() -> list[Path]:
    """Return the files of which a change requires another build."""
    return [*(ROOT / name for name in FILES), *package_sources(ROOT)]


def package(cache: Cache, architecture: Architecture, root: Path) -> Path:
    """Return a folder with the package `pydbgwrite` as it is installed."""

    def make(folder: Path) -> None:
        include = root / "usr" / "include"
        compiler = f"{architecture.compiler} --sysroot={root}"
        env = {key: text for key, text in os.environ.items() if not key.startswith("PYTHON")}
        env.update(
            PYTHONDONTWRITEBYTECODE="1",
            PYDBGWRITE_WERROR="1",
            _PYTHON_HOST_PLATFORM=architecture.platform,
            CC=compiler,
            LDSHARED=f"{compiler} -shared",
            CFLAGS=f"-I{include / f'python{PYTHON}'} -O2 -DNDEBUG",
            LDFLAGS="",
        )
        scratch = folder / "build"
        build: list[str | Path] = [
            sys.executable,
            "-c",
            SCRIPT,
            "-q",
            "build",
            "--build-base",
            scratch,
        ]
        build += ["--build-lib", folder / "lib"]
        call(build, what=f"building for {architecture.name}", env=env, cwd=ROOT)
        shutil.rmtree(scratch)
        precompile(folder / "lib", below=folder / "lib")

    recipe = [SCRIPT, architecture.name, PYTHON, digest_of_files(sources())]
    return cache.part(f"package-{architecture.name}", recipe, make) / "lib"
