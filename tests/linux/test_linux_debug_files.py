"""Debug files of stripped libraries, where distributions install them; wrong files are refused."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from fuzz.elf_files import DATA, Symbol, elf_file
from support.libraries import compile_library, program_with, shared_library

import pydbgwrite
from pydbgwrite import AddressError
from pydbgwrite._symbols.elf_tables import SymbolTable
from pydbgwrite._symbols.linux_debug_files import reader_of

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("objcopy") is None or shutil.which("strip") is None,
    reason="Linux processes are for Linux, and binutils must be there",
)


def run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True)


@pytest.fixture
def split(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """Return a stripped library with a link to its debug file, and the debug file."""
    flags = getattr(request, "param", ())
    library = compile_library(tmp_path / "libsplit.so", *flags)
    debug = tmp_path / "libsplit.so.debug"
    run("objcopy", "--only-keep-debug", library, debug)
    run("strip", library)
    run("objcopy", f"--add-gnu-debuglink={debug}", library)
    return library, debug


@pytest.mark.parametrize("split", [(), ("-Wl,--build-id=none",)], indirect=True)
@pytest.mark.parametrize("folder", [".", ".debug"])
def test_a_debug_link(split: tuple[Path, Path], folder: str) -> None:
    library, debug = split
    place = library.parent / folder / debug.name
    place.parent.mkdir(exist_ok=True)
    debug.rename(place)
    with program_with(library) as (pid, table), pydbgwrite.attach(pid) as session:
        assert session.resolve("libsplit.so!table") == table
        old = session.resolve("libsplit.so!old_answer")
        assert old == session.resolve("libsplit.so!answer@V_1")
        with pytest.raises(AddressError, match="2 symbols 'twice'"):
            session.resolve("libsplit.so!twice")
        content = bytearray(place.read_bytes())
        at = content.find(b"GNU\0") + 4  # the build id, if there is one
        content[at if b"GNU\0" in content[: 1 << 12] else -1] ^= 1
        place.write_bytes(content)
        with pytest.raises(AddressError, match="no symbol 'old_answer'; it is stripped"):
            session.resolve("libsplit.so!old_answer")


def test_debug_data_in_the_file(split: tuple[Path, Path], tmp_path: Path) -> None:
    lzma = pytest.importorskip("lzma")
    library, debug = split
    packed = tmp_path / "packed"
    packed.write_bytes(lzma.compress(debug.read_bytes()))
    debug.unlink()
    run("objcopy", f"--add-section=.gnu_debugdata={packed}", library)
    with program_with(library) as (pid, _), pydbgwrite.attach(pid) as session:
        old = session.resolve("libsplit.so!old_answer")
        assert old == session.resolve("libsplit.so!answer@V_1")


#: Its allocator copies a buffer that grows: symbols that are too large took 173 MiB.
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
#: Resolves a name in a process, then prints the answer and this process's peak in MiB.
PEAK = """
import re, sys, pydbgwrite
with pydbgwrite.attach(int(sys.argv[1])) as session:
    try:
        print("found" if session.resolve("libpacked.so!known") else "at 0")
    except pydbgwrite.AddressError as error:
        print(error)
with open("/proc/self/status") as file:
    print(int(re.search(r"VmHWM:\\s*(\\d+)", file.read())[1]) >> 10)
