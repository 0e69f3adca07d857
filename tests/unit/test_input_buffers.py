"""Buffers as pointers: array, ctypes, memoryview, mmap, bytes; used unchanged, or refused."""

from __future__ import annotations

import ctypes
import mmap
from array import array
from typing import Any

import pytest
from support.inputs import BASE, fill, nothing_written, pointers

from pydbgwrite import GIL_RELEASE_BYTES, Session, simulate

VALUES = pointers(20)
RAW = VALUES.tobytes()


def in_mmap() -> mmap.mmap:
    """Return the values in anonymous memory."""
    memory = mmap.mmap(-1, len(RAW))
    memory.write(RAW)
    return memory


def shifted() -> memoryview:
    """Return the same bytes, an odd number of bytes away from any aligned address."""
    room = bytearray(len(RAW) + 1)
    room[1:] = RAW
    return memoryview(room)[1:]


#: Items as wide as a pointer of this Python.
AS_WIDE: dict[str, Any] = {
    "memoryview cast to P": memoryview(RAW).cast("P"),
    "c_void_p array": (ctypes.c_void_p * len(VALUES))(*VALUES),
    "c_size_t array": (ctypes.c_size_t * len(VALUES))(*VALUES),
}
IS_WIDE = ctypes.sizeof(ctypes.c_void_p) == 8

GOOD: dict[str, Any] = {
    "array Q": VALUES,
    **({"array L": array("L", VALUES)} if array("L").itemsize == 8 else {}),  # not on Windows
    "array q": array("q", [v - 2**64 if v >= 2**63 else v for v in VALUES]),
    "bytes": RAW,
    "bytearray": bytearray(RAW),
    "memoryview": memoryview(VALUES),
    "memoryview cast": memoryview(RAW).cast("Q"),
    "memoryview cast signed": memoryview(RAW).cast("q"),
    "memoryview of bytes b": memoryview(RAW).cast("b"),
    "memoryview of chars": memoryview(RAW).cast("c"),
    "misaligned bytes": shifted(),
    "misaligned words": shifted().cast("Q"),
    "c_uint64 array": (ctypes.c_uint64 * len(VALUES))(*VALUES),
    "c_int64 array": (ctypes.c_int64 * len(VALUES))(*VALUES),
    "c_ubyte array": (ctypes.c_ubyte * len(RAW))(*RAW),
    **(AS_WIDE if IS_WIDE else {}),
}


@pytest.mark.parametrize("kind", GOOD)
def test_good_buffers(session: Session, kind: str) -> None:
    fill(session)
    before = session.read(BASE + 8 + len(RAW), 64)
    assert session.write_pointers(BASE + 8, GOOD[kind]) == len(VALUES)
    assert session.read(BASE + 8, len(RAW)) == RAW
    assert session.read(BASE + 8 + len(RAW), 64) == before


@pytest.mark.parametrize("kind", [k for k in GOOD if not k.startswith("misaligned")])
def test_good_buffers_on_the_raw_layer(session: Session, kind: str) -> None:
    session.data_spaces.write_pointers_virtual(BASE, GOOD[kind])
    assert session.read(BASE, len(RAW)) == RAW


def test_mmap(session: Session) -> None:
    with in_mmap() as memory:
        assert session.write_pointers(BASE, memory) == len(VALUES)
        memory[:8] = bytes(8)
        assert session.read_pointers(BASE, into=memory) == len(VALUES)
        assert memory[:] == RAW
    assert session.read(BASE, len(RAW)) == RAW


@pytest.mark.parametrize("step", [1, 2, 3, -1, -2, 19, 25])
@pytest.mark.parametrize("start", [None, 0, 4, 19])
def test_slices(session: Session, start: int | None, step: int) -> None:
    view = memoryview(VALUES)[start::step]
    wanted = VALUES[start::step]
    assert session.write_pointers(BASE, view) == len(wanted)
    assert session.read_pointers(BASE, len(wanted)) == wanted


