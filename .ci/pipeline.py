"""The steps of .ci/run.

One wheel is built, only from the sdist, and is tested wherever a test can use it. The first steps
run in parallel; suites have both processors to themselves. All that is made is in a temporary
folder, so that a developer's own builds do not interfere.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
import traceback
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from free_threaded import free_threaded_python
from machine import (
    ROOT,
    WORK,
    Failure,
    Python,
    copied,
    keep_output,
    need,
    once,
    pythons,
    run,
    say,
    show_output,
    tracked,
)

Show = TypeVar("Show", bound=Callable[[], str | None])

PYTHON = pythons()[0]
#: The steps that passed in this clone, with nothing changed in it.
RAN = ROOT / ".cache" / "ran.json"
FUZZED = ((3, 11), (3, 12), (3, 13))  # the versions with wheels of atheris
#: On the 32-bit Windows Python: every kind of session.
NARROW = "tests/conformance/test_conformance_pointers.py"
#: A run of the whole suite has more tests.
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

#: Coverage imports modules, and writes files, that they see.
NOT_COVERED = (
    "cli/test_cli.py::test_the_version_needs_no_command",
    "cli/test_cli_doctor.py::test_what_runs_without_numpy",
    "cli/test_cli_history.py::test_a_full_disk",
    "cli/test_cli_read.py::test_a_pipe_needs_no_package_for_terminals",
    "unit/test_imports.py::test_the_identity_of_a_process_needs_no_openssl",
)
#: Folders of tests in C.
C_TESTS = ("c", "fuzz/native", "matrix")
#: Files whose tests enter no C, or by ways that other files take too.
NOT_SANITIZED = (
    *("patch_[efrs]*", "report*", "kept_journals", "undo_cost"),
    *("signal_handlers*", "descriptors_owned", "undo_after_kill"),
    *("linux_kept_files", "linux_naming", "rollout*"),
)
#: Large amounts by ways that small ones take too.
SLOW_SANITIZED = (
    "unit/test_transactions.py::test_a_million_pointers_are_undone_in_no_time",
    "linux/test_large_live.py::test_moving[4194304]",
    "unit/test_find_simulated.py::test_many_regions",
    "conformance/test_addresses.py::test_what_is_meant_is_among_the_readings",
)


@dataclass
class Step:
    """A function that checks something, or raises; it returns its suite's closing line, if any.

    budget: the seconds that it may take on a quiet machine of two processors. It is printed beside
    the time taken; a longer time is no failure, since other work may slow the machine.
    by_name: it runs only if it is named, since it takes longer than .ci/run has.
    proves: of wheels (a pattern of their names), in a few words, for the table in CONTRIBUTING.md.
    """

    name: str
    show: Callable[[], str | None]
    budget: int
    together: bool
    by_name: bool
    proves: Mapping[str, str]
    summary: str = ""
    closing: str | None = None
    passed: bool | None = None


#: The steps in their order, except that those that run together come first.
STEPS: list[Step] = []


def step(
    *,
    budget: int,
    together: bool = False,
    by_name: bool = False,
    name: str = "",
    proves: Mapping[str, str] | None = None,
) -> Callable[[Show], Show]:
    """Add a function to the steps."""

    def add(show: Show) -> Show:
        STEPS.append(Step(name or show.__name__, show, budget, together, by_name, proves or {}))
        return show

    return add


# --------------------------------------------------------------------------- helpers of the steps


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
    build = (tools() / "python", "-m", "build", "-q", "--no-isolation", "--sdist")
    run(*build, "--outdir", WORK / "dist", copied("to-pack"))
    (packed,) = (WORK / "dist").glob("pydbgwrite-*.tar.gz")
    with tarfile.open(packed) as files:
        files.extractall(WORK / "sdist", filter="data")
    (folder,) = (WORK / "sdist").iterdir()
    if (folder / ".ci").exists() or (folder / ".github").exists():
        raise Failure("the sdist holds files of CI")
    return folder


@once
def built_wheel() -> Path:
    """Return the one wheel, built from the sdist with -Werror."""
    return wheel_of(sdist(), WORK / "dist")


def wheel_of(source: Path, folder: Path, umask: str = "022") -> Path:
    """Build the wheel of an unpacked sdist into a folder; return it."""
    need("gcc")
    masked = ("sh", "-c", f'umask {umask}; exec "$@"', "sh")
    build = (*masked, tools() / "python", "-m", "build", "-q", "--no-isolation", "--wheel")
    switches = {"PYDBGWRITE_WERROR": "1", "SOURCE_DATE_EPOCH": "315532800"}
    run(*build, "--outdir", folder, source, variables=switches)
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


# ------------------------------------------------------------------------------------------ steps


@step(
    budget=80,
    together=True,
    proves={"cp311-abi3-manylinux_x86_64": "built from the sdist, audited, the same twice"},
)
def wheel() -> None:
    """The sdist and, of that alone, the abi3 wheel, with -Werror; audited; the same twice."""
    first = built_wheel()
    run(tools() / "abi3audit", "--strict", "--summary", first)
    # Elsewhere, later, and with another umask, which must make no difference.
    clean = shutil.ignore_patterns("build")
    place = shutil.copytree(sdist(), WORK / "elsewhere", ignore=clean)
    again = wheel_of(place, WORK / "again", umask="077")
    if first.read_bytes() != again.read_bytes():
        raise Failure(f"{first.name} is not the same to the byte when it is built again")


@step(budget=180, together=True)
def lint() -> None:
    """ruff, mypy, stubtest, clang-format, the rules of the source, the workflows."""
    need("shellcheck")
    folder = copied("lint")
    packages = (f"{built_wheel()}[test]", "--group", f"{folder}/pyproject.toml:lint")
    bin_ = environment("lint-venv", PYTHON, *packages)
    # stubtest imports the package from the folder that mypy reads.
    with zipfile.ZipFile(built_wheel()) as files:
        for name in files.namelist():
            if name.endswith(".so"):
                files.extract(name, folder)
    check = partial(run, cwd=folder)
    check(bin_ / "ruff", "check", ".")
    check(bin_ / "ruff", "format", "--check", ".")
    check(bin_ / "mypy")
    check(
        bin_ / "mypy", "conftest.py", "docs/check_site.py", *sorted((folder / ".ci").glob("*.py"))
    )
    stubs = ("--mypy-config-file", "pyproject.toml", "--allowlist", ".ci/stubtest-allowlist.txt")
    check(bin_ / "python", "-m", "mypy.stubtest", *stubs, "pydbgwrite")
    check(bin_ / "python", ".ci/check_imports.py")
    check(bin_ / "python", ".ci/check_units.py")
    check(bin_ / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", ".ci")
    check(bin_ / "clang-format", "--dry-run", "-Werror", *tracked("*.c", "*.h"))
    check("shellcheck", ".ci/run")
    workflows = sorted((folder / ".github" / "workflows").glob("*.yml"))
    check(bin_ / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    check(bin_ / "zizmor", "--offline", "--no-progress", "--persona", "pedantic", *workflows)
    for platform in ("linux", "windows"):
        builds = f"{bin_}/cibuildwheel --print-build-identifiers --platform {platform}"
        check_platform = f"{bin_}/python .ci/check_wheels.py identifiers {platform}"
        check("bash", "-o", "pipefail", "-c", f"{builds} | {check_platform}")


@step(budget=150, together=True)
def docs() -> None:
    """The site, by `make docs` in the environment of the README; a warning is an error."""
    need("make")
    run("make", "docs", cwd=clone())


@step(
    budget=200,
    together=True,
    proves={
        "cp311-abi3-manylinux_aarch64": "each C file compiled, by gcc",
        "cp311-abi3-musllinux_x86_64": "each C file compiled, by musl-gcc",
        "cp311-abi3-win32": "each C file compiled, by mingw",
        "cp311-abi3-win_arm64": "each C file compiled, by clang",
        "cp314-cp314t-manylinux_x86_64": "each C file compiled with Py_GIL_DISABLED",
        "cp314-cp314t-manylinux_aarch64": "each C file compiled, by gcc",
        "cp314-cp314t-musllinux_x86_64": "each C file compiled, by musl-gcc",
        "cp314-cp314t-win32": "each C file compiled, by mingw",
        "cp314-cp314t-win_arm64": "each C file compiled, by clang",
    },
)
def builds() -> None:
    """-Werror -pedantic under clang; aarch64, musl, Windows on x86, arm64; free-threaded, too."""
    need("clang")
    need("gcc")
    folder = copied("builds")
    build = (tools() / "python", "setup.py", "-q", "build_ext")
    switches = {"CC": "clang", "PYDBGWRITE_WERROR": "1", "PYDBGWRITE_PEDANTIC": "1"}
    run(*build, cwd=folder, variables=switches)
    # pyconfig.h of this machine has the sizes of all 64-bit Linuxes. Debian's selects a file by
    # architecture, and that file is used.
    code = "import sysconfig; print(sysconfig.get_config_h_filename())"
    (config,) = run(PYTHON.path, "-c", code, quiet=True)
    need("musl-tools", "musl-gcc")
    need("gcc-aarch64-linux-gnu", "aarch64-linux-gnu-gcc")
    need("libc6-dev-arm64-cross", test=Path("/usr/aarch64-linux-gnu/include/stdio.h").exists)
    limited = python_headers("linux-headers", Path(config))
    # A free-threaded build has no Limited API: the source must compile without it too.
    newest = max(pythons(), key=lambda python: (python.has_headers, python.version))
    free = ["-DPy_GIL_DISABLED=1", f"-I{newest.include}"]
    in_c = sorted(str(each) for name in C_TESTS for each in folder.glob(f"tests/{name}/*.c"))
    # musl-gcc leaves out the kernel's headers, which Alpine's package linux-headers has.
    kernel = [f"-idirafter{place}" for place in ("/usr/include", "/usr/include/x86_64-linux-gnu")]
    check = partial(check_syntax, folder=folder)
    for headers in (limited, free):
        flags = ["-pthread", "-Icsrc", *headers, *in_c]
        check("aarch64-linux-gnu-gcc", platform="linux-aarch64", flags=flags)
        check("musl-gcc", platform="linux-x86_64", flags=[*flags, *kernel])
    for compiler in ("gcc", "clang"):
        check(compiler, platform="linux-x86_64", flags=["-pthread", *free])
    need("gcc-mingw-w64-i686", "i686-w64-mingw32-gcc")
    # The Windows lane compiles all for x64, with the same warnings, as errors.
    config_h = folder / "tests" / "windows" / "pyconfig.h"
    limited = python_headers("windows-headers", config_h)
    free = ["-DPy_GIL_DISABLED=1", python_headers("windows-free", config_h, newest)[-1]]
    # Debian's mingw has no compiler for arm64, but clang takes its headers. They lack a function
    # of MSVC that free-threaded CPython's headers call.
    arm64 = "clang --target=aarch64-w64-mingw32 -isystem/usr/share/mingw-w64/include"
    (WORK / "msvc.h").write_text("unsigned long long __getReg(int number);\n")
    for headers in (limited, free):
        check("i686-w64-mingw32-gcc", platform="win32", flags=headers)
        check(arm64, platform="win-arm64", flags=[*headers, "-include", str(WORK / "msvc.h")])


def python_headers(name: str, config: Path, python: Python = PYTHON) -> list[str]:
    """Return flags for the Limited API, with a copy of CPython's headers and this pyconfig.h."""
    shutil.copytree(python.include, WORK / name)
    shutil.copy(config, WORK / name / "pyconfig.h")
    return ["-DPy_LIMITED_API=0x030B0000", f"-I{WORK / name}"]


