"""The tables behind names: which symbol covers an address, and which names mean one symbol."""

from __future__ import annotations

import random
import struct
import sys
import weakref
from typing import Final, NamedTuple

import pytest
from support.chance import chance as chance
from support.demangling import needs_demangler

import pydbgwrite
from pydbgwrite._core import ModuleSymbols, name_addresses, plain_mangled
from pydbgwrite._symbols.demangle import demangler

ALONE, VERSIONS, SHARED = 0, 1, 2
LOCAL, GLOBAL = 0, 1
UNTYPED, DATA, FUNCTION, THREAD_LOCAL, INDIRECT = 0, 1, 2, 6, 10
SECTIONS: Final = [(0, 0), (100, 400), (500, 200)]


class Row(NamedTuple):
    """A symbol."""

    name: str
    value: int
    size: int = 0
    kind: int = FUNCTION
    binding: int = GLOBAL
    section: int = 1


def table(rows: list[Row], *, bits: int = 64, order: str = "<") -> ModuleSymbols:
    strings, raw = b"\0", b""
    for row in rows:
        info = row.binding << 4 | row.kind
        if bits == 64:
            fields = (len(strings), info, 0, row.section, row.value, row.size)
            raw += struct.pack(f"{order}IBBHQQ", *fields)
        else:
            fields = (len(strings), row.value, row.size, info, 0, row.section)
            raw += struct.pack(f"{order}IIIBBH", *fields)
        strings += row.name.encode() + b"\0"
    source = (raw, strings, b"", SECTIONS, bits == 64, order == ">", False)
    return ModuleSymbols([source], 0, 1000)


def name_at(symbols: ModuleSymbols, address: int) -> str | None:
    number = symbols.at(address)
    return None if number is None else symbols.entry(number)[0].decode()


def test_sized_symbols_cover_their_bytes() -> None:
    symbols = table([Row("outer", 100, 50), Row("inner", 110, 10), Row("next", 200, 4)])
    at = {a: name_at(symbols, a) for a in (99, 100, 109, 110, 119, 120, 149, 150, 200, 203, 204)}
    assert at == {
        **dict.fromkeys((100, 109, 120, 149), "outer"),
        **dict.fromkeys((110, 119), "inner"),
        **dict.fromkeys((200, 203), "next"),
        **dict.fromkeys((99, 150, 204), None),
    }


def test_symbols_without_a_size_end_with_the_next_one_or_their_section() -> None:
    rows = [Row("first", 100), Row("second", 120), Row("inside", 310), Row("sized", 300, 50)]
    symbols = table([*rows, Row("end", 500, 0), Row("last", 690, 0, section=2)])
    at = {a: name_at(symbols, a) for a in (119, 120, 299, 309, 310, 311, 350, 499, 500, 501, 699)}
    assert at[119] == "first"
    assert at[120] == at[299] == "second"
    assert at[309] == at[311] == "sized"
    assert at[310] == "inside"
    assert at[350] is at[499] is None
    assert (at[500], at[501], at[699], name_at(symbols, 700)) == ("end", None, "last", None)


def test_the_best_of_several_names_at_one_address() -> None:
    best = [
        Row("wide", 100, 8),
        Row("a_long_name", 100, 8),
        Row("_one", 100, 8),
        Row("b", 100, 8, binding=LOCAL),
        Row("c", 100, 8, kind=UNTYPED),
        Row("d", 100),
    ]
    for count in range(len(best), 0, -1):
        rows = best[-count:]
        random.Random(count).shuffle(rows)
        assert name_at(table(rows), 100) == best[-count].name
    assert name_at(table([Row("short", 100, 4), Row("longer", 100, 8)]), 106) == "longer"


