"""Installs a state of the project in its own environment under .cache/bench.

A state is the git tree of a commit, or that of the working folder with the files that git would
add. An environment is named by its tree and kept for the next comparison.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

__all__ = ["Build", "CannotBuild", "build_of_commit", "build_of_working_folder"]

_ROOT = Path(__file__).resolve().parents[2]
#: Git ignores it, and so do the checks that search bench/.
_BUILDS = _ROOT / ".cache" / "bench"


class CannotBuild(Exception):  # noqa: N818
    """The build failed; the text is for the user."""


@dataclass(frozen=True)
class Build:
    """An environment. `name` is for tables; equal `tree` means equal code."""

    name: str
    tree: str
    folder: Path

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.folder / "bin" / "python")

    @property
    def command(self) -> str:
        """The command that it installed."""
        return str(self.folder / "bin" / "pydbgwrite")

    @property
    def packages(self) -> str:
        """Where its packages are."""
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        return str(self.folder / "lib" / version / "site-packages")


def build_of_commit(revision: str) -> Build:
    """Build a commit, branch or tag."""
    try:
        commit = _git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        )
    except CannotBuild:
        raise CannotBuild(f"git knows no commit {revision!r} here") from None
    tree = _git("rev-parse", f"{commit}^{{tree}}")
    return _built(f"{revision} ({commit[:7]})", tree, os.environ)


def build_of_working_folder() -> Build:
    """Build the working folder, committed or not; git's index and objects do not change."""
    objects = _git("rev-parse", "--path-format=absolute", "--git-path", "objects")
    with tempfile.TemporaryDirectory(prefix="pydbgwrite-bench-") as folder:
        Path(folder, "objects").mkdir()
        aside = {
            **os.environ,
            "GIT_INDEX_FILE": f"{folder}/index",
            "GIT_OBJECT_DIRECTORY": f"{folder}/objects",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects,
        }
        _git("add", "--all", environment=aside)
        tree = _git("write-tree", environment=aside)
        changed = tree != _git("rev-parse", "HEAD^{tree}")
        commit = _git("rev-parse", "--short", "HEAD")
        name = f"working folder ({commit}{' and changes' if changed else ''})"
        return _built(name, tree, aside)


def _git(*words: str, environment: dict[str, str] | os._Environ[str] | None = None) -> str:
    """Return what git prints, without the line's end."""
    return _run(["git", "-C", str(_ROOT), *words], environment).decode().strip()


def _run(command: list[str], environment: dict[str, str] | os._Environ[str] | None) -> bytes:
    try:
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
    except FileNotFoundError:
        raise CannotBuild(f"{command[0]} is not installed") from None
    if done.returncode:
        lines = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise CannotBuild("\n  ".join([f"{' '.join(command[:4])} ... failed:", *lines[-20:]]))
    return done.stdout


def _built(name: str, tree: str, environment: dict[str, str] | os._Environ[str]) -> Build:
    """Return the environment of a tree; make it if there is none."""
    folder = _BUILDS / f"{tree[:16]}-{sys.implementation.cache_tag}"
    build = Build(name, tree, folder)
    ready = folder / "ready"
    if ready.exists():
        return build
    print(f"building: {name}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    # Without the caller's build switches and packages.
    plain = {
        each: value
        for each, value in os.environ.items()
        if not each.startswith(("PYDBGWRITE_", "PYTHON")) and each not in ("CFLAGS", "LDFLAGS")
    }
    with tempfile.TemporaryDirectory(prefix="pydbgwrite-bench-") as source:
        archive = _run(["git", "-C", str(_ROOT), "archive", tree], environment)
        with tarfile.open(fileobj=BytesIO(archive)) as files:
            files.extractall(source, filter="data")
        try:
            _run([sys.executable, "-m", "venv", str(folder)], plain)
            pip = [build.python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            _run([*pip, f"{source}[cli]"], plain)
        except CannotBuild as error:
            raise CannotBuild(f"{name} can't be built: {error}") from None
    ready.touch()
    return build
