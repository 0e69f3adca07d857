"""Names of a live C++ program: without a module, behind a colon, operators, brackets, overloads."""

from __future__ import annotations

import random
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from unittest import mock

import pytest
from support.chance import chance as chance
from support.commands import command
from support.demangling import needs_demangler
from support.libraries import ANSWERS, compile_program, running, shared_library

import pydbgwrite
from pydbgwrite import AddressError, Session
from pydbgwrite._symbols.resolver import Resolver

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Linux processes are for Linux"),
    pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler: g++"),
]

SOURCE: Final = (
    ANSWERS
    + """
#define KEEP __attribute__((noinline))
extern "C" unsigned long shared_value;
extern "C" int from_library(void);
namespace shapes {
struct Shape { virtual int area() const { return 0; } virtual ~Shape() {} };
struct Square : Shape {
    int side = 3;
    Square *next = nullptr;
    KEEP int area() const override { return side * side; }
    KEEP int area(int by) const { return side * by; }
    KEEP int area(double by) const { return int(side * by); }
    KEEP int only(int by) { return side + by; }
    KEEP Square &operator+=(int by) { side += by; return *this; }
    KEEP Square *operator->() { return this; }
    KEEP int operator[](int at) { return side + at; }
    KEEP int operator()(int at) { return side - at; }
    KEEP bool operator!() const { return side == 0; }
    KEEP Square &operator--() { side--; return *this; }
    KEEP operator int() const { return side; }
};
KEEP int operator+(Square const &a, Square const &b) { return a.side + b.side; }
KEEP int operator-(Square const &a, Square const &b) { return a.side - b.side; }
KEEP int operator,(Square const &a, Square const &b) { return a.side; }
KEEP bool operator<(Square const &a, Square const &b) { return a.side < b.side; }
KEEP int operator<<(Square const &a, int by) { return a.side << by; }
KEEP int operator""_sides(unsigned long long by) { return int(by); }
template <class T, int N> KEEP T scaled(T value) { return value * N; }
}
KEEP int operator""_edges(char const *text, unsigned long size) { return text[0] + int(size); }
namespace LENGTHY {
thread_local int of_thread = 1;
KEEP int twice(int by) { return by * 2; }
KEEP int twice(long by) { return int(by) * 2 + 1; }
}
extern "C" {
shapes::Square *root;
int table[4] = {1, 2, 3, 4};
int in_both = 5;
KEEP int dispatch(int x) { return x + 1; }
}
int main(void) {
    using namespace shapes;
    static Square first, second;
    root = &first;
    first.next = &second;
    Shape *shape = &second;
    int all = shape->area() + first.area(1) + first.area(2.0) + first.only(1) + first[1] + first(1);
    all += !first + (first + second) + (first - second) + (first, second) + (first < second);
    all += (first << 1) + scaled<int, 7>(3) + scaled<long, -1>(3) + int(first) + from_library();
    all += LENGTHY::twice(1) + LENGTHY::twice(1L) + LENGTHY::of_thread;
    first += 1;
    --first;
    all += first->side + 4_sides + "edges"_edges;
    SAY("%lu %lu %lu %lu %lu %d\\n", NUMBER(&root), NUMBER(&first), NUMBER(&second),
        NUMBER(&first.next), NUMBER(dispatch), all);
    getchar();
}
"""
)
LIBRARY: Final = """
unsigned long shared_value = 1;
int in_both = 6, only_there = 7;
int in_two(void) { return 1; }
int from_library(void) { return 0; }
"""
#: Longer than a name that errors list.
LENGTHY: Final = "lengthy" * 70
SECOND: Final = "int in_two(void) { return 2; } int only_second = 8;"


class Shop:
    """The live program and what it printed of itself."""

    def __init__(self, session: Session, numbers: list[int]) -> None:
        self.session = session
        self.root, self.first, self.second, self.next, self.dispatch, _ = numbers


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("names")
    libraries = [
        shared_library(folder / f"lib{name}.so", source, f"-Wl,-soname,lib{name}.so")
        for name, source in (("one", LIBRARY), ("two", SECOND))
    ]
    return compile_program(
        folder / "shop",
        SOURCE,
        *(
            "-O1",
            "-w",
            f"-DLENGTHY={LENGTHY}",
            "-Wl,--no-as-needed",
            f"-Wl,-rpath,{folder}",
            *map(str, libraries),
        ),
        compiler="g++",
        language="c++",
    )