def test_names_that_mean_one_symbol() -> None:
    rows = [
        Row("alone", 100, 4),
        Row("twice", 110, 4, binding=LOCAL),
        Row("twice", 120, 4, binding=LOCAL),
        Row("same", 130, 4),
        Row("same", 130, 4),
        Row("versioned@@V_2", 140, 4),
        Row("versioned@V_1", 150, 4),
        Row("own", 1, kind=THREAD_LOCAL),
        Row("chosen", 160, 4, kind=INDIRECT),
    ]
    symbols = table(rows)
    uses = [symbols.entry(number)[5] for number in range(len(symbols))]
    assert uses == [ALONE, SHARED, SHARED, ALONE, ALONE, VERSIONS, VERSIONS, SHARED, SHARED]
    assert symbols.entry(5)[0] == b"versioned"
    assert symbols.names([5, 0]) == ["versioned", "alone"]
    with pytest.raises(IndexError):
        symbols.names([len(rows)])
    assert symbols.values()[:3] == [100, 110, 120]
    assert symbols.containing(b"wic") == [1, 2]
    assert symbols.at(1) is None  # a thread's variable has no address


@pytest.mark.parametrize(("bits", "order"), [(64, "<"), (32, "<"), (64, ">"), (32, ">")])
def test_random_tables(chance: random.Random, bits: int, order: str) -> None:
    """Of symbols with different starts, compared with a search through all of them."""
    for _ in range(40):
        starts = chance.sample(range(1000), chance.randrange(1, 40))
        rows = [
            Row(f"n{at}", at, chance.choice((0, 0, 1, 8, 50, 2000)), section=0xFF) for at in starts
        ]
        symbols = table(rows, bits=bits, order=order)
        for address in range(1000):
            sized = [row for row in rows if row.value <= address < row.value + row.size]
            exact = [row for row in rows if row.value == address]
            wanted = max(sized + exact, key=lambda row: row.value, default=None)
            assert name_at(symbols, address) == (None if wanted is None else wanted.name)


def test_tables_that_are_damaged(chance: random.Random) -> None:
    rows = [Row(f"name{i}", i * 10, 7) for i in range(40)]
    for _ in range(300):
        raw = bytearray(
            b"".join(
                struct.pack("<IBBHQQ", i * 7, 18, 0, 1, *row[1:3]) for i, row in enumerate(rows)
            )
        )
        strings = bytearray(b"\0".join(row.name.encode() for row in rows) + b"\0")
        for content in (raw, strings):
            for _ in range(chance.randrange(6)):
                content[chance.randrange(len(content))] = chance.randrange(256)
        cut = chance.randrange(len(raw) + 1)
        source = (bytes(raw[:cut]), bytes(strings), bytes(5), SECTIONS, True, False, False)
        low, high = chance.choice(((0, 1000), (0, 2**64 - 1), (500, 100), (50, 60)))
        symbols = ModuleSymbols([source, source], low, high)
        for number in range(len(symbols)):
            symbols.entry(number)
        for address in (0, 55, 2**64 - 1, chance.randrange(1000)):
            symbols.at(address)


def test_names_that_share_their_ends_take_no_time() -> None:
    """200,000 names of up to 64 KiB in one string: none is looked at for long."""
    strings = b"x" * 65_000 + b"\0"
    raw = b"".join(struct.pack("<IBBHQQ", i % 65_000, 18, 0, 1, i, 1) for i in range(200_000))
    symbols = ModuleSymbols([(raw, strings, b"", [], True, False, False)], 0, 2**32)
    assert symbols.entry(5)[5] == SHARED
    assert symbols.containing(b"xx") == []
    assert symbols.at(7) is not None


