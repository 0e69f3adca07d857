"""Times with Microsoft's engine: ours against the same calls from C, and against other packages.

All contestants write the same memory of one target through clients of one engine. A limit on a
ratio is a limit on the median of paired rounds: under Wine a call of the engine takes tens of
microseconds a pointer, and varies by more than the cost of everything else.
"""

from __future__ import annotations

import array
import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lib.engine_calls import EngineCalls
from lib.measuring import Figure, Pairs, compared, measured_in_turns, timed
from lib.targets import Target, started

import pydbgwrite

__all__ = ["engine_figures"]

MANY = 1000
CALLS = 200
ONE = 1
RATIO_TO_C = 1.05
RATIO_TO_PEER = 1.0
# Both spend their time in the engine; the medians of two equal contestants differ by this much
# (of one pointer too, but for win32more, which takes a hundred microseconds of its own a call).
RATIO_TO_PEER_MANY = 1.02

Work = Callable[[], object]


@dataclass(frozen=True)
class _Bench:
    """An open session, calls from C, and pointers in the caller's memory."""

    session: pydbgwrite.Session
    calls: EngineCalls
    address: int
    pointers: array.array[int]

    @property
    def data(self) -> int:
        """The address of the pointers."""
        return self.pointers.buffer_info()[0]

    def ours(self, count: int) -> Work:
        """session.write_pointers of `count` pointers."""
        write, address, part = self.session.write_pointers, self.address, self.pointers[:count]
        return lambda: write(address, part)

    def raw(self, count: int) -> Work:
        """session.data_spaces.write_pointers_virtual of `count` pointers: exactly one call."""
        write = self.session.data_spaces.write_pointers_virtual
        address, part = self.address, self.pointers[:count]
        return lambda: write(address, part)

    def win32more(self, count: int) -> Work:
        """The same call through win32more, on a ctypes array over the caller's memory."""
        from win32more.Windows.Win32.System.Diagnostics.Debug.Extensions import (
            IDebugDataSpaces4,
        )

        spaces: Any = IDebugDataSpaces4(self.calls.spaces)
        view = (ctypes.c_uint64 * count).from_buffer(self.pointers)
        write, address = spaces.WritePointersVirtual, self.address

        def work() -> None:
            if write(count, address, view) != 0:
                raise OSError("WritePointersVirtual through win32more failed")

        return work

    def comtypes(self, count: int) -> Work:
        """The same call through comtypes, which accepts S_FALSE and other success codes."""
        from comtypes import COMMETHOD, GUID, IUnknown

        windows: Any = ctypes  # HRESULT is there alone
        unsigned = ctypes.POINTER(ctypes.c_uint64)
        write_pointers = COMMETHOD(
            [],
            windows.HRESULT,
            "WritePointersVirtual",
            (["in"], ctypes.c_uint32, "Count"),
            (["in"], ctypes.c_uint64, "Offset"),
            (["in"], unsigned, "Ptrs"),
        )

        class IDebugDataSpaces4(IUnknown):  # type: ignore[misc]
            """The interface up to its tenth method, which is called here."""

            _iid_ = GUID("{d98ada1f-29e9-4ef5-a6c0-e53349883212}")
            _methods_: ClassVar[list[Any]] = [
                *(COMMETHOD([], windows.HRESULT, f"Slot{slot}") for slot in range(3, 9)),
                write_pointers,
            ]

        spaces: Any = ctypes.cast(self.calls.spaces, ctypes.POINTER(IDebugDataSpaces4))
        spaces.AddRef()  # comtypes releases what it wraps
        view = (ctypes.c_uint64 * count).from_buffer(self.pointers)
        write, address = spaces.WritePointersVirtual, self.address
        return lambda: write(count, address, view)

    def pybag(self) -> Work:
        """Pybag's writeptr, a WriteVirtual of one pointer (it has no WritePointersVirtual)."""
        from pybag.pydbg import DebuggerBase

        debugger: Any = DebuggerBase()
        address, value = self.address, self.pointers[0]
        return lambda: debugger.writeptr(address, value)

    def c_pointers(self, count: int, calls: int) -> Callable[[], float]:
        """WritePointersVirtual from C."""
        return lambda: self.calls.write_pointers(self.address, self.data, count, calls) / calls

    def c_once(self, count: int) -> Work:
        """One WritePointersVirtual from C."""
        return self.c_pointers(count, 1)

    def c_bytes(self, calls: int) -> Callable[[], float]:
        """WriteVirtual of one pointer's bytes from C."""
        return lambda: self.calls.write_bytes(self.address, self.data, 8, calls) / calls


