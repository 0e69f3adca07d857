"""Import slots of live Linux processes: what each holds, and hooks that are called."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.demangling import needs_demangler
from support.libraries import (
    ANSWERS,
    INDIRECT,
    compile_program,
    running,
    shared_library,
    without_map_files,
)
from support.processes import Child32

import pydbgwrite
from pydbgwrite import AddressError, ImportSlot, NoTargetError, Session

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes are for Linux")

LIBRARY = """
unsigned long shared[2] = {0x11, 0x22};
unsigned long *place(void) { return shared; }
int answer(int x) { return x + 1; }
int within(int x) { return answer(x); }
"""
#: Prints where its replacement is; then calls the import for each line.
PROGRAM = (
    ANSWERS
    + """
extern int answer(int);
int replacement(int x) { return x + 100; }
#ifdef TABLE
extern unsigned long shared[2];
int (*table[2])(int) = {replacement, answer};
#endif
int main(void) { char line[9];
  SAY("%lu\\n", NUMBER(replacement));
  while (fgets(line, 9, stdin)) SAY("%d\\n", answer(1));
#ifdef TABLE
  return (int)shared[0] + table[1](1);
#endif
  return 0; }
"""
)
LAZY = ("-Wl,-z,lazy", "-Wl,-z,norelro")
PARTIAL = ("-Wl,-z,lazy", "-Wl,-z,relro")
FULL = ("-Wl,-z,now", "-Wl,-z,relro")
#: musl binds everything when a file is loaded.
BINDS_LAZILY = INDIRECT


def program(folder: Path, *flags: str, library: tuple[str, ...] = ()) -> Path:
    """Return a program that calls the library of the folder."""
    shared_library(folder / "libcalled.so", LIBRARY, *library)
    linked = ("-Wl,--no-as-needed", f"-L{folder}", "-lcalled", f"-Wl,-rpath,{folder}")
    return compile_program(folder / "program", PROGRAM, *linked, *flags)


def ask(child: subprocess.Popen[str]) -> int:
    """Return what the program gets from its import."""
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write("x\n")
    child.stdin.flush()
    return int(child.stdout.readline())


@contextmanager
def attached(child: subprocess.Popen[str]) -> Iterator[Session]:
    with pydbgwrite.attach(child.pid) as session:
        yield session


def the_call(session: Session, module: str = "program") -> ImportSlot:
    """Return the slot of the calls of `answer`."""
    (slot,) = [each for each in session.import_slots(module, "answer") if each.kind == "call"]
    return slot


def check_a_hook(child: subprocess.Popen[str], replacement: int) -> None:
    """Hook the import in a transaction; the program calls the hook, and after undo the import."""
    with attached(child) as session:
        slot = the_call(session)
        with session.transaction() as hook:
            session.write_pointers(
                slot.address, [replacement], expect=[slot.points_to], verify=True
            )
        assert the_call(session)._replace(points_to=0, lazy=False) == slot._replace(
            points_to=0, lazy=False
        )
        assert the_call(session).points_to == replacement
        assert the_call(session).lazy is False  # this code is no PLT
        session.detach()
    assert ask(child) == 101
    with attached(child) as session:
        session.write_pointers(slot.address, [slot.points_to], expect=[replacement])
    assert ask(child) == 2
    assert hook.changes


@pytest.mark.parametrize("flags", [LAZY, PARTIAL], ids=["no relro", "partial relro"])
@pytest.mark.parametrize("form", [("-fPIE", "-pie"), ("-fno-pie", "-no-pie")], ids=["pie", "fixed"])
def test_a_lazy_import(flags: tuple[str, ...], form: tuple[str, ...], tmp_path: Path) -> None:
    """The slot leads to the program's own PLT until the first call, and then to the function."""
    with running(program(tmp_path, *flags, *form)) as (child, (replacement,)):
        with attached(child) as session:
            slot = the_call(session)
            (module,) = [each for each in session.modules() if each.name == "program"]
            function = session.resolve("libcalled.so!answer")
            assert (slot.name, slot.module, slot.library) == ("answer", "program", "")
            assert slot.lazy is BINDS_LAZILY
            assert slot.protected is False
            if BINDS_LAZILY:
                assert module.base <= slot.points_to < module.base + module.size
            else:
                assert slot.points_to == function
        assert ask(child) == 2
        with attached(child) as session:
            bound = the_call(session)
            assert bound == slot._replace(points_to=function, lazy=False)
        check_a_hook(child, replacement)


def test_an_import_that_relro_protects(tmp_path: Path) -> None:
    """The slot is read-only; it is hooked all the same, as a debugger does."""
    with running(program(tmp_path, *FULL)) as (child, (replacement,)):
        with attached(child) as session:
            slot = the_call(session)
            assert (slot.lazy, slot.protected) == (False, True)
            assert slot.points_to == session.resolve("libcalled.so!answer")
            assert session.query(slot.address).protection == "r"
        check_a_hook(child, replacement)


def test_a_library_calls_itself_through_a_slot(tmp_path: Path) -> None:
    with running(program(tmp_path, library=FULL)) as (child, _), attached(child) as session:
        slot = the_call(session, "libcalled.so")
        assert (slot.module, slot.lazy, slot.protected) == ("libcalled.so", False, True)
        assert slot.points_to == session.resolve("libcalled.so!answer")
        found = {each.module for each in session.import_slots(name="answer")}
        assert found == {"program", "libcalled.so"}


