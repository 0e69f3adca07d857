"""Dump files with Microsoft's engine: reads work, and no write is ever reported as done."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.dbgeng import (
    MARK,
    NARROW,
    NOT_APPLIED,
    OWN,
    PYTHON32,
    Target,
    needs_32_bit,
    needs_engine,
    target,
    write_dump,
)

import pydbgwrite

pytestmark = needs_engine
VALUES = [MARK + 0x4444, 2, 3]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The engine handles an access violation in each write to a dump: print no tracebacks."""
    was_on = faulthandler.is_enabled()
    faulthandler.disable()
    yield
    if was_on:
        faulthandler.enable()


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Target]]:
    """Yield a dump of a program whose memory begins with VALUES, and the program."""
    path = tmp_path_factory.mktemp("dump") / "full \xe4.dmp"
    with target() as child:
        with pydbgwrite.attach(child.pid) as session:
            session.write_pointers(child.base, VALUES)
        write_dump(child.pid, path)
    yield path, child


def test_reads(dump: tuple[Path, Target]) -> None:
    path, child = dump
    with pydbgwrite.open_dump(path) as session:
        assert (session.target, session.pid, session.pointer_size) == ("dump", None, OWN)
        assert list(session.read_pointers(child.base, 4)) == [*VALUES, 0]
        assert session.query(child.base).state == "committed"
        assert "python.exe" in {each.name.lower() for each in session.modules()}


def test_writes_are_not_applied(dump: tuple[Path, Target]) -> None:
    path, child = dump
    with pydbgwrite.open_dump(path) as session:
        with pytest.raises(NOT_APPLIED, match="dump") as caught:
            session.write_pointers(child.base, [9, 8, 7])
        assert (caught.value.written, caught.value.hresult) == (
            0,
            0xD0000005 if NARROW else 0x10000000,
        )
        with pytest.raises(NOT_APPLIED) as caught:
            session.write(child.base, b"x" * 32)
        assert caught.value.written == 0
        with pytest.raises(NOT_APPLIED):
            session.data_spaces.write_pointers_virtual(child.base, [9])
        assert list(session.read_pointers(child.base, 3)) == VALUES


def test_what_is_not_in_it(dump: tuple[Path, Target]) -> None:
    path, child = dump
    with pydbgwrite.open_dump(path) as session:
        with pytest.raises(pydbgwrite.TargetAccessError, match="nothing is mapped") as caught:
            session.read_pointers(child.end, 1)
        assert caught.value.hresult == 0x80004002


def test_a_read_only_session(dump: tuple[Path, Target]) -> None:
    path, child = dump
    with pydbgwrite.open_dump(path, writable=False) as session:
        with pytest.raises(pydbgwrite.ReadOnlyError):
            session.write_pointers(child.base, [1])
        session.terminate()  # closes the session: a dump has no process to end


@needs_32_bit
def test_pointer_width_of_a_32_bit_program(tmp_path: Path) -> None:
    assert PYTHON32 is not None
    path = tmp_path / "narrow.dmp"
    with target(PYTHON32) as child:
        with pydbgwrite.attach(child.pid) as session:
            session.write_pointers(child.base, [1, 2, 3])
        write_dump(child.pid, path)
    with pydbgwrite.open_dump(path) as session:
        assert session.pointer_size == 4
        assert list(session.read_pointers(child.base, 4)) == [1, 2, 3, 0]


@pytest.mark.parametrize("kept", [0, 10, 1000])
def test_the_beginning_of_one(dump: tuple[Path, Target], tmp_path: Path, kept: int) -> None:
    path, _child = dump
    cut = tmp_path / "cut.dmp"
    cut.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(pydbgwrite.NoTargetError, match="not a dump"):
        pydbgwrite.open_dump(cut)
    with pydbgwrite.open_dump(path) as session:  # the engine still works
        assert session.pointer_size == OWN


def test_cut_off(dump: tuple[Path, Target], tmp_path: Path) -> None:
    """The memory after the cut can't be read, and the error reports that."""
    path, child = dump
    cut = tmp_path / "cut.dmp"
    data = path.read_bytes()
    held = b"".join(value.to_bytes(OWN, "little") for value in VALUES)
    cut.write_bytes(data[: data.index(held)])
    with (
        pydbgwrite.open_dump(cut) as session,
        pytest.raises(pydbgwrite.TargetAccessError, match="truncated"),
    ):
        session.read_pointers(child.base, 1)


def test_no_dump_at_all(tmp_path: Path) -> None:
    text = tmp_path / "no.dmp"
    text.write_text("this is not a dump\n" * 1000)
    with pytest.raises(pydbgwrite.NoTargetError, match="not a dump"):
        pydbgwrite.open_dump(text)
    with pytest.raises(FileNotFoundError):
        pydbgwrite.open_dump(tmp_path / "missing.dmp")
    with pytest.raises(OSError):
        pydbgwrite.open_dump(tmp_path)
