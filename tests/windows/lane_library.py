"""The standard library and the headers for a Windows Python, from a CPython of the same version.

It is one of this machine, or that of Debian's packages, which are unpacked into the cache.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lane_cache import Cache, LaneError

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from kernels.sources import Packages

RECIPE = 1
#: The suites of Debian that have a CPython of these versions.
SUITES = {"3.13": "trixie", "3.14": "forky"}
PACKAGES = ("libpython{}-minimal", "libpython{}-stdlib", "libpython{}-dev")
_ABOUT = """
import sys, sysconfig
print(sys.version_info[:2], sysconfig.get_path('stdlib'), sysconfig.get_path('include'), sep='|')
"""


class NoLibraryError(LaneError):
    """Neither this machine nor Debian has a CPython of a version."""


def cpython(cache: Cache, version: str) -> tuple[Path, Path]:
    """Return the standard library of a CPython of that version, and the folder of its headers."""
    wanted = tuple(int(part) for part in version.split("."))
    candidates = [sys.executable] if sys.version_info[:2] == wanted else []
    named = shutil.which(f"python{version}")
    candidates += [named] if named else []
    for candidate in candidates:
        # A pyenv shim works only for a requested version; other interpreters ignore this.
        done = subprocess.run(
            [candidate, "-I", "-c", _ABOUT],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, "PYENV_VERSION": version},
            check=False,
        )
        found, *folders = done.stdout.strip().split("|")
        if done.returncode == 0 and found == str(wanted) and Path(folders[0]).is_dir():
            return Path(folders[0]), Path(folders[1])
    if version not in SUITES:
        raise NoLibraryError(
            f"a Windows Python {version} needs the standard library of a CPython {version} of this"
            f" machine, and no working python{version} is on PATH (the lane itself runs on"
            f" {sys.version.split()[0]}). Install CPython {version}, so that python{version} starts"
            " it."
        )
    folder = _debian(cache, version)
    return folder / "usr/lib" / f"python{version}", folder / "usr/include" / f"python{version}"


def _debian(cache: Cache, version: str) -> Path:
    """Return a folder with the files of Debian's packages of that version."""

    def make(folder: Path) -> None:
        source = Packages(folder, SUITES[version], "amd64")
        for each in PACKAGES:
            source.unpack(each.format(version), folder)
        source.remove()

    return cache.part(f"debian-{version}", [RECIPE, SUITES[version], PACKAGES], make)
