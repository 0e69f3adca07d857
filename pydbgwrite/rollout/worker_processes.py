"""Worker processes of this machine, for an engine that has one session in a process.

Each thread that has tasks has a worker of its own, and its own two pipes. ProcessPoolExecutor is
not used: it runs the caller's script again in each worker, waits without end for one that does not
answer or was killed in the pool's queue, and hangs under Wine 8 (docs/internals/rollouts.md).
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from pydbgwrite._core import FileDescriptor
from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import RolloutError
from pydbgwrite.rollout.worker import run

if TYPE_CHECKING:
    from typing import Self

__all__ = ["WorkerProcesses", "serve"]

#: The worker finds pydbgwrite where this process does.
_PROGRAM: Final = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from pydbgwrite.rollout.worker_processes import serve; serve()"
)
#: Seconds between looks whether a worker still runs, while its answer is waited for.
_LOOK_AFTER: Final = 0.5
#: On Windows Ctrl-C is for the coordinator, which decides what becomes of the tasks.
_OWN_GROUP: Final[int] = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


class WorkerProcesses:
    """The workers of a block, one for each thread that calls run().

    timeout: seconds for a task. A worker that needs more is ended.
    """

    def __init__(self, timeout: float) -> None:
        if getattr(sys, "frozen", False) or not sys.executable:
            given = IN_FORCE.get().argument("executor")
            raise RolloutError(
                "this program has no Python interpreter that could run workers"
                f"{given and f': give {given}'}. Nothing was written"
            )
        self._timeout = timeout
        self._lock = threading.Lock()
        self._own = threading.local()
        self._all: list[_Worker] = []
        self._closed = False

    def run(self, task: str) -> str:
        """Have the worker of this thread do a task, as worker.run() does it.

        Raises RolloutError if the worker raises an error, ends, or does not answer in time.
        """
        return self._worker().ask(task, self._timeout)

    def _worker(self) -> _Worker:
        worker: _Worker | None = getattr(self._own, "worker", None)
        if worker is None or not worker.runs:
            with self._lock:
                if self._closed:
                    raise RolloutError("the rollout has ended: nothing was written")
                worker = self._own.worker = _Worker()
                self._all.append(worker)
        return worker

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers. One that is at work has been waited for before."""
        with self._lock:
            self._closed = True
            for each in self._all:
                each.kill()
        for each in self._all:
            each.close()


class _Worker:
    """A process that does one task at a time. It ends with this process, after its task."""

    def __init__(self) -> None:
        flag = "-I" if sys.flags.isolated else "-P"
        self._process = subprocess.Popen(
            [sys.executable, flag, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            creationflags=_OWN_GROUP,
        )
        self._greeting = pickle.dumps(sys.path) + pickle.dumps(IN_FORCE.get())
        self._tasks: SimpleQueue[bytes] = SimpleQueue()
        self._answers: SimpleQueue[bytes] = SimpleQueue()
        threading.Thread(target=self._exchange, daemon=True).start()

    @property
    def runs(self) -> bool:
        """True unless it has ended."""
        return self._process.poll() is None

    def ask(self, task: str, timeout: float) -> str:
        """Send a task, and return its answer."""
        self._tasks.put(self._greeting + task.encode() + b"\n")
        until = time.monotonic() + timeout
        line = None
        while line is None and (left := until - time.monotonic()) > 0:
            ended = not self.runs
            try:
                line = self._answers.get(timeout=min(left, _LOOK_AFTER))
            except not_from_handler(Empty):
                if ended:  # and its pipe is open: another process can have it
                    line = b""
        self._greeting = b""
        if line and line.endswith(b"\n"):
            answer, error = json.loads(line)
            if error is not None:
                raise RolloutError(error)
            return str(answer)
        self.kill()
        code = self._process.wait()
        who = f"its worker, process {self._process.pid},"
        if line is None:
            raise RolloutError(f"{who} did not answer within {timeout:g} s, and was ended")
        raise RolloutError(f"{who} has ended, with exit code {code}")

    def _exchange(self) -> None:
        """Send tasks, and take the line that comes back: on a thread, since nothing limits it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            with self._process.stdin as tasks, self._process.stdout as answers:
                while task := self._tasks.get():
                    tasks.write(task)
                    tasks.flush()
                    self._answers.put(answers.readline())
        except not_from_handler(OSError):
            self._answers.put(b"")

    def kill(self) -> None:
        """End it. An idle one holds nothing: its sessions are closed with each process."""
        self._process.kill()

    def close(self) -> None:
        """Wait for the end of one that was killed, and have its pipes closed."""
        self._process.wait()
        self._tasks.put(b"")


def serve() -> None:
    """Do the tasks that come through standard input, until it ends."""
    IN_FORCE.set(pickle.load(sys.stdin.buffer))
    with FileDescriptor(os.dup, 1) as answers:
        os.dup2(2, 1)  # what is printed is no answer
        for task in sys.stdin.buffer:
            said = memoryview(json.dumps(_answer(task.decode())).encode() + b"\n")
            while said:
                said = said[os.write(answers.fileno(), said) :]


def _answer(task: str) -> tuple[str, str | None]:
    """Do a task; return its answer and None, or "" and the error."""
    try:
        return run(task), None
    except not_from_handler(Exception) as error:
        return "", str(error) or type(error).__name__
