"""Patches thousands of processes, by a rollout and by C in turns; prints the times as JSON.

python -m lib.patch_fleet COUNT ROUNDS, with lib/stops.c preloaded. Of each round it has the
nanoseconds for each process, and the median of how long one stood still: for C, then for the
rollout.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
import tempfile
import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from lib.raw_calls import RawCalls
from pydbgwrite import Patch, PatchEntry, rollout

__all__: list[str] = []


def backwards(patch: Patch) -> Patch:
    """Return the patch that undoes this one."""
    entries = []
    for each in patch.entries:
        assert isinstance(each, PatchEntry)
        assert isinstance(each.expect, array) and isinstance(each.pointers, array)
        entries.append(PatchEntry(each.address, each.expect, expect=each.pointers))
    return Patch(entries)


def stood_still(pids: Sequence[int]) -> float:
    """Return the median of the last stops, in nanoseconds. Each process has stopped once."""
    take = ctypes.CDLL(None).stops_take
    take.restype = ctypes.c_int64
    stops = [int(take(pid)) for pid in pids]
    assert all(stops), "a process was not stopped, or stops.c is not preloaded"
    return float(median(stops))


def main(count: int, rounds: int) -> None:
    """Patch them so often, forwards and backwards: journals that are removed slow the next ones.

    On ext4 a new file passes by the inodes of those that were just deleted (fs/ext4/ialloc.c,
    recently_deleted).
    """
    sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))
    from support.fleet import ENTRIES, Fleet, compile_fleet, patch_of

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a pipe for each
    calls, times, verified = RawCalls(), [], True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_STATE_HOME"] = name
        with Fleet(compile_fleet(folder / "shop"), count) as fleet:
            forwards, chosen = patch_of(fleet.table), rollout.processes(pids=fleet.pids)
            ways = (forwards, "new"), (backwards(forwards), "old")
            for number in range(rounds):
                patch, wanted = ways[number % 2]
                base = calls.patch_processes(fleet.pids, fleet.table, 24, ENTRIES) / count
                base_still = stood_still(fleet.pids)
                begun = time.perf_counter_ns()
                report = rollout.apply(patch, chosen, ledger=folder / str(number))
                ours = (time.perf_counter_ns() - begun) / count
                times.append((base, base_still, ours, stood_still(fleet.pids)))
                verified &= report.counts == {"applied": count} and fleet.all_held() == {wanted}
    print(json.dumps({"times": times, "verified": verified, "entries": ENTRIES}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