def test_texts_are_asked_for_once() -> None:
    symbols = table([Row("first", 100, 8), Row("second", 200, 8)])
    asked: list[list[int]] = []

    def spell(module: int, numbers: list[int]) -> list[str]:
        asked.append(numbers)
        return ["m!first" if number == 0 else "" for number in numbers]

    texts: list[str | None] = [None, None]

    ranges = [(1000, 2000, 1000, 1000, "m", 0), (3000, 4000, 2990, 0, "<heap>", -1)]
    addresses = [1100, 1104, 1200, 1204, 1300, 3000, 5, 1104]
    for _ in range(2):
        names = name_addresses(addresses, ranges, lambda module: (symbols, texts), spell)
        assert names == [
            *("m!first", "m!first+0x4", "m+0xc8", "m+0xcc", "m+0x12c"),
            *("<heap>+0xa", "0x5", "m!first+0x4"),
        ]
    assert asked == [[0, 1]]
    assert texts == ["m!first", ""]
    texts[1] = None
    name_addresses([1200], ranges, lambda module: (symbols, texts), spell)
    assert asked == [[0, 1], [1]]


def test_a_session_is_not_kept_by_its_names() -> None:
    session = pydbgwrite.simulate([(0x10000, 0x1000)])
    assert session.name(0x10000) == "0x10000"
    kept = weakref.ref(session)
    session.close()
    del session
    assert kept() is None


def test_exceptions_of_callbacks_go_on() -> None:
    symbols = table([Row("first", 100, 8)])
    ranges = [(1000, 2000, 1000, 1000, "m", 0)]

    def of_module(module: int) -> tuple[ModuleSymbols, list[str | None]]:
        return symbols, [None]

    def refuse(*_: object) -> list[str]:
        raise KeyError("asked")

    with pytest.raises(KeyError, match="asked"):
        name_addresses([1100], ranges, of_module, refuse)
    with pytest.raises(KeyError, match="asked"):
        name_addresses([1100], ranges, refuse, refuse)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs a text"):
        name_addresses([1100], ranges, of_module, lambda module, numbers: [])
    with pytest.raises(TypeError, match="must be a str"):
        name_addresses([1100], ranges, of_module, lambda module, numbers: [1])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="a place for its text"):
        name_addresses([1100], ranges, lambda module: (symbols, []), refuse)
    with pytest.raises(TypeError, match="ModuleSymbols and texts"):
        name_addresses([1100], ranges, lambda module: symbols, refuse)  # type: ignore[arg-type,return-value]
    with pytest.raises(ValueError, match="not in order"):
        name_addresses([1], [ranges[0], ranges[0]], lambda module: None, refuse)
    with pytest.raises(ValueError, match="not in order"):  # an offset would be below 0
        name_addresses([1], [(1000, 2000, 1001, 0, "m", -1)], lambda module: None, refuse)


#: It takes years: each "nw" has two readings.
HANGS: Final = "_Z1fILi3EEv" + "A1_" * 30 + "A" + "nw" * 60 + "Li1EE"


