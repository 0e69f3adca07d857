"""wrap(): sessions over an engine that other code has opened; here this package's own engine."""

from __future__ import annotations

import ctypes
import gc
import mmap
import sys
import threading
import time
import warnings
from array import array
from collections.abc import Callable
from ctypes import POINTER, c_void_p
from pathlib import Path
from typing import Any

import pytest
from support import com
from support.calls import ENGINE_CALLS
from support.processes import Child32, Child64

import pydbgwrite
from pydbgwrite import NoTargetError, Session, simulate, testing, wrap

BASE = 0x10000
VALUES = array("Q", [1, 2**64 - 1, 0x1122334455667788])
LINUX = sys.platform == "linux"


class ComtypesLike(c_void_p):
    """A pointer like those of comtypes: `value` returns the object itself."""

    value = property(lambda self: self)


class Win32moreLike(c_void_p):
    """A pointer like win32more's ComPtr."""

    def __init__(self, value: int | None = None, own: bool = False) -> None:
        super().__init__()
        self.value = value
        self._own = own


class PybagClient:
    """An object like pybag.dbgeng.idebugclient.DebugClient."""

    __module__ = "pybag.dbgeng.idebugclient"

    def __init__(self, pointer: object) -> None:
        self._cli = pointer


class PybagSpaces:
    """An object like pybag.dbgeng.idebugdataspaces.DebugDataSpaces."""

    __module__ = "pybag.dbgeng.idebugdataspaces"

    def __init__(self, pointer: object) -> None:
        self._data = pointer


class PybagDebugger:
    """An object like pybag.UserDbg."""

    __module__ = "pybag.userdbg"

    def __init__(self, client: object) -> None:
        self._client = client


def comtypes_like(address: int) -> ComtypesLike:
    found = ComtypesLike()
    ctypes.memmove(ctypes.byref(found), ctypes.byref(c_void_p(address)), ctypes.sizeof(c_void_p))
    return found


