"""Where steps run: environments, the sdist, the wheel, a clone; and how they run the suite.

One wheel is built, only from the sdist, and is tested wherever a test can use it. All that is made
is in a temporary folder, so that a developer's own builds do not interfere.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

from machine import WORK, Failure, Python, copied, need, once, pythons, run

PYTHON = pythons()[0]
#: The time of files in the sdist and in wheels, as pyproject.toml sets it for a release.
EPOCH = {"SOURCE_DATE_EPOCH": "315532800"}
#: A run of the whole suite has more tests, also without those in C and those of NOT_NEWEST.
WHOLE = 5000
#: pytest in two processes, each file in one of them.
TWO_WORKERS = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
#: A test that hangs ends its run, with the stack of each thread: pytest-xdist would restart its
#: worker, and run the test again.
NO_HANG = (
    *("-o", "faulthandler_timeout=600", "-o", "faulthandler_exit_on_timeout=true"),
    "--max-worker-restart=0",
)
#: So does what hangs between tests: each process of the run prints its stacks and ends.
LIMIT = ("timeout", "--signal=ABRT", "--kill-after=30", "1800")


def environment(
    name: str, python: Python, *packages: str | Path, variables: Mapping[str, str] | None = None
) -> Path:
    """Make a fresh virtual environment with these packages; return its bin folder."""
    # Without its own pip, which Debian packages separately; that of the tools is new enough.
    run(python.path, "-m", "venv", "--without-pip", WORK / name)
    pip = (tools() / "python", "-m", "pip", "--python", WORK / name / "bin" / "python")
    run(*pip, "install", *packages, variables=variables)
    return WORK / name / "bin"


@once
def tools() -> Path:
    """Return the bin folder of a build environment; its pip supports --python and --group."""
    PYTHON.complete("python3")
    run(PYTHON.path, "-m", "venv", WORK / "tools")
    packages = ("pip>=25.1", "build", "setuptools>=77", "abi3audit==0.0.26")
    run(WORK / "tools/bin/python", "-m", "pip", "install", "--upgrade", *packages)
    return WORK / "tools" / "bin"


@once
def sdist() -> Path:
    """Return a folder with the unpacked sdist, as a builder or packager has it."""
    with tarfile.open(sdist_of(copied("to-pack"), WORK / "dist")) as files:
        files.extractall(WORK / "sdist", filter="data")
    (folder,) = (WORK / "sdist").iterdir()
    if (folder / ".ci").exists() or (folder / ".github").exists():
        raise Failure("the sdist holds files of CI")
    return folder


def sdist_of(source: Path, folder: Path) -> Path:
    """Pack a clone as an sdist into a folder; return the sdist."""
    build = (tools() / "python", "-m", "build", "-q", "--no-isolation", "--sdist")
    run(*build, "--outdir", folder, source, variables=EPOCH)
    (packed,) = folder.glob("pydbgwrite-*.tar.gz")
    return packed


@once
def built_wheel() -> Path:
    """Return the one wheel, built from the sdist with -Werror."""
    return wheel_of(sdist(), WORK / "dist")


def wheel_of(source: Path, folder: Path, umask: str = "022") -> Path:
    """Build the wheel of an unpacked sdist into a folder; return it."""
    need("gcc")
    masked = ("sh", "-c", f'umask {umask}; exec "$@"', "sh")
    build = (*masked, tools() / "python", "-m", "build", "-q", "--no-isolation", "--wheel")
    run(*build, "--outdir", folder, source, variables={"PYDBGWRITE_WERROR": "1", **EPOCH})
    (built,) = folder.glob("pydbgwrite-*-cp311-abi3-*.whl")
    return built


@once
def tested(python: Python) -> Path:
    """Return the interpreter of an environment with the wheel and its tests' packages."""
    name = f"tested-{pythons().index(python)}"
    return environment(name, python, f"{built_wheel()}[test]") / "python"


def newest_python() -> Python:
    """Return the newest CPython of this machine."""
    return max(pythons(), key=lambda python: python.version)


@once
def clone() -> Path:
    """Return a clean clone after the README's first command, in the environment it describes."""
    need("gcc")
    PYTHON.complete("python3")
    folder = copied("clone")
    run(PYTHON.path, "-m", "venv", folder / ".venv")
    as_printed(folder, 0)
    return folder


def as_printed(folder: Path, number: int, options: str = "") -> list[str]:
    """Run one of the two commands of the README as a reader would."""
    start = "python -m pip install "
    text = (folder / "README.md").read_text(encoding="utf-8")
    commands = [line for line in text.splitlines() if line.startswith(start)]
    if len(commands) != 2:
        raise Failure(f"README.md has {len(commands)} lines that begin with {start!r}, not two")
    path = f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    bash = ("bash", "-euo", "pipefail", "-c", commands[number])
    return run(*LIMIT, *bash, cwd=folder, variables={"PATH": path, "PYTEST_ADDOPTS": options})


def suite(
    python: Path,
    name: str,
    *arguments: str | Path,
    cwd: Path,
    variables: Mapping[str, str] | None = None,
    at_least: int = 1,
) -> str:
    """Run pytest, and check its skips and the number of its tests; return its closing line."""
    results = WORK / f"{name}.xml"
    pytest = (python, "-m", "pytest", *NO_HANG, "-p", "no:cacheprovider")
    lines = run(*LIMIT, *pytest, f"--junitxml={results}", *arguments, cwd=cwd, variables=variables)
    run(python, ".ci/check_skips.py", "--at-least", str(at_least), results)
    return lines[-1]


def without(*folders: str) -> list[str]:
    """Return the options that leave folders of tests out."""
    return [f"--ignore=tests/{folder}" for folder in folders]


def as_root(profile: str = "quick") -> list[str]:
    """Return the beginning of a command that is run as root, with the tests' profile."""
    kept = ("LD_LIBRARY_PATH", "PATH")  # sudo drops these
    settings = [f"{name}={os.environ[name]}" for name in kept if name in os.environ]
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    more = ("PYTHONDONTWRITEBYTECODE=1", f"PYDBGWRITE_TEST_PROFILE={profile}")
    return [*sudo, "env", *more, *settings]
