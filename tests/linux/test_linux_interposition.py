"""Variables that several files define: resolve() gives the one that the uses refer to.

Each program prints the address that its own use refers to, and the address that the library's code
uses.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.libraries import ANSWERS, INDIRECT, compile_program, running, shared_library

import pydbgwrite
from pydbgwrite import AddressError, Session

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes are for Linux")

HOOKS = """
unsigned long hooks[2] = {0x11, 0x22};
unsigned long *place(void) { return hooks; }
"""
UNUSED = "unsigned long hooks[2] = {0x11, 0x22}; unsigned long *place(void) { return 0; }"
OTHER = "unsigned long hooks[2] = {0x51, 0x52}; unsigned long *early(void) { return hooks; }"
#: Prints the address that its own use refers to, and the address that the library's code uses.
USES = (
    ANSWERS
    + """
extern unsigned long hooks[2]; unsigned long *place(void);
int main(void) { char line[9];
  SAY("%lu %lu\\n", NUMBER(hooks), NUMBER(place()));
  while (fgets(line, 9, stdin)) SAY("%lx\\n", *place());
  return 0; }
"""
)
#: Loads each library in its own way; prints the address that the code of the last one uses.
LOADS = (
    ANSWERS
    + """
int main(int n, char **v) { void *last = 0; char line[9]; unsigned long *(*place)(void);
  for (int i = 1; i + 1 < n; i += 2) {
    last = dlopen(v[i + 1], RTLD_NOW | (v[i][0] == 'd' ? DEEP : 0));
    if (!last) SAY("%s\\n", dlerror()); }
  *(void **)&place = dlsym(last, "place");
  SAY("%lu %lu\\n", NUMBER(dlsym(last, "hooks")), NUMBER(place()));
  while (fgets(line, 9, stdin)) SAY("%lx\\n", *place());
  return 0; }
"""
)
# Without -fPIC, a compiler has the linker make a copy (R_X86_64_COPY), also in a PIE.
PIC, FIXED = ("-fPIC", "-pie"), ("-fno-pic", "-no-pie")


def program(folder: Path, *flags: str, libraries: tuple[str, ...] = ("hooks",)) -> Path:
    """Return a program that uses the variable of the libraries in the folder."""
    linked = [f"-l{name}" for name in libraries]
    return compile_program(
        folder / "program",
        USES,
        *("-Wl,--no-as-needed", f"-L{folder}", *linked, f"-Wl,-rpath,{folder}", *flags),
    )


@contextmanager
def attached(child: subprocess.Popen[str]) -> Iterator[Session]:
    with pydbgwrite.attach(child.pid) as session:
        yield session


def check_that_it_reads(child: subprocess.Popen[str], session: Session, address: int) -> None:
    """Check that the library's own code reads the value written at this address."""
    session.write_pointers(address, [0x99])
    session.detach()
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write("x\n")
    child.stdin.flush()
    assert child.stdout.readline() == "99\n"


