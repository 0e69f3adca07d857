"""The cost of a write that can be taken back, against the plain write."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from functools import partial
from itertools import repeat
from pathlib import Path

import numpy
from lib.measuring import Figure, Timed, compared, measured_in_turns, timed
from lib.targets import Numbers, Target, started
from peers.contest import TMPFS

import pydbgwrite

__all__ = ["transactions"]

_MILLION = 1 << 20
_RANDOM = 1 << 18
_ROOM = 256 << 20
_ONES = 2_000

#: Undoes journals in a process of its own, as the example of undo() does, and prints the
#: nanoseconds of the last one. The first one is a part of the start: it imports what undo() needs.
_UNDO = """
import sys, time, pydbgwrite
with pydbgwrite.attach(pydbgwrite.read_journal(sys.argv[1]).pid) as session:
    for journal in sys.argv[1:]:
        begun = time.perf_counter_ns()
        report = pydbgwrite.undo(journal, session)
        took = time.perf_counter_ns() - begun
        assert report.complete, report
print(took)
"""

Write = Callable[[], object]


class _Unwanted(Exception):  # noqa: N818
    """Ends a transaction that is to be undone."""


def transactions(*, quick: bool) -> Iterator[Figure]:
    """Compare writes of many pointers, and of one, in a transaction with plain ones."""
    chance = numpy.random.default_rng(3)
    values = chance.integers(0, 1 << 63, _MILLION, dtype=numpy.uint64)
    places = chance.permutation(_ROOM // 8)[:_RANDOM].astype(numpy.uint64) * numpy.uint64(8)
    rounds = 5 if quick else 21
    with (
        tempfile.TemporaryDirectory(dir=TMPFS if TMPFS.is_dir() else None) as folder,
        started(_ROOM) as target,
    ):
        with pydbgwrite.attach(target.pid) as session:
            for at in range(0, target.size, len(block := bytes(1 << 20))):
                session.write(target.address + at, block)  # the kernel allocates every page
            yield from _many(session, target, values, places, Path(folder), rounds)
            yield from _one(session, target, 5 if quick else 51)
        yield _undone_elsewhere(target, values, Path(folder), 3 if quick else 7)


def _many(
    session: pydbgwrite.Session,
    target: Target,
    values: Numbers,
    places: Numbers,
    folder: Path,
    rounds: int,
) -> Iterator[Figure]:
    journal = folder / "journal"

    beside = target.address + 8 * len(values)
    addresses, others = places + numpy.uint64(target.address), values[::-1].copy()

    def row(numbers: Numbers) -> object:
        return session.write_pointers(target.address, numbers)

    def scattered(numbers: Numbers) -> object:
        return session.write_scattered(addresses, numbers[: len(places)])

    before, after = values, others

    def checked() -> object:
        nonlocal before, after
        before, after = after, before
        return session.write_pointers(target.address, before, expect=after, verify=True)

    for case, call, limits in (
        ("1M pointers", row, (4, 11, None)),
        ("256k pointers at random over 256 MiB", scattered, (1.5, 2, 3)),
    ):
        plain, write = partial(call, values), partial(call, others)
        for name, work, limit in zip(
            (
                "in a transaction",
                "in a transaction, journal on tmpfs",
                "in a transaction, undone by an exception",
            ),
            (
                _committed(write, session.transaction),
                _committed(write, lambda: session.transaction(journal), journal),
                timed(_undone(write, session)),
            ),
            limits,
            strict=True,
        ):
            yield _figure(case, name, work, plain, rounds, limit)
    session.write_pointers(target.address, before)  # what the first of these expects
    name = "in a transaction with expect and verify"
    work = _committed(checked, session.transaction)
    pairs = measured_in_turns(work, timed(lambda: session.write_pointers(beside, values)), rounds)
    yield compared("1M pointers", name, "the plain write", pairs, 8)


def _figure(
    case: str, name: str, work: Timed, plain: Write, rounds: int, limit: float | None
) -> Figure:
    pairs = measured_in_turns(work, timed(plain), rounds)
    return compared(case, name, "the plain write", pairs, limit)


def _committed(
    write: Write,
    made: Callable[[], AbstractContextManager[object]],
    journal: Path | None = None,
) -> Timed:
    def work() -> None:
        with made():
            write()

    once = timed(work)

    def each() -> float:
        took = once()
        if journal is not None:
            journal.unlink()  # no part of a transaction, and not timed
        return took

    return each


def _undone(write: Write, session: pydbgwrite.Session) -> Write:
    def work() -> None:
        with suppress(_Unwanted), session.transaction():
            write()
            raise _Unwanted

    return work


def _one(session: pydbgwrite.Session, target: Target, rounds: int) -> Iterator[Figure]:
    values = numpy.arange(1, dtype=numpy.uint64)

    def plain() -> object:
        return session.write_pointers(target.address, values)

    def in_one() -> float:
        with session.transaction():
            return timed(plain, _ONES)()

    def empty() -> None:
        for _ in repeat(None, 10):
            with session.transaction():
                pass

    baseline: Timed = timed(plain, _ONES)
    pairs = measured_in_turns(in_one, baseline, rounds)
    yield compared("one pointer", "in an open transaction", "one plain pointer", pairs, 3)

    def empty_each() -> float:
        return timed(empty)() / 10

    pairs = measured_in_turns(empty_each, baseline, rounds)
    yield compared("an empty transaction", "opened and ended", "one plain pointer", pairs, 4)


def _undone_elsewhere(target: Target, values: Numbers, folder: Path, rounds: int) -> Figure:
    other = values[::-1].copy()

    def undone() -> float:
        journals = folder / "first", folder / "journal"
        with pydbgwrite.attach(target.pid) as session:
            session.write_pointers(target.address, values)
            with session.transaction(journals[0]):
                session.write_pointers(target.address + 8 * len(values), other[:1])
            with session.transaction(journals[1]):
                session.write_pointers(target.address, other)
        done = subprocess.run(
            [sys.executable, "-c", _UNDO, *journals], capture_output=True, text=True, check=True
        )
        for journal in journals:
            journal.unlink()
        return float(done.stdout)

    def plain() -> float:
        with pydbgwrite.attach(target.pid) as session:
            return timed(lambda: session.write_pointers(target.address, values))()

    pairs = measured_in_turns(undone, plain, rounds)
    name = "undo() of a journal, in another process"
    return compared("1M pointers", name, "the plain write", pairs, 12)
