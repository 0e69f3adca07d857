"""The steps of .ci/run: what each shows, and how.

    python .ci/pipeline.py [--list | STEP...]

One wheel is built, of the sdist alone, and what can be shown on it is shown on it. Steps of one
group run side by side, on two processors; suites have both to themselves. All that is made lies in
a temporary folder, which goes at the end, so nothing a developer has built lies in the way.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import RLock

from machine import ROOT, Failure, Python, Step, copied, need, pythons, tracked

#: pytest in two processes, each file in one of them.
TWO_WORKERS = ("-n", "2", "--dist", "loadfile")
SANITIZERS = {
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    # CPython itself leaks at exit, by LeakSanitizer's lights; tests of our own look for leaks.
    # A malloc() that is refused must give NULL, as it does elsewhere: tests ask for too much.
    "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1",
    "PYTHONMALLOC": "malloc",
}


class Pipeline:
    """The steps, and what several of them use: made by the first, and kept for the others."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._locks: dict[str, RLock] = {}
        self._made: set[str] = set()
        self._python = pythons()[0]
        self._python.complete("python3")

    def _once(self, name: str, make: Callable[[Path], None]) -> Path:
        """A folder, made by the first step that asks for it."""
        with self._locks.setdefault(name, RLock()):
            if name not in self._made:
                make(self._work / name)
                self._made.add(name)
        return self._work / name

    def _environment(
        self,
        step: Step,
        name: str,
        python: Python,
        *install: str | Path,
        environment: Mapping[str, str] | None = None,
    ) -> Path:
        """The interpreter of a fresh virtual environment with these packages."""
        folder = self._work / name
        # Without its own pip, which Debian packages apart; this pipeline's is new enough.
        step.run(python.path, "-m", "venv", "--without-pip", folder)
        installed = folder / "bin" / "python"
        pip = (self._pip(step), "-m", "pip", "--python", installed)
        step.run(*pip, "install", *install, environment=environment)
        return installed

    def _pip(self, step: Step) -> Path:
        """An interpreter with a pip that knows --python and --group, and build."""

        def make(folder: Path) -> None:
            step.run(self._python.path, "-m", "venv", folder)
            tools = ("pip>=25.1", "build", "setuptools>=77", "abi3audit==0.0.26")
            step.run(folder / "bin" / "python", "-m", "pip", "install", "--upgrade", *tools)

        return self._once("tools", make) / "bin" / "python"

    def _sdist(self, step: Step) -> Path:
        """What the sdist holds, as whoever builds or packages it has it."""

        def make(folder: Path) -> None:
            step.say("the sdist")
            source = copied(self._work / "to-pack")
            build = (self._pip(step), "-m", "build", "-q", "--no-isolation", "--sdist")
            step.run(*build, "--outdir", self._work / "dist", source)
            (packed,) = (self._work / "dist").glob("pydbgwrite-*.tar.gz")
            with tarfile.open(packed) as files:
                files.extractall(self._work / "unpacked", filter="data")
            (unpacked,) = (self._work / "unpacked").iterdir()
            if (unpacked / ".ci").exists() or (unpacked / ".github").exists():
                raise Failure("the sdist holds files of CI")
            unpacked.rename(folder)

        return self._once("sdist", make)

    def _wheel(self, step: Step) -> Path:
        """The one wheel, built from the sdist with -Werror."""

        def make(folder: Path) -> None:
            need("gcc", "gcc")
            source = self._sdist(step)
            step.say("the wheel")
            build = (self._pip(step), "-m", "build", "-q", "--no-isolation", "--wheel")
            environment = {"PYDBGWRITE_WERROR": "1"}
            step.run(*build, "--outdir", folder, source, environment=environment)

        (wheel,) = self._once("wheel", make).glob("pydbgwrite-*-cp311-abi3-*.whl")
        return wheel

    def _tested(self, step: Step, python: Python) -> Path:
        """The interpreter of an environment with the wheel and what its tests need."""
        name = f"tested-{python.name}"

        def make(_: Path) -> None:
            self._environment(step, name, python, f"{self._wheel(step)}[test]")

        return self._once(name, make) / "bin" / "python"

    def _clone(self, step: Step) -> Path:
        """A clean clone with an environment, .venv, and the README's first command run in it."""

        def make(folder: Path) -> None:
            need("gcc", "gcc")
            copied(folder)
            step.run(self._python.path, "-m", "venv", folder / ".venv")
            self._as_printed(step, folder, 0)

        return self._once("clone", make)

    def _as_printed(self, step: Step, folder: Path, number: int, *, options: str = "") -> list[str]:
        """Run one of the two commands of the README as a reader would."""
        text = (folder / "README.md").read_text(encoding="utf-8")
        start = "python -m pip install "
        commands = [line for line in text.splitlines() if line.startswith(start)]
        if len(commands) != 2:
            raise Failure(f"README.md has {len(commands)} lines that begin with {start!r}, not two")
        step.say(f"README: {commands[number]}")
        path = f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = {"PATH": path, "PYTEST_ADDOPTS": options}
        bash = ("bash", "-euo", "pipefail", "-c", commands[number])
        return step.run(*bash, cwd=folder, environment=environment)

    # ------------------------------------------------------------------------------------- steps

    def readme(self, step: Step) -> None:
        """The README's commands, as printed, in a clean clone: the suite, quick profile."""
        need("g++", "g++")
        results = self._work / "readme.xml"
        clone = self._clone(step)
        lines = self._as_printed(step, clone, 1, options=f"--junitxml={results}")
        step.closing = lines[-1]
        step.run(self._python.path, ".ci/check_skips.py", "--clone", results)

    def wheel(self, step: Step) -> None:
        """The sdist and, of that alone, the abi3 wheel, with -Werror under gcc; audited."""
        audit = self._pip(step).with_name("abi3audit")
        step.run(audit, "--strict", "--summary", self._wheel(step))

    def lint(self, step: Step) -> None:
        """ruff, mypy, stubtest, clang-format, the rules of the source, the workflows."""
        need("shellcheck", "shellcheck")
        folder = copied(self._work / "lint")
        # stubtest imports the package from the folder that mypy reads.
        with zipfile.ZipFile(self._wheel(step)) as wheel:
            for name in wheel.namelist():
                if name.endswith(".so"):
                    wheel.extract(name, folder)
        packages = (f"{self._wheel(step)}[test]", "--group", f"{folder}/pyproject.toml:lint")
        bin_ = self._environment(step, "lint-venv", self._python, *packages).parent

        def run(command: str, *words: str | Path) -> list[str]:
            return step.run(bin_ / command, *words, cwd=folder)

        run("ruff", "check", ".")
        run("ruff", "format", "--check", ".")
        run("mypy")
        run("mypy", "conftest.py", *sorted((folder / ".ci").glob("*.py")))
        run(
            "python",
            "-m",
            "mypy.stubtest",
            "--allowlist",
            ".ci/stubtest-allowlist.txt",
            "pydbgwrite",
        )
        run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", ".ci")
        run("clang-format", "--dry-run", "-Werror", *tracked("*.c", "*.h"))
        step.run("shellcheck", ".ci/run")
        workflows = sorted((folder / ".github" / "workflows").glob("*.yml"))
        run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
        run("zizmor", "--offline", "--no-progress", "--persona", "pedantic", ".github/workflows")
        for platform in ("linux", "windows"):
            identifiers = f"{bin_}/cibuildwheel --print-build-identifiers --platform {platform}"
            check = f"{bin_}/python .ci/check_wheels.py identifiers {platform}"
            step.run("bash", "-o", "pipefail", "-c", f"{identifiers} | {check}", cwd=folder)

    def docs(self, step: Step) -> None:
        """The site, by `make docs` in the environment of the README; a warning is an error."""
        need("make", "make")
        step.run("make", "docs", cwd=self._clone(step))

    def builds(self, step: Step) -> None:
        """-Werror -pedantic under clang, the free-threaded configuration, Windows' headers."""
        need("clang", "clang")
        folder = copied(self._work / "builds")
        environment = {"CC": "clang", "PYDBGWRITE_WERROR": "1", "PYDBGWRITE_PEDANTIC": "1"}
        step.say("-Werror -pedantic -Wgnu, clang")
        build = (self._pip(step), "setup.py", "-q", "build_ext")
        step.run(*build, cwd=folder, environment=environment)
        # No Limited API there: the source must compile without it too. The newest headers here.
        newest = max(
            (each for each in pythons() if (each.include / "Python.h").exists()),
            key=lambda each: each.version,
        )
        free_threaded = ("-pthread", "-DPy_GIL_DISABLED=1", f"-I{newest.include}")
        for compiler in ("gcc", "clang"):
            need(compiler, compiler)
            step.say(f"Py_GIL_DISABLED, headers of {newest.name}, {compiler}")
            self._check_syntax(step, folder, compiler, "linux-x86_64", free_threaded)
        mingw = "x86_64-w64-mingw32-gcc"
        if shutil.which(mingw):
            step.say(f"files for Windows, {mingw}")
            headers = self._work / "windows-headers"
            shutil.copytree(self._python.include, headers)
            shutil.copy(folder / "tests" / "windows" / "pyconfig.h", headers)
            limited = ("-DPy_LIMITED_API=0x030B0000", f"-I{headers}")
            self._check_syntax(step, folder, mingw, "win-amd64", limited)
        else:
            step.print(f"no {mingw} here: the files for Windows are left to the Windows lane")

    def _check_syntax(
        self, step: Step, folder: Path, compiler: str, platform: str, flags: Sequence[str]
    ) -> None:
        """Whether the compiler takes all C files of that platform without a warning."""
        code = """
import runpy, sys
from unittest import mock
with mock.patch("sysconfig.get_platform", lambda: sys.argv[1]):
    setup = runpy.run_path("setup.py")
    print(*setup["GCC_WARNINGS"], *setup["sources"](), sep="\\n")
"""
        found = step.run(self._pip(step), "-c", code, platform, cwd=folder, quiet=True)
        demo = sorted((folder / "csrc" / "demo").glob("*.c"))
        step.run(
            compiler, "-fsyntax-only", "-std=c11", "-Werror", *flags, *found, *demo, cwd=folder
        )

    def ctests(self, step: Step) -> None:
        """The tests in C under the sanitizers, with leak detection."""
        need("gcc", "gcc")
        python, folder = self._tested(step, self._python), self._sdist(step)
        environment = {
            "PYDBGWRITE_SANITIZE": "1",
            "ASAN_OPTIONS": "detect_leaks=1",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }
        results = self._work / "ctests.xml"
        step.suite(python, "tests/test_c.py", cwd=folder, results=results, environment=environment)

    def sanitize(self, step: Step) -> None:
        """All that enters C, under AddressSanitizer and UndefinedBehaviorSanitizer."""
        need("gcc", "gcc")
        folder = copied(self._work / "sanitize")
        python = self._environment(
            step,
            "sanitize-venv",
            self._python,
            f"{folder}[test]",
            environment={"PYDBGWRITE_SANITIZE": "1", "PYDBGWRITE_WERROR": "1"},
        )
        # Without them the suite would pass as well, and show nothing.
        (core,) = (python.parent.parent / "lib").rglob("pydbgwrite/_core*.so")
        if not any("libasan" in line for line in step.run("ldd", core)):
            raise Failure(f"{core} is not instrumented")
        # libstdc++ too, since numpy throws C++ exceptions past the sanitizer's interceptors.
        preload = [
            *step.run("gcc", "-print-file-name=libasan.so"),
            *step.run("gcc", "-print-file-name=libstdc++.so.6"),
        ]
        without = ("c", "cli*", "demo", "docs_*", "docstrings", "patch_[efrs]*", "readme")
        step.suite(
            python,
            *TWO_WORKERS,
            "--capture=sys",  # reports go past pytest's capture, which an abort would lose
            *(f"--ignore-glob=*/test_{name}.py" for name in without),
            cwd=folder,
            results=self._work / "sanitize.xml",
            environment={**SANITIZERS, "LD_PRELOAD": " ".join(preload)},
        )

    def pythons(self, step: Step) -> None:
        """The wheel on the other CPythons here: the suite on the newest, its core on the rest."""
        others = {each.version: each for each in pythons() if each.version != self._python.version}
        for version, python in sorted(others.items(), reverse=True):
            step.say(python.name)
            if version == max(others):
                which = [f"--ignore-glob=*/test_{name}.py" for name in ("c", "docs_*", "readme")]
            else:
                names = ("conformance_*", "imports", "input_*", "session*")
                tests = self._sdist(step) / "tests"
                which = [str(path) for name in names for path in tests.glob(f"test_{name}.py")]
            step.suite(
                self._tested(step, python),
                *TWO_WORKERS,
                "-q",
                *which,
                cwd=self._sdist(step),
                results=self._work / f"{python.name}.xml",
            )

    def full(self, step: Step) -> None:
        """The whole suite on the wheel, from the sdist, with its full profile."""
        need("gcc", "gcc")
        need("g++", "g++")
        step.suite(
            self._tested(step, self._python),
            *TWO_WORKERS,
            "--durations=10",
            cwd=self._sdist(step),
            results=self._work / "full.xml",
            environment={"PYDBGWRITE_TEST_PROFILE": "full"},
        )

    def windows(self, step: Step) -> None:
        """The suite on a Windows CPython against Microsoft's engine, under Wine."""
        need("wine", "wine")
        need("gcc-mingw-w64-x86-64", "x86_64-w64-mingw32-gcc")
        # The lane makes its Windows Python from the library and headers of a CPython 3.11.
        python = next((each for each in pythons() if each.version == (3, 11)), None)
        if python is None:
            raise Failure("the Windows lane needs CPython 3.11, and none is on PATH")
        python.complete("python3.11")
        step.run(python.path, "-m", "venv", self._work / "windows-venv")
        lane = (self._work / "windows-venv" / "bin" / "python", "tests/windows/lane.py")
        results = self._work / "windows"
        # In place, for its cache, .cache/windows-lane: it builds and tests what lies here. Without
        # 32-bit programs it would leave tests out: so it fails then.
        quick = ("--win32", "yes", "--quick", "--junit", results)
        step.run(*lane, *quick, "--", "-q", "--durations=15")
        judge = (self._python.path, ".ci/check_skips.py", "--lane")
        step.closing = step.run(*judge, *sorted(results.glob("*.xml")))[-1]
        step.say("the same wheel on the other Windows Pythons")
        step.run(*lane, "versions")


