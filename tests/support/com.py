"""COM objects made and called by ctypes, to test objects exchanged with other packages."""

from __future__ import annotations

import ctypes
import uuid
from collections.abc import Callable, Sequence
from ctypes import c_int32, c_uint32, c_void_p
from typing import Any

UNKNOWN = uuid.UUID("00000000-0000-0000-c000-000000000046")
CLIENT = uuid.UUID("27fe5639-8407-4f47-8364-ee118fb08ac8")
CONTROL = uuid.UUID("5182e668-105e-416e-ad92-24ef800424ba")
DATA_SPACES = uuid.UUID("88f7dfab-3ea7-4c3a-aefb-c4e8106173aa")
DATA_SPACES_2 = uuid.UUID("7a5e852f-96e9-468f-ac1b-0b3addc4a049")
DATA_SPACES_3 = uuid.UUID("23f79d6c-8aaf-4f7c-a607-9995f5407e63")
DATA_SPACES_4 = uuid.UUID("d98ada1f-29e9-4ef5-a6c0-e53349883212")
#: The interfaces that wrap() asks an engine for.
ENGINE = (CLIENT, CONTROL, DATA_SPACES_4)
S_OK, E_NOINTERFACE, E_UNEXPECTED = 0, 0x80004002, 0x8000FFFF

# COM's calling convention: stdcall on 32-bit Windows, else the platform's own.
FUNCTION: Any = getattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE)
WORD = ctypes.sizeof(c_void_p)
SLOTS = 95

#: Takes an interface id; returns the address of the answer, already counted, or an HRESULT.
Query = Callable[[uuid.UUID], "tuple[int, int]"]


def call(pointer: int, slot: int, types: Sequence[Any] = (), *arguments: Any) -> int:
    """Call one slot of an object; return the answer as an unsigned number."""
    table = c_void_p.from_address(pointer).value
    assert table is not None
    function = c_void_p.from_address(table + slot * WORD).value
    assert function is not None
    answer: int = FUNCTION(c_int32, c_void_p, *types)(function)(pointer, *arguments)
    return answer & 0xFFFFFFFF


def add_reference(pointer: int) -> int:
    """Call AddRef; return the new count of references."""
    return call(pointer, 1)


def release(pointer: int) -> int:
    """Call Release; return the count of references that are left."""
    return call(pointer, 2)


def references(pointer: int) -> int:
    """Return the count of references."""
    add_reference(pointer)
    return release(pointer)


def query(pointer: int, iid: uuid.UUID) -> int:
    """Call QueryInterface; return another interface of the object, with a reference."""
    found = c_void_p()
    guid = ctypes.create_string_buffer(iid.bytes_le, 16)
    assert call(pointer, 0, [c_void_p, c_void_p], guid, ctypes.byref(found)) == S_OK
    assert found.value is not None
    return found.value


class FakeObject:
    """An object whose QueryInterface is a Python function; it counts its references."""

    def __init__(self, answer: Query) -> None:
        self.answer = answer
        self.asked: list[uuid.UUID] = []
        self.references = 0
        self.kept: list[Any] = []  # the functions, which ctypes does not keep
        self.table = (c_void_p * SLOTS)()
        self.memory = (c_void_p * 1)(ctypes.addressof(self.table))
        self.pointer = ctypes.addressof(self.memory)
        for slot in range(3, SLOTS):
            self.set(slot, FUNCTION(c_int32, c_void_p), lambda this: -1)
        self.set(0, FUNCTION(c_int32, c_void_p, c_void_p, c_void_p), self.query_interface)
        self.set(1, FUNCTION(c_uint32, c_void_p), self.add_reference)
        self.set(2, FUNCTION(c_uint32, c_void_p), self.release)

    def set(self, slot: int, kind: Any, function: Callable[..., int]) -> None:
        """Put a Python function into a slot."""
        self.kept.append(kind(function))
        self.table[slot] = ctypes.cast(self.kept[-1], c_void_p).value

    def query_interface(self, this: int, iid: int, result: int) -> int:
        """Slot 0: QueryInterface."""
        asked = uuid.UUID(bytes_le=ctypes.string_at(iid, 16))
        self.asked.append(asked)
        status, found = self.answer(asked)
        c_void_p.from_address(result).value = found
        return c_int32(status).value

    def add_reference(self, this: int) -> int:
        """Slot 1: AddRef."""
        self.references += 1
        return self.references

    def release(self, this: int) -> int:
        """Slot 2: Release."""
        self.references -= 1
        return self.references


def refusing(status: int = E_NOINTERFACE) -> FakeObject:
    """Return an object that has no interface at all."""
    return FakeObject(lambda iid: (status, 0))


def foreign(pointer: int, *interfaces: uuid.UUID) -> FakeObject:
    """Return an object with only these interfaces of another engine."""

    def answer(iid: uuid.UUID) -> tuple[int, int]:
        return (S_OK, query(pointer, iid)) if iid in interfaces else (E_NOINTERFACE, 0)

    return FakeObject(answer)


def sleeper(pointer: int, function: int) -> FakeObject:
    """Return a separate engine at its own address, which writes by a C function."""
    fake = FakeObject(lambda iid: (S_OK, pointer))
    fake.set(42, FUNCTION(c_int32, c_void_p), lambda this: 0)  # IsPointer64Bit
    fake.table[9] = function
    c_void_p.from_address(pointer).value = ctypes.addressof(fake.table)
    return fake
