"""The seed of random tests, which is printed on failure and can be set, and their duration."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

import pytest

__all__ = ["chance", "rounds"]


@pytest.fixture
def chance() -> random.Random:
    """Return a generator. A failing test prints its seed; the seed can be set."""
    seed = os.environ.get("PYDBGWRITE_TEST_SEED") or os.urandom(8).hex()
    print(f"run this test again with PYDBGWRITE_TEST_SEED={seed}")
    return random.Random(seed)


def rounds(profile: str, *, quick: int, seconds: float) -> Iterator[int]:
    """Count up: that many rounds in the quick profile, that many seconds in the full one."""
    until = time.monotonic() + seconds
    number = 0
    while number < quick if profile == "quick" else time.monotonic() < until:
        yield number
        number += 1
