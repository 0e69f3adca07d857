"""The fuzzer's first inputs: small files of each kind, written by this program and the package.

    python tests/fuzz/seeds.py     writes them into tests/fuzz/corpus

The fuzzer's findings are beside them, under other names: see fuzz.py.
"""

from __future__ import annotations

import lzma
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pydbgwrite
from fuzz import pe_images
from fuzz.elf_files import DATA, FUNCTION, INDIRECT, TLS, UNIQUE, Symbol, elf_file
from pydbgwrite import BuildCheck, Patch, PatchEntry, ScatteredEntry

FOLDER = Path(__file__).with_name("corpus")
BASE = 0x10000

SYMBOLS = [
    Symbol("table", DATA),
    Symbol("hooks", DATA + 8),
    Symbol("answer", DATA + 16, FUNCTION, version=2),
    Symbol("answer", DATA + 24, FUNCTION, version=0x8003),
    Symbol("own", DATA + 32, TLS),
    Symbol("choice", DATA + 40, INDIRECT),
    Symbol("other", DATA + 48, UNIQUE),
    Symbol("puts", 0, FUNCTION, section=0, version=4),
    Symbol("same_table", DATA),
    Symbol("name@V_1", DATA + 56, 1),
]
RELOCATIONS = [(DATA + 0x80, 1, 6), (DATA + 0x88, 2, 6), (DATA + 0x90, 7, 1)]


def elf_files() -> Iterator[tuple[str, bytes]]:
    """Yield libraries in each form."""
    for bits in (64, 32):
        more = {"relocations": RELOCATIONS, "bits": bits}
        yield f"whole-{bits}", elf_file(SYMBOLS, **more)  # type: ignore[arg-type]
        yield f"gnu-hash-{bits}", elf_file(SYMBOLS, gnu_hash=True, sections=False, **more)  # type: ignore[arg-type]
    yield "big-endian", elf_file(SYMBOLS, order=">")
    yield "symbolic", elf_file(SYMBOLS, tags=[(16, 0)], symtab=False)
    debug = elf_file([Symbol("hidden", DATA)], symtab=True)
    packed = lzma.compress(debug, lzma.FORMAT_XZ, lzma.CHECK_CRC32)
    link = b"x.debug\0" + struct.pack("<I", 7)
    sections = {".gnu_debuglink": link, ".gnu_debugdata": packed}
    yield "debug-data", elf_file(SYMBOLS[:2], symtab=False, more=sections)
    yield "no-symbols", elf_file([Symbol("x", DATA)], sections=False)[:64]


def pe_files() -> Iterator[tuple[str, bytes]]:
    """Yield images in each form."""
    yield "wide", bytes(pe_images.Pe(wide=True).content)
    yield "narrow", bytes(pe_images.Pe(wide=False).content)
    yield "addresses", bytes(pe_images.Pe(wide=False, absolute=True).content)
    yield "no-names", bytes(pe_images.Pe(wide=True, names=False).content)


def npy_files() -> Iterator[tuple[str, bytes]]:
    """Yield files in the three versions of the format, and files that are refused."""
    data = struct.pack("<3Q", 1, 2, 3)
    text = "{'descr': '<u8', 'fortran_order': False, 'shape': (3,), }"
    for version, form in ((1, "<H"), (2, "<I"), (3, "<I")):
        header = text.encode() + b" \n"
        start = b"\x93NUMPY" + bytes([version, 0]) + struct.pack(form, len(header))
        yield f"version-{version}", start + header + data
    for name, changed in {
        "float": text.replace("<u8", "<f8"),
        "two-dimensions": text.replace("(3,)", "(3, 1)"),
        "objects": text.replace("<u8", "|O"),
        "expression": text.replace("(3,)", "(1 + 2,)"),
    }.items():
        yield name, b"\x93NUMPY\1\0" + struct.pack("<H", len(changed)) + changed.encode() + data


