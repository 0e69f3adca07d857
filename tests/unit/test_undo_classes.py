"""What C decides about the elements that an undo finds, against a model in plain Python."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pydbgwrite import _core
from pydbgwrite._reports import Change
from pydbgwrite._transactions.compare import CONFLICTING, OLD, WRITTEN, Classified, Overlaps

KINDS = [OLD, WRITTEN, CONFLICTING, WRITTEN | CONFLICTING, OLD | WRITTEN | CONFLICTING]


def model(found: bytes, old: bytes, new: bytes, mixed: bool) -> int:
    """Return the kind of one element."""
    if found == old:
        return OLD
    either = all(byte in pair for byte, *pair in zip(found, old, new, strict=True))
    return WRITTEN if found == new or (mixed and either) else CONFLICTING


@st.composite
def classified(draw: st.DrawFn) -> tuple[int, bytes, bytes, bytes]:
    """Draw a unit, and elements that were found, replaced and written, with many equal bytes."""
    unit = draw(st.sampled_from([1, 4, 8]))
    size = unit * draw(st.integers(0, 40))
    # Bytes that differ in one bit, in the highest, and in all.
    byte = st.sampled_from([0, 1, 0x7F, 0x80, 0xFE, 0xFF])
    old, new, other = (bytes(draw(st.lists(byte, min_size=size, max_size=size))) for _ in range(3))
    takes = draw(st.sampled_from([[0], [1], [0, 1], [0, 1, 2]]))
    step = draw(st.sampled_from([1, unit]))
    found = bytearray()
    for at in range(0, size, step):
        found += (old, new, other)[draw(st.sampled_from(takes))][at : at + step]
    return unit, bytes(found), old, new


@given(classified(), st.booleans(), st.sampled_from(KINDS), st.integers(0, 2**64 - 400), st.data())
def test_verdicts(
    case: tuple[int, bytes, bytes, bytes],
    mixed: bool,
    kinds: int,
    address: int,
    data: st.DataObject,
) -> None:
    unit, found, old, new = case
    starts = range(0, len(found), unit)
    wanted = [
        model(found[at : at + unit], old[at : at + unit], new[at : at + unit], mixed)
        for at in starts
    ]
    # C reads buffers at any place, not only where a number may lie.
    shift = data.draw(st.integers(0, 7))
    here, before, written = (memoryview(bytes(shift) + each)[shift:] for each in (found, old, new))
    assert [*_core.classify(here, before, written, unit, mixed)] == wanted
    places = [address + at for at in starts]
    chosen = [i for i, each in enumerate(wanted) if each & kinds]
    each = bytes(wanted)
    picked = b"".join(new[unit * i : unit * i + unit] for i in chosen)
    assert _core.pick_classified(written, unit, each, kinds) == picked
    assert [*memoryview(_core.place_classified(address, unit, each, kinds)).cast("Q")] == [
        places[i] for i in chosen
    ]
    classified = Classified(found, old, new, unit, mixed)
    if found == new != old:  # all of it is restored, by one write
        wanted = [WRITTEN] * len(wanted)
    chosen = [i for i, kind in enumerate(wanted) if kind & kinds]
    assert classified.size(kinds) == unit * len(chosen)
    assert [*classified.places(kinds, address)] == [places[i] for i in chosen]
    where = classified.pick(kinds, array("Q", places), 8).cast("Q")
    assert [*where] == [places[i] for i in chosen]
    if not kinds & OLD:
        runs = classified.runs(kinds)
        assert [i for start, end in runs for i in range(start // unit, end // unit)] == chosen
        assert all(end < start for (_, end), (start, _) in itertools.pairwise(runs))
    classified.settle()
    assert classified.size(WRITTEN) == 0
    assert classified.size(CONFLICTING) == unit * sum(each != OLD for each in wanted)


@pytest.mark.parametrize(
    "arguments",
    [
        (b"12345678", b"12345678", b"1234567", 1, False),
        (b"12345678", b"1234", b"12345678", 4, False),
        (b"1234567", b"1234567", b"1234567", 4, False),
        (b"12", b"12", b"12", 2, False),
        (b"12", b"12", b"12", 0, True),
    ],
)
def test_lengths_that_do_not_fit(arguments: tuple[bytes, bytes, bytes, int, bool]) -> None:
    with pytest.raises(ValueError, match="not equally many elements"):
        _core.classify(*arguments)
    with pytest.raises(ValueError, match="not equally many elements"):
        _core.pick_classified(b"123456", 4, b"1", 1)
    with pytest.raises(ValueError, match="not equally many elements"):
        _core.find_overlaps(b"123456", 8)


def touching(places: Sequence[int], unit: int, element: int) -> set[int]:
    """Return the elements that overlap this one, also by way of others."""
    known, new = set[int](), {element}
    while new:
        known |= new
        new = {
            i for i, at in enumerate(places) if any(abs(at - places[j]) < unit for j in new)
        } - known
    return known


@st.composite
def scattered(draw: st.DrawFn) -> tuple[Change, bytes]:
    """Draw a write of elements that may overlap, and what is found there, byte by byte."""
    unit = draw(st.sampled_from([4, 8]))
    room = draw(st.sampled_from([16, 60, 400]))
    base = draw(st.sampled_from([0, 0x7FFFFFF0, 2**64 - 500]))
    places = draw(st.lists(st.integers(0, room), min_size=1, max_size=14))
    was = bytes(draw(st.sampled_from([0, 1, 2])) for _ in range(room + unit))
    new = draw(st.binary(min_size=unit * len(places), max_size=unit * len(places)))
    now = bytearray(was)
    for i in range(draw(st.integers(0, len(places)))):  # a write that ended after so many
        now[places[i] : places[i] + unit] = new[unit * i : unit * i + unit]
    for place in draw(st.lists(st.integers(0, room), max_size=3)):
        now[place] = draw(st.integers(0, 255))
    change = Change(
        base + min(places),
        b"".join(was[at : at + unit] for at in places),
        new,
        unit,
        array("Q", [base + at for at in places]),
    )
    return change, b"".join(now[at : at + unit] for at in places)


@given(scattered(), st.booleans())
def test_overlapping_elements(case: tuple[Change, bytes], mixed: bool) -> None:
    change, found = case
    places, unit = change.addresses, change.unit
    assert places is not None
    order, groups = _core.find_overlaps(places, unit)
    indexes = [*memoryview(order).cast("Q")]
    assert indexes == sorted(range(len(places)), key=places.__getitem__)
    wanted = {frozenset(touching(places, unit, i)) for i in range(len(places))}
    assert {frozenset(indexes[first:past]) for first, past in groups} == {
        each for each in wanted if len(each) > 1
    }
    final: dict[int, int] = {}
    covered: dict[int, set[int]] = {}
    for i, at in enumerate(places):
        for offset in range(unit):
            final[at + offset] = change.new[unit * i + offset]
            covered.setdefault(at + offset, set()).add(change.new[unit * i + offset])
    overlaps = Overlaps(change)
    assert overlaps.left == bytes(final[at + offset] for at in places for offset in range(unit))
    classified = overlaps.classify(found, mixed)
    for i, at in enumerate(places):
        part = slice(unit * i, unit * i + unit)
        here, old = found[part], change.old[part]
        kind = model(here, old, overlaps.left[part], mixed)
        if mixed and all(
            byte == before or byte in covered[at + offset]
            for offset, (byte, before) in enumerate(zip(here, old, strict=True))
        ):
            kind = OLD if here == old else WRITTEN
        if classified.whole:
            assert classified.size(kind) or here == old == overlaps.left[part]
        else:
            assert classified.is_conflicting(i) == (kind == CONFLICTING)
    start, size = places[0], unit
    assert overlaps.at(start, size)[1] == overlaps.left[:unit]