#: Those of one tuple run side by side. In what order: what is soon known first, the longest last.
GROUPS = (
    ("wheel", "lint", "docs", "builds"),
    ("readme",),
    ("ctests",),
    ("sanitize",),
    ("pythons",),
    ("windows",),
    ("full",),
)
#: What a step may take, in seconds, on a quiet machine of two processors; in all, 30 minutes. It is
#: printed beside what it took; a machine that others use is no reason to fail.
BUDGET = {
    "wheel": 60,
    "lint": 150,
    "docs": 150,
    "builds": 150,
    "readme": 180,
    "ctests": 60,
    "sanitize": 200,
    "pythons": 220,
    "windows": 500,
    "full": 360,
}


def main(arguments: Sequence[str]) -> int:
    """Run the steps that are asked for; the closing line of the last suite is the last line."""
    steps = [name for group in GROUPS for name in group]
    parser = argparse.ArgumentParser(prog=".ci/run", description="What CI runs.")
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"of {', '.join(steps)}")
    parser.add_argument("--list", action="store_true", help="say what each step shows")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.steps if name not in steps]
    if unknown:
        parser.error(f"no step {', '.join(unknown)}; there are: {', '.join(steps)}")
    if options.list:
        for name in steps:
            print(f"{name:<10} {getattr(Pipeline, name).__doc__}")
        return 0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pydbgwrite-ci-") as work:
        try:
            done = _run_groups(Pipeline(Path(work)), options.steps or steps)
        except Failure as error:
            print(f"\n.ci/run: FAILED: {error}", file=sys.stderr)
            return 1
    print(f"\n=== all done in {time.monotonic() - begun:.0f} s")
    print(*(step.summary for step in done), sep="\n")
    closing = [step.closing for step in done if step.closing]
    if closing:
        print(f"\n{closing[-1]}")
    return 0


