"""The state of a target whose debugger was killed, and the remedy that docs/engine.md gives."""

from __future__ import annotations

import ctypes
import subprocess
import threading
from typing import Any

from support.dbgeng import LANE, Target, needs_engine, start, target

import pydbgwrite

pytestmark = needs_engine

OWNER = """
import sys, pydbgwrite
session = pydbgwrite.attach(int(sys.argv[1]), invasive=sys.argv[2] == "True")
session.write_pointers(int(sys.argv[3]), [5])
print("ready", flush=True)
sys.stdin.read()
"""
PROCESS_SUSPEND_RESUME = 0x0800


def kill_its_owner(child: Target, *, invasive: bool) -> None:
    """Start another program that attaches to the target, and end that program as a crash would."""
    owner: subprocess.Popen[str] = start(OWNER, str(child.pid), str(invasive), str(child.base))
    assert owner.stdout is not None and owner.stdin is not None
    with owner:
        assert owner.stdout.readline().strip() == "ready"
        owner.kill()


def resume(pid: int) -> None:
    """Apply the remedy that docs/engine.md gives."""
    windows: Any = ctypes  # on Linux it has no windll, and mypy knows that
    windll = windows.windll
    open_process = windll.kernel32.OpenProcess
    open_process.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(open_process(PROCESS_SUSPEND_RESUME, False, pid))
    try:
        assert windll.ntdll.NtResumeProcess(handle) == 0
    finally:
        windll.kernel32.CloseHandle(handle)


class Answer:
    """Sends a request to a target on a thread, since a suspended target never answers."""

    def __init__(self, child: Target) -> None:
        self._thread = threading.Thread(target=child.runs, daemon=True)
        self._thread.start()

    def came_within(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()


def test_noninvasive_it_stands_still_until_it_is_resumed() -> None:
    with target() as child:
        kill_its_owner(child, invasive=False)
        answer = Answer(child)
        assert not answer.came_within(1)
        # Another session reads the written values, and leaves the target unchanged: suspended.
        with pydbgwrite.attach(child.pid) as session:
            assert list(session.read_pointers(child.base, 2)) == [5, 0]
        assert not answer.came_within(1)
        resume(child.pid)
        assert answer.came_within(30)
        assert child.held()[:2] == [5, 0]


def test_invasive_it_lives_on() -> None:
    """attach() sets DEBUG_PROCESS_DETACH_ON_EXIT; otherwise the system ends the target."""
    with target() as child:
        kill_its_owner(child, invasive=True)
        answer = Answer(child)
        if LANE:  # Wine detaches the debugger, too, but its suspension of the threads stays
            assert not answer.came_within(1)
            resume(child.pid)
        assert answer.came_within(30)
        assert child.process.poll() is None
        assert child.held()[:2] == [5, 0]
