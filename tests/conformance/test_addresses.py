"""Addresses as text on every engine: accepted forms, refused forms, and error messages."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cases import EngineCase
from support.inputs import Index

import pydbgwrite
from pydbgwrite import AddressError, Session
from pydbgwrite._symbols.addresses import Address, Place, parse_address, places


@pytest.mark.parametrize(
    ("address", "number"),
    [
        (0, 0),
        (2**64 - 1, 2**64 - 1),
        (Index(77), 77),
        ("0", 0),
        ("4096", 4096),
        ("0x7f0000001000", 0x7F0000001000),
        ("0XABCDEF", 0xABCDEF),
        ("0x0000000000000000000000000000000001", 1),
        ("18446744073709551615", 2**64 - 1),
        ("0xffffffffffffffff", 2**64 - 1),
    ],
)
def test_numbers(readable_case: EngineCase, address: Any, number: int) -> None:
    assert readable_case.session.resolve(address) == number


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        (True, TypeError, "got bool"),
        (1.0, TypeError, "got float"),
        (None, TypeError, "got NoneType"),
        (b"0x10", TypeError, "got bytes"),
        (["0x10"], TypeError, "got list"),
        (-1, OverflowError, "-0x1"),
        (2**64, OverflowError, "from 0 to 2"),
        (Index(1 << 100_000), OverflowError, "100001 bits"),
        ("-1", OverflowError, "no sign"),
        ("-0x10", OverflowError, "no sign"),
        ("+1", ValueError, "no sign"),
        ("18446744073709551616", OverflowError, "from 0 to 2"),
        ("0x10000000000000000", OverflowError, "from 0 to 2"),
        pytest.param("9" * 100_000, OverflowError, "100,000 characters", id="many digits"),
        ("", ValueError, "empty"),
        (" 5", ValueError, "blanks"),
        ("table ", ValueError, "blanks"),
        ("1_000", ValueError, "underscores"),
        ("1 000", ValueError, "blanks"),
        ("010", ValueError, "octal"),
        ("7ff6abcd", ValueError, "begins with 0x"),
        ("00007ff6`12345678", ValueError, "begins with 0x"),
        ("0x", ValueError, "an address is a number"),
        ("\u0665", AddressError, "names a module or a symbol"),  # a digit outside ASCII
        ("!puts", ValueError, "module's name is missing"),
        ("+5", ValueError, "no sign"),
        ("libc.so.6!", ValueError, "symbol's name is missing"),
        ("libc.so.6:", ValueError, "symbol's name is missing"),
        ("0x12g", ValueError, "not a hexadecimal number"),
        ("2nd", ValueError, "begins with a digit .*module!2nd"),
        ("010+8", ValueError, "octal"),
        ("libc.so.6+0x10000000000000000", ValueError, "more than 64 bits"),
        ("0xffffffffffffffff+1", OverflowError, "0x10000000000000000: it must be from 0"),
        ("8-9", OverflowError, "-0x1: it must be from 0"),
        ("libc\0.so+1", ValueError, "null character"),
        ("libc\ud800.so+1", ValueError, "surrogate"),
        pytest.param("a" * (1 << 16), AddressError, "65,536 characters", id="a long name"),
        pytest.param("a!" * (1 << 21) + "b", ValueError, "at most 131,072 characters", id="4 MiB"),
        pytest.param("!:" * (1 << 15), AddressError, "has none", id="separators"),
        pytest.param("a!:" * 20_000 + "b", AddressError, "has none", id="many readings"),
        pytest.param("a+" * 30_000, AddressError, "has none", id="many signs"),
        pytest.param("[" * 30_000 + "1" + "]" * 30_000, ValueError, "256 pairs", id="brackets"),
        pytest.param("[" * 300, ValueError, "not closed", id="open brackets"),
        ("[4096", ValueError, "not closed"),
        ("[[4096]", ValueError, "not closed"),
        ("[4096]]", ValueError, "do not match"),
        ("[]", ValueError, "nothing between"),
        ("[[]+8]", ValueError, "nothing between"),
        ("[4096]8", ValueError, "'8', after a closing bracket, is no offset"),
        ("[4096]+", ValueError, "no offset"),
        ("[4096]+ff", ValueError, "no offset .*begins with 0x"),
        ("[4096]+8+8", ValueError, r"'\+8\+8', after .* no offset"),
        ("[4096]+0x10000000000000000", ValueError, "no offset"),
        ("[0x10000000000000000]", OverflowError, "from 0 to 2"),
        ("[ 4096 ]", ValueError, "blanks"),
        ("+[4096]", ValueError, "sign"),
    ],
)
def test_bad_addresses(session: Session, address: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        session.resolve(address)
    assert type(caught.value) is error
    assert len(str(caught.value)) < 500


def test_a_target_without_modules(session: Session) -> None:
    for address in (
        "libc.so.6!puts",
        "libc.so.6:puts",
        "puts",
        "puts-8",
        "operator!",
        "shapes::area(int)",
        "a+1",
        "a!b+8",
        "[vdso]+1",
        "[[a!b]+8]",
        "<heap>+8",
        "<stack>",
    ):
        with pytest.raises(AddressError, match="simulated memory has none"):
            session.resolve(address)


def test_modules_that_are_not_there(readable_case: EngineCase) -> None:
    with pytest.raises(AddressError, match="no-such-module"):
        readable_case.session.resolve("no-such-module.so+0x10")
    with pytest.raises(AddressError, match="no-such-module"):
        readable_case.session.resolve("no-such-module.so!symbol+0x10")


def test_bases_of_modules(readable_case: EngineCase) -> None:
    """A module's name and its path each resolve to the module's first address."""
    session = readable_case.session
    modules = session.modules()
    names = [module.name for module in modules]
    for module in modules:
        if names.count(module.name) == 1 and module.name:
            assert session.resolve(f"{module.name}+0") == module.base
            assert session.resolve(f"{module.path}+0x1234") == module.base + 0x1234
    if session.target != "simulated":
        assert modules


def test_a_result_out_of_range(readable_case: EngineCase) -> None:
    for module in readable_case.session.modules()[:1]:
        with pytest.raises(OverflowError, match="from 0 to 2"):
            readable_case.session.resolve(f"{module.path}+0xffffffffffffffff")


def test_a_closed_session() -> None:
    closed = pydbgwrite.simulate([(0, 64)])
    closed.close()
    with pytest.raises(pydbgwrite.SessionClosedError):
        closed.resolve("libc.so.6+1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a+1", [Place("a", None, 1)]),
        ("a-1", []),
        ("a!b", [Place("a", "b", 0)]),
        ("a:b", [Place("a", "b", 0)]),
        ("a::b", []),
        ("a:b::c:d", [Place("a:b::c", "d", 0), Place("a", "b::c:d", 0)]),
        ("a!b-0x10", [Place("a", "b-0x10", 0), Place("a", "b", -16)]),
        ("libstdc++.so.6+0x10", [Place("libstdc++.so.6", None, 16)]),
        (
            "a!b!c+1",
            [
                Place("a!b!c", None, 1),
                Place("a!b", "c+1", 0),
                Place("a!b", "c", 1),
                Place("a", "b!c+1", 0),
                Place("a", "b!c", 1),
            ],
        ),
        ("a!operator+", [Place("a", "operator+", 0)]),
        ("a!operator!", [Place("a!operator", "", 0), Place("a", "operator!", 0)][1:]),
        ("a!operator--8", [Place("a", "operator--8", 0), Place("a", "operator-", -8)]),
        ("a!+8", [Place("a!", None, 8), Place("a", "+8", 0)]),
    ],
)
def test_readings(text: str, expected: list[Place]) -> None:
    """places() returns every reading of a text, the one with the longest module first."""
    assert places(text, 100) == expected


@pytest.mark.parametrize(
    ("text", "name", "offsets", "outermost"),
    [
        ("[a]", "a", [0], "[a]"),
        ("[a!b+8]-0x10", "a!b+8", [-16], "[a!b+8]"),
        ("[[a!b]+0x18]+8", "a!b", [24, 8], "[[a!b]+0x18]"),
        ("[a!operator[]]+8", "a!operator[]", [8], "[a!operator[]]"),
        ("[[a!operator[](int)]+8]", "a!operator[](int)", [8, 0], "[[a!operator[](int)]+8]"),
        ("[[vdso]!x]+8", "[vdso]!x", [8], "[[vdso]!x]"),
        ("[vdso]+8", "[vdso]+8", [], None),
        ("[a].so+8", "[a].so+8", [], None),
        ("[a]!b", "[a]!b", [], None),
        ("a!f[abi:cxx11]()", "a!f[abi:cxx11]()", [], None),
    ],
)
def test_brackets(text: str, name: str, offsets: list[int], outermost: str | None) -> None:
    parsed = parse_address(text)
    assert isinstance(parsed, Address)
    assert (parsed.name, [offset for offset, _ in parsed.levels]) == (name, offsets)
    if outermost is not None:
        assert parsed.level(len(offsets)) == outermost
        assert parsed.level(1) == f"[{name}]"


_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


@given(_NAMES, _NAMES, st.integers(-(2**63), 2**63))
def test_what_is_meant_is_among_the_readings(module: str, symbol: str, offset: int) -> None:
    """The intended place is among the readings, whatever characters the names have."""
    sign = "-" if offset < 0 else "+"
    for shown in (str(abs(offset)), hex(abs(offset))):
        assert Place(module, symbol, offset) in places(f"{module}!{symbol}{sign}{shown}", 100)
    assert Place(module, symbol, 0) in places(f"{module}!{symbol}", 100)


@given(st.one_of(st.text(), st.text("[]!:+-<>01xab \0\ud800")))
def test_any_text_is_answered(text: str) -> None:
    """Any text gives an address, an AddressError, a ValueError or an OverflowError."""
    with pydbgwrite.simulate([]) as session:
        try:
            assert 0 <= session.resolve(text) < 2**64
        except (ValueError, OverflowError, AddressError) as error:
            assert str(error)


@given(st.integers(0, 2**64 - 1))
def test_numbers_in_every_form(number: int) -> None:
    assert parse_address(number) == parse_address(str(number)) == parse_address(hex(number))
