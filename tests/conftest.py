"""Fixtures and profiles for the whole suite; support/cases.py has the engines that it tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from support import workers
from support.cases import CASES, READ_ONLY_CASES, EngineCase, close_all, make_room
from support.processors import every_processor
from support.recorder import Recorder, forget

import pydbgwrite

# A shell that starts pytest in the background makes it ignore SIGINT, and Python keeps that.
# The tests of Ctrl-C need the handler that Python has at a terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)

PROFILE = os.environ.get("PYDBGWRITE_TEST_PROFILE", "quick")

hypothesis.settings.register_profile("quick", max_examples=40, deadline=None)
# The state machine alone takes 2,000 (test_state_machine.py).
hypothesis.settings.register_profile("full", max_examples=200, deadline=None)
hypothesis.settings.load_profile(PROFILE)


# Files that take two seconds of processor time or more and are not the first to show a mistake;
# `make check` leaves them out.
SLOW = (
    *("test_c", "test_cli_history", "test_cli_progress", "test_cli_streams"),
    *("test_descriptors_owned", "test_docs_howto", "test_find_live", "test_journal_groups"),
    *("test_large_live", "test_linux_attach", "test_linux_hostile_files", "test_linux_kept_files"),
    *("test_linux_naming", "test_linux_undo_identity", "test_long_work", "test_mapped_files"),
    *("test_memory_leaks", "test_never_stuck_files", "test_patch_leaks", "test_patch_round_trip"),
    *("test_refusals", "test_report_browser", "test_scattered_live", "test_session_threads"),
    *("test_signal_handlers", "test_signal_handlers_live", "test_transactions"),
    *("test_undo_after_kill", "test_undo_cost"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow files, and sort files.

    Undo after a kill takes longest: it begins first, and beside it the programs in C. Files in
    which each test waits for the other worker come last: before, they would wait for that one.
    """
    for item in items:
        if item.path.stem in SLOW:
            item.add_marker(pytest.mark.slow)
    beside = {item.path for item in items if item.get_closest_marker("alone") is None}
    items.sort(key=lambda item: (item.path.stem != "test_undo_after_kill", item.path not in beside))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """If pytest-xdist runs several workers, a test marked "alone" waits for the others' tests."""
    with workers.room(alone=item.get_closest_marker("alone") is not None):
        yield


@pytest.fixture(scope="session")
def profile() -> str:
    """Return the profile in the environment variable PYDBGWRITE_TEST_PROFILE: "quick" or "full"."""
    return PROFILE


# The scope is the module, so that pytest runs all its tests over one engine before the next one:
# the connection of an earlier test can then be reused.
@pytest.fixture(scope="module", params=sorted(CASES))
def engine_name(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the name of each case in turn."""
    yield str(request.param)
    make_room()


@pytest.fixture(scope="module", params=sorted({**CASES, **READ_ONLY_CASES}))
def readable_name(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the name of each case in turn, including targets that can only be read."""
    yield str(request.param)
    make_room()


@pytest.fixture
def engine_case(engine_name: str) -> Iterator[EngineCase]:
    """Open a target of each available engine."""
    with CASES[engine_name]() as case:
        yield case


@pytest.fixture
def readable_case(readable_name: str) -> Iterator[EngineCase]:
    """Open a target of each available engine, including targets that can only be read."""
    with {**CASES, **READ_ONLY_CASES}[readable_name]() as case:
        yield case


@pytest.fixture(scope="session", autouse=True)
def _own_state_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the command line's journals out of the developer's own state folder."""
    folder = str(tmp_path_factory.mktemp("state"))
    os.environ.update(XDG_STATE_HOME=folder, LOCALAPPDATA=folder)


@pytest.fixture
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a test a state folder of its own; return where the journals will be."""
    folder = tmp_path / "state"
    folder.mkdir(0o700)
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(folder))
    return folder / "pydbgwrite" / "journals"


@pytest.fixture(scope="session", autouse=True)
def _end_programs() -> Iterator[None]:
    yield
    close_all()


@pytest.fixture(scope="module")
def on_every_processor() -> Iterator[None]:
    """Allow all processors for a file whose threads must run at the same time."""
    with every_processor():
        yield


@pytest.fixture
def session() -> Iterator[pydbgwrite.Session]:
    """A simulated 64-bit target: 16 KiB at 0x10000, 4 KiB read-only at 0x20000."""
    with pydbgwrite.simulate([(0x10000, 0x4000), (0x20000, 0x1000, "r")]) as opened:
        yield opened


@pytest.fixture
def narrow() -> Iterator[pydbgwrite.Session]:
    """The same target with 32-bit pointers."""
    regions = [(0x10000, 0x4000, "rw"), (0x20000, 0x1000, "r")]
    with pydbgwrite.simulate(regions, pointer_size=4) as opened:
        yield opened


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A recorder that its sessions drop at the end; it follows the session in the arguments."""
    made = Recorder()
    yield made
    for session in made.sessions:
        forget(session)
