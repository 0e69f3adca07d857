"""The kept journals: names never collide, and none that an undo may need is removed."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.commands import Target, target
from support.pressing import count_places, press_at

import pydbgwrite
from pydbgwrite._journal import kept as kept_journals
from pydbgwrite._journal.kept import KeptJournals

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")
OLD = time.time() - 40 * 24 * 60 * 60


@pytest.fixture
def kept(state_folder: Path) -> Iterator[KeptJournals]:
    opened = KeptJournals(create=True)
    yield opened
    opened.close()


@pytest.fixture
def process() -> Iterator[Target]:
    with target() as started:
        yield started


def written(kept: KeptJournals, process: Target, *, undone: bool = False) -> Path:
    """Write in a transaction with a kept journal."""
    with pydbgwrite.attach(process.pid) as session:
        with session.transaction(kept.new()) as transaction:
            session.write_pointers(process.rw, [1])
        if undone:
            assert transaction.undo().complete
        assert transaction.journal is not None
        return Path(transaction.journal)


def there(state_folder: Path) -> set[str]:
    return {each.name for each in state_folder.iterdir()}


def age(path: Path, seconds: float = 0) -> None:
    os.utime(path, (OLD - seconds, OLD - seconds))


def test_numbers(kept: KeptJournals, session: pydbgwrite.Session, state_folder: Path) -> None:
    for _ in range(12):
        with session.transaction(kept.new()):
            session.write_pointers(0x10000, [1])
    numbers = [each.number for each in kept.newest_first()]
    assert numbers == list(range(12, 0, -1))
    assert [each.life for each in kept.newest_first()] == ["unknown"] * 12
    (state_folder / "999-0123.journal").write_bytes(b"")  # not a name of ours
    assert [each.number for each in kept.newest_first()] == numbers


def test_states(kept: KeptJournals, process: Target) -> None:
    written(kept, process, undone=True)
    written(kept, process)
    with pydbgwrite.attach(process.pid) as session, session.transaction(kept.new()):
        session.write_pointers(process.rw, [3])
        last, second, first = kept.newest_first()
        assert (last.in_use, second.in_use, first.in_use) == (True, False, False)
        states = [each.info.state if each.info else "" for each in (last, second, first)]
        assert states == ["open", "committed", "undone"]
        assert {each.life for each in (last, second, first)} == {"lives"}
    process.kill()
    assert {each.life for each in kept.newest_first()} == {"ended"}


def test_age(kept: KeptJournals, process: Target, state_folder: Path) -> None:
    """After 30 days the journals of processes that have ended go, and no others."""
    with target() as other:
        ended = written(kept, other)
    recent = written(kept, process)
    lives, undone = written(kept, process), written(kept, process, undone=True)
    for path in (ended, lives, undone):
        age(path)
    kept.make_room(0)
    assert there(state_folder) == {recent.name, lives.name, undone.name}


def test_count(
    kept: KeptJournals, process: Target, state_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_journals, "MOST", 4)
    lives = written(kept, process)
    undone = [written(kept, process, undone=True) for _ in range(2)]
    kept.make_room(0)
    assert there(state_folder) == {lives.name, *(each.name for each in undone)}
    with target() as other:
        ended = written(kept, other)
    kept.make_room(0)  # the oldest that is not needed goes
    assert there(state_folder) == {lives.name, undone[1].name, ended.name}
    needed = [lives, *(written(kept, process) for _ in range(3))]
    with pytest.raises(pydbgwrite.JournalError, match="5 of at most 4"):
        kept.make_room(0)
    assert there(state_folder) == {each.name for each in needed}


@LINUX
def test_size(
    kept: KeptJournals, process: Target, state_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = written(kept, process), written(kept, process, undone=True)
    size = first.stat().st_size + second.stat().st_size
    monkeypatch.setattr(kept_journals, "MOST_BYTES", size + 100)
    kept.make_room(100)
    assert there(state_folder) == {first.name, second.name}
    kept.make_room(101)
    assert there(state_folder) == {first.name}
    with pytest.raises(pydbgwrite.JournalError, match=f"at most {size + 100:,}"):
        kept.make_room(size)
    assert there(state_folder) == {first.name}


@LINUX
def test_what_is_about_to_be_used(
    kept: KeptJournals, process: Target, state_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files without a record are another command's that begins, until they are an hour old."""
    monkeypatch.setattr(kept_journals, "MOST", 1)
    empty = state_folder / "1-00000000.journal"
    empty.write_bytes(b"")
    empty.chmod(0o600)
    with pydbgwrite.attach(process.pid) as session, session.transaction(kept.new()) as begun:
        for _ in range(2):
            with pytest.raises(pydbgwrite.JournalError):
                kept.make_room(0)
        assert len(there(state_folder)) == 2
        age(empty)
        assert begun.journal is not None
        age(Path(begun.journal))
        with pytest.raises(pydbgwrite.JournalError):
            kept.make_room(0)  # it is in use still
        assert there(state_folder) == {Path(begun.journal).name}
    age(Path(begun.journal))
    kept.make_room(0)
    assert there(state_folder) == set()


def in_four_children(work: Callable[[], None]) -> None:
    """Do the work in four children at once; each must succeed."""
    children = []
    for _ in range(4):
        child = os.fork()
        if not child:
            code = 1
            try:
                work()
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4


