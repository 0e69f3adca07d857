"""A 32-bit program on 64-bit Windows: its own modules beside the system's, and their symbols."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support import dbgeng
from support.dbgeng import PYTHON32, needs_32_bit, needs_engine
from support.pe_files import CODE, library

import pydbgwrite
from pydbgwrite import Module

pytestmark = [needs_engine, needs_32_bit]

# Loads a library, and prints where things are as the program itself sees them.
LOADING = """
import ctypes, sys
library = ctypes.WinDLL(sys.argv[1])
kernel, ntdll = ctypes.windll.kernel32, ctypes.windll.ntdll
kernel.GetProcAddress.restype = ctypes.c_uint32
kernel.GetProcAddress.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
print(library._handle, kernel._handle, ntdll._handle, flush=True)
print(kernel.GetProcAddress(kernel._handle, b"CreateFileW"), flush=True)
print(kernel.GetProcAddress(ntdll._handle, b"NtClose"), flush=True)
sys.stdin.read()
"""
NAMES = {"plain": CODE + 16, "?area@Square@@QBENXZ": CODE + 32, "?area@Square@@QBENH@Z": CODE + 48}


class Program(NamedTuple):
    """A running 32-bit program: its pid, and where it says that its modules and functions are."""

    pid: int
    library: int
    kernel: int
    ntdll: int
    create_file: int
    close: int


@contextlib.contextmanager
def loading(folder: Path) -> Iterator[Program]:
    """Yield a program that has loaded a library of names."""
    # The name has what the engine's command .reload would take for an argument.
    path = folder / "odd, name=1.dll"
    path.write_bytes(library(path.name, NAMES, bits=32))
    assert PYTHON32 is not None
    process = dbgeng.start(LOADING, str(path), python=PYTHON32)
    assert process.stdout is not None
    try:
        numbers = [int(each) for _ in range(3) for each in process.stdout.readline().split()]
        yield Program(process.pid, *numbers)
    finally:
        dbgeng.end(process)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Yield one program for all tests that do not change it."""
    with loading(tmp_path_factory.mktemp("wow64")) as running:
        yield running


def by_base(session: pydbgwrite.Session) -> dict[int, Module]:
    """Return its modules by base."""
    return {each.base: each for each in session.modules()}


def test_its_own_modules_and_their_names(program: Program) -> None:
    with pydbgwrite.attach(program.pid) as session:
        check(session, program)


def test_after_an_invasive_attach(tmp_path: Path) -> None:
    """The engine hears of the modules then. A program that goes on after it crashes in Wine 8."""
    with loading(tmp_path) as running:
        session = pydbgwrite.attach(running.pid, invasive=True)
        try:
            check(session, running)
        finally:
            session.terminate()


def check(session: pydbgwrite.Session, program: Program) -> None:
    assert session.pointer_size == 4
    modules = by_base(session)
    own = modules[program.library]
    assert Path(own.path).name == own.name == "odd, name=1.dll"
    assert Path(own.path).read_bytes()[:2] == session.read(own.base, 2) == b"MZ"
    assert modules[program.kernel].name.lower() == "kernel32.dll"
    assert session.resolve("kernel32.dll!CreateFileW") == program.create_file
    assert session.resolve("kernel32!CreateFileW+2") == program.create_file + 2
    assert session.resolve("kernel32+0x10") == program.kernel + 16
    assert session.resolve("odd, name=1.dll!plain") == program.library + NAMES["plain"]
    area = session.resolve("odd, name=1.dll!Square::area(void)const")
    assert area == program.library + NAMES["?area@Square@@QBENXZ"]
    with pytest.raises(pydbgwrite.AddressError, match="2 symbols 'Square::area'"):
        session.resolve("odd, name=1.dll!Square::area")
    assert session.modules() == sorted(session.modules(), key=lambda module: module.base)


def test_a_name_of_both_widths_is_the_program_s(program: Program) -> None:
    with pydbgwrite.attach(program.pid) as session:
        both = [each for each in session.modules() if each.name.lower() == "ntdll.dll"]
        system, own = sorted(both, key=lambda module: module.base == program.ntdll)
        assert (own.base, len(both)) == (program.ntdll, 2)
        assert "syswow64" in own.path.lower() and "system32" in system.path.lower()
        assert session.resolve("ntdll!NtClose") == program.close
        assert session.resolve(f"{own.path}+4") == program.ntdll + 4
        assert session.resolve("NtClose") == program.close
        names = session.names([program.close, program.close + 3, system.base])
        assert session.resolve(names[0]) == program.close and names[0].endswith("Close")
        assert names[1] == f"{names[0]}+0x3" and names[0].startswith("ntdll.dll!")
        assert session.resolve(names[2]) == system.base and names[2].startswith(system.path)
        # The other one by its path or its base.
        there = session.resolve(f"{system.path}!NtClose")
        assert there == session.resolve(f"{system.base:#x}!NtClose")
        assert 0 < there - system.base < system.size


def test_its_build_is_its_own_file_s(program: Program) -> None:
    """Not that of the 64-bit library, to which the program's own name for the file leads here."""
    with pydbgwrite.attach(program.pid) as session:
        for name in ("kernel32", "ntdll"):
            check = pydbgwrite.BuildCheck.of(session, name)
            assert check.build_id or check.sha256


def test_through_a_process_server(program: Program) -> None:
    with (
        dbgeng.process_server() as (_, options),
        pydbgwrite.process_server(options) as server,
        server.attach(program.pid) as session,
    ):
        assert by_base(session)[program.library].name == "odd, name=1.dll"
        assert session.resolve("kernel32!CreateFileW") == program.create_file
