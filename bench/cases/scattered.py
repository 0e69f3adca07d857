"""Times of large arrays, scattered pointers and lists: ours against raw system calls from C."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import numpy
from lib.measuring import Figure, Pairs, compared, measured_in_turns, timed
from lib.raw_calls import RawCalls
from lib.targets import Numbers, Target, started

import pydbgwrite

__all__ = ["huge_arrays", "lists", "scattered"]

ROOM = 256 << 20
MILLION = 1 << 20
_ONE_A_PAGE = 128 << 10
#: That of others is 1.1. With one pointer a page, only a second core gains time.
_LIMITS = {(MILLION, 64): 0.25, (_ONE_A_PAGE, 4096): 0.8}


def huge_arrays(*, quick: bool) -> Iterator[Figure]:
    """Write 16M pointers, by several threads, to a suspended process."""
    raw = RawCalls()
    count = 16 * MILLION
    values = _values(count)
    with started(8 * count) as target:
        _touch(target)
        for via in ("WritePointersVirtual", "WriteVirtual"):
            pairs = _measure(
                target,
                _contiguous(target.address, values, via),
                lambda: raw.write(target.pid, target.address, values.ctypes.data, values.nbytes),
                5 if quick else 21,
            )
            good = target.holds(values.tobytes())
            name = f"write_pointers, via={via}"
            base = "one process_vm_writev from C"
            yield compared("16M pointers", name, base, pairs, 0.8, verified=good, count=count)


def scattered(*, quick: bool) -> Iterator[Figure]:
    """Write 10,000 and a million single pointers, near each other and far apart."""
    raw = RawCalls()
    rounds = 5 if quick else 21
    for count, noun, strides in (
        (10_000, "10k", (16, 64, 512, 4096)),
        (_ONE_A_PAGE, "128k", (4096,)),
        (MILLION, "1M", (16, 64, 512, 4096)),
    ):
        for stride in strides:
            # A million pointers 4096 bytes apart take 4 GiB of the target's memory.
            fits = min(count, ROOM // stride) if quick and count == MILLION else count
            case = f"{noun if fits == count else f'{fits // 1024}k'} pointers {stride} bytes apart"
            limit = _LIMITS.get((count, stride), 1.1)
            places = numpy.arange(fits, dtype=numpy.uint64) * numpy.uint64(stride)
            yield _one_scattered(raw, case, places, limit, rounds)
    for count, noun, limit in ((10_000, "10k", 1.1), (MILLION, "1M", 0.12)):
        chance = numpy.random.default_rng(1)
        places = chance.permutation(ROOM // 8)[:count].astype(numpy.uint64) * numpy.uint64(8)
        case = f"{noun} pointers at random over 256 MiB"
        yield _one_scattered(raw, case, places, limit, rounds)


def _one_scattered(raw: RawCalls, case: str, places: Numbers, limit: float, rounds: int) -> Figure:
    with started(int(places.max()) + 8) as target:
        _touch(target)
        addresses = numpy.ascontiguousarray(places + numpy.uint64(target.address))
        values, fresh = _values(len(places)), _values(len(places), seed=7)
        pairs = _measure(
            target,
            _scattered(addresses, values),
            _raw_scattered(raw, target.pid, addresses, values),
            rounds,
        )
        with pydbgwrite.attach(target.pid) as session:
            session.write_scattered(addresses, fresh)
        good = target.holds_at(places, fresh)
    base = "1,024 ranges a call from C, in order"
    return compared(case, "write_scattered", base, pairs, limit, verified=good, count=len(places))


def lists(*, quick: bool) -> Iterator[Figure]:
    """Convert and write a list of a million ints."""
    raw = RawCalls()
    values = _values(MILLION)
    pointers = [int(value) for value in values]
    with started(8 * MILLION) as target:
        _touch(target)

        def baseline() -> float:
            begun = time.perf_counter_ns()
            made = array("Q", pointers)
            converted = time.perf_counter_ns() - begun
            data, count = made.buffer_info()
            return converted + raw.write(target.pid, target.address, data, 8 * count)

        pairs = _measure(
            target,
            lambda session: session.write_pointers(target.address, pointers),
            baseline,
            15 if quick else 51,
        )
        good = target.holds(values.tobytes())
        base = "array('Q', list), then the call from C"
        yield compared(
            "a list of 1M ints", "write_pointers, list", base, pairs, 1.0,
            verified=good, count=MILLION,
        )  # fmt: skip


def _contiguous(address: int, values: Numbers, via: Any) -> Callable[[pydbgwrite.Session], int]:
    return lambda session: session.write_pointers(address, values, via=via)


def _scattered(addresses: Numbers, values: Numbers) -> Callable[[pydbgwrite.Session], int]:
    return lambda session: session.write_scattered(addresses, values)


def _raw_scattered(
    raw: RawCalls, pid: int, addresses: Numbers, values: Numbers
) -> Callable[[], float]:
    return lambda: raw.write_scattered(pid, addresses.ctypes.data, values.ctypes.data, len(values))


def _values(count: int, seed: int = 3) -> Numbers:
    return numpy.random.default_rng(seed).integers(0, 1 << 63, count, dtype=numpy.uint64)


def _touch(target: Target) -> None:
    """Have the kernel allocate every page of the target."""
    with pydbgwrite.attach(target.pid) as session:
        block = bytes(1 << 20)
        for at in range(0, target.size, len(block)):
            session.write(target.address + at, block[: target.size - at])


def _measure(
    target: Target,
    ours: Callable[[pydbgwrite.Session], object],
    baseline: Callable[[], float],
    rounds: int,
) -> Pairs:
    with pydbgwrite.attach(target.pid) as session:
        return measured_in_turns(timed(lambda: ours(session)), baseline, rounds)
