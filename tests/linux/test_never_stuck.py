"""No call on a live process keeps other threads waiting, however small the call is.

The kernel may sleep in any call: it fetches the page, or waits for the lock of the memory map.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterator

import pytest
from support.processes import Child64
from support.turns import turns_until_another_thread_ran

import pydbgwrite
from pydbgwrite import Session

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")

HAS_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()
ONE = array("Q", [5])
SMALL_CALLS: dict[str, Callable[[Session, int], object]] = {
    "write": lambda s, a: s.write(a, b"x"),
    "read": lambda s, a: s.read(a, 1),
    "write_pointers": lambda s, a: s.write_pointers(a, ONE),
    "read_pointers": lambda s, a: s.read_pointers(a, 1),
    "write_scattered": lambda s, a: s.write_scattered([a], ONE),
    "read_scattered": lambda s, a: s.read_scattered([a]),
    "query": lambda s, a: s.query(a),
    "write_virtual": lambda s, a: s.data_spaces.write_virtual(a, b"x"),
    "read_virtual": lambda s, a: s.data_spaces.read_virtual(a, 1),
    "write_pointers_virtual": lambda s, a: s.data_spaces.write_pointers_virtual(a, ONE),
    "read_pointers_virtual": lambda s, a: s.data_spaces.read_pointers_virtual(a, 1),
    "fill_virtual": lambda s, a: s.data_spaces.fill_virtual(a, 1, b"x"),
    "search_virtual": lambda s, a: s.data_spaces.search_virtual(a, 8, bytes(1)),
    "query_virtual": lambda s, a: s.data_spaces.query_virtual(a),
    "get_valid_region_virtual": lambda s, a: s.data_spaces.get_valid_region_virtual(a, 1),
}


@pytest.fixture(scope="module", params=[True, False], ids=["suspended", "running"])
def live(request: pytest.FixtureRequest) -> Iterator[tuple[Session, int]]:
    """Yield a session on a live process, and an address that the session may write to."""
    with (
        Child64(pages=1) as child,
        pydbgwrite.attach(child.pid, suspend=request.param) as session,
    ):
        session.write(child.areas["rw"], bytes(8))
        yield session, child.areas["rw"]


@pytest.mark.skipif(not HAS_GIL, reason="a free-threaded CPython has no GIL")
@pytest.mark.parametrize("name", SMALL_CALLS)
def test_a_small_call_lets_other_threads_run(live: tuple[Session, int], name: str) -> None:
    session, address = live
    assert turns_until_another_thread_ran(lambda: SMALL_CALLS[name](session, address), 20_000)
