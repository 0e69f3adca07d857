"""Shared libraries made by the system's compiler, and live programs that have loaded them."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_COMPILER = shlex.split(os.environ.get("CC") or "cc")

#: Symbols of every kind that resolve() meets.
SOURCE = """
__attribute__((visibility("default"))) unsigned long table[16] = {1, 2, 3};
__attribute__((visibility("default"))) int first(void) { return 1; }
__thread int own_of_thread = 3;
#ifdef INDIRECT
static int (*choose(void))(void) { return first; }
int chosen(void) __attribute__((ifunc("choose")));
#endif
extern int puts(const char *);
int calls_puts(void) { return puts("x"); }
int old_answer(void) { return 1; }
int middle_answer(void) { return 2; }
int new_answer(void) { return 3; }
__asm__(".symver old_answer,answer@V_1");
__asm__(".symver middle_answer,answer@V_2");
__asm__(".symver new_answer,answer@@V_3");
__asm__(".globl fixed_value\\n.set fixed_value, 0x1234\\n");
"""
#: Two of these have a local symbol of the same name.
PART = "static int twice{n} = {n}; int part_{n}(void) {{ return ++twice{n}; }}".replace(
    "twice{n}", "twice"
)
VERSIONS = "V_1 { global: answer; table; first; local: *; }; V_2 { } V_1; V_3 { } V_2;\n"

#: The beginning of programs that print the requested values in their first line.
ANSWERS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#define SAY(...) (printf(__VA_ARGS__), fflush(stdout))
#define NUMBER(x) ((unsigned long)(x))
"""

#: musl has no indirect functions, and its compilers refuse them.
INDIRECT = platform.libc_ver()[0] == "glibc"

# Loads the given libraries, prints a symbol's address, and then waits.
_PROGRAM = """
import ctypes, sys
loaded = [ctypes.CDLL(path) for path in sys.argv[2:]]
print(ctypes.addressof(ctypes.c_char.in_dll(loaded[0], sys.argv[1])), flush=True)
sys.stdin.read()
"""


def shared_library(path: Path, source: str, *flags: str) -> Path:
    """Compile a library of one C file to that path; skip the test if there is no compiler."""
    if shutil.which(_COMPILER[0]) is None:
        pytest.skip(f"no C compiler: {_COMPILER[0]} is not there")
    command = [*_COMPILER, "-shared", "-fPIC", "-x", "c", "-", "-o", str(path), *flags]
    done = subprocess.run(command, input=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return path


def compile_program(
    path: Path, source: str, *flags: str, compiler: str | None = None, language: str = "c"
) -> Path:
    """Compile a program of one file to that path; skip the test if there is no compiler."""
    if shutil.which(_COMPILER[0]) is None:
        pytest.skip(f"no C compiler: {_COMPILER[0]} is not there")
    used = _COMPILER if compiler is None else [compiler]
    command = [*used, "-x", language, "-", "-x", "none", "-o", str(path), *flags]
    done = subprocess.run(command, input=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return path


def compile_library(path: Path, *flags: str) -> Path:
    """Compile a library of all of the above to that path; skip the test without a compiler."""
    if shutil.which(_COMPILER[0]) is None:
        pytest.skip(f"no C compiler: {_COMPILER[0]} is not there")
    folder = path.parent
    sources = []
    for name, text in (
        ("source.c", SOURCE),
        ("part1.c", PART.format(n=1)),
        ("part2.c", PART.format(n=2)),
    ):
        (folder / name).write_text(text)
        sources.append(str(folder / name))
    script = folder / "versions.map"
    script.write_text(VERSIONS)
    command = [*_COMPILER, "-shared", "-fPIC", "-O0", "-Wl,--build-id", "-o", str(path), *sources]
    if INDIRECT:
        command.append("-DINDIRECT")
    done = subprocess.run(
        [*command, f"-Wl,--version-script={script}", *flags], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return path


@contextmanager
def program_with(*libraries: Path, symbol: str = "table") -> Iterator[tuple[int, int]]:
    """Yield the pid of a live program with these libraries, and the first one's symbol address."""
    command = [sys.executable, "-I", "-c", _PROGRAM, symbol, *map(str, libraries)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        try:
            line = child.stdout.readline()
            assert line, "the program has ended"
            yield child.pid, int(line)
        finally:
            child.kill()


@contextmanager
def running(
    *command: object, preload: Path | None = None
) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Yield a running program and the numbers of its first line; it ends with its input."""
    # A library that is preloaded into the tests themselves may be of another C library.
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    if preload is not None:
        environment["LD_PRELOAD"] = str(preload)
    words = [str(word) for word in command]
    with subprocess.Popen(words, stdin=-1, stdout=-1, text=True, env=environment) as child:
        try:
            assert child.stdout is not None
            yield child, [int(word) for word in child.stdout.readline().split()]
        finally:
            child.kill()


def without_map_files(open_file: Any) -> Any:
    """Return os.open() as it works without CAP_CHECKPOINT_RESTORE."""

    def refuse(path: Any, *arguments: Any, **options: Any) -> int:
        if "map_files/" in str(path):
            raise PermissionError(1, "Operation not permitted")
        result: int = open_file(path, *arguments, **options)
        return result

    return refuse
