"""Tables of files are kept between calls, and read again where the file is another one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from support.libraries import compile_library, program_with
from support.pressing import count_places, press_at

import pydbgwrite
from pydbgwrite import Session
from pydbgwrite._symbols import elf_tables, kept_files
from pydbgwrite._symbols.elf_headers import read_sections
from pydbgwrite._symbols.elf_tables import SymbolTable

if sys.platform != "linux":
    pytest.skip("Linux processes are for Linux", allow_module_level=True)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_library(tmp_path_factory.mktemp("kept") / "libkept.so")


@pytest.fixture
def library(compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a library that counts as old enough to be kept."""
    monkeypatch.setattr(kept_files, "_RECENT", 0)
    return Path(shutil.copy(compiled, tmp_path))


@pytest.fixture
def session(library: Path) -> Iterator[Session]:
    with program_with(library) as (pid, _), pydbgwrite.attach(pid) as opened:
        yield opened


@pytest.fixture
def reads() -> Iterator[mock.Mock]:
    """Count how often the sections of a file are read."""
    with mock.patch.object(SymbolTable, "of_sections", wraps=SymbolTable.of_sections) as counted:
        yield counted


def move_symbol(library: Path, name: bytes, by: int) -> None:
    """Change a symbol's value in the file, where the target has it mapped."""
    content = bytearray(library.read_bytes())
    sections = read_sections(lambda at, size: bytes(content[at : at + size]))
    (table,) = [each for each in sections if each.kind == 2]
    strings = sections[table.link]
    text = content[strings.offset : strings.offset + strings.size]
    for at in range(table.offset, table.offset + table.size, 24):
        start = int.from_bytes(content[at : at + 4], "little")
        if text[start : text.find(b"\0", start)] == name:
            place = slice(at + 8, at + 16)
            value = int.from_bytes(content[place], "little") + by
            with library.open("r+b") as file:
                file.seek(place.start)
                file.write(value.to_bytes(8, "little"))
            return
    raise AssertionError(name)


@pytest.mark.skipif(sys.maxsize < 2**32, reason="the table of a 64-bit file is changed")
def test_a_file_is_read_once(session: Session, library: Path, reads: mock.Mock) -> None:
    first = session.resolve("libkept.so!calls_puts")
    assert reads.call_count == 1
    for _ in range(3):
        assert session.resolve("libkept.so!calls_puts") == first
        assert session.symbols("calls_puts", module="libkept.so")[0].address == first
    assert session.read_pointers("libkept.so!calls_puts", 1) == session.read_pointers(first, 1)
    assert session.name(first + 1) == "libkept.so!calls_puts+0x1"
    assert reads.call_count == 1


def test_a_file_that_has_just_changed_is_not_kept(
    session: Session, reads: mock.Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could change again without a later time."""
    monkeypatch.setattr(kept_files, "_RECENT", 3600 * 10**9)
    for count in (1, 2):
        session.resolve("libkept.so!calls_puts")
        assert reads.call_count == count


def test_a_file_that_changes_is_read_again(session: Session, library: Path) -> None:
    first = session.resolve("libkept.so!calls_puts")
    times = library.stat()
    move_symbol(library, b"calls_puts", 4)
    os.utime(library, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert session.resolve("libkept.so!calls_puts") == first + 4
    move_symbol(library, b"calls_puts", -4)
    assert session.resolve("libkept.so!calls_puts") == first


def test_names_after_a_change_lead_back(session: Session, library: Path) -> None:
    first = session.resolve("libkept.so!calls_puts")
    assert session.name(first) == "libkept.so!calls_puts"
    move_symbol(library, b"calls_puts", 4)
    assert session.name(first + 4) == "libkept.so!calls_puts"
    assert session.resolve(session.name(first)) == first


def test_a_file_that_changes_while_it_is_read(library: Path) -> None:
    """What was read of it is what it held before, or a part of both."""
    known = kept_files.KeptFiles()
    held = SymbolTable([], None, stripped=True)

    def read() -> SymbolTable:
        with library.open("ab") as file:
            file.write(b"more")
        return held

    other = SymbolTable([], None, stripped=True)
    with library.open("rb") as stream:
        assert known.get(stream, "module", read) is held
        assert known.get(stream, "module", lambda: other) is other
        assert known.get(stream, "module", read) is other


def test_another_file_of_that_name(session: Session, library: Path, compiled: Path) -> None:
    """The same content in another file is not what the target has mapped."""
    first = session.resolve("libkept.so!calls_puts")
    other = Path(shutil.copy(compiled, library.with_name("other")))
    move_symbol(other, b"calls_puts", 4)
    other.replace(library)
    try:
        found = session.resolve("libkept.so!calls_puts")
    except pydbgwrite.AddressError as error:  # without CAP_CHECKPOINT_RESTORE
        assert "deleted, or replaced" in str(error)
    else:
        assert found == first


def test_the_last_files_are_kept(
    library: Path, reads: mock.Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_files, "_MOST_BYTES", 1)
    other = Path(shutil.copy(library, library.with_name("libother.so")))
    with program_with(library, other) as (pid, _), pydbgwrite.attach(pid) as session:
        for _ in range(2):
            session.resolve("libkept.so!calls_puts")
            session.resolve("libother.so!calls_puts")
        assert reads.call_count == 4
        session.resolve("libother.so!part_1")
        assert reads.call_count == 4


def test_exceptions_of_signal_handlers_leave_nothing_half_read(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any line: later calls have the same answers, with what was read before it and after."""
    names = ["calls_puts", "first", "part_1", "answer", "answer@V_1"]

    def work() -> list[int]:
        return [session.resolve(f"libkept.so!{names[i % 5]}") for i in range(10)]

    monkeypatch.setattr(elf_tables, "_MOST_SEARCHES", 5)  # then there are indexes
    wanted = work()
    for kind in ("elf_tables", "kept_files"):
        session._kept_files = None
        places = count_places(work, file=kind)
        for place in range(0, places, max(1, places // 20)):
            session._kept_files = None
            press_at(place, work, OSError("of the handler"), file=kind)
            assert work() == wanted