def check_syntax(compiler: str, folder: Path, platform: str, flags: list[str]) -> None:
    """Check that the compiler accepts all C files of that platform without a warning."""
    code = """
import runpy, sys
from unittest import mock
with mock.patch("sysconfig.get_platform", lambda: sys.argv[1]):
    setup = runpy.run_path("setup.py")
    print(*setup["GCC_WARNINGS"], *setup["sources"](), sep="\\n")
"""
    found = run(tools() / "python", "-c", code, platform, cwd=folder, quiet=True)
    check = (*compiler.split(), "-fsyntax-only", "-std=c11", "-Werror")
    run(*check, *flags, *found, "csrc/demo/demo_target.c", cwd=folder)
    # Functions that the benchmarks call by ctypes, so they have no prototypes.
    measured = "bench/lib/raw.c" if platform.startswith("linux") else "bench/lib/engine_calls.c"
    run(*check, "-Wall", "-Wextra", measured, cwd=folder)


@step(
    budget=250,
    by_name=True,
    proves={
        "cp311-abi3-win*": "linked whole, by zig, with the names of the stable ABI alone",
        "cp311-abi3-musllinux_aarch64": "linked whole, by zig, and audited",
        "cp314-cp314t-musllinux_aarch64": "linked whole, by zig",
    },
)
def linked() -> None:
    """Modules for Windows on arm64, x86 and x64, and for musl on arm64, linked by zig; checked."""
    folder = copied("linked")
    group = ("--group", f"{folder}/pyproject.toml:linked")
    bin_ = environment("linked-venv", PYTHON, *group)
    config = folder / "tests" / "windows" / "pyconfig.h"
    headers = python_headers("headers-to-link", config)[-1].removeprefix("-I")
    link = (bin_ / "python", ".ci/windows_modules.py", headers, WORK / "linked-modules")
    run(*link, cwd=folder)
    newest = max(pythons(), key=lambda python: (python.has_headers, python.version))
    limited = link_for_musl(bin_ / "python", folder, "311", f"-I{PYTHON.include}")
    run(tools() / "abi3audit", "--strict", "--assume-minimum-abi3", "3.11", *limited)
    link_for_musl(bin_ / "python", folder, "314t", f"-I{newest.include} -DPy_GIL_DISABLED=1")


