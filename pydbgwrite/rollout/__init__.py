"""One patch for all processes of a program, on this machine or on many.

    from pydbgwrite import Patch, rollout

    shops = rollout.processes(program="shop")
    report = rollout.apply(Patch.load("table.toml"), shops, ledger="rollout-2026-11")
    print(report)
    rollout.undo("rollout-2026-11")

What runs elsewhere is run by an executor of the caller's: this package has no scheduler and no
agent of its own.
"""

from __future__ import annotations

from pydbgwrite.rollout.api import apply, process_server, processes, resume, status, undo
from pydbgwrite.rollout.choice import Choice, FoundProcess
from pydbgwrite.rollout.outcomes import STATES, Outcome, Report

__all__ = [
    "STATES",
    "Choice",
    "FoundProcess",
    "Outcome",
    "Report",
    "apply",
    "process_server",
    "processes",
    "resume",
    "status",
    "undo",
]

# Tracebacks, help() and pickles show the name that users know.
for _each in (Choice, FoundProcess, Outcome, Report):
    _each.__module__ = __name__
