"""Symbols of live Linux processes, compared with the output of the processes themselves."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from support.libraries import (
    ANSWERS,
    INDIRECT,
    compile_library,
    compile_program,
    program_with,
    running,
    without_map_files,
)

import pydbgwrite
from pydbgwrite import AddressError
from pydbgwrite._symbols.elf import ElfSymbols
from pydbgwrite._symbols.linux_maps import images_of_map, read_map
from pydbgwrite._symbols.resolver import Resolver

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes are for Linux")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with symbols of every kind, which no test changes."""
    return compile_library(tmp_path_factory.mktemp("library") / "compiled.so")


@pytest.fixture
def library(compiled: Path, tmp_path: Path) -> Path:
    """Return a copy of the library, whose name is hard to parse."""
    copy = tmp_path / "libodd++-1!x.so.6"
    shutil.copy(compiled, copy)
    return copy


def test_symbols_lie_where_the_program_says(library: Path) -> None:
    with program_with(library) as (pid, table), pydbgwrite.attach(pid) as session:
        name = library.name
        assert session.resolve(f"{name}!table") == table
        assert session.resolve(f"{name}!table+8") == table + 8
        assert session.resolve(f"{name}!table-0x10") == table - 16
        assert session.resolve(f"{library}!table") == table
        (module,) = [each for each in session.modules() if each.name == name]
        assert session.resolve(f"{name}+0x10") == module.base + 16
        assert session.resolve(f"{name}+{table - module.base}") == table
        assert list(session.read_pointers(session.resolve(f"{name}!table"), 3)) == [1, 2, 3]


def test_a_function_of_the_c_library(library: Path) -> None:
    """The address of puts is the one that the program itself prints."""
    with program_with(library, symbol="puts") as (pid, puts), pydbgwrite.attach(pid) as session:
        (libc,) = [m.name for m in session.modules() if m.base <= puts < m.base + m.size]
        assert session.resolve(f"{libc}!puts") == puts


def test_versions(library: Path) -> None:
    with program_with(library) as (pid, _), pydbgwrite.attach(pid) as session:

        def answer(symbol: str) -> int:
            return session.resolve(f"{library.name}!{symbol}")

        assert answer("answer") == answer("answer@V_3") == answer("new_answer")
        assert answer("answer@@V_3") == answer("new_answer")
        assert answer("answer@V_1") == answer("old_answer")
        assert answer("answer@V_2+4") == answer("middle_answer") + 4
        with pytest.raises(AddressError, match="no symbol 'answer@V_9'"):
            answer("answer@V_9")


def test_versions_without_symtab(library: Path) -> None:
    """An installed library is stripped and has .dynsym alone; other symbols are unknown."""
    strip = shutil.which("strip")
    if strip is None:
        pytest.skip("no strip: binutils are not there")
    subprocess.run([strip, str(library)], check=True)
    with program_with(library) as (pid, table), pydbgwrite.attach(pid) as session:
        assert session.resolve(f"{library.name}!table") == table
        new, old = (session.resolve(f"{library.name}!answer@V_{n}") for n in (3, 1))
        assert session.resolve(f"{library.name}!answer") == new != old
        with pytest.raises(AddressError, match="no symbol 'old_answer'; it is stripped"):
            session.resolve(f"{library.name}!old_answer")


@pytest.mark.parametrize(
    ("symbol", "words"),
    [
        ("twice", r"2 symbols 'twice': libodd.*\+0x[0-9a-f]+ \(local\), libodd.*\(local\)"),
        ("own_of_thread", "thread-local"),
        ("chosen", "indirect function" if INDIRECT else "no symbol 'chosen'"),
        ("fixed_value", r"absolute value \(0x1234\)"),
        ("puts", "no symbol 'puts'"),  # the library only calls it
        ("tabel", "did you mean 'table'"),
        ("TABLE", "did you mean 'table'"),
        ("source.c", "no symbol"),
        ("nothing_like_it", "no symbol 'nothing_like_it'"),
        ("table+8+8", r"no symbol.*it has 'table', to which one number is added, not '\+8\+8'"),
        ("table+8x", r"no symbol.*it has 'table', to which one number is added, not '\+8x'"),
    ],
)
def test_symbols_without_an_address(library: Path, symbol: str, words: str) -> None:
    with (
        program_with(library) as (pid, _),
        pydbgwrite.attach(pid) as session,
        pytest.raises((AddressError, ValueError), match=words),
    ):
        session.resolve(f"{library.name}!{symbol}")


