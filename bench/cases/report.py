"""The report page of a patch of a million entries: how long it takes, and its size."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from statistics import median

from lib.measuring import Figure

import pydbgwrite
from pydbgwrite import Patch, PatchEntry

__all__ = ["report"]

_ENTRIES = 1_000_000
_BASE = 0x10000
_SECONDS, _MEGABYTES = 2.0, 5.0


def report(*, quick: bool) -> Iterator[Figure]:
    """Make the page of entries that are adjacent, one in each page, and at random places."""
    places: dict[str, Sequence[int]] = {
        "adjacent": range(0, 8 * _ENTRIES, 8),
        "a page each": range(0, 4096 * _ENTRIES, 4096),
        "at random": [8 * at for at in random.Random(1).sample(range(1 << 31), _ENTRIES)],
    }
    with pydbgwrite.simulate([(_BASE, 1 << 35)]) as session:
        for name, offsets in places.items():
            entries = [PatchEntry(_BASE + at, [at + 1], expect=0) for at in offsets]
            preview = Patch(entries).preview(session)
            times, page = [], ""
            for _ in range(1 if quick else 5):
                begun = time.perf_counter_ns()
                page = preview.to_html()
                times.append(time.perf_counter_ns() - begun)
            case = f"report of {_ENTRIES:,} entries, {name}"
            seconds, size = median(times) / 1e9, len(page.encode()) / 1e6
            yield Figure(case, "Preview.to_html", "", seconds, "s", _SECONDS)
            yield Figure(case, "Preview.to_html", "", size, "MB", _MEGABYTES)
            del preview, entries
