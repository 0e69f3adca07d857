"""Refused addresses, sizes, callbacks, keywords, regions, process ids, and their exceptions."""

from __future__ import annotations

import os
import subprocess
import sys
from array import array
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from support.inputs import BASE, SIZE, Index, IntSubclass, nothing_written

import pydbgwrite
from pydbgwrite import NoTargetError, Session, TargetAccessError, testing

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")

NO_INTS: list[Any] = ["65536", b"65536", 65536.0, None, True, [65536], 1j, object()]
NO_WORDS: list[int] = [-1, 2**64, -(2**63), 10**40, 1 << 100_000, -1 << 100_000]

ADDRESS_CALLS: dict[str, Callable[[Session, Any], object]] = {
    "write_pointers": lambda s, a: s.write_pointers(a, [1]),
    "read_pointers": lambda s, a: s.read_pointers(a, 1),
    "write": lambda s, a: s.write(a, b"x"),
    "read": lambda s, a: s.read(a, 1),
    "query": lambda s, a: s.query(a),
    "raw write_pointers": lambda s, a: s.data_spaces.write_pointers_virtual(a, [1]),
    "raw read_pointers": lambda s, a: s.data_spaces.read_pointers_virtual(a, 1),
    "raw write": lambda s, a: s.data_spaces.write_virtual(a, b"x"),
    "raw read": lambda s, a: s.data_spaces.read_virtual(a, 1),
    "raw write uncached": lambda s, a: s.data_spaces.write_virtual_uncached(a, b"x"),
    "raw read uncached": lambda s, a: s.data_spaces.read_virtual_uncached(a, 1),
    "raw read physical": lambda s, a: s.data_spaces.read_physical(a, 1),
    "raw write physical": lambda s, a: s.data_spaces.write_physical(a, b"x"),
    "fill": lambda s, a: s.data_spaces.fill_virtual(a, 1, b"x"),
    "search": lambda s, a: s.data_spaces.search_virtual(a, 1, b"x"),
    "raw query": lambda s, a: s.data_spaces.query_virtual(a),
    "valid region": lambda s, a: s.data_spaces.get_valid_region_virtual(a, 1),
    "next": lambda s, a: s.data_spaces.get_next_differently_valid_offset_virtual(a),
}

#: The calls that take names, too: "65536" is one.
ADDRESSES_BY_NAME = ("write_pointers", "read_pointers", "write", "read", "query")


@pytest.mark.parametrize("call", ADDRESS_CALLS)
def test_addresses(session: Session, call: str) -> None:
    run = ADDRESS_CALLS[call]
    for bad in NO_INTS:
        if isinstance(bad, str) and call in ADDRESSES_BY_NAME:
            continue
        with nothing_written(session), pytest.raises(TypeError, match="must be an int") as caught:
            run(session, bad)
        assert repr(type(bad)) in str(caught.value)
    for word in NO_WORDS:
        with nothing_written(session), pytest.raises(OverflowError, match="0 to 2") as overflow:
            run(session, word)
        shown = "100001 bits" if word.bit_length() > 256 else str(word)
        assert shown in str(overflow.value)
    if "physical" not in call:
        for good in (Index(BASE), IntSubclass(BASE)):
            run(session, good)


SIZE_CALLS: dict[str, tuple[Callable[[Session, Any], object], int]] = {
    "read_pointers": (lambda s, n: s.read_pointers(BASE, n), 2**63 - 1),
    "read": (lambda s, n: s.read(BASE, n), 2**63 - 1),
    "raw read_pointers": (lambda s, n: s.data_spaces.read_pointers_virtual(BASE, n), 2**32 - 1),
    "raw read": (lambda s, n: s.data_spaces.read_virtual(BASE, n), 2**32 - 1),
    "raw read physical": (lambda s, n: s.data_spaces.read_physical(BASE, n), 2**32 - 1),
    "fill": (lambda s, n: s.data_spaces.fill_virtual(BASE, n, b"x"), 2**32 - 1),
    "valid region": (lambda s, n: s.data_spaces.get_valid_region_virtual(BASE, n), 2**32 - 1),
    "granularity": (
        lambda s, n: s.data_spaces.search_virtual(BASE, 8, b"x", pattern_granularity=n),
        2**32 - 1,
    ),
}


