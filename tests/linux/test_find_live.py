"""find_pointers on live Linux processes: blocks, pages, mappings, and targets that end."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest

if sys.platform != "linux":
    pytest.skip("for live Linux processes", allow_module_level=True)

import numpy
from support.child import PAGE
from support.libraries import ANSWERS, compile_program, running
from support.processes import Child64

from pydbgwrite import AddressError, Found, NoTargetError, Region, attach

BLOCK = 256 << 10
MAPS = (
    ANSWERS
    + """
#include <fcntl.h>
#include <stdlib.h>
static void *table[4] = {table, table + 1, 0, table};
int main(int n, char **v) { char line[9]; void *on_stack = table;
  long size = n > 2 ? atol(v[2]) : 0;
  int own = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, file = open(v[1], O_RDONLY);
  char *wide = mmap(0, size, PROT_READ | PROT_WRITE, own, -1, 0);
  char *two = mmap(0, 8192, PROT_READ | PROT_WRITE, own, -1, 0);
  char *of_file = mmap(0, 8192, PROT_READ, MAP_PRIVATE, file, 0);
  char *shared = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  void **heap = malloc(64);
  heap[0] = table;
  for (int i = 0; i < 8192; i++) two[i] = i * 37 + i / 256;
  if (n < 3 || mprotect(two + 4096, 4096, PROT_READ)) return 1;
  SAY("%lu %lu %lu %lu %lu %lu %lu\\n", NUMBER(wide), NUMBER(two), NUMBER(of_file), NUMBER(table),
      NUMBER(heap), NUMBER(&on_stack), NUMBER(shared));
  while (fgets(line, 9, stdin)) ;
  return 0; }
"""
)
GIB = 1 << 30


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Compile the program; return it, and the file that it maps."""
    folder = tmp_path_factory.mktemp("find")
    content = folder / "content"
    content.write_bytes(random.Random(1).randbytes(8192))
    return compile_program(folder / "finder", MAPS, "-D_GNU_SOURCE"), content


