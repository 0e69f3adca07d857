"""Live child processes to write to: target_child.py, and a 32-bit program of the tests."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy

__all__ = ["Numbers", "Target", "Target32", "started", "started_32"]

Numbers: TypeAlias = "numpy.ndarray[Any, numpy.dtype[numpy.uint64]]"

_PROGRAM = Path(__file__).with_name("target_child.py")

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from support import elf32  # noqa: E402


class Target:
    """A running target. It answers only while it is not suspended."""

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
        """True if the target finds these bytes at the start of its memory."""
        expected = hashlib.blake2b(data).hexdigest()
        return self._ask(f"digest 0 {len(data)}") == expected

    def holds_file(self, path: Path, size: int) -> bool:
        """True if the target finds the first `size` bytes of the file in its memory."""
        return self._ask(f"same 0 {size} {path}") == "yes"

    def holds_at(self, places: Numbers, pointers: Numbers) -> bool:
        """True if the target finds these pointers at these offsets."""
        with tempfile.NamedTemporaryFile(prefix="pydbgwrite-bench-") as file:
            places.tofile(file)
            file.flush()
            expected = hashlib.blake2b(pointers.tobytes()).hexdigest()
            return self._ask(f"places 0 {len(places)} {file.name}") == expected


@contextmanager
def started(size: int) -> Iterator[Target]:
    """Start a target with `size` bytes of memory, and end it afterwards."""
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


class Target32:
    """A running program with 4-byte pointers."""

    def __init__(self, process: subprocess.Popen[bytes], size: int) -> None:
        self._process = process
        self.pid = process.pid
        self.size = size
        self.address = elf32.RW
        self._hear(1)

    def _hear(self, size: int) -> bytes:
        assert self._process.stdout is not None
        heard = self._process.stdout.read(size)
        if len(heard) != size:
            raise RuntimeError(f"the 32-bit target ended with {self._process.wait()}")
        return heard

    def holds(self, data: bytes) -> bool:
        """True if the target finds these bytes at the start of its memory."""
        assert self._process.stdin is not None
        same = True
        for at in range(0, len(data), 32768):  # what a pipe holds: it writes once
            part = data[at : at + 32768]
            self._process.stdin.write(struct.pack("<2I", self.address + at, len(part)))
            self._process.stdin.flush()
            same = self._hear(len(part)) == part and same
        return same


@contextmanager
def started_32(size: int) -> Iterator[Target32]:
    """Start a 32-bit target with `size` bytes; OSError if the kernel runs no 32-bit programs."""
    with tempfile.TemporaryDirectory(prefix="pydbgwrite-bench-") as folder:
        program = Path(folder, "target32")
        elf32.write_program(program, size)
        with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                yield Target32(process, size)
            finally:
                process.kill()
