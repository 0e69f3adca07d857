"""The machine that the pipeline runs on: its packages, its Pythons, and its commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

ROOT = Path(__file__).resolve().parent.parent
_work = tempfile.TemporaryDirectory(prefix="pydbgwrite-ci-")
#: The folder of all files that steps make; it is removed at the end.
WORK = Path(_work.name)
WORK.chmod(0o755)  # tests that drop their privileges import the package from there
#: The environment of all commands. There a skip of a test that CI must run fails; tests read this.
ENVIRONMENT = {
    **os.environ,
    "CI": "true",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_QUIET": "1",
}
P = ParamSpec("P")
T = TypeVar("T")


class Failure(Exception):  # noqa: N818
    """A step has failed; the message is the reason."""


def once(make: Callable[P, T]) -> Callable[P, T]:
    """Call it once for the same arguments: parallel steps wait for the first one's result."""
    locked = threading.RLock()
    cached = cache(make)

    @wraps(make)
    def made(*args: P.args, **kwargs: P.kwargs) -> T:
        with locked:
            return cached(*args, **kwargs)  # type: ignore[arg-type]

    return made


# ------------------------------------------------------------------------------ commands and output


class _Output(threading.local):
    """The output of a step's commands: shown at once, or at the step's end if other steps run."""

    kept: list[str] | None = None


_output = _Output()


def say(text: str) -> None:
    """Print a line."""
    if _output.kept is None:
        print(text, flush=True)
    else:
        _output.kept.append(text)


def keep_output() -> None:
    """Keep the output of this thread from now on."""
    _output.kept = []


def show_output() -> None:
    """Print the kept output."""
    if _output.kept:
        print("\n".join(_output.kept), flush=True)
    _output.kept = None


def run(
    *command: str | Path,
    cwd: Path = ROOT,
    variables: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> list[str]:
    """Run a command; return its lines, or raise Failure. variables: more of its environment."""
    words = [str(word) for word in command]
    lines: list[str] = []
    if not quiet:
        say(f"$ {' '.join([Path(words[0]).name, *words[1:]])[:160]}".partition("\n")[0])
    with subprocess.Popen(
        words,
        cwd=cwd,
        env={**ENVIRONMENT, **(variables or {})},
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
                say(lines[-1])
    if process.returncode:
        raise Failure("\n".join([*(lines if quiet else ()), f"exit code {process.returncode}"]))
    return lines


# -------------------------------------------------------------------------- packages and Pythons


@once
def need(package: str, command: str = "", *, test: Callable[[], bool] | None = None) -> None:
    """Install a package of Debian's if its command is missing, or if the test fails."""

    def is_here() -> bool:
        return test() if test else shutil.which(command or package) is not None

    if not is_here():
        sudo = [] if os.geteuid() == 0 else ["sudo"]
        apt = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
        run(*apt, "update", quiet=True)
        say(f"installing {package}")
        run(*apt, "install", "-y", "--no-install-recommends", package, quiet=True)
        if not is_here():
            raise Failure(f"{package} is installed, and does not give what is needed")


@dataclass(frozen=True)
class Python:
    """A CPython of this machine."""

    path: Path
    version: tuple[int, ...]
    include: Path

    def __str__(self) -> str:
        return f"CPython {'.'.join(map(str, self.version))}"

    @property
    def has_headers(self) -> bool:
        """Can extensions be compiled for it?"""
        return (self.include / "Python.h").exists()

    def complete(self, package: str) -> None:
        """Install the parts that Debian packages separately from the interpreter."""
        check = [str(self.path), "-I", "-c", "import ensurepip"]
        need(f"{package}-venv", test=lambda: subprocess.run(check, check=False).returncode == 0)
        need(f"{package}-dev", test=lambda: self.has_headers)


_ABOUT = """
import sys, sysconfig
if sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED"):
    print(sys.version.replace(chr(10), " "), sys.executable, sysconfig.get_path("include"),
          *sys.version_info[:3], sep=chr(10))
"""


@once
def pythons() -> list[Python]:
    """Return every CPython from 3.11 on, each build once; the one that runs this is first.

    Free-threaded ones are left out: they can't load an abi3 module.
    """
    found: dict[str, Python] = {}
    for candidate in _candidates():
        answer = subprocess.run([candidate, "-I", "-c", _ABOUT], capture_output=True, text=True)
        if answer.returncode == 0 and answer.stdout:
            build, path, include, *version = answer.stdout.splitlines()
            python = Python(Path(path), tuple(map(int, version)), Path(include))
            if python.version >= (3, 11):
                found.setdefault(build, python)
    return list(found.values())


def _candidates() -> Iterator[str]:
    yield sys.executable
    for name in ("python3", *(f"python3.{minor}" for minor in range(11, 21))):
        for folder in os.get_exec_path():
            yield from filter(None, [shutil.which(name, path=folder)])
    if shutil.which("pyenv"):
        root = subprocess.run(["pyenv", "root"], capture_output=True, text=True).stdout.strip()
        yield from map(str, sorted(Path(root, "versions").glob("*/bin/python")))


# ------------------------------------------------------------------------------------- the project


def tracked(*patterns: str) -> list[str]:
    """Return the files that git tracks or would add."""
    listed = (
        "git",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        *patterns,
    )
    names = set("".join(run(*listed, quiet=True)).split("\0"))
    return sorted(name for name in names if name and (ROOT / name).exists())


def copied(name: str) -> Path:
    """Copy those files to a folder of that name: for the steps it equals a fresh clone."""
    for file in tracked():
        target = WORK / name / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, target, follow_symlinks=False)
    return WORK / name
