"""What was read of files, kept between the calls of a session.

The tables of a large program take tens of milliseconds to read, and each call by name needs them.
They are used again only for a file that has just been opened as the one that the target has mapped,
and that is unchanged: a change sets its ctime, which no program can set back (stat(3type)). Only a
write through a shared mapping on a tmpfs sets none, and is not noticed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, Final, Protocol, TypeVar

from pydbgwrite._signal_handlers import not_from_handler

if TYPE_CHECKING:
    from pydbgwrite._target import Target

__all__ = ["KeptFiles", "identity_of", "kept_files"]

#: In all, as the files have them. The last one is always kept.
_MOST_BYTES: Final = 1 << 27
#: A file that has changed within so many nanoseconds can change again without another ctime.
_RECENT: Final = 3 * 10**9


class _Sized(Protocol):
    @property
    def size(self) -> int:
        """Bytes of the file that it holds."""


_Content = TypeVar("_Content", bound=_Sized)


class KeptFiles:
    """The content of files by their identity."""

    def __init__(self) -> None:
        #: The one that was used last comes last.
        self._known: dict[tuple[object, ...], Any] = {}

    def get(self, stream: IO[bytes], kind: str, read: Callable[[], _Content]) -> _Content:
        """Return what was read of an open file before, if it is still the same; else read it.

        kind: names what `read` returns.
        """
        identity = identity_of(stream)
        if identity is None or _can_change_unnoticed(identity):
            return read()
        key = (kind, *identity)
        found: _Content | None = self._known.pop(key, None)
        if found is None:
            found = read()
        self._known[key] = found
        self._drop_oldest()
        return found

    def _drop_oldest(self) -> None:
        """Drop what is more than enough. A signal handler can resolve a name meanwhile."""
        known = list(self._known.items())
        left = _MOST_BYTES - sum(content.size for _, content in known)
        for key, content in known[:-1]:
            if left >= 0:
                break
            left += content.size
            self._known.pop(key, None)


def kept_files(session: Target) -> KeptFiles:
    """Return those of a session."""
    found = getattr(session, "_kept_files", None)
    if not isinstance(found, KeptFiles):
        found = session._kept_files = KeptFiles()
    return found


def identity_of(stream: IO[bytes]) -> tuple[int, ...] | None:
    """Return what changes with an open file; None for what is no file."""
    try:
        status = os.fstat(stream.fileno())
    except not_from_handler(OSError):
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _can_change_unnoticed(identity: tuple[int, ...]) -> bool:
    return time.time_ns() - max(identity[-2:]) < _RECENT
