"""What a step of .ci/run is, and how it runs. What passed is kept for wheel_table.py."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from machine import ROOT, Failure, keep_output, say, show_output

Show = TypeVar("Show", bound=Callable[[], str | None])
#: The steps that passed in this clone, with nothing changed in it.
RAN = ROOT / ".cache" / "ran.json"


@dataclass
class Step:
    """A function that checks something, or raises; it returns its suite's closing line, if any.

    budget: the seconds that it may take on a quiet machine of two processors. It is printed beside
    the time taken; a longer time is no failure, since other work may slow the machine.
    by_name: it runs only if it is named, since it takes longer than .ci/run has.
    proves: of wheels (a pattern of their names), in a few words, for the table in CONTRIBUTING.md.
    """

    name: str
    show: Callable[[], str | None]
    budget: int
    together: bool
    by_name: bool
    proves: Mapping[str, str]
    summary: str = ""
    closing: str | None = None
    passed: bool | None = None
    took: float = 0


#: The steps in their order, except that those that run together come first.
STEPS: list[Step] = []


def step(
    *,
    budget: int,
    together: bool = False,
    by_name: bool = False,
    name: str = "",
    proves: Mapping[str, str] | None = None,
) -> Callable[[Show], Show]:
    """Add a function to the steps."""

    def add(show: Show) -> Show:
        STEPS.append(Step(name or show.__name__, show, budget, together, by_name, proves or {}))
        return show

    return add


def perform(step: Step, *, beside_others: bool) -> None:
    """Run a step, and print its result."""
    if beside_others:
        keep_output()
    begun = time.monotonic()
    say(f"\n=== {step.name}: {step.show.__doc__}")
    try:
        step.closing = step.show()
        step.passed = True
    except Failure as failure:
        step.passed = False
        say(f"--- {failure}")
    except Exception:
        step.passed = False
        say(traceback.format_exc())
    step.took = time.monotonic() - begun
    how = "FAILED" if not step.passed else (step.closing or "").strip("= ")
    step.summary = f"{timed(step.name, step.took, step.budget)}  {how}"
    say(f"\n--- {step.summary}")
    show_output()


def timed(name: str, took: float, budget: int) -> str:
    """Return the line of the time that a step, or all of them, took."""
    over = ", over its budget" if took > budget else ""
    return f"{name:<15}{took:5.0f} s of {budget:4} s{over}"


def keep_what_ran(took: Mapping[str, tuple[float, int]], commit: str) -> None:
    """Keep what passed here, when, on which commit, its seconds and budget, for wheel_table.py."""
    RAN.parent.mkdir(exist_ok=True)
    known = json.loads(RAN.read_text(encoding="utf-8")) if RAN.exists() else {}
    today = datetime.now(UTC).date().isoformat()
    for name, (seconds, budget) in took.items():
        times = {"seconds": round(seconds), "budget": budget}
        known[name] = {"commit": commit, "date": today, **times}
    RAN.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")
