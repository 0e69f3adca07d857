"""wrap() refuses arguments that are no engine interface: numbers, garbage, other types, objects."""

from __future__ import annotations

import ctypes
import mmap
import random
import sys
from array import array
from ctypes import POINTER, c_uint64, c_void_p
from typing import Any

import pytest
from support import com

import pydbgwrite
from pydbgwrite import Session, wrap

LINUX = sys.platform == "linux"

NUMBERS = [0, 1, 2, 7, 8, 16, 0x1000 - 8, 0xFFFF, -1, -8, 2**63, 2**64 - 8, 2**64 - 1, 2**64, 2**80]
NUMBERS += [0x7FFFFFFFF000, 0xFFFF800000000000, 1 << 40000]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: f"{min(number, 2**80):#x}")
def test_numbers_that_are_no_pointers(number: int) -> None:
    with pytest.raises(ValueError, match="interface") as caught:
        wrap(number)
    assert len(str(caught.value)) < 300
    if 0 <= number < 2**64:
        pointer = c_void_p(number)
        with pytest.raises(ValueError, match="pointer"):
            wrap(pointer)


def test_null_pointers() -> None:
    for null in (c_void_p(), POINTER(c_uint64)()):
        with pytest.raises(ValueError, match="NULL"):
            wrap(null)


def test_garbage_on_the_heap() -> None:
    numbers = random.Random(5)
    buffer = ctypes.create_string_buffer(4096)
    address = ctypes.addressof(buffer) + -ctypes.addressof(buffer) % 8
    for fill in (
        bytes(4096),
        b"\xff" * 4096,
        numbers.randbytes(4096),
        array("Q", [address] * 500).tobytes(),  # a table of pointers to itself
        array("Q", [address + 8] * 500).tobytes(),
        array("Q", [address + 1] * 500).tobytes(),
        array("Q", [2**64 - 8] * 500).tobytes(),
    ):
        ctypes.memmove(address, fill, min(len(fill), 4000))
        for offset in (0, 8, 800, 1, 4):
            with pytest.raises(ValueError, match="not an interface pointer"):
                wrap(address + offset)


def test_code_is_no_object() -> None:
    code = ctypes.cast(ctypes.pythonapi.Py_IncRef, c_void_p).value
    assert code is not None
    with pytest.raises(ValueError, match="not an interface pointer"):
        wrap(code)
    with pytest.raises(ValueError, match="not an interface pointer"):
        wrap(code & ~7)


def test_the_address_of_the_pointer(session: Session) -> None:
    """A pointer to the interface pointer, which is an easy mistake, is refused."""
    pointer = c_void_p(session._interface_address())
    with pytest.raises(ValueError, match=r"not code|can't be read"):
        wrap(ctypes.pointer(pointer))
    with pytest.raises(ValueError, match="not an interface pointer"):
        wrap(id(pointer))


def test_memory_that_is_gone() -> None:
    memory = mmap.mmap(-1, 1 << 16)
    view = (ctypes.c_char * 16).from_buffer(memory)
    address = ctypes.addressof(view)
    del view
    memory.close()
    with pytest.raises(ValueError, match="no readable memory"):
        wrap(address)


def test_a_table_that_ends_too_early() -> None:
    """A table whose first slot is the last word of a mapping is refused."""
    fake = com.refusing()
    if not LINUX:
        pytest.skip("lays out memory by mmap(2)")
    libc = ctypes.CDLL(None)
    libc.mmap.restype = c_void_p
    libc.mmap.argtypes = [c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [c_void_p, ctypes.c_size_t]
    size = mmap.PAGESIZE
    pages = libc.mmap(None, 2 * size, 3, 0x22, -1, 0)
    libc.munmap(pages + size, size)
    c_void_p.from_address(pages + size - 8).value = fake.table[0]
    c_void_p.from_address(pages).value = pages + size - 8
    try:
        with pytest.raises(ValueError, match=r"can't be read \(slot 1\)"):
            wrap(pages)
    finally:
        libc.munmap(pages, size)
    assert fake.asked == []


WRONG: list[Any] = [None, True, 1.5, "0x1000", b"12345678", [1], object(), len, c_uint64(8)]
WRONG += [ctypes.c_char_p(b"x"), (c_void_p * 1)(), c_void_p, array("Q", [1]), memoryview(b"x")]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: type(wrong).__name__)
def test_wrong_types(wrong: Any) -> None:
    with pytest.raises(TypeError, match="interface must be"):
        wrap(wrong)


def test_a_session_is_no_interface(session: Session) -> None:
    with pytest.raises(TypeError, match="a session already"):
        wrap(session)


def test_an_object_that_is_no_engine() -> None:
    fake = com.refusing()
    with pytest.raises(ValueError, match=r"not a debugger engine.*IDebugDataSpaces4\)"):
        wrap(fake.pointer)
    assert (fake.asked, fake.references) == ([com.DATA_SPACES_4], 0)


def test_an_engine_with_older_data_spaces_alone(session: Session) -> None:
    """An engine without IDebugDataSpaces4, like Wine's own, is refused.

    dbgeng and this package's engine have IDebugDataSpaces4.
    """
    older = [com.DATA_SPACES, com.DATA_SPACES_2, com.DATA_SPACES_3]
    pointer = session._interface_address()
    before = com.references(pointer)
    fake = com.foreign(pointer, com.CLIENT, com.CONTROL, *older)
    with pytest.raises(ValueError, match=r"IDebugDataSpaces4\) answered .*E_NOINTERFACE"):
        wrap(fake.pointer)
    assert com.references(pointer) == before


def test_an_object_that_fails() -> None:
    fake = com.refusing(0x80010108)  # RPC_E_DISCONNECTED
    with pytest.raises(pydbgwrite.DebugEngineError, match="IDebugDataSpaces4") as caught:
        wrap(fake.pointer)
    assert caught.value.hresult == 0x80010108
    assert fake.asked == [com.DATA_SPACES_4]


def test_an_object_whose_answers_are_wild() -> None:
    for found in (0, 8, 0x1001):
        fake = com.FakeObject(lambda iid, found=found: (com.S_OK, found))  # type: ignore[misc]
        with pytest.raises((ValueError, pydbgwrite.DebugEngineError)):
            wrap(fake.pointer)


def test_an_engine_without_a_control_gets_its_data_spaces_back(session: Session) -> None:
    pointer = session._interface_address()
    before = com.references(pointer)
    fake = com.foreign(pointer, com.DATA_SPACES_4)
    with pytest.raises(ValueError, match="IDebugControl"):
        wrap(fake.pointer)
    assert com.references(pointer) == before