@contextmanager
def _bench(library: Path) -> Iterator[tuple[_Bench, Target]]:
    with started(8 * MANY) as target, pydbgwrite.attach(target.pid) as session:
        pointers = array.array("Q", os.urandom(8 * MANY))
        calls = EngineCalls(library, Path(session.engine.folder))
        yield _Bench(session, calls, target.address, pointers), target


def engine_figures(library: Path, *, quick: bool) -> Iterator[Figure]:
    """Yield all cases; Pybag last, since every later write would call its client's callbacks."""
    rounds = 31 if quick else 101
    yield _verified(library)
    with _bench(library) as (bench, _target):
        yield from _many(bench, rounds)
        yield from _one(bench, rounds)
        yield from _one_through_pybag(bench, rounds)


def _many(bench: _Bench, rounds: int) -> Iterator[Figure]:
    case, base = f"{MANY} pointers", "WritePointersVirtual from C"
    pairs = measured_in_turns(timed(bench.ours(MANY), 1), bench.c_pointers(MANY, 1), rounds)
    yield _ratio(case, "write_pointers", base, pairs, RATIO_TO_C)
    for name, work in (("win32more", bench.win32more), ("comtypes", bench.comtypes)):
        peer = timed(work(MANY), 1)
        pairs = measured_in_turns(timed(bench.ours(MANY), 1), peer, rounds)
        yield _ratio(case, "write_pointers", name, pairs, RATIO_TO_PEER_MANY)


def _one(bench: _Bench, rounds: int) -> Iterator[Figure]:
    case = "one pointer a call"
    for name, peers_work in (("win32more", bench.win32more), ("comtypes", bench.comtypes)):
        ours, peer = timed(bench.ours(ONE), CALLS), timed(peers_work(ONE), CALLS)
        pairs = measured_in_turns(ours, peer, rounds)
        limit = RATIO_TO_PEER if name == "win32more" else RATIO_TO_PEER_MANY
        yield _ratio(case, "write_pointers", name, pairs, limit)
    c = bench.c_pointers(ONE, CALLS)
    for name, work in (
        ("write_pointers", bench.ours(ONE)),
        ("data_spaces.write_pointers_virtual", bench.raw(ONE)),
        ("win32more", bench.win32more(ONE)),
        ("comtypes", bench.comtypes(ONE)),
    ):
        pairs = measured_in_turns(timed(work, CALLS), c, rounds)
        yield _overhead(name, "WritePointersVirtual from C", pairs)


def _one_through_pybag(bench: _Bench, rounds: int) -> Iterator[Figure]:
    work = bench.pybag()
    pairs = measured_in_turns(timed(work, CALLS), bench.c_bytes(CALLS), rounds)
    yield _overhead("Pybag's writeptr", "WriteVirtual from C", pairs)


def _ratio(case: str, name: str, base: str, pairs: Pairs, limit: float | None) -> Figure:
    return compared(case, name, base, pairs, limit, unit=f"x {base.split()[-1]}")


def _overhead(name: str, base: str, pairs: Pairs) -> Figure:
    case, excess = "outside the engine, a call", pairs.excess(1.0)
    return compared(case, name, base, pairs, None, value=excess, unit="ns")


def _verified(library: Path) -> Figure:
    """Have ours, C, win32more and comtypes write different bytes, which the target must find."""
    good = True
    with started(8 * MANY) as target:
        for number in range(4):
            with pydbgwrite.attach(target.pid) as session:
                pointers = array.array("Q", os.urandom(8 * MANY))
                calls = EngineCalls(library, Path(session.engine.folder))
                bench = _Bench(session, calls, target.address, pointers)
                ways = bench.ours, bench.c_once, bench.win32more, bench.comtypes
                ways[number](MANY)()
            good = good and target.holds(pointers.tobytes())
    return Figure(
        case=f"{MANY} pointers",
        contestant_name="all that write them",
        baseline_name="what was sent",
        value=0.0 if good else 1.0,
        unit="wrong",
        limit=0.0,
        verified=good,
    )


def use_peers() -> None:
    """Put the lane's other packages on the path."""
    folder = os.environ.get("PYDBGWRITE_LANE_PEERS")
    if folder:
        sys.path.append(folder)