def test_each_candidate_is_an_address(library: Path) -> None:
    """The caller can give each address that an error lists."""
    with program_with(library) as (pid, _), pydbgwrite.attach(pid) as session:
        with pytest.raises(AddressError) as caught:
            session.resolve(f"{library.name}!twice")
        places = [word for word in str(caught.value).split() if "+0x" in word]
        values = [session.read(session.resolve(place), 4)[0] for place in places]
        assert sorted(values) == [1, 2]


def test_one_name_at_two_paths(compiled: Path, tmp_path: Path) -> None:
    first, second = (tmp_path / folder / "libsame.so" for folder in ("one", "two"))
    for path in (first, second):
        path.parent.mkdir()
        shutil.copy(compiled, path)
    with program_with(first, second) as (pid, table), pydbgwrite.attach(pid) as session:
        with pytest.raises(
            AddressError, match=r"names 2 modules(?=.*one/libsame)(?=.*two/libsame)"
        ):
            session.resolve("libsame.so+0x10")
        assert session.resolve(f"{first}!table") == table
        assert session.resolve(f"{second}!table") != table


def test_names_of_modules_are_exact(library: Path) -> None:
    with (
        program_with(library) as (pid, _),
        pydbgwrite.attach(pid) as session,
        pytest.raises(AddressError, match=r"did you mean 'libodd\+\+-1!x\.so\.6'"),
    ):
        session.resolve(library.name.upper() + "+1")


def test_a_file_that_was_replaced(library: Path) -> None:
    """Another file now has the name; its symbols are not those of the target."""
    with program_with(library) as (pid, table), pydbgwrite.attach(pid) as session:
        other = compile_library(library.with_name("other.so"), "-Wl,-Ttext-segment=0x100000")
        other.replace(library)
        name = library.name
        with mock.patch("os.open", side_effect=without_map_files(os.open)):
            assert session.resolve(f"{name}!table") == table  # from the target's memory
            with pytest.raises(AddressError, match=r"deleted, or replaced.*module\+offset"):
                session.resolve(f"{name}!old_answer")
        if can_open_map_files():
            assert session.resolve(f"{name}!table") == table
        (module,) = [each for each in session.modules() if each.name == name]
        assert session.resolve(f"{name}+{table - module.base}") == table


def test_a_file_that_was_deleted(library: Path) -> None:
    with program_with(library) as (pid, table), pydbgwrite.attach(pid) as session:
        library.unlink()
        with mock.patch("os.open", side_effect=without_map_files(os.open)):
            assert session.resolve(f"{library.name}!table") == table
            with pytest.raises(AddressError, match="deleted, or replaced"):
                session.resolve(f"{library.name}!twice")
        if can_open_map_files():
            assert session.resolve(f"{library.name}!table") == table