def _run_groups(pipeline: Pipeline, wanted: Sequence[str]) -> list[Step]:
    """Group by group; a Failure names the steps of the first group where some failed."""
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "log", "-1", "--format=commit %h"], capture_output=True, text=True
    )
    print(f"{sys.executable}, Python {sys.version.split()[0]}, {commit.stdout.strip()}", flush=True)
    done: list[Step] = []
    for group in GROUPS:
        names = [name for name in group if name in wanted]
        with ThreadPoolExecutor(max(len(names), 1)) as pool:
            run = partial(_run_step, pipeline, beside_others=len(names) > 1)
            ran = list(pool.map(run, names))
        failed = [step.name for step in ran if step.failure]
        if failed:
            raise Failure(", ".join(failed))
        done += ran
    return done


def _run_step(pipeline: Pipeline, name: str, *, beside_others: bool) -> Step:
    """Run it, and say how that went."""
    step = Step(name, beside_others=beside_others)
    begun = time.monotonic()
    work = getattr(pipeline, name)
    step.say(work.__doc__)
    try:
        work(step)
    except Failure as error:
        step.failure = str(error)
    except Exception:
        step.failure = traceback.format_exc()
    took = time.monotonic() - begun
    step.summary = f"{name:<10}{took:5.0f} s of {BUDGET[name]:4} s  {step.closing}"
    step.print(f"\n--- {step.summary}{'  OVER ITS BUDGET' if took > BUDGET[name] else ''}")
    if step.failure:
        step.print(f"--- {name}: FAILED: {step.failure}")
    step.show()
    return step


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
