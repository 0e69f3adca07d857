"""The time of a whole command, from its start to its end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

from lib.measuring import Figure, compared, measured_in_turns
from lib.targets import started

import pydbgwrite

__all__ = ["command_line"]

_SLOTS = 4
_RATIO = 4.0


def command_line(*, quick: bool) -> Iterator[Figure]:
    """Read a table of a few slots that point into modules, and name what they point to."""
    with started(8 * _SLOTS) as target:
        with pydbgwrite.attach(target.pid) as session:
            inside = [each.base + each.size // 2 for each in session.modules()]
            session.write_pointers(target.address, (inside * _SLOTS)[:_SLOTS])
        read = ["-m", "pydbgwrite", "read", "-p", str(target.pid), str(target.address), str(_SLOTS)]

        # As an installed package has it: compiled, by the round that is not counted.
        env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

        def run(*words: str) -> float:
            before = time.perf_counter_ns()
            line = [sys.executable, *words]
            subprocess.run(line, stdout=subprocess.DEVNULL, env=env, check=True)
            return float(time.perf_counter_ns() - before)

        pairs = measured_in_turns(
            lambda: run(*read), lambda: run("-c", "import click"), rounds=11 if quick else 61
        )
    yield compared(
        f"read {_SLOTS} slots",
        "pydbgwrite read",
        "python -c 'import click'",
        pairs,
        _RATIO,
    )
