"""The steps of .ci/run, in their order, and its command line.

The first steps run in parallel; suites have both processors to themselves.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

# Each adds its steps, in this order.
# isort: off
import build_steps  # noqa: F401
import windows_steps  # noqa: F401
import suite_steps  # noqa: F401

# isort: on
from environments import PYTHON
from machine import run, say
from steps import STEPS, keep_what_ran, perform, timed

__all__ = ["ALL", "STEPS", "main"]
#: The seconds that a run without names may take, and its name.
BUDGET, ALL = 1800, "all"


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
    say("\n=== all")
    for each in wanted:
        say(each.summary or f"{each.name:<15}not run")
    took = time.monotonic() - begun
    say(f"{ALL:<15}{took:5.0f} s" if options.steps else timed(ALL, took, BUDGET))
    if run("git", "status", "--porcelain", quiet=True):
        say("what passed is not kept in .cache/ran.json, because there are uncommitted changes")
    else:
        passed = {each.name: (each.took, each.budget) for each in wanted if each.passed}
        if not options.steps and len(passed) == len(wanted):
            passed[ALL] = took, BUDGET
        keep_what_ran(passed, commit)
    if failed := [each.name for each in wanted if each.passed is False]:
        say(f"\n.ci/run: FAILED: {', '.join(failed)}")
        return 1
    if closing := [each.closing for each in wanted if each.closing]:
        say(f"\n{closing[-1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
