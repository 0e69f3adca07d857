"""Files and lists of a target with arbitrary content give an answer or a clear error, in time."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import struct
import sys
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from fuzz.elf_files import DATA, Symbol, elf_file
from fuzz.targets import LIBRARY, PROGRAM, Process
from support.demangling import needs_demangler
from support.libraries import compile_library, program_with, without_map_files

import pydbgwrite
from pydbgwrite import AddressError, Session
from pydbgwrite._symbols import demangle, elf_names
from pydbgwrite._symbols.elf import ElfSymbols
from pydbgwrite._symbols.elf_headers import headers_of_table
from pydbgwrite._symbols.linux_images import _loaded_image
from pydbgwrite._symbols.linux_loader import Loaded, loaded_modules, memory_reader
from pydbgwrite._symbols.linux_maps import PAGE, Image, Mapping
from pydbgwrite._symbols.naming import names_of
from pydbgwrite._symbols.resolver import Resolver

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes are for Linux")

IMAGE = Image("x", 0x10000, 0x10000, "/x", None)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_library(tmp_path_factory.mktemp("library") / "compiled.so")


def looked_through(content: bytes) -> None:
    """Read all parts of a file that are used; raise AddressError if the file is refused."""
    backend = ElfSymbols.__new__(ElfSymbols)
    table = backend._read_stream(BytesIO(content), IMAGE).table
    table.find("table")
    table.find("answer@V_1")
    list(table.names())
    table.exported_at(0x4000)


@pytest.mark.parametrize("sections", [True, False])
def test_flipped_bytes(library: Path, profile: str, sections: bool) -> None:
    good = bytearray(library.read_bytes())
    if not sections:
        good[0x28:0x30] = bytes(8)
        good[0x3A:0x40] = bytes(6)
    looked_through(bytes(good))
    source = random.Random(11)
    (start,) = struct.unpack_from("<Q", library.read_bytes(), 0x28)
    tables = [range(0x400), range(0x400, 0xC00), range(start, len(good))]
    tables += [range(at, at + 0x200) for at in dynamic_places(bytes(good))]
    refused = 0
    for _ in range(8000 if profile == "full" else 400):
        damaged = bytearray(good)
        for _ in range(source.randrange(1, 4)):
            at = source.choice(source.choice(tables))
            if at < len(damaged):
                damaged[at] = source.choice((0, 0xFF, 0x7F, damaged[at] ^ 1, source.randrange(256)))
        try:
            looked_through(bytes(damaged))
        except (AddressError, ValueError):
            refused += 1
    assert refused > 5


def dynamic_places(content: bytes) -> list[int]:
    """Return the offsets of the file's dynamic section."""
    return [
        struct.unpack_from("<Q", content, at + 8)[0]
        for at in range(64, 64 + 56 * content[56], 56)
        if content[at] == 2
    ]


