"""The Windows lane: the suite, or any script, on a Windows CPython against Microsoft's own dbgeng.

    python tests/windows/lane.py                       all parts, then the whole suite
    python tests/windows/lane.py --quick -- -k attach  the quick profile; after -- for pytest
    python tests/windows/lane.py --engine 6.3 -- FILE  test files on the older engine
    python tests/windows/lane.py --wine 10             the suite in Debian trixie's Wine (root)
    python tests/windows/lane.py prepare               fetch and put together the parts
    python tests/windows/lane.py build                 cross-build the wheel and install it
    python tests/windows/lane.py run SCRIPT.py ARGS    a script, with the wheel and the engine
    python tests/windows/lane.py versions              the wheel on each Windows Python, in short
    python tests/windows/lane.py versions 3.14t 3.14   on these
    python tests/windows/lane.py win32                 the suite on a 32-bit Python and engine

--bits 32 is for the other commands what win32 is for the suite.

It runs on Linux with Wine and a mingw cross compiler, with CPython 3.11. All parts that it fetches
or makes are in .cache/windows-lane, and are made once. A program sees PYDBGWRITE_DBGENG (the
engine's folder), PYDBGWRITE_LANE=wine, PYDBGWRITE_TEST_PROFILE, and PYDBGWRITE_PYTHON32 (a 32-bit
python.exe, if 32-bit programs are available).
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lane_build import build_wheel, install
from lane_cache import HERE, ROOT, Cache, LaneError, note
from lane_library import NoLibraryError
from lane_parts import (
    PYTHON,
    WindowsPython,
    dbgeng_folder,
    older_engine,
    peers,
    windows_python,
)
from lane_programs import check_programs
from lane_shares import NEWER, OLDER, SHARES
from lane_suite import run_suite
from lane_toolchain import PACKAGES, TRIPLETS
from lane_wine import Sink, Wine, own_prefix, prefix_name, prepared, run_python, windows_path
from lane_wine_10 import PROGRAMS as PROGRAMS_10
from lane_wine_10 import use_wine_10

CACHE = ROOT / ".cache" / "windows-lane"
COMMANDS = ("prepare", "build", "run", "versions", "win32")
VERSIONS = ("3.11", "3.12", "3.13", "3.14", "3.13t", "3.14t")
PROGRAMS_OWN: dict[str, tuple[str, ...]] = {
    "wine": ("wine", "wine64"),
    "wineserver": ("wine", "wine64"),
}
PROGRAMS: dict[str, tuple[str, ...]] = {
    f"{TRIPLETS[64]}-gcc": (PACKAGES[64],),
    f"{TRIPLETS[64]}-dlltool": (PACKAGES[64],),
}
PROGRAMS_32 = {
    f"{TRIPLETS[32]}-gcc": (PACKAGES[32],),
    f"{TRIPLETS[32]}-dlltool": (PACKAGES[32],),
}
NOT_TO_BE_HAD = 69
NOBODY_READS = 141  # the exit code of a program that SIGPIPE ends
SCRIPT_OUTPUT = {"PYDBGWRITE_LANE_UTF8": "1"}  # sitecustomize.py
PROFILE = "PYDBGWRITE_TEST_PROFILE"


@dataclass(frozen=True)
class Lane:
    """The parts of a prepared lane."""

    wine: Wine
    python: Path
    engines: dict[str, Path]
    peers: Path | None
    python_32: Path | None

    def settings(self, profile: str, engine: str) -> dict[str, str]:
        """Return the environment variables of a program that runs in the lane."""
        found = {
            "PYDBGWRITE_LANE": "wine",
            "PYDBGWRITE_DBGENG": windows_path(self.engines[engine]),
            "WINDBG_DIR": windows_path(self.engines[engine]),  # read by Pybag
            PROFILE: profile,
        }
        if OLDER in self.engines:
            found["PYDBGWRITE_DBGENG_OLDER"] = windows_path(self.engines[OLDER])
        if self.peers is not None:
            found["PYDBGWRITE_LANE_PEERS"] = windows_path(self.peers)
        if self.python_32 is not None:
            found["PYDBGWRITE_PYTHON32"] = windows_path(self.python_32 / "python.exe")
        return found


def parser_for(command: str) -> argparse.ArgumentParser:
    """Return the parser of one command's options."""
    parser = argparse.ArgumentParser(
        prog=f"lane.py {command}".rstrip(),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--install", action="store_true", help="install missing apt packages (as root)")
    if command == "versions":
        add("versions", nargs="*", metavar="X.Y", help=f"of {', '.join(VERSIONS)}; none: all")
        return parser
    add("--python", default=PYTHON, metavar="X.Y", help=f"the Windows Python (default {PYTHON})")
    add(
        "--peers",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="comtypes, win32more and Pybag too (default: yes)",
    )
    add(
        "--wine",
        choices=("own", "10"),
        default="own",
        help="this machine's (default), or Wine 10 of Debian trixie, which needs root",
    )
    add(
        "--win32",
        choices=("auto", "yes", "no"),
        default="auto",
        help="32-bit programs: auto goes on without them, saying why; yes fails then",
    )
    add("--bits", type=int, choices=(64, 32), default=64, help="the width of the Windows Python")
    if command != "prepare":
        add(
            "--wheel", action=argparse.BooleanOptionalAction, default=True, help="build, install it"
        )
        add("--project", type=Path, default=ROOT, help="another project to build, to try the lane")
    if command in ("run", ""):
        add("--timeout", type=float, metavar="SECONDS", help="end the program after that time")
        add("--quick", action="store_true", help=f"{PROFILE}=quick (default: as set, or full)")
        add("--engine", choices=(NEWER, OLDER), default=NEWER, help=f"dbgeng's (default {NEWER})")
    if command == "run":
        add("script", help="a Python script")
        add("arguments", nargs=argparse.REMAINDER, help="handed to the script as they are")
    if command == "":
        add("--junit", type=Path, metavar="FOLDER", help="results as JUnit files in that folder")
        add(
            "--side-by-side",
            action=argparse.BooleanOptionalAction,
            default=True,
            help="the whole suite as several pytest processes (default: yes)",
        )
        add("arguments", nargs="*", help="after --: handed to pytest")
    return parser


def prepare(cache: Cache, options: argparse.Namespace, *, try_32: bool) -> Lane:
    """Make all parts except the wheel."""
    own = options.wine == "own"
    python = WindowsPython(options.python, options.bits)
    folder = windows_python(cache, python)
    engines = {NEWER: dbgeng_folder(cache, options.bits)}
    others = peers(cache, python) if options.peers else None
    if options.bits == 32:  # its targets are all 32-bit programs, as its own Python is
        return Lane(prepared(cache, bits_32=True, own=own), folder, engines, others, None)
    engines[OLDER] = older_engine(cache)
    if options.win32 == "yes" or (options.win32 == "auto" and try_32):
        try:
            wine = prepared(cache, bits_32=True, own=own)
            return Lane(
                wine, folder, engines, others, windows_python(cache, WindowsPython(bits=32))
            )
        except LaneError as error:
            if options.win32 == "yes":
                raise
            note(f"going on without 32-bit programs: {error}")
    return Lane(prepared(cache, bits_32=False, own=own), folder, engines, others, None)


def try_versions(versions: Sequence[str]) -> int:
    """Try the wheel on each Windows Python; one whose library can't be had is a failure, too."""
    if unknown := ", ".join(set(versions) - set(VERSIONS)):
        raise LaneError(f"no Windows Python {unknown}; there are: {', '.join(VERSIONS)}")
    script, codes = str(HERE / "try_wheel.py"), {}
    for version in versions:
        try:
            codes[version] = go("run", ["--python", version, "--no-peers", script])
        except NoLibraryError as error:
            codes[version] = NOT_TO_BE_HAD
            note(f"not tried: {error}")
    for version, code in codes.items():
        how = {0: "good", NOT_TO_BE_HAD: "not tried"}.get(code, f"exit code {code}")
        note(f"Windows Python {version}: {how}")
    return next((code for code in codes.values() if code != 0), 0)


def go(command: str, arguments: Sequence[str]) -> int:
    """Carry out one command line."""
    started = time.monotonic()
    options = parser_for(command).parse_args(arguments)
    wine = PROGRAMS_OWN if command == "versions" or options.wine == "own" else PROGRAMS_10
    check_programs(PROGRAMS | wine, may_install=options.install)
    if command != "versions" and (options.bits == 32 or options.win32 == "yes"):
        check_programs(PROGRAMS_32, may_install=options.install)
    if command == "versions":
        return try_versions(options.versions or VERSIONS)
    target: list[str] = []
    if command == "run":
        script = Path(options.script).resolve()
        if not script.is_file():
            raise LaneError(f"there is no script {options.script}")
        target = [windows_path(script), *options.arguments]
    cache = Cache(CACHE)
    python = WindowsPython(options.python, options.bits)
    with cache.locked():
        if options.wine != "own":
            use_wine_10(cache)
        # A script uses 32-bit programs if they are prepared; the other commands prepare them.
        prefix = prefix_name(bits_32=True, own=options.wine == "own")
        lane = prepare(cache, options, try_32=command != "run" or cache.has(prefix))
        if command == "prepare":
            note(f"prepared in {time.monotonic() - started:.1f} s: {lane.python}")
            return 0
        wines = {"": lane.wine}
        shares = [each for each in SHARES if each.engine in lane.engines]
        if command == "":
            wines |= {each.name: own_prefix(lane.wine, cache, each.name) for each in shares}
        wheel = None
        if options.wheel:
            folder = windows_python(cache, python.builder)
            wheel = build_wheel(cache, python.builder, folder, options.project.resolve())
            install(wheel, python, lane.python)
    took = f"ready in {time.monotonic() - started:.1f} s"
    note(f"{took}: Windows Python {options.python}, {wheel.name if wheel else 'no wheel'}")
    if command == "build":
        print(wheel)
        return 0
    profile = "quick" if options.quick else os.environ.get(PROFILE, "full")
    engines = {share.name: share.engine for share in shares}

    def program(target: Sequence[str], output: Sink | None = None, share: str = "") -> int:
        settings = lane.settings(profile, engines.get(share, options.engine))
        return run_python(
            wines[share],
            cache,
            lane.python,
            target,
            settings={**settings, **({} if command == "" else SCRIPT_OUTPUT)},
            timeout=options.timeout,
            output=output,
        )

    if command == "run":
        return program(target)
    # The x86 engine handles exceptions of its own, as on attaching: print no tracebacks of them.
    quiet = ["-p", "no:faulthandler"] if options.bits == 32 else []
    return run_suite(
        program,
        shares,
        [*quiet, *options.arguments],
        cache.folder / "pytest",
        options.junit,
        side_by_side=options.side_by_side and options.engine == NEWER,
    )


def main() -> int:
    """Run the command line; return its exit code."""
    # Otherwise programs in Wine would keep running.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    arguments = sys.argv[1:]
    command = arguments.pop(0) if arguments and arguments[0] in COMMANDS else ""
    if command == "win32":
        command, arguments = "", ["--bits", "32", *arguments]
    try:
        return go(command, arguments)
    except LaneError as error:
        print(f"lane: error: {error}", file=sys.stderr)
        return NOT_TO_BE_HAD
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS


if __name__ == "__main__":
    raise SystemExit(main())
