"""Times on a target with 4-byte pointers: each value is checked and narrowed on its way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import numpy
from measuring import Figure, measured_in_turns
from targets import started, started_32

import pydbgwrite

__all__ = ["narrow_target"]

_COUNT = 1 << 20
_LIMIT = 1.5


def narrow_target(*, quick: bool) -> Iterator[Figure]:
    """1M pointers to a 32-bit program, against 1M to a 64-bit one, both by write_pointers."""
    chance = numpy.random.default_rng(3)
    values = chance.integers(0, 1 << 31, _COUNT, dtype=numpy.uint64)
    with started(8 * _COUNT) as wide, started_32(4 * _COUNT) as narrow:
        for via in ("WritePointersVirtual", "WriteVirtual"):
            with pydbgwrite.attach(wide.pid) as base, pydbgwrite.attach(narrow.pid) as session:
                pairs = measured_in_turns(
                    _timed(session, narrow.address, values, via),
                    _timed(base, wide.address, values, "WritePointersVirtual"),
                    31 if quick else 301,
                )
                fresh = chance.integers(0, 1 << 31, _COUNT, dtype=numpy.uint64)
                session.write_pointers(narrow.address, fresh, via=_any(via))
            yield Figure(
                case="1M pointers, 32-bit target",
                contestant_name=f"write_pointers, via={via}",
                baseline_name="the same to a 64-bit target",
                value=pairs.ratio,
                unit="x a pointer",
                limit=_LIMIT,
                contestant=median(pairs.contestant),
                baseline=median(pairs.baseline),
                ratio=pairs.ratio,
                verified=narrow.holds(fresh.astype("<u4").tobytes()),
                count=_COUNT,
            )


def _any(via: str) -> Any:
    return via


def _timed(session: pydbgwrite.Session, address: int, values: Any, via: str) -> Callable[[], float]:
    write, way = session.write_pointers, _any(via)

    def timed() -> float:
        begun = time.perf_counter_ns()
        write(address, values, via=way)
        return time.perf_counter_ns() - begun

    return timed
