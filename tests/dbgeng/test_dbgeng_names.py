"""Names of addresses and lists of symbols by Microsoft's engine: C++ names, and odd ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import dbgeng
from support.dbgeng import OWN, needs_engine
from support.pe_files import CODE, DATA, library

import pydbgwrite
from pydbgwrite import AddressError, Session
from pydbgwrite._symbols.resolver import Resolver

pytestmark = needs_engine

#: Exports of a library, by name; the other forms of it that are understood, and how an address that
#: it covers is named: "" for module and offset.
NAMES: dict[str, tuple[list[str], str]] = {
    "plain": (["PLAIN"], "plain"),
    "?name@@YAXXZ": (["name()", "name(void)"], "name()"),
    "?name@@YAXH@Z": (["name(int)", "name( int )"], "name(int)"),
    "?area@Square@shapes@@UEBANXZ": (
        ["shapes::Square::area", "shapes::Square::area() const", "shapes::Square::area(void)const"],
        "shapes::Square::area() const",
    ),
    "??HPoint@@QEBA?AU0@AEBU0@@Z": (
        ["Point::operator+", "Point::operator+(struct Point const &) const"],
        "Point::operator+(struct Point const &) const",
    ),
    "??_7Square@shapes@@6B@": ([], "shapes::Square::`vftable'"),
    "??1Square@shapes@@UEAA@XZ": (["shapes::Square::~Square"], "shapes::Square::~Square()"),
    "??$max@H@@YAHHH@Z": (["max<int>", "max<int>(int, int)"], "max<int>(int,int)"),
    "?count@@3HA": (["count"], "count"),
    "with space": ([], "with space"),
    "bang!inside": ([], "bang!inside"),
    "plus": ([], "plus"),
    "plus+8": ([], "plus+8"),
    "plus+0x9": ([], "plus+0x9"),
    "star*": ([], "star*"),
    "br[ack]et": ([], "br[ack]et"),
    "Case": ([], "Case"),
    "case": ([], "case"),
    " blank": ([], ""),
    "control\x01": ([], ""),
    "end!": ([], ""),
    "x" * 1800: ([], "x" * 1800),
}
OFFSETS = {name: (DATA if "@3" in name else CODE) + 32 * i for i, name in enumerate(NAMES)}
LOADING = """
import ctypes, sys
print(ctypes.WinDLL(sys.argv[1])._handle, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Yield the pid of a program, and the base of a library with odd names that it has loaded."""
    path = tmp_path_factory.mktemp("names") / "odd.dll"
    path.write_bytes(library(path.name, OFFSETS, bits=8 * OWN))
    process = dbgeng.start(LOADING, str(path))
    assert process.stdout is not None
    try:
        yield process.pid, int(process.stdout.readline())
    finally:
        dbgeng.end(process)


def check_names(session: Session, base: int) -> None:
    (module,) = [each for each in session.modules() if each.base == base]
    resolver = Resolver(session)
    for symbol, (forms, named) in NAMES.items():
        address = base + OFFSETS[symbol]
        name = f"odd.dll!{named}" if named else f"odd.dll+{address - base:#x}"
        assert session.name(address) == name
        # "plus+0x9" is a symbol, too: so it is said of no other place that it lies behind "plus".
        behind = f"{name}+0x3"
        if not named or symbol == "plus":
            behind = f"odd.dll+{address + 3 - base:#x}"
        assert session.name(address + 3) == behind
        for form in [symbol, *forms] if named else []:
            assert resolver.resolve(f"odd!{form}") == address, form
            assert resolver.resolve(f"odd.dll!{form}+0x3") == address + 3, form
    everywhere = list(range(base - 2, base + module.size + 2, 7))
    names = session.names(everywhere)
    assert [resolver.resolve(name) for name in names] == everywhere
    assert names[::99] == [session.name(address) for address in everywhere[::99]]
    # No symbol covers the headers, and none what lies behind its section.
    assert session.name(base) == "odd.dll+0x0"
    assert session.name(base + DATA - 1).startswith("odd.dll!" + 3 * "x")
    for offset in (DATA, DATA + 0x1000):
        assert session.name(base + offset) == f"odd.dll+{offset:#x}"


def test_names_of_every_kind(odd: tuple[int, int]) -> None:
    pid, base = odd
    with pydbgwrite.attach(pid) as session:
        check_names(session, base)
        with pytest.raises(AddressError, match=r"2 symbols 'name': .*name\(\)', .*name\(int\)'"):
            session.resolve("odd!name")


def test_names_through_a_process_server(odd: tuple[int, int]) -> None:
    pid, base = odd
    with (
        dbgeng.process_server() as (_, options),
        pydbgwrite.process_server(options) as server,
        server.attach(pid) as session,
    ):
        check_names(session, base)


def test_names_of_another_engine_s_session(odd: tuple[int, int]) -> None:
    """Its options stay: names are without parameters there, and overloads have none."""
    pid, base = odd
    with dbgeng.server(pid) as (_, options), pydbgwrite.connect(options) as session:
        assert session.name(base + OFFSETS["plain"]) == "odd.dll!plain"
        area = base + OFFSETS["?area@Square@shapes@@UEBANXZ"]
        assert session.name(area + 4) == "odd.dll!shapes::Square::area+0x4"
        assert session.resolve("odd!shapes::Square::area") == area
        overload = OFFSETS["?name@@YAXH@Z"]
        assert session.name(base + overload) == f"odd.dll+{overload:#x}"
        with pytest.raises(AddressError, match="several symbols 'name'"):
            session.resolve("odd!name")


def test_symbols_by_pattern(odd: tuple[int, int]) -> None:
    pid, base = odd
    with pydbgwrite.attach(pid) as session:
        listed = session.symbols(module="odd")
        assert {each.name: each.address - base for each in listed} == OFFSETS
        assert {each.module for each in listed} == {"odd.dll"}
        (area,) = session.symbols("*Square::area*")
        assert (area.name, area.demangled, area.kind, area.size) == (
            "?area@Square@shapes@@UEBANXZ",
            "shapes::Square::area() const",
            "function",
            0,
        )
        assert [each.name for each in session.symbols(kind="data", module="odd")] == ["?count@@3HA"]
        assert len(session.symbols("name(*)")) == 2


def test_the_engine_s_options_are_as_before(odd: tuple[int, int]) -> None:
    """An engine of another package keeps SYMOPT_UNDNAME, whatever is asked of a session of it."""
    code = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from probe_engine import CONTROL, c_uint32, c_uint64, c_void_p, create_client
import ctypes, pydbgwrite
client = create_client(Path(sys.argv[2]))
assert client.call(12, [c_uint64, c_uint32, c_uint32], 0, int(sys.argv[3]), 1) == 0
assert client.query(CONTROL).call(93, [c_uint32, c_uint32], 0, 30000) == 0
symbols = client.query("f02fbecc-50ac-4f36-9ad9-c975e8f32ff8")
def options():
    found = c_uint32()
    assert symbols.call(3, [c_void_p], ctypes.addressof(found)) == 0
    return found.value
before = options()
with pydbgwrite.wrap(client.pointer) as session:
    print(session.name(int(sys.argv[4])))
print(options() == before, before & 2)
client.call(25, [])
client.call(26, [c_uint32], 2)
"""
    pid, base = odd
    there = base + OFFSETS["?count@@3HA"]
    done = dbgeng.run(code, str(dbgeng.HERE), dbgeng.engine_folder(), str(pid), str(there))
    assert done.stdout.split() == ["odd.dll!count", "True", "2"], done