@pytest.fixture(scope="module")
def shop(compiled: Path) -> Iterator[Shop]:
    with running(compiled) as (child, numbers), pydbgwrite.attach(child.pid) as session:
        yield Shop(session, numbers)


def test_names_without_a_module(shop: Shop) -> None:
    resolve = shop.session.resolve
    assert resolve("dispatch") == shop.dispatch == resolve("shop!dispatch")
    assert resolve("dispatch+4") == resolve("shop:dispatch+4") == shop.dispatch + 4
    assert resolve("only_there") == resolve("libone.so!only_there")
    assert resolve("only_second-0x8") == resolve("libtwo.so:only_second") - 8
    assert resolve("in_both") == resolve("shop!in_both") != resolve("libone.so!in_two")
    with pytest.raises(
        AddressError,
        match=r"2 modules have .*'in_two'.*'lib\w+\.so!in_two', 'lib\w+\.so!in_two'; give the one",
    ) as caught:
        resolve("in_two")
    listed = [part for part in str(caught.value).split("'") if "!" in part]
    assert resolve(listed[0]) != resolve(listed[1])


def test_a_module_comes_before_a_symbol(compiled: Path, tmp_path: Path) -> None:
    program = tmp_path / "table"
    shutil.copy(compiled, program)
    with running(program) as (child, _), pydbgwrite.attach(child.pid) as session:
        (base,) = [module.base for module in session.modules() if module.name == "table"]
        assert session.resolve("table+8") == base + 8
        assert session.resolve("table!table+8") == session.resolve("table") + 8 != base + 8
        assert session.resolve("table-8") == session.resolve("table") - 8


def test_brackets(shop: Shop) -> None:
    resolve = shop.session.resolve
    beyond = shop.next - shop.first
    assert resolve("[shop!root]") == resolve("[root]") == shop.first
    assert resolve(f"[[shop:root]+{beyond:#x}]+8") == shop.second + 8
    vtable = resolve("[[root]]")
    assert resolve("shop!_ZTVN6shapes6SquareE+16") == vtable
    assert resolve("[[[root]]]") == resolve("shop!_ZNK6shapes6Square4areaEv")
    with pytest.raises(AddressError) as caught:
        resolve(f"[[[[root]+{beyond}]+{beyond}]+8]")
    assert "level 4 of 4" in str(caught.value) and "is 0x0, a null pointer" in str(caught.value)
    with pytest.raises(AddressError, match="no symbol 'rooot'; did you mean 'root'"):
        resolve("[[shop!rooot]+8]")


def test_the_heap_and_the_stack(shop: Shop) -> None:
    lines = [line.split() for line in shop.session._read_maps().splitlines()]
    starts = {line[-1]: int(line[0].partition(b"-")[0], 16) for line in reversed(lines)}
    assert shop.session.resolve("<stack>") == starts[b"[stack]"]
    assert shop.session.resolve("<stack>+0x10") == starts[b"[stack]"] + 16
    if b"[heap]" in starts:  # musl's malloc(3) seldom calls brk(2)
        assert shop.session.resolve("<heap>+0x40") == starts[b"[heap]"] + 0x40
    else:
        with pytest.raises(AddressError, match="this target has none"):
            shop.session.resolve("<heap>+0x40")
    assert shop.session.resolve("[<stack>]") == shop.session.read_pointers("<stack>", 1)[0]


