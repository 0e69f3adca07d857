"""The regions of live Linux processes: their names, and very many of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.libraries import ANSWERS, compile_program, running

import pydbgwrite
from pydbgwrite import Region

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes are for Linux")

#: Prints addresses in its heap, stack, code, data without a file, and a deleted file's mapping.
PLACES = (
    ANSWERS
    + """
#include <fcntl.h>
#include <stdlib.h>
static char zeros[1 << 20];
int main(int n, char **v) { char line[9];
  void *heap = sbrk(1 << 16);
  int file = open(v[1], O_RDWR | O_CREAT, 0600);
  if (n < 2 || ftruncate(file, 4096) || unlink(v[1])) return 1;
  void *mapped = mmap(0, 4096, PROT_READ, MAP_PRIVATE, file, 0);
  void *nameless = mmap(0, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  void *open = mmap(0, 4096, 7 /* rwx */, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SAY("%lu %lu %lu %lu %lu %lu %lu\\n", NUMBER(heap), NUMBER(line), NUMBER(main),
      NUMBER(zeros + sizeof zeros / 2), NUMBER(mapped), NUMBER((char *)nameless + 8192),
      NUMBER(open));
  while (fgets(line, 9, stdin)) ;
  return 0; }
"""
)
#: Splits a mapping by protections, as often as it is told or the kernel lets it.
MANY = (
    ANSWERS
    + """
#include <stdlib.h>
int main(int n, char **v) { char line[9]; long made = 0, wanted = n > 1 ? atol(v[1]) : 0;
  char *start = mmap(0, wanted * 4096 + 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  while (made < wanted && !mprotect(start + made * 4096, 4096, made % 2 ? PROT_READ : PROT_NONE))
    made++;
  SAY("%ld %lu\\n", made, NUMBER(start));
  while (fgets(line, 9, stdin)) ;
  return 0; }
"""
)


def at(regions: list[Region], address: int) -> Region:
    """Return the region with that address."""
    (found,) = [each for each in regions if each.base <= address < each.base + each.size]
    return found


def test_names(tmp_path: Path) -> None:
    path = compile_program(tmp_path / "places", PLACES, "-D_GNU_SOURCE")
    gone = tmp_path / "a file\nthat is deleted"
    with running(path, gone) as (child, places), pydbgwrite.attach(child.pid) as session:
        regions = session.regions()
        heap, stack, code, zeros, mapped, nameless, open_ = (at(regions, each) for each in places)
        assert (heap.name, heap.protection) == ("<heap>", "rw")
        assert (stack.name, stack.protection) == ("<stack>", "rw")
        assert (code.name, code.protection) == (str(path), "rx")
        assert (zeros.name, zeros.protection) == (str(path), "rw")
        assert (mapped.name, mapped.protection) == (str(gone), "r")
        assert (nameless.name, nameless.protection) == ("", "none")
        assert (open_.name, open_.protection) == ("", "rwx")
        assert session.data_spaces.query_virtual(open_.base).protect == 0x40  # EXECUTE_READWRITE
        assert "name='<heap>'" in repr(heap)
        assert f"base=0x{heap.base:x}" in repr(heap)
        assert "name" not in repr(nameless)
        assert heap == session.query(heap.base)  # the name stands beside the tuple
        base, size, protection, state = heap
        assert (base, size, protection, state) == tuple(heap)
        assert any(each.name == "[vdso]" for each in regions)


def test_they_are_the_kernels(tmp_path: Path) -> None:
    path = compile_program(tmp_path / "places", PLACES, "-D_GNU_SOURCE")
    with running(path, tmp_path / "x") as (child, _):
        with pydbgwrite.attach(child.pid) as session:
            regions = session.regions()
        lines = Path(f"/proc/{child.pid}/maps").read_text().splitlines()
        expected = [line.split("-")[0] for line in lines if "[vsyscall]" not in line]
        assert [f"{each.base:08x}" for each in regions] == expected


def test_very_many(tmp_path: Path, profile: str) -> None:
    limit = int(Path("/proc/sys/vm/max_map_count").read_text())
    wanted = min(200_000 if profile == "full" else 20_000, limit - 1000)
    path = compile_program(tmp_path / "many", MANY)
    with running(path, wanted) as (child, (made, start)):
        assert made == wanted
        with pydbgwrite.attach(child.pid) as session:
            regions = session.regions()
            first = next(i for i, each in enumerate(regions) if each.base == start)
            assert [each.protection for each in regions[first : first + 4]] == [
                "none",
                "r",
                "none",
                "r",
            ]
            assert len(regions) > made
            assert session.query(start + 4096) == regions[first + 1]


def test_regions_of_another_user_space() -> None:
    """A program that has ended has none: the error says so."""
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child,
        pydbgwrite.attach(child.pid, suspend=False) as session,
    ):
        assert session.regions()
        child.kill()
        child.wait()
        with pytest.raises(pydbgwrite.NoTargetError):
            session.regions()