def link_for_musl(python: Path, folder: Path, builder: str, flags: str) -> list[Path]:
    """Build the modules for musl on arm64 by the project's own setup.py; return them."""
    work = WORK / f"musl-{builder}"
    compiler = f"{python} -m ziglang cc -target aarch64-linux-musl"
    variables = {
        "_PYTHON_HOST_PLATFORM": "linux-aarch64",
        "PYDBGWRITE_LANE_BUILDER": builder,  # read by cross_setup.py
        "PYDBGWRITE_WERROR": "1",
        "ZIG_GLOBAL_CACHE_DIR": str(WORK / "zig"),
        "CC": compiler,
        "LDSHARED": f"{compiler} -shared -s",
        "CFLAGS": f"{flags} -DNDEBUG -fPIC",
        "LDFLAGS": "",
    }
    places = ("--build-temp", work / "build", "--build-lib", work / "modules")
    build = (python, "tests/windows/cross_setup.py", "-q", "build_ext", *places)
    run(*build, cwd=folder, variables=variables)
    made = sorted((work / "modules" / "pydbgwrite").iterdir())
    named = [each.rename(each.with_suffix(".abi3.so")) for each in made]
    for each in named:
        # The number of the machine, of a little-endian file: EM_AARCH64 in elf.h.
        if each.read_bytes()[18:20] != b"\xb7\x00":
            raise Failure(f"{each.name} is not for aarch64")
    return named