def test_writes_by_name(shop: Shop) -> None:
    session = shop.session
    table = session.read("table", 16)
    with session.transaction() as transaction:
        assert session.write_pointers("shop!table", ["dispatch", "[root]+8"]) == 2
        assert list(session.read_pointers("table", 2)) == [shop.dispatch, shop.first + 8]
        session.write_scattered(
            ["table+8", "table"], ["dispatch", 1], expect=["[root]+8", "dispatch"]
        )
        assert list(session.read_pointers("table", 2)) == [1, shop.dispatch]
        transaction.undo()
    assert session.read("table", 16) == table
    names = ["shop!dispatch"] * 200_000
    assert session.write_pointers("[root]+0", [shop.session.resolve("[[root]]")]) == 1
    with pytest.raises(AddressError, match=r"pointers\[200000\]: .*'nothing_like_this'"):
        session.write_pointers("table", [*names, "nothing_like_this"])
    assert session.read("table", 16) == table


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dispach", "no symbol 'dispach'; did you mean 'dispatch'"),
        ("dispach+8", "no module and no symbol 'dispach'; did you mean 'dispatch'"),
        ("libone!in_two", r"did you mean 'libone\.so!in_two'"),
        ("libone!in_two+8", r"did you mean 'libone\.so!in_two\+0x8'"),
        ("libone:in_two", r"did you mean 'libone\.so!in_two'"),
        ("libon.so!in_two", r"did you mean 'libone\.so!in_two'"),
        ("libone+8", r"did you mean 'libone\.so'"),
        ("libone.so!in_tow", "did you mean 'in_two'"),
        ("shop", r"'shop' is a module: give shop\+0 or shop!symbol"),
        ("shop+ten", r"to the module 'shop' one number is added, not '\+ten'"),
        ("shop-8", "'shop' is a module, and no offset from its base is negative"),
        ("shop+8+8", r"to the module 'shop' one number is added, not '\+8\+8'"),
        ("table+8+8", r"it has 'table', to which one number is added, not '\+8\+8'"),
        ("shop!", "symbol's name is missing"),
        ("shop!@V_1", "no symbol '@V_1'"),
        ("shop!+dispach", r"no symbol '\+dispach'"),
        ("nothing_like_it_anywhere", "give module!symbol, module.0x1234, or a number"),
    ],
)
def test_wrong_names(shop: Shop, text: str, words: str) -> None:
    with pytest.raises((AddressError, ValueError), match=words):
        shop.session.resolve(text)


DEMANGLED: Final = {
    "shapes::Square::area() const": "_ZNK6shapes6Square4areaEv",
    "shapes::Square::area(int) const": "_ZNK6shapes6Square4areaEi",
    "shapes::Square::area(double)": "_ZNK6shapes6Square4areaEd",
    "shapes::Square::only": "_ZN6shapes6Square4onlyEi",
    "shapes::Square::operator+=": "_ZN6shapes6SquarepLEi",
    "shapes::Square::operator->": "_ZN6shapes6SquareptEv",
    "shapes::Square::operator[]": "_ZN6shapes6SquareixEi",
    "shapes::Square::operator()": "_ZN6shapes6SquareclEi",
    "shapes::Square::operator!": "_ZNK6shapes6SquarentEv",
    "shapes::Square::operator--": "_ZN6shapes6SquaremmEv",
    "shapes::Square::operator int": "_ZNK6shapes6SquarecviEv",
    "shapes::operator+": "_ZN6shapesplERKNS_6SquareES2_",
    "shapes::operator-": "_ZN6shapesmiERKNS_6SquareES2_",
    "shapes::operator,": "_ZN6shapescmERKNS_6SquareES2_",
    "shapes::operator<": "_ZN6shapesltERKNS_6SquareES2_",
    "shapes::operator<(shapes::Square const&,shapes::Square const &)": (
        "_ZN6shapesltERKNS_6SquareES2_"
    ),
    "shapes::operator<<": "_ZN6shapeslsERKNS_6SquareEi",
    "shapes::scaled<int, 7>": "_ZN6shapes6scaledIiLi7EEET_S1_",
    "long shapes::scaled<long, -1>(long)": "_ZN6shapes6scaledIlLin1EEET_S1_",
    'shapes::operator"" _sides(unsigned long long)': "_ZN6shapesli6_sidesEy",
    'operator""_edges': "_Zli6_edgesPKcm",
    "vtable for shapes::Square": "_ZTVN6shapes6SquareE",
    "typeinfo for shapes::Square": "_ZTIN6shapes6SquareE",
    "main::first": "_ZZ4mainE5first",
}