@pytest.mark.parametrize("call", SIZE_CALLS)
def test_sizes(session: Session, call: str) -> None:
    run, most = SIZE_CALLS[call]
    for bad in NO_INTS:
        if bad is None and call == "read_pointers":
            continue  # count=None means as many as `into` can hold
        with nothing_written(session), pytest.raises(TypeError):
            run(session, bad)
    for word in (*NO_WORDS, most + 1):
        with nothing_written(session), pytest.raises(OverflowError):
            run(session, word)


def test_impossible_sizes_are_no_crash(session: Session) -> None:
    # Each size exceeds user space: Wine needs gigabytes to keep account of smaller ones.
    for size in (2**47, 2**62, 2**63 - 1):
        with nothing_written(session), pytest.raises((MemoryError, OverflowError)):
            session.read(BASE, size)
        with nothing_written(session), pytest.raises((MemoryError, OverflowError)):
            session.read_pointers(BASE, size)


@LINUX
def test_raw_sizes_that_memory_is_too_short_for(session: Session) -> None:
    """2**32 - 1 pointers (32 GiB) raise MemoryError. A 32-bit Python can't even count the bytes."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    if "asan" in os.environ.get("LD_PRELOAD", ""):
        return  # the sanitizer's own memory exceeds any limit
    resource.setrlimit(resource.RLIMIT_AS, (2**34, before[1]))
    try:
        with nothing_written(session), pytest.raises(MemoryError):
            session.data_spaces.read_pointers_virtual(BASE, 2**32 - 1)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("given", [5, "text", [len], object()])
def test_progress_must_be_callable(session: Session, given: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: session.write_pointers(BASE, [1], progress=given),
        lambda: session.read_pointers(BASE, 1, progress=given),
        lambda: session.write(BASE, b"x", progress=given),
        lambda: session.read(BASE, 1, progress=given),
    ]
    for call in calls:
        with nothing_written(session), pytest.raises(TypeError, match="progress") as caught:
            call()
        assert repr(type(given)) in str(caught.value)
    session.write_pointers(BASE, [1], progress=None)


def test_keywords_and_places(session: Session) -> None:
    anything: Any = session
    assert anything.write_pointers(pointers=[1, 2], address=BASE) == 2
    assert list(anything.read_pointers(count=2, address=BASE)) == [1, 2]
    bad: list[Callable[[], object]] = [
        lambda: anything.write_pointers(),
        lambda: anything.write_pointers(BASE),
        lambda: anything.write_pointers(BASE, [1], True),
        lambda: anything.write_pointers(BASE, [1], pointers=[2]),
        lambda: anything.write_pointers(BASE, [1], adress=3),
        lambda: anything.write_pointers(BASE, [1], **{"": 3}),
        lambda: anything.write_pointers(BASE, [1], **{"\udc80": 3}),
        lambda: anything.read(BASE),
        lambda: anything.read(BASE, 1, None),
        lambda: anything.close(1),
        lambda: anything.data_spaces.query_virtual(),
        lambda: anything.data_spaces.is_pointer_64bit(1),
        lambda: anything.data_spaces.fill_virtual(BASE, 1),
    ]
    for call in bad:
        with nothing_written(session), pytest.raises(TypeError):
            call()


class NoTruth:
    """An object that has no truth value."""

    def __bool__(self) -> bool:
        raise ZeroDivisionError("mine")


def test_truncate_that_raises(session: Session) -> None:
    flag: Any = NoTruth()
    with nothing_written(session), pytest.raises(ZeroDivisionError):
        session.write_pointers(BASE, [1], truncate=flag)


@pytest.mark.parametrize("given", ["text", 5, None, [1, 2], 5.0, object()])
def test_data_must_be_bytes(session: Session, given: Any) -> None:
    for write in (session.write, session.data_spaces.write_virtual):
        with nothing_written(session), pytest.raises(TypeError):
            write(BASE, given)
    with nothing_written(session), pytest.raises(TypeError):
        session.data_spaces.fill_virtual(BASE, 8, given)
    with pytest.raises(TypeError):
        session.data_spaces.search_virtual(BASE, 8, given)


def test_data_of_several_kinds(session: Session) -> None:
    data = bytes(range(64))
    kinds: list[Any] = [data, bytearray(data), memoryview(data), array("Q", data), array("d", data)]
    for given in kinds:
        session.write(BASE, bytes(64))
        assert session.write(BASE, given) == 64
        assert session.read(BASE, 64) == data


@pytest.mark.parametrize(
    "strided",
    [
        memoryview(bytes(64))[::2],
        memoryview(bytes(64))[::-1],
        memoryview(array("Q", [1] * 8))[::2],
    ],
)
@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("data", lambda s, given: s.write(BASE, given)),
        ("buffer", lambda s, given: s.data_spaces.write_virtual(BASE, given)),
        ("buffer", lambda s, given: s.data_spaces.write_virtual_uncached(BASE, given)),
        ("pattern", lambda s, given: s.data_spaces.fill_virtual(BASE, 64, given)),
        ("pattern", lambda s, given: s.data_spaces.search_virtual(BASE, 64, given)),
    ],
)
def test_strided_bytes(
    session: Session, what: str, call: Callable[[Session, Any], object], strided: Any
) -> None:
    message = f"{what} must be contiguous bytes-like memory, got a strided"
    with nothing_written(session), pytest.raises(ValueError, match=message):
        call(session, strided)


def test_other_reasons_to_give_no_bytes_stay(session: Session) -> None:
    released = memoryview(b"x")
    released.release()
    with nothing_written(session), pytest.raises(ValueError, match="released"):
        session.write(BASE, released)


def test_no_session_is_made_directly() -> None:
    kinds: list[Any] = [Session, pydbgwrite.DataSpaces, Session.__mro__[1]]
    for kind in kinds:
        with pytest.raises(TypeError):
            kind()


BAD_REGIONS: list[tuple[Any, type[Exception]]] = [
    ([(0, 0)], ValueError),
    ([(0, -1)], ValueError),
    ([(-1, 10)], ValueError),
    ([(0, 2**64 + 1)], ValueError),
    ([(2**64 - 1, 2)], ValueError),
    ([(2**64, 1)], ValueError),
    ([(0, 10), (9, 1)], ValueError),
    ([(5, 10), (0, 6)], ValueError),
    ([(0, 10, "w")], ValueError),
    ([(0, 10, None)], ValueError),
    ([(0, 10, "RW")], ValueError),
    ([(0,)], ValueError),
    ([(0, 1, "rw", 1)], ValueError),
    ([()], ValueError),
    ([5], TypeError),
    (["rw"], TypeError),
    ([b"rw"], TypeError),
    ([("0", 10)], TypeError),
    ([(0.0, 10)], TypeError),
    ([(0, True)], TypeError),
    (5, TypeError),
    (None, TypeError),
]


@pytest.mark.parametrize(("regions", "kind"), BAD_REGIONS)
def test_bad_regions(regions: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        pydbgwrite.simulate(regions)
    assert type(caught.value) is kind


@pytest.mark.parametrize("region", [5, None, [0, 10, 2], (0, 10), ("0", 10, 2)])
def test_regions_that_only_the_compiled_half_sees(region: Any) -> None:
    with pytest.raises(TypeError):
        pydbgwrite._core.simulate(Session, [region], 8, True)


def test_unhashable_protection() -> None:
    regions: Any = [(0, 10, ["rw"])]
    with pytest.raises(ValueError, match=r"regions\[0\]: protection must be .* got \['rw'\]"):
        pydbgwrite.simulate(regions)


def test_a_region_of_a_whole_address_space() -> None:
    """The call succeeds, or it reports too little memory; the region never has another size."""
    try:
        session = pydbgwrite.simulate([(0, 2**64)])
    except (MemoryError, ValueError):
        return
    with session:
        session.write(2**64 - 1, b"x")
        assert session.read(2**64 - 2, 2) == b"\0x"


@pytest.mark.parametrize("size", [0, 2, 16, -8, 10**5000], ids=range(5))
def test_bad_pointer_size(size: int) -> None:
    with pytest.raises(ValueError, match="pointer_size must be 4 or 8"):
        pydbgwrite.simulate([], pointer_size=size)


@pytest.mark.parametrize("size", [8.0, 8.5, "8", b"8", None, True, [8]])
def test_pointer_sizes_of_other_types(size: Any) -> None:
    with pytest.raises(TypeError, match="pointer_size must be 4 or 8"):
        pydbgwrite.simulate([], pointer_size=size)
    if size is not None:
        with pytest.raises(TypeError, match="pointer_size must be 4 or 8"):
            pydbgwrite.attach(1, pointer_size=size)


def test_regions_outside_a_32_bit_space() -> None:
    with pytest.raises(ValueError, match=r"2\*\*32"):
        pydbgwrite.simulate([(2**32 - 1, 2)], pointer_size=4)
    with pydbgwrite.simulate([(2**32 - 4, 4)], pointer_size=4) as session:
        assert session.write_pointers(2**32 - 4, [2**32 - 1]) == 1
        with pytest.raises(TargetAccessError):
            session.write_pointers(2**32 - 4, [1, 2])
        # Native 32-bit addresses are zero-extended here; sign-extended ones are not mapped.
        with pytest.raises(TargetAccessError):
            session.read(2**64 - 4, 4)


def test_faults_are_for_simulated_targets(session: Session) -> None:
    bad: Any = "address"
    with pytest.raises(TypeError):
        testing.fail_writes(session, bad)
    with pytest.raises(OverflowError):
        testing.limit_transfers(session, -1)
    with pytest.raises(ValueError, match="no fault"):
        session._inject_fault("unknown")
    assert session.read(BASE, SIZE) == bytes(SIZE)


# A process id is a signed pid_t on Linux and a DWORD on Windows.
TOO_LARGE = 2**32 if sys.platform == "win32" else 2**31


@pytest.mark.parametrize(
    "pid", [0, -1, 2**40, TOO_LARGE, -(2**63), 10**30, 1 << 100_000], ids=range(7)
)
def test_impossible_pids(pid: int) -> None:
    with pytest.raises(ValueError, match="pid must be from 1") as caught:
        pydbgwrite.attach(pid)
    assert (str(pid) if pid.bit_length() < 128 else "100001 bits") in str(caught.value)


@pytest.mark.parametrize("pid", [True, "1", 1.0, None, [1], b"1"])
def test_pids_of_other_types(pid: Any) -> None:
    with pytest.raises(TypeError, match="pid must be an int"):
        pydbgwrite.attach(pid)


@LINUX
def test_our_own_process() -> None:
    with pytest.raises(ValueError, match="this very process"):
        pydbgwrite.attach(os.getpid())


@LINUX
def test_no_such_process() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    for suspend in (True, False):
        with pytest.raises(NoTargetError, match=str(child.pid)) as caught:
            pydbgwrite.attach(child.pid, suspend=suspend)
        assert caught.value.hresult is None


@LINUX
def test_a_zombie() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    try:
        for suspend in (True, False):
            with pytest.raises(NoTargetError, match="exit status"):
                pydbgwrite.attach(child.pid, suspend=suspend)
    finally:
        child.communicate()


@LINUX
def test_a_kernel_thread() -> None:
    """attach() refuses process 2. Kernel threads are its children and have no executable."""
    if "kthreadd" not in Path("/proc/2/comm").read_text():
        pytest.skip("process 2 is not kthreadd: this is a container")
    for suspend in (True, False):
        with pytest.raises(TargetAccessError, match="kernel thread"):
            pydbgwrite.attach(2, suspend=suspend)


@LINUX
@pytest.mark.parametrize("timeout", ["1", "one", b"1", bytearray(b"1"), True, None, [], object()])
def test_timeouts_of_other_types(timeout: Any) -> None:
    with pytest.raises(TypeError, match="timeout must be seconds"):
        pydbgwrite.attach(1, timeout=timeout)


@LINUX
@pytest.mark.parametrize(
    "timeout", [-1, -0.001, float("nan"), float("-inf"), -(10**400)], ids=range(5)
)
def test_impossible_timeouts(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout must be 0"):
        pydbgwrite.attach(1, timeout=timeout)


@LINUX
@pytest.mark.parametrize("timeout", [10**400, float("inf"), Fraction(20)], ids=range(3))
def test_timeouts_that_are_long(timeout: Any) -> None:
    pydbgwrite.launch(["true"], timeout=timeout).terminate()


@LINUX
def test_arguments_of_other_platforms() -> None:
    with pytest.raises(ValueError, match="Windows"):
        pydbgwrite.attach(1, invasive=True)
