"""The demo's child process as its parent sees it: starting it, asking it, ending it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import Any, Final, Self

from pydbgwrite._demo.proof import Proof
from pydbgwrite.errors import NoTargetError

__all__ = ["DemoChild", "DemoTable"]

#: Seconds for the child to start or to answer, what each pointer adds to them, and the most.
_PATIENCE: Final = 60.0
_PATIENCE_PER_POINTER: Final = 1e-6
_MOST_PATIENCE: Final = 3600.0


@dataclass(frozen=True, slots=True)
class DemoTable:
    """Where the child's table is, and the addresses of its functions by number."""

    address: int
    functions: list[int]


class DemoChild:
    """A running child (pydbgwrite/_demo/child.py). It does not outlive the `with` block.

    Every method raises NoTargetError when the child has ended, or says nothing for too long.
    """

    def __init__(self, pointers: int) -> None:
        self._patience = min(_PATIENCE + pointers * _PATIENCE_PER_POINTER, _MOST_PATIENCE)
        self._collected = False
        self._process = subprocess.Popen(
            # -P: a folder pydbgwrite in the current one is not the installed package.
            [sys.executable, "-P", "-m", "pydbgwrite._demo.child", str(pointers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._collected:
            self._process.kill()
            self._process.communicate()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def table(self) -> DemoTable:
        """Its table, once that stands; MemoryError when the child has no room for it."""
        said = self._read()
        if said["event"] == "error":
            raise MemoryError(said["message"])
        return DemoTable(said["address"], [*said["originals"], *said["replacements"]])

    def prove(self) -> Proof:
        """Let it call through its whole table."""
        assert self._process.stdin is not None  # as it was started
        try:
            self._process.stdin.write("check\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: reading says how
        said = self._read()
        return Proof(said["checksum"], said["originals"], said["replacements"])

    def finish(self) -> int:
        """Let it end by itself; its exit status."""
        self._collect()
        return self._process.returncode

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # as it was started
        watchdog = threading.Timer(self._patience, self._process.kill)
        watchdog.start()
        try:
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
            watchdog.join()
        if not line:
            errors = self._collect()
            raise NoTargetError(f"the demo's child {self.pid} {self._end()}{errors}")
        said: dict[str, Any] = json.loads(line)
        return said

    def _collect(self) -> str:
        """Close its input and wait for its end; the last of what it wrote to stderr."""
        try:
            _, errors = self._process.communicate(timeout=self._patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            _, errors = self._process.communicate()
        self._collected = True
        last = errors.strip().rpartition("\n")[2]
        return f": {last}" if last else ""

    def _end(self) -> str:
        status = self._process.returncode
        if status < 0:
            try:
                name = signal.Signals(-status).name
            except ValueError:
                name = f"signal {-status}"
            return f"was ended by {name}"
        return f"ended with exit status {status} before it answered"
