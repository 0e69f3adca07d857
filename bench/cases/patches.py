"""A patch file with a million pointers at separate addresses: load, preview and apply."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy
from lib.measuring import Figure
from lib.targets import Numbers, started

import pydbgwrite
from pydbgwrite import Patch, ScatteredEntry

__all__ = ["scattered_patch"]

_T = TypeVar("_T")
_COUNT = 1_000_000
_STRIDE = 64
_SECONDS = 2.0


def scattered_patch(*, quick: bool) -> Iterator[Figure]:
    """Take each step on a live process, with addresses in order and in any order."""
    chance = numpy.random.default_rng(5)
    places = numpy.arange(_COUNT, dtype=numpy.uint64) * numpy.uint64(_STRIDE)
    values = chance.integers(0, 1 << 63, _COUNT, dtype=numpy.uint64)
    with (
        tempfile.TemporaryDirectory() as folder,
        started(_COUNT * _STRIDE) as target,
        pydbgwrite.attach(target.pid) as session,
    ):
        file = Path(folder, "patch.toml")
        for order, offsets in (("in order", places), ("at random", chance.permutation(places))):
            before = session.read_scattered(offsets + numpy.uint64(target.address))
            entry = ScatteredEntry(offsets, values, base=target.address, expect=before)
            Patch([entry]).save(file)
            yield from _figures(
                order, file, session, offsets, values, target.address, 1 if quick else 5
            )


def _figures(
    order: str,
    file: Path,
    session: pydbgwrite.Session,
    offsets: Numbers,
    values: Numbers,
    base: int,
    rounds: int,
) -> Iterator[Figure]:
    times: dict[str, list[float]] = {}

    def timed(step: str, work: Callable[[], _T]) -> _T:
        begun = time.perf_counter_ns()
        done = work()
        times.setdefault(step, []).append((time.perf_counter_ns() - begun) / 1e9)
        return done

    for _ in range(rounds):
        patch = timed("load", partial(Patch.load, file))
        preview = timed("preview", partial(patch.preview, session))
        timed("preview(...).to_html", preview.to_html)
        timed("apply", partial(patch.apply, session))
        timed("verify", partial(patch.verify, session))
        if session.read_scattered(offsets + numpy.uint64(base)).tolist() != values.tolist():
            raise RuntimeError("the target does not hold what was written")
        timed("undo", partial(patch.undo, session))
    case = f"a patch of {_COUNT:,} scattered pointers, {order}"
    for step, seconds in times.items():
        limit = _SECONDS if step in ("load", "preview", "apply") else None
        yield Figure(case, f"Patch.{step}", "", median(seconds), "s", limit)
