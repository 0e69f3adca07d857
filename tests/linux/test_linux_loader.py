"""Addresses of modules and symbols, as the loader has them, compared with the programs' output."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from unittest import mock

import pytest
from support.libraries import (
    ANSWERS,
    compile_program,
    running,
    shared_library,
    without_map_files,
)

import pydbgwrite
from pydbgwrite import AddressError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes are for Linux")

HOOKS = """
unsigned long hooks[2] = {0x11, 0x22};
extern unsigned long same_hooks[2] __attribute__((alias("hooks")));
unsigned long others[2] = {0x33, 0x44};
unsigned long used(int i) { return hooks[i] + 0 * others[i]; }
"""
USES_HOOKS = (
    ANSWERS
    + """
extern unsigned long hooks[2]; unsigned long used(int);
int main(void) { char line[9];
  SAY("%lu\\n", NUMBER(hooks));
  while (fgets(line, 9, stdin)) SAY("%lx\\n", used(0));
  return 0; }
"""
)


def linked_program(folder: Path, *flags: str, library_flags: tuple[str, ...] = ()) -> Path:
    """Return a program that uses a copy of the library's variable."""
    shared_library(folder / "libhooks.so", HOOKS, *library_flags)
    return compile_program(
        folder / "program",
        USES_HOOKS,
        f"-L{folder}",
        "-lhooks",
        f"-Wl,-rpath,{folder}",
        "-fno-pic",
        "-no-pie",
        *flags,
    )


def test_a_variable_that_the_program_has_a_copy_of(tmp_path: Path) -> None:
    program = linked_program(tmp_path)
    with (
        running(program) as (child, (hooks,)),
        pydbgwrite.attach(child.pid) as session,
    ):
        for name in ("libhooks.so!hooks", "libhooks.so!same_hooks", "program!hooks"):
            assert session.resolve(name) == hooks
        (library,) = [each for each in session.modules() if each.name == "libhooks.so"]
        others = session.resolve("libhooks.so!others")
        assert library.base < others < library.base + library.size
        session.write_pointers(session.resolve("libhooks.so!hooks+0"), [0x99], expect=0x11)
        assert child.stdin is not None and child.stdout is not None
        session.detach()
        child.stdin.write("x\n")
        child.stdin.flush()
        assert child.stdout.readline() == "99\n"  # the library's own function reads it


def test_a_program_that_the_dynamic_linker_was_told_to_run(tmp_path: Path) -> None:
    program = linked_program(tmp_path)
    linker = Path("/lib64/ld-linux-x86-64.so.2")
    if not linker.exists():
        pytest.skip("the dynamic linker has another name here")
    with (
        running(linker, program) as (child, (hooks,)),
        pydbgwrite.attach(child.pid) as session,
    ):
        assert session.resolve("libhooks.so!hooks") == hooks == session.resolve("program!hooks")


def test_a_library_that_binds_to_itself(tmp_path: Path) -> None:
    """The library uses its own variable, whatever variable the program has."""
    program = linked_program(tmp_path, library_flags=("-Wl,-Bsymbolic",))
    with (
        running(program) as (child, (hooks,)),
        pydbgwrite.attach(child.pid) as session,
    ):
        own = session.resolve("libhooks.so!hooks")
        assert own != hooks
        session.write_pointers(own, [0x98], expect=0x11)
        assert child.stdin is not None and child.stdout is not None
        session.detach()
        child.stdin.write("x\n")
        child.stdin.flush()
        assert child.stdout.readline() == "98\n"


def without_sections(path: Path) -> Path:
    """Remove the file's section headers, as sstrip does, and return its path."""
    content = bytearray(path.read_bytes())
    content[0x28:0x30] = bytes(8)  # e_shoff
    content[0x3A:0x40] = bytes(6)  # e_shentsize, e_shnum, e_shstrndx
    path.write_bytes(content)
    return path


OPENS = (
    ANSWERS
    + """
int main(int n, char **v) { void *library = dlopen(v[1], RTLD_NOW); char line[9];
  char *hooks = dlsym(library, "hooks"); Dl_info info; struct link_map *map; char *base;
  dladdr(hooks, &info); base = info.dli_fbase; dlinfo(library, RTLD_DI_LINKMAP, &map);
  CHANGE
  SAY("%lu %lu\\n", NUMBER(hooks), NUMBER(base)); fgets(line, 9, stdin); return 0; }
"""
)


@pytest.mark.parametrize("style", ["gnu", "sysv", "both"])
def test_a_library_without_section_headers(style: str, tmp_path: Path) -> None:
    library = without_sections(
        shared_library(tmp_path / "libhooks.so", HOOKS, f"-Wl,--hash-style={style}")
    )
    program = compile_program(tmp_path / "opens", OPENS.replace("CHANGE", ""), "-ldl")
    with (
        running(program, library) as (child, (hooks, base)),
        pydbgwrite.attach(child.pid) as session,
    ):
        assert session.resolve("libhooks.so!hooks") == hooks
        assert session.resolve("libhooks.so+0") == base
        with pytest.raises(
            AddressError, match=r"did you mean 'others'.*stripped|stripped.*'others'"
        ):
            session.resolve("libhooks.so!othres")
        library.unlink()
        with mock.patch("os.open", side_effect=without_map_files(os.open)):
            assert session.resolve("libhooks.so!hooks") == hooks  # from memory


