"""Transactions under failures: Ctrl-C at any moment, full disks, lost pages, misuse."""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import random
import re
import signal
import stat
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from support.limits import limited

import pydbgwrite
from pydbgwrite import (
    DebugEngineError,
    JournalError,
    ReadOnlyError,
    Session,
    SessionBusyError,
    SessionClosedError,
    UndoError,
    WrongThreadError,
    simulate,
    testing,
)
from pydbgwrite._core import RECORD_BYTES, RECORDS_IN_MEMORY
from pydbgwrite._journal.files import memory_journal
from pydbgwrite._journal.log import JournalLog
from pydbgwrite._transactions import transaction
from pydbgwrite._transactions.ranges import Conflicts

BASE, SIZE = 0x100000, 6 << 20
LINUX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and limits")


class Oops(Exception):  # noqa: N818
    """The exception that the tests raise within a transaction."""


@pytest.fixture
def large() -> Iterator[Session]:
    """Open simulated memory that holds zeros."""
    with simulate([(BASE, SIZE), (BASE + SIZE, 0x1000, "r")]) as session:
        yield session


def resident() -> int:
    """Return how many bytes of this process are in RAM; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def untouched(session: Session) -> bool:
    return not any(session.read(BASE, SIZE))


def write_on_and_on(session: Session) -> None:
    """Write pointers until interrupted."""
    chance = random.Random(5)
    values = array("Q", chance.randbytes(3 << 20))
    while True:
        session.write_pointers(BASE, values)
        for _ in range(50):
            session.write_pointers(BASE + chance.randrange(SIZE - 64), [1, 2, 3])
        session.write_scattered([BASE + 8 * chance.randrange(1000) for _ in range(500)], range(500))


@LINUX
def test_ctrl_c_at_any_moment(large: Session, tmp_path: Path, profile: str) -> None:
    """The writes are rolled back after Ctrl-C at any moment, also if it is pressed twice."""
    for run in range(150 if profile == "full" else 15):
        chance = random.Random(run)
        file = tmp_path / f"{run}.journal" if chance.random() < 0.5 else None
        delays = [chance.random() * 0.1, *[chance.random() * 0.02] * chance.randrange(2)]
        begun = threading.Event()

        def press(delays: list[float] = delays, begun: threading.Event = begun) -> None:
            begun.wait()
            for delay in delays:
                until = time.monotonic() + delay
                while time.monotonic() < until:
                    pass
                os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=press)
        thread.start()
        t = large.transaction(file)
        with pytest.raises(KeyboardInterrupt) as caught:
            try:
                with t:
                    begun.set()
                    write_on_and_on(large)
            finally:
                while thread.is_alive():  # the second Ctrl-C may come here
                    thread.join(0.001)
        if t.report is None:
            # The second Ctrl-C came just before __exit__: the transaction is still open.
            with pytest.raises(SessionBusyError):
                large.close()
            t.__exit__(KeyboardInterrupt, caught.value, None)
        assert t.report is not None
        assert t.report.complete
        assert untouched(large)
        notes = [note for each in chain(caught.value) for note in getattr(each, "__notes__", [])]
        assert any("The transaction was undone" in note for note in notes) or not t.changes
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if file is not None:
            assert pydbgwrite.read_journal(file).state == "undone"
            file.unlink()


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its chain of contexts."""
    while error is not None:
        yield error
        error = error.__context__


@LINUX
def test_a_third_ctrl_c_stops_the_undo_which_says_what_remains(large: Session) -> None:
    """The first starts the undo, the second waits for its end, and the third stops it."""
    values = array("Q", [7]) * (2 << 17)
    t = large.transaction()
    with pytest.raises(KeyboardInterrupt) as caught, t:
        for place in range(3):
            large.write_pointers(BASE + (place << 21), values)
        log: Any = t._log
        load = log.load

        def interrupted(index: int) -> Any:
            if index == 2:
                signal.raise_signal(signal.SIGINT)  # the second waits
            if index == 1 and log.load is interrupted:
                log.load = load
                signal.raise_signal(signal.SIGINT)
            return load(index)

        log.load = interrupted
        raise KeyboardInterrupt
    report = t.report
    assert report is not None
    assert not report.complete
    assert report.restored > 0
    assert report.remaining
    text = "".join(note for each in chain(caught.value) for note in getattr(each, "__notes__", []))
    assert "NOT" in text
    for address, size, _ in report.remaining:
        assert any(large.read(address, size))
    assert t.undo().complete
    assert untouched(large)


