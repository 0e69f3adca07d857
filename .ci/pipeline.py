"""The steps of .ci/run.

One wheel is built, only from the sdist, and is tested wherever a test can use it. The first steps
run in parallel; suites have both processors to themselves. All that is made is in a temporary
folder, so that a developer's own builds do not interfere.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tarfile
import time
import traceback
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from machine import (
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
FUZZED = ((3, 11), (3, 12), (3, 13))  # the versions with wheels of atheris
#: pytest in two processes, each file in one of them.
TWO_WORKERS = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")


@dataclass
class Step:
    """A function that checks something, or raises; it returns its suite's closing line, if any.

    budget: the seconds that it may take on a quiet machine of two processors. It is printed beside
    the time taken; a longer time is no failure, since other work may slow the machine.
    """

    name: str
    show: Callable[[], str | None]
    budget: int
    together: bool
    summary: str = ""
    closing: str | None = None
    failed: bool = False


#: The steps in their order, except that those that run together come first.
STEPS: list[Step] = []


def step(*, budget: int, together: bool = False, name: str = "") -> Callable[[Show], Show]:
    """Add a function to the steps."""

    def add(show: Show) -> Show:
        STEPS.append(Step(name or show.__name__, show, budget, together))
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
    need("gcc")
    build = (tools() / "python", "-m", "build", "-q", "--no-isolation", "--wheel")
    run(*build, "--outdir", WORK / "dist", sdist(), variables={"PYDBGWRITE_WERROR": "1"})
    (wheel,) = (WORK / "dist").glob("pydbgwrite-*-cp311-abi3-*.whl")
    return wheel


@once
def tested(python: Python) -> Path:
    """Return the interpreter of an environment with the wheel and its tests' packages."""
    name = f"tested-{pythons().index(python)}"
    return environment(name, python, f"{built_wheel()}[test]") / "python"


def newest() -> Python:
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
    return run(*bash, cwd=folder, variables={"PATH": path, "PYTEST_ADDOPTS": options})


