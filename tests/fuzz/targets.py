"""The functions that the fuzzer runs: one for each kind of file that may come from elsewhere.

Each takes the bytes of a file, and reads it in all ways of the package. It returns if the file is
read, or refused by an error that the package documents. Any other exception is a defect.
"""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

import pydbgwrite
from fuzz import pe_images
from fuzz.elf_files import DATA, Symbol, elf_file
from pydbgwrite import AddressError, JournalError, Patch, PatchEntry, PatchError, Session
from pydbgwrite._journal import format as form
from pydbgwrite._patch.toml_fast import read_plain
from pydbgwrite._symbols.build_ids import build_ids_of
from pydbgwrite._symbols.imports_pe import imports_of_pe
from pydbgwrite._symbols.model import KnownModule
from pydbgwrite._symbols.naming import names_of
from pydbgwrite._symbols.pe_sections import sections_of_pe
from pydbgwrite._symbols.resolver import Resolver

__all__ = ["TARGETS"]

#: The addresses of the file, of the program that has loaded it, and of the dynamic linker's lists.
LIBRARY, PROGRAM, LISTS, SIZE = 0x100000, 0x200000, 0x300000, 0x10000
BASE: Final = 0x10000
NAMES: Final = (
    "table",
    "hooks",
    "answer",
    "answer@V_1",
    "answer@@V_2",
    "own",
    "choice",
    "other",
    "hidden",
)


#: Removed at exit; fuzz.py removes it where libFuzzer ends the process.
_folder = tempfile.TemporaryDirectory(prefix="pydbgwrite-fuzz-")


def folder() -> Path:
    """Return a folder for files."""
    return Path(_folder.name)


@cache
def memory(pointer_size: int = 8) -> Session:
    """Return simulated memory for journals and patches."""
    regions: list[tuple[int, int, str]] = [(BASE, SIZE, "rw"), (BASE + SIZE, 0x1000, "r")]
    return pydbgwrite.simulate(regions, pointer_size=pointer_size)


