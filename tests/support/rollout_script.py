"""Runs a rollout as a process that a test kills.

    python rollout_script.py LEDGER TABLE WORKERS PID...

WORKERS is the number of worker processes, or 0 for threads. It prints "ready" and waits for a line;
then a "." for each outcome, and "done" at the end.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor

from pydbgwrite import rollout
from support.fleet import patch_of


def say(*_: object) -> None:
    """Print a dot."""
    print(".", end="", flush=True)


def end_with(parent: int) -> None:
    """End this worker with the script: others of a pool wait for work without end."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, prctl(2)
    if os.getppid() != parent:
        os._exit(1)


def main() -> None:
    """Run the rollout."""
    folder, table, workers, *pids = sys.argv[1:]
    executor = None
    if int(workers):
        executor = ProcessPoolExecutor(int(workers), None, end_with, (os.getpid(),))
    if executor is not None:
        executor.submit(int).result()  # a first worker is there
        print(*executor._processes or (), flush=True)
    print("ready", flush=True)
    sys.stdin.readline()
    rollout.apply(
        patch_of(int(table)),
        rollout.processes(pids=map(int, pids)),
        executor,
        ledger=folder,
        batch=3,
        progress=say,
    )
    print("done", flush=True)


if __name__ == "__main__":
    try:
        main()
    finally:
        # At its exit Python would wait for the pool: without end, if a worker was killed that held
        # the lock of the pool's queue. The workers end with this process.
        os._exit(0)
