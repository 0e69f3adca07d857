"""A signal handler that raises between the opening of a file and its use leaves nothing open."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from support.chance import chance, rounds
from support.libraries import compile_library, program_with
from support.pressing import count_places, press_at
from support.processes import Child64

import pydbgwrite
from pydbgwrite import Session
from pydbgwrite._core import FileDescriptor
from pydbgwrite._symbols.resolver import Resolver

__all__ = ["chance"]

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Linux processes are for Linux"),
    # A file that an exception frees is closed with a warning.
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
    ),
]


class PressedError(Exception):
    """What the handler raises."""


def descriptors() -> list[str]:
    """Return what the open descriptors of this process lead to."""
    gc.collect()
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the descriptor of the listing itself
            found.append(str(each.readlink()))
    return sorted(found)


def modules(session: Session, name: str, folder: Path) -> None:
    session.modules()


def resolve(session: Session, name: str, folder: Path) -> None:
    Resolver(session).resolve(f"{name}!table")


def no_symbol(session: Session, name: str, folder: Path) -> None:
    """Search the separate debug files, too."""
    with pytest.raises(pydbgwrite.AddressError):
        Resolver(session).resolve(f"{name}!no_such_symbol")


def names(session: Session, name: str, folder: Path) -> None:
    table = session.symbols("table", module=name)[0].address
    assert session.name(table) == f"{name}!table"
    assert session.import_slots(name)


def journal(session: Session, name: str, folder: Path) -> None:
    path = folder / "a.journal"
    path.unlink(missing_ok=True)
    table = Resolver(session).resolve(f"{name}!table")
    transaction = session.transaction(path)
    try:
        with transaction:
            session.write_pointers(table, [1, 2])
    finally:  # if the exception came before the transaction could see it
        transaction._abandon(KeyError())
    pydbgwrite.undo(path, session)


#: The files of the package that open files for this work; "" for all.
WORK = [
    (modules, "linux_"),
    (resolve, "linux_"),
    (no_symbol, "linux_"),
    (journal, "files"),
    (journal, "target_"),
]


@pytest.mark.parametrize(("work", "file"), WORK)
def test_at_each_instruction(
    work: Callable[[Session, str, Path], None],
    file: str,
    chance: random.Random,
    profile: str,
    tmp_path: Path,
) -> None:
    library = compile_library(tmp_path / "compiled.so", "-s")
    with program_with(library) as (pid, _), pydbgwrite.attach(pid) as session:

        def once() -> None:
            work(session, library.name, tmp_path)

        once()  # imports all
        before = descriptors()
        places = count_places(once, "opcode", file)
        for _ in rounds(profile, quick=4, seconds=10):
            place = chance.randrange(places)
            press_at(place, once, PressedError(), "opcode", file)
            assert descriptors() == before, f"instruction {place} of {file}*"


@pytest.mark.parametrize("work", [modules, resolve, names, journal])
def test_at_random_moments(
    work: Callable[[Session, str, Path], None],
    chance: random.Random,
    profile: str,
    tmp_path: Path,
) -> None:
    armed = False

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal armed
        if armed:
            armed = False
            raise PressedError

    library = compile_library(tmp_path / "compiled.so")
    handled = signal.signal(signal.SIGALRM, handler)
    try:
        with program_with(library) as (pid, _), pydbgwrite.attach(pid) as session:
            times = [time.perf_counter()]
            for _ in range(4):
                work(session, library.name, tmp_path)
                times.append(time.perf_counter())
            # The shortest: the machine may have been busy for a while.
            takes = min(end - begin for begin, end in pairwise(times))
            before = descriptors()
            pressed = 0
            for _ in rounds(profile, quick=10, seconds=10):
                armed = True
                try:
                    signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-5, takes))
                    work(session, library.name, tmp_path)
                    armed = False
                except PressedError:
                    pressed += 1
                signal.setitimer(signal.ITIMER_REAL, 0)
                assert descriptors() == before
            assert pressed
    finally:
        signal.signal(signal.SIGALRM, handled)


def test_a_descriptor_has_an_owner(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"contents")
    before = descriptors()
    with FileDescriptor(os.open, path, os.O_RDONLY) as owner:
        number = owner.fileno()
        assert os.read(number, 3) == b"con"
    owner.close()  # a second time does nothing
    with pytest.raises(ValueError, match="closed"):
        owner.fileno()
    with FileDescriptor(os.open, path, flags=os.O_RDONLY).into_file("rb") as file:
        assert file.read() == b"contents"
    FileDescriptor(os.open, path, os.O_RDONLY)
    folder = FileDescriptor(os.open, tmp_path, os.O_RDONLY)
    with pytest.raises(IsADirectoryError):
        folder.into_file("rb")
    os.fstat(folder.fileno())  # it still owns it
    folder.close()
    refused: list[Any] = [(), (os.open, tmp_path / "none", os.O_RDONLY), (str, "a word")]
    for arguments in refused:
        with pytest.raises((TypeError, OSError)):
            FileDescriptor(*arguments)
    assert descriptors() == before


def test_processes_are_left_alone(profile: str) -> None:
    """An exception while a process is opened leaves no descriptor of it."""
    with Child64() as child:

        def once() -> None:
            with pydbgwrite.attach(child.pid):
                pass

        once()
        before = descriptors()
        places = count_places(once, "opcode", "linux")
        for place in range(0, places, 1 if profile == "full" else 4):
            press_at(place, once, PressedError(), "opcode", "linux")
            assert descriptors() == before, place
