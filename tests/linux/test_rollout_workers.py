"""The worker processes that a rollout has with Microsoft's engine, here with the embedded one."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("Linux processes", allow_module_level=True)

import fcntl
import termios

from support.fleet import Fleet, compile_fleet, patch_of

import pydbgwrite
from pydbgwrite import RolloutError, rollout
from pydbgwrite._version import __version__
from pydbgwrite.rollout.worker_processes import WorkerProcesses

#: More than a task takes, and never waited for where a worker answers.
PATIENCE = 60.0


class Pool(ThreadPoolExecutor):
    """Threads that have worker processes do what they are asked to do."""

    def __init__(self, workers: WorkerProcesses, most: int) -> None:
        super().__init__(most)
        self.workers = workers

    def submit(self, fn: Callable[..., Any], /, *args: Any, **more: Any) -> Future[Any]:
        """Hand a task on."""
        return super().submit(self.workers.run, *args, **more)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program of the fleets of this file."""
    return compile_fleet(tmp_path_factory.mktemp("fleet") / f"works{os.getpid()}")


@pytest.fixture
def fleet(program: Path, state_folder: Path) -> Iterator[Fleet]:
    """Yield processes, and a state folder of the test's own."""
    with Fleet(program, 6) as started:
        yield started


def children() -> set[int]:
    """Return the processes that this one has started."""
    found: set[int] = set()
    for each in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # of a thread that ended
            found.update(map(int, each.read_text().split()))
    return found


def stop(pid: int) -> None:
    """Stop a child, which reads no more input when this returns."""
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)


def wait_for_input(pid: int) -> None:
    """Wait until a stopped process has something to read from its standard input."""
    with open(f"/proc/{pid}/fd/0", "rb", buffering=0) as pipe:
        while not int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), "little"):
            pass


def pipes(pid: int) -> list[Path]:
    """Return the descriptors of a worker that are pipes, beside the standard streams."""
    found = Path(f"/proc/{pid}/fd").iterdir()
    pipes = [each for each in found if int(each.name) > 2 and "pipe:" in str(each.readlink())]
    assert pipes
    return pipes


def looking(**more: object) -> str:
    """Return a task that looks for this process."""
    task = {
        "task": "look",
        "version": __version__,
        "rollout": "0" * 32,
        "choice": [None, None, None, None, [os.getpid()]],
        "known": [],
        "claim": False,
    }
    return json.dumps({**task, **more})


def test_a_rollout(fleet: Fleet, tmp_path: Path) -> None:
    before = children()
    with WorkerProcesses(PATIENCE) as workers, Pool(workers, 2) as pool:
        chosen = rollout.processes(pids=fleet.pids)
        report = rollout.apply(patch_of(fleet.table), chosen, pool, ledger=tmp_path / "a")
        assert report.ok and report.counts == {"applied": 6}
        assert fleet.all_held() == {"new"}
        assert 1 <= len(children() - before) <= 2
        assert rollout.undo(tmp_path / "a", pool).counts == {"undone": 6}
    assert fleet.all_held() == {"old"}
    assert children() == before


def test_an_error_is_handed_on_and_the_worker_stays(state_folder: Path) -> None:
    with WorkerProcesses(PATIENCE) as workers:
        with pytest.raises(RolloutError, match="the worker has pydbgwrite"):
            workers.run(looking(version="0.0"))
        worker = children()
        with pytest.raises(RolloutError, match="32 hexadecimal digits"):
            workers.run(looking(rollout="x"))
        found = json.loads(workers.run(looking()))
        assert [each[0] for each in found["processes"]] == [os.getpid()]
        assert children() == worker
    with pytest.raises(RolloutError, match="has ended"):
        with WorkerProcesses(PATIENCE) as workers:
            pass
        workers.run(looking())


@pytest.mark.parametrize("shared", [False, True])
def test_killed_workers(state_folder: Path, shared: bool) -> None:
    """shared: another process has the pipe of its answers, which stays open."""
    before = children()
    with (
        contextlib.ExitStack() as others,
        WorkerProcesses(PATIENCE) as workers,
        Pool(workers, 1) as pool,
    ):
        pool.submit(len, looking()).result()
        (first,) = children() - before
        stop(first)
        lost = pool.submit(len, looking())
        wait_for_input(first)
        if shared:
            for each in pipes(first):
                others.enter_context(each.open("wb"))
        os.kill(first, signal.SIGKILL)
        with pytest.raises(RolloutError, match=f"process {first}, has ended, with exit code -9"):
            lost.result()
        # Another one does the next task, also where it ends between two.
        pool.submit(len, looking()).result()
        (second,) = children() - before
        os.kill(second, signal.SIGKILL)
        os.waitid(os.P_PID, second, os.WEXITED | os.WNOWAIT)
        pool.submit(len, looking()).result()
        assert children() - before and second not in children()


