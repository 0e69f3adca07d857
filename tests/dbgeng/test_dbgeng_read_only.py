"""writable=False on dbgeng, for each way to open a target: no write reaches the target."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from support.calls import ENGINE_CALLS, WRITING_CALLS
from support.dbgeng import OWN, needs_engine, process_server, server, target, write_dump

import pydbgwrite
from pydbgwrite import ReadOnlyError, Session

pytestmark = needs_engine

#: A session, and an address in its target that it can read, and write if writing is allowed.
Opened = tuple[Session, int | None]


@contextmanager
def attached(tmp_path: Path, *, invasive: bool) -> Iterator[Opened]:
    with (
        target() as child,
        pydbgwrite.attach(child.pid, invasive=invasive, writable=False) as session,
    ):
        yield session, child.base


@contextmanager
def wrapped(tmp_path: Path) -> Iterator[Opened]:
    with (
        target() as child,
        pydbgwrite.attach(child.pid) as whole,
        pydbgwrite.wrap(whole._interface_address(), writable=False) as session,
    ):
        yield session, child.base


@contextmanager
def launched(tmp_path: Path) -> Iterator[Opened]:
    with pydbgwrite.launch([sys.executable, "-c", "pass"], writable=False) as session:
        yield session, None
        session.terminate()


@contextmanager
def dumped(tmp_path: Path) -> Iterator[Opened]:
    path = tmp_path / "target.dmp"
    with target() as child:
        write_dump(child.pid, path)
        base = child.base
    with pydbgwrite.open_dump(path, writable=False) as session:
        yield session, base


@contextmanager
def connected(tmp_path: Path) -> Iterator[Opened]:
    with (
        target() as child,
        server(child.pid) as (_process, options),
        pydbgwrite.connect(options, writable=False) as session,
    ):
        yield session, child.base


@contextmanager
def attached_far_away(tmp_path: Path) -> Iterator[Opened]:
    with (
        target() as child,
        process_server() as (_process, options),
        pydbgwrite.process_server(options) as machine,
        machine.attach(child.pid, writable=False) as session,
    ):
        yield session, child.base


@contextmanager
def launched_far_away(tmp_path: Path) -> Iterator[Opened]:
    with (
        process_server() as (_process, options),
        pydbgwrite.process_server(options) as machine,
        machine.launch([sys.executable, "-c", "pass"], writable=False) as session,
    ):
        yield session, None
        session.terminate()


OPENINGS: dict[str, Callable[[Path], AbstractContextManager[Opened]]] = {
    "attach": lambda folder: attached(folder, invasive=False),
    "attach invasive": lambda folder: attached(folder, invasive=True),
    "wrap": wrapped,
    "launch": launched,
    "open_dump": dumped,
    "connect": connected,
    "process_server attach": attached_far_away,
    "process_server launch": launched_far_away,
}


@pytest.mark.parametrize("name", OPENINGS)
def test_every_write_is_refused(name: str, tmp_path: Path) -> None:
    with OPENINGS[name](tmp_path) as (session, base):
        assert session.writable is False
        for call in WRITING_CALLS:
            with pytest.raises(ReadOnlyError, match="nothing was written"):
                ENGINE_CALLS[call](session)
        if base is None:
            assert session.pointer_size == OWN
            return
        held = session.read_pointers(base, 4)
        with pytest.raises(ReadOnlyError):
            session.write_pointers(base, [1, 2], verify=True, expect=0)
        with pytest.raises(ReadOnlyError):
            session.write(base, b"12345678", expect=bytes(8))
        assert session.read_pointers(base, 4) == held
