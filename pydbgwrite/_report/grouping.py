"""Group the pointers of a report: by runs of adjacent ones, or by pages, and by modules.

There can be millions of them. A page gets a limited number of rows, and the rest is counted. What
is grouped are pieces: spans, and each pointer of those with separate addresses. Most steps are one
call for all pieces, so that a million take about a second.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import chain, compress, count, islice, repeat
from operator import add, and_, eq, ge, gt, mul, ne, or_, rshift, sub
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from pydbgwrite._report.model import STATES, Group, Row, Strip

if TYPE_CHECKING:
    from pydbgwrite._regions import Module

__all__ = ["DIFFERS", "FLAT", "SAME", "Grouping", "Span", "rows_of"]

OK, SAME, DIFFERS, UNREADABLE, PROBLEM = range(len(STATES))
#: Of a piece: its pointers can be in different states; in bad ones, too.
_MANY: Final = len(STATES)
_MANY_BAD: Final = _MANY + 1
#: For bytes.translate(): 1 for a state that is bad, or can be.
_BAD: Final = bytes(each in (DIFFERS, UNREADABLE, PROBLEM, _MANY_BAD) for each in range(256))

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


class _Written(Sized, Protocol):
    @property
    def note(self) -> str: ...


class Span(Protocol):
    """The part of a PreviewEntry that a report needs.

    Its pointers are adjacent, or, if it has _addresses, at separate ones.
    """

    @property
    def number(self) -> int: ...
    @property
    def entry(self) -> _Written: ...
    @property
    def address(self) -> int | None: ...
    @property
    def addresses(self) -> Sequence[int] | None: ...
    @property
    def before(self) -> Sequence[int] | None: ...
    @property
    def after(self) -> array[int] | None: ...
    @property
    def expected(self) -> int | array[int] | None: ...
    @property
    def problems(self) -> Sequence[str]: ...
    @property
    def _addresses(self) -> array[int] | None: ...
    @property
    def _before(self) -> array[int] | None: ...
    @property
    def _start(self) -> int: ...
    @property
    def _differs(self) -> bool: ...


class _Place(NamedTuple):
    """The pieces from start to end, which are in one module, or in other memory."""

    start: int
    end: int
    label: str
    base: int
    size: int


def rows_of(span: Span, width: int, chosen: Iterable[int] | None = None) -> Iterator[Row]:
    """Yield the rows of a span, one for each pointer, or for each of the chosen indexes."""
    mask = (1 << 8 * width) - 1
    before, after, expected, addresses = span.before, span.after, span.expected, span.addresses
    fault = _has_fault(span)
    for at in range(len(span.entry)) if chosen is None else chosen:
        want = expected[at] if isinstance(expected, array) else expected
        want = None if want is None else want & mask
        old = None if before is None else before[at]
        new = None if after is None else after[at] & mask
        if addresses is None or (fault and old is not None):
            state = PROBLEM
        elif old is None:
            state = UNREADABLE
        elif want is not None and want != old:
            state = DIFFERS
        else:
            state = SAME if old == new else OK
        address = None if addresses is None else addresses[at]
        yield Row(span.number, address, old, new, want, span.entry.note, state)


def _bad_rows(span: Span, width: int) -> Iterator[Row]:
    """Yield the rows in a bad state of a span with a problem."""
    before, expected = span.before, span.expected
    if span.address is None or before is None or expected is None or _has_fault(span):
        return rows_of(span, width)
    return rows_of(span, width, compress(count(), _differences(before, expected, width)))


def _differences(before: Sequence[int], expected: int | array[int], width: int) -> Iterator[bool]:
    mask = (1 << 8 * width) - 1
    wanted = expected if isinstance(expected, array) else repeat(expected)
    return map(ne, before, map(and_, wanted, repeat(mask)))


def _has_fault(span: Span) -> bool:
    """Return whether a span has a problem besides what the target holds."""
    return len(span.problems) > span._differs


class Grouping:
    """Groups spans.

    Args:
        spans: All of them, in any order.
        order: The indexes of those with an address, in the order of their addresses.
        width: The target's pointer size.
        modules: The target's modules.
    """

    def __init__(
        self, spans: Sequence[Span], order: Sequence[int], width: int, modules: list[Module]
    ) -> None:
        self._all = spans
        self._width = width
        # What all spans have is taken in their own order, which is mostly that of their memory: in
        # the order of addresses each access would wait for memory. So it is with numbers, except
        # in an array.
        addresses = array("Q", [span.address or 0 for span in spans])
        counts = [len(span.entry) for span in spans]
        notes = [span.entry.note for span in spans]
        states = bytes(_states(spans, counts, (1 << 8 * width) - 1))
        self._total = sum(counts)
        #: The first piece of each span; None if the pieces are the spans.
        self._firsts: list[int] | None = None
        if any(span._addresses is not None for span in spans):
            pieces = _taken_apart(spans, counts, states, width)
            self._firsts, addresses, counts, notes, order = pieces[:5]
            states = bytes(pieces.states)
        self._order = order
        # From here on by address.
        self._addresses = list(map(addresses.__getitem__, order))
        self._counts = list(self._by_address(counts))
        self._notes = list(self._by_address(notes))
        self._states = bytes(self._by_address(states))
        self._bad = list(compress(count(), self._states.translate(_BAD)))
        self._page_starts = self._find_page_starts()
        self._places = list(self._find_places(modules))

    def _by_address(self, values: list[Any] | bytes) -> Iterable[Any]:
        """Return what the spans have in the order of their addresses."""
        if values.count(values[0] if values else 0) == len(values):  # the same, mostly
            return values[: len(self._order)]
        return map(values.__getitem__, self._order)

    def _find_page_starts(self) -> list[int]:
        """Return the first span of each page."""
        pages = list(map(rshift, self._addresses, repeat(_PAGE)))
        return [*range(bool(pages)), *compress(count(1), map(ne, islice(pages, 1, None), pages))]

    def groups(self) -> list[Group]:
        """Return the groups; at most about two thousand."""
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
            wide = map(gt, map(sub, islice(inside, 1, None), inside), repeat(gap))
            starts = [0, *compress(count(1), wide)]
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
        if max(self._counts[start:end]) == 1:
            cells = self._cells_of_singles(place, shift)
            first = bisect_right(self._page_starts, start)
            pages = 1 + bisect_left(self._page_starts, end) - first
        else:
            cells = self._cells(range(start, end), base, shift)
            pages = len(self._cells(range(start, end), base, _PAGE))
        return Strip(
            label=label,
            base=base,
            size=size,
            shift=shift,
            cells=cells,
            marked=set(self._cells(self._bad_of(start, end), base, shift)),
            pages=pages,
            pointers=sum(self._counts[start:end]),
        )

    def _cells(self, spans: Sequence[int], base: int, shift: int) -> dict[int, int]:
        """Return the number of pointers in each touched cell of 2**shift bytes."""
        found: Counter[int] = Counter()
        for at in spans:
            address, left = self._addresses[at] - base, self._counts[at]
            while left > 0:
                room = ((address >> shift) + 1 << shift) - address
                here = min(left, max(room // self._width, 1))
                found[address >> shift] += here
                left -= here
                address += here * self._width
        return found

    def _cells_of_singles(self, place: _Place, shift: int) -> dict[int, int]:
        """Return the same of all spans of a place, of one pointer each."""
        found: dict[int, int] = {}
        at = place.start
        while at < place.end:
            cell = self._addresses[at] - place.base >> shift
            behind = place.base + (cell + 1 << shift)
            end = bisect_left(self._addresses, behind, at, place.end)
            found[cell] = end - at
            at = end
        return found

    # ---- groups

    def _group_of_lost(self) -> Iterator[Group]:
        if len(self._order) < len(self._all):
            lost = [span for span in self._all if span.address is None]
            total = sum(len(span.entry) for span in lost)
            rows = (row for span in lost for row in rows_of(span, self._width))
            most = FLAT if self._total <= FLAT else _MOST_OF_GROUP
            states = (*(0 for _ in STATES[:-1]), total)
            yield Group(None, None, total, states, "", list(islice(rows, most)))

    def _groups(self) -> Iterator[Group]:
        if not self._order:
            return
        starts = list(islice(self._runs(), _MOST_GROUPS + 1))
        if len(starts) > _MOST_GROUPS:  # by pages; where there are too many, each so many pages
            starts = self._page_starts[:: -(-len(self._page_starts) // _MOST_GROUPS)]
        if len(self._places) <= _MOST_GROUPS:  # a group is in one place, except among thousands
            starts = sorted({place.start for place in self._places}.union(starts))
        most = max(1, min(_MOST_OF_GROUP, _MOST_ROWS // len(starts)))
        if self._total <= FLAT:
            most = FLAT
        for start, end in zip(starts, [*starts[1:], len(self._order)], strict=True):
            yield self._group(start, end, most)

    def _runs(self) -> Iterator[int]:
        """Yield where runs of adjacent pointers with one note begin."""
        ends = map(add, self._addresses, map(mul, self._counts, repeat(self._width)))
        another = map(ne, islice(self._notes, 1, None), self._notes)
        breaks = map(or_, map(ne, islice(self._addresses, 1, None), ends), another)
        return chain([0], compress(count(1), breaks))

    def _bad_of(self, start: int, end: int) -> list[int]:
        """Return those of the spans that have, or can have, a pointer in a bad state."""
        return self._bad[bisect_left(self._bad, start) : bisect_left(self._bad, end)]

    def _span(self, at: int) -> tuple[Span, int | None]:
        """Return the span of a piece, and which of its pointers the piece is, or None: all."""
        piece = self._order[at]
        if self._firsts is None:
            return self._all[piece], None
        number = bisect_right(self._firsts, piece) - 1
        span = self._all[number]
        return span, None if span._addresses is None else piece - self._firsts[number]

    def _rows(self, at: int, *, bad: bool = False) -> Iterator[Row]:
        """Return the rows of a piece, or those in a bad state."""
        span, only = self._span(at)
        if only is not None:
            return rows_of(span, self._width, (only,))
        return _bad_rows(span, self._width) if bad else rows_of(span, self._width)

    def _group(self, start: int, end: int, most: int) -> Group:
        width = self._width
        total = sum(self._counts[start:end])
        found = self._states[start:end]
        states = [found.count(state) for state in range(len(STATES))]
        for at in compress(count(start), map(ge, found, repeat(_MANY))):
            those = _states_of_each(self._span(at)[0], width)
            states = [number + those.count(state) for state, number in enumerate(states)]
        # Those in a bad state first: nothing bad is left out for something good.
        chosen: dict[tuple[int, int | None], Row] = {}
        bad = self._bad_of(start, end)
        worst = chain.from_iterable(self._rows(at, bad=True) for at in bad)
        every = chain.from_iterable(map(self._rows, range(start, end)))
        for row in (*islice(worst, most), *islice(every, most)):
            if len(chosen) < most:
                chosen[row.entry, row.address] = row
        rows = sorted(chosen.values(), key=lambda row: (row.address or 0, row.entry))
        notes = set(self._notes[start:end])
        behind = self._addresses[end - 1] + self._counts[end - 1] * width
        note = notes.pop() if len(notes) == 1 else ""
        return Group(self._addresses[start], behind, total, tuple(states), note, rows)


def _states(spans: Sequence[Span], counts: list[int], mask: int) -> list[int]:
    """Return the state of each span of one pointer; of others _MANY or _MANY_BAD."""
    return [
        (_MANY_BAD if span.problems else _MANY)
        if count != 1
        else (SAME if span._before[span._start] == span.after[0] & mask else OK)  # type: ignore[index]
        if not span.problems
        else UNREADABLE
        if span._before is None
        else PROBLEM
        if _has_fault(span)
        else DIFFERS
        for span, count in zip(spans, counts, strict=True)
    ]


def _states_of_each(span: Span, width: int) -> bytes:
    """Return the state of each pointer of a span."""
    total, mask = len(span.entry), (1 << 8 * width) - 1
    before, after, expected = span.before, span.after, span.expected
    if before is None:
        return bytes([UNREADABLE]) * total
    if after is None or _has_fault(span):
        return bytes([PROBLEM]) * total
    same = map(eq, before, map(and_, after, repeat(mask)))
    if expected is None:
        return bytes(SAME if alike else OK for alike in same)
    differs = _differences(before, expected, width)
    return bytes(
        DIFFERS if differ else SAME if alike else OK
        for alike, differ in zip(same, differs, strict=True)
    )


class _Pieces(NamedTuple):
    """Pieces of spans, and the first piece of each span; order: of those with an address."""

    firsts: list[int]
    addresses: array[int]
    counts: list[int]
    notes: list[str]
    order: list[int]
    states: bytearray


def _taken_apart(spans: Sequence[Span], counts: list[int], states: bytes, width: int) -> _Pieces:
    """Make a piece of each pointer of spans with separate addresses, and of each other span.

    counts, states: of the spans.
    """
    pieces = _Pieces([], array("Q"), [], [], [], bytearray())
    located: list[range] = []
    for span, size, state in zip(spans, counts, states, strict=True):
        first, note = len(pieces.addresses), span.entry.note
        pieces.firsts.append(first)
        if span._addresses is None:
            pieces.addresses.append(span.address or 0)
            pieces.counts.append(size)
            pieces.notes.append(note)
            pieces.states.append(state)
        else:
            pieces.addresses.extend(span._addresses)
            pieces.counts.extend(repeat(1, size))
            pieces.notes.extend(repeat(note, size))
            pieces.states.extend(_states_of_each(span, width))
        if span.address is not None:
            located.append(range(first, len(pieces.addresses)))
    pieces.order.extend(sorted(chain.from_iterable(located), key=pieces.addresses.__getitem__))
    return pieces