@step(budget=170, together=True)
def fuzz() -> None:
    """Readers of files, the core, the embedded engine, wrapped engines under a fuzzer, 8 s each."""
    fuzz_for(8)


@step(budget=300, by_name=True, name="fuzz-long")
def fuzz_long() -> None:
    """The same, half a minute each."""
    fuzz_for(30)


def fuzz_for(seconds: int) -> None:
    """Fuzz each kind for that time."""
    python = next((each for each in pythons() if each.version[:2] in FUZZED), None)
    if python is None:
        raise Failure("atheris, the fuzzer, needs a CPython 3.11 to 3.13, and none is on PATH")
    python.complete(f"python{python.version[0]}.{python.version[1]}")
    need("clang")
    version = run("clang", "-dumpversion", quiet=True)[0].partition(".")[0]
    need(f"libclang-rt-{version}-dev", test=clang_has_fuzzer)
    group = ("--group", f"{copied('fuzz')}/pyproject.toml:fuzz")
    bin_ = environment("fuzz-venv", python, f"{built_wheel()}[test]", *group)
    fuzzer = (bin_ / "python", "tests/fuzz/fuzz.py", "--seconds", str(seconds))
    run(*fuzzer, cwd=WORK / "fuzz")


def clang_has_fuzzer() -> bool:
    """Return whether clang can link a program with libFuzzer, which Debian packages separately."""
    program = (
        "int LLVMFuzzerTestOneInput(const char *data, long size) { return size > 0 && !data; }"
    )
    command = ["clang", "-fsanitize=fuzzer", "-x", "c", "-", "-o", os.devnull]
    return (
        subprocess.run(command, input=program, text=True, stderr=subprocess.DEVNULL).returncode == 0
    )


@step(budget=360, together=True)
def kernels() -> None:
    """Opening, searching and writing on Debian's kernels 5.10 to 6.12, in qemu."""
    results = WORK / "kernels"
    # In place, for its cache, .cache/kernel-lane; its Python builds the extension for the guests.
    run(tools() / "python", "tests/kernels/lane.py", "--install", "--junit", results)
    run(PYTHON.path, ".ci/check_skips.py", "--clone", *sorted(results.glob("*.xml")))


@step(
    budget=300,
    by_name=True,
    name="kernels-arm64",
    proves={"cp311-abi3-manylinux_aarch64": "its core on two arm64 kernels, in qemu"},
)
def kernels_arm64() -> None:
    """The same on Debian's kernels for arm64, with pages of 4 and of 16 KiB."""
    results = WORK / "kernels-arm64"
    run(tools() / "python", "tests/kernels/lane.py", "arm64", "--install", "--junit", results)
    run(PYTHON.path, ".ci/check_skips.py", "--clone", *sorted(results.glob("*.xml")))


