"""Modules and symbols by Microsoft's engine: the results of resolve() for a live program."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.dbgeng import Target, needs_engine, target

import pydbgwrite
from pydbgwrite import AddressError, BuildCheck, Patch, PatchEntry, PatchError, Session

pytestmark = needs_engine


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """Yield a session on one program for all tests of this file."""
    with target() as running:
        child: Target = running
        with pydbgwrite.attach(child.pid) as opened:
            yield opened


def exported(module: str, symbol: str) -> int:
    """Return its address here: a system library has one address in all processes that have it."""
    windows: Any = ctypes  # WinDLL exists on Windows alone
    system = windows.WinDLL("kernel32")
    system.GetModuleHandleW.restype = system.GetProcAddress.restype = ctypes.c_void_p
    system.GetProcAddress.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    address: int = system.GetProcAddress(system.GetModuleHandleW(module), symbol.encode())
    assert address
    return address


def test_exports_lie_where_the_system_says(session: Session) -> None:
    ours = exported("kernel32.dll", "GetProcAddress")
    for form in (
        "kernel32!GetProcAddress",
        "kernel32.dll!GetProcAddress",
        "KERNEL32!GetProcAddress",
        "kernel32!getprocaddress",
    ):
        assert session.resolve(form) == ours, form
        assert session.resolve(f"{form}+8") == ours + 8
        assert session.resolve(f"{form}-0x10") == ours - 16
    base = exported("kernel32.dll", "GetProcAddress") - session.resolve("kernel32+0")
    assert session.resolve(f"kernel32+{base:#x}") == ours


def test_other_forms_of_an_export(session: Session) -> None:
    ours = exported("kernel32.dll", "GetProcAddress")
    (module,) = [each for each in session.modules() if each.name.lower() == "kernel32.dll"]
    for form in ("kernel32:GetProcAddress", "KERNEL32.DLL:getprocaddress"):
        assert session.resolve(form) == ours
    assert session.resolve(f"{module.path}:GetProcAddress+8") == ours + 8
    assert session.resolve(f"{module.base:#x}:GetProcAddress") == ours
    stored = int.from_bytes(session.read("kernel32!GetProcAddress", session.pointer_size), "little")
    assert session.resolve("[kernel32:GetProcAddress]+0x10") == stored + 16
    with pytest.raises(AddressError, match=r"did you mean .*'kernel32\.dll!GetProcAddress'"):
        session.resolve("kernel3!GetProcAddress")


def test_an_export_without_a_module(session: Session) -> None:
    """It is that of the only module that has it, or the error lists what can be given."""
    for name in ("GetProcAddress", "CreateToolhelp32Snapshot", "NtClose"):
        try:
            found = session.resolve(name)
        except AddressError as error:
            listed = [part for part in str(error).split("'") if "!" in part]
            assert len(listed) > 1
            for each in listed:
                assert session.resolve(each) > 0
        else:
            assert session.resolve(session.name(found)) == found
    with pytest.raises(AddressError, match="no symbol 'NoSuchExportAnywhere'"):
        session.resolve("NoSuchExportAnywhere")


def test_modules_by_every_name(session: Session) -> None:
    (module,) = [each for each in session.modules() if each.name.lower() == "kernel32.dll"]
    for name in ("kernel32", "KERNEL32.DLL", module.path, module.path.replace("\\", "/").upper()):
        assert session.resolve(f"{name}+0x10") == module.base + 16


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("kernel32!GetProcAddres", "did you mean 'GetProcAddress'"),
        ("kernel32!nothing_like_it_at_all", "no symbol 'nothing_like_it_at_all'"),
        ("kernel32!*", r"no symbol '\*'"),
        ("kernel32!GetProc*", "no symbol"),
        ("kernel32!G?tProcAddress", "no symbol"),
        ("kernel32!ntdll!NtClose", "no symbol"),
        ("kernel32!kernel32!GetProcAddress", "no symbol"),
        ("kernel32!GetProcAddress ", "no symbol"),
        ("kernel3+1", "did you mean 'kernel32.dll'"),
        ("nothing!x", "no module 'nothing'"),
        ("kernel32!" + "x" * 1800, "no symbol"),
        ("kernel32!" + "x" * 2002, "names of 2,002 characters"),
        ("kernel32!" + "x" * 5000, "names of 5,000 characters"),
    ],
)
def test_names_that_mean_nothing(session: Session, address: str, words: str) -> None:
    session.resolve("kernel32!GetProcAddress")  # the result that the engine would repeat
    with pytest.raises(AddressError, match=words):
        session.resolve(address)


def test_build_ids(session: Session) -> None:
    """A check of the target's build passes; another fails, and then nothing is written."""
    modules = [each for each in session.modules() if each.name.lower().startswith("python3")]
    (module,) = [each for each in modules if each.name.lower() != "python3.dll"]
    check = BuildCheck.of(session, module.name)
    assert check.build_id is not None and len(check.build_id) >= 33  # CPython's has a database
    stamp = int.from_bytes(
        session.read(module.base + header(session, module.base) + 8, 4), "little"
    )
    by_file = BuildCheck(module.name, build_id=f"{stamp:08X}{module.size:x}")
    content = Path(module.path).read_bytes()
    hashed = BuildCheck(module.name, sha256=hashlib.sha256(content).hexdigest().upper())
    entry = PatchEntry(f"{module.name}+0", [1])
    for good in (check, by_file, hashed):
        problems = Patch([entry], builds=[good]).preview(session).problems
        assert not [each for each in problems if each.startswith("build")]
    for bad in (BuildCheck(module.name, build_id="ab"), BuildCheck(module.name, sha256="0" * 64)):
        with pytest.raises(PatchError, match=r"build 1: .*the patch is for"):
            Patch([entry], builds=[bad]).apply(session)


def header(session: Session, base: int) -> int:
    """Return the offset of a module's PE header (e_lfanew)."""
    return int.from_bytes(session.read(base + 0x3C, 4), "little")


def test_a_patch_with_names(session: Session) -> None:
    """The preview resolves names; an unknown name is a problem of its entry."""
    patch = Patch(
        [
            PatchEntry("kernel32+0x10", ["kernel32!GetProcAddress", "kernel32!nothing"]),
            PatchEntry("kernel32!GetProcAddress", ["kernel32!GetProcAddress+8"]),
        ]
    )
    preview = patch.preview(session)
    ours = exported("kernel32.dll", "GetProcAddress")
    assert preview.entries[1].address == ours
    assert list(preview.entries[1].after or ()) == [ours + 8]
    assert any("entry 1: pointers[1]: kernel32.dll" in each for each in preview.problems)
