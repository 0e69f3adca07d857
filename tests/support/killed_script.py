"""writing_script.py as a process that is killed at a moment of its work."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from support import writing_script


class Script:
    """tests/support/writing_script.py as a process that is killed at a moment."""

    def __init__(self, *words: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, writing_script.__file__, *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        assert self.process.stdout is not None
        self._said = self.process.stdout
        heard = b""
        while not heard.endswith(b"ready\n"):
            piece = self._said.read(1)
            assert piece, "the script has ended early"
            heard += piece

    def kill_after_dots(self, count: int) -> None:
        """When it has said so many "."."""
        while count > 0:
            heard = self._said.read(count)
            if not heard or b"d" in heard or b"\n" in heard:
                break
            count -= len(heard)
        self._kill()

    def kill_at_size(self, journal: Path, size: int) -> None:
        """When its journal has so many bytes; a writer that is done is killed then. Linux."""
        while journal.stat().st_size < size and self._goes_on():
            pass
        self._kill()

    def kill_in(self, nanoseconds: int) -> None:
        """Whatever it does then."""
        until = time.monotonic_ns() + nanoseconds
        while time.monotonic_ns() < until:
            pass
        self._kill()

    def _goes_on(self) -> bool:
        """Takes what it has said, so that it never waits for that."""
        os.set_blocking(self._said.fileno(), False)
        heard = self._said.read(65536)
        return self.process.poll() is None and not (heard and b"done" in heard)

    def _kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
