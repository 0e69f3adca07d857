"""One part of a Dask cluster for the rollouts of tests: its scheduler, a worker, or a coordinator.

    python dask_part.py scheduler ADDRESS FOLDER
    python dask_part.py worker ADDRESS FOLDER SCHEDULER
    python dask_part.py ACTION WORDS

FOLDER has the certificate of all parts, for TLS. A scheduler and a worker print "ready". A
coordinator does so, and begins when it reads a line; ACTION is apply, resume or undo, and WORDS is
a JSON object. If that asks for it, it says "check" after each batch, and waits for a line. Its last
line is the report.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from distributed import Client, Scheduler, Security, Worker

from pydbgwrite import RolloutError, rollout
from support.fleet import patch_of

PORT = 8786


def tls(folder: str) -> Security:
    """Return what has the parts trust each other, and nobody else."""
    files = {"cert": str(Path(folder, "cert.pem")), "key": str(Path(folder, "key.pem"))}
    roles = {
        f"tls_{role}_{kind}": path
        for role in ("scheduler", "worker", "client")
        for kind, path in files.items()
    }
    return Security(tls_ca_file=files["cert"], require_encryption=True, **roles)


async def schedule(address: str, folder: str) -> None:
    """Be the scheduler."""
    async with Scheduler(
        host=address, port=PORT, protocol="tls", security=tls(folder), dashboard=False
    ) as scheduler:
        print("ready", flush=True)
        await scheduler.finished()


async def work(address: str, folder: str, scheduler: str) -> None:
    """Be the worker of a machine."""
    async with Worker(
        f"tls://{scheduler}:{PORT}",
        host=address,
        security=tls(folder),
        nthreads=2,
        dashboard=False,
        local_directory=str(Path(folder, f"worker-{address}")),
    ) as worker:
        print("ready", flush=True)
        await worker.finished()


def coordinate(action: str, words: dict[str, Any]) -> None:
    """Be a coordinator: a rollout, or what is left of it."""

    def check(_: object) -> bool:
        print("check", flush=True)
        return bool(sys.stdin.readline())

    scheduler = f"tls://{words['scheduler']}:{PORT}"
    with Client(scheduler, security=tls(words["folder"]), timeout=30) as client:
        client.wait_for_workers(len(words["hosts"]), timeout=30)
        hosts = {name: client.get_executor(pure=False, workers=[name]) for name in words["hosts"]}
        print("ready", flush=True)
        sys.stdin.readline()
        if action == "apply":
            program = words["program"]
            report = rollout.apply(
                patch_of(f"{Path(program).name}!table"),
                rollout.processes(program=program),
                hosts,
                ledger=words["ledger"],
                check=check if words.get("check") else None,
                **words.get("options", {}),
            )
        else:
            go_on = rollout.resume if action == "resume" else rollout.undo
            try:
                report = go_on(words["ledger"], hosts)
            except RolloutError as error:
                assert "had not begun" in str(error)
                print(json.dumps({"ended": True, "outcomes": []}), flush=True)
                os._exit(0)
        said = {
            "ended": report.ended,
            "undone": report.undone,
            "ok": report.ok,
            "stopped": report.stopped,
            "outcomes": [[each.host, each.pid, each.state] for each in report.outcomes],
            "details": sorted({each.detail for each in report.outcomes if each.detail}),
        }
        print(json.dumps(said), flush=True)
        os._exit(0)  # what does not answer any more is not waited for


def main() -> None:
    """Be what the arguments say."""
    part, *rest = sys.argv[1:]
    if part == "scheduler":
        asyncio.run(schedule(*rest))
    elif part == "worker":
        asyncio.run(work(*rest))
    else:
        coordinate(part, json.loads(rest[0]))


if __name__ == "__main__":
    main()
