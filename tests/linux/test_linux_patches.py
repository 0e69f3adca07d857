"""Patches of live Linux programs by name: symbols, builds, read-only tables, 32-bit programs."""

from __future__ import annotations

import hashlib
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from support import elf32
from support.libraries import compile_library, program_with
from support.patch_files import load
from support.processes import Child32, LiveChild

import pydbgwrite
from pydbgwrite import (
    AddressError,
    BuildCheck,
    Patch,
    PatchEntry,
    PatchError,
    ScatteredEntry,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes are for Linux")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with symbols, which no test changes."""
    return compile_library(tmp_path_factory.mktemp("library") / "libtable.so")


def test_a_table_by_name(library: Path, tmp_path: Path) -> None:
    """A patch writes pointers to functions of two libraries, given by name in the patch file."""
    with program_with(library, symbol="puts") as (pid, puts), pydbgwrite.attach(pid) as session:
        (libc,) = [m.name for m in session.modules() if m.base <= puts < m.base + m.size]
        table = session.resolve("libtable.so!table")
        build = BuildCheck.of(session, "libtable.so")
        patch = load(
            tmp_path,
            f"""format = 1
[[build]]
module = "libtable.so"
build_id = "{build.build_id}"
[[write]]
address = "libtable.so!table+8"
pointers = ["libtable.so!first", "{libc}!puts", 5, "{library}+0x10"]
expect = [2, 3, 0, 0]
""",
        )
        assert patch.apply(session) == 4
        first = session.resolve("libtable.so!first")
        base = session.resolve("libtable.so+0")
        assert list(session.read_pointers(table, 5)) == [1, first, puts, 5, base + 16]
        patch.verify(session)
        assert patch.undo(session).complete
        assert list(session.read_pointers(table, 5)) == [1, 2, 3, 0, 0]


def test_what_was_found_in_a_module(library: Path, tmp_path: Path) -> None:
    """Offsets from a module's base are applied in another process to the same build of it."""
    file = tmp_path / "found.toml"
    with program_with(library) as (pid, _), pydbgwrite.attach(pid) as session:
        at = session.resolve("libtable.so!table") - session.resolve("libtable.so+0")
        entry = ScatteredEntry(
            [at + 16, at], "libtable.so!first", base="libtable.so", expect=[3, 1]
        )
        build = BuildCheck.of(session, "libtable.so")
        Patch([entry], builds=[build]).save(file, inline=1)
    with program_with(library) as (pid, _), pydbgwrite.attach(pid) as session:
        table = session.resolve("libtable.so!table")
        first = session.resolve("libtable.so!first")
        patch = Patch.load(file)
        assert patch.entries == [entry]
        assert patch.apply(session) == 2
        assert list(session.read_pointers(table, 4)) == [first, 2, first, 0]
        patch.verify(session)
        assert patch.undo(session).complete
        assert list(session.read_pointers(table, 4)) == [1, 2, 3, 0]
        patch.builds = [BuildCheck("libtable.so", build_id="ab12")]
        assert patch.preview(session).kind == "build"
        by_path = Patch([ScatteredEntry([at], 7, base=str(library))])
        assert by_path.apply(session) == 1
        assert session.read_pointers(table, 1)[0] == 7


def test_a_read_only_table(library: Path) -> None:
    """The program itself may not write to its private pages: a debugger forces the write."""
    with program_with(library) as (pid, _), pydbgwrite.attach(pid) as session:
        base = session.resolve("libtable.so+0")
        # On aarch64 the linker puts the code into the same segment.
        assert session.query(base).protection in ("r", "rx")
        patch = Patch([PatchEntry("libtable.so+0x8", [1, 2, 3])])
        assert patch.preview(session).problems == []
        before = session.read(base, 64)
        patch.apply(session)
        assert session.read(base, 64) == before[:8] + struct.pack("<3Q", 1, 2, 3) + before[32:]


def test_names_that_are_not_there(library: Path) -> None:
    """Each unknown name is reported; the other names are still resolved."""
    with program_with(library) as (pid, table), pydbgwrite.attach(pid) as session:
        patch = Patch(
            [
                PatchEntry("libtable.so!tabel", [1]),
                PatchEntry(
                    "libtable.so!table", ["libtable.so!twice", "libtable.so!own_of_thread", "0x5"]
                ),
                PatchEntry("libtabel.so!table", [1], expect="libtable.so!nothing"),
            ]
        )
        preview = patch.preview(session)
        for problem, words in zip(
            preview.problems,
            [
                "entry 1: address: libtable.so .* has no symbol 'tabel'; did you mean 'table'",
                r"entry 2: pointers\[0\]: libtable.so has 2 symbols 'twice'",
                r"entry 2: pointers\[1\]: libtable.so!own_of_thread is thread-local",
                "entry 3: address: the target has no module 'libtabel.so'; .* 'libtable.so!table'",
                "entry 3: expect: libtable.so .* has no symbol 'nothing'",
            ],
            strict=True,
        ):
            assert re.match(words, problem), problem
        assert preview.entries[1].address == table
        with pytest.raises(PatchError, match="5 problems"):
            patch.apply(session)
        assert list(session.read_pointers(table, 3)) == [1, 2, 3]


def test_builds(library: Path, tmp_path: Path) -> None:
    """A build is checked by the file's hash, and by the id in memory, as readelf prints it."""
    with program_with(library) as (pid, table), pydbgwrite.attach(pid) as session:
        check = BuildCheck.of(session, "libtable.so")
        assert check.sha256 is None and check.build_id is not None
        readelf = shutil.which("readelf")
        if readelf is not None:
            reported = subprocess.run([readelf, "-n", str(library)], capture_output=True, text=True)
            assert f"Build ID: {check.build_id}" in reported.stdout
        hashed = hashlib.sha256(library.read_bytes()).hexdigest()
        entry = PatchEntry("libtable.so!table", [7])
        both = BuildCheck("libtable.so", build_id=check.build_id, sha256=hashed)
        assert Patch([entry], builds=[check, both]).preview(session).ok
        for wrong, words in (
            (BuildCheck("libtable.so", build_id="ab"), f"has {check.build_id}, and the patch is"),
            (BuildCheck("libtable.so", sha256="0" * 64), f"SHA-256 {hashed}, and the patch is"),
            (BuildCheck("libtabel.so", build_id="ab"), "no module 'libtabel.so'"),
            (BuildCheck("[vdso]", sha256="0" * 64), "has no file|no module"),
        ):
            patch = Patch([entry], builds=[wrong])
            with pytest.raises(PatchError, match=rf"build 1: .*{words}"):
                patch.apply(session)
            with pytest.raises(PatchError, match=words):
                patch.verify(session)
        assert session.read_pointers(table, 1)[0] == 1


def test_the_hash_of_a_file_that_was_replaced(library: Path, tmp_path: Path) -> None:
    """The new file's hash does not describe the code that the target runs."""
    copy = tmp_path / "libcopy.so"
    shutil.copy(library, copy)
    with program_with(copy) as (pid, _), pydbgwrite.attach(pid) as session:
        other = tmp_path / "other"
        other.write_bytes(b"another")
        hashed = hashlib.sha256(copy.read_bytes()).hexdigest()
        other.replace(copy)
        entry = PatchEntry("libcopy.so+0x100", [1])
        wrong = BuildCheck("libcopy.so", sha256=hashlib.sha256(b"another").hexdigest())
        assert not Patch([entry], builds=[wrong]).preview(session).ok
        right = Patch([entry], builds=[BuildCheck("libcopy.so", sha256=hashed)]).preview(session)
        # A process that may follow /proc/PID/map_files can still read the file itself.
        assert right.ok or "deleted, or replaced" in right.problems[0]
        assert BuildCheck.of(session, "libcopy.so").build_id is not None


def with_symbols(program: Path) -> None:
    """Give the 32-bit program of the tests a table of symbols."""
    text = program.read_bytes()
    names = b"\0rw\0read_only\0"
    entries = struct.pack("<3I2BH", 0, 0, 0, 0, 0, 0)
    for name, address in ((b"rw", elf32.RW), (b"read_only", elf32.READ_ONLY)):
        entries += struct.pack("<3I2BH", names.index(name + b"\0"), address, 4, 0x11, 0, 2)
    strings = b"\0.symtab\0.strtab\0.shstrtab\0"
    symtab_at = (len(text) + 15) // 16 * 16
    strtab_at = symtab_at + len(entries)
    shstrtab_at = strtab_at + len(names)
    table_at = (shstrtab_at + len(strings) + 15) // 16 * 16
    content = text.ljust(symtab_at, b"\0") + entries + names + strings
    sections = [
        (0, 0, 0, 0, 0, 0, 0),
        (strings.index(b".symtab"), 2, symtab_at, len(entries), 2, 1, 16),
        (strings.index(b".strtab"), 3, strtab_at, len(names), 0, 0, 0),
        (strings.index(b".shstrtab"), 3, shstrtab_at, len(strings), 0, 0, 0),
    ]
    headers = b"".join(
        struct.pack("<10I", name, kind, 0, 0, at, size, link, info, 4, entry)
        for name, kind, at, size, link, info, entry in sections
    )
    whole = bytearray(content.ljust(table_at, b"\0") + headers)
    struct.pack_into("<I", whole, 32, table_at)  # e_shoff
    struct.pack_into("<3H", whole, 46, 40, len(sections), 3)  # e_shentsize, e_shnum, e_shstrndx
    program.write_bytes(whole)


class Named32(Child32):
    """The 32-bit program of the tests, with symbols, from a file that stays."""

    def __init__(self, program: Path) -> None:
        elf32.write_program(program)
        with_symbols(program)
        LiveChild.__init__(self, [str(program)])
        assert self._hear(1) == b"r"


def test_a_program_of_32_bits(tmp_path: Path) -> None:
    """At fixed addresses, a symbol's value is its address, and offsets count from the first."""
    name = "table-32"
    with Named32(tmp_path / name) as child, pydbgwrite.attach(child.pid) as session:
        assert session.resolve(f"{name}!rw+4") == elf32.RW + 4
        assert session.resolve(f"{name}+0x10") == elf32.CODE + 16
        with pytest.raises(AddressError, match="no symbol 'rww'; did you mean 'rw'"):
            session.resolve(f"{name}!rww")
        patch = Patch([PatchEntry(f"{name}!rw", [f"{name}!read_only", 2**32 - 1])])
        assert patch.apply(session) == 2
        assert session.read(elf32.RW, 8) == struct.pack("<2I", elf32.READ_ONLY, 2**32 - 1)
        wide = Patch([PatchEntry(f"{name}!rw", [2**32])])
        with pytest.raises(PatchError, match="32-bit pointers"):
            wide.apply(session)
        with pytest.raises(PatchError, match="no build id"):
            Patch([PatchEntry(f"{name}!rw", [1])], builds=[BuildCheck(name, build_id="ab")]).apply(
                session
            )
        assert BuildCheck.of(session, name).sha256 is not None
