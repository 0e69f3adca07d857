"""Executors of the caller's, and those of this process where none is given."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from typing import Any, Final

from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.rollout.worker import run
from pydbgwrite.rollout.worker_processes import WorkerProcesses

__all__ = ["Answer", "Executors", "executors_of"]

_MOST_WORKERS: Final = 8
#: Seconds of one wait for answers. On Windows Ctrl-C is noticed only when a wait for a lock ends
#: (github.com/python/cpython/issues/80116).
_LONGEST_WAIT: Final = 0.5


class Answer:
    """What became of a task: its result, or why there is none.

    cancelled: it never began. refused: the executor did not take it.
    """

    def __init__(
        self, result: Any = None, error: str = "", *, cancelled: bool = False, refused: bool = False
    ) -> None:
        self.result = result
        self.error = error
        self.cancelled = cancelled
        self.refused = refused


class Executors:
    """The executor of each machine, by the machine's name. do: what they are asked to call."""

    def __init__(
        self, by_name: Mapping[str, Executor], timeout: float, do: Callable[[str], str] = run
    ) -> None:
        self._by_name = by_name
        self._timeout = timeout
        self._do = do

    @property
    def names(self) -> list[str]:
        """The names of the machines."""
        return list(self._by_name)

    def run(
        self,
        tasks: Iterable[tuple[str, dict[str, Any]]],
        stopping: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[int, Answer]]:
        """Run tasks, each on the machine of that name; yield their answers as they come.

        When stopping() is true, what has not begun is cancelled. If an exception ends this, what
        has begun is waited for.
        """
        futures: dict[Future[str], tuple[int, Executor]] = {}
        try:
            for number, (name, task) in enumerate(tasks):
                executor = self._by_name.get(name)
                if executor is None:
                    yield number, Answer(error=f"no executor is given for {name}", refused=True)
                    continue
                try:
                    futures[executor.submit(self._do, json.dumps(task))] = number, executor
                except not_from_handler(Exception) as error:  # of whatever kind an executor has
                    text = f"the executor takes no task: {_worded(error)}"
                    yield number, Answer(error=text, refused=True)
            while futures:
                if stopping():
                    yield from _cancelled(futures, "the rollout has stopped")
                done = _wait(futures, self._timeout, FIRST_COMPLETED)
                for future in done:
                    number, executor = futures.pop(future)
                    yield number, _answer(future, executor)
                if futures and not done:
                    why = f"its worker did not answer within {self._timeout:g} s"
                    yield from _cancelled(futures, why)
                    for number, _executor in futures.values():
                        yield number, Answer(error=why)
                    return
        except BaseException:
            for future in futures:
                future.cancel()
            _wait([each for each in futures if not each.cancelled()], self._timeout, ALL_COMPLETED)
            raise


@contextmanager
def executors_of(
    executor: Executor | Mapping[str, Executor] | None, timeout: float
) -> Iterator[Executors]:
    """Yield the executors of a rollout: the caller's, or some of this process for the block."""
    timeout = min(timeout, threading.TIMEOUT_MAX)
    if executor is None:
        # The workers are ended first: then no thread waits for one, and all can be joined.
        with _threads() as threads, _own_work(timeout) as do:
            yield Executors({"": threads}, timeout, do)
        return
    if isinstance(executor, Mapping):
        if not executor:
            raise ValueError("executor is an empty mapping: give an executor for each machine")
        for name, each in executor.items():
            if not isinstance(name, str) or not name or not callable(getattr(each, "submit", None)):
                raise TypeError(
                    "a mapping of executors has an Executor for each name of a machine, got "
                    f"{name!r:.60}: {type(each).__name__}"
                )
        yield Executors(dict(executor), timeout)
        return
    if not callable(getattr(executor, "submit", None)):
        raise TypeError(
            "executor must be a concurrent.futures.Executor, a mapping of names to such, or None, "
            f"got {type(executor).__name__}"
        )
    yield Executors({"": executor}, timeout)


def _threads() -> Executor:
    from concurrent.futures import ThreadPoolExecutor

    cores = os.cpu_count() or 1 if sys.platform == "win32" else len(os.sched_getaffinity(0))
    # A thread begins with a context of its own: its messages are to have the caller's spelling.
    return ThreadPoolExecutor(
        min(cores, _MOST_WORKERS), "pydbgwrite rollout", IN_FORCE.set, (IN_FORCE.get(),)
    )


@contextmanager
def _own_work(timeout: float) -> Iterator[Callable[[str], str]]:
    """Yield what threads of this process call: Microsoft's engine has one session in a process."""
    if sys.platform != "win32":
        yield run
        return
    with WorkerProcesses(timeout) as workers:
        yield workers.run


def _wait(futures: Collection[Future[str]], timeout: float, until_when: str) -> set[Future[str]]:
    """Wait for answers, as concurrent.futures.wait() does; return those that are there."""
    until = time.monotonic() + timeout
    while True:
        left = until - time.monotonic()
        done, others = wait(futures, max(0, min(left, _LONGEST_WAIT)), until_when)
        if not others or (done and until_when == FIRST_COMPLETED) or left <= _LONGEST_WAIT:
            return done


def _cancelled(
    futures: dict[Future[str], tuple[int, Executor]], why: str
) -> Iterator[tuple[int, Answer]]:
    """Cancel what can be cancelled, and take it out."""
    for future in [each for each in futures if each.cancel()]:
        number, executor = futures.pop(future)
        yield number, _answer_of_cancelled(executor, why)


def _answer_of_cancelled(executor: Executor, why: str) -> Answer:
    """Return that a task has not begun, or may have.

    A task of Dask can be cancelled at any time: its future does not know whether it has begun.
    """
    if isinstance(executor, tuple(_pools())):
        return Answer(error=why, cancelled=True)
    return Answer(error=f"{why}; its task was cancelled, and may have begun")


def _pools() -> Iterator[type[Executor]]:
    """Yield the standard library's pools that are imported; there is none of another."""
    for module, name in (("thread", "ThreadPoolExecutor"), ("process", "ProcessPoolExecutor")):
        if f"concurrent.futures.{module}" in sys.modules:
            yield getattr(sys.modules[f"concurrent.futures.{module}"], name)


def _answer(future: Future[str], executor: Executor) -> Answer:
    if future.cancelled():
        return _answer_of_cancelled(executor, "its executor has cancelled it")
    error = future.exception()
    if error is not None:
        return Answer(error=_worded(error))
    try:
        return Answer(json.loads(future.result()))
    except not_from_handler(ValueError, TypeError) as error:
        return Answer(error=f"its worker's answer can't be read: {error}")


def _worded(error: BaseException) -> str:
    return str(error) or type(error).__name__
