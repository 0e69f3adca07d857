"""Import tables of ELF and PE files, as bytes: every machine and form, and damaged ones."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from unittest import mock

import pytest
from fuzz.pe_images import BASE, DELAYED, DIRECTORIES, IMAGE_SIZE, IMPORTED, Pe

import pydbgwrite
from pydbgwrite import AddressError
from pydbgwrite._symbols import imports_elf, imports_pe
from pydbgwrite._symbols.elf_headers import ElfHeaders, Segment
from pydbgwrite._symbols.imports_elf import elf_imports, machine_of
from pydbgwrite._symbols.imports_pe import imports_of_pe, pe_imports
from pydbgwrite._symbols.linux_loader import memory_reader
from pydbgwrite._symbols.model import Import, KnownModule

# ---- ELF ------------------------------------------------------------------------------------

BIAS = 0x10000
SLOTS = 0x800
#: By machine and bits: the numbers of relocations of calls, of addresses, of data, and those that
#: make no slot although they have a symbol (COPY, TLS, relative to the place).
MACHINES = {
    "x86-64": (62, 64, 7, 6, 1, (5, 16, 18, 2)),
    "x32": (62, 32, 7, 6, 10, (5, 16, 18, 2)),
    "i386": (3, 32, 7, 6, 1, (5, 14, 35, 2)),
    "aarch64": (183, 64, 1026, 1025, 257, (1024, 1028, 1030)),
    "arm": (40, 32, 22, 21, 2, (20, 17, 19, 3)),
    "riscv64": (243, 64, 5, None, 2, (4, 7, 9, 11)),
    "riscv32": (243, 32, 5, None, 1, (4, 6, 8, 10)),
}
NAMES = [b"", b"called", b"taken", b"stored", b"none", b"own"]


class Elf:
    """A file whose addresses are its offsets: tables for three slots and relocations without."""

    def __init__(
        self,
        machine: int,
        bits: int,
        kinds: tuple[int, ...],
        others: tuple[int, ...],
        *,
        addends: bool,
        now: bool = False,
        gnu_hash: bool = True,
    ) -> None:
        self.machine, self.bits = machine, bits
        word, self.order = ("Q" if bits == 64 else "I"), "<"
        self.size = struct.calcsize(word)
        symbols = b""
        strings = b"".join(name + b"\0" for name in NAMES)
        for number, name in enumerate(NAMES):
            at = strings.index(name + b"\0")
            section = 1 if name == b"own" else 0
            row = (at, 0x12, 0, section, 0, 0) if bits == 64 else (at, 0, 0, 0x12, 0, section)
            symbols += struct.pack("<IBBHQQ" if bits == 64 else "<IIIBBH", *row)
            assert number < 100

        def row_of(place: int, kind: int, symbol: int) -> bytes:
            info = symbol << (32 if bits == 64 else 8) | kind
            return struct.pack(f"<{3 if addends else 2}{word}", place, info, *[0] * addends)

        call, *rest = kinds
        calls = row_of(SLOTS, call, 1) + row_of(SLOTS + self.size, call, 5)
        table = b"".join(
            row_of(SLOTS + 0x100 + self.size * index, kind, 2 + index)
            for index, kind in enumerate(rest)
        )
        table += b"".join(row_of(SLOTS + 0x300, kind, 4) for kind in others)
        table += b"".join(row_of(SLOTS + 0x400, kind, 0) for kind in (*kinds, 8))
        # The hash table of a file that exports nothing: one bucket, symbols from 1 on.
        places: dict[int, tuple[int, bytes]] = {}
        at = 0x200
        for tag, content in (
            (6, symbols),
            (5, strings),
            (23, calls),
            (7 if addends else 17, table),
            (0x6FFFFEF5, struct.pack("<4I", 1, 1, 1, 0) + bytes(bits // 8) + bytes(4)),
        ):
            places[tag] = (at, content)
            at += -(-len(content) // 16) * 16
        entries = {tag: at for tag, (at, _) in places.items()}
        if not gnu_hash:
            del entries[0x6FFFFEF5]
        entries |= {10: len(strings), 11: len(symbols) // len(NAMES), 2: len(calls)}
        entries[20] = 7 if addends else 17
        entries[8 if addends else 18] = len(table)
        if now:
            entries[0x6FFFFFFB] = 1
        dynamic = b"".join(struct.pack(f"<2{word}", *each) for each in (*entries.items(), (0, 0)))
        self.dynamic = range(0x80, 0x80 + len(dynamic))
        assert self.dynamic.stop <= 0x200 and at <= SLOTS
        self.content = bytearray(0x1000)
        self.content[0x80 : 0x80 + len(dynamic)] = dynamic
        for at, content in places.values():
            self.content[at : at + len(content)] = content
        struct.pack_into(f"<2{word}", self.content, SLOTS, 0x646, 0x656)
        segments = [
            Segment(1, 0, 0, 0x1000, 0x1000, 6),
            Segment(2, 0x80, 0x80, len(dynamic), len(dynamic), 6),
        ]
        self.headers = ElfHeaders(bits, "<", segments, segments[:1])

    def read(self, at: int, size: int) -> bytes:
        """Return bytes by address; ValueError if they are not all there."""
        if at < 0 or at + size > len(self.content):
            raise ValueError("not there")
        return bytes(self.content[at : at + size])

    def imports(self, file: Callable[[int, int], bytes | None] | None = None) -> list[Import]:
        """Return the slots. file: as for elf_imports; by default the content itself."""
        own = range(BIAS, BIAS + 0x1000)
        return elf_imports(self.headers, self.machine, self.read, BIAS, own, file or self.read)


def of_machine(name: str, **options: bool) -> Elf:
    machine, bits, call, address, data, others = MACHINES[name]
    kinds = (call, data) if address is None else (call, address, data)
    return Elf(machine, bits, kinds, others, addends=options.pop("addends", bits == 64), **options)


@pytest.mark.parametrize("addends", [True, False], ids=["rela", "rel"])
@pytest.mark.parametrize("machine", MACHINES)
def test_slots_of_every_machine(machine: str, addends: bool) -> None:
    file = of_machine(machine, addends=addends)
    found = file.imports()
    start, size = BIAS + SLOTS, file.size
    calls = [(start, "called", "call"), (start + size, "own", "call")]
    others = [(start + 0x100, "taken", "address"), (start + 0x100 + size, "stored", "data")]
    if MACHINES[machine][3] is None:
        others = [(start + 0x100, "taken", "data")]
    assert [(each.address, each.name, each.kind) for each in found] == calls + others
    assert {each.bits for each in found} == {file.bits}
    assert [each.unbound for each in found] == [
        range(BIAS + 0x646, BIAS + 0x647),
        range(BIAS + 0x656, BIAS + 0x657),
        *[None] * len(others),
    ]


def test_what_is_bound_at_once_is_never_lazy() -> None:
    def never(at: int, size: int) -> bytes | None:
        raise AssertionError("the file is not needed")

    found = of_machine("x86-64", now=True).imports(never)
    assert [each.unbound for each in found] == [None] * 4


def test_without_the_file_what_is_unbound_is_in_the_module() -> None:
    found = of_machine("x86-64").imports(lambda at, size: None)
    own = range(BIAS, BIAS + 0x1000)
    assert [each.unbound for each in found] == [own, None, None, None]  # "own" is its own function


def test_without_a_hash_table() -> None:
    assert of_machine("x86-64", gnu_hash=False).imports() == of_machine("x86-64").imports()


def test_an_unknown_machine() -> None:
    file = of_machine("x86-64")
    file.machine = 0xBEEF
    with pytest.raises(ValueError, match="machine 48879"):
        file.imports()


def test_machine_of() -> None:
    start = b"\x7fELF\x02\x01" + bytes(12) + b"\x3e\x00"
    assert machine_of(start) == 62
    assert machine_of(b"\x7fELF\x02\x02" + bytes(12) + b"\x00\x3e") == 62
    assert machine_of(start[:19]) is None
    assert machine_of(b"MZ" + bytes(62)) is None


def test_damaged_tables(profile: str) -> None:
    """A list or a clear error, whatever the numbers are."""
    source = random.Random(12)
    outcomes = {True: 0, False: 0}
    for round_ in range(20_000 if profile == "full" else 2_000):
        file = of_machine(("x86-64", "i386")[round_ % 2])
        places = [file.dynamic, range(0x200, 0x500)]
        for _ in range(source.randrange(1, 4)):
            at = source.choice(source.choice(places))
            file.content[at] = source.choice((0, 0xFF, 0x7F, file.content[at] ^ 1))
        try:
            found = file.imports()
        except (ValueError, struct.error):
            outcomes[False] += 1
        else:
            outcomes[True] += 1
            assert len(found) <= 20
    assert all(outcomes.values())


def test_the_limits_of_slots_and_of_names() -> None:
    """Of a file that would take gigabytes; here the limits are small."""
    file = of_machine("x86-64")
    with (
        mock.patch.object(imports_elf, "_MOST_SLOTS", 3),
        pytest.raises(ValueError, match="more than 3 import slots"),
    ):
        file.imports()
    length = sum(len(each.name) for each in file.imports())
    with mock.patch.object(imports_elf, "_MOST_OF_NAMES", length):
        assert file.imports()
    with (
        mock.patch.object(imports_elf, "_MOST_OF_NAMES", length - 1),
        pytest.raises(ValueError, match=f"longer than {length - 1} in all"),
    ):
        file.imports()


# ---- PE -------------------------------------------------------------------------------------


def imports_of(image: Pe) -> list[Import] | None:
    """Return the slots, read from simulated memory."""
    with pydbgwrite.simulate([(BASE, IMAGE_SIZE)]) as session:
        session.write(BASE, bytes(image.content))
        return pe_imports(memory_reader(session), BASE)


@pytest.mark.parametrize(("wide", "absolute"), [(True, False), (False, False), (False, True)])
def test_an_image(wide: bool, absolute: bool) -> None:
    image = Pe(wide=wide, absolute=absolute)
    at, size = BASE + IMPORTED, image.size
    own = range(BASE, BASE + IMAGE_SIZE)
    bits = 8 * size
    assert imports_of(image) == [
        Import(at, bits, "CreateFileW", "KERNEL32.dll", "address", None),
        Import(at + size, bits, "#12", "KERNEL32.dll", "address", None),
        Import(at + 2 * size, bits, "?x@@YAXXZ", "KERNEL32.dll", "address", None),
        Import(BASE + DELAYED, bits, "Late", "late.dll", "delayed", own),
    ]


def test_an_image_without_a_table_of_names() -> None:
    """The slots are known by their end; the loader has overwritten their names."""
    found = imports_of(Pe(wide=True, names=False))
    assert found is not None
    assert [each.name for each in found] == ["", "", "", "Late"]


def test_what_is_no_image() -> None:
    image = Pe(wide=True)
    for at in (0, 0x80, 0x98):
        damaged = Pe(wide=True)
        damaged.content[at] ^= 0x55
        assert imports_of(damaged) is None
    image.content[0x3C:0x40] = b"\xff\xff\xff\xff"
    assert imports_of(image) is None


def test_an_image_without_imports() -> None:
    image = Pe(wide=True)
    image.put(DIRECTORIES, "<I", 0)  # no data directories
    assert imports_of(image) == []


def test_damaged_images(profile: str) -> None:
    source = random.Random(13)
    outcomes = {True: 0, False: 0}
    good = Pe(wide=True).content
    places = [range(0x80, 0x180), range(0x1000, 0x1600), range(IMPORTED, IMPORTED + 0xA0)]
    for _ in range(10_000 if profile == "full" else 1_000):
        content = bytearray(good)
        for _ in range(source.randrange(1, 4)):
            at = source.choice(source.choice(places))
            content[at] = source.choice((0, 0xFF, 0x7F, content[at] ^ 1))

        def read(at: int, size: int, content: bytearray = content) -> bytes:
            if not BASE <= at <= BASE + IMAGE_SIZE - size:
                raise ValueError("not there")
            return bytes(content[at - BASE : at - BASE + size])

        try:
            pe_imports(read, BASE)
        except ValueError:
            outcomes[False] += 1
        else:
            outcomes[True] += 1
    assert all(outcomes.values())


def test_libraries_that_share_their_slots() -> None:
    """Slots are read once: otherwise the time is that of libraries times slots."""
    image = bytes(Pe(wide=False).content)[:0x1000].ljust(0x8000, b"\0") + b"\1" * 0x8000
    content = bytearray(image[:-4] + bytes(4))
    libraries, slots = 1000, 0x8000 // 4 - 1
    row = struct.pack("<5I", 0, 0, 0, 0x7000, 0x8000)
    content[0x1000 : 0x1000 + len(row) * libraries] = row * libraries

    def read(at: int, size: int) -> bytes:
        return bytes(content[at - BASE : at - BASE + size])

    found = pe_imports(read, BASE)
    assert found is not None
    assert [each.address for each in found] == [BASE + 0x8000 + 4 * n for n in range(slots)]


def test_an_image_whose_tables_have_no_end() -> None:
    """Each read gives something: the count of slots ends it."""
    content = bytes(Pe(wide=True).content)

    def read(at: int, size: int) -> bytes:
        start = at - BASE
        return content[start : min(start + size, 0x2000)].ljust(size, b"\x01")

    image = Pe(wide=True)
    image.put(0x1000, "<5I", 0x2000, 0, 0, 0x1400, 0x2000)
    content = bytes(image.content)
    with pytest.raises(ValueError, match=r"more than|no end"):
        pe_imports(read, BASE)


def test_the_limits_of_an_image() -> None:
    with (
        mock.patch.object(imports_pe, "_MOST_SLOTS", 3),
        pytest.raises(ValueError, match="more than 3 import slots"),
    ):
        imports_of(Pe(wide=True))
    for limit, value in (("_MOST_BYTES", 200), ("_MOST_PAGES", 1)):
        with (
            mock.patch.object(imports_pe, limit, value),
            pytest.raises(ValueError, match="its import tables have no end"),
        ):
            imports_of(Pe(wide=True))


def test_delayed_imports_below_their_image() -> None:
    """Addresses, as by old linkers, of which one is below the image: there is no such library."""
    image = Pe(wide=False, absolute=True)
    image.put(0x1104, "<I", BASE - 1)
    found = imports_of(image)
    assert found is not None
    assert [each.kind for each in found] == ["address"] * 3


def test_an_image_whose_imports_are_not_in_memory() -> None:
    image = Pe(wide=True)
    image.put(DIRECTORIES + 4 + 8, "<I", 2 * IMAGE_SIZE)
    with pydbgwrite.simulate([(BASE, IMAGE_SIZE)]) as session:
        session.write(BASE, bytes(image.content))
        with pytest.raises(AddressError, match=r"the imports of x.dll can't be read: .* 0x40"):
            imports_of_pe(session, KnownModule("x.dll", BASE, "", ()))
