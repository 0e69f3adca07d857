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
from pydbgwrite._symbols.addresses import Place, parse_address


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
        ("1_000", ValueError, "underscores"),
        ("010", ValueError, "octal"),
        ("7ff6abcd", ValueError, "begins with 0x"),
        ("00007ff6`12345678", ValueError, "begins with 0x"),
        ("0x", ValueError, "an address is a number"),
        ("\u0665", ValueError, "an address is a number"),  # a digit outside ASCII
        ("!puts", ValueError, "module's name is missing"),
        ("+5", ValueError, "no sign"),
        ("libc.so.6!", ValueError, "symbol's name is missing"),
        ("libc.so.6", ValueError, r"write libc\.so\.6\+0"),
        ("libc.so.6+", ValueError, "not a number"),
        ("libc.so.6+ten", ValueError, "'ten', after .* not a number"),
        ("libc.so.6+8a", ValueError, "not a number .*begins with 0x"),
        ("0x12g", ValueError, "not a hexadecimal number"),
        ("puts", ValueError, r"puts\+0, for a symbol module!puts"),
        ("libc.so.6-8", ValueError, "base can.t be negative"),
        ("libc.so.6+0x10000000000000000", ValueError, "more than 64 bits"),
        ("libc\0.so+1", ValueError, "null character"),
    ],
)
def test_bad_addresses(session: Session, address: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        session.resolve(address)
    assert type(caught.value) is error
    assert len(str(caught.value)) < 500


def test_a_target_without_modules(session: Session) -> None:
    for address in ("libc.so.6!puts", "a+1", "a!b+8", "[vdso]+1"):
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
    ("text", "places"),
    [
        ("a+1", [Place("a", None, 1)]),
        ("a!b", [Place("a", "b", 0)]),
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
        ("a!+8", [Place("a!", None, 8), Place("a", "+8", 0)]),
    ],
)
def test_readings(text: str, places: list[Place]) -> None:
    """parse_address() returns every reading of a text, the one with the longest module first."""
    assert parse_address(text) == places


_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


@given(_NAMES, _NAMES, st.integers(-(2**63), 2**63))
def test_what_is_meant_is_among_the_readings(module: str, symbol: str, offset: int) -> None:
    """The intended place is among the readings, whatever characters the names have."""
    sign = "-" if offset < 0 else "+"
    for shown in (str(abs(offset)), hex(abs(offset))):
        places = parse_address(f"{module}!{symbol}{sign}{shown}")
        assert isinstance(places, list)
        assert Place(module, symbol, offset) in places
    assert Place(module, symbol, 0) in parse_address(f"{module}!{symbol}")  # type: ignore[operator]


@given(st.text())
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
