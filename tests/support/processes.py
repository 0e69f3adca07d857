"""Live child processes for the tests: a 64-bit one (child.py) and a 32-bit one (elf32.py)."""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from support import elf32
from support.child import RW_PAGES

if TYPE_CHECKING:
    from typing import Self

CHILD = Path(__file__).with_name("child.py")


class LiveChild:
    """A process with pipes, ended with its `with` block at the latest; areas: addresses by name."""

    pointer_size = 0

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self._process.pid
        self.areas: dict[str, int] = {}

    def kill(self) -> None:
        """End it by SIGKILL and collect its exit status."""
        self._process.kill()
        self._process.wait()

    def wait(self) -> int:
        """Wait for its end; return its exit status."""
        return self._process.wait()

    def read(self, address: int, size: int) -> bytes:
        """Return the bytes that the child itself sees there; it must not be suspended."""
        raise NotImplementedError

    def _say(self, text: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def _hear(self, size: int) -> bytes:
        assert self._process.stdout is not None
        heard = self._process.stdout.read(size)
        assert len(heard) == size, "the child process has ended"
        return heard

    def _hear_line(self) -> bytes:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the child process has ended"
        return line

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


class Child64(LiveChild):
    """tests/support/child.py, run by this Python."""

    pointer_size = 8

    def __init__(
        self, pages: int = RW_PAGES, *, anyone: bool = False, program: str | None = None
    ) -> None:
        """program: a command that runs child.main() instead, with the same arguments."""
        what = [str(CHILD)] if program is None else ["-c", program]
        super().__init__([sys.executable, "-I", *what, str(pages), *["anyone"] * anyone])
        self.areas = json.loads(self._hear_line())

    def read(self, address: int, size: int) -> bytes:
        """Return the bytes that the child itself sees there; it must not be suspended."""
        self._say(f"read {address} {size}\n".encode())
        return bytes.fromhex(self._hear_line().decode())

    def digest(self, address: int, size: int) -> str:
        """Return the SHA-256 of the bytes that the child itself sees there."""
        self._say(f"digest {address} {size}\n".encode())
        return self._hear_line().decode().strip()


class Child32(LiveChild):
    """The program of elf32.py, with at least that many bytes of room."""

    pointer_size = 4

    def __init__(self, room: int = 0) -> None:
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "elf32"
            elf32.write_program(program, room)
            super().__init__([str(program)])
            assert self._hear(1) == b"r"
        self.areas = {"rw": elf32.RW, "read_only": elf32.READ_ONLY, "none": elf32.NONE}

    def read(self, address: int, size: int) -> bytes:
        """Return the bytes that the child itself sees there; it must not be suspended."""
        self._say(struct.pack("<2I", address, size))
        return self._hear(size)