class Number:
    """An object that __index__ converts to an int."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __index__(self) -> int:
        return self.number


FORMS: dict[str, Callable[[int], object]] = {
    "int": int,
    "index": Number,
    "c_void_p": c_void_p,
    "POINTER": lambda address: ctypes.cast(address, POINTER(c_void_p)),
    "comtypes": comtypes_like,
    "win32more": Win32moreLike,
    "Pybag client": lambda address: PybagClient(comtypes_like(address)),
    "Pybag spaces": lambda address: PybagSpaces(comtypes_like(address)),
    "Pybag debugger": lambda address: PybagDebugger(PybagClient(comtypes_like(address))),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_interface(session: Session, form: str) -> None:
    held = FORMS[form](session._interface_address())
    with wrap(held) as wrapped:
        assert wrapped.write_pointers(BASE, VALUES) == len(VALUES)
        assert session.read_pointers(BASE, len(VALUES)) == VALUES
        assert wrapped.owner_thread == threading.get_ident()
        assert (wrapped.target, wrapped.pid, wrapped.pointer_size) == ("simulated", None, 8)
        assert (wrapped.engine, wrapped.writable) == (session.engine, True)


IDS = [com.UNKNOWN, com.CLIENT, com.CONTROL, com.DATA_SPACES, com.DATA_SPACES_4]


@pytest.mark.parametrize("iid", IDS, ids=str)
def test_every_interface_of_an_engine(session: Session, iid: Any) -> None:
    pointer = com.query(session._interface_address(), iid)
    before = com.references(pointer)
    with wrap(pointer) as wrapped:
        assert com.references(pointer) > before
        wrapped.write_pointers(BASE, [7])
    assert com.references(pointer) == before
    com.release(pointer)
    assert list(session.read_pointers(BASE, 1)) == [7]


@pytest.mark.parametrize("name", ENGINE_CALLS)
def test_every_call_answers_as_it_does_unwrapped(session: Session, name: str) -> None:
    def outcome(on: Session) -> object:
        try:
            result = ENGINE_CALLS[name](on)
        except Exception as error:
            return type(error), str(error)
        return result

    with wrap(session._interface_address()) as wrapped:
        assert outcome(wrapped) == outcome(session)


def test_a_32_bit_target(narrow: Session) -> None:
    with wrap(narrow._interface_address()) as wrapped:
        assert wrapped.pointer_size == 4
        wrapped.write_pointers(BASE, [1, 2, 3])
        assert narrow.read(BASE, 12) == array("I", [1, 2, 3]).tobytes()
        with pytest.raises(pydbgwrite.PointerRangeError):
            wrapped.write_pointers(BASE, [2**32])


def test_the_width_is_asked_for_each_write(session: Session) -> None:
    with wrap(session._interface_address()) as wrapped:
        wrapped.write_pointers(BASE, [1])
        session._set_pointer_size(4)
        wrapped.write_pointers(BASE, [5, 6])
        assert (wrapped.pointer_size, session.read(BASE, 8)) == (4, b"\5\0\0\0\6\0\0\0")


def test_read_only(session: Session) -> None:
    with wrap(session._interface_address(), writable=False) as wrapped:
        with pytest.raises(pydbgwrite.ReadOnlyError):
            wrapped.write_pointers(BASE, [1])
        assert list(wrapped.read_pointers(BASE, 1)) == [0]


class TestWhoGoesFirst:
    """Reference counts are correct, and closing one session leaves the other session open."""

    def test_the_wrapped_one(self, session: Session) -> None:
        pointer = session._interface_address()
        before = com.references(pointer)
        for _ in range(3):
            wrapped = wrap(pointer)
            wrapped.write_pointers(BASE, VALUES)
            wrapped.close()
            assert wrapped.closed and not session.closed
            assert com.references(pointer) == before
        wrapped.close()  # the second call does nothing
        assert com.references(pointer) == before
        with pytest.raises(pydbgwrite.SessionClosedError):
            wrapped.write_pointers(BASE, VALUES)
        assert session.read_pointers(BASE, len(VALUES)) == VALUES
        assert session.write_pointers(BASE, [1]) == 1

    def test_the_other_one(self) -> None:
        session = simulate([(BASE, 4096)])
        wrapped = wrap(session._interface_address())
        session.close()
        for call in (
            lambda: wrapped.write_pointers(BASE, [1]),
            lambda: wrapped.read(BASE, 8),
            lambda: wrapped.pointer_size,
        ):
            with pytest.raises(NoTargetError):
                call()
        wrapped.close()

    def test_a_reference_of_its_own_keeps_the_engine(self) -> None:
        session = simulate([(BASE, 4096)])
        pointer = session._interface_address()
        com.add_reference(pointer)
        wrapped = wrap(pointer)
        session.close()
        wrapped.close()
        assert com.release(pointer) == 0

    def test_the_collector(self, session: Session) -> None:
        pointer = session._interface_address()
        before = com.references(pointer)
        wrapped = wrap(pointer)
        with pytest.warns(ResourceWarning, match="references are released"):
            del wrapped
            gc.collect()
        assert com.references(pointer) == before
        assert session.write_pointers(BASE, [1]) == 1

    def test_the_collector_on_another_thread(self, session: Session) -> None:
        pointer = session._interface_address()
        before = com.references(pointer)
        kept = [wrap(pointer)]
        with pytest.warns(ResourceWarning):
            thread = threading.Thread(target=kept.clear)
            thread.start()
            thread.join()
            gc.collect()
        assert com.references(pointer) == before

    def test_two_of_them(self, session: Session) -> None:
        pointer = session._interface_address()
        with wrap(pointer) as one:
            with wrap(pointer) as other, wrap(other._interface_address()) as third:
                third.write_pointers(BASE, [3])
            assert list(one.read_pointers(BASE, 1)) == [3]


def test_ending_the_target_is_not_for_it(session: Session) -> None:
    with wrap(session._interface_address()) as wrapped:
        with pytest.raises(ValueError, match=r"detach\(\) can.t be used on a session of wrap\(\)"):
            wrapped.detach()
        with pytest.raises(ValueError, match=r"close\(\) releases"):
            wrapped.terminate()
        with pytest.raises(ValueError, match="started the engine"):
            wrapped.serve("tcp:port=1,password=x")
        assert not wrapped.closed
        wrapped.write_pointers(BASE, [1])
    assert list(session.read_pointers(BASE, 1)) == [1]


def test_it_belongs_to_the_thread_that_wraps(session: Session) -> None:
    pointer = session._interface_address()
    seen: list[object] = []

    def work() -> None:
        with wrap(pointer) as wrapped:
            wrapped.write_pointers(BASE, [5])
            seen.append(wrapped.owner_thread)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [thread.ident]
    with wrap(pointer) as wrapped:
        caught: list[BaseException] = []

        def stranger() -> None:
            try:
                wrapped.write_pointers(BASE, [6])
            except BaseException as error:
                caught.append(error)

        thread = threading.Thread(target=stranger)
        thread.start()
        thread.join()
        assert [type(each) for each in caught] == [pydbgwrite.WrongThreadError]


def test_without_an_accessible_target(session: Session) -> None:
    testing.run(session)
    before = com.references(session._interface_address())
    with pytest.raises(NoTargetError, match="wait for the first event") as caught:
        wrap(session._interface_address())
    assert (caught.value.method, caught.value.hresult) == ("IsPointer64Bit", com.E_UNEXPECTED)
    assert com.references(session._interface_address()) == before
    testing.stop(session)


def test_null_pointers_of_other_packages() -> None:
    for null in (ComtypesLike(), Win32moreLike(), PybagClient(ComtypesLike())):
        with pytest.raises(ValueError, match="NULL"):
            wrap(null)


def test_released_pybag_objects() -> None:
    for released in (PybagDebugger(None), PybagSpaces(None), PybagDebugger(PybagClient(None))):
        with pytest.raises(ValueError, match="holds no interface"):
            wrap(released)


# -- Live processes and threads -----------------------------------------------------------------


@pytest.mark.skipif(not LINUX, reason="process_vm_writev; tests/dbgeng covers dbgeng")
@pytest.mark.parametrize("kind", [Child64, Child32])
def test_a_live_process(kind: Any) -> None:
    with kind() as child, pydbgwrite.attach(child.pid) as session:
        with wrap(session._interface_address()) as wrapped:
            assert (wrapped.pid, wrapped.target) == (child.pid, "process")
            assert wrapped.pointer_size == session.pointer_size
            assert wrapped.modules() == session.modules()
            with pytest.raises(ValueError, match="into simulated targets alone"):
                testing.fail_writes(wrapped, child.areas["rw"])
            wrapped.write_pointers(child.areas["rw"], [1, 2, 3])
            wrapped.write_scattered([child.areas["rw"] + 64], [4])
            with pytest.raises(pydbgwrite.TargetAccessError) as caught:
                wrapped.write_pointers(child.areas["none"], [1])
            with pytest.raises(pydbgwrite.TargetAccessError) as plain:
                session.write_pointers(child.areas["none"], [1])
            assert str(caught.value) == str(plain.value)
        assert list(session.read_pointers(child.areas["rw"], 3)) == [1, 2, 3]


@pytest.mark.skipif(not LINUX or sys.maxsize < 2**32, reason="calls usleep(3) through a vtable")
def test_other_threads_run_meanwhile() -> None:
    """A foreign engine is called without the GIL, however small the call.

    WritePointersVirtual is usleep(3) here: the low half of the address `This` is the time.
    """
    libc = ctypes.CDLL(None)
    with mmap.mmap(-1, 1 << 16) as unused:  # for its type of address alone
        assert len(unused) == 1 << 16
    libc.mmap.restype = c_void_p
    libc.mmap.argtypes = [c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    microseconds = 0x40000
    place = libc.mmap(0x5A00_0000_0000 + microseconds, 4096, 3, 0x22, -1, 0)
    if place & 0xFFFFFFFF != microseconds:
        pytest.skip("the place is taken")
    sleep = ctypes.cast(libc.usleep, c_void_p).value
    assert sleep is not None
    fake = com.sleeper(place, sleep)
    stop, ticks = threading.Event(), []

    def tick() -> None:
        while not stop.wait(0.005):
            ticks.append(time.monotonic())

    with wrap(place) as wrapped:
        assert (wrapped._embedded, wrapped.engine.name) == (False, "other")
        thread = threading.Thread(target=tick)
        thread.start()
        started = time.monotonic()
        wrapped.data_spaces.write_pointers_virtual(BASE, [1])
        ended = time.monotonic()
        stop.set()
        thread.join()
    assert ended - started > 0.2
    assert sum(started < each < ended for each in ticks) > 1
    assert fake.references == 0 or fake.asked
    libc.munmap(c_void_p(place), 4096)


@pytest.mark.skipif(not LINUX, reason="/proc/self/maps")
def test_the_library_of_a_foreign_engine(session: Session) -> None:
    fake = com.foreign(session._interface_address(), *com.ENGINE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with wrap(fake.pointer) as wrapped:
            engine = wrapped.engine
    assert engine.name == "embedded"
    assert Path(engine.file).name.startswith("_core.")
