"""find_pointers where memory is odd: guards, holes, older kernels, and memory that changes."""

from __future__ import annotations

import errno
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("for live Linux processes", allow_module_level=True)

from support.child import PAGE
from support.libraries import ANSWERS, compile_program, running

from pydbgwrite import Region, Session, attach

MOST_MAPPINGS = Path("/proc/sys/vm/max_map_count")
TESTS = next(each for each in Path(__file__).parents if (each / "support").is_dir())
WANTED = 0x1234567
#: Pages of each area.
SOME, MANY = 64, 8_000
PROGRAM = (
    ANSWERS
    + """
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif
enum { WANTED = 0x1234567, SOME = 64, MANY = 8000 }; /* arguments: pages of many; "change" */
static long page;
static void fill(char *at) {
  for (long i = 0; i < page; i += 8) *(unsigned long *)(at + i) = WANTED; }
static char *map(char *at, long pages, int rights, int flags) {
  char *mapped = mmap(at, pages * page, rights, flags | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) exit(1);
  return mapped; }
/* Pages appear and go. */
static void *change(void *area) {
  for (unsigned long i = 0;; i++) {
    char *at = (char *)area + i % SOME * page;
    fill(map(at, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED));
    at = (char *)area + (i + 7) % SOME * page;
    map(at, 1, i % 2 ? PROT_NONE : PROT_READ, MAP_PRIVATE | MAP_FIXED); }
  return 0; }
int main(int n, char **v) { char line[9]; pthread_t thread; int rw = PROT_READ | PROT_WRITE;
  char *odd, *shared, *changing, *many; int guards, count = n > 1 ? atoi(v[1]) : MANY;
  page = sysconf(_SC_PAGESIZE);
  odd = map(0, 7, rw, MAP_PRIVATE);
  for (int i = 0; i < 7; i += 2) fill(odd + i * page);
  fill(odd + 5 * page);
  guards = madvise(odd + 3 * page, page, MADV_GUARD_INSTALL) == 0;
  shared = map(0, 2, rw, MAP_SHARED);
  fill(shared);
  if (fork() == 0) { while (fgets(line, 9, stdin)) ; return 0; } /* it runs on */
  changing = map(0, SOME, PROT_NONE, MAP_PRIVATE);
  many = map(0, count, PROT_NONE, MAP_PRIVATE);
  for (int i = 0; i < count; i += 2)
    if (mprotect(many + i * page, page, rw)) return 1;
  fill(many + (count - 2) * page);
  if (mprotect(odd + page, page, PROT_NONE) || mprotect(odd + 5 * page, page, PROT_NONE)) return 1;
  if (n > 2 && pthread_create(&thread, 0, change, changing)) return 1;
  SAY("%lu %lu %lu %lu %d\\n", NUMBER(odd), NUMBER(shared), NUMBER(changing), NUMBER(many), guards);
  while (fgets(line, 9, stdin)) ;
  return 0; }
"""
)

OLDER = f"""
import json, sys
sys.path.insert(0, {str(TESTS)!r})
import pydbgwrite
from support import sandbox
pid, number, wanted, ranges = json.loads(sys.argv[1])
sandbox.deny({{number: {errno.ENOTTY}}})
with pydbgwrite.attach(pid) as session:
    found = session.find_pointers(wanted, within=[range(*each) for each in ranges])
    print(json.dumps([list(found.addresses), found.skipped, found.searched]))
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the program."""
    return compile_program(
        tmp_path_factory.mktemp("find") / "odd", PROGRAM, "-D_GNU_SOURCE", "-pthread"
    )


@contextmanager
def started(
    program: Path, *words: object, suspend: bool = True
) -> Iterator[tuple[Session, list[int]]]:
    with running(program, *words) as (child, numbers), attach(child.pid, suspend=suspend) as one:
        yield one, numbers


def pages(start: int, count: int) -> range:
    return range(start, start + count * PAGE)


def words_of(start: int, *numbers: int) -> list[int]:
    """Return the addresses of all words of these pages."""
    return [at for number in numbers for at in pages(start + number * PAGE, 1)[::8]]


