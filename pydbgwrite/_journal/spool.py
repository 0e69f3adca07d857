"""Unnamed files: of any size, small ones in memory; and for records that memory may not hold."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Final

from pydbgwrite._journal.format import write_all

if TYPE_CHECKING:
    from pydbgwrite._core import RecordLog

__all__ = ["KEPT_IN_MEMORY", "Spool", "hand_over", "handle_of", "leave_memory"]

#: The largest size in memory. A temporary file holds all bytes of a larger one.
KEPT_IN_MEMORY: Final = 4 << 20


def hand_over(take: Callable[[IO[bytes]], object], owned: Callable[[], object]) -> None:
    """Open an unnamed temporary file, and give it to `take`. owned: returns the file taken last."""
    import tempfile

    from pydbgwrite._interrupts import HeldInterrupts

    held = HeldInterrupts(every=True)
    try:
        # A Ctrl-C before the file has an owner would leave it open.
        with held:
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115, closed with its owner
            try:
                take(file)
            except BaseException:
                # What another signal's handler raises can come when the file has its owner.
                if owned() is not file:
                    file.close()
                raise
    finally:
        held.pass_on()


def leave_memory(records: RecordLog) -> None:
    """Move the records of a transaction into a temporary file."""
    hand_over(lambda file: records.move_to(file, handle_of(file)), lambda: records.file)


def handle_of(file: IO[bytes]) -> int:
    """Return the number by which C accesses a file: its descriptor, or its handle on Windows."""
    if sys.platform == "win32":
        import msvcrt

        return msvcrt.get_osfhandle(file.fileno())
    return file.fileno()


class Spool:
    """A file in memory that moves to an unnamed file on disk when it grows."""

    def __init__(self) -> None:
        self._memory = io.BytesIO()
        self._file: IO[bytes] = self._memory

    def write(self, data: bytes | memoryview) -> int:
        if self._file is self._memory and self._file.tell() + len(data) > KEPT_IN_MEMORY:
            self._move_to_disk()
        return self._file.write(data)

    def _move_to_disk(self) -> None:
        at, contents = self._memory.tell(), self._memory.getvalue()

        def move(file: IO[bytes]) -> None:
            write_all(file, contents)
            file.seek(at)
            self._file, self._memory = file, io.BytesIO()

        hand_over(move, lambda: self._file)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()