def toml_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield patches that Patch.save() writes, and patches written by hand."""
    entries = [
        PatchEntry(BASE, [1, 2**64 - 1], expect=0, note="first"),
        PatchEntry("x!table+8", [3] * 4, expect=[1, 2, 3, 4]),
    ]
    builds = [BuildCheck("x", build_id="0123456789abcdef"), BuildCheck("y", sha256="0" * 64)]
    path = folder / "saved.toml"
    Patch(entries, builds=builds, note="What it is for").save(path)
    yield "saved", path.read_bytes()
    scattered = [
        ScatteredEntry([8, 64, 16], "x!table", base="x", expect=[1, 2, 3]),
        ScatteredEntry([BASE, "x!table", BASE + 8], [1, 2, "x!t"], expect=0, note="named"),
        ScatteredEntry([BASE + 32, BASE + 64], [1, 2]),
    ]
    Patch(scattered, note="found").save(path)
    yield "scattered", path.read_bytes()
    yield (
        "by-hand",
        (
            b"# \xc3\xa4\r\nformat = 1\r\n"
            b"write = [{address = '0x10000', pointers = [0x1, 0b1, 0o7]}]\r\n"
        ),
    )
    yield "long-key", b"format = 1\n" + b"a." * 16000 + b"b = 1\n"
    yield "big-number", b"format = 1\nnote = 0x" + b"f" * 4000 + b"\n"
    yield "arrays", b"format = 1\n" + b"".join(b"a%d = [{}]\n" % number for number in range(2600))
    yield (
        "faults",
        (
            b"format = 3\nnotes = 1\n[[build]]\nmodule = 3\n"
            b'[[write]]\nadress = "x"\nfile = "../a.npy"\n'
            b"[[write]]\naddress = -1\npointers = [1.5, true, 1979-05-27, nan]\nexpect = [1]\n"
        ),
    )
    yield (
        "plain",
        (
            b"format = 1\n\n[[write]]\naddress = 0x10000\n"
            b"pointers = [\n  0x1, 0x2,\n]\nexpect = 0\n"
            b'\n[[write]]\naddress = "x!t"\nfile = "t.npy"\nnote = "n"\n'
        ),
    )
    yield (
        "scattered-faults",
        (
            b"format = 2\n[[write]]\naddresses = [16, 16, -1]\nbase = 1\npointers = 1.5\n"
            b"[[write]]\nbase = 8\noffsets = [1, 2, 'x']\npointers = [1]\nexpect = [1, 2]\n"
            b"[[write]]\naddresses = 'a.npy'\nfile = 'b.txt'\nexpect_file = '../c.npy'\n"
        ),
    )
    yield "syntax", b"format = 1\n[[write]\naddress = 1\n"


def journal_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the journal of a transaction at each of its stages."""
    path = folder / "journal"
    with pydbgwrite.simulate([(BASE, 0x1000)]) as session:
        session.write(BASE, bytes(range(256)))
        with session.transaction(path):
            session.write_pointers(BASE, [1, 2])
            session.write_scattered([BASE + 0x40, BASE + 0x20], [3, 4])
            session.write(BASE + 0x60, b"five")
            yield "open", path.read_bytes()
        yield "committed", path.read_bytes()
        session.write_pointers(BASE + 8, [7])
        pydbgwrite.undo(path, session)
        yield "conflicting", path.read_bytes()
        session.write_pointers(BASE + 8, [2])
        pydbgwrite.undo(path, session)
        yield "undone", path.read_bytes()


def generated() -> Iterator[tuple[str, str, bytes]]:
    """Yield all of them: kind, name and contents."""
    with tempfile.TemporaryDirectory() as folder:
        files = {
            "elf": elf_files(),
            "pe": pe_files(),
            "npy": npy_files(),
            "toml": toml_files(Path(folder)),
            "journal": journal_files(Path(folder)),
        }
        for kind, made in files.items():
            for name, data in made:
                yield kind, name, data


def main() -> None:
    """Write all files."""
    for kind, name, data in generated():
        (FOLDER / kind).mkdir(parents=True, exist_ok=True)
        (FOLDER / kind / name).write_bytes(data)


if __name__ == "__main__":
    main()
