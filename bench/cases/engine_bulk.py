"""Times of writes through WriteVirtual of Microsoft's engine: bulk, scattered, and the threshold.

Each is compared with the same calls from C, or with the direct call, by medians of paired rounds.
"""

from __future__ import annotations

import array
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy
from lib.engine_calls import EngineCalls
from lib.measuring import Figure, Pairs, Timed, compared, measured_in_turns, timed
from lib.targets import Target, started

import pydbgwrite

__all__ = ["bulk_figures"]

Way = Literal["WritePointersVirtual", "WriteVirtual"]

MANY = 128 * 1024
SCATTERED = 10_000
STRIDE = 64
SWEEP = (1, 2, 3, 4, 6, 8, 16, 32, 64)
RATIO_TO_C = 1.1
RATIO_TO_DIRECT = 0.005
RATIO_SCATTERED = 0.05
RECORDED = 10_000
RATIO_READ_TOO = 1.3


def _written(session: pydbgwrite.Session, address: int, part: array.array[int], way: Way) -> Timed:
    """Time one write_pointers, in nanoseconds."""
    return timed(lambda: session.write_pointers(address, part, via=way))


def _batched(one: Timed, calls: int) -> Timed:
    return lambda: sum(one() for _ in range(calls)) / calls


def bulk_figures(library: Path, *, quick: bool) -> Iterator[Figure]:
    """Yield all cases; the target verifies each."""
    with started(SCATTERED * STRIDE * 2) as target:
        yield from _measured(target, library, quick)


def _measured(target: Target, library: Path, quick: bool) -> Iterator[Figure]:
    pointers = array.array("Q", os.urandom(8 * MANY))
    data = pointers.buffer_info()[0]
    with pydbgwrite.attach(target.pid) as session:
        calls = EngineCalls(library, Path(session.engine.folder))
        bulk = _written(session, target.address, pointers, "WriteVirtual")

        def raw() -> float:
            return calls.write_bytes(target.address, data, 8 * MANY)

        pairs = measured_in_turns(bulk, raw, 21 if quick else 51)
        yield _figure(f"{MANY} pointers", "WriteVirtual from C", pairs, RATIO_TO_C)
        direct = _written(session, target.address, pointers, "WritePointersVirtual")
        pairs = measured_in_turns(bulk, direct, 1 if quick else 3)
        name = 'via="WritePointersVirtual"'
        yield _figure(f"{MANY} pointers", name, pairs, RATIO_TO_DIRECT)
        yield from _read_and_written(session, target, pointers, quick)
        yield _scattered(session, calls, target, 3 if quick else 7)
        for count in SWEEP:
            part, rounds = pointers[:count], 11 if quick else 21
            pairs = measured_in_turns(
                _batched(_written(session, target.address, part, "WriteVirtual"), 50),
                _batched(_written(session, target.address, part, "WritePointersVirtual"), 50),
                rounds,
            )
            yield _figure(f"{count} pointers a call", name, pairs, None)
    pointers = array.array("Q", os.urandom(8 * MANY))
    with pydbgwrite.attach(target.pid) as session:
        session.write_pointers(target.address, pointers, via="WriteVirtual")
    yield _verified(target.holds(pointers.tobytes()))


def _read_and_written(
    session: pydbgwrite.Session, target: Target, pointers: array.array[int], quick: bool
) -> Iterator[Figure]:
    """A verified or recorded write reads everything once: it is compared with both done in bulk."""
    for count, name, rounds in ((MANY, "verify=True", 11), (RECORDED, "in a transaction", 51)):
        part = pointers[:count]
        room = array.array("Q", bytes(8 * count))

        def both(part: array.array[int] = part, room: array.array[int] = room) -> None:
            session.read_pointers(target.address, into=room, via="ReadVirtual")
            session.write_pointers(target.address, part, via="WriteVirtual")

        def verified(part: array.array[int] = part) -> None:
            session.write_pointers(target.address, part, via="WriteVirtual", verify=True)

        def recorded(part: array.array[int] = part) -> None:
            with session.transaction():
                session.write_pointers(target.address, part, via="WriteVirtual")

        work = verified if count == MANY else recorded
        pairs = measured_in_turns(timed(work), timed(both), rounds // 3 if quick else rounds)
        yield compared(
            f"{count} pointers",
            f'via="WriteVirtual", {name}',
            "a bulk read and a bulk write",
            pairs,
            RATIO_READ_TOO,
        )


def _scattered(
    session: pydbgwrite.Session, calls: EngineCalls, target: Target, rounds: int
) -> Figure:
    order = numpy.random.default_rng(7).permutation(SCATTERED).astype(numpy.uint64)
    addresses = order * numpy.uint64(STRIDE) + numpy.uint64(target.address)
    values = numpy.frombuffer(os.urandom(8 * SCATTERED), numpy.uint64).copy()

    def each() -> float:
        return calls.write_each(addresses.ctypes.data, values.ctypes.data, SCATTERED)

    ours = timed(lambda: session.write_scattered(addresses, values))
    pairs = measured_in_turns(ours, each, rounds)
    values[:] = numpy.frombuffer(os.urandom(8 * SCATTERED), numpy.uint64)
    session.write_scattered(addresses, values)
    good = session.read_scattered(addresses).tobytes() == values.tobytes()
    return compared(
        f"{SCATTERED} pointers {STRIDE} bytes apart",
        "write_scattered",
        "a WriteVirtual a pointer from C",
        pairs,
        RATIO_SCATTERED,
        verified=good,
    )


def _figure(case: str, base: str, pairs: Pairs, limit: float | None) -> Figure:
    return compared(case, 'via="WriteVirtual"', base, pairs, limit)


def _verified(good: bool) -> Figure:
    return Figure(
        case=f"{MANY} pointers",
        contestant_name='via="WriteVirtual"',
        baseline_name="what was sent",
        value=0.0 if good else 1.0,
        unit="wrong",
        limit=0.0,
        verified=good,
    )
