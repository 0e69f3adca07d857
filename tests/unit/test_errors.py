"""Exceptions: their class tree, attributes, messages and pickles."""

from __future__ import annotations

import errno
import inspect
import mmap
import pickle
import re
import subprocess
import sys
from typing import Any

import pytest
from support.calls import ENGINE_CALLS, WRITING_CALLS
from support.inputs import BASE, SIZE

import pydbgwrite
from pydbgwrite import DebugEngineError, Session, TargetAccessError, errors, hresults, testing
from pydbgwrite._messages.engine import EngineFailure, engine_failed
from pydbgwrite._messages.linux import opening_failed

FAMILY = [
    each
    for name, each in inspect.getmembers(errors, inspect.isclass)
    if issubclass(each, Exception) and not name.startswith("_")
]
ATTRIBUTES = ("hresult", "hresult_name", "method", "address", "count", "written", "index")


def caught_from(call: Any, kind: type[DebugEngineError] = DebugEngineError) -> DebugEngineError:
    """Return the exception that a call raises."""
    with pytest.raises(kind) as caught:
        call()
    return caught.value


def test_family() -> None:
    assert {each.__name__ for each in FAMILY} == set(errors.__all__) - {"Mismatch"}
    for each in FAMILY:
        assert issubclass(each, errors.Error)
        assert each.__name__ in pydbgwrite.__all__
        assert getattr(pydbgwrite, each.__name__) is each
    assert issubclass(errors.PointerRangeError, OverflowError)
    assert errors.Error.__bases__ == (Exception,)


def test_the_printed_tree_is_the_tree() -> None:
    """The tree in the docstring of errors.py, which the reference shows, matches the classes."""
    assert errors.__doc__ is not None
    printed = re.findall(r"^( +)(\w+)  +\S", errors.__doc__, re.MULTILINE)
    assert {name for _, name in printed} == {each.__name__ for each in FAMILY}
    above: list[type] = [Exception]
    for indent, name in printed:
        depth = len(indent) // 4
        kind = getattr(errors, name)
        del above[depth:]
        public = [each for each in kind.__mro__[1:] if not each.__name__.startswith("_")]
        assert public[0] is above[-1], name
        above.append(kind)


@pytest.mark.parametrize("kind", FAMILY)
def test_pickling(kind: type[errors.Error]) -> None:
    error = kind("text")
    if issubclass(kind, DebugEngineError):
        error = kind(
            "text",
            hresult=0x8007001E,
            hresult_name="ERROR_READ_FAULT",
            method="ReadVirtual",
            address=2**64 - 1,
            count=5,
            written=None,
            index=3,
        )
    error.add_note("a note")
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(error, protocol))
        assert type(again) is kind
        assert again.args == error.args
        assert again.__dict__ == error.__dict__
        assert again.__notes__ == ["a note"]


def test_defaults() -> None:
    error = DebugEngineError("text")
    assert [getattr(error, name) for name in ATTRIBUTES] == [None, None, None, None, None, 0, None]


def test_an_error_of_the_engine_pickles(session: Session) -> None:
    error = caught_from(lambda: session.write_pointers(BASE + SIZE - 12, range(5)))
    again = pickle.loads(pickle.dumps(error))
    assert (again.written, again.index, str(again)) == (1, 1, str(error))


