"""numpy arrays as pointers: used without a copy, or refused with a message that says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.inputs import BASE, SIZE, fill, nothing_written

from pydbgwrite import Patch, PatchEntry, PatchError, Session

np: Any = pytest.importorskip("numpy")
pytest.importorskip("numpy.ma.mrecords")

COUNT = 24
WIDE = 0x9E3779B97F4A7C15


def wide() -> Any:
    """Return a uint64 array of values that use all bits."""
    return np.arange(1, COUNT + 1, dtype=np.uint64) * np.uint64(WIDE)


GOOD: dict[str, Any] = {
    "uint64": lambda: wide(),
    "<u8": lambda: wide().astype("<u8"),
    **({"uintp": lambda: wide().astype(np.uintp)} if np.uintp().itemsize == 8 else {}),
    "ulonglong": lambda: wide().astype(np.ulonglong),
    "int64": lambda: wide().view(np.int64),
    "read-only": lambda: np.frombuffer(wide().tobytes(), dtype=np.uint64),
    "strided": lambda: np.repeat(wide(), 3)[::3],
    "reversed": lambda: wide()[::-1],
    "column": lambda: np.repeat(wide(), 4).reshape(COUNT, 4)[:, 2],
    "transposed row": lambda: np.asfortranarray(np.repeat(wide(), 4).reshape(COUNT, 4))[:, 1],
    "broadcast": lambda: np.broadcast_to(np.uint64(WIDE), (COUNT,)),
    "misaligned": lambda: np.frombuffer(b"x" + wide().tobytes(), dtype=np.uint64, offset=1),
    "field": lambda: np.array(
        [(1, v) for v in wide()], dtype=[("kind", np.uint8), ("pointer", np.uint64)]
    )["pointer"],
    "uint8": lambda: np.frombuffer(wide().tobytes(), dtype=np.uint8),
    "int8": lambda: np.frombuffer(wide().tobytes(), dtype=np.int8),
    "memoryview of it": lambda: memoryview(wide()),
}


@pytest.mark.parametrize("kind", GOOD)
def test_good(session: Session, kind: str) -> None:
    given = GOOD[kind]()
    assert session.write_pointers(BASE, given) == COUNT
    assert session.read(BASE, 8 * COUNT) == np.asarray(given).tobytes()


def test_signed_is_a_bit_pattern(session: Session) -> None:
    assert session.write_pointers(BASE, np.array([-1, -(2**63), 5], dtype=np.int64)) == 3
    assert list(session.read_pointers(BASE, 3)) == [2**64 - 1, 2**63, 5]


@pytest.mark.parametrize("mode", ["r", "c", "r+"])
def test_memmap(session: Session, tmp_path: Path, mode: str) -> None:
    file = tmp_path / "values.npy"
    np.save(file, wide())
    given = np.load(file, mmap_mode=mode)
    assert session.write_pointers(BASE, given) == COUNT
    assert session.write_pointers(BASE + 8 * COUNT, given[::-2]) == COUNT // 2
    assert list(session.read_pointers(BASE, COUNT)) == wide().tolist()
    assert list(session.read_pointers(BASE + 8 * COUNT, COUNT // 2)) == wide()[::-2].tolist()


def test_empty(session: Session) -> None:
    for given in (wide()[:0], np.zeros((0,), np.uint64), wide()[5:5:-1]):
        with nothing_written(session):
            assert session.write_pointers(BASE, given) == 0


BAD: dict[str, Any] = {
    ">u8": lambda: wide().astype(">u8"),
    ">i8": lambda: wide().view(np.int64).astype(">i8"),
    "float64": lambda: np.zeros(COUNT),
    "float32": lambda: np.zeros(COUNT, np.float32),
    "complex64": lambda: np.zeros(COUNT, np.complex64),
    "uint32": lambda: np.zeros(COUNT, np.uint32),
    "int32": lambda: np.zeros(COUNT, np.int32),
    "uint16": lambda: np.zeros(COUNT, np.uint16),
    "bool": lambda: np.zeros(COUNT, np.bool_),
    "object": lambda: np.array([1, 2, 3], dtype=object),
    "datetime64": lambda: np.zeros(COUNT, "datetime64[s]"),
    "timedelta64": lambda: np.zeros(COUNT, "timedelta64[s]"),
    "structured": lambda: np.zeros(COUNT, [("low", np.uint32), ("high", np.uint32)]),
    "one field": lambda: np.zeros(COUNT, [("pointer", np.uint64)]),
    "text": lambda: np.array(["a", "b"]),
    "bytes text": lambda: np.array([b"12345678"]),
    "void": lambda: np.zeros(COUNT, "V8"),
    "0-d": lambda: np.array(5, dtype=np.uint64),
    "scalar": lambda: np.uint64(5),
    "2-d": lambda: wide().reshape(4, 6),
    "1-d times 1": lambda: wide().reshape(COUNT, 1),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad(session: Session, kind: str) -> None:
    given = BAD[kind]()
    for write in (session.write_pointers, session.data_spaces.write_pointers_virtual):
        with nothing_written(session), pytest.raises(TypeError) as caught:
            write(BASE, given)
        message = str(caught.value)
        assert repr(type(given)) in message
    if given.ndim != 1:
        assert f"with {given.ndim}" in message
        assert "reshape" in message
    else:
        assert "array('Q')" in message
    if kind[0] == ">":
        assert "byte order" in message


@pytest.mark.parametrize("kind", ["float64", "datetime64", "2-d"])
def test_bad_expected(session: Session, kind: str) -> None:
    given = BAD[kind]()
    with nothing_written(session), pytest.raises(TypeError) as caught:
        session.write_pointers(BASE, wide(), expect=given)
    assert "expect" in str(caught.value) and repr(type(given)) in str(caught.value)


def masked(count: int = 3) -> Any:
    """Return `count` uint64 elements, the first one masked."""
    values = np.arange(BASE, BASE + 8 * count, 8, dtype=np.uint64)
    return np.ma.array(values, mask=[1] + [0] * (count - 1))


MASKED: dict[str, Any] = {
    "pointers": lambda s: s.write_pointers(BASE, masked()),
    "ptrs": lambda s: s.data_spaces.write_pointers_virtual(BASE, masked()),
    "expect": lambda s: s.write_pointers(BASE, [1, 2, 3], expect=masked()),
    "one expected": lambda s: s.write_pointers(BASE, [1], expect=masked(1).reshape(())),
    "addresses": lambda s: s.write_scattered(masked(), [1, 2, 3]),
    "scattered pointers": lambda s: s.write_scattered([BASE, BASE + 8, BASE + 16], masked()),
    "addresses to read": lambda s: s.read_scattered(masked()),
    "into": lambda s: s.read_pointers(BASE, into=masked()),
    "scattered into": lambda s: s.read_scattered([BASE, BASE + 8, BASE + 16], into=masked()),
    "data": lambda s: s.write(BASE, masked()),
    "expected data": lambda s: s.write(BASE, bytes(24), expect=masked()),
    "raw bytes": lambda s: s.data_spaces.write_virtual(BASE, masked()),
    "an element": lambda s: s.write_pointers(BASE, [1, masked(1).reshape(())]),
    "address": lambda s: s.write_pointers(masked(1).reshape(()), [1]),
    "address to resolve": lambda s: s.resolve(masked(1).reshape(())),
    "in a patch": lambda _: Patch([PatchEntry(BASE, masked())]),
    "expected by a patch": lambda _: Patch([PatchEntry(BASE, [1, 2, 3], expect=masked())]),
}


@pytest.mark.parametrize("where", MASKED)
@pytest.mark.parametrize("after", [np.zeros(1, np.uint64), bytes(8)])
def test_masked_arrays_are_refused(session: Session, where: str, after: Any) -> None:
    """The memory of these arrays also has values for masked elements. The mask is no part of it."""
    with nothing_written(session):
        assert session.write_pointers(BASE + SIZE - 8, after) == 1  # a buffer of another type
        session.write(BASE + SIZE - 8, fill(session)[-8:])
        with pytest.raises((TypeError, PatchError), match=r"filled\(.*compressed\(") as caught:
            MASKED[where](session)
        assert "masked" in str(caught.value)


def test_what_to_pass_instead_of_a_masked_array(session: Session) -> None:
    given = masked()
    assert session.write_pointers(BASE, given.compressed()) == 2
    assert session.write_pointers(BASE, given.filled(7)) == 3
    assert list(session.read_pointers(BASE, 3)) == [7, BASE + 8, BASE + 16]
    assert session.write_pointers(BASE, given.data) == 3
    with pytest.raises(TypeError, match="masked array"):
        session.write_pointers(BASE, np.ma.mrecords.fromarrays([given])["f0"])


def test_uint8_of_another_length(session: Session) -> None:
    with nothing_written(session), pytest.raises(ValueError, match="multiple of 8"):
        session.write_pointers(BASE, np.zeros(9, np.uint8))


def test_a_list_of_numpy_ints(session: Session) -> None:
    assert session.write_pointers(BASE, list(wide())) == COUNT
    assert session.write_pointers(BASE, iter(np.arange(COUNT, dtype=np.int16))) == COUNT
    for bad, kind in (([1, np.float64(2)], TypeError), ([1, np.int64(-2)], OverflowError)):
        with nothing_written(session), pytest.raises(kind, match=r"pointers\[1\]"):
            session.write_pointers(BASE, bad)


def test_addresses_and_sizes_of_numpy(session: Session) -> None:
    assert session.write_pointers(np.uint64(BASE), [1, 2]) == 2
    assert list(session.read_pointers(np.int64(BASE), np.int32(2))) == [1, 2]
    with pytest.raises(TypeError, match="address"):
        session.read_pointers(np.float64(BASE), 2)


def test_reading_into_an_array(session: Session) -> None:
    session.write_pointers(BASE, wide())
    for into in (np.zeros(COUNT, np.uint64), np.zeros(COUNT, np.int64), np.zeros(8 * COUNT, "u1")):
        assert session.read_pointers(BASE, into=into) == COUNT
        assert into.tobytes() == wide().tobytes()
    matrix = np.zeros((3, COUNT), np.uint64)
    assert session.read_pointers(BASE, into=matrix[1]) == COUNT
    assert matrix[1].tolist() == wide().tolist()
    assert not matrix[[0, 2]].any()
    with pytest.raises(ValueError, match="contiguous"):
        session.read_pointers(BASE, into=matrix[:, 0])
    with pytest.raises(TypeError, match="one dimension"):
        session.read_pointers(BASE, into=matrix)