@step(budget=210)
def readme() -> str:
    """The README's commands, as printed, in a clean clone: the suite, quick profile."""
    need("g++")
    need("musl-tools", "musl-gcc")
    results = WORK / "readme.xml"
    lines = as_printed(clone(), 1, shlex.join([*NO_HANG, f"--junitxml={results}"]))
    run(PYTHON.path, ".ci/check_skips.py", "--clone", "--at-least", str(WHOLE), results)
    return lines[-1]


@step(budget=45, proves={"cp311-abi3-manylinux_x86_64": "where system calls are refused"})
def matrix() -> str:
    """What is done where system calls are refused, in namespaces, under limits, on musl."""
    need("gcc")
    need("musl-tools", "musl-gcc")
    # As root for namespaces and mounts; cells of an ordinary user drop those privileges.
    return run(*as_root(), tested(PYTHON), "tests/matrix/matrix.py", cwd=sdist())[-1]


@step(budget=60, by_name=True)
def hosts() -> str:
    """Rollouts over Dask on three machines (namespaces): kills, a machine that is cut off."""
    return rollouts_on_hosts("quick")


@step(budget=300, by_name=True, name="hosts-long")
def hosts_long() -> str:
    """The same, with 40 kills."""
    return rollouts_on_hosts("full")


def rollouts_on_hosts(profile: str) -> str:
    """Run the tests that need Dask; root makes the namespaces."""
    need("gcc")
    need("iproute2", "ip")
    need("openssl")
    group = ("--group", f"{sdist()}/pyproject.toml:dask")
    python = environment("hosts-venv", PYTHON, f"{built_wheel()}[test]", *group) / "python"
    results = WORK / "hosts.xml"
    pytest = (python, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={results}")
    options = ("--durations=5", "tests/linux/test_rollout_hosts.py")
    lines = run(*as_root(profile), *pytest, *options, cwd=sdist())
    run(python, ".ci/check_skips.py", results)
    return lines[-1]


@step(budget=30)
def ctests() -> str:
    """The tests in C under the sanitizers, with leak detection."""
    need("gcc")
    return suite(
        tested(PYTHON),
        "ctests",
        "tests/c/test_c.py",
        cwd=sdist(),
        variables={
            "PYDBGWRITE_SANITIZE": "1",
            "ASAN_OPTIONS": "detect_leaks=1",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        },
    )


@step(budget=300)
def sanitize() -> str:
    """All that enters the extension, under AddressSanitizer and UndefinedBehaviorSanitizer."""
    need("gcc")
    need("musl-tools", "musl-gcc")
    folder = copied("sanitize")
    switches = {"PYDBGWRITE_SANITIZE": "1", "PYDBGWRITE_WERROR": "1"}
    bin_ = environment("sanitize-venv", PYTHON, f"{folder}[test]", variables=switches)
    # Without the sanitizers the suite would also pass, and show nothing.
    (core,) = bin_.parent.rglob("pydbgwrite/_core*.so")
    if not any("libasan" in line for line in run("ldd", core)):
        raise Failure(f"{core} is not instrumented")
    # libstdc++ too, since numpy's C++ exceptions pass the sanitizer's interceptors.
    libraries = [
        run("gcc", f"-print-file-name={name}", quiet=True)[0]
        for name in ("libasan.so", "libstdc++.so.6")
    ]
    return suite(
        bin_ / "python",
        "sanitize",
        *TWO_WORKERS,
        "--durations=10",
        "--capture=sys",  # reports bypass pytest's capture, which an abort would lose
        *without("c", "cli", "docs"),
        *(f"--ignore-glob=*/test_{name}.py" for name in NOT_SANITIZED),
        *(f"--deselect=tests/{name}" for name in SLOW_SANITIZED),
        cwd=folder,
        variables={
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
            # LeakSanitizer reports CPython itself at exit; the suite has its own tests for leaks.
            # A refused malloc() must return NULL, as it does elsewhere: tests request too much.
            "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1",
            "PYTHONMALLOC": "malloc",
            "LD_PRELOAD": " ".join(libraries),
        },
    )


@step(
    budget=70,
    name="pythons",
    proves={"cp311-abi3-manylinux_x86_64": "its core, on each CPython between the ends"},
)
def other_pythons() -> str:
    """The wheel's core on the CPythons between the README's and the newest."""
    closing = ""
    tests = (
        "conformance/test_conformance_*",
        "unit/test_imports",
        "unit/test_input_*",
        "*/test_session*",
    )
    which = [file for each in tests for file in sorted(sdist().glob(f"tests/{each}.py"))]
    for number, python in enumerate(pythons()[1:]):
        if python != newest_python():
            say(f"\n=== {python}")
            name = f"pythons-{number}"
            closing = suite(tested(python), name, *TWO_WORKERS, "-q", *which, cwd=sdist())
    if not closing:
        raise Failure("there is no CPython between the first and the newest on PATH")
    return closing


@once
def windows_lane() -> tuple[Path, str]:
    """Return the start of a command line of the Windows lane; its Wine is not installed yet."""
    need("gcc-mingw-w64-x86-64", "x86_64-w64-mingw32-gcc")
    need("gcc-mingw-w64-i686", "i686-w64-mingw32-gcc")
    # The lane makes its Windows Python from the library and headers of a CPython of that version.
    python = next((each for each in pythons() if each.version[:2] == (3, 11)), None)
    if python is None:
        raise Failure("the Windows lane needs CPython 3.11, and none is on PATH")
    python.complete("python3.11")
    run(python.path, "-m", "venv", WORK / "windows-venv")
    # In place, for its cache, .cache/windows-lane: it builds and tests this folder.
    return WORK / "windows-venv/bin/python", "tests/windows/lane.py"


@step(
    budget=450,
    proves={
        "cp311-abi3-win_amd64": "the suite on Microsoft's engine under Wine, CPython 3.14 too",
        "cp311-abi3-win32": "pointers in every kind of session, on Microsoft's x86 engine",
    },
)
def windows() -> str:
    """The suite on a Windows CPython against Microsoft's engines, under Wine."""
    need("wine")
    closing = whole_lane("windows")
    on_32_bits("windows-32", "--no-peers", "--", NARROW)
    run(*windows_lane(), "versions", "3.14")
    return closing


def whole_lane(name: str, *options: str) -> str:
    """Run the suite in the Windows lane, and check its skips; return the count of tests."""
    results = WORK / name
    # Without 32-bit programs it would leave tests out, so it fails then.
    quick = ("--win32", "yes", "--quick", "--junit", results)
    run(*windows_lane(), *options, *quick, "--", "-q", "--durations=15")
    older = results / "older.xml"  # the conformance and differential suites on a second engine
    reports = sorted(set(results.glob("*.xml")) - {older})
    run(PYTHON.path, ".ci/check_skips.py", "--lane-older", older)
    return run(PYTHON.path, ".ci/check_skips.py", "--lane", *reports)[-1]


@step(
    budget=600,
    by_name=True,
    name="windows-more",
    proves={
        "cp311-abi3-win_amd64": "writes through Microsoft's engine, by each CPython",
        "cp311-abi3-win32": "the suite on Microsoft's x86 engine under Wine",
        "cp314-cp314t-win_amd64": "writes through Microsoft's engine, CPython 3.13t and 3.14t",
    },
)
def windows_more() -> None:
    """The suite on a 32-bit Windows CPython; the wheel on each Windows CPython."""
    need("wine")
    on_32_bits("windows-more", "--")
    run(*windows_lane(), "versions")


@step(
    budget=900,
    by_name=True,
    name="windows-wine10",
    proves={"cp311-abi3-win_amd64": "the suite under Wine 10, which heeds page protection"},
)
def windows_wine_10() -> str:
    """The suite under Wine 10, which heeds page protection in part. It needs root, and Debian."""
    need("mmdebstrap")
    return whole_lane("windows-wine10", "--wine", "10")


def on_32_bits(name: str, *arguments: str) -> None:
    """Run tests on the 32-bit Windows Python, against the engine of that width."""
    results = WORK / name
    run(*windows_lane(), "win32", "--quick", "--junit", results, *arguments, "-q")
    run(PYTHON.path, ".ci/check_skips.py", "--lane-32", *sorted(results.glob("*.xml")))


@step(budget=200, proves={"cp311-abi3-manylinux_x86_64": "the suite on the newest CPython here"})
def newest() -> str:
    """The suite without its programs in C, on the wheel, from the sdist, by the newest CPython."""
    return suite_of_wheel("newest", *without("c"), profile="quick")


@step(
    budget=700,
    by_name=True,
    proves={"cp311-abi3-manylinux_x86_64": "the suite, full profile"},
)
def full() -> str:
    """The whole suite, full profile: random tests and kills take minutes."""
    return suite_of_wheel("full", profile="full")


#: They count blocks. The free-threaded 3.13 keeps every type and function that is made after the
#: first thread has begun ("immortalized", docs.python.org), so they run in a process without one.
BLOCKS = ("unit/test_memory_leaks", "unit/test_patch_leaks")


@step(
    budget=900,
    by_name=True,
    name="free",
    proves={"cp314-cp314t-manylinux_x86_64": "the suite of its source, on CPython 3.13t or 3.14t"},
)
def without_gil() -> str:
    """The suite on a free-threaded CPython, the GIL off; data races in the programs in C."""
    need("g++")
    need("musl-tools", "musl-gcc")
    folder = copied("free")
    python = free_threaded_python()
    version = run(python, "-c", "import sys; print(*sys.version_info[:2])", quiet=True)[0]
    say(f"CPython {version}, {python}")
    run(python, "-m", "venv", "--without-pip", WORK / "free-venv")
    interpreter = WORK / "free-venv" / "bin" / "python"
    pip = (tools() / "python", "-m", "pip", "--python", interpreter, "install")
    with (folder / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    packages = [each for each in (*extras["cli"], *extras["test"]) if "[" not in each]
    if version == "3 13":  # it has no wheel there; tests/support/demangling.py
        packages = [each for each in packages if not each.startswith("multi-demangle")]
    run(*pip, "--only-binary=:all:", *packages)
    # In place: the tests' child processes and the benchmarks find the package there.
    switches = {"PYDBGWRITE_WERROR": "1"}
    run(*pip, "--no-deps", "--no-build-isolation", "-e", folder, variables=switches)
    off = {"PYTHON_GIL": "0"}
    same_free_threaded_wheel(interpreter)
    blocks = [f"tests/{each}.py" for each in BLOCKS]
    # Each of its turns takes seconds while this Python's blocks are traced.
    slow = "--deselect=tests/unit/test_memory_leaks.py::test_live_sessions_leave_nothing_behind"
    suite(interpreter, "blocks", "-n0", "-q", slow, *blocks, cwd=folder, variables=off)
    left_out = [f"--ignore={each}" for each in blocks]
    options = (*TWO_WORKERS, "-q", "--durations=10", *left_out, *without("c"))
    suite(interpreter, "free", *options, cwd=folder, variables=off, at_least=WHOLE)
    racing = {"PYDBGWRITE_SANITIZE": "thread", "TSAN_OPTIONS": "halt_on_error=1"}
    return suite(tested(PYTHON), "races", "tests/c/test_c.py", cwd=folder, variables=racing)


def same_free_threaded_wheel(interpreter: Path) -> None:
    """Build the wheel of a free-threaded CPython twice, from the sdist."""
    made: list[Path] = []
    for name in ("free-one", "free-two"):
        clean = shutil.ignore_patterns("build")
        source = shutil.copytree(sdist(), WORK / name / "source", ignore=clean)
        wheel = (interpreter, "setup.py", "-q", "bdist_wheel", "--dist-dir", WORK / name)
        switches = {"PYDBGWRITE_WERROR": "1", "SOURCE_DATE_EPOCH": "315532800"}
        run(*wheel, cwd=source, variables=switches)
        made += (WORK / name).glob("pydbgwrite-*t-linux_x86_64.whl")
    first, second = made
    if first.read_bytes() != second.read_bytes():
        raise Failure(f"{first.name} is not the same to the byte when it is built again")


@step(budget=900, by_name=True)
def coverage() -> None:
    """Lines and branches of C and Python that the suite reaches, not below the kept figures."""
    need("g++")
    need("musl-tools", "musl-gcc")
    folder = copied("coverage")
    group = ("--group", f"{folder}/pyproject.toml:coverage")
    bin_ = environment("coverage-venv", PYTHON, "-e", f"{folder}[test]", *group)
    build = (tools() / "python", "setup.py", "-q", "build_ext", "--inplace")
    run(*build, cwd=folder, variables={"PYDBGWRITE_COVERAGE": "1"})
    data = WORK / "coverage-data"
    data.mkdir()
    for each in (folder, data, *folder.rglob("*/")):  # targets of other users write counts there
        each.chmod(0o777)
    measured = {"COVERAGE_FILE": str(data / "python")}
    measure = (bin_ / "python", "-m", "coverage", "run")
    pytest = (*measure, "-m", "pytest", *NO_HANG, "-p", "no:cacheprovider")
    left_out = [f"--deselect=tests/{name}" for name in NOT_COVERED]
    options = (*TWO_WORKERS, "-q", "--durations=10", *without("c", "docs"), *left_out)
    run(*LIMIT, *pytest, *options, cwd=folder, variables=measured)
    for counts in (folder / "build").rglob("*.gcda"):
        counts.chmod(0o666)  # for the matrix's other users
    # Some cells see the writing of counts, and fail: the step "matrix" judges them.
    with suppress(Failure):
        run(*measure, "tests/matrix/matrix.py", cwd=folder, variables=measured, quiet=True)
    # Their objects lie beside those of pytest's other files.
    programs = folder / "build" / "tests-in-c"
    in_c = ("-q", "tests/c/test_c.py", "--basetemp", programs)
    run(*pytest, *in_c, cwd=folder, variables=measured | {"PYDBGWRITE_COVERAGE": "1"})
    run(bin_ / "coverage", "combine", "-q", cwd=folder, variables=measured)
    extension, of_programs, of_python = (data / f"{n}.json" for n in ("extension", "c", "python"))
    gcovr = (bin_ / "gcovr", "--root", folder, "--filter", "csrc/", "--gcov-ignore-errors=all")
    (objects,) = (folder / "build").glob("temp*")
    run(*gcovr, "--json", extension, objects, cwd=folder)
    run(*gcovr, "--json", of_programs, programs, cwd=folder)
    run(bin_ / "coverage", "json", "-q", "-o", of_python, cwd=folder, variables=measured)
    reports = (extension, of_programs, of_python)
    run(bin_ / "python", ".ci/coverage_report.py", *reports, cwd=folder)


def suite_of_wheel(name: str, *arguments: str, profile: str) -> str:
    """Run the suite of the sdist on the wheel, by the newest CPython of this machine."""
    # Ubuntu's package is not the program; its machines on GitHub have google-chrome.
    need("chromium", test=lambda: bool(shutil.which("chromium") or shutil.which("google-chrome")))
    need("g++")
    need("musl-tools", "musl-gcc")
    options = (*TWO_WORKERS, "--durations=10", *arguments)
    variables = {"PYDBGWRITE_TEST_PROFILE": profile}
    python = tested(newest_python())
    return suite(python, name, *options, cwd=sdist(), variables=variables, at_least=WHOLE)


# -------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str]) -> int:
    """Run the requested steps; the closing line of the last suite is the last line."""
    names = [each.name for each in STEPS]
    parser = argparse.ArgumentParser(prog=".ci/run", description="What CI runs.")
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"of {', '.join(names)}")
    parser.add_argument("--list", action="store_true", help="say what each step shows")
    options = parser.parse_args(arguments)
    if unknown := set(options.steps).difference(names):
        parser.error(f"no step {', '.join(unknown)}; there are: {', '.join(names)}")
    if options.list:
        for each in STEPS:
            only = " Only if it is named." if each.by_name else ""
            print(f"{each.name:<15} {each.show.__doc__}{only}")
        return 0
    begun = time.monotonic()
    (commit,) = run("git", "log", "-1", "--format=%h", quiet=True)
    say(f"{PYTHON}, {PYTHON.path}, commit {commit}")
    usual = [each.name for each in STEPS if not each.by_name]
    wanted = [each for each in STEPS if each.name in (options.steps or usual)]
    together = [each for each in wanted if each.together]
    with ThreadPoolExecutor(max(len(together), 1)) as pool:
        list(pool.map(partial(perform, beside_others=len(together) > 1), together))
    for each in wanted:
        if not each.together and not any(other.passed is False for other in wanted):
            perform(each, beside_others=False)
    say(f"\n=== all in {time.monotonic() - begun:.0f} s")
    for each in wanted:
        say(each.summary or f"{each.name:<15}not run")
    if not run("git", "status", "--porcelain", quiet=True):
        keep_what_ran([each.name for each in wanted if each.passed], commit)
    if failed := [each.name for each in wanted if each.passed is False]:
        say(f"\n.ci/run: FAILED: {', '.join(failed)}")
        return 1
    if closing := [each.closing for each in wanted if each.closing]:
        say(f"\n{closing[-1]}")
    return 0


def perform(step: Step, *, beside_others: bool) -> None:
    """Run a step, and print its result."""
    if beside_others:
        keep_output()
    begun = time.monotonic()
    say(f"\n=== {step.name}: {step.show.__doc__}")
    try:
        step.closing = step.show()
        step.passed = True
    except Failure as failure:
        step.passed = False
        say(f"--- {failure}")
    except Exception:
        step.passed = False
        say(traceback.format_exc())
    took = time.monotonic() - begun
    over = ", over its budget" if took > step.budget else ""
    how = "FAILED" if not step.passed else (step.closing or "").strip("= ")
    step.summary = f"{step.name:<15}{took:5.0f} s of {step.budget:4} s{over}  {how}"
    say(f"\n--- {step.summary}")
    show_output()


def keep_what_ran(steps: Sequence[str], commit: str) -> None:
    """Keep which steps passed here, when, and on which commit, for wheel_table.py."""
    RAN.parent.mkdir(exist_ok=True)
    known = json.loads(RAN.read_text(encoding="utf-8")) if RAN.exists() else {}
    today = datetime.now(UTC).date().isoformat()
    known |= {name: {"commit": commit, "date": today} for name in steps}
    RAN.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