@pytest.mark.parametrize("flags", [PIC, FIXED], ids=["by table", "copied"])
@pytest.mark.parametrize("way", ["preloaded", "linked earlier"])
def test_another_library_comes_first(way: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    shared_library(tmp_path / "libhooks.so", HOOKS)
    early = shared_library(tmp_path / "libearly.so", OTHER)
    preloaded = way == "preloaded"
    path = program(tmp_path, *flags, libraries=("hooks",) if preloaded else ("early", "hooks"))
    with (
        running(path, preload=early if preloaded else None) as (child, (own, used)),
        attached(child) as session,
    ):
        assert own == used
        assert session.resolve("libhooks.so!hooks") == used
        assert session.resolve("libearly.so!hooks") == used
        check_that_it_reads(child, session, session.resolve("libhooks.so!hooks"))


def test_more_uses_than_are_looked_at(tmp_path: Path) -> None:
    many = HOOKS + "unsigned long *many[20000] = {[0 ... 19999] = hooks};"
    shared_library(tmp_path / "libhooks.so", many)
    early = shared_library(tmp_path / "libearly.so", OTHER)
    with (
        running(program(tmp_path, *PIC), preload=early) as (child, (own, used)),
        attached(child) as session,
    ):
        assert own == used
        assert session.resolve("libhooks.so!hooks") == used
        check_that_it_reads(child, session, used)


def test_a_function_is_the_one_of_the_module_that_is_named(tmp_path: Path) -> None:
    """The named module counts, as if a user writes libc!malloc beside a preloaded allocator."""
    shared_library(tmp_path / "libhooks.so", HOOKS)
    early = shared_library(tmp_path / "libearly.so", HOOKS.replace("0x11", "0x51"))
    with (
        running(program(tmp_path, *PIC), preload=early) as (child, _),
        attached(child) as session,
    ):
        modules = {each.name: each for each in session.modules()}
        for name in ("libhooks.so", "libearly.so"):
            place = session.resolve(f"{name}!place")
            assert modules[name].base < place < modules[name].base + modules[name].size


PROTECTED = HOOKS.replace("hooks[2] =", 'hooks[2] __attribute__((visibility("protected"))) =')


@pytest.mark.parametrize("kind", ["symbolic", "protected"])
def test_a_library_that_binds_to_itself(kind: str, tmp_path: Path) -> None:
    """The library's code uses its own variable, whichever library comes first."""
    source, flags = (HOOKS, ["-Wl,-Bsymbolic"]) if kind == "symbolic" else (PROTECTED, [])
    shared_library(tmp_path / "libhooks.so", source, *flags)
    early = shared_library(tmp_path / "libearly.so", OTHER)
    with (
        running(program(tmp_path, *PIC), preload=early) as (child, (others, own)),
        attached(child) as session,
    ):
        assert own != others
        assert session.resolve("libhooks.so!hooks") == own
        assert session.resolve("libearly.so!hooks") == others
        check_that_it_reads(child, session, own)


def test_a_library_with_another_name_of_its_own(tmp_path: Path) -> None:
    """The public name does not show which variable the code uses, so the error names both."""
    inner = 'extern unsigned long inner[2] __attribute__((alias("hooks"), visibility("hidden")));'
    source = HOOKS.replace("unsigned long *place", f"{inner}\nunsigned long *place")
    shared_library(tmp_path / "libhooks.so", source.replace("return hooks", "return inner"))
    early = shared_library(tmp_path / "libearly.so", OTHER)
    with (
        running(program(tmp_path, *PIC), preload=early) as (child, (others, own)),
        attached(child) as session,
    ):
        assert own != others
        check_refused(session, own, others)
        assert session.resolve("libhooks.so!inner") == own


def check_refused(session: Session, *places: int) -> None:
    with pytest.raises(AddressError) as caught:
        session.resolve("libhooks.so!hooks")
    for place in places:
        assert f"0x{place:x}" in str(caught.value)


@pytest.mark.parametrize("flags", [PIC, FIXED], ids=["by table", "copied"])
def test_a_library_that_does_not_use_its_own(flags: tuple[str, ...], tmp_path: Path) -> None:
    library = shared_library(tmp_path / "libhooks.so", UNUSED)
    early = shared_library(tmp_path / "libearly.so", OTHER)
    with (
        running(program(tmp_path, *flags), preload=early) as (child, (used, _)),
        attached(child) as session,
    ):
        (module,) = [each for each in session.modules() if each.name == library.name]
        assert not module.base <= used < module.base + module.size
        if flags is FIXED:
            assert session.resolve("libhooks.so!hooks") == used  # a copy of its own or the other
        else:
            check_refused(session, used)
    with (
        running(program(tmp_path, *flags)) as (child, (used, _)),
        attached(child) as session,
    ):
        assert session.resolve("libhooks.so!hooks") == used


def test_a_program_that_has_a_variable_of_its_own(tmp_path: Path) -> None:
    defines = USES.replace("extern unsigned long hooks[2];", "unsigned long hooks[2] = {7, 8};")
    shared_library(tmp_path / "libhooks.so", UNUSED)
    flags = ("-rdynamic", f"-L{tmp_path}", "-lhooks", f"-Wl,-rpath,{tmp_path}")
    path = compile_program(tmp_path / "program", defines, *flags)
    with running(path) as (child, (own, _)), attached(child) as session:
        assert session.resolve("program!hooks") == own
        check_refused(session, own)
    shared_library(tmp_path / "libhooks.so", HOOKS)
    with running(path) as (child, (own, used)), attached(child) as session:
        assert own == used == session.resolve("libhooks.so!hooks")
        check_that_it_reads(child, session, own)


DEEP = "RTLD_DEEPBIND"


@pytest.mark.parametrize("deep", [True, False])
def test_deep_binding(deep: bool, tmp_path: Path) -> None:
    library = shared_library(tmp_path / "libhooks.so", HOOKS)
    early = shared_library(tmp_path / "libearly.so", OTHER)
    try:
        path = compile_program(tmp_path / "loads", LOADS.replace("DEEP", DEEP), "-ldl")
    except AssertionError as error:
        if DEEP in str(error):
            pytest.skip(f"this C library has no {DEEP}")
        raise
    with (
        running(path, "deep" if deep else "local", library, preload=early) as (child, places),
        attached(child) as session,
    ):
        own, used = places
        assert (own == used) == deep
        assert session.resolve("libhooks.so!hooks") == used
        check_that_it_reads(child, session, used)


def test_another_namespace(tmp_path: Path) -> None:
    """Only the uses of the name in that namespace count."""
    shared_library(tmp_path / "libhooks.so", UNUSED)
    shared_library(tmp_path / "libearly.so", OTHER)
    linked = [f"-L{tmp_path}", "-Wl,--no-as-needed", "-learly", "-lhooks", f"-Wl,-rpath,{tmp_path}"]
    source = "extern unsigned long hooks[2]; unsigned long *place(void) { return hooks; }"
    user = shared_library(tmp_path / "libuser.so", source, *linked)
    loads = LOADS.replace("dlopen(v[i + 1]", "dlmopen(LM_ID_NEWLM, v[i + 1]")
    try:
        path = compile_program(tmp_path / "loads", loads.replace("DEEP", "0"), "-ldl")
    except AssertionError as error:
        if "dlmopen" in str(error):
            pytest.skip("this C library has no dlmopen")
        raise
    with running(path, "local", user) as (child, (_, used)), attached(child) as session:
        assert session.resolve("libearly.so!hooks") == used
        check_refused(session, used)


UNIQUE = """
__asm__(".data\\n.balign 8\\n.globl hooks\\n.type hooks, %gnu_unique_object\\n.size hooks, 16\\n"
        "hooks: .quad 0x11, 0x22\\n.text\\n");
extern unsigned long hooks[2];
unsigned long *place(void) { return hooks; }
"""


def test_a_unique_symbol(tmp_path: Path) -> None:
    """All libraries use the first library's symbol, as for C++ variables in inline functions."""
    if not INDIRECT:
        pytest.skip("this C library has no unique symbols")
    first = shared_library(tmp_path / "libfirst.so", UNIQUE)
    library = shared_library(tmp_path / "libhooks.so", UNIQUE)
    path = compile_program(tmp_path / "loads", LOADS.replace("DEEP", "0"), "-ldl")
    with (
        running(path, "local", first, "local", library) as (child, (_, used)),
        attached(child) as session,
    ):
        modules = {each.name: each for each in session.modules()}
        assert modules["libfirst.so"].base < used
        assert used < modules["libfirst.so"].base + modules["libfirst.so"].size
        assert session.resolve("libhooks.so!hooks") == used
        check_that_it_reads(child, session, used)


@pytest.mark.parametrize("source", [HOOKS, UNUSED], ids=["used", "unused"])
def test_plugins_that_have_the_same_names(source: str, tmp_path: Path) -> None:
    """Each plugin has its own variable; the other plugin's is not considered."""
    first = shared_library(tmp_path / "libfirst.so", HOOKS)
    library = shared_library(tmp_path / "libhooks.so", source)
    path = compile_program(tmp_path / "loads", LOADS.replace("DEEP", "0"), "-ldl")
    with (
        running(path, "local", first, "local", library) as (child, (own, _)),
        attached(child) as session,
    ):
        assert session.resolve("libhooks.so!hooks") == own
        assert session.resolve("libfirst.so!hooks") != own
