"""An unnamed file of any size: small ones in memory, larger ones in a temporary file."""

from __future__ import annotations

import io
from typing import IO, Final

from pydbgwrite._journal.format import write_all

__all__ = ["KEPT_IN_MEMORY", "Spool"]

#: The largest size in memory. A temporary file holds all bytes of a larger one.
KEPT_IN_MEMORY: Final = 4 << 20


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
        import tempfile

        from pydbgwrite._interrupts import HeldInterrupts

        at, contents = self._memory.tell(), self._memory.getvalue()
        held = HeldInterrupts(every=True)
        try:
            # A Ctrl-C before the file has an owner would leave it open.
            with held:
                file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115, closed with this
                try:
                    write_all(file, contents)
                    file.seek(at)
                except BaseException:
                    file.close()
                    raise
                self._file, self._memory = file, io.BytesIO()
        finally:
            held.pass_on()

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def truncate(self, size: int) -> int:
        return self._file.truncate(size)

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()
