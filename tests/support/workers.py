"""Tests that must run while no other test runs, if pytest-xdist runs several workers."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Files to lock; they are not changed.
_DOOR = Path(__file__)
_ROOM = Path(__file__).with_name("__init__.py")


@contextmanager
def room(*, alone: bool) -> Iterator[None]:
    """Run beside other workers' tests, or alone; without workers this does nothing."""
    if sys.platform == "win32" or "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    import fcntl

    with _DOOR.open() as door, _ROOM.open() as place:
        # A test that waits to run alone holds the door, or others would enter again and again.
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(place, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(place, fcntl.LOCK_UN)  # a child that was forked meanwhile holds it, too