@LINUX
def test_commands_at_once(
    state_folder: Path, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands make, undo and prune journals at once: none loses one that it needs."""
    monkeypatch.setattr(kept_journals, "MOST", 8)

    def work() -> None:
        for _ in range(500 if profile == "full" else 25):
            write_and_prune()

    in_four_children(work)
    assert len(there(state_folder)) <= 8 + 4  # each may have pruned before another made its own


@LINUX
def test_numbers_of_commands_at_once(state_folder: Path, profile: str) -> None:
    """Each journal has a number of its own, so that `undo NUMBER` names one."""
    KeptJournals(create=True).close()
    made = 200 if profile == "full" else 40

    def work() -> None:
        kept = KeptJournals(create=False)
        for _ in range(made):
            kept.new().create().close()

    in_four_children(work)
    numbers = [name.partition("-")[0] for name in there(state_folder)]
    assert len(set(numbers)) == len(numbers) == 4 * made


def test_claim_of_a_command_that_was_killed(kept: KeptJournals, state_folder: Path) -> None:
    claim = state_folder / "1.claim"
    claim.write_bytes(b"")
    place = kept.new()
    place.create().close()
    assert place.number == 2
    kept.make_room(0)
    assert claim.exists()  # its command may still make its journal
    age(claim)
    kept.make_room(0)
    assert not claim.exists()
    assert kept.numbered(1) is None
    found = kept.numbered(2)
    assert found is not None
    assert found.path == place.path


def write_and_prune() -> None:
    """Act as one command that writes, and one that undoes that."""
    kept = KeptJournals(create=True)
    with pydbgwrite.simulate([(0x10000, 4096)]) as session:
        kept.make_room(0)
        with session.transaction(kept.new()) as begun:
            session.write_pointers(0x10000, [1])
            assert begun.journal is not None
            assert Path(begun.journal).exists()
        assert pydbgwrite.read_journal(begun.journal).state == "committed"
        assert begun.undo().complete
    kept.close()


def descriptors() -> set[str]:
    return {each.name for each in Path("/proc/self/fd").iterdir()}


@LINUX
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.parametrize("file", ["_state_folder.py", "kept.py", "place.py"])
def test_handlers_that_raise(
    state_folder: Path, session: pydbgwrite.Session, profile: str, file: str
) -> None:
    """What a signal's handler raises goes on from any line, and leaves no descriptor open."""

    def work() -> None:
        kept = KeptJournals(create=True)
        kept.make_room(0)
        with session.transaction(kept.new()):
            session.write_pointers(0x10000, [1])
        for _ in zip(kept.newest_first(), range(3), strict=False):
            pass
        kept.close()

    work()
    open_before = descriptors()
    for place in range(0, count_places(work, file=file), 1 if profile == "full" else 31):
        press_at(place, work, OSError("of the handler"), file=file)
        gc.collect()
        assert descriptors() == open_before
    work()
    assert len(there(state_folder)) >= 2


@LINUX
def test_what_is_no_journal_stays(
    kept: KeptJournals, state_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_journals, "MOST", 1)
    for number, content in enumerate((b"nothing of the kind" * 10, b"PDBGWJNL" + bytes(50)), 1):
        path = state_folder / f"{number}-00000000.journal"
        path.write_bytes(content)
        path.chmod(0o600)
        age(path)
    (state_folder / "3-00000000.journal").symlink_to("/etc/passwd")
    before = there(state_folder)
    with pytest.raises(pydbgwrite.JournalError):
        kept.make_room(0)
    assert there(state_folder) == before
    assert all(each.fault and each.info is None for each in kept.newest_first())


@LINUX
@pytest.mark.parametrize(
    ("key", "value", "life"),
    [
        ("boot", "another", "ended"),
        ("machine", "another", "lives"),
        ("started", "1", "ended"),
        ("exec", "another", "replaced"),
        ("pid_namespace", "pid:[1]", "unknown"),
        ("target", "remote", "unknown"),
        ("pid", None, "unknown"),
        ("pid", 2**62, "unknown"),
    ],
)
def test_whether_a_process_lives(process: Target, key: str, value: object, life: str) -> None:
    from pydbgwrite._journal.process_life import life_of
    from pydbgwrite._journal.target_identity import describe_target

    with pydbgwrite.attach(process.pid) as session:
        header = describe_target(session)
    assert life_of(header) == "lives"
    assert life_of({**header, key: value}) == life
    if key == "boot":  # a home folder that several machines share
        assert life_of({**header, key: value, "machine": "another"}) == "unknown"
    process.kill()
    assert life_of(header) == "ended"


@LINUX
def test_a_process_that_nobody_has_waited_for(process: Target) -> None:
    from pydbgwrite._journal.process_life import life_of
    from pydbgwrite._journal.target_identity import describe_target

    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        with pydbgwrite.attach(child.pid) as session:
            header = describe_target(session)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert life_of(header) == "ended"


def test_journals_of_before_can_be_read(tmp_path: Path, session: pydbgwrite.Session) -> None:
    """The parts that were added to the header are optional."""
    from pydbgwrite._journal.files import open_to_read

    with session.transaction(tmp_path / "x.journal"):
        session.write_pointers(0x10000, [1])
    log = open_to_read(tmp_path / "x.journal")
    log.close()
    assert not {"command", "machine", "pid_namespace"} & set(log.header)
    assert pydbgwrite.read_journal(tmp_path / "x.journal").command == ""