"""


def with_many_symbols(mebibytes: int, last: str) -> bytes:
    """Return a file of that size, nearly all of it a table of the smallest symbols: of 32 bits."""
    start = elf_file([Symbol("x", DATA)], bits=32, sections=False)
    strings = b"\0other_name\0" + last.encode() + b"\0"
    count = ((mebibytes << 20) - len(start) - len(strings) - 120) // 16
    other = struct.pack("<IIIBBH", 1, DATA, 8, 0x11, 0, 1)
    table = other * (count - 1) + struct.pack("<IIIBBH", 12, DATA + 8, 8, 0x11, 0, 1)
    at = len(start)
    sections = struct.pack("<40x10I", 0, 2, 0, 0, at, len(table), 2, 0, 0, 16)
    sections += struct.pack("<10I", 0, 3, 0, 0, at + len(table), len(strings), 0, 0, 0, 0)
    content = bytearray(start + table + strings)
    struct.pack_into("<I", content, 32, len(content))  # e_shoff
    struct.pack_into("<3H", content, 46, 40, 3, 0)
    return bytes(content + sections)


@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer takes more")
@pytest.mark.parametrize(
    ("mebibytes", "dictionary", "last", "answer", "most"),
    [
        (64, 8, "known", "found", 384),
        (64, 8, "unknown", "no symbol 'known'", 384),
        (65, 8, "known", "no symbol 'known'", 192 if FREE_THREADED else 128),
        (4, 32, "known", "no symbol 'known'", 64),
    ],
    ids=["found", "not found", "too large", "a large dictionary"],
)
def test_memory_for_compressed_symbols(
    tmp_path: Path, mebibytes: int, dictionary: int, last: str, answer: str, most: int
) -> None:
    """The limits of SECURITY.md, for a library of less than 200 kB.

    More symbols take more memory than longer names, and those of a 32-bit file are the smallest.
    """
    lzma = pytest.importorskip("lzma")
    library = shared_library(tmp_path / "libpacked.so", "int table = 1;", "-s")
    packed = tmp_path / "packed"
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": dictionary << 20}]
    content = with_many_symbols(mebibytes, last)
    packed.write_bytes(lzma.compress(content, lzma.FORMAT_XZ, filters=filters))
    run("objcopy", f"--add-section=.gnu_debugdata={packed}", library)
    assert library.stat().st_size < 200_000
    with program_with(library) as (pid, _):
        command = [sys.executable, "-c", PEAK, str(pid)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    told, peak = done.stdout.splitlines()
    assert answer in told
    assert int(peak) < most, done.stdout


@pytest.mark.parametrize(
    ("kept", "answer"), [(1.0, "found"), (0.5, "no symbol"), (0.0, "no symbol")], ids=str
)
def test_compressed_symbols_that_are_cut_off(tmp_path: Path, kept: float, answer: str) -> None:
    lzma = pytest.importorskip("lzma")
    library = shared_library(tmp_path / "libpacked.so", "int table = 1;", "-s")
    whole = lzma.compress(with_many_symbols(1, "known"))
    packed = tmp_path / "packed"
    packed.write_bytes(whole[: int(len(whole) * kept)] or b"not of xz")
    run("objcopy", f"--add-section=.gnu_debugdata={packed}", library)
    with program_with(library) as (pid, _):
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(pid)], capture_output=True, text=True, check=True
        )
    assert answer in done.stdout


def test_sections_that_overlap_are_not_read_twice(tmp_path: Path) -> None:
    """Of a hostile file each of nine sections could be the whole file."""
    content = bytearray(elf_file([Symbol("known", DATA)]))
    (at,) = struct.unpack_from("<Q", content, 40)
    for number in range(1, struct.unpack_from("<H", content, 60)[0]):
        struct.pack_into("<2Q", content, at + 64 * number + 24, number, len(content) - 64)
    library = tmp_path / "libwide.so"
    library.write_bytes(content)
    with library.open("rb") as file, pytest.raises(ValueError, match="its sections overlap"):
        read = reader_of(file)
        SymbolTable.of_sections(64, "<", read, len(content))


def test_build_id_folders(split: tuple[Path, Path], tmp_path: Path) -> None:
    """The folders are those of the target's root, and not of this process's root."""
    if os.geteuid() != 0:
        pytest.skip("chroot is for root")
    library, debug = split
    jail = tmp_path / "jail"
    code = (
        "import ctypes, os, sys; ctypes.CDLL(sys.argv[1]); os.chroot(sys.argv[2]); "
        "print('ready', flush=True); sys.stdin.read()"
    )
    jail.mkdir()
    command = [sys.executable, "-I", "-c", code, str(library), str(jail)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        with pydbgwrite.attach(child.pid) as session:
            check = pydbgwrite.BuildCheck.of(session, "libsplit.so")
            assert check.build_id is not None
            folder = jail / "usr/lib/debug/.build-id" / check.build_id[:2]
            folder.mkdir(parents=True)
            place = folder / f"{check.build_id[2:]}.debug"
            place.symlink_to(debug)  # the link leaves the root: the target sees no file
            with pytest.raises(AddressError, match="stripped"):
                session.resolve("libsplit.so!old_answer")
            debug.rename(jail / "debug")
            place.unlink()
            place.symlink_to("/../debug")  # the parent of the root is the root
            old = session.resolve("libsplit.so!old_answer")
            assert old == session.resolve("libsplit.so!answer@V_1")
        child.kill()


def test_no_link_leads_out(tmp_path: Path) -> None:
    from pydbgwrite._symbols.linux_debug_files import open_below

    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "folder/file").write_bytes(b"inside")
    (tmp_path / "secret").write_bytes(b"outside")
    (root / "up").symlink_to("../secret")
    (root / "whole").symlink_to(tmp_path / "secret")
    (root / "in").symlink_to("/folder/../folder/file")
    (root / "circle").symlink_to("circle")
    os.mkfifo(root / "fifo")
    descriptor = os.open(root, os.O_RDONLY)
    try:
        for path in ("up", "whole", "../secret", "circle", "fifo", "folder", "in/x", "", "none"):
            with pytest.raises(OSError):
                open_below(descriptor, path)
        for path in ("in", "folder/file", "/../folder/file"):
            with open_below(descriptor, path) as file:
                assert file.read() == b"inside"
    finally:
        os.close(descriptor)
