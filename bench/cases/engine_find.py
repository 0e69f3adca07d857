"""Times of searches through Microsoft's engine, against reading the same bytes from C."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy
from lib.engine_calls import EngineCalls
from lib.measuring import Figure, compared, measured_in_turns, timed
from lib.targets import started

import pydbgwrite

__all__ = ["find_figures"]

_SIZE = 32 << 20
_APART = 1 << 20
_MARK = 0x7F00_1234_5678


def find_figures(library: Path, *, quick: bool) -> Iterator[Figure]:
    """Find one value, and a set; reading the memory in blocks of 256 KiB is the baseline."""
    words = numpy.frombuffer(os.urandom(_SIZE), numpy.uint64).copy()
    words[:: _APART // 8] = _MARK
    with started(_SIZE) as target, pydbgwrite.attach(target.pid) as session:
        session.write_pointers(target.address, words, via="WriteVirtual")
        calls = EngineCalls(library, Path(session.engine.folder))
        places = range(target.address, target.address + _SIZE)
        many = numpy.frombuffer(os.urandom(8000), numpy.uint64).copy()
        many[0] = _MARK
        for name, wanted in (("one value", _MARK), ("1,000 values", many)):

            def search(wanted: object = wanted) -> pydbgwrite.Found:
                return session.find_pointers(wanted, within=places)  # type: ignore[arg-type]

            pairs = measured_in_turns(
                timed(search),
                lambda: calls.read_blocks(target.address, _SIZE),
                5 if quick else 21,
            )
            yield compared(
                f"find {name} in {_SIZE >> 20} MiB",
                "find_pointers",
                "ReadVirtual of 256 KiB blocks from C",
                pairs,
                1.5,
                verified=list(search().addresses) == list(places[::_APART]),
            )