def test_a_worker_that_does_not_answer(fleet: Fleet, tmp_path: Path) -> None:
    """It is ended after the time, its processes are unknown, and the rollout is undone."""
    before = children()
    with WorkerProcesses(2) as workers, Pool(workers, 1) as pool:
        stopped: list[int] = []

        def stop_it(_: object) -> bool:
            stopped.extend(children() - before)
            stop(stopped[0])
            return True

        report = rollout.apply(
            patch_of(fleet.table),
            rollout.processes(pids=fleet.pids),
            pool,
            ledger=tmp_path / "a",
            batch=1,
            check=lambda outcomes: bool(stopped) or stop_it(outcomes),
        )
        assert f"process {stopped[0]}, did not answer within 2 s, and was ended" in report.stopped
        assert report.undone and report.ended
        assert report.counts == {"undone": 1, "not begun": 5}
        assert not Path(f"/proc/{stopped[0]}").exists()
    assert fleet.all_held() == {"old"}


PLACE = 0x7A0000000000
TARGET = f"""
import ctypes, sys
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
assert libc.mmap({PLACE}, 4096, 3, 0x100022, -1, 0) == {PLACE}  # MAP_FIXED_NOREPLACE
libc.prctl(0x59616D61, ctypes.c_ulong(2**64 - 1), 0, 0, 0)  # PR_SET_PTRACER, any
print("ready", flush=True)
sys.stdin.read()
print(ctypes.c_uint64.from_address({PLACE}).value)
"""

# Chooses by the name of the program that it runs itself, and so do its workers.
SAME_PROGRAM = """
import os, sys
from pydbgwrite import Patch, rollout
from pydbgwrite.rollout.worker_processes import WorkerProcesses
from test_rollout_workers import Pool

def main():
    patch, folder = Patch.load(sys.argv[1]), sys.argv[2]
    with WorkerProcesses(60) as workers, Pool(workers, 2) as pool:
        chosen = rollout.processes(program=os.path.basename(os.path.realpath(sys.executable)))
        report = rollout.apply(
            patch, chosen, pool, ledger=folder, canary=0, batch=2, until_stable=True
        )
        print([each.pid for each in report.outcomes], report.ok)

main()
"""


def test_workers_are_no_targets(state_folder: Path, tmp_path: Path) -> None:
    """Neither the coordinator nor a worker is found by the name of the program that they run."""
    python = tmp_path / f"python{os.getpid()}"
    shutil.copy(os.path.realpath(sys.executable), python)
    folders = [Path(__file__).parent, Path(pydbgwrite.__file__).parents[1], *sys.path]
    library = os.environ.get("LD_LIBRARY_PATH"), sysconfig.get_config_var("LIBDIR")
    environment = {
        **os.environ,
        "PYTHONHOME": sys.base_prefix,
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, library)),
    }
    with contextlib.ExitStack() as stack:
        targets = [
            stack.enter_context(
                subprocess.Popen(
                    [str(python), "-c", TARGET],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env=environment,
                )
            )
            for _ in range(2)
        ]
        for each in targets:
            assert each.stdout is not None and each.stdout.readline() == "ready\n"
        patch = tmp_path / "patch.toml"
        patch.write_text(f"format = 1\n[[write]]\naddress = {PLACE}\npointers = [7]\n")
        done = subprocess.run(
            [str(python), "-c", SAME_PROGRAM, str(patch), str(tmp_path / "ledger")],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        pids = sorted(each.pid for each in targets)
        assert (done.stdout, done.stderr) == (f"{pids} True\n", "")
        assert [each.communicate()[0] for each in targets] == ["7\n"] * 2


def test_a_program_without_an_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen program would be started again."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(RolloutError, match=r"no Python interpreter.*give executor="):
        WorkerProcesses(PATIENCE)
