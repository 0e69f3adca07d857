"""No public call leaks: each is repeated many times, on its succeeding and its failing paths.

A leak of one object or one block a call shows in tracemalloc's count (Python's allocators) or in
the process's resident memory (malloc in the C code).
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import tracemalloc
import weakref
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.calls import ENGINE_CALLS, public_names
from support.com import CLIENT, ENGINE, FakeObject, foreign, refusing
from support.inputs import BASE
from support.leak_check import Case, leaks, run
from support.leaks import TRANSACTIONS
from support.processes import Child64

import pydbgwrite
from pydbgwrite import DataSpaces, Session, simulate, testing

pytestmark = pytest.mark.usefixtures("on_every_processor")
LINUX = sys.platform == "linux"
SANITIZED = "asan" in os.environ.get("LD_PRELOAD", "")
#: If each call leaks a buffer of BIG bytes, MANY calls leak 100 MiB.
BIG, MANY = 1 << 20, 100

BAD_ADDRESS = 0x900000
ENDLESS = 2**64 - 1


class Raises:
    """An object whose __index__ raises."""

    def __index__(self) -> int:
        raise ZeroDivisionError


def stop(done: int, total: int) -> None:
    """Raise from a progress callback."""
    raise ZeroDivisionError


RAISES: Any = Raises()


def one_by_one(*cases: Case) -> Case:
    """Return a case that makes several calls in order."""

    def run_all(session: Session) -> None:
        for case in cases:
            case(session)

    return run_all


def with_new_session(use: Callable[[Session], object]) -> Case:
    """Return a case that uses a new session: for the calls that end a session."""
    return lambda _: use(simulate([(0, 4096), (8192, 10, "r")]))


def unclosed(session: Session) -> None:
    """Open a session that only the garbage collector closes."""
    with pytest.warns(ResourceWarning):
        simulate([(0, 4096)])


def wrapped_for(session: Session, use: Callable[[Session], object]) -> None:
    """Wrap the session, use the wrapper and close it."""
    with pydbgwrite.wrap(session._interface_address()) as wrapped:
        use(wrapped)


def wrap_fake(fake: FakeObject) -> None:
    """Wrap the fake and close it; the argument keeps the object alive until then."""
    pydbgwrite.wrap(fake.pointer).close()


def recorded(use: Case, record: Callable[..., object] = lambda *change: None) -> Case:
    """Return a case that runs while a recorder is set."""

    def run_recorded(session: Session) -> None:
        session._set_recorder(record, list)
        try:
            use(session)
        finally:
            session._set_recorder(None, None)

    return run_recorded


def retarget_and_undo(session: Session) -> None:
    there = range(BASE, BASE + 64)
    session.retarget(0, 3, within=there)
    done = session.retarget([3, 4], [0, 5], within=there)
    assert done.patch is not None
    done.patch.undo(session)
    session.retarget(range(3, 4), 0, within=there)


#: Further calls of each public name, besides its succeeding call; they may fail.
FAILING: dict[str, list[Case]] = {
    "write_pointers": [
        lambda s: s.write_pointers(BASE, array("Q", [1]) * 5),
        lambda s: s.write_pointers(BASE, memoryview(array("Q", [1, 2, 3]))[::2]),
        lambda s: s.write_pointers(BASE, iter(range(500)), progress=lambda done, total: None),
        lambda s: s.write_pointers(BASE, [2**64 - 1] * 100),
        lambda s: s.write_pointers(BAD_ADDRESS, [1, 2, 3]),
        lambda s: s.write_pointers(BAD_ADDRESS, array("Q", [1, 2, 3])),
        lambda s: s.write_pointers(ENDLESS, [1, 2, 3]),
        lambda s: s.write_pointers(-1, [1]),
        lambda s: s.write_pointers(BASE, [1, -1]),
        lambda s: s.write_pointers(BASE, iter([1, 2.0])),  # type: ignore[arg-type]
        lambda s: s.write_pointers(BASE, [1 << 5000]),
        lambda s: s.write_pointers(BASE, [1, RAISES]),
        lambda s: s.write_pointers(BASE, (RAISES for _ in range(3))),
        lambda s: s.write_pointers(BASE, array("d", [1])),
        lambda s: s.write_pointers(BASE, bytes(7)),
        lambda s: s.write_pointers(BASE, {1: 2}),
        lambda s: s.write_pointers(BASE, [1], progress=stop),
        lambda s: s.write_pointers(BASE, [1], progress=5),  # type: ignore[arg-type]
        lambda s: s.write_pointers(BASE),  # type: ignore[call-arg]
        lambda s: s.write_pointers(BASE, [1], other=2),  # type: ignore[call-arg]
        lambda s: s.write_pointers(f"{BASE:#x}", ["1", f"[{BASE}]", f"[{BASE}]"]),
        lambda s: s.write_pointers(BASE, iter(["1", "[8]"])),
        lambda s: s.write_pointers(BASE, "[8]"),
        lambda s: s.write_pointers(BASE, [1], expect="[8]"),
        lambda s: s.write_pointers(BASE, [1], verify=True),
        lambda s: s.write_pointers(BASE, [1] * 200, expect=9),
        lambda s: s.write_pointers(BASE, [1], expect=array("Q", [9])),
        lambda s: s.write_pointers(BASE, [1], expect=(9 for _ in range(2))),
        lambda s: s.write_pointers(BASE, [1], expect=[1.5]),  # type: ignore[list-item]
        lambda s: s.write_pointers(BAD_ADDRESS, [1], expect=[1]),
        lambda s: s.write_scattered([BASE], [1], expect=[9], verify=True),
        lambda s: s.write_scattered([BASE, BAD_ADDRESS], [1, 2], expect=1),
        lambda s: s.write(BASE, b"1", expect=b"9", verify=True),
        lambda s: s.write(BASE, b"1", expect=b"99"),
    ],
    "read_pointers": [
        lambda s: s.read_pointers(BASE, into=array("Q", [0]) * 5),
        lambda s: s.read_pointers(BAD_ADDRESS, 5),
        lambda s: s.read_pointers(BAD_ADDRESS, into=bytearray(80)),
        lambda s: s.read_pointers(ENDLESS, 5),
        lambda s: s.read_pointers(BASE, 5, into=bytearray(8)),
        lambda s: s.read_pointers(BASE, into=bytes(8)),
        lambda s: s.read_pointers(BASE, into=array("d", [1])),
        lambda s: s.read_pointers(BASE, into=memoryview(array("Q", [1, 2, 3]))[::2]),
        lambda s: s.read_pointers(BASE, RAISES),
        lambda s: s.read_pointers(BASE, 5, progress=stop),
        lambda s: s.read_pointers(BASE, 2**62),
    ],
    "write": [
        lambda s: s.write(BAD_ADDRESS, b"x" * 100),
        lambda s: s.write(BASE, "text"),  # type: ignore[arg-type]
        lambda s: s.write(BASE, bytearray(100), progress=stop),
        lambda s: s.write(ENDLESS, b"ab"),
    ],
    "read": [
        lambda s: s.read(BAD_ADDRESS, 100),
        lambda s: s.read(BASE, -1),
        lambda s: s.read(BASE, 2**63 - 1),
        lambda s: s.read(BASE, 100, progress=stop),
    ],
    "query": [lambda s: s.query(ENDLESS), lambda s: s.query(RAISES)],
    "modules": [],
    "regions": [lambda s: s.regions()],
    "symbols": [lambda s: s.symbols(), lambda s: s.symbols("p*", module="module", kind="data")],
    "name": [lambda s: s.name(BASE), lambda s: s.name(RAISES), lambda s: s.name(-1)],
    "names": [lambda s: s.names([BASE, BAD_ADDRESS]), lambda s: s.names([RAISES])],
    "find_pointers": [
        lambda s: s.find_pointers(0, within=range(BASE, BASE + 64)),
        lambda s: s.find_pointers([1, 2], within=range(BASE, BASE + 64), limit=1, progress=stop),
        lambda s: s.find_pointers([1, RAISES], within=range(BASE, BASE + 64)),
        lambda s: s.find_pointers(range(1, 2), within=range(BAD_ADDRESS, BAD_ADDRESS + 64)),
        lambda s: s.find_pointers([]),
    ],
    "retarget": [
        retarget_and_undo,
        lambda s: s.retarget(0, 3, within=range(BASE, BASE + 64), progress=stop),
        lambda s: s.retarget(0, 3, within=range(BASE, BASE + 64), expect_count=3),
        lambda s: s.retarget([1, 1], [2, 3], within=range(BASE, BASE + 64)),
        lambda s: s.retarget(0, RAISES, within=range(BASE, BASE + 64)),
        lambda s: s.retarget(0, 8, within=range(BASE, BASE + 64), mask=7),
        lambda s: s.retarget(1, 2),
    ],
    "import_slots": [lambda s: s.import_slots(), lambda s: s.import_slots("module", "name")],
    "resolve": [
        lambda s: s.resolve("0x10000"),
        lambda s: s.resolve(RAISES),
        lambda s: s.resolve("module!symbol"),
        lambda s: s.resolve("module"),
        lambda s: s.resolve(-1),
    ],
    "pointer_size": [],
    "data_spaces": [lambda s: s.data_spaces],
    "pid": [lambda s: s.pid],
    "target": [lambda s: s.target],
    "owner_thread": [lambda s: s.owner_thread],
    "writable": [lambda s: s.writable],
    "closed": [lambda s: s.closed, repr],
    "engine": [lambda s: s.engine],
    "serve": [lambda s: s.serve("tcp:port=0,password=x")],
    "close": [
        with_new_session(lambda s: s.close()),
        with_new_session(lambda s: s.__enter__().close()),
    ],
    "detach": [with_new_session(lambda s: s.detach())],
    "terminate": [with_new_session(one_by_one(Session.terminate, Session.terminate))],
    "read_virtual": [
        lambda s: s.data_spaces.read_virtual(BAD_ADDRESS, 100),
        lambda s: s.data_spaces.read_virtual(BASE, 0),
        lambda s: s.data_spaces.read_virtual(BASE, RAISES),
    ],
    "write_virtual": [
        lambda s: s.data_spaces.write_virtual(BAD_ADDRESS, bytes(100)),
        lambda s: s.data_spaces.write_virtual(BASE, b""),
        lambda s: s.data_spaces.write_virtual(RAISES, b"x"),
        lambda s: s.data_spaces.write_virtual(BASE, 5),  # type: ignore[arg-type]
    ],
    "read_virtual_uncached": [lambda s: s.data_spaces.read_virtual_uncached(BAD_ADDRESS, 100)],
    "write_virtual_uncached": [
        lambda s: s.data_spaces.write_virtual_uncached(BAD_ADDRESS, bytes(100))
    ],
    "read_pointers_virtual": [
        lambda s: s.data_spaces.read_pointers_virtual(BAD_ADDRESS, 100),
        lambda s: s.data_spaces.read_pointers_virtual(BASE, 2**32),
    ],
    "write_pointers_virtual": [
        lambda s: s.data_spaces.write_pointers_virtual(BAD_ADDRESS, [1] * 100),
        lambda s: s.data_spaces.write_pointers_virtual(BAD_ADDRESS, array("Q", [1])),
        lambda s: s.data_spaces.write_pointers_virtual(BASE, [1, RAISES]),
        lambda s: s.data_spaces.write_pointers_virtual(BASE, memoryview(bytes(17))[1:]),
    ],
    "read_physical": [],
    "write_physical": [lambda s: s.data_spaces.write_physical(RAISES, b"x")],
    "fill_virtual": [
        lambda s: s.data_spaces.fill_virtual(BAD_ADDRESS, 100, b"x"),
        lambda s: s.data_spaces.fill_virtual(BASE, 100, b""),
    ],
    "search_virtual": [
        lambda s: s.data_spaces.search_virtual(BASE, 4096, b"not there"),
        lambda s: s.data_spaces.search_virtual(BASE, 4096, b"abc", 2),
        lambda s: s.data_spaces.search_virtual(BASE, RAISES, b"abc"),
    ],
    "query_virtual": [lambda s: s.data_spaces.query_virtual(ENDLESS)],
    "get_valid_region_virtual": [lambda s: s.data_spaces.get_valid_region_virtual(ENDLESS, 5)],
    "get_next_differently_valid_offset_virtual": [
        lambda s: s.data_spaces.get_next_differently_valid_offset_virtual(ENDLESS)
    ],
    "is_pointer_64bit": [],
    **TRANSACTIONS,
    # Functions of the package.
    "simulate": [
        with_new_session(one_by_one(lambda s: s.write_pointers(0, [1]), Session.close)),
        lambda _: simulate([(0, 10), (5, 10)]),
        lambda _: simulate([(0, 2**60)]),
        lambda _: simulate([("x", 1)]),  # type: ignore[list-item]
        unclosed,
    ],
    "attach": [lambda _: pydbgwrite.attach(2**30), lambda _: pydbgwrite.attach(os.getpid())],
    "launch": [
        lambda _: pydbgwrite.launch(["/nowhere/at/all"]),
        lambda _: pydbgwrite.launch(["true"], stdin=-5),
        lambda _: pydbgwrite.launch([]),
    ],
    "wrap": [
        lambda s: wrapped_for(s, lambda wrapped: wrapped.write_pointers(BASE, [1])),
        lambda s: pydbgwrite.wrap(s._interface_address(), writable=False),
        lambda s: wrapped_for(s, lambda wrapped: wrapped.detach()),
        lambda s: pydbgwrite.wrap(ctypes.c_void_p(s._interface_address() + 8)),
        lambda s: wrap_fake(foreign(s._interface_address(), *ENGINE)),
        lambda s: wrap_fake(foreign(s._interface_address(), CLIENT)),
        lambda _: wrap_fake(refusing()),
        lambda _: pydbgwrite.wrap(8),
        lambda s: pydbgwrite.wrap(s),
    ],
    "testing.fail_writes": [
        one_by_one(lambda s: testing.fail_writes(s, BASE, after=9), testing.clear)
    ],
    "testing.fail_reads": [
        one_by_one(lambda s: testing.fail_reads(s, BASE, after=9), testing.clear)
    ],
    "_set_recorder": [
        recorded(lambda s: s.write_pointers(BASE, [1, 2])),
        recorded(lambda s: s.write_scattered([BASE, BASE + 8], [1, 2])),
        recorded(lambda s: s.write(BASE, b"12")),
        recorded(lambda s: s.write_pointers(BAD_ADDRESS, [1, 2])),
        recorded(lambda s: s.write_scattered([BASE, BAD_ADDRESS], [1, 2])),
        recorded(lambda s: s.write_pointers(BASE, [1, 2]), stop),
        recorded(lambda s: s.write_scattered([BASE], [1], progress=stop)),
        recorded(lambda s: s.write_pointers(BASE + 0x10000, [1])),
        recorded(lambda s: s.data_spaces.write_virtual(BASE, b"1")),
        recorded(Session.close),
        recorded(lambda s: s._set_recorder(print, print)),
        lambda s: s._set_recorder(print, None),  # type: ignore[call-overload]
    ],
    "testing.lose_writes": [
        one_by_one(
            lambda s: testing.lose_writes(s, BASE),
            lambda s: s.write_pointers(BASE, [1], verify=True),
        ),
        testing.clear,
    ],
    "testing.limit_transfers": [one_by_one(lambda s: testing.limit_transfers(s, 9), testing.clear)],
    "testing.clear": [testing.clear],
    "testing.run": [one_by_one(lambda s: testing.run(s), testing.stop)],
    "testing.stop": [testing.stop],
    "testing.vanish": [
        with_new_session(one_by_one(lambda s: s.write(0, b"x"), testing.vanish, Session.close))
    ],
}

#: Functions of the package that need dbgeng; tests/dbgeng tests them.
DBGENG = {"open_dump", "attach_kernel", "connect", "process_server", "ProcessServer"}


def test_every_public_name_has_a_leak_check() -> None:
    functions = {
        name
        for name in pydbgwrite.__all__
        if callable(getattr(pydbgwrite, name)) and not isinstance(getattr(pydbgwrite, name), type)
    }
    wanted = public_names(Session) | public_names(DataSpaces) | (functions - DBGENG)
    wanted |= {f"testing.{name}" for name in testing.__all__}
    missing = wanted - set(FAILING) - set(ENGINE_CALLS)
    assert not missing, f"add a leak check for {sorted(missing)}"


@pytest.mark.parametrize("name", sorted({*FAILING, *ENGINE_CALLS}))
def test_no_leak(session: Session, name: str) -> None:
    cases = [*FAILING.get(name, []), *([ENGINE_CALLS[name]] if name in ENGINE_CALLS else [])]
    assert cases, "a name without a good call needs a case of its own"
    for number, case in enumerate(cases):
        assert not leaks(case, session), f"case {number} of {name}"


def test_the_check_itself_sees_a_leak(session: Session) -> None:
    kept: list[bytes] = []
    assert leaks(lambda s: kept.append(s.read(BASE, 8)), session)


def test_arguments_keep_their_reference_counts(session: Session) -> None:
    """sys.getrefcount of each argument is unchanged after succeeding and failing calls."""
    values, text, data = array("Q", [1, 2, 3]), "no pointers", bytearray(24)
    into, numbers, fault = array("Q", bytes(24)), [2**40, 2**41], {1: 2}
    watched: list[Any] = [values, text, data, into, numbers, numbers[0], fault, stop, session]
    before = [sys.getrefcount(each) for each in watched]
    calls: list[Case] = [
        lambda s: s.write_pointers(BASE, values),
        lambda s: s.write_pointers(BASE, data, progress=stop),
        lambda s: s.write_pointers(BASE, text),
        lambda s: s.write_pointers(BASE, fault),
        lambda s: s.write_pointers(BASE, numbers),
        lambda s: s.write_pointers(BAD_ADDRESS, values),
        lambda s: s.read_pointers(BASE, into=into),
        lambda s: s.read_pointers(BAD_ADDRESS, into=into),
        lambda s: s.write(BASE, data),
        lambda s: s.write(BAD_ADDRESS, data),
        lambda s: s.data_spaces.write_pointers_virtual(BASE, values),
        lambda s: s.data_spaces.write_pointers_virtual(BAD_ADDRESS, values),
        lambda s: s.data_spaces.fill_virtual(BASE, 9, data),
        lambda s: s.data_spaces.search_virtual(BASE, 9, data),
    ]
    for call in calls:
        for _ in range(20):
            run(call, session)
    gc.collect()
    assert [sys.getrefcount(each) for each in watched] == before
    values.append(4)  # no call still holds a buffer
    data.append(4)
    into.append(4)


def test_callbacks_and_results_are_let_go(session: Session) -> None:
    class Progress:
        def __call__(self, done: int, total: int) -> None:
            if self.fails:
                raise ZeroDivisionError

        fails = False

    for fails in (False, True):
        progress = Progress()
        progress.fails = fails
        reference = weakref.ref(progress)
        with suppress(ZeroDivisionError):
            session.write_pointers(BASE, [1], progress=progress)
        del progress
        gc.collect()
        assert reference() is None


def resident() -> int:
    """Return how many bytes of this process's unshared memory are in RAM."""
    words = Path("/proc/self/statm").read_text().split()
    return (int(words[1]) - int(words[2])) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(autouse=True)