@pytest.mark.parametrize("deleted", [False, True])
def test_lists_of_a_live_process(
    library: Path,
    tmp_path: Path,
    profile: str,
    deleted: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loader's lists, headers and tables in memory have changed bytes."""
    library = Path(shutil.copy(library, tmp_path))
    with program_with(library) as (pid, table), pydbgwrite.attach(pid) as session:
        places = loader_places(session)
        if deleted:
            library.unlink()
            monkeypatch.setattr("os.open", without_map_files(os.open))
        source = random.Random(12)
        for _ in range(1500 if profile == "full" else 100):
            changed: list[tuple[int, bytes]] = []
            for _ in range(source.randrange(1, 4)):
                start, size = source.choice(places)
                at = start + source.randrange(size)
                changed.append((at, session.read(at, 1)))
                session.write(at, bytes([source.choice((0, 1, 0x7F, 0xFF, source.randrange(256)))]))
            session.modules()
            with contextlib.suppress(AddressError):
                session.resolve(f"{library.name}!table")
            with contextlib.suppress(AddressError):
                session.import_slots(library.name)
            for at, old in reversed(changed):
                session.write(at, old)
        assert session.resolve(f"{library.name}!table") == table


def loader_places(session: Session) -> list[tuple[int, int]]:
    """Return the places of r_debug, its list's entries, the headers and the dynamic sections."""
    try:
        debug = session.resolve("ld-linux-x86-64.so.2!_r_debug")
    except AddressError:
        pytest.skip("the dynamic linker has another name here")
    found = [(debug, 40)]
    (link,) = session.read_pointers(debug + 8, 1)
    while link:
        bias, _, dynamic, following = session.read_pointers(link, 4)
        found += [(link, 32), (dynamic, 256)]
        link = following
        if any(module.base == bias for module in session.modules()):
            found.append((bias, 1024))
    return found


@pytest.mark.parametrize("path", [b"", b"/x"], ids=["mapped", "not mapped"])
def test_a_load_address_within_a_page(path: bytes) -> None:
    """No loader makes one. Addresses before such a module would have an offset below 0 in it."""
    raw = elf_file([Symbol("table", DATA)])
    for shift in (0, 0x20):
        moved = bytearray(raw[64:][: 3 * 56])
        struct.pack_into("=Q", moved, 8, 0x20 if shift else 0)  # p_offset of the part at address 0
        loaded = Loaded(headers_of_table(64, bytes(moved)), 16 * PAGE + shift, path, 0)
        mapping = Mapping(16 * PAGE, 32 * PAGE, True, 0, (0, 1), 7, b"/x")
        image, _ = _loaded_image(loaded, [] if path else [mapping], 100)
        assert (image is None) == bool(shift)


def loaded_of(
    vector: dict[int, int] | None = None, program: bytes | None = None
) -> list[tuple[bytes, bool]]:
    """Return what a process's loader has: name and whether it is the program."""
    process: Any = Process(elf_file([Symbol("answer", DATA)]), 64)
    if vector is not None:
        raw = b"".join(struct.pack("=2Q", *each) for each in vector.items())
        (process._folder / "auxv").write_bytes(raw)
    if program is not None:
        process._memory.write(PROGRAM + 64, program)
    return [(each.name, each.program) for each in loaded_modules(process, [])]


def test_the_loader_is_asked_for_a_name_that_no_mapping_has() -> None:
    assert loaded_of() == [(b"", True), (b"/x", False)]


def test_a_program_that_can_not_be_located() -> None:
    """Its vector or its headers are inconsistent, as no kernel writes them: no list is read."""
    good = {3: PROGRAM + 64, 4: 56, 5: 3, 9: PROGRAM + DATA}
    assert loaded_of(good) == [(b"", True), (b"/x", False)]
    for wrong in ({3: 0}, {4: 55}, {5: 0}, {5: 513}, {9: PROGRAM + (1 << 40)}):
        assert loaded_of(good | wrong) == []
    assert loaded_of({}) == []
    header = struct.pack("=2I6Q", 1, 5, 0x1000, 0x1000, 0, 0x1000, 0x1000, 0x1000)
    assert loaded_of(good, 3 * header) == []  # no segment has the beginning of the file


def test_a_table_of_more_bytes_than_any_has() -> None:
    with (
        pydbgwrite.simulate([(0x1000, 0x1000)]) as session,
        pytest.raises(ValueError, match="a table has 268,435,457 bytes"),
    ):
        memory_reader(session)(0x1000, (1 << 28) + 1)


@needs_demangler
@pytest.mark.parametrize("many", [1, 40])
def test_names_that_take_too_long_to_demangle(many: int) -> None:
    """A file can be made for that; here the limit is small."""
    names = ["_Z5first5PointIiE", "_Z6second5PointIiE"]
    file = elf_file([Symbol(name, DATA + 16 * at) for at, name in enumerate(names)])
    process: Any = Process(file, 64)
    with (
        mock.patch.object(demangle, "_MOST_OF_ALL", 0),
        mock.patch.object(demangle, "_MOST_OF_EACH", 0),
        mock.patch.object(elf_names, "_MANY", many),
    ):
        resolver = Resolver(process)
        with pytest.raises(AddressError, match="takes too long: give the mangled name, as nm"):
            resolver.resolve("x!second(Point<int>)")
        assert resolver.resolve(f"x!{names[1]}") == LIBRARY + DATA + 16
        shown = names_of(process, [LIBRARY + DATA, LIBRARY + DATA + 16])
        assert shown == [f"x!{name}" for name in names]
    assert Resolver(process).resolve("x!second(Point<int>)") == LIBRARY + DATA + 16