def test_addresses_in_data_and_copies(tmp_path: Path) -> None:
    """A table of functions has slots; a variable that the program has copied has none."""
    path = program(tmp_path, "-DTABLE", "-fno-pic", "-no-pie")
    with running(path) as (child, _), attached(child) as session:
        (slot,) = session.import_slots("libcalled.so", "shared")
        assert slot.kind in ("address", "data")  # RISC-V has one kind for both
        assert slot.points_to == session.resolve("program!shared")
        assert session.import_slots("program", "shared") == []
    path = program(tmp_path, "-DTABLE", "-fPIC", "-pie")
    with running(path) as (child, _), attached(child) as session:
        data = [each for each in session.import_slots("program", "answer") if each.kind == "data"]
        assert [each.address for each in data] == [session.resolve("program!table+8")]
        assert data[0].points_to == session.resolve("libcalled.so!answer")
        assert data[0].lazy is False
        values = session.import_slots("program", "shared")
        assert [each.points_to for each in values] == [session.resolve("libcalled.so!shared")]


def test_a_stripped_program_without_section_headers(tmp_path: Path) -> None:
    path = program(tmp_path, *LAZY)
    with running(path) as (child, _), attached(child) as session:
        expected = [each.name for each in session.import_slots("program")]
        assert {"answer"} < {each.partition("@")[0] for each in expected}
    path = program(tmp_path, *LAZY, "-s")
    content = bytearray(path.read_bytes())
    content[0x28:0x30] = bytes(8)
    content[0x3A:0x40] = bytes(6)
    path.unlink()
    path.write_bytes(content)
    path.chmod(0o755)
    with running(path) as (child, _), attached(child) as session:
        assert [each.name for each in session.import_slots("program")] == expected
        assert the_call(session).lazy is BINDS_LAZILY


def test_a_program_whose_file_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the file, code of its own behind another's symbol is what is not bound yet."""
    path = program(tmp_path, *LAZY)
    with running(path) as (child, _):
        path.unlink()
        monkeypatch.setattr(os, "open", without_map_files(os.open))
        with attached(child) as session:
            assert the_call(session).lazy is BINDS_LAZILY
        assert ask(child) == 2
        with attached(child) as session:
            assert the_call(session).lazy is False


def test_versions(tmp_path: Path) -> None:
    if not INDIRECT:
        pytest.skip("this C library has no versions")
    with running(program(tmp_path)) as (child, _), attached(child) as session:
        (slot,) = session.import_slots("program", "fgets")
        name, _, version = slot.name.partition("@")
        assert name == "fgets"
        assert version.startswith("GLIBC_")
        for text in (slot.name, f"fgets@@{version}"):
            assert session.import_slots("program", text) == [slot]
        assert session.import_slots("program", "fgets@OTHER") == []
        assert session.import_slots("program", "fget") == []


def test_the_repr_is_hexadecimal(tmp_path: Path) -> None:
    with running(program(tmp_path, *FULL)) as (child, _), attached(child) as session:
        slot = the_call(session)
        for number in (slot.address, slot.points_to):
            assert f"0x{number:x}" in repr(slot)
        assert repr(slot).startswith("ImportSlot(address=0x")
        assert slot.__class__ is pydbgwrite.ImportSlot


def test_all_modules(tmp_path: Path) -> None:
    """Slots come by module and address; each holds what is read there."""
    with running(program(tmp_path)) as (child, _), attached(child) as session:
        found = session.import_slots()
        names = [each.name for each in session.modules()]
        assert {"program", "libcalled.so"} <= {each.module for each in found} <= set(names)
        assert found == sorted(found, key=lambda each: each.address)
        held = session.read_scattered([each.address for each in found])
        assert list(held) == [each.points_to for each in found]


def test_a_static_program_has_none() -> None:
    with Child32() as child, pydbgwrite.attach(child.pid) as session:
        assert session.modules()
        assert session.import_slots() == []


def test_modules_are_named_as_in_addresses(tmp_path: Path) -> None:
    with running(program(tmp_path)) as (child, _), attached(child) as session:
        (module,) = [each for each in session.modules() if each.name == "program"]
        slots = session.import_slots("program")
        assert session.import_slots(module.path) == slots == session.import_slots(hex(module.base))
        with pytest.raises(AddressError, match=r"did you mean 'libcalled\.so'"):
            session.import_slots("libcaled.so")
        for given in (7, b"program", module):
            with pytest.raises(TypeError, match="module must be a str"):
                session.import_slots(given)  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="name must be a str"):
                session.import_slots(name=given)  # type: ignore[arg-type]


def test_a_target_that_has_ended(tmp_path: Path) -> None:
    with running(program(tmp_path)) as (child, _), attached(child) as session:
        child.kill()
        child.wait()
        with pytest.raises(NoTargetError):
            session.import_slots()
        with pytest.raises(NoTargetError):
            session.regions()


@needs_demangler
def test_demangled_names(tmp_path: Path) -> None:
    """A C++ import is found by both of its names."""
    mangled = '\nint answer(int) __asm__("_Z6answeri");\n'
    shared_library(tmp_path / "libcalled.so", mangled + LIBRARY)
    linked = ("-Wl,--no-as-needed", f"-L{tmp_path}", "-lcalled", f"-Wl,-rpath,{tmp_path}")
    path = compile_program(tmp_path / "program", mangled + PROGRAM, *linked)
    with running(path) as (child, _), attached(child) as session:
        (slot,) = session.import_slots("program", "_Z6answeri")
        assert (slot.name, slot.demangled) == ("_Z6answeri", "answer(int)")
        assert session.import_slots("program", "answer(int)") == [slot]
        assert session.import_slots("program", "answer") == []
