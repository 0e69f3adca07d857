"""writable=False: no write reaches the engine, however the session was opened.

The engine itself has no access for writing either.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest
from support.calls import ENGINE_CALLS, WRITING_CALLS
from support.processes import Child64

import pydbgwrite
from pydbgwrite import ReadOnlyError, Session, testing

BASE = 0x10000
LINUX = sys.platform == "linux"

Opening = Callable[[bool], AbstractContextManager[Session]]


def open_simulated(writable: bool) -> Session:
    return pydbgwrite.simulate([(BASE, 4096)], writable=writable)


@contextmanager
def open_live(writable: bool, suspend: bool) -> Iterator[Session]:
    with (
        Child64() as child,
        pydbgwrite.attach(child.pid, suspend=suspend, writable=writable) as session,
    ):
        yield session


@contextmanager
def open_launched(writable: bool) -> Iterator[Session]:
    with pydbgwrite.launch(["/bin/cat"], writable=writable) as session:
        yield session
        session.terminate()


@contextmanager
def open_wrapped(writable: bool) -> Iterator[Session]:
    """Wrap the engine of a session that is writable."""
    with (
        open_simulated(True) as whole,
        pydbgwrite.wrap(whole._interface_address(), writable=writable) as session,
    ):
        yield session


OPENINGS: dict[str, Opening] = {"simulate": open_simulated, "wrap": open_wrapped}
if LINUX:
    OPENINGS["attach"] = lambda writable: open_live(writable, True)
    OPENINGS["attach running"] = lambda writable: open_live(writable, False)
    OPENINGS["launch"] = open_launched

#: Calls that write, some with arguments that make them read as well.
WRITES: dict[str, Callable[[Session], object]] = {
    **{name: ENGINE_CALLS[name] for name in WRITING_CALLS},
    "verified": lambda s: s.write_pointers(BASE, [1], verify=True, expect=5),
    "verified bytes": lambda s: s.write(BASE, b"1", verify=True, expect=b"5"),
    "expected, scattered": lambda s: s.write_scattered([BASE], [1], expect=5),
    "nothing": lambda s: s.write_pointers(BASE, []),
}


@pytest.mark.parametrize("name", OPENINGS)
def test_every_write_is_refused(name: str) -> None:
    with OPENINGS[name](False) as session:
        assert session.writable is False
        for write in WRITES.values():
            with pytest.raises(ReadOnlyError, match="writable=False; nothing was written"):
                write(session)
        assert session.pointer_size == 8
        assert session.data_spaces.is_pointer_64bit()


def test_the_engine_is_not_asked() -> None:
    """A write raises ReadOnlyError even if the target has ended, which the engine would report."""
    with open_simulated(False) as session:
        testing.vanish(session)
        for write in WRITES.values():
            with pytest.raises(ReadOnlyError):
                write(session)
        with pytest.raises(pydbgwrite.NoTargetError):
            session.read(BASE, 1)


def descriptors() -> set[Path]:
    """Return the open descriptors of this process, as paths."""
    return set(Path("/proc/self/fd").iterdir())


def opened_for_writing(before: set[Path]) -> list[str]:
    """Return the names of files opened for writing, except descriptors that were open before."""
    found = []
    for each in descriptors() - before:
        try:
            name = each.readlink()
            about = Path("/proc/self/fdinfo", each.name).read_text()
        except FileNotFoundError:  # the descriptor of the listing itself
            continue
        flags = int(next(line for line in about.splitlines() if "flags" in line).split()[1], 8)
        # A pidfd or a pipe of the engine does not belong to the target.
        if name.is_absolute() and flags & os.O_ACCMODE != os.O_RDONLY:
            found.append(name.name)
    return found


@pytest.mark.skipif(not LINUX, reason="Linux processes have /proc")
@pytest.mark.parametrize("name", [name for name in OPENINGS if name not in ("simulate", "wrap")])
def test_nothing_is_opened_for_writing(name: str) -> None:
    for writable, wanted in ((True, ["mem"]), (False, [])):
        with ExitStack() as stack:
            if name.startswith("attach"):
                child = stack.enter_context(Child64())
                before = descriptors()
                session = stack.enter_context(
                    pydbgwrite.attach(child.pid, suspend=name == "attach", writable=writable)
                )
                session.read_pointers(child.areas["rw"], 100)
            else:
                before = descriptors()
                session = stack.enter_context(OPENINGS[name](writable))
            session.modules()
            assert opened_for_writing(before) == wanted


@pytest.mark.skipif(not LINUX, reason="for live Linux processes")
def test_another_session_over_it_can_not_write_either() -> None:
    """The engine can't write: its files of the target are open for reading only."""
    with (
        Child64() as child,
        pydbgwrite.attach(child.pid, writable=False) as session,
        pydbgwrite.wrap(session._interface_address()) as other,
    ):
        assert other.writable
        place = child.areas["rw"]
        before = other.read(place, 16)
        writes: list[Callable[[], object]] = [
            lambda: other.write_pointers(place, [1, 2]),
            lambda: other.write(place, b"12"),
            lambda: other.write_scattered([place] * 20, [1] * 20),
            lambda: other.data_spaces.fill_virtual(place, 16, b"1"),
        ]
        for write in writes:
            with pytest.raises(pydbgwrite.DebugEngineError):
                write()
        assert other.read(place, 16) == before
