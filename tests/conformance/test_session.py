"""A session's life: opening, attributes, closing, read-only sessions, warnings, the collector."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from support.calls import (
    ENGINE_CALLS,
    EVERY_CALL,
    NAMING_CALLS,
    RAW_CALLS,
    SESSION_CALLS,
    WRITING_CALLS,
    public_names,
)
from support.cases import EngineCase
from support.inputs import BASE
from support.processes import Child64

import pydbgwrite
from pydbgwrite import DataSpaces, ReadOnlyError, Session, SessionClosedError, simulate

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")

#: Attributes that are neither a call nor an ending; entering a transaction is one.
PLAIN = {
    "transaction",
    "data_spaces",
    "pid",
    "target",
    "owner_thread",
    "writable",
    "closed",
    "engine",
}
ENDINGS = ("close", "detach", "terminate")

#: Attributes of dbgeng only; its own tests are elsewhere.
DBGENG = {"serve"}


def test_every_public_name_is_tested_here() -> None:
    calls = {*SESSION_CALLS, *NAMING_CALLS}
    assert public_names(Session) - DBGENG == calls | PLAIN | set(ENDINGS)
    assert public_names(DataSpaces) == set(RAW_CALLS)


def test_attributes(engine_case: EngineCase) -> None:
    session = engine_case.session
    assert session.owner_thread == threading.get_ident()
    assert session.writable is True
    assert session.closed is False
    dbgeng = engine_case.name.startswith("dbgeng-")
    assert ("dbgeng" if dbgeng else "embedded") in str(session.engine)
    assert isinstance(session.data_spaces, DataSpaces)
    assert (session.pid is None) == (session.target == "simulated")
    kind = "remote" if "remote" in engine_case.name else "process"
    shown = "simulated" if session.pid is None else f"{kind} {session.pid}"
    assert repr(session) == f"<pydbgwrite.Session of {shown}>"
    session.close()
    assert session.closed is True
    assert repr(session) == f"<pydbgwrite.Session of {shown}, closed>"
    assert session.owner_thread == threading.get_ident()
    assert session.writable is True


@pytest.mark.parametrize(
    "name", ["pid", "writable", "closed", "pointer_size", "data_spaces", "new"]
)
def test_attributes_are_read_only(session: Session, name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(session, name, 5)
    anything: Any = type(session).__mro__[1]
    with pytest.raises(TypeError):
        anything.write = None


def test_context_manager(session: Session) -> None:
    with simulate([(0, 8)]) as inner:
        assert inner.write_pointers(0, [1]) == 1
    assert inner.closed
    with simulate([(0, 8)]) as early:
        early.close()
    assert early.closed
    with pytest.raises(ZeroDivisionError), simulate([(0, 8)]) as failing:
        raise ZeroDivisionError
    assert failing.closed
    with pytest.raises(SessionClosedError), early:
        early.read(0, 1)


@pytest.mark.parametrize("first", ENDINGS)
@pytest.mark.parametrize("second", ENDINGS)
def test_ending_twice(session: Session, first: str, second: str) -> None:
    assert getattr(session, first)() is None
    if second == "close":  # a second close() is allowed, as for files and sockets
        session.close()
    else:
        with pytest.raises(SessionClosedError):
            getattr(session, second)()
    assert session.closed


@pytest.mark.parametrize("name", EVERY_CALL)
def test_closed_sessions(session: Session, name: str) -> None:
    session.close()
    with pytest.raises(SessionClosedError, match="closed"):
        EVERY_CALL[name](session)


@pytest.mark.parametrize("name", RAW_CALLS)
def test_the_raw_layer_outlives_a_close(name: str) -> None:
    """The raw layer holds the session and reports that it is closed."""
    with simulate([(BASE, 64)]) as session:
        spaces = session.data_spaces

    class Holder:
        data_spaces = spaces

    del session
    gc.collect()
    holder: Any = Holder
    with pytest.raises(SessionClosedError):
        RAW_CALLS[name](holder)


def test_the_raw_layer_keeps_its_session() -> None:
    session = simulate([(BASE, 64)])
    spaces = session.data_spaces
    reference = weakref.ref(session)
    del session
    gc.collect()
    spaces.write_pointers_virtual(BASE, [5])
    assert list(spaces.read_pointers_virtual(BASE, 1)) == [5]
    opened = reference()
    assert opened is not None
    opened.close()
    del opened, spaces
    gc.collect()
    assert reference() is None


@pytest.mark.filterwarnings("ignore:unclosed session:ResourceWarning")
def test_the_raw_layer_in_a_cycle() -> None:
    """The session breaks the cycle, the raw layer never does: its methods always have a session."""
    py_tp_clear = 51  # typeslots.h
    slot = ctypes.pythonapi.PyType_GetSlot
    slot.restype = ctypes.c_void_p
    address = slot(ctypes.py_object(DataSpaces), py_tp_clear)
    with simulate([(0, 4096)]) as session:
        spaces = session.data_spaces
        if address is not None:
            ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object)(address)(spaces)
        assert spaces.is_pointer_64bit()
    looped: Any = simulate([(0, 4096)])
    looped._token = looped.data_spaces
    reference = weakref.ref(looped)
    del looped
    gc.collect()
    assert reference() is None


def test_an_unclosed_session_warns() -> None:
    session = simulate([(BASE, 64)])
    with pytest.warns(ResourceWarning, match="unclosed session <pydbgwrite.Session of simulated>"):
        del session
        gc.collect()


def test_an_unclosed_session_in_a_cycle_warns() -> None:
    cycle: list[Any] = [simulate([(BASE, 64)])]
    cycle.append(cycle)
    cycle.append(cycle[0].data_spaces)
    with pytest.warns(ResourceWarning, match="unclosed session"):
        del cycle
        gc.collect()


def test_a_closed_session_does_not_warn(recwarn: pytest.WarningsRecorder) -> None:
    for ending in ENDINGS:
        session = simulate([(BASE, 64)])
        getattr(session, ending)()
        del session
        gc.collect()
    assert not recwarn.list


@LINUX
def test_a_collected_session_lets_its_process_go() -> None:
    with Child64() as child:
        session = pydbgwrite.attach(child.pid)
        with pytest.warns(ResourceWarning, match=f"process {child.pid}"):
            del session
            gc.collect()
        assert child.read(child.areas["rw"], 1) == b"\x03"


@LINUX
@pytest.mark.parametrize("suspend", [True, False])
@pytest.mark.parametrize("name", WRITING_CALLS)
def test_read_only_sessions(name: str, suspend: bool) -> None:
    with Child64() as child:
        with pydbgwrite.attach(child.pid, suspend=suspend, writable=False) as session:
            assert session.writable is False
            with pytest.raises(ReadOnlyError, match="writable=False"):
                ENGINE_CALLS[name](session)
            raw = session.read(child.areas["rw"], 16)
            assert session.read_pointers(child.areas["rw"], 2).tobytes() == raw
        assert child.read(child.areas["rw"], 16) == raw


@LINUX
@pytest.mark.parametrize("suspend", [True, False])
def test_detach_lets_go_and_terminate_ends(suspend: bool) -> None:
    with Child64() as child:
        session = pydbgwrite.attach(child.pid, suspend=suspend)
        session.write_pointers(child.areas["rw"], [0x1122334455667788])
        session.detach()
        assert child.read(child.areas["rw"], 8).hex() == "8877665544332211"
        session = pydbgwrite.attach(child.pid, suspend=suspend)
        session.terminate()
        assert child.wait() == -9


@LINUX
def test_two_sessions_at_a_time() -> None:
    with Child64() as one, Child64() as two:
        first, second = pydbgwrite.attach(one.pid), pydbgwrite.attach(two.pid)
        first.write_pointers(one.areas["rw"], [1])
        second.write_pointers(two.areas["rw"], [2])
        assert first.read_pointers(one.areas["rw"], 1)[0] == 1
        first.close()
        assert second.read_pointers(two.areas["rw"], 1)[0] == 2
        second.close()


def test_subclasses() -> None:
    """A user can derive a class from Session; a call of the class raises TypeError."""

    class Mine(Session):
        pass

    assert issubclass(Mine, Session)
    make: Any = Mine
    with pytest.raises(TypeError, match="attach"):
        make()


def test_weak_references(session: Session) -> None:
    assert weakref.ref(session)() is session


def test_many_sessions_at_once() -> None:
    sessions = [simulate([(BASE, 64)]) for _ in range(200)]
    for number, each in enumerate(sessions):
        each.write_pointers(BASE, [number])
    for number, each in enumerate(sessions):
        assert each.read_pointers(BASE, 1)[0] == number
        each.close()


def test_regions_keep_apart() -> None:
    regions = [(i * 0x2000, 0x1000) for i in range(500)]
    with simulate(reversed(regions)) as session:
        for base, _ in regions:
            session.write_pointers(base + 0xFF8, [base + 1])
        for base, _ in regions:
            assert session.read_pointers(base + 0xFF8, 1)[0] == base + 1


def test_public_calls_have_signatures(session: Session) -> None:
    """help() shows the parameters of every public call, compiled methods included."""
    import inspect

    calls: list[Callable[..., object]] = [
        getattr(Session, name)
        for name in (*SESSION_CALLS, *NAMING_CALLS, *ENDINGS)
        if name != "pointer_size"
    ]
    calls += [getattr(DataSpaces, name) for name in RAW_CALLS]
    for call in calls:
        assert "self" in inspect.signature(call).parameters, call
