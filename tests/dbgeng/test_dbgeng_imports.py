"""Import slots and regions by Microsoft's engine, of 64-bit and 32-bit modules."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from support import dbgeng
from support.dbgeng import Target, needs_32_bit, needs_engine, target
from support.system_memory import system_memory

import pydbgwrite
from pydbgwrite import AddressError, Session

pytestmark = needs_engine


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """Yield a session on one program for all tests of this file."""
    with target() as running:
        child: Target = running
        with pydbgwrite.attach(child.pid) as opened:
            yield opened


def python_library(session: Session) -> str:
    """Return the name of the library that is Python."""
    names = [each.name for each in session.modules()]
    (found,) = [
        name
        for name in names
        if name.lower().startswith("python3")
        and name.lower() != "python3.dll"
        and name.lower().endswith(".dll")
    ]
    return found


def bound_to(library: str, name: str) -> int | None:
    """Return what the loader binds an import to here: system libraries are at the same place."""
    windows: Any = ctypes  # WinDLL exists on Windows alone
    system = windows.WinDLL("kernel32")
    system.GetModuleHandleW.restype = system.GetProcAddress.restype = ctypes.c_void_p
    system.GetProcAddress.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    handle = system.GetModuleHandleW(library)
    text = ctypes.create_string_buffer(name.encode())
    by_number = int(name[1:]) if name.startswith("#") else ctypes.addressof(text)
    found: int | None = system.GetProcAddress(handle, by_number) if handle else None
    return found


def test_slots_hold_what_the_system_binds(session: Session) -> None:
    """Every slot of Python for the kernel is bound to the function of its name."""
    slots = session.import_slots(python_library(session))
    assert len(slots) > 100
    assert slots == sorted(slots, key=lambda each: each.address)
    kernel = [each for each in slots if each.library.lower() == "kernel32.dll"]
    assert len(kernel) > 20
    for slot in kernel:
        assert (slot.kind, slot.lazy) == ("address", False)
        assert slot.points_to == bound_to(slot.library, slot.name), slot
    held = session.read_scattered([each.address for each in slots])
    assert list(held) == [each.points_to for each in slots]


def test_names(session: Session) -> None:
    module = python_library(session)
    (slot,) = session.import_slots(module, "GetProcAddress")
    assert session.import_slots(module.upper(), "GetProcAddress") == [slot]
    assert session.import_slots(module.rpartition(".")[0], "GetProcAddress") == [slot]
    assert slot in session.import_slots(name="GetProcAddress")
    assert session.import_slots(module, "GetProcAddres") == []
    assert (slot.module, slot.library.lower()) == (module, "kernel32.dll")
    with pytest.raises(AddressError, match="did you mean"):
        session.import_slots("kernel3.dll")


def test_all_modules(session: Session) -> None:
    slots = session.import_slots()
    modules = {each.name: each for each in session.modules()}
    assert {each.module for each in slots} <= set(modules)
    assert len({each.module for each in slots}) > 3
    protections = {slot.protected for slot in slots}
    assert protections <= {True, False}
    for slot in slots[:: max(1, len(slots) // 50)]:
        module = modules[slot.module]
        assert module.base <= slot.address < module.base + module.size
        assert slot.protected is ("w" not in session.query(slot.address).protection)


def test_a_slot_is_written_and_undone(session: Session) -> None:
    (slot,) = session.import_slots(python_library(session), "GetProcAddress")
    if slot.protected and not system_memory().writes_read_only:
        with pytest.raises(pydbgwrite.TargetAccessError, match="VirtualProtectEx") as caught:
            session.write_pointers(slot.address, [1])
        assert caught.value.written == 0
        assert session.pid is not None
        dbgeng.make_writable(session.pid, slot.address)
        (slot,) = session.import_slots(slot.module, slot.name)
        assert not slot.protected
    with session.transaction() as hook:
        session.write_pointers(
            slot.address, [slot.points_to + 1], expect=[slot.points_to], verify=True
        )
    (hooked,) = session.import_slots(slot.module, slot.name)
    assert hooked == slot._replace(points_to=slot.points_to + 1)
    assert hook.undo().complete
    assert session.import_slots(slot.module, slot.name) == [slot]


def test_regions_have_the_names_of_modules(session: Session) -> None:
    regions = session.regions()
    assert regions == sorted(regions)
    for module in session.modules():
        inside = [each for each in regions if module.base <= each.base < module.base + module.size]
        assert inside
        assert {each.name for each in inside} == {module.path}
    assert "" in {each.name for each in regions}
    assert "free" not in {each.state for each in regions}


#: Loads a library of Microsoft's, which has delay imports.
_LOADS = """
import ctypes, sys
ctypes.WinDLL(sys.argv[1] + "\\\\dbghelp.dll", winmode=0x100 | 0x800)
print("ready", flush=True)
sys.stdin.read()
"""


def test_delay_imports(session: Session) -> None:
    """Before its first call a slot leads to code of its own module, which finds the function."""
    session.close()  # an engine has one session
    with (
        dbgeng._ready(dbgeng.start(_LOADS, dbgeng.engine_folder())) as child,
        pydbgwrite.attach(child.pid) as opened,
    ):
        slots = opened.import_slots("dbghelp.dll")
        delayed = [each for each in slots if each.kind == "delayed"]
        assert 0 < len(delayed) < len(slots)
        (module,) = [each for each in opened.modules() if each.name.lower() == "dbghelp.dll"]
        for slot in delayed:
            assert slot.lazy is (0 <= slot.points_to - module.base < module.size)
            assert slot.name and slot.library.lower().endswith(".dll")
        assert any(slot.lazy for slot in delayed)
        assert not any(slot.lazy for slot in slots if slot.kind != "delayed")


@needs_32_bit
def test_a_32_bit_program(session: Session) -> None:
    """Slots of its modules have four bytes."""
    assert dbgeng.PYTHON32 is not None
    session.close()  # an engine has one session
    with target(dbgeng.PYTHON32) as running, pydbgwrite.attach(running.pid) as opened:
        assert opened.pointer_size == 4
        assert any(
            each.library.lower().startswith("python3") for each in opened.import_slots("python.exe")
        )
        slots = opened.import_slots(python_library(opened))
        kernel = [each for each in slots if each.library.lower() == "kernel32.dll"]
        assert len(kernel) > 20
        system = ("kernel32.dll", "kernelbase.dll", "ntdll.dll")  # some functions are forwarded
        modules = [each for each in opened.modules() if each.name.lower() in system]
        for slot in kernel:
            assert any(0 <= slot.points_to - each.base < each.size for each in modules), slot
        addresses = [each.address for each in slots]
        assert min(b - a for a, b in pairwise(addresses)) == 4
        assert list(opened.read_scattered(addresses)) == [each.points_to for each in slots]
        assert all(0 < each.points_to < 2**32 for each in slots)
