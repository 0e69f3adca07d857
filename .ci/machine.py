"""The machine that the pipeline runs on: its packages, its Pythons, and the commands of a step."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: For all that the steps start. Skipping what CI is meant to run is a failure there.
ENVIRONMENT = {
    **os.environ,
    "CI": "true",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_QUIET": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}

_one_at_a_time = threading.RLock()  # apt-get locks its database, and side by side steps need it


class Failure(Exception):  # noqa: N818
    """Why a step has failed."""


class Step:
    """One step while it runs: it starts commands, and passes on what they print.

    Beside others it keeps that until its end, so that they can be told apart.
    """

    def __init__(self, name: str, *, beside_others: bool) -> None:
        self.name = name
        self.closing = ""  # the closing line of its suite
        self.failure = ""  # why it failed
        self.summary = ""  # the time it took, beside that it may take
        self._kept: list[str] | None = [] if beside_others else None

    def print(self, text: str) -> None:
        """Now, or at the end."""
        if self._kept is None:
            print(text, flush=True)
        else:
            self._kept.append(text)

    def show(self) -> None:
        """Print what was kept."""
        if self._kept:
            print("\n".join(self._kept), flush=True)
            self._kept.clear()

    def say(self, text: str) -> None:
        """A heading."""
        self.print(f"\n=== {self.name}: {text}")

    def run(
        self,
        *command: str | Path,
        cwd: Path = ROOT,
        environment: Mapping[str, str] | None = None,
        quiet: bool = False,
    ) -> list[str]:
        """The lines that the command printed; a Failure where it fails."""
        lines: list[str] = []
        with subprocess.Popen(
            [str(word) for word in command],
            cwd=cwd,
            env={**ENVIRONMENT, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.rstrip("\n"))
                if not quiet:
                    self.print(lines[-1])
        if process.returncode and quiet:
            self.print("\n".join(lines))
        if process.returncode:
            words = " ".join(str(word) for word in command)
            raise Failure(f"exit code {process.returncode} of: {words[:300]}")
        return lines

    def suite(
        self,
        python: Path,
        *arguments: str | Path,
        cwd: Path,
        results: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run pytest, whose skips are then judged."""
        pytest = (python, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={results}")
        lines = self.run(*pytest, *arguments, cwd=cwd, environment=environment)
        self.closing = lines[-1]
        self.run(python, ROOT / ".ci" / "check_skips.py", results)


def need(package: str, test: Callable[[], bool] | str) -> None:
    """Install a package of Debian's where the test fails, or the command is not there."""

    def found() -> bool:
        return shutil.which(test) is not None if isinstance(test, str) else test()

    with _one_at_a_time:
        if found():
            return
        _apt_get_update()
        print(f"installing {package}", flush=True)
        _apt_get("install", "-y", "--no-install-recommends", package)
        if not found():
            raise Failure(f"{package} is installed, and does not give what is needed")


@cache
def _apt_get_update() -> None:
    _apt_get("update")


def _apt_get(*words: str) -> None:
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    done = subprocess.run(
        [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise Failure(f"apt-get {' '.join(words)} failed")


@dataclass(frozen=True)
class Python:
    """An interpreter of this machine."""

    path: Path
    version: tuple[int, int]
    include: Path

    @property
    def name(self) -> str:
        """For folders."""
        return f"python{self.version[0]}.{self.version[1]}"

    def complete(self, name: str) -> None:
        """Install what Debian packages apart from the interpreter: NAME-venv, NAME-dev."""
        need(f"{name}-venv", lambda: self._can("import ensurepip"))
        need(f"{name}-dev", (self.include / "Python.h").exists)

    def _can(self, code: str) -> bool:
        return subprocess.run([self.path, "-I", "-c", code], capture_output=True).returncode == 0


_ABOUT = """
import sys, sysconfig
if sys.implementation.name == "cpython" and sys.version_info >= (3, 11):
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        print(sys.version.replace(chr(10), " "), sys.executable, *sys.version_info[:2],
              sysconfig.get_path("include"), sep=chr(10))
"""


@cache
def pythons() -> list[Python]:
    """Every CPython from 3.11 on that is here, each build once; the first is this one.

    Free-threaded ones are left out: they can't load an abi3 module.
    """
    found: dict[str, Python] = {}
    for candidate in _candidates():
        done = subprocess.run([candidate, "-I", "-c", _ABOUT], capture_output=True, text=True)
        if done.returncode == 0 and done.stdout:
            build, path, major, minor, include = done.stdout.splitlines()
            version = int(major), int(minor)
            found.setdefault(build, Python(Path(path), version, Path(include)))
    return list(found.values())


def _candidates() -> Iterator[str]:
    yield sys.executable
    for name in ("python3", *(f"python3.{minor}" for minor in range(11, 21))):
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            yield from filter(None, [shutil.which(name, path=folder)])
    if shutil.which("pyenv"):
        told = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True)
        for version in told.stdout.split():
            prefix = subprocess.run(["pyenv", "prefix", version], capture_output=True, text=True)
            yield f"{prefix.stdout.strip()}/bin/python"


def copied(to: Path) -> Path:
    """A copy of the files that git knows or would add, as a fresh clone would be."""
    for name in tracked():
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    return to


def tracked(*patterns: str) -> Sequence[str]:
    """The files that git knows or would add."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others"]
    done = subprocess.run(
        [*command, "--exclude-standard", "--", *patterns],
        capture_output=True,
        text=True,
        check=True,
    )
    names = sorted(set(filter(None, done.stdout.split("\0"))))
    return [name for name in names if (ROOT / name).exists()]