def few_objects() -> Iterator[None]:
    """Exclude existing objects from garbage collection, which each test runs many times."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def large() -> Iterator[Session]:
    """Open a target with BIG writable bytes and BIG read-only bytes."""
    with simulate([(0, BIG), (4 * BIG, BIG, "r")]) as session:
        session.write(0, b"\1" * BIG)
        yield session


LARGE: dict[str, Case] = {
    "list": lambda s: s.write_pointers(0, [1] * (BIG // 8)),
    "generator": lambda s: s.write_pointers(0, iter([1] * (BIG // 8))),
    "list refused": lambda s: s.write_pointers(0, [1] * (BIG // 8) + [-1]),
    "generator refused": lambda s: s.write_pointers(0, iter([1] * (BIG // 8) + [-1])),
    "list not written": lambda s: s.write_pointers(4 * BIG, [1] * (BIG // 8)),
    "raw list": lambda s: s.data_spaces.write_pointers_virtual(0, [1] * (BIG // 8)),
    "raw list refused": lambda s: s.data_spaces.write_pointers_virtual(4 * BIG, [1] * (BIG // 8)),
    "read": lambda s: s.read(0, BIG),
    "read refused": lambda s: s.read(1, BIG),
    "read_pointers": lambda s: s.read_pointers(0, BIG // 8),
    "read_pointers refused": lambda s: s.read_pointers(8, BIG // 8),
    "progress raises": lambda s: s.write_pointers(0, [1] * (BIG // 8), progress=stop),
    "recorded": recorded(lambda s: s.write_pointers(0, [1] * (BIG // 8))),
    "recorded and refused": recorded(lambda s: s.write_pointers(4 * BIG, [1] * (BIG // 8))),
    "search": lambda s: s.data_spaces.search_virtual(0, BIG, b"\2" * (BIG // 2), BIG // 2),
    "session": lambda _: simulate([(0, BIG)]).write(0, b"\1" * BIG),
    "vanish": with_new_session(
        one_by_one(lambda s: s.write(0, b"x"), testing.vanish, Session.close)
    ),
}


@pytest.mark.skipif(not LINUX, reason="/proc/self/statm; Windows has other means")
@pytest.mark.parametrize("name", LARGE)
@pytest.mark.filterwarnings("ignore:unclosed session:ResourceWarning")
def test_resident_memory_does_not_grow(large: Session, name: str) -> None:
    """Resident memory grows by less than a quarter of BIG a call."""
    turns = 8 if SANITIZED else MANY  # a sanitizer keeps freed memory in quarantine
    for _ in range(3):
        run(LARGE[name], large)
    gc.collect()
    before = resident()
    for _ in range(turns):
        run(LARGE[name], large)
    gc.collect()
    if not SANITIZED:
        assert resident() - before < turns * BIG // 4


def count_entries(folder: str) -> int:
    """Return how many entries a folder has."""
    return sum(1 for _ in Path(folder).iterdir())


@pytest.mark.skipif(not LINUX, reason="process_vm_writev; Windows has other means")
@pytest.mark.parametrize("suspend", [True, False])
def test_live_sessions_leave_nothing_behind(suspend: bool) -> None:
    """A closed session leaves no descriptor, no thread and no object."""
    with Child64() as child:

        def turn(_: Session) -> None:
            with pydbgwrite.attach(child.pid, suspend=suspend) as live:
                live.write_pointers(child.areas["rw"], [1])
                live.modules()
                live.resolve(f"{live.modules()[0].path}+8")
                with suppress(pydbgwrite.AddressError):
                    live.resolve(f"{live.modules()[0].path}!no_such_symbol")
                with suppress(pydbgwrite.TargetAccessError):
                    live.write_pointers(child.areas["none"], [1])

        with simulate([]) as unused:
            assert not leaks(turn, unused, 20)
            before = count_entries("/proc/self/fd"), count_entries("/proc/self/task")
            for _ in range(20):
                turn(unused)
            assert (count_entries("/proc/self/fd"), count_entries("/proc/self/task")) == before


def test_strided_and_narrow_writes_need_no_memory(narrow: Session) -> None:
    """The writes use a small buffer on the stack: no allocation grows with their size."""
    values = (ctypes.c_uint64 * 4000)()
    for given in (values, memoryview(values)[::-2]):
        gc.collect()
        tracemalloc.start()
        try:
            narrow.write_pointers(BASE, given)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 4096
