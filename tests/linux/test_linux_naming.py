"""Names of addresses in live programs: they lead back, for C++, Rust, and every kind of file."""

from __future__ import annotations

import array
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from support.chance import chance as chance
from support.demangling import needs_demangler
from support.libraries import (
    ANSWERS,
    compile_library,
    compile_program,
    program_with,
    running,
    shared_library,
)

import pydbgwrite
from pydbgwrite import AddressError, NoTargetError, Session
from pydbgwrite._symbols.resolver import Resolver

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes are for Linux")

SOURCE: Final = (
    ANSWERS
    + r"""
#include <stdlib.h>
#include <string>
#include <vector>
#define KEEP __attribute__((noinline, used))
extern "C" int shared_value, *address_of_shared(void);
namespace shapes {
struct Shape { virtual int area() const = 0; virtual ~Shape() {} };
struct Square : Shape {
    int side = 3;
    KEEP int area() const override { return side * side; }
    KEEP Square &operator+=(int by) { side += by; return *this; }
    KEEP operator int() const { return side; }
};
KEEP bool operator<(Square const &a, Square const &b) { return a.side < b.side; }
template <class T, int N> KEEP T scaled(T value) { return value * N; }
template <class T> KEEP typename std::enable_if<(sizeof(T) > 2), T>::type picked(T x) { return x; }
}
namespace { KEEP int hidden(int x) { static int calls; return x + ++calls; } }
KEEP std::string joined(std::vector<std::string> const &all) {
    std::string text;
    for (auto const &each : all) text += each;
    return text;
}
__asm__(".section .text\n.globl label\nlabel: nop\nnop\nnop\n.globl next_label\nnext_label: nop\n"
        ".globl odd\nodd:\n.globl \"odd name\"\n\"odd name\": nop\nnop\n"
        ".globl cut\ncut: nop\nnop\n.globl \"cut+0x1\"\n\"cut+0x1\": nop\nnop\n");
extern "C" { int table[64] = {1}; KEEP int dispatch(int x) { return x + shared_value; } }
int main(void) {
    static shapes::Square first, second;
    shapes::Shape *shape = &second;
    auto doubled = [](int x) { return 2 * x; };
    first += doubled(hidden(shape->area())) + int(second) + (first < second);
    first += shapes::scaled<int, 7>(3) + shapes::scaled<long, -1>(3) + shapes::picked(4);
    first += int(joined({"a", "b"}).size()) + *address_of_shared();
    int local = 0;
    SAY("%lu %lu %lu\n", NUMBER(malloc(100)), NUMBER(&local), NUMBER(&shared_value));
    getchar();
}
"""
)
LIBRARY: Final = """
int shared_value = 1;
int *address_of_shared(void) { return &shared_value; }
static int twice(void) { return 1; }
int calls_twice(void) { return twice(); }
"""


