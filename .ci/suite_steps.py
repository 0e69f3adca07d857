"""The steps that run the suite, or parts of it, on Linux: other Pythons, kernels, sanitizers."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tomllib
from contextlib import suppress
from functools import partial
from pathlib import Path

from environments import (
    EPOCH,
    LIMIT,
    NO_HANG,
    PYTHON,
    TWO_WORKERS,
    WHOLE,
    as_printed,
    as_root,
    built_wheel,
    clone,
    environment,
    newest_python,
    sdist,
    suite,
    tested,
    tools,
    without,
)
from free_threaded import free_threaded_python
from machine import WORK, Failure, Python, copied, need, pythons, run, say
from steps import step

FUZZED = ((3, 11), (3, 12), (3, 13))  # the versions with wheels of atheris
#: Coverage imports modules, and writes files, that they see.
NOT_COVERED = (
    "cli/test_cli.py::test_the_version_needs_no_command",
    "cli/test_cli_doctor.py::test_what_runs_without_numpy",
    "cli/test_cli_history.py::test_a_full_disk",
    "cli/test_cli_read.py::test_a_pipe_needs_no_package_for_terminals",
    "unit/test_imports.py::test_the_identity_of_a_process_needs_no_openssl",
)
#: Large amounts and many times, by ways that other tests take too.
SLOW_COVERED = (
    "conformance/test_addresses.py::test_what_is_meant_is_among_the_readings",
    "conformance/test_expect_recorded.py::test_of_several_pieces_none_is_written_before_all_are_compared",
    "conformance/test_verify.py::test_a_hundred_of_many",
    "linux/test_linux_debug_files.py::test_memory_for_compressed_symbols[found]",
    "linux/test_linux_debug_files.py::test_memory_for_compressed_symbols[not found]",
    "unit/test_find_simulated.py::test_many_regions",
    "unit/test_long_work.py::test_other_threads_make_progress_during_one_long_write",
    "unit/test_long_work.py::test_the_gil_is_released_from_the_threshold_on",
    "unit/test_memory_leaks.py::test_live_sessions_leave_nothing_behind",
    "unit/test_memory_leaks.py::test_resident_memory_does_not_grow",
    "unit/test_transactions.py::test_memory_stays_bounded",
)
#: Files of tests/linux about programs, their files and their memory, the same for each Python.
NOT_NEWEST = (
    *("find_*", "large_*", "linux_*", "mapped_*", "random_*", "recorded_*", "refusals"),
    *("retarget_*", "scattered_*", "tagged_*", "undo_after_kill", "untouchable_*", "without_mem"),
)
#: Files whose tests enter no C, or by ways that other files take too.
NOT_SANITIZED = (
    *("patch_[efrs]*", "report*", "kept_journals", "undo_cost"),
    *("signal_handlers*", "descriptors_owned", "undo_after_kill"),
    *("linux_kept_files", "linux_naming", "rollout*"),
)
#: Large amounts by ways that small ones take too; and sizes, which the sanitizer makes larger.
SLOW_SANITIZED = (
    "linux/test_linux_debug_files.py::test_memory_for_compressed_symbols",
    "unit/test_transactions.py::test_a_million_pointers_are_undone_in_no_time",
    "linux/test_large_live.py::test_moving[4194304]",
    "unit/test_find_simulated.py::test_many_regions",
    "conformance/test_addresses.py::test_what_is_meant_is_among_the_readings",
)


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


@step(
    budget=160,
    proves={"cp311-abi3-manylinux_x86_64": "most of the suite on the newest CPython here"},
)
def newest() -> str:
    """The suite on the wheel, from the sdist, by the newest CPython: all that depends on it."""
    left_out = [f"--ignore-glob=*/linux/test_{name}.py" for name in NOT_NEWEST]
    return suite_of_wheel("newest", newest_python(), *without("c"), *left_out, profile="quick")


@step(
    budget=700,
    by_name=True,
    proves={
        "cp311-abi3-manylinux_x86_64": "the suite, full profile, on the CPython that runs `.ci/run`"
    },
)
def full() -> str:
    """The whole suite on the wheel, full profile: random tests and kills take minutes."""
    return suite_of_wheel("full", PYTHON, profile="full")


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
        run(*wheel, cwd=source, variables={"PYDBGWRITE_WERROR": "1", **EPOCH})
        made += (WORK / name).glob("pydbgwrite-*t-linux_x86_64.whl")
    first, second = made
    if first.read_bytes() != second.read_bytes():
        raise Failure(f"{first.name} is not the same to the byte when it is built again")


@step(budget=450)
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
    left_out = [f"--deselect=tests/{name}" for name in (*NOT_COVERED, *SLOW_COVERED)]
    options = (*TWO_WORKERS, "-q", "--durations=10", *without("c", "docs"), *left_out)

    def run_suite() -> None:
        run(*LIMIT, *pytest, *options, cwd=folder, variables=measured)

    run_suite()
    for counts in (folder / "build").rglob("*.gcda"):
        counts.chmod(0o666)  # for the matrix's other users
    # Some cells see the writing of counts, and fail: the step "matrix" judges them.
    with suppress(Failure):
        run(*measure, "tests/matrix/matrix.py", cwd=folder, variables=measured, quiet=True)
    # Their objects lie beside those of pytest's other files.
    programs = folder / "build" / "tests-in-c"
    in_c = ("-q", "tests/c/test_c.py", "--basetemp", programs)
    run(*pytest, *in_c, cwd=folder, variables=measured | {"PYDBGWRITE_COVERAGE": "1"})
    reports = [data / f"{name}.json" for name in ("extension", "programs", "python")]
    gcovr = (bin_ / "gcovr", "--root", folder, "--filter", "csrc/", "--gcov-ignore-errors=all")
    (objects,) = (folder / "build").glob("temp*")
    coverage = partial(run, bin_ / "coverage", cwd=folder, variables=measured)

    def report() -> None:
        coverage("combine", "-q", "--append")
        run(*gcovr, "--json", reports[0], objects, cwd=folder)
        run(*gcovr, "--json", reports[1], programs, cwd=folder)
        # Without copies of the package that tests make.
        coverage("json", "-q", "--include", "pydbgwrite/*", "-o", reports[2])
        run(bin_ / "python", ".ci/coverage_report.py", *reports, cwd=folder)

    try:
        report()
    except Failure as failure:
        say(f"{failure}: once more, since random tests and moments of kills reach other lines")
        run_suite()  # adds its counts
        report()


def suite_of_wheel(name: str, python: Python, *arguments: str, profile: str) -> str:
    """Run the suite of the sdist on the wheel."""
    # Ubuntu's package is not the program; its machines on GitHub have google-chrome.
    need("chromium", test=lambda: bool(shutil.which("chromium") or shutil.which("google-chrome")))
    need("g++")
    need("musl-tools", "musl-gcc")
    options = (*TWO_WORKERS, "--durations=10", *arguments)
    variables = {"PYDBGWRITE_TEST_PROFILE": profile}
    return suite(tested(python), name, *options, cwd=sdist(), variables=variables, at_least=WHOLE)