def memory_of(pid: int, field: str) -> int:
    """Return a number of /proc/PID/status, in KiB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition(f"{field}:")[2].split()[0])


@pytest.mark.alone
@pytest.mark.parametrize("suspend", [True, False])
def test_blocks_against_numpy(suspend: bool) -> None:
    """Pointers at every alignment around the borders of blocks are found, and no others."""
    size = 9 * BLOCK + 3 * PAGE
    chance = numpy.random.default_rng(7)
    data = chance.integers(0, 1 << 62, size // 8, dtype=numpy.uint64)
    wanted = chance.integers(0, 1 << 62, 500, dtype=numpy.uint64)
    with Child64(size // PAGE) as child, attach(child.pid, suspend=suspend) as session:
        start = child.areas["rw"]
        memory = bytearray(data.tobytes())
        for number, border in enumerate(range(0, size, BLOCK)):
            for shift in (-64, -8 + number % 8, 40):
                at = border + shift
                if 0 <= at <= size - 8:
                    memory[at : at + 8] = wanted[(number * 3 + shift) % 500].tobytes()
        session.write(start, memory)
        whole = range(start, start + size)
        for step in (8, 1):
            every = [
                (start + shift + 8 * int(index), int(words[index]))
                for shift in range(0, 8, step)
                for words in [numpy.frombuffer(memory, numpy.uint64, (size - shift) // 8, shift)]
                for index in numpy.nonzero(numpy.isin(words, wanted))[0]
            ]
            found = session.find_pointers(wanted, within=whole, aligned=step == 8)
            assert list(found) == sorted(every)
            assert len(found) > 15
            one = every[-1][1]
            found = session.find_pointers(one, within=whole, aligned=step == 8)
            assert list(found) == sorted(each for each in every if each[1] == one)
        words = numpy.frombuffer(memory, numpy.uint64)
        near = range(1 << 60, 1 << 61)
        inside = numpy.nonzero((words >= near.start) & (words < near.stop))[0]
        found = session.find_pointers(near, within=whole)
        assert numpy.array_equal(numpy.asarray(found.addresses), start + 8 * inside)
        assert numpy.array_equal(numpy.asarray(found.values), words[inside])
        few = session.find_pointers(near, within=whole, limit=len(found) - 1)
        assert few.limited
        assert few.addresses == found.addresses[:-1]
    assert numpy.asarray(found.addresses).dtype == numpy.uint64


def test_places_of_a_program(program: tuple[Path, Path]) -> None:
    path, content = program
    with running(path, content, 1 << 20) as (child, numbers), attach(child.pid) as session:
        _, _, _, table, heap, stack, _ = numbers
        found = session.find_pointers("finder!table")
        assert {table, table + 24, heap, stack} <= set(found.addresses)
        assert table + 8 not in found.addresses
        assert found.by_module()["finder"] >= 2
        kinds = found.by_kind()
        assert kinds["module data"] >= 2
        assert kinds["heap"] >= 1
        assert kinds["stack"] >= 1
        assert sum(kinds.values()) == len(found)
        module = next(each for each in session.modules() if each.name == "finder")
        assert list(session.find_pointers(table, within="finder").addresses) == [table, table + 24]
        assert list(session.find_pointers(table, within=module).addresses) == [table, table + 24]
        assert heap in session.find_pointers(table, within="<heap>").addresses
        assert stack in session.find_pointers(table, within="<stack>").addresses
        for name in ("heap", "[stack]"):
            meant = f"Do you mean '<{name.strip('[]')}>'"
            with pytest.raises(AddressError, match=f"no module .*{meant}"):
                session.find_pointers(table, within=name)
        (symbol,) = session.symbols("table", module="finder")
        assert symbol.size == 32
        inside = session.find_pointers(symbol, within="finder")
        assert list(inside.addresses) == [table, table + 8, table + 24]
        assert {*inside.addresses} <= {*session.find_pointers(module).addresses}
        assert {each.name for each in found.skipped} >= {"[vvar]"}
        assert "could not be read ([vvar]" in str(found)


def test_pages_never_touched_are_not_read(program: tuple[Path, Path]) -> None:
    path, content = program
    with running(path, content, 16 * GIB) as (child, numbers), attach(child.pid) as session:
        wide = numbers[0]
        places = [wide, wide + GIB + 8 * 511, wide + 16 * GIB - 8]
        for place in places:
            session.write_pointers(place, [0x1234567])
        # The upper half of a pointer can lie in a page that was never written.
        session.write(wide + 3 * GIB - 4, (0x7654321).to_bytes(4, "little"))
        resident, tables = memory_of(child.pid, "VmRSS"), memory_of(child.pid, "VmPTE")
        found = session.find_pointers([0x1234567, 0x7654321])
        assert list(found.addresses) == places
        found = session.find_pointers(0x7654321, within=range(wide, wide + 16 * GIB), aligned=False)
        assert list(found.addresses) == [wide + 3 * GIB - 4]
        assert found.searched == 16 * GIB
        assert found.skipped == []
        assert memory_of(child.pid, "VmRSS") - resident < 1024
        assert memory_of(child.pid, "VmPTE") - tables < 1024
        zeros = session.find_pointers(0, within=range(wide + 2 * PAGE, wide + 600 * PAGE))
        assert len(zeros) == 598 * PAGE // 8


def test_holes_of_shared_memory_stay_holes(program: tuple[Path, Path]) -> None:
    path, content = program
    with running(path, content, GIB) as (child, numbers), attach(child.pid) as session:
        shared = numbers[6]
        places = [shared + 8, shared + GIB // 2, shared + GIB - 8]
        for place in places:
            session.write_pointers(place, [0x1234567])
        before = memory_of(child.pid, "RssShmem")
        found = session.find_pointers(0x1234567, within=range(shared, shared + GIB))
        assert list(found.addresses) == places
        assert memory_of(child.pid, "RssShmem") == before
        assert found.searched + sum(each.size for each in found.skipped) == GIB


def test_a_file_in_memory_that_the_target_has_not_touched(program: tuple[Path, Path]) -> None:
    """Its data is searched, by who may look into map_files (proc(5)); its hole stays one."""
    with NamedTemporaryFile(dir="/dev/shm") as content:
        content.write(bytes(PAGE - 8) + (0x1234567).to_bytes(8, "little"))
        content.truncate(2 * PAGE)
        before = os.fstat(content.fileno()).st_blocks
        with running(program[0], content.name, PAGE) as (child, numbers):
            start, end = numbers[2], numbers[2] + 2 * PAGE
            may_look = os.access(f"/proc/{child.pid}/map_files/{start:x}-{end:x}", os.R_OK)
            with attach(child.pid) as session:
                found = session.find_pointers(0x1234567, within=range(start, end))
        assert list(found.addresses) == ([start + PAGE - 8] if may_look else [])
        assert (found.skipped == []) == may_look
        assert os.fstat(content.fileno()).st_blocks == before


def test_pointers_across_mappings_and_in_files(program: tuple[Path, Path]) -> None:
    path, content = program
    with running(path, content, 1 << 20) as (child, numbers), attach(child.pid) as session:
        _, two, of_file, *_ = numbers
        for shift in range(-9, 3):
            at, wanted = 4096 + shift, 0x123456789ABCDEF0 + shift
            session.write_pointers(two + at, [wanted])
            found = session.find_pointers(wanted, within=range(two, two + 8192), aligned=False)
            assert list(found) == [(two + at, wanted)]
        held = content.read_bytes()
        last = int.from_bytes(held[-8:], "little")
        found = session.find_pointers(last, within=range(of_file, of_file + 8192))
        assert list(found) == [(of_file + 8192 - 8, last)]
        assert found.by_kind() == {"file": 1}


def test_a_target_that_ends_and_one_that_is_interrupted(program: tuple[Path, Path]) -> None:
    path, content = program
    with running(path, content, 8 * GIB) as (child, numbers), attach(child.pid) as session:
        wide = numbers[0]
        session.write_pointers(wide, [1])
        where = range(wide, wide + 8 * GIB)

        def stop(done: int, total: int) -> None:
            assert 0 < done < total == 8 * GIB
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt) as stopped:
            session.find_pointers([0, 1], within=where, progress=stop)
        found: Found = stopped.value.found  # type: ignore[attr-defined]
        assert next(iter(found)) == (wide, 1)
        assert 1 < len(found) < GIB
        assert not found.complete
        found = session.find_pointers([0, 1], within=where, limit=1000)
        assert list(found.addresses) == [wide + 8 * index for index in range(1000)]
        assert found.limited

        def kill(done: int, total: int) -> None:
            os.kill(child.pid, signal.SIGKILL)

        with pytest.raises(NoTargetError) as ended:
            session.find_pointers([0, 1], within=where, progress=kill)
        assert ended.value.found.addresses[0] == wide  # type: ignore[attr-defined]
        assert "the read failed at 0x" in str(ended.value)
        assert "mapped" not in str(ended.value)


def test_memory_that_is_gone_is_skipped(program: tuple[Path, Path]) -> None:
    """A region of an earlier regions() that has changed since."""
    path, content = program
    with running(path, content, 1 << 20) as (child, numbers), attach(child.pid) as session:
        two = numbers[1]
        gone = Region(8 << 20, PAGE, "rw", "committed")
        found = session.find_pointers(5, within=[gone, range(two, two + PAGE)])
        assert found.skipped == [Region(8 << 20, PAGE, "none", "free")]
        assert found.searched == PAGE
