"""The cost of verify=True, which reads back and compares every pointer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy
from lib.measuring import Figure, compared, measured_in_turns, timed
from lib.targets import Numbers, started

import pydbgwrite

__all__ = ["verified"]

_COUNT = 1 << 20
_STRIDE = 64
_LIMIT = 2.5


def verified(*, quick: bool) -> Iterator[Figure]:
    """Compare 1M pointers, in a row and scattered, with the same write without it."""
    chance = numpy.random.default_rng(3)
    values = chance.integers(0, 1 << 63, _COUNT, dtype=numpy.uint64)
    places = numpy.arange(_COUNT, dtype=numpy.uint64) * numpy.uint64(_STRIDE)
    at_random = chance.permutation(places)
    with started(_COUNT * _STRIDE) as target, pydbgwrite.attach(target.pid) as session:
        address = target.address
        where = {
            f"1M pointers {_STRIDE} bytes apart": places + numpy.uint64(address),
            "1M pointers at random over 64 MiB": at_random + numpy.uint64(address),
        }

        def row(verify: bool) -> int:
            return session.write_pointers(address, values, verify=verify)

        yield _figure("1M pointers", row, 31 if quick else 301)
        for case, addresses in where.items():

            def scattered(verify: bool, addresses: Numbers = addresses) -> int:
                return session.write_scattered(addresses, values, verify=verify)

            yield _figure(case, scattered, 5 if quick else 21)


def _figure(case: str, write: Callable[[bool], int], rounds: int) -> Figure:
    pairs = measured_in_turns(timed(lambda: write(True)), timed(lambda: write(False)), rounds)
    return compared(case, "verify=True", "the same without", pairs, _LIMIT, count=_COUNT)
