"""QueryVirtual, GetValidRegionVirtual, GetNextDifferentlyValidOffsetVirtual on every engine."""

from __future__ import annotations

import pytest
from support.cases import E_NOINTERFACE, EngineCase
from support.dbgeng import NARROW

import pydbgwrite
from pydbgwrite import MemoryBasicInformation, Region, TargetAccessError

MEM_COMMIT, MEM_FREE = 0x1000, 0x10000
PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE = 1, 2, 4
USER_END = 0x7FFFFFFF0000  # end of simulated memory with 64-bit pointers, as on Windows


@pytest.mark.parametrize("shift", [0, 1, 4095, 4096, 16383])
def test_query_inside(engine_case: EngineCase, shift: int) -> None:
    case = engine_case
    info = case.session.data_spaces.query_virtual(case.rw + shift)
    assert isinstance(info, MemoryBasicInformation)
    assert info.base_address == case.rw + shift - shift % case.page
    assert info.base_address + info.region_size == case.end
    assert info.allocation_base <= case.rw
    assert (info.state, info.protect) == (MEM_COMMIT, PAGE_READWRITE)
    assert info.type != 0
    region = case.session.query(case.rw + shift)
    assert region == Region(info.base_address, info.region_size, "rw", "committed")


def test_query_protections(engine_case: EngineCase) -> None:
    case = engine_case
    assert case.session.query(case.read_only).protection == "r"
    assert case.session.data_spaces.query_virtual(case.read_only).protect == PAGE_READONLY
    assert case.session.query(case.none).protection == "none"
    assert case.session.data_spaces.query_virtual(case.none).protect == PAGE_NOACCESS
    for address in case.refused.values():
        assert case.session.query(address).protection == "r"


def test_query_a_gap(engine_case: EngineCase) -> None:
    """A gap is a separate region that extends to the start of the next region."""
    case = engine_case
    gap = case.session.query(case.end)
    assert (gap.base, gap.state, gap.protection) == (case.end, "free", "none")
    last = gap.base + gap.size - case.page
    assert case.session.query(last + case.page - 1) == Region(last, case.page, "none", "free")
    after = case.session.query(gap.base + gap.size)
    assert after.base == gap.base + gap.size
    assert after.state == "committed" or case.differs("other mappings")
    raw = case.session.data_spaces.query_virtual(case.end)
    assert (raw.state, raw.allocation_base, raw.type) == (MEM_FREE, 0, 0)


def test_query_behind_the_last_region(engine_case: EngineCase) -> None:
    """All addresses that a program could map behind the last region are free."""
    case = engine_case
    if case.user_end is not None:
        last = case.session.query(case.user_end - 5)
        # On Linux, the stack may begin there.
        assert (last.base, last.size) == (case.user_end - case.page, case.page)
        with pytest.raises(TargetAccessError) as caught:
            case.session.query(case.user_end)
        assert caught.value.hresult == E_NOINTERFACE


def test_query_past_user_space(engine_case: EngineCase) -> None:
    # Microsoft's x86 engine ignores the upper half of an address (docs/engine.md).
    folds = NARROW and "simulated" not in engine_case.name
    for query in (engine_case.session.query, engine_case.session.data_spaces.query_virtual):
        for address in (2**63, 2**64 - 1)[folds:]:
            with pytest.raises(TargetAccessError) as caught:
                query(address)
            assert caught.value.hresult == E_NOINTERFACE
            assert caught.value.method == "QueryVirtual"
            assert caught.value.address == address
            assert f"0x{address:x}" in str(caught.value)


def test_walking_all_regions(engine_case: EngineCase) -> None:
    """Regions follow each other without gaps and overlaps, up to the end marker.

    regions() gives all of them but free memory.
    """
    case = engine_case
    address, seen = 0, []
    while True:
        try:
            region = case.session.query(address)
        except TargetAccessError:
            break
        assert region.base == address
        assert region.size > 0
        seen.append(region)
        address = region.base + region.size
    covering = [r for r in seen if r.base <= case.rw < r.base + r.size]
    assert [r.protection for r in covering] == ["rw"]
    if case.user_end is not None:
        assert address == case.user_end
    assert case.session.regions() == [each for each in seen if each.state != "free"]