def test_what_can_not_be_read_is_reported(program: Path) -> None:
    with started(program) as (session, (odd, *_, guards)):
        found = session.find_pointers(WANTED, within=pages(odd, 7))
        assert list(found.addresses) == words_of(odd, 0, 2, 4, 6)
        none = [(odd + number * PAGE, PAGE, "none") for number in (1, 5)]
        skipped = [(each.base, each.size, each.protection) for each in found.skipped]
        assert [each for each in skipped if each[2] == "none"] == none
        # A guard is no mapping of its own: a read finds it, unless its zeros are not wanted.
        assert {each[0] for each in skipped} - {each[0] for each in none} <= {odd + 3 * PAGE}
        assert found.searched + sum(each.size for each in found.skipped) == 7 * PAGE
        zeros = session.find_pointers(0, within=pages(odd, 7))
        if guards:
            assert len(zeros) == 0
            assert Region(odd + 3 * PAGE, PAGE, "rw", "committed") in zeros.skipped
        else:
            assert list(zeros.addresses) == words_of(odd, 3)


def test_memory_shared_with_a_process_that_runs(program: Path) -> None:
    with started(program) as (session, (_, shared, *_)):
        found = session.find_pointers(WANTED, within=pages(shared, 1))
        assert list(found.addresses) == words_of(shared, 0)
        assert found.skipped == []


@contextmanager
def mappings(count: int) -> Iterator[int]:
    """Let processes have that many mappings meanwhile; yield how many they can have."""
    usual = int(MOST_MAPPINGS.read_text())
    raised = os.geteuid() == 0 and os.access(MOST_MAPPINGS, os.W_OK) and usual < count
    if raised:
        MOST_MAPPINGS.write_text(str(count))
    try:
        yield count if raised else min(count, usual)
    finally:
        if raised:
            MOST_MAPPINGS.write_text(str(usual))


# Alone, since other tests read the limit of mappings.
LARGE = [pytest.param(200_000, marks=pytest.mark.alone)]
COUNTS = [MANY, *(LARGE if os.environ.get("PYDBGWRITE_TEST_PROFILE") == "full" else [])]


@pytest.mark.parametrize("wanted", COUNTS)
def test_many_regions(program: Path, wanted: int) -> None:
    with mappings(wanted + 400) as most:
        count = min(wanted, most - 400)
        with started(program, count) as (session, (_, _, _, many, _)):
            found = session.find_pointers(WANTED, within=pages(many, count))
            assert list(found.addresses) == words_of(many, count - 2)
            assert len(found.regions) == count // 2
            assert len(found.skipped) == count // 2
            assert found.searched == count // 2 * PAGE
            every = session.find_pointers(WANTED)
            assert set(found.addresses) <= set(every.addresses)
            assert len(every.regions) + len(every.skipped) > count


def test_memory_that_appears_and_goes(program: Path) -> None:
    """Pages of a running target come and go; those that stay are found each time."""
    with started(program, 2, "change", suspend=False) as (session, (odd, shared, changing, *_)):
        stays = {*words_of(odd, 0, 2, 4, 6), *words_of(shared, 0)}
        area = pages(changing, SOME)
        for _ in range(20):
            found = session.find_pointers(WANTED)
            assert found.complete
            assert set(found.values) == {WANTED}
            assert list(found.addresses) == sorted(set(found.addresses))
            assert stays <= set(found.addresses)
            for each in found.skipped:
                if each.base in area and each.protection != "none":
                    assert each.base + each.size <= area.stop


def test_kernels_without_the_call_for_present_pages(program: Path) -> None:
    """Without PAGEMAP_SCAN (before Linux 6.7) the pagemap itself is read, with the same result."""
    number = {"x86_64": 16, "aarch64": 29}[platform.machine()]
    with started(program) as (session, (odd, shared, _, many, _)):
        places = [pages(odd, 7), pages(shared, 2), pages(many, MANY)]
        expected = session.find_pointers(WANTED, within=places)
        assert list(expected.addresses) == sorted(
            words_of(odd, 0, 2, 4, 6) + words_of(shared, 0) + words_of(many, MANY - 2)
        )
        pid = session.pid
        session.close()
        request = json.dumps([pid, number, WANTED, [(each.start, each.stop) for each in places]])
        done = subprocess.run(
            [sys.executable, "-c", OLDER, request], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        addresses, skipped, searched = json.loads(done.stdout)
        assert addresses == list(expected.addresses)
        assert [Region(*each) for each in skipped] == expected.skipped
        assert searched == expected.searched
