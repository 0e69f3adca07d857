"""An exception of a signal handler propagates from work on a live process."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.libraries import compile_library, program_with
from support.pressing import count_places, press_at
from support.processes import Child64

import pydbgwrite
from pydbgwrite import AddressError, TargetAccessError
from pydbgwrite._symbols.resolver import Resolver

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Linux processes are for Linux"),
    # An exception between any two instructions may leave an object incomplete.
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
    ),
]


@pytest.fixture
def press(profile: str) -> Iterator[Callable[[Callable[[], object]], None]]:
    """Raise an OSError at each line of this work in turn; in the quick profile at some lines."""

    def at_lines(work: Callable[[], object]) -> None:
        work()
        lines = count_places(work)
        step = max(1, lines // (100 if profile == "full" else 15))
        # The number of lines may differ in another run: there may be fewer processes then.
        pressed = [
            press_at(line, work, OSError("of the handler")) for line in range(0, lines, step)
        ]
        assert sum(pressed) > 5

    yield at_lines
    gc.collect()


def test_resolving(press: Callable[[Callable[[], object]], None], tmp_path: Path) -> None:
    library = compile_library(tmp_path / "compiled.so")
    with program_with(library) as (pid, table), pydbgwrite.attach(pid) as session:

        def work() -> None:
            resolver = Resolver(session)
            assert resolver.resolve(f"{library.name}!table") == table
            with pytest.raises(AddressError):
                resolver.resolve(f"{library.name}!no_such_symbol")

        press(work)


def test_advice(press: Callable[[Callable[[], object]], None]) -> None:
    """The advice is about a process that another session holds."""
    with Child64() as child, pydbgwrite.attach(child.pid):

        def work() -> None:
            with pytest.raises(TargetAccessError):
                pydbgwrite.attach(child.pid)

        press(work)


def test_a_journal(press: Callable[[Callable[[], object]], None], tmp_path: Path) -> None:
    file = tmp_path / "a.journal"
    with Child64() as child, pydbgwrite.attach(child.pid) as session:

        def work() -> None:
            session.write(child.areas["rw"], b"before..")
            file.unlink(missing_ok=True)
            transaction = session.transaction(file)
            try:
                with transaction:
                    session.write(child.areas["rw"], b"12345678")
            finally:  # if the exception came before the transaction could see it
                transaction._abandon(KeyError())
            assert pydbgwrite.undo(file, session).restored == 8
            assert session.read(child.areas["rw"], 8) == b"before.."

        press(work)


def test_doctor(press: Callable[[Callable[[], object]], None]) -> None:
    from pydbgwrite.cli.doctor import linux, self_check

    press(linux.permissions)
    # The self-check starts processes, which takes a while; so the test presses one line of it.
    assert press_at(150, lambda: self_check.self_checks(None), OSError("of the handler"))