@LINUX
def test_a_second_ctrl_c_waits_and_then_comes(large: Session) -> None:
    """Ctrl-C during an undo that another exception started is raised after a complete undo."""
    t = large.transaction()
    with pytest.raises(KeyboardInterrupt) as caught, t:
        large.write_pointers(BASE, [1, 2, 3])
        log: Any = t._log
        load = log.load

        def interrupted(index: int) -> Any:
            signal.raise_signal(signal.SIGINT)
            log.load = load
            return load(index)

        log.load = interrupted
        raise Oops("half-way")
    assert isinstance(caught.value.__context__, Oops)
    assert t.report is not None
    assert t.report.complete
    assert untouched(large)


@pytest.mark.parametrize("where", ["undo", "exit", "commit"])
@pytest.mark.parametrize("named", [False, True])
def test_an_undo_in_a_handler_that_interrupts(
    large: Session, tmp_path: Path, where: str, named: bool
) -> None:
    """It is refused during an undo or the commit, and the session records into no ended one."""
    refused: list[str] = []

    def handler(number: int, frame: FrameType | None) -> None:
        with pytest.raises(SessionBusyError) as caught:
            t.undo()
        refused.append(str(caught.value))

    before = signal.signal(signal.SIGINT, handler)
    try:
        t = large.transaction(tmp_path / "journal" if named else None)
        with contextlib.suppress(Oops), t:
            large.write_pointers(BASE, [1])
            log: Any = t._log
            step = "mark" if where == "commit" else "load"
            work = getattr(log, step)

            def interrupted(argument: int) -> Any:
                setattr(log, step, work)
                signal.raise_signal(signal.SIGINT)
                return work(argument)

            setattr(log, step, interrupted)
            if where == "exit":
                raise Oops
            if where == "undo":
                assert t.undo().complete
                large.write_pointers(BASE + 8, [2])
                assert t.changes[-1].address == BASE + 8
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(refused) == 1
    assert "being undone" in refused[0]
    assert t.undo().complete
    assert untouched(large)
    with contextlib.suppress(Oops), large.transaction() as later:  # no recorder was left
        large.write_pointers(BASE, [3])
        assert len(later.changes) == 1
        raise Oops
    assert untouched(large)


@pytest.mark.parametrize("call", [0, 1])
def test_ctrl_c_as_an_undo_takes_the_recorder_away_or_sets_it_again(
    large: Session, call: int
) -> None:
    """The transaction stays open, and records what is written after that."""
    left = call

    def press(frame: FrameType, event: str, function: Any) -> None:
        nonlocal left
        if event == "c_return" and function.__name__ == "_set_recorder":
            left -= 1
            if left < 0:
                sys.setprofile(None)
                signal.raise_signal(signal.SIGINT)

    with contextlib.suppress(Oops), large.transaction() as t:
        large.write_pointers(BASE, [1])
        sys.setprofile(press)
        try:
            with pytest.raises(KeyboardInterrupt):
                t.undo()
        finally:
            sys.setprofile(None)
        large.write_pointers(BASE + 8, [2])
        assert t.changes[-1].address == BASE + 8
        raise Oops
    assert left < 0
    assert untouched(large)


