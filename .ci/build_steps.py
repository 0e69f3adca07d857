"""The steps that build and lint: the wheel, other compilers and platforms, the site."""

from __future__ import annotations

import shutil
import zipfile
from functools import partial
from pathlib import Path

from environments import PYTHON, built_wheel, clone, environment, sdist, sdist_of, tools, wheel_of
from machine import WORK, Failure, Python, copied, need, pythons, run, tracked
from steps import step

#: Folders of tests in C.
C_TESTS = ("c", "fuzz/native", "matrix")
#: The folder of the files that include Python.h (test_source_rules.py): a free-threaded CPython
#: makes no difference to the others.
OF_PYTHON = "csrc/python/"
#: Of what is compiled for CPython 3.14t.
NEWEST = "with the headers of the newest CPython here, which can be older than 3.14"


@step(
    budget=80,
    together=True,
    proves={"cp311-abi3-manylinux_x86_64": "built from the sdist, audited, the same twice"},
)
def wheel() -> None:
    """The sdist and, of that alone, the abi3 wheel, with -Werror; audited; both the same twice."""
    first = built_wheel()
    run(tools() / "abi3audit", "--strict", "--summary", first)
    # Elsewhere, later, and with another umask, which must make no difference.
    source = copied("to-pack-again")
    run("chmod", "-R", "go=", source)
    again = sdist_of(source, WORK / "again")
    if (WORK / "dist" / again.name).read_bytes() != again.read_bytes():
        raise Failure(f"{again.name} is not the same to the byte when it is packed again")
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
    budget=270,
    together=True,
    proves={
        "cp311-abi3-manylinux_aarch64": "each C file compiled, by gcc",
        "cp311-abi3-musllinux_x86_64": "each C file compiled, by musl-gcc",
        "cp311-abi3-win32": "each C file compiled, by mingw",
        "cp311-abi3-win_arm64": "each C file compiled, by clang",
        "cp314-cp314t-manylinux_x86_64": f"each C file compiled, by gcc and clang, {NEWEST}",
        "cp314-cp314t-manylinux_aarch64": f"each C file compiled, by gcc, {NEWEST}",
        "cp314-cp314t-musllinux_x86_64": f"each C file compiled, by musl-gcc, {NEWEST}",
        "cp314-cp314t-win32": f"each C file compiled, by mingw, {NEWEST}",
        "cp314-cp314t-win_arm64": f"each C file compiled, by clang, {NEWEST}",
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
    check = partial(compile_all, folder=folder)
    for part, headers in (("", [*limited, *in_c]), (OF_PYTHON, free)):
        flags = ["-pthread", "-Icsrc", *headers]
        check("aarch64-linux-gnu-gcc", platform="linux-aarch64", flags=flags, part=part)
        check("musl-gcc", platform="linux-x86_64", flags=[*flags, *kernel], part=part)
    for compiler in ("gcc", "clang"):
        check(compiler, platform="linux-x86_64", flags=["-pthread", *free], part=OF_PYTHON)
    need("gcc-mingw-w64-i686", "i686-w64-mingw32-gcc")
    # The Windows lane compiles all for x64, with the same warnings, as errors.
    config_h = folder / "tests" / "windows" / "pyconfig.h"
    limited = python_headers("windows-headers", config_h)
    free = ["-DPy_GIL_DISABLED=1", python_headers("windows-free", config_h, newest)[-1]]
    # Debian's mingw has no compiler for arm64, but clang takes its headers. They lack a function
    # of MSVC that free-threaded CPython's headers call.
    arm64 = "clang --target=aarch64-w64-mingw32 -isystem/usr/share/mingw-w64/include"
    (WORK / "msvc.h").write_text("unsigned long long __getReg(int number);\n")
    # Free-threaded CPython's headers read the thread's id at fs:24, which gcc 12 on takes for a
    # member at a null pointer (-Warray-bounds; https://gcc.gnu.org/PR99578).
    at_24 = "--param=min-pagesize=0"
    for part, headers in (("", limited), (OF_PYTHON, free)):
        check("i686-w64-mingw32-gcc", platform="win32", flags=[*headers, at_24], part=part)
        flags = [*headers, "-include", str(WORK / "msvc.h")]
        check(arm64, platform="win-arm64", flags=flags, part=part)


def python_headers(name: str, config: Path, python: Python = PYTHON) -> list[str]:
    """Return flags for the Limited API, with a copy of CPython's headers and this pyconfig.h."""
    shutil.copytree(python.include, WORK / name)
    shutil.copy(config, WORK / name / "pyconfig.h")
    return ["-DPy_LIMITED_API=0x030B0000", f"-I{WORK / name}"]


def compile_all(compiler: str, folder: Path, platform: str, flags: list[str], part: str) -> None:
    """Compile the C files of that platform in a part of the source; a warning is an error."""
    code = """
import runpy, sys
from unittest import mock
with mock.patch("sysconfig.get_platform", lambda: sys.argv[1]):
    setup = runpy.run_path("setup.py")
    print(*setup["GCC_WARNINGS"], *setup["sources"](), sep="\\n")
"""
    found = run(tools() / "python", "-c", code, platform, cwd=folder, quiet=True)
    found = [each for each in found if each.startswith(("-W", part))]
    # Only if it optimizes, gcc follows the flow of data for some warnings (-Wmaybe-uninitialized).
    optimize = "-O0" if compiler.startswith("clang") else "-O1"
    check = (*compiler.split(), optimize, "-c", "-std=c11", "-Werror")
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
        "cp314-cp314t-musllinux_aarch64": f"linked whole, by zig, {NEWEST}",
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
