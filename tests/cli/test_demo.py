"""The demonstration, on real child processes: its proofs, and its reports of failures."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import POINTER

import pydbgwrite
from pydbgwrite import NoTargetError, _demo_target
from pydbgwrite._demo import retarget as demo_retarget
from pydbgwrite._demo import run as demo
from pydbgwrite._demo.process import DemoChild, DemoObjects, ObjectsChild
from pydbgwrite._demo.proof import (
    KINDS,
    ObjectsProof,
    Proof,
    expected_objects_proof,
    expected_proof,
    first_objects,
    original_table,
)
from pydbgwrite._demo.retarget import run_retarget
from pydbgwrite._demo.run import run_demo

LINUX_HERE = sys.platform == "linux"
LINUX = pytest.mark.skipif(not LINUX_HERE, reason="Linux processes")
LARGE = pytest.mark.skipif(
    sys.platform == "win32", reason="Linux processes: a large table takes seconds in the lane"
)

MASK = 2**64 - 1


def is_gone(pid: int) -> bool:
    """Return whether the process has ended, even if its parent has not collected its status."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return fields[0] in "ZX"


def becomes(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


class Meddler:
    """A session of the demo's child that fails before or after the write."""

    def __init__(
        self,
        session: pydbgwrite.Session,
        *,
        instead: Callable[[pydbgwrite.Session, int, Any], int] | None = None,
    ) -> None:
        self._session = session
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def write_pointers(self, address: int, table: Any, *, via: Any, progress: Any = None) -> int:
        if self._instead is not None:
            return self._instead(self._session, address, table)
        return self._session.write_pointers(address, table, via=via, progress=progress)


def meddle(
    monkeypatch: pytest.MonkeyPatch,
    *,
    before: Callable[[int], None] = lambda pid: None,
    instead: Callable[[pydbgwrite.Session, int, Any], int] | None = None,
    after: Callable[[int], None] = lambda pid: None,
) -> None:
    @contextmanager
    def attach(pid: int) -> Iterator[Meddler]:
        before(pid)
        with pydbgwrite.attach(pid) as session:
            yield Meddler(session, instead=instead)
        after(pid)

    monkeypatch.setattr(demo, "attach", attach)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


# ---- the expected report of the child -------------------------------------------------------


def plain_proof(functions: list[int]) -> Proof:
    """Return the result of expected_proof(), computed one place at a time."""
    checksum = 0
    for place, number in enumerate(functions):
        value = (place + (number + 1) * 0x9E3779B97F4A7C15) & MASK
        value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & MASK
        value = ((value ^ value >> 27) * 0x94D049BB133111EB) & MASK
        checksum = (checksum * 0x100000001B3 + (value ^ value >> 31)) & MASK
    replacements = sum(number >= KINDS for number in functions)
    return Proof(checksum, len(functions) - replacements, replacements)


@pytest.mark.parametrize("count", [1, 7, 8, 1000, (1 << 14) - 1, 1 << 14, (1 << 15) + 3])
def test_the_blockwise_sum_is_what_a_plain_loop_gives(count: int) -> None:
    chosen = random.Random(count)
    functions = [chosen.randrange(2 * KINDS) for _ in range(count)]
    assert expected_proof(np.array(functions, dtype=np.uint8)) == plain_proof(functions)


def test_order_counts() -> None:
    functions = original_table(100)
    swapped = functions.copy()
    swapped[[3, 4]] = swapped[[4, 3]]
    assert expected_proof(swapped).checksum != expected_proof(functions).checksum


@pytest.mark.parametrize("count", [1, 1000, 100_003])
def test_the_c_code_agrees(count: int) -> None:
    table = _demo_target.make_table(count)
    address, described = _demo_target.describe_table(table)
    assert described == count
    assert address % 8 == 0
    assert Proof(*_demo_target.call_table(table)) == expected_proof(original_table(count))


def test_all_functions_are_different() -> None:
    originals, replacements = _demo_target.function_addresses()
    assert len(originals) == len(replacements) == KINDS
    assert len({*originals, *replacements}) == 2 * KINDS


@pytest.mark.parametrize("count", [1, 9, 1000, 100_003])
def test_the_c_code_agrees_on_objects(count: int) -> None:
    objects = _demo_target.make_objects(count)
    address, size = _demo_target.describe_objects(objects)
    assert address % 8 == 0
    assert size == 16 * count
    proof = ObjectsProof(*_demo_target.call_objects(objects))
    assert proof == expected_objects_proof(first_objects(count))
    assert proof.checksum == plain_proof(first_objects(count).tolist()).checksum
    assert sum(proof.calls) == count
    assert proof.calls[2] == 0
    assert len(set(_demo_target.table_addresses())) == 3


@pytest.mark.parametrize(
    ("count", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (sys.maxsize // 2, MemoryError),
        (2**70, OverflowError),
    ],
)
def test_tables_of_impossible_sizes(count: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        _demo_target.make_table(count)
    with pytest.raises(error):
        _demo_target.make_objects(count)


def test_what_is_no_table() -> None:
    objects = _demo_target.make_objects(1)
    for function in (_demo_target.describe_table, _demo_target.call_table):
        for wrong in (object(), objects):
            with pytest.raises(ValueError):
                function(wrong)  # type: ignore[arg-type]
    for wrong in (object(), _demo_target.make_table(1)):
        with pytest.raises(ValueError):
            _demo_target.describe_objects(wrong)  # type: ignore[arg-type]
        with pytest.raises(ValueError):
            _demo_target.call_objects(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        _demo_target.make_table("8")  # type: ignore[arg-type]


# ---- the whole demonstration ----------------------------------------------------------------


@pytest.mark.parametrize("pointers", [1, 7, 1000, pytest.param(1_000_000, marks=LARGE)])
def test_a_table_is_rewritten_and_proven(pointers: int) -> None:
    result = run_demo(pointers)
    assert result.problem is None
    assert result.verified
    assert result.pointers == pointers
    assert result.bytes == POINTER * pointers
    assert result.before == expected_proof(original_table(pointers))
    assert result.after is not None
    assert (result.after.originals, result.after.replacements) == (0, pointers)
    assert result.after.checksum != result.before.checksum
    assert 0 < result.seconds < 60
    if LINUX_HERE:
        assert (result.engine, result.via) == ("embedded", "WritePointersVirtual")
    else:
        assert result.via == "WriteVirtual"
        assert re.fullmatch(r"dbgeng [\d.]+", result.engine)
    assert not LINUX_HERE or is_gone(result.pid)


@pytest.mark.parametrize("pointers", [1, 17, 1000, pytest.param(300_000, marks=LARGE)])
def test_objects_are_moved_to_another_table(pointers: int) -> None:
    result = run_retarget(pointers)
    assert result.problem is None
    assert result.verified
    assert result.pointers == pointers
    assert result.bytes == 16 * pointers
    assert result.before == expected_objects_proof(first_objects(pointers))
    assert result.before.calls[2] == 0
    assert result.after is not None
    assert result.after.calls == (0, 0, pointers)
    assert 0 < result.seconds < 60
    assert not LINUX_HERE or is_gone(result.pid)


def test_an_object_that_was_not_moved_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something changes one of them back, before the child proves what it holds."""

    class ChangedBack(ObjectsChild):
        proofs = 0

        def objects(self) -> DemoObjects:
            self.where = super().objects()
            return self.where

        def prove(self) -> ObjectsProof:
            if self.proofs == 1:
                with pydbgwrite.attach(self.pid) as session:
                    session.write_pointers(self.where.address, [self.where.tables[0]])
            self.proofs += 1
            return super().prove()

    monkeypatch.setattr(demo_retarget, "ObjectsChild", ChangedBack)
    result = run_retarget(100)
    assert not result.verified
    assert result.after is not None
    assert result.after.calls == (1, 0, 99)
    assert "expected checksum" in str(result.problem)


@pytest.mark.parametrize("pointers", [0, -1, 2**45])
def test_objects_of_impossible_numbers(pointers: int) -> None:
    with pytest.raises(ValueError, match=r"1 pointer or more|not enough memory"):
        run_retarget(pointers)


def test_each_run_writes_something_else() -> None:
    first, second = run_demo(1000), run_demo(1000)
    assert first.before == second.before
    assert first.after != second.after


@LINUX
def test_progress_reaches_the_end() -> None:
    seen: list[tuple[int, int]] = []
    run_demo(200_000, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (200_000, 200_000)
    assert seen == sorted(seen)


@pytest.mark.parametrize("pointers", [0, -1])
def test_too_few_pointers(pointers: int) -> None:
    with pytest.raises(ValueError, match=f"1 pointer or more, got {pointers}"):
        run_demo(pointers)


@pytest.mark.parametrize("pointers", [2**45, 2**80])
def test_more_pointers_than_memory(pointers: int) -> None:
    with pytest.raises(ValueError, match="not enough memory"):
        run_demo(pointers)


@LINUX
def test_a_child_without_room_for_its_table_says_so() -> None:
    with DemoChild(2**62) as child, pytest.raises(MemoryError, match="not enough memory"):
        child.table()


# ---- failed writes are not claimed ----------------------------------------------------------


def test_a_write_that_did_not_happen_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    meddle(monkeypatch, instead=lambda session, address, table: len(table))
    result = run_demo(1000)
    assert not result.verified
    assert result.after == result.before
    assert result.problem is not None
    assert "expected checksum" in result.problem


@pytest.mark.parametrize("place", [0, 500, 999])
def test_one_wrong_pointer_is_noticed(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    def write(session: pydbgwrite.Session, address: int, table: Any) -> int:
        changed = address + session.pointer_size * place
        original = session.read_pointers(changed, 1)
        written = session.write_pointers(address, table)
        session.write_pointers(changed, original)
        return written

    meddle(monkeypatch, instead=write)
    result = run_demo(1000)
    assert not result.verified
    assert result.after is not None
    assert (result.after.originals, result.after.replacements) == (1, 999)


@LINUX
def test_a_child_that_dies_of_what_was_written_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    meddle(
        monkeypatch,
        instead=lambda session, address, table: session.write_pointers(address, [8] * len(table)),
    )
    result = run_demo(1000)
    assert not result.verified
    assert result.after is None
    assert "ended" in str(result.problem)
    assert is_gone(result.pid)


@LINUX
def test_a_child_killed_before_it_is_attached_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(pid: int) -> None:
        kill(pid)
        assert becomes(lambda: is_gone(pid))

    meddle(monkeypatch, before=end)
    with pytest.raises(NoTargetError):
        run_demo(1000)


@LINUX
def test_a_child_killed_in_the_middle_of_the_write(monkeypatch: pytest.MonkeyPatch) -> None:
    children: list[int] = []
    meddle(monkeypatch, before=children.append)

    def end(done: int, total: int) -> None:
        if done < total:
            kill(children[0])
            assert becomes(lambda: is_gone(children[0]))

    with pytest.raises(NoTargetError) as caught:
        run_demo(4_000_000, progress=end)
    assert caught.value.written is None
    assert is_gone(children[0])


@LINUX
def test_a_child_killed_before_its_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    meddle(monkeypatch, after=kill)
    result = run_demo(1000)
    assert not result.verified
    assert result.after is None
    assert "SIGKILL" in str(result.problem)


@LINUX
def test_an_exception_leaves_no_child_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    children: list[int] = []
    meddle(monkeypatch, before=children.append)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_demo(1000, progress=stop)
    assert is_gone(children[0])


# ---- the child ------------------------------------------------------------------------------

KILLED_PARENT = """
import os, signal
from pydbgwrite._demo import run as demo
attach = demo.attach
def announced(pid):
    print(pid, flush=True)
    return attach(pid)
demo.attach = announced
demo.run_demo(1000, progress=lambda done, total: os.kill(os.getpid(), signal.SIGKILL))
"""


@LINUX
def test_the_child_does_not_outlive_a_parent_that_is_killed() -> None:
    parent = subprocess.run(
        [sys.executable, "-c", KILLED_PARENT], stdout=subprocess.PIPE, timeout=60, check=False
    )
    assert parent.returncode == -signal.SIGKILL
    child = int(parent.stdout)
    assert becomes(lambda: is_gone(child))


def test_the_child_alone_ends_with_its_input() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pydbgwrite._demo.child", "table", "5"],
        input="check\n\nsomething else\ncheck\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    ready, first, second = done.stdout.splitlines()
    assert '"count": 5' in ready
    assert first == second
