"""Runs writing_script.py as a process, and kills it at a chosen moment of its work."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from support import writing_script


class Script:
    """tests/support/writing_script.py as a process that is killed at a chosen moment."""

    def __init__(self, *words: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, writing_script.__file__, *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        assert self.process.stdout is not None
        self._said = self.process.stdout
        self._heard = b""
        heard = b""
        while not heard.endswith(b"ready\n"):
            piece = self._said.read(1)
            assert piece, "the script has ended early"
            heard += piece

    def kill_after_dots(self, count: int) -> None:
        """Kill the script once it has printed that many "."."""
        while count > 0:
            heard = self._said.read(count)
            if not heard or b"d" in heard or b"\n" in heard:
                break
            count -= len(heard)
        self._kill()

    def kill_at_size(self, journal: Path, size: int) -> None:
        """Kill it once its journal has that many bytes, or once it has written all. Linux."""
        while journal.stat().st_size < size and self._goes_on():
            pass
        self._kill()

    def kill_in(self, nanoseconds: int) -> None:
        """Kill it after that time, at any point of its work."""
        until = time.monotonic_ns() + nanoseconds
        while time.monotonic_ns() < until:
            pass
        self._kill()

    def _goes_on(self) -> bool:
        """Is it still at work? Reads its output, so that it never waits for the pipe."""
        os.set_blocking(self._said.fileno(), False)
        self._heard = self._heard[-8:] + (self._said.read(65536) or b"")
        return self.process.poll() is None and b"done" not in self._heard

    def _kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
