"""Targets that can only be read (dumps): no write is ever reported as done."""

from __future__ import annotations

import faulthandler
from collections.abc import Callable, Iterator

import pytest
from support.cases import E_NOINTERFACE, READ_ONLY_CASES, EngineCase

from pydbgwrite import Session, TargetAccessError, WriteNotAppliedError


@pytest.fixture(params=sorted(READ_ONLY_CASES))
def dump_case(request: pytest.FixtureRequest) -> Iterator[EngineCase]:
    """Yield a target that refuses all writes, one for each engine."""
    # The engine handles an access violation in each write to a dump: print no tracebacks.
    was_on = faulthandler.is_enabled()
    faulthandler.disable()
    with READ_ONLY_CASES[request.param]() as case:
        yield case
    if was_on:
        faulthandler.enable()


WRITES: dict[str, Callable[[Session, int], object]] = {
    "write_pointers": lambda s, a: s.write_pointers(a, [1, 2, 3]),
    "write_pointers by WriteVirtual": lambda s, a: s.write_pointers(a, [1, 2], via="WriteVirtual"),
    "write_scattered": lambda s, a: s.write_scattered([a + 64, a], [1, 2]),
    "write": lambda s, a: s.write(a, b"x" * 32),
    "raw pointers": lambda s, a: s.data_spaces.write_pointers_virtual(a, [1]),
    "raw bytes": lambda s, a: s.data_spaces.write_virtual(a, b"x" * 32),
    "raw bytes uncached": lambda s, a: s.data_spaces.write_virtual_uncached(a, b"x" * 32),
    "raw fill": lambda s, a: s.data_spaces.fill_virtual(a, 32, b"xy"),
}


@pytest.mark.parametrize("name", WRITES)
def test_no_write_is_applied(dump_case: EngineCase, name: str) -> None:
    case = dump_case
    # The x64 engine answers with S_OK, and the x86 engine with an access violation.
    refused = TargetAccessError if case.pointer_size == 4 else WriteNotAppliedError
    with pytest.raises(refused) as caught:
        WRITES[name](case.session, case.rw + 8)
    assert caught.value.written == 0
    assert case.session.read(case.rw, case.rw_size) == case.image()


def test_it_reads(dump_case: EngineCase) -> None:
    case, image = dump_case, dump_case.image()
    wanted = [
        int.from_bytes(image[at : at + case.pointer_size], "little")
        for at in range(3, 3 + 100 * case.pointer_size, case.pointer_size)
    ]
    assert list(case.session.read_pointers(case.rw + 3, 100)) == wanted
    assert case.session.data_spaces.read_virtual(case.rw, case.rw_size) == image


def test_what_it_knows_of_regions(dump_case: EngineCase) -> None:
    """A dump stores ranges of bytes; QueryVirtual reports them as they were stored."""
    case, spaces = dump_case, dump_case.session.data_spaces
    for shift in (0, 5, case.page, case.rw_size - 1):
        info = spaces.query_virtual(case.rw + shift)
        assert (info.base_address, info.region_size) == (case.rw, case.rw_size)
        assert (info.state, info.protect) == (0x1000, 4)
    assert spaces.get_valid_region_virtual(case.end - 50, 100) == (case.end - 50, 50)
    assert spaces.get_valid_region_virtual(case.rw - 7, 107) == (case.rw, 100)
    assert spaces.get_valid_region_virtual(case.end, case.page) == (0, 0)
    with pytest.raises(TargetAccessError) as caught:
        spaces.query_virtual(2**64 - 1)
    assert caught.value.hresult == E_NOINTERFACE
