"""Measures this package with Microsoft's engine against the engine's calls from C, and its peers.

    python bench/run_windows.py            on Linux: in the Windows lane (tests/windows/lane.py)
    python bench/run_windows.py --quick    fewer rounds
    python bench/run_windows.py --only bulk    writes through WriteVirtual; find: searches;
                                               calls: the direct calls

On Linux it builds bench/lib/engine_calls.c with the lane's cross compiler and runs itself again in
the lane. On Windows, build the library by hand, pass it with --library, and install win32more,
comtypes and Pybag. Exit code 1: a limit was exceeded.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
COMPILER = "x86_64-w64-mingw32-gcc"


def in_the_lane(arguments: list[str]) -> int:
    """Build the library, then this script again, in the lane."""
    lane = ROOT / "tests" / "windows" / "lane.py"
    subprocess.run([sys.executable, lane, "prepare"], check=True)
    with tempfile.TemporaryDirectory(prefix="pydbgwrite-bench-") as folder:
        library = Path(folder, "engine_calls.dll")
        flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-shared", "-static-libgcc"]
        source = HERE / "lib" / "engine_calls.c"
        subprocess.run([COMPILER, *flags, source, "-o", library], check=True)
        seen_by_wine = "Z:" + str(library).replace("/", "\\")
        again: list[str | Path] = [lane, "run", __file__, "--library", seen_by_wine, *arguments]
        return subprocess.run([sys.executable, *again], check=False).returncode


def main() -> int:
    """Measure here, or in the lane."""
    if sys.platform != "win32":
        return in_the_lane(sys.argv[1:])
    from cases.engine import engine_figures, use_peers
    from cases.engine_bulk import bulk_figures
    from cases.engine_find import find_figures
    from lib.reports import RESULTS, show, write_json

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--only", choices=("bulk", "find", "calls"), help="these cases")
    parser.add_argument("--library", type=Path, required=True, help="engine_calls.dll")
    options = parser.parse_args()
    use_peers()
    figures = []
    for name, cases in (
        ("bulk", bulk_figures),
        ("find", find_figures),
        ("calls", engine_figures),
    ):  # Pybag last
        if options.only in (None, name):
            for figure in cases(options.library, quick=options.quick):
                print(f"{figure.case}, {figure.contestant_name}: {figure.value}", flush=True)
                figures.append(figure)
    show(figures)
    print(f"written to {write_json(figures, RESULTS).name} in bench/results")
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