#: The call that fails, then method, address, count, written, index, HRESULT, words of the message.
FAILURES: dict[str, tuple[Any, str, int, int, int, int | None, int, list[str]]] = {
    "write_pointers": (
        lambda s: s.write_pointers(BASE + SIZE - 24, range(7)),
        *("WritePointersVirtual", BASE + SIZE - 24, 7, 3, 3, 0x800701E7),
        ["at 0x14000", "is not mapped", "first 3 of 7 pointers", "0x800701E7"],
    ),
    "write_pointers none": (
        lambda s: s.write_pointers(0x20000, range(1, 3)),
        *("WritePointersVirtual", 0x20000, 2, 0, 0, 0x80070005),
        ["at 0x20000", "protection 'r'", "none of them", "ERROR_ACCESS_DENIED", "not writable"],
    ),
    "read_pointers": (
        lambda s: s.read_pointers(BASE + SIZE - 24, 7),
        *("ReadPointersVirtual", BASE + SIZE - 24, 7, 0, 3, 0x8007001E),
        ["at 0x14000", "is not mapped", "0x8007001E", "ERROR_READ_FAULT"],
    ),
    "write": (
        lambda s: s.write(BASE + SIZE - 3, b"1234567"),
        *("WriteVirtual", BASE + SIZE - 3, 7, 3, 3, 0x800701E7),
        ["at 0x14000", "first 3 of 7 bytes"],
    ),
    "read": (
        lambda s: s.read(BASE + SIZE - 3, 7),
        *("ReadVirtual", BASE + SIZE - 3, 7, 0, 3, 0x8007001E),
        ["at 0x14000"],
    ),
    "raw write_pointers": (
        lambda s: s.data_spaces.write_pointers_virtual(BASE + SIZE - 24, range(7)),
        *("WritePointersVirtual", BASE + SIZE - 24, 7, 3, 3, 0x800701E7),
        ["at 0x14000", "first 3 of 7 pointers"],
    ),
    "raw read_pointers": (
        lambda s: s.data_spaces.read_pointers_virtual(BASE + SIZE - 24, 7),
        *("ReadPointersVirtual", BASE + SIZE - 24, 7, 0, 3, 0x8007001E),
        ["at 0x14000"],
    ),
    "raw write": (
        lambda s: s.data_spaces.write_virtual_uncached(0x20008, b"1234567"),
        *("WriteVirtualUncached", 0x20008, 7, 0, 0, 0x80070005),
        ["at 0x20008", "protection 'r'"],
    ),
    "raw read": (
        lambda s: s.data_spaces.read_virtual(BASE + SIZE, 9),
        *("ReadVirtual", BASE + SIZE, 9, 0, None, 0x8007001E),
        ["9 bytes at 0x14000"],
    ),
    "fill": (
        lambda s: s.data_spaces.fill_virtual(0x20008, 7, b"ab"),
        *("FillVirtual", 0x20008, 7, 0, 0, 0x80070005),
        ["at 0x20008", "protection 'r'", "none of them"],
    ),
    "fill with what is there": (
        lambda s: s.data_spaces.fill_virtual(0x20008, 7, b"\0\0\1"),
        *("FillVirtual", 0x20008, 7, 2, 2, 0x80070005),
        ["at 0x2000a", "first 2 of 7 bytes"],
    ),
    "query": (
        lambda s: s.query(2**63),
        *("QueryVirtual", 2**63, 0, 0, None, 0x80004002),
        ["at 0x8000000000000000", "E_NOINTERFACE"],
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_errors_carry(session: Session, name: str) -> None:
    call, method, address, count, written, index, hresult, words = FAILURES[name]
    error = caught_from(lambda: call(session), TargetAccessError)
    assert type(error) is TargetAccessError
    assert (error.method, error.address, error.count) == (method, address, count)
    assert (error.written, error.index, error.hresult) == (written, index, hresult)
    assert error.hresult_name == hresults.name_of(hresult)
    message = str(error)
    assert message.startswith("the ")  # plain words first
    assert message.endswith(f" ({method}: HRESULT 0x{hresult:08X} {error.hresult_name})")
    for word in words:
        assert word in message


def test_the_engine_of_windows_is_quoted_first() -> None:
    """A Windows message starts with the engine's names, which its users look for.

    A message of the embedded engine has the names at its end.
    """
    for embedded in (False, True):
        message = str(engine_failed(failure(hresult=0x80070005, embedded=embedded)))
        held = message.index("the target holds the first 4 of 9 pointers")
        for name in ("WritePointersVirtual", "HRESULT 0x80070005 ERROR_ACCESS_DENIED"):
            assert (message.index(name) > held) is embedded


@pytest.mark.parametrize("name", ENGINE_CALLS)
def test_no_target(session: Session, name: str) -> None:
    testing.run(session)
    error = caught_from(lambda: ENGINE_CALLS[name](session))
    # These ask for the pointer size first.
    if name in ("pointer_size", "is_pointer_64bit", "find_pointers", "retarget"):
        assert (error.method, error.address, error.count) == ("IsPointer64Bit", None, None)
    elif name != "modules":
        assert error.address in (BASE, 0)
        assert error.method is not None
    if name in WRITING_CALLS and "physical" not in name:
        assert error.written is None
        assert "no longer answers" in str(error)
    else:
        assert error.written == 0
    assert error.index is None or "physical" in name


def test_no_hresult_without_an_engine_call(session: Session, narrow: Session) -> None:
    error = caught_from(lambda: narrow.write_pointers(BASE, [2**40]), errors.PointerRangeError)
    assert (error.hresult, error.hresult_name, error.method) == (None, None, None)
    assert (error.address, error.count, error.written, error.index) == (BASE, 1, 0, 0)
    session.close()
    with pytest.raises(errors.SessionClosedError) as closed:
        session.read(BASE, 1)
    assert not isinstance(closed.value, DebugEngineError)


def test_wrapping_is_a_value_error(session: Session) -> None:
    with pytest.raises(ValueError, match=r"2 pointers at 0xffffffffffffffff take 16 bytes"):
        session.write_pointers(2**64 - 1, [1, 2])
    with pytest.raises(ValueError, match=r"1 pointer at .* nothing was read"):
        session.read_pointers(2**64 - 7, 1)
    with pytest.raises(ValueError, match=r"3 bytes at 0xfffffffffffffffe take 3 bytes"):
        session.write(2**64 - 2, b"abc")


def failure(**changes: Any) -> EngineFailure:
    """Return a failure in the form that the C code reports."""
    facts: dict[str, Any] = {
        "status": "engine",
        "hresult": 0x10000000,
        "method": "WritePointersVirtual",
        "address": 0x1000,
        "count": 9,
        "width": 8,
        "landed": 4,
        "done": 4,
        "index": 0,
        "value": 0,
        "page": (0x04, 0x1000, 0x20000),
        "kind": "process",
        "process_id": 5,
        "writes": True,
        "force_refused": "",
        "gone": "",
        "embedded": True,
        "scattered": False,
        "purpose": None,
        "unread": False,
        "write_only": False,
        "refused": None,
    }
    facts.update(changes)
    facts["at"] = facts["address"] + (facts["landed"] or 0) * facts["width"]
    result: Any = facts
    return result  # type: ignore[no-any-return]


def test_a_success_code_is_no_success() -> None:
    """A dump answers 0x10000000 and writes nothing: the error is WriteNotAppliedError."""
    error = engine_failed(failure(landed=0))
    assert type(error) is errors.WriteNotAppliedError
    assert error.hresult == 0x10000000
    assert error.written == 0
    assert "dump" in str(error)
    read = engine_failed(failure(method="ReadPointersVirtual", writes=False, hresult=1))
    assert type(read) is DebugEngineError


@pytest.mark.parametrize(
    ("hresult", "kind"),
    [
        (0x8000FFFF, errors.NoTargetError),
        (0x00000001, errors.WriteNotAppliedError),
        (0x80004001, DebugEngineError),
        (0x80070057, TargetAccessError),
        (0x8007000E, DebugEngineError),
        (0x80070005, TargetAccessError),
        (0x8007012B, TargetAccessError),
        (0xD000013A, TargetAccessError),
        (0x80070123, TargetAccessError),
    ],
)
def test_which_error(hresult: int, kind: type[DebugEngineError]) -> None:
    error = engine_failed(failure(hresult=hresult))
    assert type(error) is kind
    assert error.hresult == hresult
    assert f"0x{hresult:08X}" in str(error)
    assert "first 4 of 9 pointers" in str(error)
    assert error.written == 4


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"page": None}, TargetAccessError),
        ({"scattered": True}, TargetAccessError),  # the page is another element's
        ({"method": "FillVirtual"}, DebugEngineError),  # it means an empty pattern, too
        ({"method": "ReadVirtual", "writes": False}, DebugEngineError),
        ({"count": 0, "landed": 0}, DebugEngineError),
    ],
)
def test_an_address_that_no_process_has(
    changes: dict[str, Any], kind: type[DebugEngineError]
) -> None:
    """WriteProcessMemory may call it an invalid argument."""
    found = {"hresult": 0x80070057, "embedded": False, **changes}
    assert type(engine_failed(failure(**found))) is kind


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"page": (0x02, 0x1000, 0x40000)}, ["protection 'r'", "shared and read-only"]),
        ({"page": (0x02, 0x1000, 0x20000), "force_refused": "tracer"}, ["forbids forced writes"]),
        ({"page": (0x02, 0x1000, 0x20000), "force_refused": "untraced"}, ["suspend=True"]),
        ({"page": (0x01, 0x1000, 0x20000)}, ["protection 'none'", "not forced"]),
        ({"page": (0x104, 0x1000, 0x20000)}, ["rw+guard"]),
        ({"page": (1, 0x10000, 0)}, ["is not mapped", "session.regions()"]),
        ({"page": (1, 0x2000, 0)}, ["reserved address space"]),
        ({"page": None}, ["0x1020", "nothing is mapped"]),
        ({"landed": None}, ["9 pointers at 0x1000", "is unknown"]),
        ({"landed": 9}, ["9 pointers at 0x1000", "first 9 of 9"]),
        ({"landed": 0, "count": 1}, ["at 0x1000", "none of them"]),
    ],
)
def test_advice(changes: dict[str, Any], words: list[str]) -> None:
    message = str(engine_failed(failure(hresult=0x80070005, **changes)))
    for word in words:
        assert word in message


@pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")
@pytest.mark.parametrize(
    ("operation", "said", "unsaid"),
    [
        ("clone", "No further process or thread may be made", "execve"),
        ("pthread_create", "No further process or thread may be made", "execve"),
        ("open(/proc/PID/mem)", "execve", "process or thread may be made"),
        ("open(/proc/PID/maps)", "execve", "process or thread may be made"),
    ],
)
def test_what_eagain_means(operation: str, said: str, unsaid: str) -> None:
    message = str(opening_failed("system", errno.EAGAIN, operation, 0, 4711))
    assert said in message
    assert unsaid not in message


# The first page can be read and written, the second only written; the third permits no access.
WRITE_ONLY = """
import ctypes, sys
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
size = int(sys.argv[1])
start = libc.mmap(None, 3 * size, 3, 0x22, -1, 0)
assert libc.mprotect(start + size, size, 2) == libc.mprotect(start + 2 * size, size, 0) == 0
print(start, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="Linux processes have pages that may be written but not read"
)
@pytest.mark.parametrize("suspend", [True, False])
def test_what_nobody_can_know(suspend: bool) -> None:
    """A write fails behind a page that can't be read. The error says what is unknown."""
    page = mmap.PAGESIZE
    with subprocess.Popen(
        [sys.executable, "-I", "-c", WRITE_ONLY, str(page)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        start = int(child.stdout.readline())
        with pydbgwrite.attach(child.pid, suspend=suspend) as session:
            end = start + 2 * page
            assert session.write_pointers(end - 16, [1, 2]) == 2
            for call in (
                lambda: session.write_pointers(end - 16, [1, 2, 3]),
                lambda: session.write(end - 3, b"12345"),
                lambda: session.write_pointers(end - 16, [1, 2], verify=True),
            ):
                error = caught_from(call, TargetAccessError)
                assert "whether it holds any of them can't be said" in str(error)
                assert "can be written, but not read" in str(error)
                assert (error.written, error.index) == (0, 0)
            error = caught_from(lambda: session.write_pointers(start, [7] * (page // 4 + 1)))
            assert f"the first {page // 8:,} of" in str(error)
            assert "whether it holds more can't be said" in str(error)
            assert error.written == page // 8
            none = caught_from(lambda: session.write_pointers(end, [1]))
            assert "the target holds none of them" in str(none)


def test_names_of_hresults() -> None:
    assert hresults.name_of(0) == "S_OK"
    assert hresults.name_of(0x80070123) == "HRESULT_FROM_WIN32(291)"
    assert hresults.name_of(0xD0000005) == "HRESULT_FROM_NT(0xC0000005)"
    assert hresults.name_of(0x80040999) == "0x80040999"
    assert hresults.describe(0x80040999) == "HRESULT 0x80040999 0x80040999"
    for value, (name, meaning) in hresults.HRESULTS.items():
        assert hresults.describe(value) == f"HRESULT 0x{value:08X} {name}: {meaning}"


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX limits (setrlimit)")
def test_what_was_written_is_known_without_a_free_descriptor() -> None:
    """The error reports `written` even if the module with the messages can't be imported."""
    script = """
import os, resource, pydbgwrite
with pydbgwrite.simulate([(0x10000, 0x1000)]) as session:
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, free))
    try:
        session.write_pointers(0x10FF0, [1, 2, 3, 4])
    except pydbgwrite.DebugEngineError as error:
        print(error.written, error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.startswith("2 WritePointersVirtual failed at 0x11000"), done
    assert "Too many open files" in done.stdout
