"""Many threads at the same time: each with its own session, and all with one of another thread.

On a free-threaded CPython their calls run side by side, with one another and with what changes a
caller's list. Elsewhere they do as far as calls release the GIL.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import subprocess
import sys
import threading
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.calls import EVERY_CALL
from support.chance import chance as chance
from support.chance import rounds
from support.processes import Child64

import pydbgwrite
from pydbgwrite import Session, SessionBusyError, SessionClosedError, WrongThreadError, simulate
from pydbgwrite._core import FileDescriptor

THREADS = 16
BASE = 0x1000
POINTERS = 512
WORST = 2**64 - 1
HAS_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()  # 3.13 on
LONG = 400_000  # so many pointers that progress is called during the call


def side_by_side(*calls: Callable[[], object]) -> None:
    """Make each call in a thread of its own, all at once; raise the first exception."""
    failures: list[BaseException] = []
    together = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        together.wait()
        try:
            call()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def values_of(generator: random.Random) -> list[int]:
    return [generator.getrandbits(64) for _ in range(generator.randrange(1, 40))]


#: The forms of input that take different ways through the conversion.
FORMS: tuple[Callable[[list[int]], Any], ...] = (
    list,
    tuple,
    iter,
    lambda values: array("Q", values),
    lambda values: memoryview(array("Q", values)),
    lambda values: array("Q", values).tobytes(),
)


def use_own_session(seed: int, turns: int) -> None:
    """Write, read and undo at random, and compare with a list that is kept beside it."""
    generator = random.Random(seed)
    model = [0] * POINTERS
    with simulate([(BASE, POINTERS * 8)]) as session:
        for turn in range(turns):
            values = values_of(generator)
            at = generator.randrange(POINTERS - len(values))
            passed = FORMS[turn % len(FORMS)](values)
            if turn % 5 == 4:
                with session.transaction() as undone:
                    session.write_pointers(BASE + at * 8, passed)
                    assert undone.undo().complete
            else:
                assert session.write_pointers(BASE + at * 8, passed) == len(values)
                model[at : at + len(values)] = values
            assert session.read_pointers(BASE, POINTERS).tolist() == model


def test_each_with_its_own_session(profile: str, chance: random.Random) -> None:
    for _ in rounds(profile, quick=2, seconds=10):
        seeds = [chance.getrandbits(64) for _ in range(THREADS)]
        side_by_side(*(lambda seed=seed: use_own_session(seed, 30) for seed in seeds))


@pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")
def test_each_with_its_own_session_of_one_process() -> None:
    with Child64(POINTERS * 8 // 4096) as target:
        rw = target.areas["rw"]
        size = POINTERS // THREADS  # pointers of each thread

        def use(number: int) -> None:
            place = rw + number * size * 8
            for turn in range(20):
                with pydbgwrite.attach(target.pid, suspend=False) as session:
                    values = array("Q", [number << 32 | turn]) * size
                    session.write_pointers(place, values, verify=True)
                    assert session.read_pointers(place, size) == values

        side_by_side(*(lambda number=number: use(number) for number in range(THREADS)))
        held = array("Q", target.read(rw, POINTERS * 8))
        assert [held[number * size] for number in range(THREADS)] == [
            number << 32 | 19 for number in range(THREADS)
        ]


#: What a stranger may try; each is refused before the engine is touched.
MISUSES: tuple[Callable[[Session], object], ...] = (
    lambda session: session.write_pointers(BASE, [WORST]),
    lambda session: session.write_scattered([BASE], [WORST]),
    *EVERY_CALL.values(),
    lambda session: session.transaction().__enter__(),
    lambda session: session.terminate(),
    lambda session: session.close(),
)


def test_all_but_one_misuse_a_session(profile: str) -> None:
    """Each stranger's call raises WrongThreadError, and each of the owner's calls succeeds."""
    opened: list[Session] = []
    ready, over = threading.Event(), threading.Event()
    ended = threading.Barrier(THREADS)  # a stranger's close() of a closed session does nothing

    def own() -> None:
        with simulate([(BASE, LONG * 8)]) as session:
            opened.append(session)
            ready.set()
            try:
                for turn in rounds(profile, quick=6, seconds=5):
                    session.write_pointers(BASE, array("Q", [turn]) * 20_000, verify=True)
                    with session.transaction():
                        session.write_pointers(BASE, [turn, turn])
                    assert session.read_pointers(BASE, 4).tolist() == [turn] * 4
            finally:
                over.set()
                ended.wait()

    def misuse(number: int) -> None:
        try:
            assert ready.wait(60)
            turn = number
            while not over.is_set():
                with pytest.raises(WrongThreadError):
                    MISUSES[turn % len(MISUSES)](opened[0])
                assert (opened[0].pid, opened[0].target) == (None, "simulated")
                turn += 1
        finally:
            ended.wait()

    side_by_side(own, *(lambda number=number: misuse(number) for number in range(THREADS - 1)))
    assert opened[0].closed


def test_an_exit_ends_a_session_that_another_thread_uses(profile: str) -> None:
    """The owner's call succeeds before, and raises afterwards; it never enters a closed engine."""
    for _ in rounds(profile, quick=5 if HAS_GIL else 200, seconds=5):
        opened: list[Session] = []
        ready = threading.Event()

        def own(opened: list[Session] = opened, ready: threading.Event = ready) -> None:
            session = simulate([(BASE, POINTERS * 8)])
            opened.append(session)
            ready.set()
            with pytest.raises((SessionClosedError, SessionBusyError)):
                while True:
                    session.write_pointers(BASE, [1, 2])

        def end(opened: list[Session] = opened, ready: threading.Event = ready) -> None:
            assert ready.wait(60)
            while not opened[0].closed:  # it leaves a session alone that is in a call
                opened[0]._end_at_exit()

        side_by_side(own, end, end, end)  # one ends it; the others may have seen it open


