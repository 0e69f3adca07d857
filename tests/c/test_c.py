"""Compile and run the tests that are written in C: tests/c/test_*.c.

Each is a separate program, linked with the core, the COM declarations, the embedded engine and
the helpers in tests/c. $CC names another compiler; PYDBGWRITE_SANITIZE=1 turns on the sanitizers of
addresses and undefined behaviour, PYDBGWRITE_SANITIZE=thread the one of data races;
PYDBGWRITE_COVERAGE=1 counts lines for gcov. Warnings are errors only in CI or with
PYDBGWRITE_WERROR=1: elsewhere the warnings of a newer compiler fail no test.

The fuzzer's harnesses in C (tests/fuzz/native) run on their kept corpus, without libFuzzer.
"""

from __future__ import annotations

import os
import runpy
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
from fuzz.programs import HELPERS, NATIVE, fuzzed_sources
from fuzz.programs import PROGRAMS as HARNESSES
from support.places import ROOT

FOLDER = ROOT / "tests" / "c"
LINUX = sys.platform == "linux"
LINUX_ONLY = ("linux_", "test_linux_")

#: It shares large work among idle processors. It is the last: then the other worker's test, for
#: which it waits, is a short one.
ALONE = "test_linux_parallel"
PROGRAMS = sorted(
    (
        path.stem
        for path in FOLDER.glob("test_*.c")
        if LINUX or not path.name.startswith(LINUX_ONLY)
    ),
    key=lambda name: (name == ALONE, name),
)


def compiler_flags() -> list[str]:
    """Return the warnings of setup.py, and what its switches mean for a program in C."""
    with mock.patch.dict(os.environ, {}):
        setup = runpy.run_path(str(ROOT / "setup.py"))
    assert "-Wall" in setup["GCC_WARNINGS"]
    switched_on = setup["switched_on"]
    flags = ["-std=c11", "-O1", "-g", *setup["GCC_WARNINGS"]]
    if switched_on("COVERAGE"):
        flags += ["--coverage", "-O0"]  # optimized code has no counts for some lines
    if os.environ.get("CI") or switched_on("WERROR"):
        flags.append("-Werror")
    if LINUX:
        flags.append("-pthread")
    if os.environ.get("PYDBGWRITE_SANITIZE") == "thread":
        flags += ["-fsanitize=thread", "-fno-omit-frame-pointer"]
    elif switched_on("SANITIZE"):
        flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
        flags.append("-fno-omit-frame-pointer")
    return flags


@dataclass(frozen=True)
class Toolchain:
    """A compiler, its flags, and the objects that every program is linked with."""

    command: list[str]
    flags: list[str]
    objects: list[str]

    def run(self, *arguments: str) -> None:
        """Compile or link; a failure shows the messages of the compiler."""
        done = subprocess.run(
            [*self.command, *self.flags, *arguments], capture_output=True, text=True, cwd=ROOT
        )
        assert done.returncode == 0, f"{shlex.join(self.command)} failed\n{done.stderr}"


def sources() -> list[Path]:
    """Return the C files that the programs share."""
    folders = ("base", "com", "core", "engines/embedded")
    found = [path for folder in folders for path in (ROOT / "csrc" / folder).rglob("*.c")]
    shared = [path for path in found if LINUX or "linux" not in path.parts]
    helpers = [path for path in FOLDER.glob("*.c") if not path.name.startswith("test_")]
    return sorted([*shared, *(p for p in helpers if LINUX or not p.name.startswith(LINUX_ONLY))])


@pytest.fixture(scope="module")
def toolchain(tmp_path_factory: pytest.TempPathFactory) -> Toolchain:
    """Compile the shared files once for all programs."""
    command = shlex.split(os.environ.get("CC", "")) or ["cc"]
    if shutil.which(command[0]) is None:
        reason = f"there is no C compiler: {command[0]} (set CC to another)"
        if os.environ.get("CI") and sys.platform != "win32":
            pytest.fail(reason)
        pytest.skip(f"{reason}, on {'Windows' if sys.platform == 'win32' else sys.platform}")
    flags = compiler_flags()
    folder = tmp_path_factory.mktemp("objects")
    bare = Toolchain(command, flags, [])
    pairs = [(source, folder / f"{number}.o") for number, source in enumerate(sources())]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda pair: bare.run("-c", str(pair[0]), "-o", str(pair[1])), pairs))
    return Toolchain(command, flags, [str(built) for _, built in pairs])


def test_there_are_programs() -> None:
    assert {"test_core", "test_core_narrow", "test_embedded_engine"} <= set(PROGRAMS)


@pytest.mark.parametrize(
    "program",
    [pytest.param(name, marks=pytest.mark.alone if name == ALONE else ()) for name in PROGRAMS],
)
def test_program(program: str, toolchain: Toolchain, tmp_path: Path) -> None:
    """All checks pass: the program reports the count that passed and prints each that failed."""
    built = tmp_path / program
    toolchain.run(str(FOLDER / f"{program}.c"), *toolchain.objects, "-o", str(built))
    done = subprocess.run(
        [str(built)], capture_output=True, text=True, cwd=tmp_path, timeout=300, errors="replace"
    )
    output = f"{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, output
    assert " passed, 0 failed" in done.stdout, output
    assert not done.stdout.startswith("0 passed"), output


@pytest.mark.parametrize("harness", HARNESSES)
def test_fuzzed(harness: str, toolchain: Toolchain, tmp_path: Path) -> None:
    """Every kept input passes: the fuzzer's first ones, and what it found."""
    if not LINUX:
        pytest.skip("the harness lays out memory by mmap(2)")
    inputs = sorted((ROOT / "tests" / "fuzz" / "corpus" / harness).iterdir())
    assert len(inputs) >= 10
    files = [NATIVE / f"{name}.c" for name in (f"fuzz_{harness}", "replay", *HELPERS)]
    more = [path for path in fuzzed_sources() if path not in sources()]
    built = tmp_path / harness
    toolchain.run(*map(str, (*files, *more)), *toolchain.objects, "-o", str(built))
    done = subprocess.run(
        [str(built), *map(str, inputs)],
        capture_output=True,
        text=True,
        timeout=300,
        errors="replace",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{len(inputs)} passed, 0 failed\n"