@pytest.mark.parametrize("count", [4095, 4096, 4097, 10000])
def test_long_strided_input(count: int) -> None:
    """Strided input that is longer than one copied part is written completely."""
    values = pointers(count)
    with simulate([(0, 8 * count)]) as session:
        assert session.write_pointers(0, memoryview(values)[::-1]) == count
        assert session.read_pointers(0, count) == values[::-1]


@pytest.mark.parametrize("step", [2, -1])
def test_the_raw_layer_takes_memory_as_it_lies(session: Session, step: int) -> None:
    with nothing_written(session), pytest.raises(ValueError, match="contiguous and aligned"):
        session.data_spaces.write_pointers_virtual(BASE, memoryview(VALUES)[::step])
    with nothing_written(session), pytest.raises(ValueError, match="contiguous and aligned"):
        session.data_spaces.write_pointers_virtual(BASE, shifted())


def test_empty_buffers(session: Session) -> None:
    for empty in (array("Q"), b"", bytearray(), (ctypes.c_uint64 * 0)(), memoryview(VALUES)[5:5]):
        with nothing_written(session):
            assert session.write_pointers(BASE, empty) == 0
            session.data_spaces.write_pointers_virtual(BASE, empty)


class Pair(ctypes.Structure):
    """A structure whose buffer format has more than one letter."""

    _fields_ = (("low", ctypes.c_uint32), ("high", ctypes.c_uint32))


WRONG_FORMAT: dict[str, Any] = {
    "array d": array("d", [1.0]),
    "array I": array("I", [1, 2]),
    "array i": array("i", [1, 2]),
    "array H": array("H", [1, 2, 3, 4]),
    "array f": array("f", [1.0]),
    "memoryview ?": memoryview(bytes(8)).cast("?"),
    "memoryview d": memoryview(bytes(8)).cast("d"),
    "memoryview I": memoryview(bytes(8)).cast("I"),
    "c_uint32 array": (ctypes.c_uint32 * 4)(),
    "c_double array": (ctypes.c_double * 4)(),
    "c_bool array": (ctypes.c_bool * 8)(),
    "big-endian array": (ctypes.c_uint64.__ctype_be__ * 4)(),
    "structures": (Pair * 4)(),
    "POINTER array": (ctypes.POINTER(ctypes.c_int) * 4)(),
    "c_wchar array": (ctypes.c_wchar * 4)(),
    **({} if IS_WIDE else AS_WIDE),
}


@pytest.mark.parametrize("kind", WRONG_FORMAT)
def test_other_items_are_refused(session: Session, kind: str) -> None:
    given = WRONG_FORMAT[kind]
    shown = memoryview(given)
    for write in (session.write_pointers, session.data_spaces.write_pointers_virtual):
        with nothing_written(session), pytest.raises(TypeError) as caught:
            write(BASE, given)
        message = str(caught.value)
        assert repr(type(given)) in message
        assert f"'{shown.format}'" in message
        assert "array('Q')" in message, "says what is taken"
        assert ("c_void_p" in message.partition("are taken")[2]) == IS_WIDE
    if kind == "big-endian array":
        assert "byte order" in message


def test_dimensions(session: Session) -> None:
    two = memoryview(bytes(32)).cast("Q", [2, 2])
    none = memoryview(ctypes.c_uint64(5))
    for given, count in ((two, 2), (none, 0), (ctypes.c_uint64(5), 0)):
        with nothing_written(session), pytest.raises(TypeError, match="one dimension") as caught:
            session.write_pointers(BASE, given)  # type: ignore[arg-type, unused-ignore]
        assert f"with {count}" in str(caught.value)
        assert repr(type(given)) in str(caught.value)


@pytest.mark.parametrize("size", [1, 7, 9, 15])
def test_odd_numbers_of_raw_bytes(session: Session, size: int) -> None:
    for given in (bytes(size), bytearray(size), memoryview(bytes(size))):
        with nothing_written(session), pytest.raises(ValueError, match="multiple of 8") as caught:
            session.write_pointers(BASE, given)
        assert f"{size} bytes" in str(caught.value)
        assert repr(type(given)) in str(caught.value)