def suite(
    python: Path,
    name: str,
    *arguments: str | Path,
    cwd: Path,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Run pytest, and check its skips; return its closing line."""
    results = WORK / f"{name}.xml"
    pytest = (python, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={results}")
    lines = run(*pytest, *arguments, cwd=cwd, variables=variables)
    run(python, ".ci/check_skips.py", results)
    return lines[-1]


def without(*folders: str) -> list[str]:
    """Return the options that leave folders of tests out."""
    return [f"--ignore=tests/{folder}" for folder in folders]


# ------------------------------------------------------------------------------------------ steps


@step(budget=60, together=True)
def wheel() -> None:
    """The sdist and, of that alone, the abi3 wheel, with -Werror under gcc; audited."""
    run(tools() / "abi3audit", "--strict", "--summary", built_wheel())


@step(budget=150, together=True)
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


@step(budget=150, together=True)
def builds() -> None:
    """-Werror -pedantic under clang; free-threaded, aarch64, musl; the files for Windows."""
    need("clang")
    need("gcc")
    folder = copied("builds")
    build = (tools() / "python", "setup.py", "-q", "build_ext")
    switches = {"CC": "clang", "PYDBGWRITE_WERROR": "1", "PYDBGWRITE_PEDANTIC": "1"}
    run(*build, cwd=folder, variables=switches)
    # A free-threaded build has no Limited API: the source must compile without it too.
    full_api = max(pythons(), key=lambda python: (python.has_headers, python.version))
    for compiler in ("gcc", "clang"):
        flags = ["-pthread", "-DPy_GIL_DISABLED=1", f"-I{full_api.include}"]
        check_syntax(compiler, folder, "linux-x86_64", flags)
    # pyconfig.h of this machine has the sizes of all 64-bit Linuxes. Debian's selects a file by
    # architecture, and that file is used.
    code = "import sysconfig; print(sysconfig.get_config_h_filename())"
    (config,) = run(PYTHON.path, "-c", code, quiet=True)
    need("musl-tools", "musl-gcc")
    need("gcc-aarch64-linux-gnu", "aarch64-linux-gnu-gcc")
    need("libc6-dev-arm64-cross", test=Path("/usr/aarch64-linux-gnu/include/stdio.h").exists)
    flags = ["-pthread", *python_headers("linux-headers", Path(config))]
    in_c = sorted(map(str, [*folder.glob("tests/c/*.c"), *folder.glob("tests/matrix/*.c")]))
    check_syntax("aarch64-linux-gnu-gcc", folder, "linux-aarch64", ["-Icsrc", *flags, *in_c])
    # musl-gcc leaves out the kernel's headers, which Alpine's package linux-headers has.
    kernel = [f"-idirafter{place}" for place in ("/usr/include", "/usr/include/x86_64-linux-gnu")]
    check_syntax("musl-gcc", folder, "linux-x86_64", ["-Icsrc", *flags, *kernel, *in_c])
    if shutil.which("x86_64-w64-mingw32-gcc"):
        flags = python_headers("windows-headers", folder / "tests" / "windows" / "pyconfig.h")
        check_syntax("x86_64-w64-mingw32-gcc", folder, "win-amd64", flags)
    else:
        say("no mingw here: the files for Windows are left to the Windows lane")


def python_headers(name: str, config: Path) -> list[str]:
    """Return flags for the Limited API, with a copy of CPython's headers and this pyconfig.h."""
    shutil.copytree(PYTHON.include, WORK / name)
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
    check = (compiler, "-fsyntax-only", "-std=c11", "-Werror", *flags)
    run(*check, *found, "csrc/demo/demo_target.c", cwd=folder)
    # Functions that the benchmarks call by ctypes, so they have no prototypes.
    measured = "bench/lib/raw.c" if platform.startswith("linux") else "bench/lib/engine_calls.c"
    run(compiler, "-fsyntax-only", "-std=c11", "-Wall", "-Wextra", "-Werror", measured, cwd=folder)


@step(budget=90, together=True)
def fuzz() -> None:
    """The readers of ELF files, .npy files, patches and journals under a fuzzer, 15 s each."""
    python = next((each for each in pythons() if each.version[:2] in FUZZED), None)
    if python is None:
        raise Failure("atheris, the fuzzer, needs a CPython 3.11 to 3.13, and none is on PATH")
    python.complete(f"python{python.version[0]}.{python.version[1]}")
    group = ("--group", f"{copied('fuzz')}/pyproject.toml:fuzz")
    bin_ = environment("fuzz-venv", python, f"{built_wheel()}[test]", *group)
    run(bin_ / "python", "tests/fuzz/fuzz.py", cwd=WORK / "fuzz")


@step(budget=420, together=True)
def kernels() -> None:
    """Opening and writing on Debian's kernels 5.10 to 6.12, in qemu: Yama, forced writes."""
    results = WORK / "kernels"
    # In place, for its cache, .cache/kernel-lane; its Python builds the extension for the guests.
    run(tools() / "python", "tests/kernels/lane.py", "--install", "--junit", results)
    run(PYTHON.path, ".ci/check_skips.py", "--clone", *sorted(results.glob("*.xml")))


@step(budget=180)
def readme() -> str:
    """The README's commands, as printed, in a clean clone: the suite, quick profile."""
    need("g++")
    need("musl-tools", "musl-gcc")
    results = WORK / "readme.xml"
    lines = as_printed(clone(), 1, f"--junitxml={results}")
    run(PYTHON.path, ".ci/check_skips.py", "--clone", results)
    return lines[-1]


@step(budget=90)
def matrix() -> str:
    """What is done where system calls are refused, in namespaces, under limits, on musl."""
    need("gcc")
    need("musl-tools", "musl-gcc")
    # As root for namespaces and mounts; cells of an ordinary user drop those privileges.
    kept = ("LD_LIBRARY_PATH", "PATH")  # sudo drops these
    settings = [f"{name}={os.environ[name]}" for name in kept if name in os.environ]
    root = [] if os.geteuid() == 0 else ["sudo", "env", "PYTHONDONTWRITEBYTECODE=1", *settings]
    return run(*root, tested(PYTHON), "tests/matrix/matrix.py", cwd=sdist())[-1]


@step(budget=60)
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


@step(budget=240)
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
        "--ignore-glob=*/unit/test_patch_[efrs]*.py",
        "--ignore-glob=*/test_report*.py",
        *(f"--ignore=tests/unit/test_{name}.py" for name in ("kept_journals", "undo_cost")),
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


@step(budget=90, name="pythons")
def other_pythons() -> str | None:
    """The wheel's core on the CPythons between the README's and the newest, which runs `full`."""
    closing = None
    tests = (
        "conformance/test_conformance_*",
        "unit/test_imports",
        "unit/test_input_*",
        "*/test_session*",
    )
    which = [file for each in tests for file in sorted(sdist().glob(f"tests/{each}.py"))]
    for number, python in enumerate(pythons()[1:]):
        if python != newest():
            say(f"\n=== {python}")
            name = f"pythons-{number}"
            closing = suite(tested(python), name, *TWO_WORKERS, "-q", *which, cwd=sdist())
    return closing


@step(budget=500)
def windows() -> str:
    """The suite on a Windows CPython against Microsoft's engines, under Wine."""
    need("wine")
    need("gcc-mingw-w64-x86-64", "x86_64-w64-mingw32-gcc")
    # The lane makes its Windows Python from the library and headers of a CPython of that version.
    python = next((each for each in pythons() if each.version[:2] == (3, 11)), None)
    if python is None:
        raise Failure("the Windows lane needs CPython 3.11, and none is on PATH")
    python.complete("python3.11")
    run(python.path, "-m", "venv", WORK / "windows-venv")
    lane = (WORK / "windows-venv/bin/python", "tests/windows/lane.py")
    results = WORK / "windows"
    # In place, for its cache, .cache/windows-lane: it builds and tests this folder. Without 32-bit
    # programs it would leave tests out, so it fails then.
    quick = ("--win32", "yes", "--quick", "--junit", results)
    run(*lane, *quick, "--", "-q", "--durations=15")
    older = results / "older.xml"  # the conformance and differential suites on a second engine
    reports = sorted(set(results.glob("*.xml")) - {older})
    run(PYTHON.path, ".ci/check_skips.py", "--lane-older", older)
    lines = run(PYTHON.path, ".ci/check_skips.py", "--lane", *reports)
    run(*lane, "versions")  # the same wheel on the other Windows Pythons
    return lines[-1]


@step(budget=360)
def full() -> str:
    """The whole suite, full profile, on the wheel, from the sdist, by the newest CPython here."""
    # Ubuntu's package is not the program; its machines on GitHub have google-chrome.
    need("chromium", test=lambda: bool(shutil.which("chromium") or shutil.which("google-chrome")))
    need("g++")
    need("musl-tools", "musl-gcc")
    options = (*TWO_WORKERS, "--durations=10")
    profile = {"PYDBGWRITE_TEST_PROFILE": "full"}
    return suite(tested(newest()), "full", *options, cwd=sdist(), variables=profile)


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
            print(f"{each.name:<10} {each.show.__doc__}")
        return 0
    begun = time.monotonic()
    commit = run("git", "log", "-1", "--format=commit %h", quiet=True)
    say(f"{PYTHON}, {PYTHON.path}, {commit[0]}")
    wanted = [each for each in STEPS if each.name in (options.steps or names)]
    together = [each for each in wanted if each.together]
    with ThreadPoolExecutor(max(len(together), 1)) as pool:
        list(pool.map(partial(perform, beside_others=len(together) > 1), together))
    for each in wanted:
        if not each.together and not any(other.failed for other in wanted):
            perform(each, beside_others=False)
    say(f"\n=== all in {time.monotonic() - begun:.0f} s")
    for each in wanted:
        say(each.summary or f"{each.name:<10}not run")
    if failed := [each.name for each in wanted if each.failed]:
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
    except Failure as failure:
        step.failed = True
        say(f"--- {failure}")
    except Exception:
        step.failed = True
        say(traceback.format_exc())
    took = time.monotonic() - begun
    over = ", over its budget" if took > step.budget else ""
    how = "FAILED" if step.failed else (step.closing or "").strip("= ")
    step.summary = f"{step.name:<10}{took:5.0f} s of {step.budget:4} s{over}  {how}"
    say(f"\n--- {step.summary}")
    show_output()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
