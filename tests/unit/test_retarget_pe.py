"""retarget in a PE image: the sections that are searched, also where nobody can write."""

from __future__ import annotations

import struct

import pytest

from pydbgwrite import Module, TargetAccessError, simulate

BASE, PAGE = 0x140000000, 0x1000
SIZE = 0x800  # of each section
CODE, READ, WRITE, DISCARDABLE = 0x60000020, 0x40000040, 0xC0000040, 0x42000040
#: Characteristics ("PE Format", learn.microsoft.com). .rdata has vtables and import addresses.
SECTIONS = {
    b".text": CODE,
    b".rdata": READ,
    b".data": WRITE,
    b".pdata": READ,
    b".rsrc": READ,
    b".reloc": DISCARDABLE,
}
PLACES = {name: BASE + number * PAGE for number, name in enumerate(SECTIONS, 1)}
RDATA, DATA = PLACES[b".rdata"], PLACES[b".data"]
MODULE = Module("shop.exe", BASE, (len(SECTIONS) + 1) * PAGE, "")


def headers() -> bytes:
    dos = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40)
    file = struct.pack("<4s2H12x2H", b"PE\0\0", 0x8664, len(SECTIONS), 0, 0x22)
    table = [
        struct.pack("<8s2I16x4xI", name, SIZE, PLACES[name] - BASE, flags)
        for name, flags in SECTIONS.items()
    ]
    return dos + file + b"".join(table)


def test_read_only_data_is_searched_and_not_left_out() -> None:
    regions = [(at, PAGE, "rw" if at in (BASE, DATA) else "r") for at in (BASE, *PLACES.values())]
    with simulate(regions) as session:
        session.write(BASE, headers())
        session.write_pointers(DATA, [5])
        # Memory that was never written holds zeros, also where nobody can write.
        places = [*range(RDATA, RDATA + SIZE, 8), *range(DATA + 8, DATA + SIZE, 8)]
        plan = session.retarget(0, 7, within=MODULE, dry_run=True)
        assert list(plan.found.addresses) == places
        with pytest.raises(TargetAccessError) as refused:
            session.retarget(0, 7, within=MODULE)
        for text in (f"0x{RDATA:x}", "'r'", "256 of 511", "nothing was written", "by within"):
            assert text in str(refused.value)
        assert list(session.read_pointers(DATA, 2)) == [5, 0]
        writable = [each for each in plan.found.regions if "w" in each.protection]
        assert session.retarget(0, 7, within=writable, expect_count=255).written == 255
        assert list(session.read_pointers(DATA, 3)) == [5, 7, 7]