def test_strided_raw_bytes(session: Session) -> None:
    for step in (2, -1):
        with nothing_written(session), pytest.raises(ValueError, match=f"stride of {step} bytes"):
            session.write_pointers(BASE, memoryview(bytes(64))[::step][:8])


def test_released_and_closed_memory(session: Session) -> None:
    view = memoryview(VALUES)
    view.release()
    closed = in_mmap()
    closed.close()
    for given in (view, closed):
        with nothing_written(session), pytest.raises(TypeError, match="memory"):
            session.write_pointers(BASE, given)


def test_growing_while_it_is_written() -> None:
    """The call holds the buffer until it ends: the owner can't resize the buffer before."""
    count = 8 * GIL_RELEASE_BYTES
    refusals: list[BufferError] = []
    values = bytearray(pointers(count).tobytes())

    def progress(done: int, total: int) -> None:
        if not refusals:
            with pytest.raises(BufferError) as caught:
                values.append(1)
            refusals.append(caught.value)

    with simulate([(0, 8 * count)]) as session:
        assert session.write_pointers(0, values, progress=progress) == count
        assert len(refusals) == 1
        values.extend(bytes(8))  # the write has released it
        assert session.read(0, 8 * count) == values[:-8]
        growing = array("Q", bytes(8 * count))
        refusals.clear()

        def reading(done: int, total: int) -> None:
            with pytest.raises(BufferError) as caught:
                growing.append(1)
            refusals.append(caught.value)

        assert session.read_pointers(0, into=growing, progress=reading) == count
        assert refusals
        growing.append(1)


class TestInto:
    """read_pointers fills or refuses the buffer that `into` gives."""

    @pytest.mark.parametrize("kind", [k for k, v in GOOD.items() if not memoryview(v).readonly])
    def test_good(self, session: Session, kind: str) -> None:
        into = GOOD[kind]
        if kind.startswith("misaligned"):
            with pytest.raises(ValueError, match="contiguous and aligned"):
                session.read_pointers(BASE, into=into)
            return
        session.write_pointers(BASE, VALUES)
        assert session.read_pointers(BASE, into=into) == len(VALUES)
        assert bytes(memoryview(into)) == RAW

    def test_read_only(self, session: Session) -> None:
        for given in (RAW, memoryview(VALUES).toreadonly()):
            with pytest.raises(TypeError, match="into"):
                session.read_pointers(BASE, into=given)

    def test_strided_and_misaligned(self, session: Session) -> None:
        for given in (memoryview(array("Q", VALUES))[::2], shifted(), shifted().cast("Q")):
            with pytest.raises(ValueError, match="contiguous and aligned"):
                session.read_pointers(BASE, into=given)

    def test_other_formats(self, session: Session) -> None:
        for kind, given in WRONG_FORMAT.items():
            with pytest.raises(TypeError, match="into"):
                session.read_pointers(BASE, into=given)
            assert kind

    @pytest.mark.parametrize("given", [[0, 0], (0, 0), "text", 5, range(3), {1: 2}])
    def test_no_buffers(self, session: Session, given: Any) -> None:
        with pytest.raises(TypeError, match="into") as caught:
            session.read_pointers(BASE, into=given)
        assert repr(type(given)) in str(caught.value)

    def test_room(self, session: Session) -> None:
        with pytest.raises(ValueError, match="into has room for 20 pointers, count is 21"):
            session.read_pointers(BASE, 21, into=array("Q", VALUES))
        with pytest.raises(TypeError, match="count or into"):
            session.read_pointers(BASE)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="count or into"):
            session.read_pointers(BASE, None, into=None)  # type: ignore[call-overload]
        assert session.read_pointers(BASE, into=bytearray()) == 0