def doubled(levels: int) -> str:
    """Return a short name whose demangled one doubles with each level."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

    def reference(number: int) -> str:
        return "S_" if number == 0 else f"S{'1' * (number > 36)}{digits[(number - 1) % 36]}_"

    name, last = "_Z1f1A1PIS_S_E", 2
    for number in range(levels):
        name += f"S0_I{reference(last)}{reference(last)}E"
        last = 3 + number
    return name


def test_names_that_take_years_stay_mangled() -> None:
    hang = [HANGS, "_Z" + "Z1fvE" * 9 + "1x", "_Z1f" + "P" * 9000 + "i"]
    plain = [
        "_ZNKSt10_HashtableImmSaImENSt8__detail9_IdentityEE18_Mod_range_hashEm",
        "_ZN4llvm4callINS_2XXEXsr3std7is_sameIiT_EE5valueEEEDTclfp_EEOS2_",
    ]
    assert plain_mangled([*hang, plain[0], "main", plain[1], "_Z\udc80", ""]) == [3, 5]
    with pytest.raises(TypeError):
        plain_mangled([1])  # type: ignore[list-item]
    demangle = demangler()
    if demangle is not None:
        assert demangle(HANGS) == HANGS
        assert demangle(doubled(40)) == doubled(40)
        assert demangle("_ZN1aC\n") == "_ZN1aC\n"


@needs_demangler
@pytest.mark.skipif(sys.platform != "linux", reason="Linux processes alone need a demangler")
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("_ZTVN6shapes6SquareE", "vtable for shapes::Square"),
        ("_ZTT1A", "VTT for A"),
        ("_ZN12_GLOBAL__N_13tabE", "(anonymous namespace)::tab"),
        ("_ZThn16_N1A1fEv", "non-virtual thunk to A::f()"),
        ("_ZTv0_n24_N1A1fEv", "virtual thunk to A::f()"),
        ("_ZTch0_h16_N1A1fEv", "covariant return thunk to A::f()"),
        ("_ZTC1A0_1B", "construction vtable for B-in-A"),
        ("_Z1fILj4ELm5ELl6EEvv", "void f<4u, 5ul, 6l>()"),
        ("_ZN1A1fERNS_1BIS_JEEE", "A::f(A::B<A>&)"),
        ("_ZN1AC2Ev.part.0", "A::A() [clone .part.0]"),
        ("_RNvC6_123foo3bar", "123foo::bar"),
        ("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad"),
        ("main", "main"),
        ("_Zfoo", "_Zfoo"),
    ],
)
def test_demangled_names_are_those_of_cxxfilt(name: str, wanted: str) -> None:
    demangle = demangler()
    assert demangle is not None
    assert demangle(name) == wanted


def test_names_that_cost_much_stay_mangled() -> None:
    """A module's file can have any number of names that take 100 microseconds each."""
    if demangler() is None:
        return
    for name in (doubled(7), doubled(12)):  # the library gives up on the second
        one, many = demangler(symbols=10), demangler(symbols=100_000)
        assert one is not None
        assert many is not None
        shown = many.each([name, "main"] * 4_000)
        assert not many.exhausted
        assert len(shown[0]) > 3000 or shown[0] == name
        cut = one.each([name, "main"] * 4_000)
        assert one.exhausted
        assert (cut[0], cut[-2], cut[-1]) == (shown[0], name, "main")


def test_many_addresses_at_once(chance: random.Random) -> None:
    """Names in any order, of ranges with and without symbols, are those that each has alone."""
    symbols = table([Row(f"n{at}", at, chance.choice((0, 3, 9))) for at in range(0, 900, 7)])
    texts: list[str | None] = [None] * len(symbols)
    odd = "\udc80odd"  # a file's name that is no UTF-8
    ranges = [
        (1000, 1500, 1000, 1000, "m", 0),
        (1500, 1600, 1500, 0, "<heap>", -1),
        (1600, 2000, 1000, 1000, odd, 0),
        (5000, 5100, 5000, 0, "m!é", -2),
    ]

    def spell(module: int, numbers: list[int]) -> list[str]:
        named = symbols.names(numbers)
        label = {"7": odd}
        return ["" if name[-1] == "0" else f"{label.get(name[-1], 'm')}!{name}" for name in named]

    def name_of(address: int) -> str:
        if not (1000 <= address < 2000 or 5000 <= address < 5100):
            return hex(address)
        _, _, origin, _, name, module = next(r for r in ranges if r[0] <= address < r[1])
        number = symbols.at(address - 1000) if module == 0 else None
        if number is not None:
            text = spell(0, [number])[0]
            if text:
                origin, name, module = 1000 + symbols.entry(number)[1], text, -2
        behind = address - origin
        return name if behind == 0 and module == -2 else f"{name}+{behind:#x}"

    addresses = [chance.randrange(900, 6000) for _ in range(3000)] + [2**64 - 1, 0]
    wanted = [name_of(address) for address in addresses]
    for asked in (addresses, addresses[:7]):
        found = name_addresses(asked, ranges, lambda module: (symbols, texts), spell)
        assert found == wanted[: len(asked)]
