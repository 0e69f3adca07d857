"""Processes that the demo and the doctor start: asking and ending them."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import threading
from typing import Any, Final, Self

from pydbgwrite.errors import NoTargetError

__all__ = ["PATIENCE", "Child"]

#: Seconds for a process to start or to answer.
PATIENCE: Final = 60.0


class Child:
    """A process that answers lines with lines of JSON. It does not outlive the `with` block.

    Every method raises NoTargetError when the process has ended, or says nothing for too long.
    """

    def __init__(self, name: str, command: list[str], patience: float = PATIENCE) -> None:
        self._name = name
        self._patience = patience
        self._collected = False
        self._process = subprocess.Popen(
            command,
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
            # What it has left behind ends with its input, if it ends.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.communicate(timeout=self._patience)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ask(self, line: str) -> Any:
        """What it answers to a line."""
        assert self._process.stdin is not None  # as it was started
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: reading says how
        return self.hear()

    def hear(self) -> Any:
        """The next line that it writes."""
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
            raise NoTargetError(f"{self._name} {self.pid} {self._end()}{errors}")
        return json.loads(line)

    def finish(self) -> int:
        """Let it end by itself; its exit status."""
        self._collect()
        return self._process.returncode

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
