"""One patch of 10 pointers for thousands of processes, against the system calls from C."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lib.measuring import Figure, Pairs, compared

__all__ = ["rollouts"]

_MOST_TIMES, _MOST_STILL = 15.0, 10.0
_BENCH = Path(__file__).resolve().parents[1]


def rollouts(*, quick: bool) -> Iterator[Figure]:
    """Apply a patch with expect and verify to all children of one program.

    How long a process stands still is taken at ptrace(2), from PTRACE_INTERRUPT until PTRACE_DETACH
    has returned: the same ruler for both (lib/stops.c).
    """
    count, rounds = (400, 3) if quick else (4000, 5)
    with tempfile.TemporaryDirectory(prefix="pydbgwrite-bench-") as folder:
        ruler = Path(folder, "stops.so")
        compiler = shlex.split(os.environ.get("CC", "cc"))
        options = ("-std=c11", "-O2", "-shared", "-fPIC", "-o", str(ruler))
        subprocess.run([*compiler, *options, str(_BENCH / "lib" / "stops.c")], check=True)
        done = subprocess.run(
            [sys.executable, "-m", "lib.patch_fleet", str(count), str(rounds)],
            cwd=_BENCH,
            env={**os.environ, "LD_PRELOAD": str(ruler)},
            stdout=subprocess.PIPE,
            check=True,
        )
    found = json.loads(done.stdout)
    base, base_still, ours, still = zip(*found["times"], strict=True)
    case = f"a patch of {found['entries']} pointers, {count:,} processes"
    for what, baseline, pairs, limit in (
        ("rollout.apply, a process", "the calls from C", Pairs(ours, base), _MOST_TIMES),
        ("a process stands still", "the same in C", Pairs(still, base_still), _MOST_STILL),
    ):
        yield compared(case, what, baseline, pairs, limit, verified=found["verified"])
