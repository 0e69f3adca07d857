"""Group the pointers of a report: by runs of adjacent ones, or by pages, and by modules.

There can be millions of them. A page gets a limited number of rows, and the rest is counted. Most
steps are one call for all spans, so that a million take about a second.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import compress, islice, repeat
from operator import add, and_, eq, gt, mul, ne, or_, rshift, sub
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from pydbgwrite._report.model import STATES, Group, Row, Strip

if TYPE_CHECKING:
    from pydbgwrite._regions import Module

__all__ = ["FLAT", "Grouping", "Span", "rows_of"]

OK, SAME, DIFFERS, UNREADABLE, PROBLEM = range(len(STATES))

#: Up to this number of pointers a page shows all, without groups.
FLAT: Final = 400
_MOST_GROUPS: Final = 1000
_MOST_OF_GROUP: Final = 64
_MOST_ROWS: Final = 12_000
_MOST_STRIPS: Final = 40
_MOST_CELLS: Final = 96
_PAGE: Final = 12  # as a shift
#: Memory outside modules is two places where the gap is wider.
_GAP: Final = 1 << 24


class _Written(Protocol):
    @property
    def pointers(self) -> Sized: ...
    @property
    def note(self) -> str: ...


class Span(Protocol):
    """Adjacent pointers: the part of a PreviewEntry that a report needs."""

    @property
    def number(self) -> int: ...
    @property
    def entry(self) -> _Written: ...
    @property
    def address(self) -> int | None: ...
    @property
    def before(self) -> Sequence[int] | None: ...
    @property
    def after(self) -> array[int] | None: ...
    @property
    def expected(self) -> int | array[int] | None: ...
    @property
    def problems(self) -> Sequence[str]: ...
    @property
    def _before(self) -> array[int] | None: ...
    @property
    def _start(self) -> int: ...
    @property
    def _differs(self) -> bool: ...


class _Place(NamedTuple):
    """The spans from start to end, which are in one module, or in other memory."""

    start: int
    end: int
    label: str
    base: int
    size: int


def rows_of(span: Span, width: int) -> Iterator[Row]:
    """Yield the rows of a span, one for each pointer."""
    mask = (1 << 8 * width) - 1
    before, after, expected = span.before, span.after, span.expected
    fault = _has_fault(span)
    for at in range(len(span.entry.pointers)):
        want = expected[at] if isinstance(expected, array) else expected
        want = None if want is None else want & mask
        old = None if before is None else before[at]
        new = None if after is None else after[at] & mask
        if span.address is None or (fault and old is not None):
            state = PROBLEM
        elif old is None:
            state = UNREADABLE
        elif want is not None and want != old:
            state = DIFFERS
        else:
            state = SAME if old == new else OK
        address = None if span.address is None else span.address + at * width
        yield Row(span.number, address, old, new, want, span.entry.note, state)


def _has_fault(span: Span) -> bool:
    """Return whether a span has a problem besides what the target holds."""
    return len(span.problems) > span._differs


class Grouping:
    """Groups spans.

    Args:
        spans: Those with an address, sorted by it.
        lost: Those without one.
        width: The target's pointer size.
        modules: The target's modules.
    """

    def __init__(
        self, spans: Sequence[Span], lost: Sequence[Span], width: int, modules: list[Module]
    ) -> None:
        self._spans = spans
        self._lost = lost
        self._width = width
        self._addresses = [span.address or 0 for span in spans]
        self._counts = [len(span.entry.pointers) for span in spans]
        self._bad = [at for at, span in enumerate(spans) if span.problems]
        self._total = sum(self._counts) + sum(len(span.entry.pointers) for span in lost)
        self._places = list(self._find_places(modules))

    def groups(self) -> list[Group]:
        """Return the groups; at most about a thousand."""
        return [*self._group_of_lost(), *self._groups()]

    def strips(self, names: dict[int, str]) -> tuple[list[Strip], tuple[int, int]]:
        """Return the strips of the places with the most pointers, by address.

        Also returns how many places have none, and the number of their pointers.
        """
        chosen = self._places
        if len(chosen) > _MOST_STRIPS:
            chosen = sorted(chosen, key=lambda each: sum(self._counts[each.start : each.end]))
            chosen = sorted(chosen[-_MOST_STRIPS:])
        strips = [self._strip(place, names) for place in chosen]
        shown = sum(strip.pointers for strip in strips)
        return strips, (len(self._places) - len(chosen), sum(self._counts) - shown)

    # ---- places

    def _find_places(self, modules: list[Module]) -> Iterator[_Place]:
        at = 0
        for module in sorted(modules, key=lambda module: module.base):
            start = bisect_left(self._addresses, module.base, at)
            end = bisect_left(self._addresses, module.base + module.size, start)
            yield from self._other_memory(at, start)
            if end > start:
                yield _Place(start, end, module.name, module.base, module.size)
            at = end
        yield from self._other_memory(at, len(self._addresses))

    def _other_memory(self, start: int, end: int) -> Iterator[_Place]:
        if start == end:
            return
        inside = self._addresses[start:end]
        gap = _GAP
        while True:
            wide = map(gt, map(sub, inside[1:], inside), repeat(gap))
            starts = [0, *compress(range(1, len(inside)), wide)]
            if len(starts) <= _MOST_STRIPS:
                break
            gap <<= 4
        for first, behind in zip(starts, [*starts[1:], len(inside)], strict=True):
            base = inside[first] >> _PAGE << _PAGE
            past = inside[behind - 1] + self._counts[start + behind - 1] * self._width
            size = -(-(past - base) >> _PAGE) << _PAGE
            yield _Place(start + first, start + behind, "", base, size)

    def _strip(self, place: _Place, names: dict[int, str]) -> Strip:
        start, end, label, base, size = place
        shift = _PAGE
        while -(-size >> shift) > _MOST_CELLS:
            shift += 1
        if not label:
            known = names.get(self._addresses[start], "")
            label = known.partition("+")[0] if known.startswith("<") else "other memory"
        spans = range(start, end)
        return Strip(
            label=label,
            base=base,
            size=size,
            shift=shift,
            cells=self._cells(spans, base, shift),
            marked=set(self._cells(self._bad_of(start, end), base, shift)),
            pages=len(self._cells(spans, base, _PAGE)),
            pointers=sum(self._counts[start:end]),
        )

    def _cells(self, spans: Sequence[int], base: int, shift: int) -> dict[int, int]:
        """Return the number of pointers in each touched cell of 2**shift bytes."""
        addresses = [self._addresses[at] - base for at in spans]
        found = Counter(map(rshift, addresses, repeat(shift)))
        for at, address in zip(spans, addresses, strict=True):
            left = self._counts[at] - 1  # the first one is counted already
            address += self._width
            while left > 0:
                room = ((address >> shift) + 1 << shift) - address
                here = min(left, max(room // self._width, 1))
                found[address >> shift] += here
                left -= here
                address += here * self._width
        return found

    # ---- groups

    def _group_of_lost(self) -> Iterator[Group]:
        count = sum(len(span.entry.pointers) for span in self._lost)
        if count:
            rows = (row for span in self._lost for row in rows_of(span, self._width))
            most = FLAT if self._total <= FLAT else _MOST_OF_GROUP
            states = (*(0 for _ in STATES[:-1]), count)
            yield Group(None, None, count, states, "", list(islice(rows, most)))

    def _groups(self) -> Iterator[Group]:
        if not self._spans:
            return
        starts = self._runs()
        if len(starts) > _MOST_GROUPS:
            starts = self._pages()
        most = max(1, min(_MOST_OF_GROUP, _MOST_ROWS // len(starts)))
        if self._total <= FLAT:
            most = FLAT
        same = self._same()
        for start, end in zip(starts, [*starts[1:], len(self._spans)], strict=True):
            yield self._group(start, end, same, most)

    def _runs(self) -> list[int]:
        """Return where runs of adjacent pointers with one note begin."""
        ends = map(add, self._addresses, map(mul, self._counts, repeat(self._width)))
        notes = [span.entry.note for span in self._spans]
        breaks = map(or_, map(ne, self._addresses[1:], ends), map(ne, notes[1:], notes))
        return self._with_places(compress(range(1, len(notes)), breaks))

    def _pages(self) -> list[int]:
        """Return where pages begin; where there are too many, each so many pages."""
        pages = list(map(rshift, self._addresses, repeat(_PAGE)))
        found = [0, *compress(range(1, len(pages)), map(ne, pages[1:], pages))]
        return self._with_places(found[:: -(-len(found) // _MOST_GROUPS)])

    def _with_places(self, starts: Iterator[int] | list[int]) -> list[int]:
        return sorted({place.start for place in self._places}.union(starts))

    def _same(self) -> list[int]:
        """Return how many pointers of each span without a problem hold the new value already."""
        mask = (1 << 8 * self._width) - 1
        return [
            0
            if span.problems
            else span._before[span._start] == span.after[0] & mask  # type: ignore[index]
            if count == 1
            else _same_of(span, mask)
            for span, count in zip(self._spans, self._counts, strict=True)
        ]

    def _bad_of(self, start: int, end: int) -> list[int]:
        """Return the spans with a problem among these."""
        return self._bad[bisect_left(self._bad, start) : bisect_left(self._bad, end)]

    def _group(self, start: int, end: int, same: list[int], most: int) -> Group:
        width = self._width
        mask = (1 << 8 * width) - 1
        count = sum(self._counts[start:end])
        bad = [self._spans[at] for at in self._bad_of(start, end)]
        states = [0] * len(STATES)
        states[SAME] = sum(same[start:end])
        for span in bad:
            for state, number in _states_of(span, mask):
                states[state] += number
        states[OK] = count - sum(states[SAME:])
        # Those in a bad state first: nothing bad is left out for something good.
        chosen: dict[tuple[int, int | None], Row] = {}
        worst = (row for span in bad for row in rows_of(span, width) if STATES[row.state].bad)
        every = (row for at in range(start, end) for row in rows_of(self._spans[at], width))
        for row in (*islice(worst, most), *islice(every, most)):
            if len(chosen) < most:
                chosen[row.entry, row.address] = row
        rows = sorted(chosen.values(), key=lambda row: (row.address or 0, row.entry))
        notes = {self._spans[at].entry.note for at in range(start, end)}
        behind = self._addresses[end - 1] + self._counts[end - 1] * width
        note = notes.pop() if len(notes) == 1 else ""
        return Group(self._addresses[start], behind, count, tuple(states), note, rows)


def _same_of(span: Span, mask: int) -> int:
    before, after = span.before, span.after
    assert before is not None and after is not None  # it has no problem
    return sum(map(eq, before, map(and_, after, repeat(mask))))


def _states_of(span: Span, mask: int) -> Iterable[tuple[int, int]]:
    """Yield each state in which pointers of a span with problems are, and their number."""
    count = len(span.entry.pointers)
    before, after, expected = span.before, span.after, span.expected
    if before is None:
        yield UNREADABLE, count
    elif after is None or _has_fault(span):
        yield PROBLEM, count
    else:
        wanted = expected if isinstance(expected, array) else repeat(expected or 0)
        differs = list(map(ne, before, map(and_, wanted, repeat(mask))))
        same = map(eq, before, map(and_, after, repeat(mask)))
        yield DIFFERS, sum(differs)
        yield SAME, sum(map(gt, same, differs))