@pytest.mark.parametrize("make", [Conflicts, memory_journal])
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_before_an_object_has_what_it_closes(make: Callable[[], object]) -> None:
    """It ends quietly."""
    left, before = 0, sys.gettrace()

    def press(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal left
        if event == "line" and frame.f_code.co_name == "__init__":
            left -= 1
            if left < 0:
                sys.settrace(before)
                signal.raise_signal(signal.SIGINT)
        return press

    for number in itertools.count():
        left = number
        sys.settrace(press)
        try:
            make()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        if left >= 0:
            break
    assert number > 2


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("presses", [1, 2, 3])
def test_ctrl_c_while_the_temporary_file_is_opened(
    large: Session, monkeypatch: pytest.MonkeyPatch, presses: int, fails: bool
) -> None:
    """It is raised after the file is opened or has failed to open, and the file is closed.

    A file that stays open would cause a ResourceWarning.
    """
    opened = tempfile.TemporaryFile

    def opened_with_ctrl_c(**options: Any) -> Any:
        file = opened(**options)
        if fails:
            file.close()
        for _ in range(presses):
            signal.raise_signal(signal.SIGINT)
        return file

    monkeypatch.setattr(tempfile, "TemporaryFile", opened_with_ctrl_c)
    t = large.transaction()
    with pytest.raises(KeyboardInterrupt), t:
        for _ in range(RECORDS_IN_MEMORY // SIZE):
            large.write(BASE, b"x" * SIZE)
    gc.collect()
    assert t.report is not None
    assert t.report.complete
    assert untouched(large)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@LINUX
@pytest.mark.parametrize("limit", [300, 900, 5000, 40_000, 1 << 20, 5 << 20])
def test_a_disk_that_is_full(large: Session, tmp_path: Path, limit: int) -> None:
    """A write whose record does not fit is not made; the earlier writes are rolled back."""
    file = tmp_path / "a.journal"
    error: BaseException | None = None
    try:
        with limited(limit), large.transaction(file) as t:
            for count in (1, 10, 100, 1000, 10_000, 500_000):
                done = large.write_pointers(BASE + 8, range(1, count + 1))
                assert done == count
    except BaseException as caught:
        error = caught
    assert isinstance(error, JournalError)
    assert isinstance(error.__cause__, OSError)
    assert str(file) in str(error)
    assert untouched(large)
    if not file.exists():
        return  # even the start of the journal did not fit
    assert str(error).endswith(". These bytes were not written to the target")
    assert t.report is not None
    assert t.report.complete
    info = pydbgwrite.read_journal(file)
    assert pydbgwrite.undo(file, large).complete
    assert untouched(large)
    assert info.writes == len(t.changes)


@LINUX
@pytest.mark.parametrize("more", [0, 1, 31, 32, 60, 87])
def test_a_write_that_could_not_be_recorded_changes_nothing(
    large: Session, tmp_path: Path, more: int
) -> None:
    """The exception can be handled within the block; the transaction continues."""
    file = tmp_path / "a.journal"
    with large.transaction(file):
        large.write_pointers(BASE, [1])
        with limited(file.stat().st_size + more):
            with pytest.raises(JournalError, match="too large") as caught:
                large.write_pointers(BASE + 8, [2, 3])
            with pytest.raises(JournalError, match="too large"):
                large.write_scattered([BASE + 8, BASE + 24], [2, 3])
        assert getattr(caught.value, "written", None) == 0
        assert list(large.read_pointers(BASE, 4)) == [1, 0, 0, 0]
        large.write_pointers(BASE + 16, [4])
    assert pydbgwrite.read_journal(file).writes == 2
    assert pydbgwrite.undo(file, large).complete
    assert untouched(large)


@LINUX
def test_a_temporary_file_that_can_not_grow(large: Session) -> None:
    """The error names what is full, what it means, and what helps; what was written is undone."""
    values = array("Q", [7]) * (SIZE // 8)
    with pytest.raises(JournalError) as caught, limited(8 << 20), large.transaction() as t:
        for _ in range(RECORDS_IN_MEMORY // SIZE):
            large.write_pointers(BASE, values)
    assert re.fullmatch(
        r"the record of [\d,]+ bytes at 0x[\da-f]+ can't be written to a temporary file: "
        r"\[Errno \d+\] File too large\. These bytes were not written to the target\. "
        r"To record more, make room in the folder for temporary files, name another folder in the "
        r"environment variable TMPDIR, or pass journal=, a file on another disk",
        str(caught.value),
    )
    assert t.report is not None
    assert t.report.complete
    assert untouched(large)


def test_a_journal_that_is_cut_off_during_the_transaction(tmp_path: Path) -> None:
    """No note says that it has what an undo needs, and the session's end doesn't say "undone"."""
    path = tmp_path / "journal"
    with (
        pytest.raises(UndoError, match="could not be undone") as at_end,
        simulate([(BASE, 64)]) as s,
    ):
        with pytest.raises(Oops) as caught, s.transaction(journal=path):
            s.write_pointers(BASE, [1])
            os.truncate(path, 50)
            raise Oops
        assert list(s.read_pointers(BASE, 1)) == [1]
    for error in (caught.value, at_end.value):
        (note,) = error.__notes__
        assert "could NOT be undone" in note
        assert "was changed by another program" in note
        assert "all of it" not in note


def test_an_index_that_changes_do_not_have(large: Session) -> None:
    """The words are of changes, not of a range."""
    with large.transaction() as t:
        large.write_pointers(BASE, [1])
        with pytest.raises(IndexError, match="no change 99: 1 are recorded"):
            t.changes[99]
        with pytest.raises(TypeError, match="changes must be an integer or a slice, got str"):
            t.changes["a"]  # type: ignore[call-overload]


@LINUX
def test_a_commit_that_fails_undoes(large: Session, tmp_path: Path) -> None:
    file = tmp_path / "a.journal"
    t = large.transaction(file)
    t.__enter__()
    large.write_pointers(BASE, [1])
    with limited(file.stat().st_size + 40), pytest.raises(JournalError, match="too large"):
        t.__exit__(None, None, None)
    assert t.report is not None
    assert t.report.complete
    assert untouched(large)


def test_memory_stays_bounded(large: Session) -> None:
    """Beyond RECORDS_IN_MEMORY bytes the records are in a temporary file."""
    values = array("Q", bytes(range(1, 9))) * (SIZE // 8)
    with pytest.raises(Oops), large.transaction() as t:
        log = t._log
        assert log is not None
        large.write_pointers(BASE, values)
        assert log.records.file is None
        before = resident()
        for _ in range(9):
            large.write_pointers(BASE, values)
        assert resident() - before < 32 << 20
        assert log.records.file is not None
        assert os.fstat(log.records.file.fileno()).st_size > 100 << 20
        pieces = SIZE // RECORD_BYTES
        assert len(t.changes) == 10 * pieces
        assert t.changes[0].old == bytes(RECORD_BYTES)
        assert t.changes[-1].new == values.tobytes()[-RECORD_BYTES:]
        raise Oops
    assert untouched(large)


@pytest.mark.parametrize("end", ["commits", "undoes"])
def test_changes_that_are_kept_past_the_end(large: Session, tmp_path: Path, end: str) -> None:
    """They are read from the journal, as those that are asked for then."""
    path = tmp_path / "journal"
    with contextlib.suppress(Oops), large.transaction(journal=path) as t:
        large.write_pointers(BASE, [1, 2])
        large.write_pointers(BASE + 64, [3])
        recorded = t.changes
        before = list(recorded)
        if end == "undoes":
            raise Oops
    assert list(recorded) == recorded[:] == before == list(t.changes)
    assert "0x1" in recorded._repr_html_()  # type: ignore[attr-defined]


NOW: dict[str, Callable[[bytes], bytes | None]] = {
    "gone": lambda was: None,
    "another program's": lambda was: b"nothing",
    "empty": lambda was: b"",
    "cut off": lambda was: was[:-120],
    "changed": lambda was: was.replace(bytes([3, 0, 0, 0]), bytes([4, 0, 0, 0])),
    "changed in its header": lambda was: was.replace(b"pointer_size", b"pointer_sise"),
}


@pytest.mark.parametrize("now", NOW)
def test_changes_whose_journal_is(large: Session, tmp_path: Path, now: str) -> None:
    """Those that are asked for are not there; the message is a reader's, not an undo's."""
    path = tmp_path / "journal"
    with large.transaction(journal=path) as t:
        large.write_pointers(BASE, [1])
        large.write_pointers(BASE, [3])
        recorded = t.changes
    then = NOW[now](path.read_bytes())
    path.unlink()
    if then is not None:
        path.write_bytes(then)
    for each in (recorded, t.changes):
        with pytest.raises(OSError if now == "gone" else JournalError, match="journal") as caught:
            each[-1]
        assert not re.search(r"\b(undo|target)\b", str(caught.value))
        assert len(each) == 2


def test_changes_that_are_kept_hold_no_file(large: Session, tmp_path: Path) -> None:
    """On Windows an open journal could not be removed."""
    path = tmp_path / "journal"
    with large.transaction(journal=path) as t:
        large.write_pointers(BASE, [1])
        large.write_pointers(BASE + 64, [2])
        kept = t.changes
    before = list(kept)
    assert kept[1] == kept[-1] == before[1]
    assert list(reversed(kept)) == before[::-1]
    assert next(iter(t.changes)) == before[0]
    assert t.undo().complete
    assert list(kept) == before
    path.unlink()
    with pytest.raises(FileNotFoundError):
        kept[0]


def test_a_thread_that_reads_changes_while_the_transaction_ends(
    large: Session, tmp_path: Path
) -> None:
    """It may look at any moment."""
    transactions: list[Any] = []
    ready, over = threading.Event(), threading.Event()
    seen: list[object] = []

    def read() -> None:
        while not over.is_set():
            try:
                seen.extend(each.new for each in transactions[-1].changes)
            except Exception as error:
                seen.append(repr(error))
            ready.set()

    new = array("Q", range(4096))
    reader = threading.Thread(target=read)
    for number in range(100):
        with large.transaction(journal=tmp_path / f"{number}") as t:
            large.write_pointers(BASE, new)
            transactions.append(t)
            if not number:
                reader.start()
            ready.clear()
            ready.wait()
        other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)  # takes the handle's number
        os.close(other)
    over.set()
    reader.join()
    assert set(seen) == {new.tobytes()}


def test_another_journal_in_its_place(large: Session, tmp_path: Path) -> None:
    """The transaction whose journal is gone never reads or undoes that of another one."""
    path = tmp_path / "journal"
    with large.transaction(journal=path) as first:
        large.write_pointers(BASE, [1])
        kept = first.changes
    path.unlink()
    with large.transaction(journal=path) as second:
        large.write_pointers(BASE + 64, [2])
    for use in (lambda: first.changes[0], lambda: kept[0], first.undo):
        with pytest.raises(JournalError, match="another transaction's journal now"):
            use()
    assert [*large.read_pointers(BASE, 1), *large.read_pointers(BASE + 64, 1)] == [1, 2]
    assert second.undo().complete
    assert [*large.read_pointers(BASE, 1), *large.read_pointers(BASE + 64, 1)] == [1, 0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_changes_in_a_child_forked_with_no_descriptor_left(large: Session, tmp_path: Path) -> None:
    """It has no file of its own to read, and another file's bytes are never a record."""
    import resource

    with large.transaction(journal=tmp_path / "journal") as t:
        large.write_pointers(BASE, [1])
        kept = t.changes
        log = t._log
        assert log is not None
        number = log.fileno()
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
        child = os.fork()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        if not child:
            code = 1
            try:
                assert log.closed
                other = (tmp_path / "journal").read_bytes().replace(b"\1", b"\2")
                (tmp_path / "other").write_bytes(other)
                file = os.open(tmp_path / "other", os.O_RDONLY)
                os.dup2(file, number)
                code = 0 if [each.new[0] for each in kept] == [1] else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert kept[0].new[0] == 1


def test_another_thread_is_refused_while_the_transaction_begins(
    large: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It changes nothing of a transaction that the session's own thread begins meanwhile."""
    asked, begun = threading.Event(), threading.Event()
    refused: list[BaseException] = []

    def late() -> JournalLog:
        if threading.current_thread() is other:
            asked.set()
            begun.wait()
        return memory_journal()

    def intrude() -> None:
        try:
            large.transaction().__enter__()
        except BaseException as error:
            refused.append(error)
        asked.set()

    monkeypatch.setattr(transaction, "memory_journal", late)
    other = threading.Thread(target=intrude)
    other.start()
    asked.wait()
    with contextlib.suppress(Oops), large.transaction():
        begun.set()
        other.join()
        large.write_pointers(BASE, [1])
        with pytest.raises(SessionBusyError, match="do not nest"):
            large.transaction().__enter__()
        large.write_pointers(BASE + 8, [2])
        raise Oops
    assert [type(each) for each in refused] == [WrongThreadError]
    assert untouched(large)


def test_pages_that_are_lost_meanwhile(large: Session) -> None:
    """The remaining bytes are reported exactly; all others are rolled back."""
    values = array("Q", [9]) * 4096
    with pytest.raises(Oops) as caught, large.transaction() as t:
        large.write_pointers(BASE + 4, values)
        large.write_scattered([BASE + 0x20000, BASE + 0x20100], [5, 6])
        testing.fail_writes(large, BASE + 0x3010)
        testing.fail_reads(large, BASE + 0x5000)
        testing.fail_writes(large, BASE + 0x20100)
        raise Oops
    testing.clear(large)
    report = t.report
    assert report is not None
    assert not report.complete
    places = [(address, size) for address, size, _ in report.remaining]
    assert places == [
        (BASE + 0x3014, 0xFEC),  # 0x3010 to 0x3013 could not be written but hold the old bytes
        (BASE + 0x4FFC, 0x1008),
        (BASE + 0x20100, 8),
    ]
    assert "NOT" in caught.value.__notes__[-1]
    left = bytearray(large.read(BASE, SIZE))
    for address, size in places:
        left[address - BASE : address - BASE + size] = bytes(size)
    assert not any(left)
    assert t.undo().complete
    assert untouched(large)


def test_journals_are_made_with_care(large: Session, tmp_path: Path) -> None:
    file = tmp_path / "a.journal"
    with large.transaction(file):
        large.write_pointers(BASE, [1])
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    data = file.read_bytes()
    with pytest.raises(FileExistsError, match="never replaces a file"), large.transaction(file):
        pass
    assert file.read_bytes() == data
    with pytest.raises(FileNotFoundError), large.transaction(tmp_path / "no" / "such"):
        pass
    with pytest.raises(TypeError, match="durable"):
        large.transaction(file, durable=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="journal="):
        large.transaction(durable=True)
    for bad in ("", "a\0b"):
        with pytest.raises(ValueError, match="journal"):
            large.transaction(bad)
    with pytest.raises(TypeError):
        large.transaction(5)  # type: ignore[arg-type]
    large.write_pointers(BASE, [2])  # no transaction is still open


def test_durable_records_are_on_the_disk_first(
    large: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each record is synchronized to disk before its write is made, and the file's name once."""
    seen: list[tuple[bool, int]] = []
    name = "fdatasync" if hasattr(os, "fdatasync") else "fsync"
    real = getattr(os, name)

    def sync(descriptor: int) -> None:
        begun = hasattr(large, "_transaction") and large._transaction is not None
        seen.append((begun, stat.S_IFMT(os.fstat(descriptor).st_mode)))
        real(descriptor)

    monkeypatch.setattr(os, name, sync)
    with large.transaction(tmp_path / "a.journal", durable=True):
        large.write_pointers(BASE, [1])
        large.write_scattered([BASE + 100], [1])
    assert [each for each in seen if each[0]] == [(True, stat.S_IFREG)] * 3
    assert (False, stat.S_IFREG) in seen
    assert pydbgwrite.read_journal(tmp_path / "a.journal").durable
    seen.clear()
    with large.transaction(tmp_path / "b.journal"):
        large.write_pointers(BASE, [1])
    assert not seen


def test_misuse(large: Session, tmp_path: Path) -> None:
    file = tmp_path / "a.journal"
    with large.transaction(file):
        large.write_pointers(BASE, [1])
        with pytest.raises((SessionBusyError, JournalError)):
            pydbgwrite.undo(file, large)
    with simulate([(BASE, 64)], writable=False) as session:
        with pytest.raises(ReadOnlyError), session.transaction():
            pass
        with pytest.raises(ReadOnlyError):
            pydbgwrite.undo(file, session)
    with simulate([(BASE, SIZE)]) as other, pytest.raises(JournalError, match="another target"):
        pydbgwrite.undo(file, other)
    with pytest.raises(FileNotFoundError):
        pydbgwrite.undo(tmp_path / "none", large)
    with pytest.raises(TypeError, match="Session"):
        pydbgwrite.undo(file, 5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="progress"):
        pydbgwrite.undo(file, large, progress=5)  # type: ignore[arg-type]
    session = simulate([(BASE, 64)])
    t = session.transaction()
    session.close()
    with pytest.raises(SessionClosedError), t:
        pass
    with pytest.raises(SessionClosedError):
        pydbgwrite.undo(file, session)
    assert list(large.read_pointers(BASE, 1)) == [1]


def test_no_server_beside_a_transaction(large: Session) -> None:
    """A transaction would not see the writes of a server's clients, so serve() is refused.

    The opposite order can only be tested with a server.
    """
    with large.transaction():
        with pytest.raises(SessionBusyError, match="record the writes of"):
            large.serve("tcp:port=0,password=x")
        large.write_pointers(BASE, [1])
    with pytest.raises(DebugEngineError, match="E_NOTIMPL"):
        large.serve("tcp:port=0,password=x")
    with large.transaction():  # no server was started
        large.write_pointers(BASE, [2])


def test_another_thread(large: Session, tmp_path: Path) -> None:
    caught: list[BaseException] = []

    def work() -> None:
        for file in (None, tmp_path / "a.journal"):
            try:
                with large.transaction(file):
                    pass
            except WrongThreadError as error:
                caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(caught) == 2
    assert not (tmp_path / "a.journal").exists()
    with large.transaction():
        large.write_pointers(BASE, [1])


def test_a_session_that_ends_with_its_transaction_open() -> None:
    """The end of the session rolls back the writes, as after Ctrl-C just before __exit__."""
    with pytest.raises(Oops) as caught, simulate([(BASE, 64)]) as session:
        t = session.transaction()
        t.__enter__()
        session.write_pointers(BASE, [1])
        raise Oops
    assert t.report is not None
    assert t.report.complete
    assert "undone" in caught.value.__notes__[-1]
    with pytest.raises(UndoError) as failed, simulate([(BASE, 64)]) as session:
        t = session.transaction()
        t.__enter__()
        session.write_pointers(BASE, [1])
        testing.vanish(session)
    assert t.report is not None
    assert failed.value.undo_report is t.report
    assert not t.report.complete


def test_memory_of_a_target_that_has_ended_is_listed_in_few_ranges() -> None:
    """Each of the elements remains; there can be millions, and adjacent ones are one range."""
    count = 120_000
    with pytest.raises(UndoError) as failed, simulate([(BASE, 8 * count)]) as session:
        t = session.transaction()
        t.__enter__()
        session.write_scattered(range(BASE, BASE + 8 * count, 8), array("Q", [1]) * count)
        testing.vanish(session)
    report = failed.value.undo_report
    assert report is not None
    assert [each[:2] for each in report.remaining] == [(BASE, 8 * count)]


def test_a_pointer_of_which_a_part_is_lost() -> None:
    """Half of it can be read, and nothing of it is changed."""
    with simulate([(BASE, 0x2000)]) as session:
        with session.transaction() as t:
            session.write_pointers(BASE + 0xFFC, [1, 2])
        testing.fail_reads(session, BASE + 0x1000)
        report = t.undo()
        testing.clear(session)
        assert [each[:2] for each in report.remaining] == [(BASE + 0xFFC, 16)]
        assert list(session.read_pointers(BASE + 0xFFC, 2)) == [1, 2]


def test_a_million_pointers_are_undone_in_no_time(large: Session) -> None:
    """Whole blocks are undone, even if every second pointer conflicts: no loop takes minutes."""
    count = SIZE // 8
    with large.transaction() as t:
        large.write_pointers(BASE, range(1, count + 1))
    assert t.undo().restored == SIZE
    with large.transaction() as t:
        large.write_pointers(BASE, range(1, count + 1))
    large.write_scattered(range(BASE, BASE + SIZE, 16), array("Q", [5]) * (count // 2))
    report = t.undo()
    assert report.conflict_total == count // 2 - 1  # the transaction wrote 5 to one of them
    assert len(report.conflicts) == 100
    assert report.restored == SIZE // 2 + 8


@pytest.mark.parametrize("journal", [False, True])
@pytest.mark.parametrize("given", [True, False])
def test_an_undo_writes_as_the_transaction_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bool, journal: bool
) -> None:
    """After spans=False an undo writes no byte that was not named; nor does that of a journal."""
    calls: list[bool] = []
    write = Session.write_scattered

    def noted(self: Session, *arguments: Any, **options: Any) -> int:
        calls.append(options["spans"])
        return write(self, *arguments, **options)

    monkeypatch.setattr(Session, "write_scattered", noted)
    places = [BASE + 16 * i for i in range(20)]
    file = tmp_path / "a.journal" if journal else None
    with simulate([(BASE, 4096)]) as session:
        with pytest.raises(Oops), session.transaction(file):
            session.write_scattered(places, range(20), spans=True)
            session.write_scattered(places, range(20, 40), spans=given)
            raise Oops
        assert calls == [True, given, given, given]
        assert session.read(BASE, 4096) == bytes(4096)
        if file is not None:
            calls.clear()
            session.write_scattered(places, range(20), spans=True)
            assert pydbgwrite.undo(file, session, force=True).complete
            assert calls == [True, False]
            assert session.read(BASE, 4096) == bytes(4096)