@needs_demangler
@pytest.mark.parametrize("name", DEMANGLED)
def test_demangled_names(shop: Shop, name: str) -> None:
    expected = shop.session.resolve(f"shop!{DEMANGLED[name]}")
    for form in (f"shop!{name}", f"shop:{name}", name):
        assert shop.session.resolve(form) == expected
        assert shop.session.resolve(f"{form}+8") == expected + 8
        assert shop.session.resolve(f"{form}-0x8") == expected - 8
    (stored,) = shop.session.read_pointers(expected, 1)
    assert shop.session.resolve(f"[shop!{name}]") == shop.session.resolve(f"[{name}]+0") == stored


@needs_demangler
def test_many_demangled_names_at_once(shop: Shop) -> None:
    """After many searches there is an index, with the same answers."""
    resolver = Resolver(shop.session)
    wanted = {name: resolver.resolve(f"shop!{name}") for name in DEMANGLED}
    for number in range(120):
        with pytest.raises(AddressError):
            resolver.resolve(f"shop!shapes::Square::area{number}()")
    resolver.found.clear()
    assert {name: resolver.resolve(f"shop!{name}") for name in DEMANGLED} == wanted
    for name, count in (("shapes::Square::area", 3), ("shapes::Square::~Square", 2)):
        with pytest.raises(AddressError, match=f"{count} symbols"):
            resolver.resolve(name)


@needs_demangler
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("shapes::Square::aria", "did you mean 'shapes::Square::area'"),
        ("shapes::Sqare::area", r"did you mean 'shapes::Square::area'\?\Z"),
        ("shop!shapes::Square::nowhere::area", r"did you mean 'shapes::Square::area'\?\Z"),
        ("only", r"no symbol 'only'; did you mean 'shapes::Square::only'\?\Z"),
        ("only+8", r"no symbol 'only'; did you mean 'shapes::Square::only'\?\Z"),
        ("shop!scaled", r"did you mean 'shapes::scaled<int, 7>' or 'shapes::scaled<long, -1>'"),
        ("operator+=", r"did you mean 'shapes::Square::operator\+='"),
        ("shop!operator+", r"did you mean 'shapes::operator\+'\?\Z"),
        ("~Square", "did you mean 'shapes::Square::~Square'"),
        ("operator()", r"did you mean 'shapes::Square::operator\(\)'"),
        ("shop!vtable for shapes::Sqare", "did you mean 'vtable for shapes::Square'"),
        ("shop:shapes::Square::only(char)", r"did you mean 'shapes::Square::only\(int\)'"),
        ("shapes::Square::~Square", "2 symbols .* by its mangled name"),
        ("shapes::operator-8", "no module and no symbol 'shapes::operator'"),
    ],
)
def test_wrong_demangled_names(shop: Shop, text: str, words: str) -> None:
    with pytest.raises(AddressError, match=words):
        shop.session.resolve(text)


@needs_demangler
def test_overloads_are_told_apart(shop: Shop) -> None:
    """Each candidate that the error lists can be given, and each is another function."""
    with pytest.raises(AddressError, match=r"3 symbols .* with its parameters") as caught:
        shop.session.resolve("shapes::Square::area")
    listed = [part for part in str(caught.value).split("'") if "!" in part]
    assert len({shop.session.resolve(each) for each in listed}) == len(listed) == 3


@needs_demangler
def test_overloads_whose_names_are_too_long_to_list(shop: Shop) -> None:
    with pytest.raises(AddressError, match=r"2 symbols .* in that form") as caught:
        shop.session.resolve(f"{LENGTHY}::twice")
    listed = re.findall(r"'(shop\+0x[0-9a-f]+)'", str(caught.value))
    wanted = {shop.session.resolve(f"{LENGTHY}::twice({each})") for each in ("int", "long")}
    assert set(map(shop.session.resolve, listed)) == wanted and len(wanted) == 2


