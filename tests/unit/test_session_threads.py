"""Sessions refuse calls from other threads, from within other calls and from forked children."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import threading
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.calls import EVERY_CALL
from support.differences import LANE
from support.inputs import BASE, SIZE
from support.processes import Child64

import pydbgwrite
from pydbgwrite import Session, SessionBusyError, WrongThreadError, _core, simulate

pytestmark = pytest.mark.usefixtures("on_every_processor")
POSIX = pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")

ENDINGS: dict[str, Callable[[Session], object]] = {
    "close": lambda s: s.close(),
    "detach": lambda s: s.detach(),
    "terminate": lambda s: s.terminate(),
    "leave the with block": lambda s: s.__exit__(None, None, None),
}
CALLS = {**EVERY_CALL, **ENDINGS}
LONG = 400_000  # pointers: more than the first chunk, so that progress is called during the call


def outcome(call: Callable[[], object]) -> BaseException | None:
    """Return the exception that a call raises in another thread, or None."""
    caught: list[BaseException | None] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            caught.append(error)
        else:
            caught.append(None)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return caught[0]


@pytest.mark.parametrize("name", CALLS)
def test_another_thread(session: Session, name: str) -> None:
    session.write(BASE, b"before")
    error = outcome(lambda: CALLS[name](session))
    assert type(error) is WrongThreadError
    assert str(session.owner_thread) in str(error)
    assert not session.closed
    assert session.read(BASE, 6) == b"before"


@pytest.mark.parametrize("name", CALLS)
def test_another_thread_after_closing(session: Session, name: str) -> None:
    session.close()
    if name in ("leave the with block", "close"):
        assert outcome(lambda: CALLS[name](session)) is None  # closing again has no effect
        return
    assert type(outcome(lambda: CALLS[name](session))) is WrongThreadError


def test_attributes_answer_every_thread(session: Session) -> None:
    for name in ("pid", "target", "owner_thread", "writable", "closed", "engine", "data_spaces"):
        assert outcome(lambda name=name: getattr(session, name)) is None  # type: ignore[misc]


def test_a_session_opened_in_a_thread_belongs_to_it() -> None:
    opened: list[Session] = []

    def open_and_use() -> None:
        session = simulate([(BASE, 64)])
        session.write_pointers(BASE, [5])
        opened.append(session)

    assert outcome(open_and_use) is None
    with pytest.raises(WrongThreadError):
        opened[0].read(BASE, 8)
    with pytest.raises(WrongThreadError):
        opened[0].close()
    with pytest.warns(ResourceWarning):
        opened.clear()
        gc.collect()


@pytest.mark.parametrize("name", CALLS)
def test_within_a_progress_callback(name: str) -> None:
    with simulate([(BASE, 8 * LONG)]) as session:
        caught: list[BaseException] = []

        def progress(done: int, total: int) -> None:
            if name == "leave the with block" and session.closed:
                return
            with pytest.raises(SessionBusyError) as error:
                CALLS[name](session)
            caught.append(error.value)
            assert not session.closed
            assert session.writable

        assert session.write_pointers(BASE, range(LONG), progress=progress) == LONG
        assert len(caught) > 1
        assert session.read_pointers(BASE, into=memoryview(bytearray(8 * LONG)), progress=progress)
        assert session.write(BASE, bytes(8 * LONG), progress=progress)
        assert session.read(BASE, 8 * LONG, progress=progress) == bytes(8 * LONG)


@pytest.mark.parametrize("name", CALLS)
def test_within_index(session: Session, name: str) -> None:
    class Uses:
        def __index__(self) -> int:
            CALLS[name](session)
            return BASE

    uses: list[Callable[[], object]] = [
        lambda: session.write_pointers(Uses(), [1]),
        lambda: session.write_pointers(BASE, [Uses()]),
        lambda: session.write_pointers(BASE, iter([Uses()])),
        lambda: session.read_pointers(BASE, Uses()),
        lambda: session.read(BASE, Uses()),
        lambda: session.write(Uses(), b"x"),
        lambda: session.data_spaces.write_pointers_virtual(Uses(), [1]),
        lambda: session.data_spaces.read_virtual(BASE, Uses()),
        lambda: session.data_spaces.fill_virtual(BASE, Uses(), b"x"),
        lambda: session.data_spaces.search_virtual(BASE, Uses(), b"x"),
        lambda: session.data_spaces.query_virtual(Uses()),
        lambda: session.data_spaces.get_valid_region_virtual(BASE, Uses()),
    ]
    for use in uses:
        with pytest.raises(SessionBusyError):
            use()
        assert session.read(BASE, SIZE) == bytes(SIZE)


@POSIX
def test_within_a_signal_handler() -> None:
    """A signal handler that runs during a call can't use the session.

    The test is deterministic: the callback sends the signal, and C code runs the handler.
    """
    caught: list[BaseException] = []
    with simulate([(BASE, 8 * LONG)]) as session:

        def handler(number: int, frame: object) -> None:
            for name, call in CALLS.items():
                if name == "leave the with block":
                    continue
                with pytest.raises(SessionBusyError) as error:
                    call(session)
                caught.append(error.value)

        def progress(done: int, total: int) -> None:
            if not caught:
                os.kill(os.getpid(), signal.SIGUSR1)

        before = signal.signal(signal.SIGUSR1, handler)
        try:
            assert session.write_pointers(BASE, range(LONG), progress=progress) == LONG
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert len(caught) == len(CALLS) - 1
        assert session.read_pointers(BASE + 8 * (LONG - 1), 1)[0] == LONG - 1


def test_within_the_collector(session: Session) -> None:
    """A finalizer that the garbage collector runs during a call can't close the session."""
    caught: list[BaseException] = []

    class Dies:
        def __del__(self) -> None:
            try:
                session.close()
            except SessionBusyError as error:
                caught.append(error)

    class Collects:
        def __index__(self) -> int:
            gc.collect()
            return 5

    cycle: list[Any] = [Dies()]
    cycle.append(cycle)
    del cycle
    assert session.write_pointers(BASE, [1, Collects(), 3]) == 3
    assert len(caught) == 1
    assert list(session.read_pointers(BASE, 3)) == [1, 5, 3]


