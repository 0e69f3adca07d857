"""Limits of the system, set for a block."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

__all__ = ["limited"]


@contextlib.contextmanager
def limited(size: int) -> Iterator[None]:
    """Let files grow up to this size: as on a full disk, a write takes a part and then none."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