class Process:
    """A process that has loaded the file, in simulated memory and a folder as in /proc."""

    target = "process"
    _embedded = True

    def __init__(self, data: bytes, bits: int) -> None:
        self._memory = _memory_of_process(bits // 8)
        self.pointer_size = bits // 8
        self._folder = folder() / "proc"
        path = self._folder / "root" / "x"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        status = path.stat()
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
        maps = [f"{LIBRARY:x}-{LIBRARY + SIZE:x} r-xp 00000000 {device} {status.st_ino} /x"]
        maps.append(f"{PROGRAM:x}-{PROGRAM + SIZE:x} r-xp 00000000 00:01 7 /program")
        self._maps = "\n".join([*maps, ""]).encode()
        self._load(data, bits)

    def _load(self, data: bytes, bits: int) -> None:
        """Put the file at the addresses of its program headers, and write the linker's lists."""
        word = "Q" if bits == 64 else "I"
        loaded = bytearray(SIZE)
        dynamic = 0
        form, at, sizes = ("=2I6Q", "=Q", 54) if bits == 64 else ("=8I", "=I", 42)
        with contextlib.suppress(struct.error, OverflowError):
            (start,) = struct.unpack_from(at, data, 32 if bits == 64 else 28)
            (count,) = struct.unpack_from("=H", data, sizes + 2)
            for index in range(min(count, 8)):
                row = struct.unpack_from(form, data, start + index * struct.calcsize(form))
                kind, (offset, address) = row[0], row[2:4] if bits == 64 else row[1:3]
                content = data[offset : offset + SIZE]
                if kind == 1 and address < SIZE:
                    content = content[: SIZE - address]
                    loaded[address : address + len(content)] = content
                elif kind == 2:
                    dynamic = address
        program, program_dynamic = _program(bits)
        debug, first, second = LISTS, LISTS + 0x100, LISTS + 0x200
        self._memory.write(LIBRARY, bytes(loaded))
        self._memory.write(PROGRAM, program)
        limit = 1 << bits
        links = {
            debug: (1, first, 0, 0, 0),
            first: (PROGRAM, 0, PROGRAM + program_dynamic, second, 0),
            second: (LIBRARY, LISTS + 0x300, (LIBRARY + dynamic) % limit, 0, first),
        }
        for place, words in links.items():
            self._memory.write(place, struct.pack(f"={len(words)}{word}", *words))
        self._memory.write(LISTS + 0x300, b"/x\0")
        header, entry = (64, 56) if bits == 64 else (52, 32)
        vector = [(3, PROGRAM + header), (4, entry), (5, 3), (9, PROGRAM + DATA), (0, 0)]
        raw = b"".join(struct.pack(f"=2{word}", *each) for each in vector)
        (self._folder / "auxv").write_bytes(raw)

    def read(self, address: int, size: int) -> bytes:
        return self._memory.read(address, size)

    def _read_maps(self) -> bytes:
        return self._maps

    def _open_folder(self, of_memory: bool) -> int:
        return os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


@cache
def _memory_of_process(pointer_size: int) -> Session:
    regions = [(LIBRARY, SIZE), (PROGRAM, SIZE), (LISTS, 0x1000)]
    return pydbgwrite.simulate(regions, pointer_size=pointer_size)


@cache
def _program(bits: int) -> tuple[bytes, int]:
    """Return a program with a copy of a library's variable, and its dynamic section's address."""
    symbols = [Symbol("hooks", DATA + 8), Symbol("other", 0, section=0)]
    relocations = [(DATA + 8, 1, 5), (DATA + 16, 2, 6)]
    raw = elf_file(symbols, bits=bits, relocations=relocations, tags=[(21, LISTS)], sections=False)
    # The p_vaddr of its second program header.
    form, at = ("=Q", 64 + 56 + 16) if bits == 64 else ("=I", 52 + 32 + 8)
    (dynamic,) = struct.unpack_from(form, raw, at)
    return raw, dynamic


def elf(data: bytes) -> None:
    """Read a library that a process has loaded: its file, its memory, and its debug files."""
    process = Process(data, 32 if data[4:5] == b"\1" else 64)
    resolver = Resolver(cast("Any", process))
    with contextlib.suppress(AddressError):
        build_ids_of(cast("Any", process), resolver.module("x"))
    for name in NAMES:
        with contextlib.suppress(AddressError, OverflowError):
            resolver.resolve(f"x!{name}")
    with contextlib.suppress(AddressError):
        resolver.imports(resolver.module("x"))
    names_lead_back(process, resolver)
    (folder() / "proc" / "root" / "x").unlink()  # now from memory only
    resolver = Resolver(cast("Any", process))
    with contextlib.suppress(AddressError):
        resolver.imports(resolver.module("x"))
    for name in NAMES[:3]:
        with contextlib.suppress(AddressError, OverflowError):
            resolver.resolve(f"x!{name}")


def names_lead_back(process: Process, resolver: Resolver) -> None:
    """Name addresses of the library, and its symbols, and resolve the names."""
    symbols = resolver.symbols("*", None, None)
    addresses = [each.address for each in symbols if each.address < 1 << 64][:64]
    addresses += range(LIBRARY, LIBRARY + SIZE, 41)
    names = names_of(cast("Any", process), addresses)
    # Offsets from one beginning are read alike, and numbers are. Most of the time went there.
    ends: dict[str, list[tuple[int, str]]] = {}
    for address, name in sorted(zip(addresses, names, strict=True)):
        beginning = "" if name == hex(address) else name.rpartition("+0x")[0] or name
        ends.setdefault(beginning, [])[1:] = [(address, name)]
    for address, name in (each for same in ends.values() for each in same):
        assert resolver.resolve(name) == address, (hex(address), name)


class WindowsProcess:
    """A process of Windows that has loaded the image, as Microsoft's engine would read it."""

    _embedded = False

    def __init__(self, data: bytes) -> None:
        self._memory = _memory_of_image()
        self._memory.write(pe_images.BASE, data[:SIZE].ljust(SIZE, b"\0"))

    def read(self, address: int, size: int) -> bytes:
        return self._memory.read(address, size)


@cache
def _memory_of_image() -> Session:
    return pydbgwrite.simulate([(pe_images.BASE, SIZE)])


def pe(data: bytes) -> None:
    """Read an image in a process's memory: its import tables, its sections, its build."""
    process = cast("Any", WindowsProcess(data))
    module = KnownModule("x.dll", pe_images.BASE, "", ())
    with contextlib.suppress(AddressError):
        imports_of_pe(process, module)
    with contextlib.suppress(AddressError):
        build_ids_of(process, module)
    sections_of_pe(process, module.base)


def npy(data: bytes) -> None:
    """Read the side file of a patch; NumPy reads an accepted file alike."""
    path = folder() / "table.npy"
    path.write_bytes(data)
    patch = folder() / "npy.toml"
    patch.write_text("format = 1\n[[write]]\naddress = 4096\nfile = 'table.npy'\n")
    with contextlib.suppress(PatchError):
        (entry,) = Patch.load(patch).entries
        # NumPy's own reader accepts no more than 10,000 bytes of header either.
        expected = np.load(path, allow_pickle=False)
        assert isinstance(entry, PatchEntry)
        assert expected.tolist() == list(entry.pointers)
    patch.write_text("format = 2\n[[write]]\naddresses = 'table.npy'\npointers = 1\n")
    with contextlib.suppress(PatchError):
        loaded = Patch.load(patch)  # not twice the same address, and none past 2**64
        loaded.preview(memory())
        assert np.load(path).tolist() == list(cast("Any", loaded.entries[0]).addresses)


def toml(data: bytes) -> None:
    """Read a patch file. The faster reader's result is the same as tomllib's, or none."""
    path = folder() / "patch.toml"
    path.write_bytes(data)
    with contextlib.suppress(PatchError):
        patch = Patch.load(path)
        patch.preview(memory())
        patch.save(folder() / "saved.toml")
        assert Patch.load(folder() / "saved.toml") == patch
    with contextlib.suppress(UnicodeDecodeError):
        text = data.decode().replace("\r\n", "\n")
        with contextlib.suppress(ValueError):  # of numbers with thousands of digits
            plain = read_plain(text)
            assert plain is None or plain == tomllib.loads(text)


def journal(data: bytes) -> None:
    """Read a journal, unchanged and with its checksums corrected; then undo it."""
    for content in (data, sealed(data)):
        path = folder() / "journal"
        path.write_bytes(content)
        try:
            made_for = pydbgwrite.read_journal(path)
        except JournalError:
            continue
        for size, force in ((8, False), (8, True), (4, True)):
            target = memory(size)
            target._token = made_for.started  # as if it were the journal's own target
            target.write(BASE, bytes(range(256)) * (SIZE // 512) + b"\xff" * (SIZE // 2))
            with contextlib.suppress(pydbgwrite.Error):
                pydbgwrite.undo(path, target, force=force)


def sealed(data: bytes) -> bytes:
    """Return the journal with correct checksums, which a fuzzer would not find."""
    framing = form.FRAMINGS[1 if data[8:9] == b"\1" else 2]
    content = bytearray(framing.file_head() + data[form.FILE_HEAD_SIZE :])
    chain, at = framing.begin(), form.FILE_HEAD_SIZE
    number = 0
    while at + framing.head_size <= len(content):
        kind, unit, _, length = form.HEAD.unpack_from(content, at)
        start = at + framing.head_size
        length = min(length, max(0, len(content) - start - 16))
        payload = bytes(content[start : start + length])
        record, chain = framing.encode(kind, unit, number, chain, [payload])
        content[at : at + len(record)] = record
        at += len(record)
        number += 1
    return bytes(content)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "elf": elf,
    "pe": pe,
    "npy": npy,
    "toml": toml,
    "journal": journal,
}
