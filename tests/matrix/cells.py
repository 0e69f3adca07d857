"""A cell of the matrix: its surroundings, the expected outcome of the probe, the comparison."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from probe import Target
from system_calls import Outcome

__all__ = ["Cell", "CellError", "NotHereError", "probe_command", "run_cell"]

PROBE = Path(__file__).with_name("probe.py")
#: A longer step, or a longer probe with all its steps, waits in vain.
LONGEST_STEP, LONGEST_PROBE = 8.0, 60.0
MOST_SHOWN = 8
#: An error given only by its number, or by a name that is known only inside an engine.
BARE = re.compile(r"failed with E[A-Z]+\b|GEN_FAILURE|HRESULT_FROM|signal \d")
#: Advice that itself states its condition.
CONDITION = "process_vm_writev is called instead"


class CellError(Exception):
    """The result of a cell differs from its table."""


class NotHereError(Exception):
    """This machine can't try the cell; the message is the reason."""


@dataclass(frozen=True)
class Cell:
    """before: the command that makes the surroundings, and runs the rest of the line in them.

    of_root: the targets are root's, and run outside. make: a call to make first.
    """

    name: str
    outcome: Outcome
    wish: dict[str, Any] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    of_root: bool = False
    make: Callable[[], None] = field(default=lambda: None)


def probe_command(wish: dict[str, Any]) -> list[str]:
    """Return the command that runs the probe."""
    return [sys.executable, str(PROBE), json.dumps(wish)]


def run_cell(cell: Cell, usual: Sequence[str]) -> list[str]:
    """Run and compare the probe; return its steps. usual: the steps of a run without failures."""
    cell.make()
    if cell.before:
        check_here(cell)
    targets = [Target(cell.wish["target"]) for _ in range(2)] if cell.of_root else []
    given = [each.given() for each in targets]
    with ExitStack() as stack:
        for each in targets:
            stack.enter_context(each)
        out, err, status = run_probe(cell, {**cell.wish, "given": given})
    if status or err:
        raise CellError(f"exit status {status}: {err.strip()}")
    steps = [json.loads(line) for line in out.splitlines()]
    if not cell.wish.get("doctor"):
        usual = [name for name in usual if "doctor" not in name]
    wrong = check_steps(cell.outcome, steps, usual)
    if wrong:
        more = [f"and {len(wrong) - MOST_SHOWN} more"] if len(wrong) > MOST_SHOWN else []
        raise CellError("\n".join([*wrong[:MOST_SHOWN], *more]))
    return [each["step"] for each in steps]


def run_probe(cell: Cell, wish: dict[str, Any]) -> tuple[str, str, int]:
    """Return the probe's standard output, standard error and exit status."""
    with subprocess.Popen(
        [*cell.before, *probe_command(wish)],
        pass_fds=[end for each in wish["given"] for end in each["ends"]],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as probe:
        try:
            out, err = probe.communicate(timeout=LONGEST_PROBE)
        except subprocess.TimeoutExpired:
            os.killpg(probe.pid, signal.SIGKILL)
            out, err = probe.communicate()
            raise CellError(f"it hangs after {len(out.splitlines())} steps") from None
    return out, err, probe.returncode


def check_here(cell: Cell) -> None:
    """Check that the surroundings can be made, and Python and the package can be read in them."""
    package = find_spec("pydbgwrite")
    assert package is not None
    assert package.origin is not None
    for command in (("true",), ("test", "-r", package.origin), (sys.executable, "-c", "")):
        done = subprocess.run([*cell.before, *command], capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr.strip() or f"{command[-1]} can't be read").splitlines()[-1]
            raise NotHereError(reason)


def check_steps(outcome: Outcome, steps: list[dict[str, Any]], usual: Sequence[str]) -> list[str]:
    """Return the differences from the expected outcome."""
    wrong = []
    taken = {each["step"]: each for each in steps}
    failed = {name for name, told in taken.items() if told["error"] is not None}
    for name in usual:
        part, _, step = name.partition(": ")
        before = (f"{part}: attach", *[f"{part}: journal"] * (step == "undo"))
        if name not in taken and failed.isdisjoint(before):
            wrong.append(f"{name}: not reached")
    for name, told in taken.items():
        refused = any(fnmatchcase(name, pattern) for pattern in outcome.refused)
        if told["error"] is None and refused and not outcome.perhaps:
            wrong.append(f"{name}: works, and the table says that it is refused")
        elif told["error"] is not None and not refused:
            wrong.append(f"{name}: {told['kind']}: {told['error']}")
        elif told["error"] is not None:
            wrong.extend(f"{name}: {each}" for each in check_message(outcome, told, taken))
        if "untrue" in told:
            wrong.append(f"{name}: {told['untrue']}")
        if told["seconds"] > LONGEST_STEP:
            wrong.append(f"{name}: took {told['seconds']} s")
    return wrong


def check_message(
    outcome: Outcome, told: dict[str, Any], taken: dict[str, dict[str, Any]]
) -> list[str]:
    """Return the faults in the message of a refusal."""
    text: str = told["error"]
    wrong = [f"does not say {word!r}: {text}" for word in outcome.words if word not in text]
    if BARE.search(text):
        wrong.append(f"a bare number: {text}")
    if not told["kind"].startswith(outcome.kind):
        wrong.append(f"an exception of {told['kind']}: {text}")
    for advice, part in (("suspend=False", "running"), ("suspend=True", "suspended")):
        tried = [taken.get(f"{part}: {step}") for step in ("attach", "write")]
        works = all(each is not None and each["error"] is None for each in tried)
        if advice in text and CONDITION not in text and not works:
            wrong.append(f"advises {advice}, which does not work here: {text}")
    return wrong
