"""Replacing a million pointers in 1 GiB of a live process, against its two steps one by one."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy
from lib.measuring import Figure, Timed, compared, measured_in_turns, timed
from lib.targets import started

import pydbgwrite
from cases.find import fill

__all__ = ["retarget"]

_COUNT = 1 << 20
_TABLES = (0x7F00_0000_1000, 0x7F00_0000_2000)


def retarget(*, quick: bool) -> Iterator[Figure]:
    """Find the pointers to a table, and replace them; both sides verify and record."""
    size = (256 << 20) if quick else 1 << 30
    count = _COUNT // 4 if quick else _COUNT
    chance = numpy.random.default_rng(3)
    places = numpy.sort(chance.choice(size // 8, count, replace=False)).astype(numpy.uint64)
    places *= numpy.uint64(8)
    old, new = _TABLES
    with started(size) as target:
        fill(target)
        with pydbgwrite.attach(target.pid) as session:
            where = range(target.address, target.address + size)
            session.write_scattered(places + numpy.uint64(target.address), [old] * count)
            pairs = measured_in_turns(*_ways(session, where, old, new, count), 3 if quick else 9)
            first = int(session.read_pointers(target.address + int(places[0]), 1)[0])
        verified = target.holds_at(places, numpy.full(count, first, numpy.uint64))
        yield compared(
            f"{count >> 10}k pointers among {size >> 23}M words",
            "retarget",
            "find_pointers, and write_scattered, verified and recorded",
            pairs,
            1.2,
            verified=verified,
            count=count,
        )


def _ways(
    session: pydbgwrite.Session, where: range, old: int, new: int, count: int
) -> tuple[Timed, Timed]:
    """Return both ways; each replaces what the one before it has written."""

    def turn() -> tuple[int, int]:
        nonlocal old, new
        old, new = new, old
        return new, old

    def at_once() -> None:
        before, after = turn()
        session.retarget(before, after, within=where, expect_count=count)

    def step_by_step() -> None:
        before, after = turn()
        found = session.find_pointers(before, within=where)
        with session.transaction():
            session.write_scattered(
                found.addresses,
                array("Q", [after]) * len(found),
                expect=found.values,
                verify=True,
            )

    return timed(at_once), timed(step_by_step)