@pytest.mark.skipif(sys.platform != "linux", reason="needs POSIX descriptors")
def test_of_many_threads_one_takes_a_descriptor(tmp_path: Path) -> None:
    """Two files of one number would close what another thread has opened since."""
    path = tmp_path / "file"
    path.touch()
    for _ in range(200):
        descriptor = FileDescriptor(os.open, path, os.O_RDONLY)
        taken: list[io.FileIO] = []

        def take(descriptor: Any = descriptor, taken: list[io.FileIO] = taken) -> None:
            with contextlib.suppress(ValueError):
                taken.append(descriptor.into_file("rb"))

        side_by_side(*[take] * 4)
        assert len(taken) == 1
        taken[0].close()


def test_a_list_that_other_threads_change(profile: str) -> None:
    """A write takes what the list held at one moment, or says that its size changed."""
    shared = [1] * 64
    over = threading.Event()
    kinds: set[type] = set()

    def change(filler: int) -> None:
        while not over.is_set():
            shared[:] = [filler] * 64
            shared.extend([filler] * 64)
            del shared[64:]

    def write() -> None:
        with simulate([(BASE, POINTERS * 8)]) as session:
            try:
                for _ in rounds(profile, quick=5 if HAS_GIL else 200, seconds=5):
                    try:
                        count = session.write_pointers(BASE, shared)
                    except RuntimeError as error:
                        assert "changed its size" in str(error)
                        kinds.add(type(error))
                        continue
                    kinds.add(int)
                    held = session.read_pointers(BASE, count).tolist()
                    assert set(held) <= {1, 2, 3}
                    assert len(held) in (64, 128, 192)  # each change is whole
            finally:
                over.set()

    side_by_side(write, lambda: change(2), lambda: change(3))
    assert int in kinds


def test_recorded_changes_are_read_while_they_grow() -> None:
    recorded: list[Any] = []
    ready, over = threading.Event(), threading.Event()

    def write() -> None:
        with simulate([(BASE, POINTERS * 8)]) as session, session.transaction() as transaction:
            recorded.append(transaction)
            ready.set()
            try:
                for turn in range(200):
                    session.write_pointers(BASE + turn * 8, [turn + 1])
            finally:
                over.set()

    def read() -> None:
        assert ready.wait(60)
        seen = 0
        while not over.is_set():
            changes = recorded[0].changes
            for number in range(seen, len(changes)):
                assert changes[number].address == BASE + number * 8
                assert changes[number].new == (number + 1).to_bytes(8, "little")
                seen = number + 1

    side_by_side(write, read, read)
    assert len(recorded[0].changes) == 200


def test_the_first_calls_at_once() -> None:
    """What a module keeps from the first call on is made by one of them."""
    code = (
        "import threading, pydbgwrite\n"
        "together, seen = threading.Barrier(8, timeout=60), []\n"
        "def use():\n"
        "    with pydbgwrite.simulate([(0, 64)]) as session:\n"
        "        together.wait()\n"
        "        session.write_pointers(0, iter([1, 2]))\n"
        "        session.write(0, memoryview(bytes(8)))\n"
        "        seen.append(session.read_pointers(0, 2).tolist())\n"
        "threads = [threading.Thread(target=use) for _ in range(8)]\n"
        "for each in threads: each.start()\n"
        "for each in threads: each.join()\n"
        "assert seen == [[0, 2]] * 8, seen\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


if not HAS_GIL:

    def test_importing_the_package_leaves_the_gil_off() -> None:
        code = "import sys, pydbgwrite, pydbgwrite._demo_target; assert not sys._is_gil_enabled()"
        subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=120)
