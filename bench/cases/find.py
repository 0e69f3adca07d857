"""Searching a live process for pointers, against reading the same bytes from C."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy
from lib.measuring import Figure, Pairs, compared, measured_in_turns, timed
from lib.raw_calls import RawCalls
from lib.targets import Target, started

import pydbgwrite

__all__ = ["MARK", "fill", "find"]

#: What is searched for.
MARK = 0x7F00_1234_5678
_MILLION = 1 << 20
_PIECE, _APART = 64 << 20, 32 << 20
_READING = "process_vm_readv of 256 KiB blocks from C"
#: Maps 64 GiB, writes to 100 pieces of 1 MiB, or to 100 MiB in a row, and waits.
_SPARSE = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
size, apart = int(sys.argv[1]), int(sys.argv[2])
address = libc.mmap(None, size, 3, 0x4022, -1, 0)
for number in range(100):
    ctypes.memset(address + number * apart, 1, 1 << 20)
print(address, flush=True)
sys.stdin.read()
"""


def find(*, quick: bool) -> Iterator[Figure]:
    """Find one value, a range, sets, and few pages among many; SearchVirtual too."""
    raw, rounds = RawCalls(), 5 if quick else 15
    with started(256 << 20 if quick else 1 << 30) as target:
        fill(target)
        yield from _one_value(raw, target, rounds)
        yield from _without_avx2(raw, target, rounds)
        with pydbgwrite.attach(target.pid) as session:
            yield from _kinds(session, target, rounds)
            yield _search_virtual(session, raw, target, rounds)
    yield _sparse(rounds)


def fill(target: Target) -> range:
    """Fill the memory with a mix of pointers, small numbers and zeros; return where MARK is."""
    chance = numpy.random.default_rng(1)
    with pydbgwrite.attach(target.pid) as session:
        for at in range(0, target.size, _PIECE):
            words = chance.integers(
                0x7F00_0000_0000, 0x7FFF_0000_0000, _PIECE // 8, dtype=numpy.uint64
            )
            words[chance.random(len(words)) < 0.5] >>= numpy.uint64(40)
            words[:: _APART // 8] = MARK
            session.write_pointers(target.address + at, words, via="WriteVirtual")
    return range(0, target.size, _APART)


def _one_value(raw: RawCalls, target: Target, rounds: int) -> Iterator[Figure]:
    every = os.sched_getaffinity(0)
    for threads, limit in ((1, 1.3), (2, 1.4)):
        if len(every) < threads:
            continue
        os.sched_setaffinity(0, set(sorted(every)[:threads]))
        try:
            with pydbgwrite.attach(target.pid) as session:
                pairs = measured_in_turns(
                    timed(_search(session, target, MARK)),
                    lambda threads=threads: raw.read_blocks(  # type: ignore[misc]
                        target.pid, target.address, target.size, threads
                    ),
                    rounds,
                )
        finally:
            os.sched_setaffinity(0, every)
        processors = f"{threads} processor{'s' if threads > 1 else ''}"
        yield compared(
            f"find one value in {target.size >> 20:,} MiB, {processors}",
            "find_pointers",
            _READING,
            pairs,
            limit,
        )


def _without_avx2(raw: RawCalls, target: Target, rounds: int) -> Iterator[Figure]:
    """The comparison alone in each way that this processor has: the call takes the last one."""
    read = lambda: raw.read_blocks(target.pid, target.address, target.size, 1)  # noqa: E731
    names = ("portable C", "SSE2", "AVX2") if platform.machine() == "x86_64" else ("C", "NEON")
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(every)})
    try:
        for way, name in enumerate(names):

            def search(way: int = way) -> float | None:
                return raw.find_blocks(target.pid, target.address, target.size, MARK, way)

            if search() is not None:
                pairs = measured_in_turns(search, read, rounds)  # type: ignore[arg-type]
                yield compared(
                    f"find one value in {target.size >> 20:,} MiB, 1 processor",
                    f"the comparison by {name}",
                    _READING,
                    pairs,
                    1.8 if name in ("SSE2", "NEON") else None,
                )
    finally:
        os.sched_setaffinity(0, every)


def _search(session: pydbgwrite.Session, target: Target, wanted: object) -> Callable[[], object]:
    within = range(target.address, target.address + target.size)
    found = session.find_pointers(wanted, within=within)  # type: ignore[arg-type]
    assert target.address in found.addresses
    assert not found.skipped
    return lambda: session.find_pointers(wanted, within=within)  # type: ignore[arg-type]


def _kinds(session: pydbgwrite.Session, target: Target, rounds: int) -> Iterator[Figure]:
    chance = numpy.random.default_rng(2)
    one = timed(_search(session, target, MARK))
    for name, wanted, limit in (
        ("a range of 4 KiB", range(MARK & -4096, (MARK & -4096) + 4096), 1.2),
        ("1,000 values", _values(chance, 1000), 3.0),
        ("1M values", _values(chance, _MILLION), None),
    ):
        pairs = measured_in_turns(timed(_search(session, target, wanted)), one, rounds)
        yield compared(f"find {name}", "find_pointers", "one value", pairs, limit)


def _values(chance: numpy.random.Generator, count: int) -> object:
    values = chance.integers(0x7F00_0000_0000, 0x7FFF_0000_0000, count, dtype=numpy.uint64)
    values[0] = MARK
    return values


def _search_virtual(
    session: pydbgwrite.Session, raw: RawCalls, target: Target, rounds: int
) -> Figure:
    pattern = (MARK + 1).to_bytes(8, "little")
    search = session.data_spaces.search_virtual
    assert search(target.address, target.size, MARK.to_bytes(8, "little")) == target.address
    pairs = measured_in_turns(
        timed(lambda: search(target.address, target.size, pattern, 8)),
        lambda: raw.read_blocks(target.pid, target.address, target.size, 1),
        rounds,
    )
    return compared(
        f"SearchVirtual of {target.size >> 20:,} MiB, 8 bytes",
        "search_virtual",
        _READING,
        pairs,
        2.0,
    )


@contextmanager
def _mapped(size: int, apart: int) -> Iterator[tuple[pydbgwrite.Session, int]]:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _SPARSE, str(size), str(apart)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        try:
            address = int(process.stdout.readline())
            with pydbgwrite.attach(process.pid) as session:
                yield session, address
        finally:
            process.kill()


def _sparse(rounds: int) -> Figure:
    whole, piece = 64 << 30, 1 << 20
    with (
        _mapped(whole, whole // 100 // piece * piece) as (few, at),
        _mapped(100 * piece, piece) as (all_touched, there),
    ):
        pairs: Pairs = measured_in_turns(
            timed(lambda: few.find_pointers(MARK, within=range(at, at + whole))),
            timed(
                lambda: all_touched.find_pointers(MARK, within=range(there, there + 100 * piece))
            ),
            rounds,
        )
    return compared(
        "find in 64 GiB with 100 MiB touched", "find_pointers", "100 MiB all touched", pairs, 3.0
    )
