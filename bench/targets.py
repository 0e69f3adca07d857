"""A live child process to write to; see target_child.py."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Target", "started"]

_PROGRAM = Path(__file__).with_name("target_child.py")


class Target:
    """A running target; it must not be stopped while it is asked something."""

    def __init__(self, process: subprocess.Popen[str], size: int) -> None:
        self._process = process
        self.pid = process.pid
        self.size = size
        self.address = int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the target ended with {self._process.wait()}")
        return line.strip()

    def _ask(self, question: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        return self._line()

    def holds(self, data: bytes) -> bool:
        """Does the target itself find these bytes at the start of its memory?"""
        expected = hashlib.blake2b(data).hexdigest()
        return self._ask(f"digest 0 {len(data)}") == expected

    def holds_file(self, path: Path, size: int) -> bool:
        """Does the target itself find the first `size` bytes of the file in its memory?"""
        return self._ask(f"same 0 {size} {path}") == "yes"


@contextmanager
def started(size: int) -> Iterator[Target]:
    """A target with `size` bytes of memory, ended at the end."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", str(_PROGRAM), str(size)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Target(process, size)
        finally:
            process.kill()
