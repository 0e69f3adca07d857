"""A hypothesis state machine: the simulated target against a model in plain Python."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.model import E_FAIL, READ_FAULT, TOP, Model, ModelRegion

import pydbgwrite
from pydbgwrite import (
    NoTargetError,
    PointerRangeError,
    SessionClosedError,
    TargetAccessError,
    testing,
)

WORDS = st.one_of(
    st.integers(0, TOP - 1),
    st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, TOP - 2**31 - 1, TOP - 2**31]),
)
BYTES = st.binary(min_size=1, max_size=80)
CANARY = 0xA5A5A5A5A5A5A5A5

#: Ways to pass the same pointers.
FORMS: dict[str, Callable[[list[int]], Any]] = {
    "list": list,
    "generator": iter,
    "array": lambda values: array("Q", values),
    "strided": lambda v: memoryview(array("Q", [x for x in v for _ in range(3)]))[::3],
    "reversed": lambda values: memoryview(array("Q", values[::-1]))[::-1],
    "bytes": lambda values: array("Q", values).tobytes(),
    "misaligned": lambda values: memoryview(b"x" + array("Q", values).tobytes())[1:],
}


class SimulatedTarget(RuleBasedStateMachine):
    """Each rule does the same to the target and the model and compares the answers.

    An invariant compares memory.
    """

    model: Model
    session: pydbgwrite.Session

    def __init__(self) -> None:
        super().__init__()
        self.state = "open"  # "open", "running", "gone" or "closed"

    @initialize(
        width=st.sampled_from([4, 8]),
        layout=st.lists(
            st.tuples(
                st.sampled_from([0, 0, 1, 7, 8, 100]),  # the gap before the region
                st.integers(1, 90),
                st.sampled_from(["rw", "rw", "rw", "r", "none"]),
            ),
            max_size=5,
        ),
        at_the_end=st.booleans(),
    )
    def open(self, width: int, layout: list[tuple[int, int, str]], at_the_end: bool) -> None:
        """Open a target with regions in a row from 0x100 or up to the end of the address space."""
        total = sum(room + size for room, size, _ in layout)
        address = (1 << 8 * width) - total if at_the_end else 0x100
        regions = []
        for room, size, protection in layout:
            address += room
            regions.append(ModelRegion(address, protection, bytearray(size)))
            address += size
        self.model = Model(regions, width)
        self.session = pydbgwrite.simulate(
            ((r.base, len(r.data), r.protection) for r in reversed(regions)), pointer_size=width
        )

    def place(self, data: st.DataObject) -> int:
        """Return an address in or near a region, or near an end of an address space."""
        near = [0, TOP - 1, 2**32 - 1]
        for region in self.model.regions:
            near += [region.base, region.end - 1, region.base + len(region.data) // 2]
        picked = data.draw(st.sampled_from(near), label="near")
        return (picked + data.draw(st.integers(-20, 20), label="shift")) % TOP

    def expect(self, call: Callable[[], Any], kind: type[Exception] | None) -> Any:
        """Return a call's result, or its exception if the state or the model requires one."""
        if self.state == "closed":
            kind = SessionClosedError
        elif self.state != "open":
            kind = NoTargetError
        if kind is None:
            return call()
        with pytest.raises(kind) as caught:
            call()
        assert type(caught.value) is kind
        return caught.value

    @rule(
        data=st.data(),
        values=st.lists(WORDS, max_size=24),
        form=st.sampled_from(sorted(FORMS)),
        truncate=st.booleans(),
    )
    def write_pointers(
        self, data: st.DataObject, values: list[int], form: str, truncate: bool
    ) -> None:
        """Call Session.write_pointers."""
        address, model = self.place(data), self.model
        wide = [i for i, value in enumerate(values) if model.is_wide(value) and not truncate]
        packed = b"".join(map(model.packed, values))
        kind: type[Exception] | None = None
        hresult = None
        if address + len(packed) > TOP:
            kind = ValueError
        elif wide:
            kind = PointerRangeError
        elif self.state == "open":
            hresult = model.write_pointers(address, values)
            kind = None if hresult is None else TargetAccessError
        answer = self.expect(
            lambda: self.session.write_pointers(address, FORMS[form](values), truncate=truncate),
            kind,
        )
        if kind is None and self.state == "open":
            assert answer == len(values)
        elif kind is PointerRangeError and self.state == "open":
            assert (answer.index, answer.written) == (wide[0], 0)
        elif kind is TargetAccessError and self.state == "open":
            assert answer.hresult == hresult
            assert answer.written == model.landed(address, packed, model.width)

    @rule(data=st.data(), values=st.lists(WORDS, max_size=24))
    def raw_write_pointers(self, data: st.DataObject, values: list[int]) -> None:
        """Call WritePointersVirtual, which truncates and wraps."""
        address, model = self.place(data), self.model
        hresult = model.write_pointers(address, values) if self.state == "open" else None
        answer = self.expect(
            lambda: self.session.data_spaces.write_pointers_virtual(address, values),
            None if hresult is None else TargetAccessError,
        )
        if hresult is not None:
            packed = b"".join(map(model.packed, values))
            assert answer.hresult == hresult
            assert answer.written == model.landed(address, packed, model.width)

    @rule(data=st.data(), count=st.integers(0, 24), raw=st.booleans())
    def read_pointers(self, data: st.DataObject, count: int, raw: bool) -> None:
        """Read pointers by either layer; items after the readable prefix stay unchanged."""
        address, width = self.place(data), self.model.width
        wraps = address + count * width > TOP
        wanted = self.model.read_pointers(address, count)
        short = len(wanted) < count
        if raw:
            kind: type[Exception] | None = TargetAccessError if short else None
            call = lambda: self.session.data_spaces.read_pointers_virtual(address, count)  # noqa: E731
            answer = self.expect(call, kind)
        else:
            kind = ValueError if wraps else TargetAccessError if short else None
            into = array("Q", [CANARY] * count)
            answer = self.expect(lambda: self.session.read_pointers(address, into=into), kind)
            if self.state != "open" or wraps:
                assert list(into) == [CANARY] * count
            else:
                assert list(into) == wanted + [CANARY] * (count - len(wanted))
        if self.state == "open" and kind is TargetAccessError:
            # The result is E_FAIL if a part of the pointer can be read.
            torn = len(self.model.prefix(address, count * width)) % width
            assert answer.hresult in ((E_FAIL, READ_FAULT) if torn else (READ_FAULT,))
            assert answer.index == len(wanted)
        elif self.state == "open" and kind is None and raw:
            ones = 0xFFFFFFFF if width == 4 else None  # the engine returns it as 64 one bits
            assert list(answer) == [2**64 - 1 if each == ones else each for each in wanted]

    @rule(data=st.data(), what=BYTES)
    def write(self, data: st.DataObject, what: bytes) -> None:
        """Call Session.write."""
        address, model = self.place(data), self.model
        kind: type[Exception] | None = ValueError if address + len(what) > TOP else None
        hresult = None
        if kind is None and self.state == "open":
            hresult = model.write(address, what)
            kind = None if hresult is None else TargetAccessError
        answer = self.expect(lambda: self.session.write(address, what), kind)
        if hresult is not None:
            assert (answer.hresult, answer.written) == (hresult, model.landed(address, what, 1))

    @rule(data=st.data(), what=BYTES)
    def raw_write(self, data: st.DataObject, what: bytes) -> None:
        """Call WriteVirtual, which may write a part, and stops at the end of the address space."""
        address, model = self.place(data), self.model
        moved, hresult = 0, None
        if self.state == "open":
            moved, hresult = model.put(address, what[: TOP - address])
        failed = self.state == "open" and moved == 0
        answer = self.expect(
            lambda: self.session.data_spaces.write_virtual(address, what),
            TargetAccessError if failed else None,
        )
        if failed:
            assert (answer.hresult, answer.written) == (hresult, model.landed(address, what, 1))
        elif self.state == "open":
            assert answer == moved

    @rule(data=st.data(), size=st.integers(1, 100))
    def read(self, data: st.DataObject, size: int) -> None:
        """Read bytes by both layers."""
        address = self.place(data)
        prefix = self.model.prefix(address, size)
        kind: type[Exception] | None = TargetAccessError if len(prefix) < size else None
        if address + size > TOP:
            kind = ValueError
        answer = self.expect(lambda: self.session.read(address, size), kind)
        if self.state == "open" and kind is None:
            assert answer == prefix
        elif self.state == "open" and kind is TargetAccessError:
            assert (answer.hresult, answer.index) == (READ_FAULT, len(prefix))
        found, _ = self.model.get(address, min(size, TOP - address))
        answer = self.expect(
            lambda: self.session.data_spaces.read_virtual(address, size),
            None if found else TargetAccessError,
        )
        if self.state == "open" and found:
            assert answer == found

    @rule(data=st.data(), size=st.integers(1, 120), pattern=BYTES)
    def fill(self, data: st.DataObject, size: int, pattern: bytes) -> None:
        """Call FillVirtual."""
        address, hresult, done = self.place(data), None, 0
        if self.state == "open":
            done, hresult = self.model.fill(address, size, pattern)
        kind = None if hresult is None else TargetAccessError
        answer = self.expect(
            lambda: self.session.data_spaces.fill_virtual(address, size, pattern), kind
        )
        if hresult is not None:
            repeated = (pattern * (size // len(pattern) + 1))[:size]
            assert answer.hresult == hresult
            assert answer.written == self.model.landed(address, repeated, 1)
        elif self.state == "open":
            assert answer == done

    @rule(
        data=st.data(),
        length=st.integers(0, 400),
        pattern=st.binary(min_size=1, max_size=3),
        granularity=st.integers(1, 3),
    )
    def search(self, data: st.DataObject, length: int, pattern: bytes, granularity: int) -> None:
        """Call SearchVirtual with bytes that memory contains and with random ones."""
        address = self.place(data)
        if data.draw(st.booleans(), label="of the target's own"):
            pattern = self.model.prefix(self.place(data), 6) or pattern
        pattern = (pattern * granularity)[
            : len(pattern) // granularity * granularity or granularity
        ]
        answer = self.expect(
            lambda: self.session.data_spaces.search_virtual(address, length, pattern, granularity),
            None,
        )
        if self.state == "open":
            assert answer == self.model.search(address, length, pattern, granularity)

    @rule(data=st.data(), size=st.integers(0, 400))
    def regions(self, data: st.DataObject, size: int) -> None:
        """Call QueryVirtual and GetValidRegionVirtual."""
        address = self.place(data)
        wanted = self.model.query(address)
        kind = TargetAccessError if wanted is None else None
        answer = self.expect(lambda: self.session.query(address), kind)
        if self.state == "open" and wanted is not None:
            assert answer == wanted
        spaces = self.session.data_spaces
        answer = self.expect(lambda: spaces.get_valid_region_virtual(address, size), None)
        if self.state == "open":
            assert answer == self.model.valid(address, size)

    def far_from_edges(self, address: int) -> bool:
        """Return whether no pointer can contain both this byte and one that can't be written.

        The engine restores a pointer's bytes from an earlier read; it can't do so if reading
        fails within the same pointer.
        """
        fault = self.model.write_fault
        edges = [e for r in self.model.regions for e in (r.base, r.end)]
        return all(abs(address - edge) > 8 for edge in edges) and (
            fault is None or abs(address - fault[0]) > 8
        )

    @precondition(lambda self: self.state == "open")
    @rule(data=st.data(), after=st.integers(0, 3))
    def fail_writes(self, data: st.DataObject, after: int) -> None:
        """Make writes to one byte fail, if none fails yet and no failing read is near."""
        address = self.place(data)
        if self.model.write_fault is None and all(
            abs(address - each) > 8 for each in self.model.read_faults
        ):
            testing.fail_writes(self.session, address, after=after)
            self.model.write_fault = (address, after)

    @precondition(lambda self: self.state == "open")
    @rule(data=st.data())
    def fail_reads(self, data: st.DataObject) -> None:
        """Make reads of one more byte fail."""
        address = self.place(data)
        if self.far_from_edges(address):
            testing.fail_reads(self.session, address)
            self.model.read_faults.add(address)

    @precondition(lambda self: self.state == "open")
    @rule(limit=st.integers(0, 40))
    def limit_transfers(self, limit: int) -> None:
        """Limit the size of transfers."""
        testing.limit_transfers(self.session, limit)
        self.model.limit = limit

    @precondition(lambda self: self.state == "open")
    @rule()
    def clear(self) -> None:
        """Remove all faults."""
        testing.clear(self.session)
        self.model.write_fault, self.model.limit = None, 0
        self.model.read_faults.clear()

    @precondition(lambda self: self.state in ("open", "running"))
    @rule()
    def run_or_stop(self) -> None:
        """Resume or suspend the target; a running target refuses calls."""
        (testing.run if self.state == "open" else testing.stop)(self.session)
        self.state = "running" if self.state == "open" else "open"

    @precondition(lambda self: self.state == "open")
    @rule(luck=st.integers(0, 4))
    def vanish(self, luck: int) -> None:
        """End the target in one of five calls."""
        if luck == 0:
            testing.vanish(self.session)
            self.state = "gone"

    @precondition(lambda self: self.state != "closed")
    @rule(luck=st.integers(0, 9))
    def close(self, luck: int) -> None:
        """Close the session in one of ten calls."""
        if luck == 0:
            self.session.close()
            self.state = "closed"

    @invariant()
    def memory_is_the_same(self) -> None:
        """Every readable byte is the same in the target and the model."""
        if self.state == "open" and not self.model.read_faults:
            for region in self.model.regions:
                if region.protection != "none":
                    assert self.session.read(region.base, len(region.data)) == region.data

    def teardown(self) -> None:
        """Close the session if it is open."""
        if hasattr(self, "session") and not self.session.closed:
            self.session.close()


TestSimulatedTarget = SimulatedTarget.TestCase
TestSimulatedTarget.settings = settings(
    max_examples=2000 if os.environ.get("PYDBGWRITE_TEST_PROFILE") == "full" else 40,
    stateful_step_count=30,
    suppress_health_check=list(HealthCheck),
)
