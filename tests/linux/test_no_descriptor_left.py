"""RLIMIT_NOFILE is reached at each step in turn: the error is clear, and nothing stays open."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.processes import Child64

import pydbgwrite
from pydbgwrite import Session

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes are for Linux")

EXITING = 0x4  # PF_EXITING of include/linux/sched.h, in field 9 of proc_pid_stat(5)


def descriptors() -> dict[str, str]:
    """Return the open descriptors of this process, by number."""
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the descriptor of the listing itself
            found[link.name] = str(link.readlink())
    return found


def threads() -> set[str]:
    """Return the threads of this process, except joined ones that are still listed as exiting."""
    found = set()
    for each in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # ended meanwhile
            flags = (each / "stat").read_text().rpartition(")")[2].split()[6]
            if int(flags) & EXITING == 0:
                found.add(each.name)
    return found


@contextmanager
def room_for(more: int) -> Iterator[None]:
    """Limit this process to that many more descriptors."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    fillers: list[int] = []
    highest = max(map(int, descriptors()))
    try:
        fillers.append(os.open("/dev/null", os.O_RDONLY))
        while fillers[-1] < highest:  # no number below is free
            fillers.append(os.open("/dev/null", os.O_RDONLY))
        resource.setrlimit(resource.RLIMIT_NOFILE, (fillers[-1] + 1 + more, before[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for each in fillers:
            os.close(each)


def attach(child: Child64, folder: Path) -> None:
    with pydbgwrite.attach(child.pid) as session:
        session.write_pointers(child.areas["rw"], [1])


def attach_running(child: Child64, folder: Path) -> None:
    with pydbgwrite.attach(child.pid, suspend=False) as session:
        session.write_pointers(child.areas["rw"], [1])


def launch(child: Child64, folder: Path) -> None:
    with pydbgwrite.launch(["/bin/true"]) as session:
        session.terminate()


def journal(child: Child64, folder: Path) -> None:
    path = folder / "a.journal"
    path.unlink(missing_ok=True)
    with pydbgwrite.attach(child.pid) as session:
        with session.transaction(path):
            session.write_pointers(child.areas["rw"], [1, 2, 3])
        assert pydbgwrite.read_journal(path).state == "committed"
        pydbgwrite.undo(path, session)


def resolve(child: Child64, folder: Path) -> None:
    with pydbgwrite.attach(child.pid) as session:
        library = next(each.name for each in session.modules() if each.name.startswith("libc."))
        assert session.resolve(f"{library}!puts") > 0


@pytest.mark.parametrize("work", [attach, attach_running, launch, journal, resolve])
def test_no_descriptor_left(
    work: Callable[[Child64, Path], None], tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    with Child64(anyone=True) as child:
        tasks = threads()
        work(child, tmp_path)  # the first run does all imports
        before = descriptors()
        failures: list[str] = []
        for room in range(40):
            try:
                with room_for(room):
                    work(child, tmp_path)
            except (OSError, pydbgwrite.Error) as error:
                failures.append(f"{type(error).__name__}: {error}")
            else:
                break
            assert descriptors() == before, failures[-1]
            status = Path(f"/proc/{child.pid}/status").read_text()
            assert "TracerPid:\t0\n" in status, failures[-1]
            assert child.read(child.areas["rw"], 8)  # the child runs
        else:
            pytest.fail(f"{failures[-1]}, with room for {room}")
        assert failures
        for each in failures:
            assert "Too many open files" in each or "RLIMIT_NOFILE" in each, each
        assert descriptors() == before
        assert threads() == tasks
    assert not recwarn.list


def symbol(session: Session, folder: Path) -> None:
    assert session.resolve("libc.so.6!puts") > 0


def transaction(session: Session, folder: Path) -> None:
    path = folder / "a.journal"
    path.unlink(missing_ok=True)
    with session.transaction(path):
        pass


@pytest.mark.parametrize("work", [symbol, transaction])
def test_an_open_session_goes_on(work: Callable[[Session, Path], None], tmp_path: Path) -> None:
    with Child64(anyone=True) as child:
        with pydbgwrite.attach(child.pid) as session:
            work(session, tmp_path)  # the first run does all imports
        before = descriptors()
        with pydbgwrite.attach(child.pid) as session:
            failures = []
            for room in range(40):
                try:
                    with room_for(room):
                        work(session, tmp_path)
                except (OSError, pydbgwrite.Error) as error:
                    failures.append(str(error))
                else:
                    break
            assert failures
            assert all("Too many open files" in each for each in failures)
            assert session.write_pointers(child.areas["rw"], [7]) == 1
        assert descriptors() == before
        assert child.read(child.areas["rw"], 8) == bytes([7, *bytes(7)])


def test_a_launch_that_cannot_read_the_status_of_the_program_fails() -> None:
    """A started program whose privileges can't be read is no program with all its privileges."""
    from pydbgwrite._opening.linux import _lost_privilege

    assert _lost_privilege(os.getpid()) == ""
    with (
        room_for(0),
        pytest.raises(OSError, match=f"Too many open files: '/proc/{os.getpid()}/status'"),
    ):
        _lost_privilege(os.getpid())