Shop = Callable[..., AbstractContextManager[tuple[Session, list[int]]]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Return what yields a session of the program above, and what it printed.

    Its arguments are flags; for each set of them the program is compiled once.
    """
    if shutil.which("g++") is None:
        pytest.skip("there is no C++ compiler: g++")

    @cache
    def compiled(*flags: str) -> Path:
        folder = tmp_path_factory.mktemp("shop")
        library = shared_library(folder / "libshared.so", LIBRARY)
        more = (str(library), f"-Wl,-rpath,{folder}", *flags)
        return compile_program(folder / "shop", SOURCE, *more, compiler="g++", language="c++")

    @contextmanager
    def opened(*flags: str) -> Iterator[tuple[Session, list[int]]]:
        with (
            running(compiled(*flags)) as (child, numbers),
            pydbgwrite.attach(child.pid) as session,
        ):
            yield session, numbers

    return opened


def places_of(session: Session, chance: random.Random, count: int) -> list[int]:
    """Return addresses of every kind: within, before and behind symbols, and anywhere else."""
    found = [0, 2**64 - 1]
    for module in session.modules():
        found += [module.base + chance.randrange(module.size) for _ in range(count)]
    symbols = session.symbols()
    for symbol in chance.sample(symbols, min(len(symbols), 4 * count)):
        found += [symbol.address, symbol.address + chance.randrange(-2, symbol.size + 3)]
    for region in session.regions():
        found += [region.base + chance.randrange(region.size) for _ in range(2)]
    return found


def assert_they_lead_back(session: Session, addresses: list[int]) -> None:
    names = session.names(array.array("Q", addresses))
    resolver = Resolver(session)
    wrong = [
        (hex(address), name)
        for address, name in zip(addresses, names, strict=True)
        if resolver.resolve(name) != address
    ]
    assert not wrong


@pytest.mark.parametrize(
    "flags",
    [("-O0",), ("-O2", "-no-pie", "-fno-pie"), ("-O2", "-s")],
    ids=["O0", "O2 no-pie", "stripped"],
)
def test_names_lead_back(shop: Shop, chance: random.Random, flags: tuple[str, ...]) -> None:
    with shop(*flags) as (session, _):
        assert_they_lead_back(session, places_of(session, chance, 40))


def test_names_of_a_static_program_lead_back(tmp_path: Path, chance: random.Random) -> None:
    source = ANSWERS + 'int main(void) { SAY("%d\\n", 1); getchar(); }'
    program = compile_program(tmp_path / "alone", source, "-static")
    with running(program) as (child, _), pydbgwrite.attach(child.pid) as session:
        assert session.name(session.resolve("alone!main") + 2) == "alone!main+0x2"
        assert_they_lead_back(session, places_of(session, chance, 200))


@needs_demangler
def test_names_of_a_rust_program_lead_back(tmp_path: Path, chance: random.Random) -> None:
    rustc = shutil.which("rustc")
    if rustc is None:
        pytest.skip("there is no Rust compiler: rustc")
    (tmp_path / "count.rs").write_text(
        "mod shop { pub trait Area { fn area(&self) -> u32; }\n"
        "pub struct Square(pub u32);\n"
        "impl Area for Square { #[inline(never)] fn area(&self) -> u32 { self.0 * self.0 } } }\n"
        "use shop::Area;\n"
        "fn main() { let all: Vec<Box<dyn Area>> = vec![Box::new(shop::Square(3))];\n"
        'println!("{}", all.iter().map(|each| each.area()).sum::<u32>());\n'
        "let mut line = String::new(); std::io::stdin().read_line(&mut line).unwrap(); }\n"
    )
    for scheme in ("legacy", "v0"):
        program = tmp_path / f"count-{scheme}"
        command = [rustc, str(tmp_path / "count.rs"), "-o", str(program)]
        stable = [] if scheme == "legacy" else ["-C", "symbol-mangling-version=v0"]
        # The sanitizer's library, which CI preloads into this Python, makes the compiler crash.
        plain = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
        done = subprocess.run([*command, *stable], capture_output=True, text=True, env=plain)
        assert done.returncode == 0, done.stderr
        with running(program) as (child, _), pydbgwrite.attach(child.pid) as session:
            (area,) = session.symbols("*Square*Area*area", module=program.name)
            assert area.demangled.endswith("::Square as count::shop::Area>::area")
            assert session.name(area.address + 1) == f"{program.name}!{area.demangled}+0x1"
            assert_they_lead_back(session, places_of(session, chance, 40))


@needs_demangler
def test_forms_of_names(shop: Shop) -> None:
    with shop("-O0") as (session, (heap, stack, shared)):
        area = session.resolve("shop!_ZNK6shapes6Square4areaEv")
        assert session.name(area) == "shop!shapes::Square::area() const"
        assert session.name(area + 4) == "shop!shapes::Square::area() const+0x4"
        vtable = session.resolve("shop!_ZTVN6shapes6SquareE")
        assert session.name(vtable + 16) == "shop!vtable for shapes::Square+0x10"
        assert session.name(session.resolve("shop!table") + 8) == "shop!table+0x8"
        assert session.name(heap).startswith("<heap>+0x")
        assert session.name(stack).startswith("<stack>+0x")
        assert session.name(0x1000) == "0x1000"
        (region,) = [each for each in session.regions() if each.name == "<heap>"][:1]
        assert session.name(region.base + 0x40) == "<heap>+0x40"
        base = next(each.base for each in session.modules() if each.name == "shop")
        assert session.name(base + 1) == "shop+0x1"
        # The program's copy of a library's variable is the live one.
        assert session.resolve("libshared.so!shared_value") == shared
        assert session.name(shared) in ("shop!shared_value", "libshared.so!shared_value")


@needs_demangler
def test_a_demangled_name_of_several_symbols_stays_mangled(shop: Shop) -> None:
    with shop("-O0") as (session, _):
        bodies = session.symbols("*Square::~Square()", module="shop")
        assert {each.demangled for each in bodies} == {"shapes::Square::~Square()"}
        assert len({each.address for each in bodies}) == 2
        for each in bodies:
            name = session.name(each.address)
            assert name.startswith("shop!_ZN6shapes6SquareD")
            assert session.resolve(name) == each.address


def test_symbols_without_a_size_end_with_the_next_one(shop: Shop) -> None:
    with shop("-O0") as (session, _):
        label = session.resolve("shop!label")
        assert session.name(label + 1) == "shop!label+0x1"
        assert session.name(label + 3) == "shop!next_label"
        assert session.name(session.resolve("shop!odd name") + 1) == "shop!odd+0x1"


def test_a_symbol_whose_name_ends_as_an_offset(shop: Shop) -> None:
    """An offset from the symbol that the rest would name is given from the module."""
    with shop("-O0") as (session, _):
        (cut,) = session.symbols("cut", module="shop")
        (other,) = session.symbols("cut+0x1", module="shop")
        assert cut.address + 2 == other.address
        for address in (cut.address, cut.address + 1, other.address, other.address + 1):
            assert session.name(address) != "shop!cut+0x1" or address == other.address
            assert session.resolve(session.name(address)) == address


def test_local_symbols_of_one_name_are_offsets(tmp_path: Path) -> None:
    library = compile_library(tmp_path / "both.so")
    with program_with(library) as (pid, _), pydbgwrite.attach(pid) as session:
        places = [each.address for each in session.symbols("twice", module="both.so")]
        assert len(places) == 2
        base = next(each.base for each in session.modules() if each.name == "both.so")
        assert session.names(places) == [f"both.so+0x{place - base:x}" for place in places]


def test_versions(tmp_path: Path) -> None:
    library = compile_library(tmp_path / "versions.so", "-Wl,--strip-all")
    with program_with(library) as (pid, _), pydbgwrite.attach(pid) as session:
        found = session.symbols("answer*", module="versions.so")
        assert sorted(each.name for each in found) == ["answer", "answer@V_1", "answer@V_2"]
        for each in found:
            assert session.resolve(f"versions.so!{each.name}") == each.address
            assert session.resolve(session.name(each.address)) == each.address
        assert session.name(session.resolve("versions.so!answer@V_1")) == "versions.so!answer@V_1"


def test_modules_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "libsame.so" for folder in ("one", "two")]
    for path in paths:
        path.parent.mkdir()
        shared_library(path, "int value = 1;")
    with (
        program_with(*paths, symbol="value") as (pid, place),
        pydbgwrite.attach(pid) as session,
    ):
        assert session.name(place) == f"{paths[0]}!value"
        assert session.resolve(session.name(place)) == place


def test_more_modules_of_one_name_than_are_listed(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}" / "libsame.so" for number in range(10)]
    for path in paths:
        path.parent.mkdir()
        shared_library(path, "int value = 1;")
    with (
        program_with(*paths, symbol="value") as (pid, _),
        pydbgwrite.attach(pid) as session,
        pytest.raises(AddressError, match=r"names 10 modules .*, others; give a whole path"),
    ):
        session.resolve("libsame.so!value")


@needs_demangler
def test_patterns_and_kinds(shop: Shop) -> None:
    with shop("-O0") as (session, _):
        names = {each.demangled for each in session.symbols("vtable for shapes::*")}
        assert names == {"vtable for shapes::Shape", "vtable for shapes::Square"}
        (table,) = session.symbols("t?b[kl]e", module="shop")
        assert (table.name, table.size, table.kind) == ("table", 256, "data")
        assert repr(table).startswith("Symbol(name='table', demangled='table', module='shop', ad")
        assert {each.kind for each in session.symbols("dispatch")} == {"function"}
        assert session.symbols("dispatch", kind="data") == []
        assert [each.name for each in session.symbols("label", kind="untyped")] == ["label"]
        # An operator's name needs no escape, but "*" and "[" can have one.
        assert len(session.symbols("*operator<(*", module="shop")) == 1
        assert session.symbols("ta[*]le") == []
        everything = session.symbols(module="shop")
        assert everything == sorted(everything, key=lambda each: (each.address, each.name))
        assert session.symbols("no_such_name*") == []


def test_refused_arguments(shop: Shop) -> None:
    with shop("-O0") as (session, _):
        with pytest.raises(ValueError, match=r"kind must be 'function', 'data', .* got 'text'"):
            session.symbols(kind="text")
        for wrong in ("shop!main", True, 1.5, None):
            with pytest.raises(TypeError, match="address must be an int, got"):
                session.name(wrong)  # type: ignore[arg-type]
        with pytest.raises(pydbgwrite.AddressError, match=r"no module 'libnone\.so'"):
            session.symbols(module="libnone.so")


def test_a_module_that_is_loaded_later_has_names(tmp_path: Path) -> None:
    library = shared_library(tmp_path / "liblater.so", "int later = 1;")
    script = (
        "import ctypes, sys; print(1, flush=True); sys.stdin.readline()\n"
        "found = ctypes.CDLL(sys.argv[1])\n"
        "print(ctypes.addressof(ctypes.c_int.in_dll(found, 'later')), flush=True)\n"
        "sys.stdin.readline()\n"
    )
    command = (sys.executable, "-I", "-c", script, library)
    with running(*command) as (child, _), pydbgwrite.attach(child.pid, suspend=False) as session:
        assert child.stdin is not None
        assert child.stdout is not None
        before = session.names([session.modules()[0].base])
        child.stdin.write("\n")
        child.stdin.flush()
        place = int(child.stdout.readline())
        assert session.name(place) == "liblater.so!later"
        assert session.names([session.modules()[0].base]) == before


def test_a_process_that_has_ended_has_no_names(tmp_path: Path) -> None:
    library = shared_library(tmp_path / "libgone.so", "int table = 1;")
    with program_with(library) as (pid, place), pydbgwrite.attach(pid) as session:
        assert session.name(place) == "libgone.so!table"
        subprocess.run(["kill", "-9", str(pid)], check=True)
        with pytest.raises(NoTargetError):
            while True:  # until the kernel has ended it
                session.names([place])
