"""Measures this package against the raw system call and its peers, in one run.

    python bench/run.py               everything, about twenty minutes
    python bench/run.py --quick       fewer rounds, less memory
    python bench/run.py large one     only these cases
    python bench/run.py --docs        everything, into docs/performance.md too
    python bench/run.py --compare REV [CASE...]
                                      this folder against that commit, in turns: compare.py

It prints one table with the limits, and writes JSON and an SVG plot to bench/results. It needs
Linux, a C compiler, about 9 GiB of memory and 4 GiB of disk cache for the memory case (--quick: 2
GiB), and the packages of pip install -e ".[cli]" --group bench; gdb and scanmem where they are
installed. Exit code 1: a limit was exceeded. With --compare, exit code 1: a target did not hold
what was written; 2: there is no such commit, or it can't be built.

A case is a function in cases/ that yields Figures. peers/ holds the contests with other packages,
and lib/ what several cases use. lib/reports.py shows the Figures, document.py puts them into the
page.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator

from cases.command_line import command_line
from cases.contests import peers
from cases.find import find
from cases.finders import finders
from cases.import_time import import_time
from cases.memory import large_memmap
from cases.names import names
from cases.narrow import narrow_target
from cases.patches import scattered_patch
from cases.pointers import large_arrays, one_pointer
from cases.report import report
from cases.retarget import retarget
from cases.rollouts import rollouts
from cases.scattered import huge_arrays, lists, scattered
from cases.transactions import transactions
from cases.verify import verified
from compare import COMPARED, compare
from document import update_docs, write_plot
from lib.measuring import Figure
from lib.reports import RESULTS, show, write_json

CASES: dict[str, Callable[..., Iterator[Figure]]] = {
    "large": large_arrays,
    "one": one_pointer,
    "huge": huge_arrays,
    "narrow": narrow_target,
    "scattered": scattered,
    "lists": lists,
    "verify": verified,
    "find": find,
    "finders": finders,
    "retarget": retarget,
    "transactions": transactions,
    "memory": large_memmap,
    "import": import_time,
    "command": command_line,
    "names": names,
    "report": report,
    "patches": scattered_patch,
    "rollouts": rollouts,
    "peers": peers,
}


def main() -> int:
    """Run the cases that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, less memory")
    parser.add_argument("--docs", action="store_true", help="put it into docs/performance.md too")
    parser.add_argument("--compare", metavar="REV", help=f"of {', '.join(COMPARED)}, in turns")
    options = parser.parse_args()
    there_are = CASES if options.compare is None else COMPARED
    unknown = [name for name in options.cases if name not in there_are]
    if unknown:
        parser.error(f"no case {', '.join(unknown)}; there are {', '.join(there_are)}")
    if options.compare is not None:
        if options.docs:
            parser.error("--docs shows the benchmarks themselves, not --compare")
        return compare(options.compare, options.cases or COMPARED, quick=options.quick)
    figures: list[Figure] = []
    for name in options.cases or CASES:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        figures.extend(CASES[name](quick=options.quick))
    show(figures)
    written = write_json(figures, RESULTS)
    print(f"written to {written}")
    plot = write_plot(figures, written)
    if plot is not None:
        print(f"written to {plot}")
    for path in update_docs(figures, plot) if options.docs else ():
        print(f"written to {path}")
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
