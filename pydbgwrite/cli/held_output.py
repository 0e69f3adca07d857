"""Buffers standard output while a command runs, to tell a failed print from other failures."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from pydbgwrite._core import FileDescriptor
from pydbgwrite._signal_handlers import not_from_handler

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["HeldOutput", "OutputError", "give_up"]


class OutputError(Exception):
    """The output could not be printed or saved. The target is not concerned.

    message: the text for stderr; None if the reader of a pipe has closed it, which is no fault.
    """

    def __init__(self, message: str | None) -> None:
        super().__init__(message or "the reader has gone")
        self.message = message


class HeldOutput(io.TextIOBase):
    """Replaces sys.stdout while a command runs, and writes the output at its end.

    So the output is complete, or there is none. A command that has finished its work on the target,
    or asks a question, calls pass_through() to write at once.
    """

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self._stream = stream
        self._held: list[str] = []
        self._holds = True
        self._used = False

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the real stream, by which rich chooses its line characters."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return whether the real stream is a terminal."""
        return self._stream is not None and self._stream.isatty()

    @property
    def buffer(self) -> _Bytes:
        """The binary stream, to which click prints the scripts for tab completion."""
        return _Bytes(self)

    @property
    def used(self) -> bool:
        """True if anything has been printed, held or written."""
        return self._used

    def write(self, text: str) -> int:
        """Hold the text, or write it. TypeError for other types, which click relies on."""
        if not isinstance(text, str):
            raise TypeError(f"text must be a str, got {type(text).__name__}")
        self._used = self._used or bool(text)
        if self._holds:
            self._held.append(text)
        else:
            self._send(text)
        return len(text)

    def pass_through(self) -> None:
        """Write the held output, and all further output at once; OutputError if that fails."""
        self.release()
        self._holds = False

    def release(self) -> None:
        """Write the held output; OutputError if that fails."""
        text = "".join(self._held)
        self._held.clear()
        self._send(text)
        if self._stream is not None:
            self._guarded(self._stream.flush)

    def _send(self, text: str) -> None:
        stream = self._stream
        if stream is not None and text:
            # What this encoding has no character for is escaped, as on stderr.
            encoding = self.encoding
            shown = text.encode(encoding, "backslashreplace").decode(encoding)
            self._guarded(lambda: stream.write(shown))

    def _guarded(self, act: Callable[[], object]) -> None:
        try:
            act()
        except not_from_handler(OSError) as failure:
            assert self._stream is not None  # it has failed
            give_up(self._stream)
            self._stream = None
            message = None if _reader_has_gone(failure) else _not_written(failure)
            raise OutputError(message) from None
        except KeyboardInterrupt:
            # Whoever is tired of waiting for a reader must not wait for it again at the exit.
            if self._stream is not None:
                give_up(self._stream)
                self._stream = None
            raise


class _Bytes(io.RawIOBase):
    """The binary side of a HeldOutput: UTF-8, held with the rest."""

    def __init__(self, held: HeldOutput) -> None:
        super().__init__()
        self._held = held

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: ReadableBuffer) -> int:
        """Hold the bytes, or write them."""
        self._held.write(bytes(data).decode())
        return len(memoryview(data))


def _reader_has_gone(failure: OSError) -> bool:
    # Windows says EINVAL of a pipe whose other end is closed.
    return isinstance(failure, BrokenPipeError) or (
        sys.platform == "win32" and failure.errno == errno.EINVAL
    )


def _not_written(failure: OSError) -> str:
    return f"the output could not be written: {failure.strerror}"


def give_up(stream: TextIO) -> None:
    """Discard what a stream still holds, which would make the interpreter's exit fail."""
    try:
        with FileDescriptor(os.open, os.devnull, os.O_WRONLY) as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
    except not_from_handler(OSError):
        pass
