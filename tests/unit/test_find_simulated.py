"""find_pointers in simulated memory: regions far larger than what was written, and many regions."""

from __future__ import annotations

import random

from support.chance import chance as chance

from pydbgwrite import simulate, testing

TIB = 1 << 40
BASE = 0x10000
WANTED = 0x1234567


def test_memory_never_written_is_passed_over(chance: random.Random) -> None:
    """16 TiB can't be read through. Pointers lie in written and never written blocks alike."""
    with simulate([(BASE, 8 * TIB), (BASE + 8 * TIB, 8 * TIB, "r")]) as session:
        places = {BASE, BASE + 4 * TIB - 4, BASE + 8 * TIB - 8}
        for _ in range(100):
            block = BASE + chance.randrange(1, 8 * TIB >> 16) * 65536
            places.add(block + chance.choice([-8, -5, -1, 0, 3, 8]))
        for place in places:
            session.write_pointers(place, [WANTED])
        found = session.find_pointers(WANTED, aligned=False)
        assert list(found.addresses) == sorted(places)
        assert found.searched == 16 * TIB
        assert found.skipped == []
        found = session.find_pointers(range(WANTED, WANTED + 1))
        assert list(found.addresses) == sorted(each for each in places if each % 8 == 0)
        session.write_pointers(BASE + TIB, [WANTED])
        assert BASE + TIB in session.find_pointers(WANTED).addresses


def test_zeros_are_found_where_nothing_was_written() -> None:
    with simulate([(BASE, TIB)]) as session:
        session.write_pointers(BASE + 16, [5])
        where = range(BASE, BASE + 4096)
        assert len(session.find_pointers(0, within=where)) == 511
        assert list(session.find_pointers([5, 6], within=where)) == [(BASE + 16, 5)]
        few = session.find_pointers([0, 5], limit=3)
        assert list(few) == [(BASE, 0), (BASE + 8, 0), (BASE + 16, 5)]
        assert few.limited


def test_what_is_not_mapped_of_a_range_is_reported() -> None:
    with simulate([(BASE, 0x1000), (BASE + 0x2000, 0x1000)]) as session:
        found = session.find_pointers(7, within=range(BASE - 0x1000, BASE + 0x4000))
        holes = [(each.base, each.size, each.state) for each in found.skipped]
        assert holes == [(BASE + at, 0x1000, "free") for at in (-0x1000, 0x1000, 0x3000)]


def test_a_fault_in_memory_never_written_is_reported() -> None:
    with simulate([(BASE, 1 << 20)]) as session:
        session.write_pointers(BASE, [WANTED])
        testing.fail_reads(session, BASE + (1 << 19))
        found = session.find_pointers(WANTED)
        assert list(found.addresses) == [BASE]
        assert [each.base for each in found.skipped] == [BASE + (1 << 19)]


def test_many_regions() -> None:
    count, apart = 200_000, 0x2000
    regions = [(BASE + apart * number, 0x1000) for number in range(count)]
    places = [regions[number][0] + 8 for number in (0, 1, count // 2, count - 1)]
    with simulate(regions) as session:
        for place in places:
            session.write_pointers(place, [WANTED])
        found = session.find_pointers(WANTED)
    assert list(found.addresses) == places
    assert len(found.regions) == count
    assert found.searched == 0x1000 * count
