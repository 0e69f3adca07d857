"""Times for a target with 4-byte pointers: each value is checked and narrowed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy
from lib.measuring import Figure, Timed, compared, measured_in_turns, timed
from lib.targets import started, started_32

import pydbgwrite

__all__ = ["narrow_target"]

_COUNT = 1 << 20
_LIMIT = 1.5


def narrow_target(*, quick: bool) -> Iterator[Figure]:
    """Compare 1M pointers to a 32-bit program with 1M to a 64-bit one, both by write_pointers."""
    chance = numpy.random.default_rng(3)
    values = chance.integers(0, 1 << 31, _COUNT, dtype=numpy.uint64)
    with started(8 * _COUNT) as wide, started_32(4 * _COUNT) as narrow:
        for via in ("WritePointersVirtual", "WriteVirtual"):
            with pydbgwrite.attach(wide.pid) as base, pydbgwrite.attach(narrow.pid) as session:
                pairs = measured_in_turns(
                    _written(session, narrow.address, values, via),
                    _written(base, wide.address, values, "WritePointersVirtual"),
                    31 if quick else 301,
                )
                fresh = chance.integers(0, 1 << 31, _COUNT, dtype=numpy.uint64)
                session.write_pointers(narrow.address, fresh, via=_any(via))
            yield compared(
                "1M pointers, 32-bit target",
                f"write_pointers, via={via}",
                "the same to a 64-bit target",
                pairs,
                _LIMIT,
                unit="x a pointer",
                verified=narrow.holds(fresh.astype("<u4").tobytes()),
                count=_COUNT,
            )


def _any(via: str) -> Any:
    return via


def _written(session: pydbgwrite.Session, address: int, values: Any, via: str) -> Timed:
    write, way = session.write_pointers, _any(via)
    return timed(lambda: write(address, values, via=way))
