"""The matrix: the package on systems that refuse some operation, without virtual machines.

    python tests/matrix/matrix.py               every cell
    python tests/matrix/matrix.py ptrace user   cells whose name has one of these words
    python tests/matrix/matrix.py --list        the names of the cells

A probe (probe.py) takes the same steps in each cell: under a seccomp filter that refuses a system
call (system_calls.py), in namespaces, as another user, under limits, on other kinds of programs
(surroundings.py). The expected outcomes are in tables there. The targets themselves report the
bytes of their memory. A cell that this machine can't try is listed with the reason.
"""

from __future__ import annotations

import argparse
import errno
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import recorded
from cells import Cell, CellError, NotHereError, probe_command, run_cell
from surroundings import PROGRAMS, surroundings
from system_calls import CALLS, ERRORS, KILLED, ORDINARY, OTHERWISE, TOGETHER, WORKS, numbers

TARGET = Path(__file__).with_name("target.c")


def call_cells(program: Path) -> list[Cell]:
    """Return a cell for each system call and each way to refuse it."""
    known = numbers()
    cells = []
    for calls, outcome in {**CALLS, **TOGETHER}.items():
        denied = [known[name] for name in calls.split() if name in known]
        for error in ERRORS if denied else ():
            expected = OTHERWISE.get((calls, error), outcome)
            if expected is not None:
                wish = {
                    "target": str(program),
                    "deny": dict.fromkeys(denied, error),
                    "doctor": error == errno.EPERM,
                }
                cells.append(Cell(f"{calls}: {errno.errorcode[error]}", expected, wish))
    for name, outcome in KILLED.items():
        wish = {"target": str(program), "deny": {known[name]: 0}}
        cells.append(Cell(f"{name}: killed", outcome, wish))
    return cells


def check_known(program: Path) -> None:
    """Fail if the probe makes a system call that is in no table."""
    names = {number: name for name, number in numbers().items()}
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = probe_command({"target": str(program), "listener": theirs.fileno()})
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
        ) as probe:
            theirs.close()
            made = {names.get(number, str(number)) for number in recorded.record(ours)}
        if probe.returncode:
            raise CellError(f"the probe ended with {probe.returncode}")
    if unknown := made - CALLS.keys() - ORDINARY:
        raise CellError(
            f"the package makes {', '.join(sorted(unknown))}: system_calls.py must have the "
            "outcome where that is refused"
        )
    if unseen := CALLS.keys() - made:
        say(f"not seen this time: {', '.join(sorted(unseen))}")


def compiled(program: Path, *flags: str, compiler: str | None = None) -> None:
    """Compile the target."""
    if compiler is not None and shutil.which(compiler) is None:
        raise NotHereError(f"there is no {compiler}")
    command = [compiler] if compiler else shlex.split(os.environ.get("CC") or "cc")
    done = subprocess.run(
        [*command, "-O1", *flags, str(TARGET), "-o", str(program)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise NotHereError(done.stderr.strip().splitlines()[-1])


def main(arguments: list[str]) -> int:
    """Run the cells; return 1 if the result of one differs from its table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="of the names of cells")
    parser.add_argument("--list", action="store_true", help="print the names of the cells")
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pydbgwrite-matrix-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # for other users
        program = folder / "target"
        compiled(program)
        cells = [*call_cells(program), *surroundings(program)]
        for kind, (compiler, flags) in PROGRAMS.items():
            made = folder / f"target-{len(cells)}"
            compile_it = partial(compiled, made, *flags, compiler=compiler)
            cells.append(Cell(f"a program: {kind}", WORKS, {"target": str(made)}, make=compile_it))
        if options.words:
            cells = [each for each in cells if any(word in each.name for word in options.words)]
        if options.list:
            print(*(each.name for each in cells), sep="\n")
            return 0
        failed = run_all(cells, program, known=not options.words)
    print(f"{len(cells)} cells in {time.monotonic() - begun:.0f} s, {failed} failed")
    return 1 if failed else 0


def say(*lines: str) -> None:
    """Print lines together, without lines of other threads between them."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def run_all(cells: list[Cell], program: Path, *, known: bool) -> int:
    """Run the cells on all processors, report each result, and return the count of failures."""
    usual = run_cell(Cell("usual", WORKS, {"target": str(program), "doctor": True}), ())
    failed = 0
    if known:
        try:
            check_known(program)
        except OSError as error:  # a kernel before 5.5
            say(f"not here  system calls: {error}")
        except CellError as error:
            failed += 1
            say(f"FAILED    system calls: {error}")

    def tell(cell: Cell) -> bool:
        try:
            run_cell(cell, usual)
        except NotHereError as error:
            say(f"not here  {cell.name}: {error}")
        except CellError as error:
            say(f"FAILED    {cell.name}", textwrap.indent(str(error), " " * 10))
            return False
        return True

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        failed += list(pool.map(tell, cells)).count(False)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
