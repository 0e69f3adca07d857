"""The calls on memory over Microsoft's engine: its answers, and the results of the calls."""

from __future__ import annotations

import _thread
import threading
import time
from array import array
from collections.abc import Iterator

import pytest
from support.dbgeng import COUNT, MARK, NARROW, OWN, Target, needs_engine, target
from support.differences import DBGENG, REFUSED, REFUSED_FAR
from support.system_memory import system_memory

import pydbgwrite
from pydbgwrite import Session

pytestmark = needs_engine
KERNEL = 0xFFFF800000000000


@pytest.fixture(scope="module")
def child() -> Iterator[Target]:
    """Yield one program for all tests of this file."""
    with target() as running:
        yield running


@pytest.fixture
def session(child: Target) -> Iterator[Session]:
    """Yield a session on the program, whose memory is full of zeros."""
    with pydbgwrite.attach(child.pid) as opened:
        opened.write(child.base, bytes(COUNT * child.width))
        yield opened


@pytest.fixture
def narrow(child: Target) -> Iterator[Session]:
    """Yield the same session, with the pointers of a 32-bit process."""
    with pydbgwrite.attach(child.pid, pointer_size=4) as opened:
        opened.write(child.base, bytes(COUNT * child.width))
        yield opened


class TestPointers:
    """Session.write_pointers and read_pointers."""

    def test_all_land(self, session: Session, child: Target) -> None:
        values = array("Q", (index * 0x0101010101010101 % 2 ** (8 * OWN) for index in range(COUNT)))
        assert session.write_pointers(child.base, values) == COUNT
        assert session.read_pointers(child.base, COUNT) == values

    def test_progress_and_chunks(self, session: Session, child: Target) -> None:
        seen: list[tuple[int, int]] = []
        session.write_pointers(child.base, range(COUNT), progress=lambda *state: seen.append(state))
        assert seen[-1] == (COUNT, COUNT) and len(seen) >= 3
        assert [done for done, _ in seen] == sorted({done for done, _ in seen})

    def test_progress_that_raises(self, session: Session, child: Target) -> None:
        def refuse(done: int, total: int) -> None:
            raise LookupError("enough")

        with pytest.raises(LookupError) as caught:
            session.write_pointers(child.base, range(1, COUNT + 1), progress=refuse)
        written = caught.value.written  # type: ignore[attr-defined]
        assert 0 < written < COUNT
        assert list(session.read_pointers(child.base, written + 1))[-2:] == [written, 0]

    def test_an_interrupt_stops_a_long_write(self, session: Session, child: Target) -> None:
        with pytest.raises(KeyboardInterrupt) as caught:
            session.write_pointers(
                child.base,
                range(1, COUNT + 1),
                progress=lambda *_state: _thread.interrupt_main(),
            )
        written = caught.value.written  # type: ignore[attr-defined]
        assert 0 < written < COUNT
        assert list(session.read_pointers(child.base, written + 1))[-2:] == [written, 0]

    def test_other_threads_run_meanwhile(self, session: Session, child: Target) -> None:
        turns, ended = [0], threading.Event()

        def count() -> None:
            while not ended.is_set():
                turns[0] += 1
                time.sleep(0)

        thread = threading.Thread(target=count)
        thread.start()
        before = turns[0]
        session.data_spaces.write_pointers_virtual(child.base, array("Q", range(COUNT)))
        during = turns[0] - before
        ended.set()
        thread.join()
        assert during > 10

    def test_a_prefix_that_landed_is_counted(self, session: Session, child: Target) -> None:
        with pytest.raises(pydbgwrite.TargetAccessError) as caught:
            session.write_pointers(child.end - 4 * OWN, range(1, 9))
        error = caught.value
        assert (error.written, error.index, error.count) == (4, 4, 8)
        assert error.method == "WritePointersVirtual" and error.hresult in REFUSED
        assert f"0x{child.end:x}, which is not mapped" in str(error)
        assert list(session.read_pointers(child.end - 4 * OWN, 4)) == [1, 2, 3, 4]

    def test_a_pointer_across_the_end(self, session: Session, child: Target) -> None:
        with pytest.raises(pydbgwrite.TargetAccessError) as caught:
            session.write_pointers(child.end - OWN - OWN // 2, [1, 2, 3])
        assert caught.value.written == 1

    # An x86 engine is not asked for addresses above: see below.
    @pytest.mark.parametrize("address", [0x10] if NARROW else [0x10, KERNEL, 0x0000900000000000])
    def test_addresses_that_nobody_has(self, session: Session, address: int) -> None:
        with pytest.raises(pydbgwrite.TargetAccessError) as caught:
            session.write_pointers(address, [1, 2])
        assert caught.value.written == 0 and caught.value.hresult in REFUSED_FAR
        with pytest.raises(pydbgwrite.TargetAccessError):
            session.read_pointers(address, 2)

    @pytest.mark.skipif(not NARROW, reason="needs the x86 engine, on a 32-bit Windows Python")
    @pytest.mark.parametrize("upper", [1 << 32, 1 << 63, 0xFFFFFFFF << 32])
    def test_an_address_beyond_32_bits(self, session: Session, child: Target, upper: int) -> None:
        """The x86 engine ignores the upper half, so the session refuses such an address."""
        address = child.base | upper
        for call in (
            lambda: session.write_pointers(address, [7]),
            lambda: session.write_pointers(address, [7], via="WriteVirtual"),
            lambda: session.write_scattered([child.base, address], [7, 7]),
            lambda: session.write(address, b"7"),
            lambda: session.read_pointers(address, 1),
            lambda: session.read(address, 1),
        ):
            with pytest.raises(
                pydbgwrite.TargetAccessError, match=r"would go past 2\*\*32, and this 32-bit"
            ) as caught:
                call()
            error = caught.value
            assert (error.hresult, error.written, error.address) == (None, 0, address)
        assert list(session.read_pointers(child.base, 2)) == [0, 0]
        session.data_spaces.write_pointers_virtual(address, [7])
        assert list(session.read_pointers(child.base, 2)) == [7, 0]

    def test_none_at_all(self, session: Session) -> None:
        assert session.write_pointers(0x10, []) == 0
        assert len(session.read_pointers(0x10, 0)) == 0

    def test_unaligned(self, session: Session, child: Target) -> None:
        value = MARK + 0x5566
        session.write_pointers(child.base + 3, [value] * 100)
        assert (
            session.read(child.base, 3 + 100 * OWN)
            == bytes(3) + value.to_bytes(OWN, "little") * 100
        )
        assert list(session.read_pointers(child.base + 3, 2)) == [value] * 2

    def test_narrow(self, narrow: Session, child: Target) -> None:
        assert narrow.pointer_size == 4
        narrow.write_pointers(child.base, [1, 0xFFFFFFFF, 0xFFFFFFFF80000000])
        assert narrow.read(child.base, 12).hex() == "01000000ffffffff00000080"
        assert list(narrow.read_pointers(child.base, 3)) == [1, 0xFFFFFFFF, 0x80000000]
        with pytest.raises(pydbgwrite.PointerRangeError):
            narrow.write_pointers(child.base, [1 << 32])
        narrow.write_pointers(child.base, [0x180000002], truncate=True)
        assert narrow.read(child.base, 4).hex() == "02000080"

    @pytest.mark.skipif(
        system_memory().writes_read_only,
        reason="Wine 8's WriteProcessMemory ignores page protection",
    )
    def test_a_read_only_page_is_named(self, session: Session) -> None:
        module = next(each for each in session.modules() if each.name.lower() == "ntdll.dll")
        assert session.query(module.base).protection == "r"
        with pytest.raises(pydbgwrite.TargetAccessError, match="VirtualProtectEx") as caught:
            session.write_pointers(module.base + 64, [1])
        assert caught.value.written == 0


class TestRaw:
    """The methods of session.data_spaces, each a method of IDebugDataSpaces4."""

    def test_pointers(self, session: Session, child: Target) -> None:
        spaces = session.data_spaces
        assert spaces.is_pointer_64bit() is not NARROW
        spaces.write_pointers_virtual(child.base, [1, 2, 3])
        assert list(spaces.read_pointers_virtual(child.base, 3)) == [1, 2, 3]
        spaces.write_pointers_virtual(2**64 - 1, [])
        with pytest.raises(pydbgwrite.TargetAccessError) as caught:
            spaces.write_pointers_virtual(2**64 - 4, [1])
        assert caught.value.hresult in REFUSED_FAR

    def test_bytes(self, session: Session, child: Target) -> None:
        spaces = session.data_spaces
        assert spaces.write_virtual(child.base, b"one") == 3
        assert spaces.write_virtual_uncached(child.base + 3, b"two") == 3
        assert spaces.read_virtual(child.base, 6) == b"onetwo"
        assert spaces.read_virtual_uncached(child.base, 6) == b"onetwo"
        assert spaces.read_virtual(child.base, 0) == b""
        assert spaces.read_virtual(child.end - 8, 16) == bytes(8)
        if "empty writes" in DBGENG:
            assert spaces.write_virtual(child.base, b"") == 0
        else:
            with pytest.raises(pydbgwrite.DebugEngineError) as failed:
                spaces.write_virtual(child.base, b"")
            assert failed.value.hresult == 0x80070057
        with pytest.raises(pydbgwrite.TargetAccessError) as caught:
            spaces.read_virtual(child.end, 1)
        assert caught.value.hresult == 0x8007001E

    def test_fill(self, session: Session, child: Target) -> None:
        spaces = session.data_spaces
        assert spaces.fill_virtual(child.base, 10, b"abc") == 10
        assert spaces.read_virtual(child.base, 12) == b"abcabcabca\0\0"
        assert spaces.fill_virtual(child.base, 2, b"wxyz") == 2
        assert spaces.read_virtual(child.base, 3) == b"wxc"
        assert spaces.fill_virtual(child.end - 6, 32, b"q") == 6
        assert spaces.fill_virtual(child.base, 0, b"a") == 0
        with pytest.raises(pydbgwrite.DebugEngineError) as caught:
            spaces.fill_virtual(child.base, 4, b"")
        assert caught.value.hresult == 0x80070057
        with pytest.raises(pydbgwrite.TargetAccessError):
            spaces.fill_virtual(child.end + 16, 4, b"q")

    def test_search(self, session: Session, child: Target) -> None:
        spaces, at = session.data_spaces, child.base + 100
        session.write(at, b"needle")
        assert spaces.search_virtual(child.base, 4096, b"needle") == at
        assert spaces.search_virtual(child.base, 4096, b"needle", 2) == at
        assert spaces.search_virtual(child.base + 1, 4096, b"needle", 2) is None
        assert spaces.search_virtual(at, 6, b"needle") == at
        assert spaces.search_virtual(at, 5, b"needle") is None
        assert spaces.search_virtual(child.base, 0, b"needle") is None
        assert spaces.search_virtual(child.base - 0x10000, 0x20000, b"needle") == at
        assert spaces.search_virtual(child.end - 64, 8192, b"needle") is None
        for granularity in (0, 4, 8):
            with pytest.raises(pydbgwrite.DebugEngineError) as caught:
                spaces.search_virtual(child.base, 4096, b"needle", granularity)
            assert caught.value.hresult == 0x80070057

    def test_regions(self, session: Session, child: Target) -> None:
        spaces = session.data_spaces
        info = spaces.query_virtual(child.base + 5)
        assert (info.base_address, info.state, info.protect) == (child.base, 0x1000, 4)
        # "rounded down to the next page boundary"; the rest of the region is counted from there.
        later = spaces.query_virtual(child.base + 5000)
        assert later.base_address == child.base + 4096
        assert later.region_size == info.region_size - 4096
        assert spaces.query_virtual(child.end).state == 0x10000
        assert session.query(child.base)[2:] == ("rw", "committed")
        with pytest.raises(pydbgwrite.TargetAccessError) as caught:
            spaces.query_virtual(2**64 - 1)
        assert caught.value.hresult == 0x80004002

    def test_valid_regions(self, session: Session, child: Target) -> None:
        spaces = session.data_spaces
        assert spaces.get_valid_region_virtual(child.base + 3, 100) == (child.base + 3, 100)
        assert spaces.get_valid_region_virtual(child.end - 50, 100) == (child.end - 50, 50)
        assert spaces.get_valid_region_virtual(child.end + 10, 20) == (0, 0)
        next_one = spaces.get_next_differently_valid_offset_virtual
        assert next_one(child.base + 3) == child.base + 4096
        assert next_one(child.end) == child.end + 4096
        assert next_one(2**64 - 4096) is None

    def test_physical_memory_is_a_kernels(self, session: Session) -> None:
        for call in (
            lambda: session.data_spaces.read_physical(0, 8),
            lambda: session.data_spaces.write_physical(0, b"x"),
        ):
            with pytest.raises(pydbgwrite.DebugEngineError) as caught:
                call()
            assert caught.value.hresult == 0x8000FFFF
