"""Simulated memory: sizes up to a whole address space, read-only sessions, refused regions."""

from __future__ import annotations

import itertools
import signal
import sys

import pytest

import pydbgwrite


def test_a_region_as_large_as_an_address_space_costs_only_what_is_written() -> None:
    with pydbgwrite.simulate([(0, 2**63), (2**63, 2**63)]) as session:
        for address in (0, 2**32 - 8, 2**47, 2**63 - 8, 2**64 - 8):
            assert session.write_pointers(address, [address ^ 0xFF]) == 1
        for address in (0, 2**32 - 8, 2**47, 2**63 - 8, 2**64 - 8):
            assert session.read_pointers(address, 1)[0] == address ^ 0xFF
        assert session.read_pointers(2**40, 2).tolist() == [0, 0]


def test_a_thousand_blocks_keep_what_was_written_to_each() -> None:
    apart = 3 * 65536 + 8  # so that neighbours are in different blocks, at different offsets
    with pydbgwrite.simulate([(0, 2**40)]) as session:
        for index in range(1000):
            session.write_pointers(index * apart, [index + 1])
        for index in range(1000):
            assert session.read_pointers(index * apart, 1)[0] == index + 1


@pytest.mark.parametrize(
    "region", [(0, 2**64), (0, 0), (-8, 16), (2**64 - 8, 16), (0, 2**9999), (0, -1)]
)
def test_regions_that_do_not_fit_are_refused(region: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="must have a size above 0"):
        pydbgwrite.simulate([region])


def test_writable_false_refuses_every_write() -> None:
    with pydbgwrite.simulate([(0x1000, 64)], writable=False) as session:
        assert not session.writable
        for write in (
            lambda: session.write_pointers(0x1000, [1]),
            lambda: session.write(0x1000, b"1"),
            lambda: session.data_spaces.write_pointers_virtual(0x1000, [1]),
            lambda: session.data_spaces.write_virtual(0x1000, b"1"),
            lambda: session.data_spaces.fill_virtual(0x1000, 8, b"1"),
        ):
            with pytest.raises(pydbgwrite.ReadOnlyError):
                write()
        assert session.read(0x1000, 64) == bytes(64)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX timers")
def test_ctrl_c_ends_the_conversion_of_an_endless_iterator() -> None:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    # itertools.repeat runs no Python code: only the conversion itself can run signal handlers.
    with pydbgwrite.simulate([(0x1000, 64)]) as session:
        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(KeyboardInterrupt):
                session.write_pointers(0x1000, itertools.repeat(2))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert session.read(0x1000, 64) == bytes(64)