def test_after_any_failure_the_session_is_free_again(session: Session) -> None:
    for call in (
        lambda: session.write_pointers(BASE, [-1]),
        lambda: session.write_pointers(0, [1]),
        lambda: session.write_pointers(BASE, 5),  # type: ignore[arg-type]
        lambda: session.write_pointers(2**64 - 1, [1]),
        lambda: session.data_spaces.read_virtual(0, 8),
        lambda: session.data_spaces.query_virtual(-1),
        lambda: session.query(2**64 - 1),
    ):
        with pytest.raises((TypeError, ValueError, OverflowError, pydbgwrite.TargetAccessError)):
            call()
        assert session.write_pointers(BASE, [1]) == 1


def in_forked_child(call: Callable[[], object]) -> object:
    """Return the result or the exception of a call in a forked child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            try:
                answer: object = call()
            except BaseException as error:
                answer = error
            os.write(writing, pickle.dumps(answer))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pickle.loads(pipe.read())
    assert os.waitpid(child, 0)[1] == 0
    return answer


@POSIX
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("name", CALLS)
def test_a_forked_child(session: Session, name: str) -> None:
    answer = in_forked_child(lambda: CALLS[name](session))
    if name in ("close", "leave the with block"):
        assert answer is None
    else:
        assert type(answer) is WrongThreadError
        assert "parent process" in str(answer)
    assert not session.closed
    assert session.write_pointers(BASE, [1]) == 1


@POSIX
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_sees_a_closed_session(session: Session) -> None:
    def close_and_look() -> object:
        before = session.closed
        session.close()
        return before, session.closed, repr(session)

    assert in_forked_child(close_and_look) == (
        True,
        True,
        "<pydbgwrite.Session of simulated, closed>",
    )
    own = in_forked_child(lambda: list(simulate([(0, 8)]).read_pointers(0, 1)))
    assert own == [0]


@POSIX
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_reads_what_was_recorded() -> None:
    """A child reads a long transaction's temporary file while its parent reads and writes it."""
    size = 3 * _core.RECORDS_IN_MEMORY // 4  # a record has both old and new bytes
    with simulate([(BASE, size)]) as large, large.transaction() as t:
        for at in range(0, size, 4096):
            large.write(BASE + at, (at + 1).to_bytes(4, "little") * 1024)
        recorded = t.changes

        def all_right() -> bool:
            return all(
                recorded[each].new == (4096 * each + 1).to_bytes(4, "little") * 1024
                for each in [*range(size // 4096)] * 3
            )

        child = os.fork()
        if child == 0:
            right = False
            try:
                right = all_right()
            finally:
                os._exit(not right)
        try:
            assert all_right()
            for at in range(0, size, 4096):
                large.write(BASE + at, bytes([at % 251]) * 4096)
        finally:
            assert os.waitpid(child, 0)[1] == 0
        assert t.undo().complete
        assert large.read(BASE, size) == bytes(size)


@LINUX
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_and_a_live_process() -> None:
    """The parent's target stays stopped and usable when a child closes its copy or exits."""
    with Child64() as target:
        rw = target.areas["rw"]
        with pydbgwrite.attach(target.pid) as session:
            opened = [session]
            assert in_forked_child(session.close) is None
            assert type(in_forked_child(lambda: session.read(rw, 1))) is WrongThreadError
            assert in_forked_child(lambda: opened.clear()) is None
            assert in_forked_child(gc.collect) is not None
            assert session.write_pointers(rw, [0x4142434445464748]) == 1
            assert stopped(target.pid)
        assert target.read(rw, 8) == b"HGFEDCBA"


class Forker:
    """A callback that forks at its first call; the child waits until its parent lets it run."""

    def __init__(self) -> None:
        self.child: int | None = None
        self._go, self._say = os.pipe()

    def __call__(self, *unused: object) -> None:
        if self.child is None:
            self.child = os.fork()
            if self.child == 0:
                os.close(self._say)
                assert os.read(self._go, 1) == b"g"
            else:
                raise InterruptedError

    def __index__(self) -> int:
        self()
        return 1

    def let_go(self) -> int:
        """Let the child run; return its exit status."""
        assert self.child
        os.write(self._say, b"g")
        os.close(self._say)
        os.close(self._go)
        return os.waitpid(self.child, 0)[1]


def by_progress(session: Session, address: int, forker: Forker) -> object:
    return session.write_pointers(address, [1] * LONG, progress=forker)


def by_the_last_progress(session: Session, address: int, forker: Forker) -> object:
    return session.write_pointers(address, [1], progress=forker)


def by_reading(session: Session, address: int, forker: Forker) -> object:
    return session.read_pointers(address, LONG, progress=forker)


def by_index(session: Session, address: int, forker: Forker) -> object:
    return session.write_pointers(address, [forker] * 2)


def by_the_raw_layer(session: Session, address: int, forker: Forker) -> object:
    session.data_spaces.write_pointers_virtual(address, [forker] * 2)
    return None


def by_a_signal_handler(session: Session, address: int, forker: Forker) -> object:
    def signalled(done: int, total: int) -> None:
        if forker.child is None:
            signal.raise_signal(signal.SIGUSR1)

    previous = signal.signal(signal.SIGUSR1, forker)
    try:
        return session.write_pointers(address, [1] * LONG, progress=signalled)
    finally:
        signal.signal(signal.SIGUSR1, previous)


def by_the_recorder(session: Session, address: int, forker: Forker) -> object:
    session._set_recorder(forker, lambda: None)
    return session.write_pointers(address, [1] * LONG)


@LINUX
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("suspend", [True, False])
@pytest.mark.parametrize(
    "call",
    [
        by_progress,
        by_the_last_progress,
        by_reading,
        by_index,
        by_the_raw_layer,
        by_a_signal_handler,
        by_the_recorder,
    ],
)
def test_a_fork_in_the_middle_of_a_call(
    call: Callable[[Session, int, Forker], object], suspend: bool
) -> None:
    """The child's call raises and writes nothing into a target that its parent has released."""
    forker = Forker()
    with Child64(LONG * 8 // 4096 + 1) as target:
        rw = target.areas["rw"]
        session = pydbgwrite.attach(target.pid, suspend=suspend)
        try:
            call(session, rw, forker)
        except WrongThreadError as error:
            assert forker.child == 0
            os._exit(0 if "parent process" in str(error) else 2)
        except InterruptedError:
            assert forker.child
        finally:
            if forker.child == 0:
                os._exit(1)
        session._set_recorder(None, None)
        session.write(rw, bytes(LONG * 8))
        session.close()
        assert forker.let_go() == 0
        assert not any(target.read(rw, LONG * 8))


@LINUX
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_within_a_transaction(tmp_path: Path) -> None:
    """A child that leaves the `with` block does not change its parent's journal."""
    file = tmp_path / "a.journal"
    child: int | None = None

    def fork_once(done: int, total: int) -> None:
        nonlocal child
        if child is None:
            child = os.fork()
            if child:
                assert os.waitpid(child, 0)[1] == 0

    with Child64(LONG * 8 // 4096 + 1) as target:
        rw = target.areas["rw"]
        before = target.read(rw, LONG * 8)
        with pydbgwrite.attach(target.pid) as session:
            try:
                with session.transaction(file):
                    session.write_pointers(rw, [1] * LONG, progress=fork_once)
            except WrongThreadError as error:
                assert child == 0
                os._exit("cut short" in str(error.__notes__))
            finally:
                if child == 0:
                    os._exit(1)
            assert session.read_pointers(rw, LONG) == array("Q", [1]) * LONG
            assert pydbgwrite.read_journal(file).state == "committed"
            assert pydbgwrite.undo(file, session).complete
        assert target.read(rw, LONG * 8) == before


def stopped(pid: int) -> bool:
    """Return whether the process is in a stopped state."""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] in "tT"


@LINUX
def test_threads_with_sessions_of_their_own() -> None:
    """Each thread attaches, writes and detaches; the target processes hold the written values."""
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with Child64() as target:
                for turn in range(5):
                    with pydbgwrite.attach(target.pid, suspend=turn % 2 == 0) as session:
                        session.write_pointers(target.areas["rw"], [number * 100 + turn])
                    seen = target.read(target.areas["rw"], 8)
                    assert int.from_bytes(seen, "little") == number * 100 + turn
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_sessions_of_one_thread_are_independent() -> None:
    """A callback of one session may use another session."""
    with simulate([(0, 8 * LONG)]) as outer, simulate([(0, 64)]) as inner:
        seen: list[int] = []

        def progress(done: int, total: int) -> None:
            inner.write_pointers(0, [done])
            seen.append(inner.read_pointers(0, 1)[0])

        outer.write_pointers(0, range(LONG), progress=progress)
        assert seen[-1] == LONG
        assert seen == sorted(seen)


#: Linux reuses a thread's ident soon. Wine does so after its first 512, oldest first, and
#: withholds 256; for Windows no rule is documented.
THREADS = 200 if sys.platform == "linux" else 10_000
TOGETHER = 10  # more than the stacks of ended threads that a process keeps


def test_a_later_thread_with_the_same_ident_is_a_stranger() -> None:
    opened: list[pydbgwrite.Session] = []
    outcomes: set[str] = set()

    together = threading.Barrier(TOGETHER)

    def use() -> None:
        together.wait()  # so that each has its own stack and its own ident
        try:
            opened[0].write_pointers(0x1000, [1])
            outcomes.add("wrote")
        except pydbgwrite.WrongThreadError:
            outcomes.add("refused")

    def run(target: Callable[[], None], count: int) -> list[int | None]:
        threads = [threading.Thread(target=target) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [thread.ident for thread in threads]

    (owner,) = run(lambda: opened.append(pydbgwrite.simulate([(0x1000, 64)])), 1)
    came_back = any(owner in run(use, TOGETHER) for _ in range(THREADS // TOGETHER))
    assert outcomes == {"refused"}
    with pytest.warns(ResourceWarning):
        opened.clear()
    if not came_back and sys.platform == "win32" and not LANE:
        pytest.skip("no thread id came back, so this showed nothing")
    assert came_back, "no ident came back, so this showed nothing"


@pytest.mark.parametrize("wrong", [int, str, object(), pydbgwrite.DataSpaces])
def test_the_compiled_openers_take_only_a_session_type(wrong: object) -> None:
    with pytest.raises(TypeError, match="subclass"):
        pydbgwrite._core.simulate(wrong, [], 8, True)  # type: ignore[arg-type]