def test_valid_region(engine_case: EngineCase) -> None:
    case = engine_case
    valid = case.session.data_spaces.get_valid_region_virtual
    assert valid(case.rw, case.rw_size) == (case.rw, case.rw_size)
    assert valid(case.rw + 5, 10) == (case.rw + 5, 10)
    assert valid(case.end - 5, 10) == (case.end - 5, 5)
    assert valid(case.end, case.page) == (0, 0)
    for address in case.unreadable:
        assert valid(address, case.page) == (0, 0)
    assert valid(case.rw, 0) == (0, 0)
    assert valid(0, 100) == (0, 0)
    assert valid(2**64 - 16, 4096) == (0, 0)


def test_valid_region_begins_later(engine_case: EngineCase) -> None:
    case = engine_case
    before = case.session.query(case.rw - 1)
    if before.state == "free":
        found = case.session.data_spaces.get_valid_region_virtual(case.rw - 7, 107)
        assert found == (case.rw, 100)
    gap = case.session.query(case.end)
    if gap.size > 2**24:
        return  # dbgeng checks page by page, which takes long here
    base, size = case.session.data_spaces.get_valid_region_virtual(case.end, gap.size + 8)
    after = case.session.query(gap.base + gap.size)
    readable = "r" in after.protection
    assert (base, size) == ((after.base, 8) if readable else (0, 0))


def test_next_differently_valid_is_the_next_page(engine_case: EngineCase) -> None:
    case = engine_case
    following = case.session.data_spaces.get_next_differently_valid_offset_virtual
    for address in (case.rw, case.rw + 1, case.rw + case.page - 1, case.end):
        assert following(address) == (address // case.page + 1) * case.page
    assert following(2**64 - case.page - 1) == 2**64 - case.page
    for address in (2**64 - case.page, 2**64 - 1):
        assert following(address) is None  # S_FALSE: there is no further page


def test_neighbouring_regions_count_as_one_valid_stretch() -> None:
    with pydbgwrite.simulate([(0x1000, 0x1000), (0x2000, 0x800, "r"), (0x2800, 8, "none")]) as s:
        assert s.data_spaces.get_valid_region_virtual(0, 0xFFFFFFFF) == (0x1000, 0x1800)
        assert s.query(0) == Region(0, 0x1000, "none", "free")
        assert s.query(0x1FFF) == Region(0x1000, 0x1000, "rw", "committed")
        assert s.query(0x2807) == Region(0x2800, 8, "none", "committed")
        assert s.query(0x2FFF) == Region(0x2808, USER_END - 0x2808, "none", "free")


def test_regions_above_user_space() -> None:
    base = 2**64 - 0x2000
    with pydbgwrite.simulate([(base, 0x1000), (base + 0x1000, 0x1000, "r")]) as s:
        assert s.query(0x1234) == Region(0x1000, base - 0x1000, "none", "free")
        assert s.query(base - 1) == Region(base - 0x1000, 0x1000, "none", "free")
        assert s.query(base) == Region(base, 0x1000, "rw", "committed")
        assert s.query(2**64 - 1) == Region(base + 0x1000, 0x1000, "r", "committed")


def test_an_empty_target_is_free() -> None:
    with pydbgwrite.simulate([]) as session:
        assert session.query(0) == Region(0, USER_END, "none", "free")
        with pytest.raises(TargetAccessError):
            session.query(USER_END)
        assert session.data_spaces.get_valid_region_virtual(0, 0xFFFFFFFF) == (0, 0)
        assert session.data_spaces.search_virtual(0, 2**64 - 1, b"x") is None
        assert session.modules() == []