@pytest.mark.parametrize("name", ["stripped!main", "main"])
def test_a_stripped_program(tmp_path: Path, name: str) -> None:
    program = compile_program(tmp_path / "stripped", ANSWERS + "int main(void) { SAY(\"1\\n\"); "
                              "return getchar(); }", "-s")  # fmt: skip
    with (
        running(program) as (child, _),
        pydbgwrite.attach(child.pid) as session,
        pytest.raises(AddressError, match=r"no symbol 'main'; (it|stripped) is stripped"),
    ):
        session.resolve(name)


CHANGES = {
    "header page replaced": """
        mmap(base, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);""",
    "header page anonymous": """
        { char copy[4096]; memcpy(copy, base, 4096);
        mmap(base, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        memcpy(base, copy, 4096); }""",
    "a page again beside it": """
        { int file = fileno(fopen(v[1], "r"));
        mmap(base - 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0);
        mmap(base - 8192, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file, 4096); }""",
    "text in anonymous memory": """
        { static char copy[4096]; char *text = (char *)(NUMBER(dlsym(library, "used")) & ~4095ul);
        memcpy(copy, text, 4096);
        mmap(text, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        memcpy(text, copy, 4096); }""",
    "a later part far away": """
        { int file = fileno(fopen(v[1], "r"));
        mmap((void *)0x10000000, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file, 4096);
        mmap((void *)0x600000000000, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 8192); }""",
}


@pytest.mark.skipif(
    os.name == "nt" or os.sysconf("SC_PAGE_SIZE") != 4096,
    reason="Linux processes with pages of 4 KiB",
)
@pytest.mark.parametrize("layout", ["noseparate-code", "separate-code"])
@pytest.mark.parametrize("change", CHANGES)
def test_mappings_that_change(change: str, layout: str, tmp_path: Path) -> None:
    source = "const char filler[6000] = {1};" + HOOKS
    library = shared_library(tmp_path / "libhooks.so", source, f"-Wl,-z,{layout}")
    program = compile_program(tmp_path / "opens", OPENS.replace("CHANGE", CHANGES[change]), "-ldl")
    with (
        running(program, library) as (child, (hooks, base)),
        pydbgwrite.attach(child.pid) as session,
    ):
        (module,) = [each for each in session.modules() if each.name == "libhooks.so"]
        assert module.base == base == session.resolve("libhooks.so+0")
        assert module.base < hooks < module.base + module.size < base + (1 << 20)
        assert session.resolve("libhooks.so!hooks") == hooks
        own = [each for each in session.modules() if each.name == "opens"]
        assert len(own) == 1


TWO_COPIES = (
    ANSWERS
    + """
int main(int n, char **v) { void *one = dlopen(v[1], RTLD_NOW); char line[9];
  void *two = dlmopen(LM_ID_NEWLM, v[1], RTLD_NOW);
  SAY("%lu %lu\\n", NUMBER(dlsym(one, "hooks")), NUMBER(dlsym(two, "hooks")));
  fgets(line, 9, stdin); return 0; }
"""
)


def test_two_copies_by_dlmopen(tmp_path: Path) -> None:
    library = shared_library(tmp_path / "libhooks.so", HOOKS)
    try:
        program = compile_program(tmp_path / "copies", TWO_COPIES, "-ldl")
    except AssertionError as error:
        if "dlmopen" in str(error):
            pytest.skip("this C library has no dlmopen")
        raise
    with (
        running(program, library) as (child, places),
        pydbgwrite.attach(child.pid) as session,
    ):
        copies = [each for each in session.modules() if each.name == "libhooks.so"]
        assert len(copies) == 2
        with pytest.raises(AddressError, match=r"names 2 modules.*or its base") as caught:
            session.resolve("libhooks.so!hooks")
        for copy in copies:
            assert f"0x{copy.base:x}" in str(caught.value)
        found = {session.resolve(f"0x{copy.base:x}!hooks") for copy in copies}
        assert found == set(places)
        with pytest.raises(AddressError, match="2 modules have a symbol 'hooks'") as caught:
            session.resolve("hooks")
        for copy in copies:
            assert f"'0x{copy.base:x}!hooks'" in str(caught.value)


KINDS = {
    "fixed": (None, "-no-pie", "-fno-pic"),
    "pie": (None, "-pie", "-fPIC"),
    "static": (None, "-static"),
    "static-pie": (None, "-static-pie", "-fPIC"),
    "musl": ("musl-gcc",),
    "musl static": ("musl-gcc", "-static"),
    "musl static-pie": ("musl-gcc", "-static-pie", "-fPIC"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_programs(kind: str, tmp_path: Path) -> None:
    compiler, *flags = KINDS[kind]
    if compiler is not None and shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not there")
    source = ANSWERS + (
        "unsigned long table[4] = {1, 2, 3};\n"
        "int main(void) { SAY(\"%lu\\n\", NUMBER(table)); return getchar(); }"
    )  # fmt: skip
    words = [str(flag) for flag in flags]
    try:
        program = compile_program(tmp_path / "program", source, *words, compiler=compiler)
    except AssertionError as error:
        if "static" in kind and "cannot find -l" in str(error):
            pytest.skip("the C library is not there as a static one")
        raise
    with running(program) as (child, (table,)), pydbgwrite.attach(child.pid) as session:
        (module,) = [each for each in session.modules() if each.name == "program"]
        assert module.base < table < module.base + module.size
        assert session.resolve("program!table") == table
        assert session.resolve(f"program+{table - module.base}") == table
        assert session.resolve("[vdso]+1") % 4096 == 1