@needs_demangler
def test_a_demangled_name_that_has_no_address(shop: Shop) -> None:
    with pytest.raises(AddressError, match="of_threadE is thread-local"):
        shop.session.resolve(f"shop!{LENGTHY}::of_thread")


def test_the_twentieth_wrong_name_is_the_last_that_is_compared(shop: Shop) -> None:
    """Each comparison goes through all names."""
    resolver = Resolver(shop.session)
    said = []
    for number in range(21):
        with pytest.raises(AddressError, match="no symbol 'dispach'") as caught:
            resolver.resolve(f"dispach+{number}")
        said.append(str(caught.value))
    assert all("did you mean 'dispatch'" in each for each in said[:20])
    assert said[20] == "the target has no module and no symbol 'dispach'"


def test_without_the_library(shop: Shop) -> None:
    with (
        mock.patch("pydbgwrite._symbols.demangle._library", return_value=None),
        pytest.raises(
            AddressError, match=r"no symbol 'shapes::Square::area'.*pip install .*\[cli\]"
        ),
    ):
        shop.session.resolve("shop!shapes::Square::area")


def test_every_symbol_in_every_form(shop: Shop) -> None:
    """Each name of the program resolves alike behind '!', behind ':', and alone."""
    from pydbgwrite._symbols.elf import ElfSymbols

    backend = ElfSymbols(shop.session)
    (program,) = [module for module in backend.modules() if module.program]
    resolver = Resolver(shop.session)
    checked = 0
    for name in backend.like(program, ""):
        try:
            expected = backend.find(program, name)
        except AddressError:
            continue  # several of one name, or without an address
        assert expected is not None
        forms = [
            f"shop!{name}",
            f"shop:{name}",
            f"{program.path}!{name}",
            f"0x{program.base:x}:{name}",
        ]
        for form in (*forms, name):
            assert resolver.resolve(form) == expected, form
            assert resolver.resolve(f"{form}+8") == expected + 8, form
            assert resolver.resolve(f"{form}-0x8") == expected - 8, form
        checked += 1
    assert checked > 50


def test_commands_take_every_form(compiled: Path) -> None:
    with running(compiled) as (child, numbers):
        root, first, _, _, dispatch, _ = numbers
        process = ("-p", child.pid)
        done = command("read", *process, "[[shop:root]]+16", "--json")
        assert done.code == 0, done.err
        done = command(
            "write", *process, "table+8", "dispatch", "[root]+8", "--expect", "[table+8]"
        )
        assert done.code == 1 and "1 of 2 pointers is not what was expected" in done.err
        done = command("write", *process, "table+8", "dispatch", "[shop:root]+8")
        assert done.code == 0, done.err
        with pydbgwrite.attach(child.pid) as session:
            assert list(session.read_pointers("shop:table+8", 2)) == [dispatch, first + 8]
            assert session.resolve("root") == root
        done = command("read", *process, "dispach")
        assert done.code == 3 and "did you mean 'dispatch'" in done.err
        done = command("read", *process, "[root]-8+8")
        assert done.code == 2 and "'-8+8', after a closing bracket" in done.err


@needs_demangler
def test_every_demangled_name(shop: Shop, chance: random.Random) -> None:
    """A demangled name leads to its symbol, or the error lists what can be given."""
    resolver = Resolver(shop.session)
    library = next(each.name for each in shop.session.modules() if "libstdc++" in each.name)
    known = shop.session.symbols("*", module=library, kind="function")
    checked = 0
    for each in [*shop.session.symbols("*", module="shop"), *chance.sample(known, 25)]:
        if each.name == each.demangled:
            continue
        for form in (f"{each.module}!{each.demangled}", f"{each.module}:{each.demangled}"):
            try:
                assert resolver.resolve(f"{form}+4") == each.address + 4, form
            except AddressError as error:
                listed = re.findall(f"'({re.escape(each.module)}[!+].*?)'", str(error))
                assert each.address in map(resolver.resolve, listed), error
            checked += 1
    assert checked > 100
