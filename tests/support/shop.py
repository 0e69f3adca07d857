"""Processes of one program on Windows, with a table each, for the tests of rollouts there.

Their memory is read and written by the system's own calls, without the engine.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydbgwrite import Patch, PatchEntry, rollout
from support.dbgeng import OWN

__all__ = ["COUNT", "ENTRIES", "SIZE", "Shop", "apply_and_kill", "opened", "wait", "workers_of"]

COUNT = 6
#: The patch writes every second word.
ENTRIES = 200
SIZE = 2 * ENTRIES * OWN
COMMIT, READWRITE = 0x3000, 4
PLACES = range(0x70000000, 0x7E000000, 0x1000000)
SUSPEND_RESUME = 0x0800


def system(library: str, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """Return a function of the system, which is looked up when it is called: Windows has it."""
    windows: Any = ctypes

    def call(*given: Any) -> Any:
        return windows.WINFUNCTYPE(result, *arguments)((name, windows.WinDLL(library)))(*given)

    return call


handle, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32
allocate = system("kernel32", "VirtualAllocEx", handle, handle, handle, size, number, number)
free = system("kernel32", "VirtualFreeEx", ctypes.c_int, handle, handle, size, number)
read = system("kernel32", "ReadProcessMemory", ctypes.c_int, *[handle] * 3, size, handle)
write = system("kernel32", "WriteProcessMemory", ctypes.c_int, *[handle] * 3, size, handle)
open_process = system("kernel32", "OpenProcess", handle, number, ctypes.c_int, number)
close = system("kernel32", "CloseHandle", ctypes.c_int, handle)
wait = system("kernel32", "WaitForSingleObject", number, handle, number)
resume_process = system("ntdll", "NtResumeProcess", number, handle)


@contextlib.contextmanager
def opened(pid: int, rights: int) -> Iterator[int]:
    """Yield a handle of a process."""
    found = open_process(rights, 0, pid)
    assert found
    try:
        yield found
    finally:
        close(found)


class Shop:
    """Processes of one program, each with a table at one address: a copy of cmd.exe."""

    def __init__(self, program: Path) -> None:
        shutil.copy(os.environ["COMSPEC"], program)
        self._processes = [
            subprocess.Popen(
                [str(program), "/d", "/q", "/k"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for _ in range(COUNT)
        ]
        self.pids = [each.pid for each in self._processes]
        self._handles = [int(getattr(each, "_handle")) for each in self._processes]  # noqa: B009
        try:
            self.all_run()
            self.table = next(place for place in PLACES if self._allocate(place))
        except BaseException:
            self.end()
            raise

    def _allocate(self, place: int) -> bool:
        done = [each for each in self._handles if allocate(each, place, SIZE, COMMIT, READWRITE)]
        if len(done) == COUNT:
            return True
        for each in done:
            free(each, place, 0, 0x8000)
        return False

    def all_run(self) -> bool:
        """Return True once each has answered: a suspended one does not."""
        for number, each in enumerate(self._processes):
            assert each.stdin is not None and each.stdout is not None
            each.stdin.write(b"echo here-%d\n" % number)
            each.stdin.flush()
            line = b"-"
            while b"here-%d" % number not in line.replace(b"echo ", b""):
                line = each.stdout.readline()
                assert line, "a process has ended"
        return True

    def let_run(self) -> None:
        """Resume those that a killed worker has left suspended (docs/engine.md)."""
        for pid in self.pids:
            with opened(pid, SUSPEND_RESUME) as found:
                assert resume_process(found) == 0

    def content(self, number: int) -> list[int]:
        """Return the words that a process holds."""
        data = ctypes.create_string_buffer(SIZE)
        assert read(self._handles[number], self.table, data, SIZE, None)
        words = range(0, SIZE, OWN)
        return [int.from_bytes(data.raw[at : at + OWN], "little") for at in words]

    def put(self, number: int, words: Sequence[int]) -> None:
        """Write words to the beginning of a table, without the engine."""
        data = b"".join(each.to_bytes(OWN, "little") for each in words)
        assert write(self._handles[number], self.table, data, len(data), None)

    def held(self, number: int) -> str:
        """Return "old", "new" or "mixed"."""
        words = self.content(number)
        assert not any(words[1::2]), "the others are as before"
        if not any(words):
            return "old"
        return "new" if words[::2] == list(range(1, ENTRIES + 1)) else "mixed"

    def all_held(self) -> set[str]:
        """Return what the processes hold, each answer once."""
        return {self.held(number) for number in range(COUNT)}

    def entries(self) -> list[PatchEntry]:
        """Return the entries of the patch."""
        return [
            PatchEntry(self.table + 2 * OWN * at, [at + 1], expect=[0]) for at in range(ENTRIES)
        ]

    def end(self) -> None:
        """End the processes."""
        for each in self._processes:
            each.kill()
            each.communicate()


def workers_of(pid: int) -> set[int]:
    """Return the Python processes that a process has started."""
    windows: Any = importlib.import_module("pydbgwrite._windows_processes")  # Windows alone has it
    name = Path(sys.executable).name.lower()
    return {
        each.pid for each in windows.running() if each.parent == pid and each.name.lower() == name
    }


def apply_and_kill(
    shop: Shop, chosen: rollout.Choice, folder: Path, server: str | None = None
) -> tuple[Path, rollout.Report, set[int]]:
    """Apply the patch, and kill all workers when a process has its first word.

    Return the ledger, the report of a rollout that lost some of them at work, and who was killed.
    """
    for number in range(10):
        ledger = folder / f"killed-{number}"
        report, killed = _apply_and_kill(shop, chosen, ledger)
        if not report.ended:
            assert killed
            return ledger, report, killed
        # They had answered before they were killed, so nothing is lost.
        assert report.counts == {"applied": COUNT}
        assert rollout.undo(ledger, server=server).counts == {"undone": COUNT}
    raise AssertionError("each time all workers had answered before they were killed")


def _apply_and_kill(
    shop: Shop, chosen: rollout.Choice, ledger: Path
) -> tuple[rollout.Report, set[int]]:
    before = workers_of(os.getpid())
    ended = threading.Event()
    killed: set[int] = set()

    def kill_at_first_write() -> None:
        while not ended.is_set():
            if any(shop.content(number)[0] for number in range(COUNT)):
                killed.update(workers_of(os.getpid()) - before)
                for pid in killed:
                    os.kill(pid, signal.SIGTERM)  # TerminateProcess
                return

    watching = threading.Thread(target=kill_at_first_write)
    watching.start()
    try:
        report = rollout.apply(
            Patch(shop.entries()),
            chosen,
            ledger=ledger,
            canary=0,
            batch=COUNT,
            max_failures=COUNT,
            keep=True,
        )
    finally:
        ended.set()
        watching.join()
    return report, killed
