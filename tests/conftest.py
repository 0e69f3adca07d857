"""Fixtures and profiles for the whole suite; the engines it runs over are in support/cases.py."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest
from support import workers
from support.cases import CASES, READ_ONLY_CASES, EngineCase, close_all, make_room
from support.processors import every_processor
from support.recorder import Recorder, forget

import pydbgwrite

# A shell that starts pytest in the background has it ignore SIGINT, and Python then leaves it so:
# the tests of Ctrl-C need it as a person at a terminal has it.
signal.signal(signal.SIGINT, signal.default_int_handler)

PROFILE = os.environ.get("PYDBGWRITE_TEST_PROFILE", "quick")

hypothesis.settings.register_profile("quick", max_examples=40, deadline=None)
# The state machine alone takes 2,000 (test_state_machine.py).
hypothesis.settings.register_profile("full", max_examples=200, deadline=None)
hypothesis.settings.load_profile(PROFILE)


# Files that take five seconds of a processor or more; `make check` leaves them out.
SLOW = (
    *("test_c", "test_cli_streams", "test_long_work", "test_memory_leaks", "test_patch_leaks"),
    *("test_patch_round_trip", "test_transactions", "test_undo_after_kill", "test_undo_cost"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow files. Undo after a kill takes longest: it begins first, beside all the others."""
    for item in items:
        if item.path.stem in SLOW:
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.path.stem != "test_undo_after_kill")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Where pytest-xdist runs several workers, tests marked "alone" wait for the others' tests."""
    with workers.room(alone=item.get_closest_marker("alone") is not None):
        yield


@pytest.fixture(scope="session")
def profile() -> str:
    """Either "quick", or "full" by the environment variable PYDBGWRITE_TEST_PROFILE."""
    return PROFILE


# For each module, so that pytest runs all its tests over one engine before it goes on to the next:
# what stands on the case before (a connection) can then be used again.
@pytest.fixture(scope="module", params=sorted(CASES))
def engine_name(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of every case, one after the other."""
    yield str(request.param)
    make_room()


@pytest.fixture(scope="module", params=sorted({**CASES, **READ_ONLY_CASES}))
def readable_name(request: pytest.FixtureRequest) -> Iterator[str]:
    """The same, and of the targets that can only be read."""
    yield str(request.param)
    make_room()


@pytest.fixture
def engine_case(engine_name: str) -> Iterator[EngineCase]:
    """An open target of every engine that is here."""
    with CASES[engine_name]() as case:
        yield case


@pytest.fixture
def readable_case(readable_name: str) -> Iterator[EngineCase]:
    """The same, and the targets that can only be read."""
    with {**CASES, **READ_ONLY_CASES}[readable_name]() as case:
        yield case


@pytest.fixture(scope="session", autouse=True)
def _end_programs() -> Iterator[None]:
    yield
    close_all()


@pytest.fixture(scope="module")
def on_every_processor() -> Iterator[None]:
    """All processors for a file whose threads are to run at once."""
    with every_processor():
        yield


@pytest.fixture
def session() -> Iterator[pydbgwrite.Session]:
    """A simulated 64-bit target: 16 KiB at 0x10000, 4 KiB read-only at 0x20000."""
    with pydbgwrite.simulate([(0x10000, 0x4000), (0x20000, 0x1000, "r")]) as opened:
        yield opened


@pytest.fixture
def narrow() -> Iterator[pydbgwrite.Session]:
    """The same with 32-bit pointers."""
    regions = [(0x10000, 0x4000, "rw"), (0x20000, 0x1000, "r")]
    with pydbgwrite.simulate(regions, pointer_size=4) as opened:
        yield opened


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """One whose sessions are free of it in the end; it follows the session among the arguments."""
    made = Recorder()
    yield made
    for session in made.sessions:
        forget(session)
