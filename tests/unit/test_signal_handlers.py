"""Any exception that a signal handler raises propagates, whatever the library is doing.

The library catches errors of the system, of files and of engines around nearly all its work. A
handler may raise errors of the same types for other reasons.
"""

from __future__ import annotations

import functools
import gc
import itertools
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from support.pressing import count_places, press_at

import pydbgwrite
from pydbgwrite import DebugEngineError, JournalError, PatchEntry, ScatteredEntry, _core
from pydbgwrite._signal_handlers import is_from_handler, not_from_handler

BASE = 0x10000


class Handlers:
    def method(self, number: int, frame: FrameType | None) -> None:
        raise OSError("of a method")

    def __call__(self, number: int, frame: FrameType | None) -> None:
        raise OSError("of an object")


def plain(number: int, frame: FrameType | None) -> None:
    raise OSError("of a function")


def deeper(number: int, frame: FrameType | None) -> None:
    plain(number, None)


def forgetful(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise OSError("of one that has deleted its arguments")


def starred(*_: object) -> None:
    raise OSError("of one with any arguments")


def once(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    raise OSError("of one that handles one signal")


@pytest.fixture(autouse=True)
def _ctrl_c() -> Iterator[None]:
    """Restore Ctrl-C: an exception within an exit of HeldInterrupts leaves that to the next one."""
    yield
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def terminated() -> Iterator[Callable[[Any], None]]:
    """Return a function that installs a signal handler and raises the signal."""
    before = signal.getsignal(signal.SIGTERM)

    def take(handler: Any) -> None:
        signal.signal(signal.SIGTERM, handler)
        signal.raise_signal(signal.SIGTERM)

    yield take
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    "handler",
    [
        plain,
        deeper,
        forgetful,
        starred,
        once,
        Handlers().method,
        Handlers(),
        functools.partial(lambda word, number, frame: plain(number, None), "word"),
    ],
    ids=lambda handler: getattr(handler, "__name__", type(handler).__name__),
)
def test_any_kind_of_handler(terminated: Callable[[Any], None], handler: Any) -> None:
    with pytest.raises(OSError, match="of ") as caught:
        try:
            terminated(handler)
        except not_from_handler(OSError):
            pytest.fail("taken for an error of the system")
    assert is_from_handler(caught.value)


def test_an_error_of_the_work_itself() -> None:
    caught = None
    try:
        Path("/nowhere/at/all").read_bytes()
    except not_from_handler(ValueError, FileNotFoundError) as error:
        caught = error
    assert caught is not None
    assert not is_from_handler(caught)


class Interrupted:
    """An iterable whose __iter__ raises a signal."""

    def __iter__(self) -> Iterator[int]:
        signal.raise_signal(signal.SIGTERM)
        return iter([1])


def test_while_an_argument_is_taken() -> None:
    """A TypeError that a handler raises is not reported as an error of the argument."""

    def handler(number: int, frame: FrameType | None) -> None:
        raise TypeError("of the handler")

    before = signal.signal(signal.SIGTERM, handler)
    try:
        with (
            pydbgwrite.simulate([(BASE, 0x1000)]) as target,
            pytest.raises(TypeError, match="of the handler"),
        ):
            target.write_pointers(BASE, Interrupted())
    finally:
        signal.signal(signal.SIGTERM, before)


# Each of the following is repeated, with a signal at each of its lines in turn.


def one_undo(folder: Path) -> Callable[[], object]:
    """Return an undo of a journal that has conflicts and covers a read-only region."""
    target = pydbgwrite.simulate([(BASE, 0x3000)])
    file = folder / "undo.journal"
    file.unlink(missing_ok=True)
    with target, target.transaction(file):
        target.write_pointers(BASE, [1, 2, 3])
        target.write_scattered([BASE + 0x100, BASE + 0x200], [4, 5])
        kept = file.read_bytes()
    journal = folder / "undone.journal"
    again = pydbgwrite.simulate([(BASE, 0x1000), (BASE + 0x1000, 0x1000, "r")])
    again._token = target._token

    def work() -> None:
        journal.write_bytes(kept)
        again.write_pointers(BASE, [1, 7, 3])
        report = pydbgwrite.undo(journal, again)
        assert report.restored == 16
        assert report.conflict_total == 1

    return work


def one_transaction(folder: Path) -> Callable[[], object]:
    """Return a transaction that is committed to a journal and one that is rolled back."""
    numbers = itertools.count()

    def work() -> None:
        # A new name each time: Windows removes no file that an exception's frames keep open.
        file = folder / f"{next(numbers)}.journal"
        with pydbgwrite.simulate([(BASE, 0x3000)]) as target:
            with target.transaction(file):
                target.write(BASE, b"12345678")
            with pytest.raises(ZeroDivisionError), target.transaction():
                target.write(BASE, b"abcdefgh")
                raise ZeroDivisionError
            assert target.read(BASE, 8) == b"12345678"
        assert pydbgwrite.read_journal(file).state == "committed"

    return work


def one_patch(folder: Path) -> Callable[[], object]:
    file = folder / "patch.toml"
    patch = pydbgwrite.Patch(
        [
            PatchEntry(BASE, [1, 2, 3], expect=0),
            PatchEntry(BASE + 0x1000, range(2000), file="pointers.npy"),
            ScatteredEntry([0x100, 0x80], 7, base=BASE, addresses_file="places.npy"),
        ]
    )

    def work() -> None:
        file.unlink(missing_ok=True)
        patch.save(file)
        loaded = pydbgwrite.Patch.load(file)
        with pydbgwrite.simulate([(BASE, 0x5000)]) as target:
            assert not loaded.preview(target).problems
            loaded.apply(target)
            assert target.read_pointers(BASE, 3)[2] == 3

    return work


def one_refused_patch(folder: Path) -> Callable[[], object]:
    file = folder / "wrong.toml"
    file.write_text('format = 1\n[[write]]\naddress = "0x10"\npointers = [-1, "0x y"]\n')

    def work() -> None:
        try:
            pydbgwrite.Patch.load(file)
        except pydbgwrite.PatchError as error:
            assert len(error.problems) == 2

    return work


def calls_by_name(folder: Path) -> Callable[[], object]:
    target = pydbgwrite.simulate([(BASE, 4096)])

    def work() -> None:
        target.write_pointers(BASE, [BASE + 64])
        target.write_pointers(f"[{BASE:#x}]", [f"[{BASE:#x}]+8", "5", f"[{BASE}]"])
        assert list(target.read_pointers(f"{BASE:#x}+64", 2)) == [BASE + 72, 5]
        for wrong in ("[[8]]+4", "nothing"):
            try:
                target.read(wrong, 8)
            except pydbgwrite.AddressError as error:
                assert str(error).startswith("address: ")

    return work


# An exception between two instructions may leave an incomplete object to the collector.
OBJECTS_LEFT = (
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)

WORKS = [one_undo, one_transaction, one_patch, one_refused_patch, calls_by_name]


@pytest.mark.filterwarnings(*OBJECTS_LEFT)
@pytest.mark.parametrize(
    "kind", [OSError, ValueError, JournalError, DebugEngineError], ids=lambda kind: kind.__name__
)
@pytest.mark.parametrize("make", WORKS, ids=lambda make: make.__name__)
def test_at_any_line(
    make: Callable[[Path], Callable[[], object]],
    kind: type[Exception],
    tmp_path: Path,
    profile: str,
) -> None:
    work = make(tmp_path)
    work()  # so that later runs import nothing
    lines = count_places(work)
    assert lines > 50
    step = max(1, lines // (300 if profile == "full" else 20))
    for line in range(0, lines, step):
        # A repeated run may execute a few lines fewer, so a signal at the last ones may not come.
        assert press_at(line, work, kind("of the handler")) or line > 0.95 * lines
        assert not [*tmp_path.rglob("*.tmp")]  # of files that are replaced as a whole
    gc.collect()


@pytest.mark.filterwarnings(*OBJECTS_LEFT)
def test_while_records_move_to_a_file(profile: str) -> None:
    """At any instruction of that, the write is undone: the file stays open if it has records."""
    size = _core.RECORDS_IN_MEMORY // 2 + (1 << 20)
    before, written = random.Random(7).randbytes(size), b"\x11" * size
    with pydbgwrite.simulate([(BASE, size)]) as session:

        def work() -> None:
            session.write(BASE, before)
            with session.transaction():
                session.write(BASE, written)

        work()  # so that later runs import nothing
        places = count_places(work, "opcode", "spool")
        assert places > 50
        for place in range(0, places, 1 if profile == "full" else 3):
            assert press_at(place, work, TimeoutError("of the handler"), "opcode", "spool")
            assert session.read(BASE, size) == before
    # The handler of an exit that was interrupted keeps a frame, and that a file.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.collect()
