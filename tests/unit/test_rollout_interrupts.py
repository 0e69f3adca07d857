"""Ctrl-C while a rollout waits for its workers."""

from __future__ import annotations

import _thread
import signal
import threading
from concurrent.futures import Executor, Future
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from pydbgwrite import Patch, PatchEntry, rollout


class Silent(Executor):
    """Takes one task, and never answers."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self.asked.is_set():
            raise RuntimeError("it has been shut down")
        self.asked.set()
        return Future()


def test_it_is_noticed_though_no_worker_answers(state_folder: Path, tmp_path: Path) -> None:
    """On Windows a wait for a lock does not end for it (python/cpython issue 80116)."""
    executor, noticed = Silent(), threading.Event()
    in_time: list[bool] = []

    def handler(_number: int, _frame: FrameType | None) -> None:
        noticed.set()
        raise KeyboardInterrupt

    def press() -> None:
        assert executor.asked.wait(20)
        _thread.interrupt_main()
        in_time.append(noticed.wait(20))

    pressing = threading.Thread(target=press)
    before = signal.signal(signal.SIGINT, handler)
    try:
        pressing.start()
        with pytest.raises(KeyboardInterrupt):
            rollout.apply(
                Patch([PatchEntry(0x10000, [1])]),
                rollout.processes(program="none"),
                executor=executor,
                ledger=tmp_path / "ledger",
                timeout=60,
            )
        pressing.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert in_time == [True], "it is noticed before the wait ends"
