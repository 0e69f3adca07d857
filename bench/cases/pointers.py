"""Times of pointer arrays: ours against the raw system call from C, on one suspended process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy
from lib.contestants import INPUTS, Input, ours, raw_baseline
from lib.measuring import Figure, Pairs, compared, measured_in_turns
from lib.raw_calls import RawCalls
from lib.targets import Target, started

import pydbgwrite

__all__ = ["large_arrays", "one_pointer"]

LARGE_BYTES = 8 << 20
LARGE_RATIO = 1.05
ONE_FACTOR = 1.3
ONE_EXCESS_NS = 150.0
ONE_RATIO = 1.35
_ADDRESSES = 1_000
_APART = 512


@dataclass(frozen=True)
class _Outcome:
    pairs: Pairs
    verified: bool


def large_arrays(*, quick: bool) -> Iterator[Figure]:
    """Write 1M pointers in one call."""
    for kind in INPUTS:
        outcome = _measure(kind, LARGE_BYTES, calls=1, rounds=31 if quick else 301)
        yield _figure("1M pointers", kind, outcome, outcome.pairs.ratio, "x", LARGE_RATIO)


def one_pointer(*, quick: bool) -> Iterator[Figure]:
    """Write one pointer a call: ours in a Python loop, the system call in a C loop."""
    for kind in INPUTS:
        outcome = _measure(kind, 8, calls=1000, rounds=31 if quick else 201)
        excess = outcome.pairs.excess(ONE_FACTOR)
        unit = f"ns over {ONE_FACTOR} x raw"
        yield _figure("one pointer a call", kind, outcome, excess, unit, ONE_EXCESS_NS)
    for kind in INPUTS:
        yield _over_addresses(kind, rounds=31 if quick else 201)


def _over_addresses(kind: Input, *, rounds: int) -> Figure:
    """Loop over addresses in several pages: ours in Python, the system call in C."""
    raw = RawCalls()
    with started(_ADDRESSES * _APART) as target, pydbgwrite.attach(target.pid) as session:
        addresses = target.address + _APART * numpy.arange(_ADDRESSES, dtype=numpy.uint64)
        places = [int(address) for address in addresses]
        values = numpy.frombuffer(os.urandom(8 * _ADDRESSES), numpy.uint64)
        pointers = [kind.make(value.tobytes()) for value in values]
        session.write_scattered(addresses, values)  # the kernel allocates every page
        write = session.write_pointers

        def timed() -> float:
            begun = time.perf_counter_ns()
            for address, pointer in zip(places, pointers, strict=True):
                write(address, pointer)
            return (time.perf_counter_ns() - begun) / _ADDRESSES

        def baseline() -> float:
            took = raw.write_each(target.pid, addresses.ctypes.data, values.ctypes.data, _ADDRESSES)
            return took / _ADDRESSES

        pairs = measured_in_turns(timed, baseline, rounds)
        session.write_scattered(addresses, values[::-1].copy())
        timed()
        good = bool((numpy.array(session.read_scattered(addresses)) == values).all())
    return _figure(
        "one pointer a call, over 1,000 addresses",
        kind,
        _Outcome(pairs, good),
        pairs.ratio,
        "x",
        ONE_RATIO,
    )


def _figure(
    case: str, kind: Input, outcome: _Outcome, value: float, unit: str, limit: float
) -> Figure:
    return compared(
        case,
        f"write_pointers, {kind.name}",
        "process_vm_writev from C",
        outcome.pairs,
        limit,
        value=value,
        unit=unit,
        verified=outcome.verified,
    )


def _measure(kind: Input, size: int, *, calls: int, rounds: int) -> _Outcome:
    """Measure, then have each of the two write different bytes, which the target must find."""
    raw = RawCalls()
    with started(size) as target:
        pointers = kind.make(os.urandom(size))
        with ours(target, pointers, calls) as timed:
            pairs = measured_in_turns(timed, raw_baseline(raw, target, pointers, calls), rounds)
        return _Outcome(pairs, _verified(raw, kind, target, size))


def _verified(raw: RawCalls, kind: Input, target: Target, size: int) -> bool:
    first, second = os.urandom(size), os.urandom(size)
    with ours(target, kind.make(first), 1) as timed:
        timed()
    good = target.holds(first)
    raw_baseline(raw, target, kind.make(second), 1)()
    return good and target.holds(second)
