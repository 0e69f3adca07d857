"""Targets that run, have ended, or are released: E_UNEXPECTED for any arguments."""

from __future__ import annotations

import pytest
from support.calls import ENGINE_CALLS
from support.cases import E_UNEXPECTED, EngineCase

import pydbgwrite
from pydbgwrite import DebugEngineError, NoTargetError, testing


def refuses_everything(session: pydbgwrite.Session) -> None:
    """Assert that every call into the engine raises an error with E_UNEXPECTED."""
    for name, call in ENGINE_CALLS.items():
        with pytest.raises(DebugEngineError) as caught:
            call(session)
        physical = "physical" in name
        assert type(caught.value) is (DebugEngineError if physical else NoTargetError), name
        if name != "modules":
            assert caught.value.hresult == E_UNEXPECTED, name
            assert "0x8000FFFF" in str(caught.value), name
    spaces = session.data_spaces
    for empty in (
        lambda: session.write_pointers(0x10000, []),
        lambda: session.read_pointers(0x10000, 0),
        lambda: session.write(0x10000, b""),
        lambda: session.read(0x10000, 0),
        lambda: spaces.write_pointers_virtual(0x10000, []),
        lambda: spaces.read_pointers_virtual(0x10000, 0),
        lambda: spaces.write_virtual(0x10000, b""),
        lambda: spaces.read_virtual(0x10000, 0),
        lambda: spaces.fill_virtual(0x10000, 0, b""),
        lambda: spaces.search_virtual(0x10000, 0, b""),
        lambda: spaces.get_valid_region_virtual(0x10000, 0),
    ):
        with pytest.raises(NoTargetError) as gone:
            empty()
        assert gone.value.hresult == E_UNEXPECTED


def test_a_target_that_has_gone(engine_case: EngineCase) -> None:
    engine_case.take_away()
    if engine_case.differs("gone processes"):
        for name in ("write_pointers", "read_pointers", "write", "read"):
            with pytest.raises(NoTargetError, match="target has ended"):
                ENGINE_CALLS[name](engine_case.session)
    else:
        refuses_everything(engine_case.session)
    with pytest.raises(NoTargetError):
        engine_case.session.regions()
    assert not engine_case.session.closed
    engine_case.session.close()


def test_gone_means_that_nobody_knows_what_was_written(engine_case: EngineCase) -> None:
    engine_case.take_away()
    with pytest.raises(NoTargetError) as caught:
        engine_case.session.write_pointers(engine_case.rw, [1, 2, 3])
    assert caught.value.written is None
    assert (caught.value.address, caught.value.count) == (engine_case.rw, 3)
    if engine_case.differs("gone processes"):
        return
    with pytest.raises(NoTargetError) as caught:
        engine_case.session.data_spaces.write_pointers_virtual(engine_case.rw, [1, 2, 3])
    assert caught.value.written is None
    assert caught.value.method == "WritePointersVirtual"


def test_terminating_what_has_gone_is_no_error(engine_case: EngineCase) -> None:
    engine_case.take_away()
    engine_case.session.terminate()
    assert engine_case.session.closed


def test_a_target_that_runs(session: pydbgwrite.Session) -> None:
    session.write_pointers(0x10000, [1, 2, 3])
    testing.run(session)
    refuses_everything(session)
    testing.stop(session)
    assert list(session.read_pointers(0x10000, 3)) == [1, 2, 3]
