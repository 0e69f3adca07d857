"""No call of an engine holds the GIL, also if the call fails or the session ends.

The engine here is written in C: each of its methods asks Python whether the calling thread holds
the GIL, and returns the result that the test sets.
"""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from support.calls import ENGINE_CALLS
from support.com import FakeObject
from support.libraries import shared_library
from support.turns import turns_until_another_thread_ran

import pydbgwrite
from pydbgwrite import DebugEngineError, wrap

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")

E_FAIL = ctypes.c_int32(0x80004005).value
IS_POINTER_64BIT = 42

ENGINE = """
int (*has_gil)(void);
int calls, held, answer;

static int ask(int result)
{
    calls++;
    held += has_gil();
    return result;
}

int method(void) { return ask(answer); }
int succeed(void) { return ask(0); }
"""


class Engine:
    """An engine whose methods count their calls, and the calls made with the GIL held."""

    def __init__(self, library: Any) -> None:
        self.library = library
        self.object = FakeObject(lambda iid: (0, self.object.pointer))
        for slot in range(1, len(self.object.table)):
            self.object.table[slot] = self.address("method")
        self.object.table[IS_POINTER_64BIT] = self.address("succeed")
        self.number("answer").value = E_FAIL

    def address(self, name: str) -> int | None:
        """Return the address of a function of the library."""
        return ctypes.cast(getattr(self.library, name), ctypes.c_void_p).value

    def number(self, name: str) -> ctypes.c_int:
        """Return a variable of the library."""
        return ctypes.c_int.in_dll(self.library, name)

    def count(self, call: Callable[[], object]) -> tuple[bool, int]:
        """Return whether the call enters the engine, and how often with the GIL held."""
        self.number("calls").value = self.number("held").value = 0
        call()
        return self.number("calls").value > 0, self.number("held").value


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the library that contains the engine's code."""
    path = shared_library(tmp_path_factory.mktemp("gil") / "engine.so", ENGINE)
    loaded = ctypes.CDLL(str(path))
    has_gil = ctypes.c_void_p.in_dll(loaded, "has_gil")
    has_gil.value = ctypes.cast(ctypes.pythonapi.PyGILState_Check, ctypes.c_void_p).value
    return loaded


@pytest.fixture
def engine(library: Any) -> Engine:
    """Return an engine whose methods fail, except IsPointer64Bit."""
    return Engine(library)


def test_the_engine_sees_the_gil(engine: Engine) -> None:
    with_gil = ctypes.PyDLL(engine.library._name)
    assert engine.count(engine.library.method) == (True, 0)
    assert engine.count(with_gil.method) == (True, 1)


@pytest.mark.parametrize("name", ENGINE_CALLS)
def test_a_call_that_fails(engine: Engine, name: str) -> None:
    """The GIL is not held in the call, in the read-back, or in the query of the address's page."""
    with wrap(engine.object.pointer) as session:

        def call() -> None:
            if name in ("modules", "pointer_size", "is_pointer_64bit", "find_pointers", "retarget"):
                ENGINE_CALLS[name](session)
            else:
                with pytest.raises(DebugEngineError):
                    ENGINE_CALLS[name](session)

        assert engine.count(call) == (True, 0)


def test_opening_and_closing(engine: Engine) -> None:
    assert engine.count(lambda: wrap(engine.object.pointer).close()) == (True, 0)


def test_an_opening_that_fails_late(engine: Engine) -> None:
    wrong: Any = int

    def call() -> None:
        with pytest.raises(TypeError, match="subclass"):
            pydbgwrite._core.wrap(wrong, engine.object.pointer, True)

    assert engine.count(call) == (True, 0)


def test_an_engine_without_a_process_has_no_memory_map(engine: Engine) -> None:
    with wrap(engine.object.pointer) as session:
        assert (session.pid, session._embedded) == (None, False)
        assert session._read_maps() == b""
        assert session.modules() == []


@pytest.mark.filterwarnings("ignore:unclosed session:ResourceWarning")
def test_a_wrapped_session_that_is_collected(engine: Engine) -> None:
    opened = [wrap(engine.object.pointer)]
    assert engine.count(opened.clear) == (True, 0)


@pytest.mark.usefixtures("on_every_processor")
def test_a_stopped_process_that_is_collected() -> None:
    """The collection waits for the tracer's thread; other threads run meanwhile."""
    command = [sys.executable, "-I", "-c", "input()"]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(8)]
    try:
        # On a busy machine, the other thread can wake up too late in all of a round. If the GIL
        # were held, it would wake up too late in every round.
        for _ in range(25):
            opened = [pydbgwrite.attach(child.pid) for child in children]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a recorded warning keeps its session alive
                turns = turns_until_another_thread_ran(opened.pop, len(opened))
                opened.clear()
            if turns:
                break
        assert turns
        gc.collect()
    finally:
        for child in children:
            child.communicate(b"\n")
