"""find_pointers: each engine finds what a plain loop over its memory finds."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable
from typing import Any

import pytest
from support.cases import EngineCase
from support.chance import chance, rounds

import pydbgwrite
from pydbgwrite import Found, PointerRangeError, Region

__all__ = ["chance"]

#: Through a server, the whole memory of a process takes up to a minute.
FAR = ("dbgeng-remote-", "dbgeng-process-server-")


def expected(
    case: EngineCase, image: bytes, start: int, end: int, step: int, takes: Callable[[int], bool]
) -> list[tuple[int, int]]:
    """Return (address, value) of the pointers that lie wholly within start..end of rw."""
    width = case.pointer_size
    first = start + -start % step
    found = []
    for address in range(first, end - width + 1, step):
        at = address - case.rw
        value = int.from_bytes(image[at : at + width], "little")
        if takes(value):
            found.append((address, value))
    return found


def some_wanted(
    chance: random.Random, image: bytes, width: int, top: int
) -> tuple[Any, int | None, Callable[[int], bool]]:
    """Return something to look for, a mask, and whether a value is it."""

    def some() -> int:
        at = chance.randrange(len(image) - width)
        return int.from_bytes(image[at : at + width], "little")

    mask = chance.choice([None, None, top ^ 7, 0xFF, chance.randint(1, top)])
    bits = top if mask is None else mask
    kind = chance.choice(["one", "range", "set", "list"])
    if kind == "one":
        one = some()
        return one, mask, lambda value: value & bits == one & bits
    if kind == "range":
        low = some() - chance.choice([0, 1, 1000])
        low = min(max(low, 0), top - 1) & bits
        high = min(low + chance.choice([1, 2, 4096, 1 << 20]), top)
        return range(low, high + 1), mask, lambda value: low <= value & bits <= high
    values = [some() for _ in range(chance.choice([1, 2, 50]))]
    masked = {each & bits for each in values}
    many: Any = array("Q", values) if kind == "set" else values
    return many, mask, lambda value: value & bits in masked


def test_finds_what_a_loop_finds(
    readable_case: EngineCase, chance: random.Random, profile: str
) -> None:
    case, width = readable_case, readable_case.pointer_size
    image = bytes(case.image())
    if case.writes:
        words = [chance.randbytes(width) for _ in range(20)] + [bytes(width)] * 5
        shift = chance.randrange(width)
        image = (image[:shift] + b"".join(chance.choices(words, k=len(image) // width)))[
            : len(image)
        ].ljust(len(image), b"\0")
        case.session.write(case.rw, image)
    top = (1 << 8 * width) - 1
    for _ in rounds(profile, quick=12, seconds=2):
        wanted, mask, takes = some_wanted(chance, image, width, top)
        start = case.rw + chance.choice([0, 0, chance.randrange(len(image) - 1)])
        end = case.rw + chance.choice([len(image), chance.randint(start - case.rw + 1, len(image))])
        aligned = chance.random() < 0.5
        found = case.session.find_pointers(
            wanted, within=range(start, end), mask=mask, aligned=aligned
        )
        assert list(found) == expected(case, image, start, end, width if aligned else 1, takes)
        assert (found.limited, found.complete, found.skipped) == (False, True, [])
        assert found.searched == end - start
        assert len(found) == len(found.addresses) == len(found.values)
        assert sum(found.by_kind().values()) == sum(found.by_module().values()) == len(found)


def test_all_readable_memory_by_default(engine_case: EngineCase) -> None:
    case = engine_case
    marks = case.values(2, seed=991)
    case.session.write_pointers(case.rw + 64, [marks[0]])
    case.session.write_pointers(case.end - case.pointer_size, [marks[1]])
    places = [range(case.rw, case.end), range(case.none, case.none + case.page)]
    within = places if case.name.startswith(FAR) else None
    found = case.session.find_pointers(marks, within=within)
    assert case.rw + 64 in found.addresses
    assert case.end - case.pointer_size in found.addresses
    assert set(found.values) == set(marks)
    assert found.complete
    unreadable = [each for each in found.skipped if each.base <= case.none < each.base + each.size]
    if case.unreadable:
        assert [each.protection for each in unreadable] == ["none"]


def test_what_is_not_searched_is_reported(engine_case: EngineCase) -> None:
    case = engine_case
    found = case.session.find_pointers(1, within=range(case.end - 16, case.end + 16))
    assert found.searched == 16
    assert found.skipped == [Region(case.end, 16, "none", "free")]
    assert found.complete
    assert "nothing" not in str(found)
    for address in case.unreadable:
        found = case.session.find_pointers(1, within=range(address, address + 64))
        assert found.skipped == [Region(address, 64, "none", "committed")]
        assert (len(found), found.searched) == (0, 0)
        assert "64 bytes could not be read" in str(found)


def test_limit(engine_case: EngineCase) -> None:
    case, width = engine_case, engine_case.pointer_size
    value = case.values(1, seed=77)[0]
    case.session.write_pointers(case.rw, [value] * 10)
    where = range(case.rw, case.rw + 12 * width)
    for limit in (1, 9, 10, 11):
        found = case.session.find_pointers(value, within=where, limit=limit)
        wanted = [case.rw + i * width for i in range(min(limit, 10))]
        assert list(found.addresses) == wanted
        assert found.limited == (limit < 10)
        assert found.complete == (limit >= 10)
        assert ("limit" in str(found)) == (limit < 10)


def test_places_and_their_order(engine_case: EngineCase) -> None:
    case, width = engine_case, engine_case.pointer_size
    value = case.values(1, seed=78)[0]
    case.session.write_pointers(case.rw, [value] * 4)
    region = case.session.query(case.rw)
    places = [range(case.rw + 2 * width, case.rw + 3 * width), range(case.rw, case.rw + width)]
    found = case.session.find_pointers(value, within=places)
    assert list(found.addresses) == [case.rw, case.rw + 2 * width]
    twice = case.session.find_pointers(value, within=[region, *places])
    assert list(twice.addresses) == [case.rw + i * width for i in range(4)]


def test_input_is_refused_before_anything_is_read(engine_case: EngineCase) -> None:
    session, top = engine_case.session, (1 << 8 * engine_case.pointer_size) - 1
    refused: list[tuple[Any, Any, dict[str, Any], type[Exception], str]] = [
        (range(5, 5), None, {}, ValueError, "wanted is empty"),
        (range(9, 5), None, {}, ValueError, "wanted is empty"),
        (range(0, 9, 2), None, {}, ValueError, "step 1"),
        ([], None, {}, ValueError, "wanted is empty"),
        (array("Q"), None, {}, ValueError, "wanted is empty"),
        (-1, None, {}, OverflowError, "wanted is -0x1: it must be from 0"),
        (1 << 64, None, {}, OverflowError, "wanted is 0x10000000000000000: it must be from 0"),
        ([5, -1], None, {}, OverflowError, r"wanted\[1\] must be from 0"),
        (1.5, None, {}, TypeError, "wanted"),
        (True, None, {}, TypeError, "wanted"),
        (None, None, {}, TypeError, "wanted must be an address"),
        (1, [], {}, ValueError, "within is empty"),
        (1, range(7, 7), {}, ValueError, "within is empty"),
        (1, [range(1, 2), 3], {}, TypeError, r"within\[1\]"),
        (1, 3, {}, TypeError, "within"),
        (1, range(-4, 2), {}, OverflowError, "within"),
        (1, None, {"mask": 0}, ValueError, "mask must have bits .* got 0x0;"),
        (1, None, {"mask": -1}, ValueError, "mask must have bits .* got -0x1;"),
        (1, None, {"mask": top + 1}, ValueError, f"mask must have bits .* got {top + 1:#x};"),
        (1, None, {"mask": 1.0}, TypeError, "mask must be an int or None, got float"),
        (range(9, 20), None, {"mask": top ^ 7}, ValueError, "bits outside the mask"),
        (1, None, {"limit": 0}, ValueError, r"limit must be from 1 to 2\*\*64 - 1, got 0"),
        (1, None, {"limit": 10**5000}, ValueError, "limit .*, got an int of 16610 bits"),
        (1, None, {"mask": 10**5000}, ValueError, "mask .*, got an int of 16610 bits;"),
        (1, range(10**5000), {}, OverflowError, "within .*, got 0x0 to an int of 16610 bits"),
        (1, range(0, 9, 10**5000), {}, ValueError, "within .*, got step an int of 16610 bits"),
        (1, None, {"limit": True}, TypeError, "limit must be an int or None, got bool"),
        (1, None, {"progress": 3}, TypeError, "progress"),
        ("no_such_name_anywhere", None, {}, pydbgwrite.AddressError, "^(?!wanted).*no_such_name"),
        ([1, "no_such_name"], None, {}, pydbgwrite.AddressError, r"wanted\[1\]: .*no_such_name"),
        (1, "no_such_module.so", {}, pydbgwrite.errors.AddressError, "no_such_module"),
        (1, "<nothing>", {}, pydbgwrite.errors.AddressError, "<nothing>"),
    ]
    for wanted, within, more, kind, text in refused:
        with pytest.raises(kind, match=text) as raised:
            session.find_pointers(wanted, within=within, **more)
        assert not hasattr(raised.value, "found")


def test_values_for_32_bit_targets(engine_case: EngineCase) -> None:
    case = engine_case
    where = range(case.rw, case.rw + 64)
    wide = [1, 0x1_0000_0000]
    if case.pointer_size == 8:
        assert len(case.session.find_pointers(wide, within=where)) == 0
        return
    case.session.write_pointers(case.rw, [0xFFFFFFFF_80000010])
    found = case.session.find_pointers(0xFFFFFFFF_80000010, within=where)
    assert list(found) == [(case.rw, 0x80000010)]
    with pytest.raises(PointerRangeError, match=r"wanted\[1\] is 0x100000000") as raised:
        case.session.find_pointers(wide, within=where)
    assert raised.value.index == 1
    with pytest.raises(PointerRangeError, match="wanted is 0x100000000"):
        case.session.find_pointers(wide[1], within=where)
    with pytest.raises(PointerRangeError, match="wanted ends at"):
        case.session.find_pointers(range(1, 1 << 33), within=where)


class StopSearchError(Exception):
    """Raised by a progress callback."""


def test_an_interrupted_search_keeps_what_it_found(engine_case: EngineCase) -> None:
    case = engine_case
    value = case.values(1, seed=79)[0]
    case.session.write_pointers(case.rw, [value])
    seen: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        seen.append((done, total))
        raise StopSearchError

    with pytest.raises(StopSearchError) as raised:
        case.session.find_pointers(value, within=range(case.rw, case.rw + case.page), progress=stop)
    found = raised.value.found  # type: ignore[attr-defined]
    assert isinstance(found, Found)
    assert list(found.addresses) == [case.rw]
    assert not found.complete
    assert any("found" in note for note in raised.value.__notes__)
    assert seen == [(case.page, case.page)]


def test_a_target_that_is_gone(engine_case: EngineCase) -> None:
    case = engine_case
    case.take_away()
    with pytest.raises(pydbgwrite.NoTargetError):
        case.session.find_pointers(1)