def test_a_program_in_another_root(library: Path, tmp_path: Path) -> None:
    """After a chroot, the names in the program's map no longer lead to its files."""
    if os.geteuid() != 0:
        pytest.skip("chroot is for root")
    code = (
        "import ctypes, os, sys; ctypes.CDLL(sys.argv[1]); os.chroot(sys.argv[2]); "
        "print('ready', flush=True); sys.stdin.read()"
    )
    (tmp_path / "jail").mkdir()
    command = [sys.executable, "-I", "-c", code, str(library), str(tmp_path / "jail")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        with (
            pydbgwrite.attach(child.pid) as session,
            mock.patch("os.open", side_effect=without_map_files(os.open)),
        ):
            table = session.resolve(f"{library.name}!table")
            assert list(session.read_pointers(table, 3)) == [1, 2, 3]
        child.kill()


def test_many_symbols_at_once(library: Path) -> None:
    """Many lookups at once give the same results as single ones.

    Unknown names are reported, without a comparison of each with all other names.
    """
    names = ["table", "first", "answer", "answer@V_1", "own_of_thread", "nothing", "tabel"]
    with program_with(library) as (pid, _), pydbgwrite.attach(pid) as session:

        def outcome(resolver: Resolver, name: str) -> object:
            try:
                return resolver.resolve(f"{library.name}!{name}")
            except AddressError as error:
                return str(error).partition(";")[0]

        many = Resolver(session)
        reported = [outcome(many, name) for _ in range(100) for name in names]
        assert reported == [outcome(Resolver(session), name) for name in names] * 100


def can_open_map_files() -> bool:
    """Return whether this process may follow the links in map_files."""
    folder = Path("/proc/self/map_files")
    try:
        with open(next(folder.iterdir()), "rb"):
            return True
    except OSError:
        return False


def test_the_vdso(library: Path) -> None:
    """The library has no file: its symbols are read from the target's memory."""
    with program_with(library) as (pid, _), pydbgwrite.attach(pid) as session:
        lines = [line for line in session._read_maps().splitlines() if b"[vdso]" in line]
        if not lines:
            pytest.skip("this kernel maps no vdso")
        base, end = (int(place, 16) for place in lines[0].split()[0].split(b"-"))
        assert session.resolve("[vdso]+0x10") == base + 16
        wanted = {"x86_64": "__vdso_clock_gettime", "aarch64": "__kernel_clock_gettime"}
        symbol = wanted.get(os.uname().machine)
        if symbol is not None:
            assert base < session.resolve(f"[vdso]!{symbol}") < end


def test_damaged_files_are_refused(library: Path, tmp_path: Path) -> None:
    """Any damage to headers gives an answer or a clear error, and no other exception."""
    from io import BytesIO

    from pydbgwrite._symbols.elf import ElfSymbols
    from pydbgwrite._symbols.elf_headers import read_headers
    from pydbgwrite._symbols.linux_maps import Image

    good = library.read_bytes()
    image = Image("x", 0x10000, len(good), "/x", None)
    backend = ElfSymbols.__new__(ElfSymbols)
    assert backend._read_stream(BytesIO(good), image).table.find("table")
    assert read_headers(lambda at, size: good[at : at + size]).bits in (32, 64)
    section_table = int.from_bytes(good[40:48], "little")
    places = [*range(64), *range(64, 64 + 56), *range(section_table, len(good), 3)]
    refused = 0
    for at in [*places[:: max(1, len(places) // 400)], *range(64)]:
        for value in (0, 0xFF, good[at] ^ 1):
            damaged = good[:at] + bytes([value]) + good[at + 1 :]
            try:
                backend._read_stream(BytesIO(damaged), image).table.find("table")
            except AddressError as error:
                refused += 1
                assert "can't be read as an ELF file" in str(error)
    assert refused > 50
    for length in (0, 3, 52, 64, len(good) // 2):
        with pytest.raises(AddressError, match="can't be read"):
            backend._read_stream(BytesIO(good[:length]), image)


def elf_with_versions(
    definitions: bytes, *, kind_of_versions: int = 0x6FFFFFFD, **changed: int
) -> bytes:
    """Return a 64-bit file with one symbol "it" of version 2, and this .gnu.version_d or _r."""
    strings = b"\0it\0V\0"
    symbols = bytes(24) + struct.pack("<IBBHQQ", 1, 0x11, 0, 1, 0x40, 8)
    contents = [b"", strings, symbols, struct.pack("<2H", 0, 2), definitions]
    kinds = [0, 3, 11, 0x6FFFFFFF, kind_of_versions]
    at, sections = 64 + 56, b""
    for kind, content in zip(kinds, contents, strict=True):
        fields = {"offset": at, "size": len(content), "link": 1} | (changed if kind == 11 else {})
        offset, size, link = fields["offset"], fields["size"], fields["link"]
        sections += struct.pack("<2I4Q2I2Q", 0, kind, 0, 0, offset, size, link, 0, 0, 0)
        at += len(content)
    header = b"\x7fELF\2\1\1".ljust(16, b"\0") + struct.pack(
        "<2HI3QI6H", 3, 62, 1, 0, 64, at, 0, 64, 56, 1, 64, 5, 0
    )
    program = struct.pack("<2I6Q", 1, 4, 0, 0, 0, at, at, 4096)
    return header + program + b"".join(contents) + sections


def test_numbers_of_a_file_are_bounded() -> None:
    """The numbers in a hostile file are bounded."""
    from io import BytesIO

    from pydbgwrite._symbols.elf import ElfSymbols
    from pydbgwrite._symbols.linux_maps import Image

    image = Image("x", 0x10000, 4096, "/x", None)
    backend = ElfSymbols.__new__(ElfSymbols)

    def found(data: bytes, symbol: str) -> list[int]:
        return [
            each.value for each in backend._read_stream(BytesIO(data), image).table.find(symbol)
        ]

    one = struct.pack("<4H3I", 1, 0, 2, 1, 0, 20, 0) + struct.pack("<2I", 4, 0)
    assert found(elf_with_versions(one), "it@V") == [0x40]
    assert found(elf_with_versions(one), "it@W") == []
    # Version numbers have 15 bits: further entries are not read.
    entry = struct.pack("<4H3I", 1, 0, 2, 1, 0, 0, 20)
    assert found(elf_with_versions(entry * (1 << 15)), "it") == [0x40]
    with pytest.raises(AddressError, match="can't be read"):
        found(elf_with_versions(entry * (1 << 14)), "it")  # the last leads out of the section
    # .gnu.version_r has a list for each file; byte offsets link one list to the next.
    for lists in (
        struct.pack("<2H3I", 1, 0xFFFF, 1, 16, 16) + bytes(16),
        struct.pack("<2H3I", 1, 0xFFFF, 1, 0, 1) * (1 << 13),
        struct.pack("<I2H2I", 0, 0, 2, 1, 1) * (1 << 13),
        struct.pack("<I2H2I", 0, 0, 2, 4, 0xFFFFFFFF) * 4,
    ):
        with contextlib.suppress(AddressError):
            assert found(elf_with_versions(lists, kind_of_versions=0x6FFFFFFE), "it") == [0x40]
    for changed in ({"offset": 2**64 - 1}, {"size": 2**40}, {"size": 2**20}, {"link": 5}):
        with pytest.raises(AddressError, match="can't be read"):
            found(elf_with_versions(one, **changed), "it")


# Maps of programs as lld lays them out: two parts share the file's first page.
SMALL = b"""\
200000-201000 r--p 00000000 fe:00 77                             /tmp/small
201000-202000 r-xp 00000000 fe:00 77                             /tmp/small
202000-203000 rw-p 00000000 fe:00 77                             /tmp/small
203000-204000 rw-p 00000000 00:00 0
7f0000000000-7f0000004000 r--p 00000000 fe:00 78                 /lib/a.so
7f0000004000-7f0000005000 r--p 00000000 fe:00 78                 /lib/a.so
7f0000005000-7f0000006000 r-xp 00001000 fe:00 78                 /lib/a.so
7f0000006000-7f0000007000 r--p 00000000 fe:00 78                 /lib/a.so
7f0000007000-7f0000008000 r-xp 00001000 fe:00 78                 /lib/a.so (deleted)
7ffff7fc1000-7ffff7fc3000 r-xp 00000000 00:00 0                  [vdso]
"""


@pytest.mark.skipif(
    os.name == "nt" or os.sysconf("SC_PAGE_SIZE") != 4096,
    reason="Linux processes with pages of 4 KiB",
)
def test_modules_of_a_map() -> None:
    images = images_of_map(read_map(SMALL))
    found = [(each.name, each.base, each.size) for each in images]
    assert found == [
        ("small", 0x200000, 0x3000),
        ("a.so", 0x7F0000004000, 0x2000),
        ("a.so", 0x7F0000007000, 0x1000),
        ("[vdso]", 0x7FFFF7FC1000, 0x2000),
    ]
    assert [image.deleted for image in images] == [False, False, True, False]
    first = images[0].mapping
    assert first is not None and first.device == (0xFE, 0) and first.inode == 77


PROGRAM = (
    ANSWERS
    + 'int private_table[4];\nint main(void) { SAY("%lu\\n", NUMBER(private_table)); getchar(); }'
)


def test_a_program_that_was_deleted(tmp_path: Path) -> None:
    """What it does not export may be there, so a library's symbol is not given for it."""
    program = compile_program(tmp_path / "gone", PROGRAM)
    with running(program) as (child, (table,)), pydbgwrite.attach(child.pid) as session:
        assert session.resolve("private_table") == table
        assert session.resolve("puts") == session.resolve(session.name(session.resolve("puts")))
        program.unlink()
        with mock.patch("os.open", side_effect=without_map_files(os.open)):
            for name in ("private_table", "puts", "private_table+8"):
                with pytest.raises(AddressError, match=r"gone.*deleted, or replaced") as caught:
                    session.resolve(name)
                assert "stripped" not in str(caught.value)


def test_a_file_whose_name_ends_as_that_of_a_deleted_one(tmp_path: Path) -> None:
    """It exists, and is read; another file without that ending is not."""
    program = compile_program(tmp_path / "shop (deleted)", PROGRAM)
    compile_program(tmp_path / "shop", PROGRAM.replace("private_table", "other_table"))
    with (
        running(program) as (child, (table,)),
        pydbgwrite.attach(child.pid) as session,
        mock.patch("os.open", side_effect=without_map_files(os.open)),
    ):
        assert session.resolve("private_table") == table
        assert session.resolve("shop!private_table+8") == table + 8
        program.unlink()
        with pytest.raises(AddressError, match="deleted, or replaced"):
            session.resolve("private_table")


def test_a_process_that_ends_during_a_list(library: Path) -> None:
    with program_with(library) as (pid, _), pydbgwrite.attach(pid) as session:
        backend = ElfSymbols(session)
        found = iter(backend.symbols("*", backend.modules(), None))
        next(found)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(pydbgwrite.NoTargetError, match=f"process {pid} has ended"):
            for _ in range(1 << 20):  # until the kernel has ended it
                session._read_maps()
        # A block begins with a look at the process; within one a read can be the first to fail.
        with pytest.raises(pydbgwrite.NoTargetError, match=f"process (?:{pid} )?has ended"):
            list(found)
        with pytest.raises(pydbgwrite.NoTargetError, match=f"process {pid} has ended"):
            session.symbols("*")
