"""Child processes of the demo and the doctor: start, ask and end them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from typing import Any, Final, Self

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import NoTargetError

__all__ = ["PATIENCE", "Child", "is_frozen", "python_command"]

#: Seconds for a process to start or to answer.
PATIENCE: Final = 60.0


def is_frozen() -> bool:
    """Return whether this program was frozen: then sys.executable is the program, not a Python.

    PyInstaller, cx_Freeze and py2exe set sys.frozen; Nuitka gives each module a __compiled__.
    """
    return bool(getattr(sys, "frozen", False)) or "__compiled__" in globals()


def python_command(*arguments: str) -> list[str]:
    """Return the command that runs this Python with these arguments.

    Raises NoTargetError if there is no Python to run: in a frozen program, starting sys.executable
    would start the program itself again, without end.
    """
    if is_frozen():
        raise NoTargetError(
            f"this program is frozen ({sys.executable}): it has no Python to start a process with, "
            "and nothing was started. Run this with the package installed in a Python"
        )
    if not sys.executable:
        raise NoTargetError(
            "sys.executable is empty, as in a program that embeds Python: there is no Python to "
            "start a process with, and nothing was started"
        )
    return [sys.executable, *arguments]


class Child:
    """A process that answers each line with a line of JSON. The `with` block ends it.

    Every method raises NoTargetError if the process has ended or does not answer in time.
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
            # It ends with its input, as do processes that it started, where killing is refused.
            try:
                self._process.kill()
            except not_from_handler(PermissionError):
                pass
            try:
                self._process.communicate(timeout=self._patience)
            except not_from_handler(subprocess.TimeoutExpired):
                pass
            finally:
                self._close_streams()

    def _close_streams(self) -> None:
        """Close what communicate() leaves open if a system call that it makes is refused."""
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None  # as it was started
            try:
                stream.close()
            except not_from_handler(OSError):
                pass  # input that an ended process does not take

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ask(self, line: str) -> Any:
        """Send a line and return the answer."""
        assert self._process.stdin is not None  # as it was started
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except not_from_handler(BrokenPipeError):
            pass  # it has ended: reading finds out how
        return self.hear()

    def hear(self) -> Any:
        """Return the next line that it writes."""
        assert self._process.stdout is not None  # as it was started
        watchdog = threading.Timer(self._patience, self._process.kill)
        try:
            watchdog.start()
        except not_from_handler(RuntimeError):
            raise NoTargetError(
                f"{self._name} {self.pid} can't be waited for: this process can't start a thread. "
                "A seccomp filter may refuse clone3, or the user has too many processes (ulimit -u)"
            ) from None
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
        """Let the process end by itself; return its exit status."""
        self._collect()
        return self._process.returncode

    def _collect(self) -> str:
        """Close its input and wait for its end; return the end of its stderr."""
        try:
            _, errors = self._process.communicate(timeout=self._patience)
        except not_from_handler(subprocess.TimeoutExpired):
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
            except not_from_handler(ValueError):
                name = f"signal {-status}"
            return f"was ended by {name}"
        return f"ended with exit status {status} before it answered"
