"""retarget on live Linux processes: the data of modules, and targets that end or change."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

if sys.platform != "linux":
    pytest.skip("for live Linux processes", allow_module_level=True)

from support.libraries import ANSWERS, compile_program, running

import pydbgwrite
from pydbgwrite import ExpectationError, NoTargetError, attach
from pydbgwrite._find.within import MemoryPlace

#: Each kind of place holds pointers to `old`, which `sum` reads through.
HOLDER = (
    ANSWERS
    + """
#include <stdlib.h>
static int old[2] = {1, 2}, new[2] = {100, 200};
static int *volatile in_data = old;
static int *const in_relro[2] = {old, old + 1};
static int *volatile in_bss;
static long thousand[1000];
int main(int n, char **v) { char line[9]; int *volatile on_stack = old;
  int *volatile *heap = malloc(8), *volatile *far = mmap(0, 4096, PROT_READ | PROT_WRITE,
    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  long *code = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  in_bss = *heap = *far = old;
  thousand[500] = NUMBER(old);
  SAY("%lu %lu %lu %lu %lu %lu %lu %lu %lu\\n", NUMBER(old), NUMBER(new), NUMBER(&in_data),
      NUMBER(in_relro), NUMBER(&in_bss), NUMBER(&thousand[500]), NUMBER(&on_stack), NUMBER(heap),
      NUMBER(far));
  while (fgets(line, 9, stdin)) {
    if (line[0] == 'x') execv(v[0], v);
    SAY("%d %d %d %d %d\\n", *in_data, *in_bss, *on_stack, **heap, **far); }
  return code == 0; }
"""
)


class Places(NamedTuple):
    """Addresses in the program."""

    old: int
    new: int
    in_data: int
    in_relro: int
    in_bss: int
    in_thousand: int
    on_stack: int
    heap: int
    far: int

    @property
    def data(self) -> list[int]:
        """Return where the program's data holds the address of `old`."""
        return sorted([self.in_data, self.in_relro, self.in_bss, self.in_thousand])


class Holder:
    """The running program."""

    def __init__(self, child: object, numbers: list[int]) -> None:
        self.child = child
        self.places = Places(*numbers)

    @property
    def pid(self) -> int:
        pid: int = self.child.pid  # type: ignore[attr-defined]
        return pid

    def ask(self, letter: str = "s") -> list[int]:
        """Return what the program reads through its pointers."""
        child = self.child
        child.stdin.write(f"{letter}\n")  # type: ignore[attr-defined]
        child.stdin.flush()  # type: ignore[attr-defined]
        return [int(each) for each in child.stdout.readline().split()]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retarget")
    return compile_program(folder / "holder", HOLDER, "-pie", "-fPIE", "-Wl,-z,relro,-z,now")


@contextmanager
def held(program: Path) -> Iterator[Holder]:
    with running(program) as (child, numbers):
        yield Holder(child, numbers)


def test_the_data_of_modules_by_default(program: Path) -> None:
    with held(program) as holder:
        places = holder.places
        with attach(holder.pid) as session:
            plan = session.retarget("holder!old", "holder!new", dry_run=True)
            assert list(plan.found.addresses) == places.data
            assert plan.found.by_module() == {"holder": 4}
            assert plan.found.by_kind() == {"module data": 4}
            every = {each.name for each in plan.found.regions}
            assert every <= {each.path for each in session.modules()}
            assert "w" not in session.query(places.in_relro).protection
            done = session.retarget("holder!old", "holder!new", expect_count=4)
            assert session.read_pointers(places.in_relro, 2)[1] == places.old + 4
            undone = session.read_pointers(places.on_stack, 1)[0]
            assert undone == places.old
        assert holder.ask() == [100, 100, 1, 1, 1]
        assert str(done).startswith("replaced 4 pointers in ")


def test_other_memory_is_named(program: Path) -> None:
    with held(program) as holder:
        places = holder.places
        with attach(holder.pid) as session:
            within: list[MemoryPlace] = ["holder", "<heap>", "<stack>", session.query(places.far)]
            done = session.retarget(places.old, places.new, within=within)
            assert {*places.data, places.on_stack, places.heap, places.far} <= {
                *done.found.addresses
            }
            assert done.found.by_kind()["module data"] == 4
        assert holder.ask() == [100] * 5


def test_a_range_is_shifted(program: Path) -> None:
    with held(program) as holder:
        places = holder.places
        with attach(holder.pid) as session:
            symbols = {name: session.symbols(name, module="holder")[0] for name in ("old", "new")}
            done = session.retarget(symbols["old"], symbols["new"], within="holder")
            pair = session.read_pointers(places.in_relro, 2)
            assert list(pair) == [places.new, places.new + 4]
            assert len(done) == 5
            assert done.patch is not None
            assert done.patch.undo(session).complete
        assert holder.ask() == [1] * 5


def test_a_journal_undoes_it_from_another_session(program: Path, tmp_path: Path) -> None:
    journal = tmp_path / "retarget.journal"
    with held(program) as holder:
        with attach(holder.pid) as session, session.transaction(journal):
            session.retarget("holder!old", "holder!new", expect_count=4)
        assert holder.ask() == [100, 100, 1, 1, 1]
        with attach(holder.pid) as session:
            assert pydbgwrite.undo(journal, session).complete
        assert holder.ask() == [1] * 5


def test_a_saved_patch_replaces_again(program: Path, tmp_path: Path) -> None:
    with held(program) as holder, attach(holder.pid) as session:
        plan = session.retarget("holder!old", "holder!new", dry_run=True)
        assert plan.patch is not None
        plan.patch.save(tmp_path / "plan.toml")
        loaded = pydbgwrite.Patch.load(tmp_path / "plan.toml")
        assert loaded == plan.patch
        assert loaded.apply(session, verify=True) == 4
        assert list(session.retarget("holder!old", 8, dry_run=True).found) == []
        assert loaded.undo(session).complete


def test_a_slot_that_changes_in_between_is_not_overwritten(program: Path) -> None:
    with held(program) as holder, attach(holder.pid, suspend=False) as session:
        places = holder.places

        def change(done: int, total: int) -> None:
            with attach(holder.pid, suspend=False) as other:
                other.write_pointers(places.in_bss, [places.old + 4])

        with pytest.raises(ExpectationError) as raised:
            session.retarget(places.old, places.new, progress=change)
        assert raised.value.mismatches == [(places.in_bss, places.old, places.old + 4)]
        assert holder.ask() == [1, 2, 1, 1, 1]


@pytest.mark.parametrize("how", ["kill", "exec"])
def test_a_target_that_ends_in_between(program: Path, how: str) -> None:
    with held(program) as holder, attach(holder.pid, suspend=False) as session:

        def end(done: int, total: int) -> None:
            if how == "kill":
                os.kill(holder.pid, signal.SIGKILL)
                os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
            else:
                holder.ask("x")  # the answer is the new program's line

        with pytest.raises(NoTargetError):
            session.retarget(holder.places.old, holder.places.new, progress=end)
        if how == "exec":
            assert holder.ask() == [1] * 5


def test_memory_that_goes_away_is_reported(program: Path) -> None:
    with held(program) as holder, attach(holder.pid) as session:
        places = holder.places
        gone = range(8 << 20, (8 << 20) + 4096)
        done = session.retarget(places.old, places.new, within=["holder", gone])
        assert [each.state for each in done.found.skipped] == ["free"]
        assert len(done) == 4


def test_a_program_with_a_fixed_address(tmp_path: Path) -> None:
    """It has constants that are not relocated in .rodata, which is left alone."""
    path = compile_program(tmp_path / "holder", HOLDER, "-no-pie", "-fno-pie")
    with held(path) as holder, attach(holder.pid) as session:
        places = holder.places
        done = session.retarget("holder!old", "holder!new")
        assert list(done.found.addresses) == [at for at in places.data if at != places.in_relro]


def test_the_data_is_that_of_the_sections(program: Path) -> None:
    """Each variable lies within the data, and no code does."""
    with held(program) as holder, attach(holder.pid) as session:
        data: list[tuple[int, int]] = []
        for each in session.retarget(1, 2, dry_run=True).found.regions:
            joins = data and data[-1][1] == each.base
            start = data.pop()[0] if joins else each.base
            data.append((start, each.base + each.size))
        for name in ("old", "in_data", "in_relro", "in_bss", "thousand"):
            (symbol,) = session.symbols(name, module="holder")
            end = symbol.address + symbol.size
            assert any(part[0] <= symbol.address and end <= part[1] for part in data), name
        main = session.resolve("holder!main")
        assert not any(start <= main < end for start, end in data)
