"""Patterns of names: those of fnmatch, in a time that does not depend on how they are made."""

from __future__ import annotations

import fnmatch
import random
import sys

import pytest
from support.chance import chance as chance
from support.demangling import needs_demangler

import pydbgwrite
from pydbgwrite._symbols.demangle import demangler
from pydbgwrite._symbols.model import Demangled
from pydbgwrite._symbols.patterns import LONGEST, Pattern, literal
from pydbgwrite._symbols.signatures import (
    common_part,
    common_word,
    last_part,
    matching,
    without_signature,
)


def test_random_patterns(chance: random.Random) -> None:
    """Each is matched as fnmatch does it, by one text and by many."""
    pieces = ["a", "b", "ab", "*", "**", "?", "[", "]", "!", "-", "[ab]", "[!a]", "[a-b]", "[b-a]"]
    pieces += [
        "[!b-a]",
        "[]]",
        "[!]]",
        "[[]",
        "[*]",
        "[a-]",
        "[-a]",
        "[^a]",
        "[a-b-]",
        "\\",
        ".",
        "(",
    ]
    for _ in range(3000):
        text = "".join(chance.choices(pieces, k=chance.randrange(8)))
        pattern = Pattern(text)
        names = [
            "".join(chance.choices("aab]![-\\.(*\n^", k=chance.randrange(9))) for _ in range(9)
        ]
        wanted = [i for i, name in enumerate(names) if fnmatch.fnmatchcase(name, text)]
        assert pattern.matching(names) == wanted, (text, names)
        assert [i for i, name in enumerate(names) if pattern.matches(name)] == wanted
        assert Pattern(literal(text)).matches(text)
        assert not Pattern(literal(text)).matches(text + "a")


@pytest.mark.parametrize(
    "text", ["[b-a!]", "[b-a!x]", "[b-a!-c]", "[b-[!b-a]", "[b-ad-c]", "[!b-a!]"]
)
def test_sets_with_empty_ranges(text: str) -> None:
    """fnmatch removes an empty range before it looks for the "!" that negates a set."""
    for name in map(chr, range(32, 127)):
        assert Pattern(text).matches(name) == fnmatch.fnmatchcase(name, text), name


def test_patterns_that_would_take_long() -> None:
    name = "a" * 60_000
    for hostile in ("*a" * (LONGEST // 2 - 1) + "*b", "[" * LONGEST, "*" * (LONGEST - 1) + "b"):
        assert not Pattern(hostile).matches(name)
    assert Pattern("*a" * 2000).matches(name)
    session = pydbgwrite.simulate([(0x10000, 64)])
    with session, pytest.raises(ValueError, match=r"4,097 characters, and may have 4,096"):
        session.symbols("[" * (LONGEST + 1))


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        ("*::tab(*", "tab"),
        ("*::tab*", ""),  # a piece of "vtable", perhaps
        ("*::int(*", ""),
        ("*widget*::int", "widget"),
        ("vtable for *", "_ZTV"),
        ("[tx]ab", ""),
    ],
)
def test_the_part_of_a_pattern_that_is_looked_for(pattern: str, part: str) -> None:
    assert common_part(pattern) == part


@needs_demangler
@pytest.mark.skipif(sys.platform != "linux", reason="Linux processes alone need a demangler")
@pytest.mark.parametrize(
    "mangled",
    [
        "_Z1fIiEDTcvT_fp_ES0_",  # decltype ((int)({parm#1})) f<int>(int)
        "_Z1fIiEDTfpTEv",  # decltype (this) f<int>()
        "_Z1fIiEDTszfp_ES0_",
        "_Z1fIiEDTnxfp_ES0_",
        "_Z1fIiEDTrcT_fp_ES0_",
        "_Z1fDF16b",  # f(std::bfloat16_t)
        "_Z1fDF32xDF64x",
        "_Z1fDuDiDsDnDhDfDdDew",
        "_Z1fPDoFvvE",
        "_ZTCN1A1BE0_1C",
        "_ZGVZ1fvE1x",
        "_ZTH1x",
        "_ZTW1x",
        "_ZZ1fiEd_NKUlvE_clEv",
        "_Z1fv.constprop.1",
    ],
)
def test_words_that_mangled_names_do_not_have(mangled: str) -> None:
    """What is looked for in mangled names is in the name whose demangled form is asked for."""
    demangle = demangler(1)
    assert demangle is not None
    readable = demangle(mangled)
    assert readable != mangled
    assert common_word(readable) in mangled
    assert common_part(literal(readable)) in mangled


@pytest.mark.parametrize(
    ("long", "short"),
    [
        (
            "f(std::basic_string<char, std::char_traits<char>, std::allocator<char> > const&)",
            "f(std::string const&)",
        ),
        ("f(decltype(nullptr) const*)", "f(std::nullptr_t const*)"),
        (
            "std::basic_string<char, std::char_traits<char>, std::allocator<char> > g<int>(int)",
            "std::string g<int>(int)",
        ),
    ],
)
def test_what_c_filt_spells_out(long: str, short: str) -> None:
    """The long form of a name means the same as the short one."""
    for given in (long, short):
        for shown in (long, short):
            known = [Demangled("_Z", shown)]
            assert matching(given, known) == known


def test_a_suffix_of_a_number_is_no_word() -> None:
    """The mangled name of f<5ul>() has no "ul"."""
    assert common_word("f<5ul>()") == "f"


@pytest.mark.parametrize(
    ("name", "bare", "last"),
    [
        ("shapes::Square::area(int) const", "shapes::Square::area", "area"),
        ("shapes::Square::operator()(int)", "shapes::Square::operator()", "operator()"),
        ("shapes::operator<<(A&, int)", "shapes::operator<<", "operator<<"),
        ("A::operator std::string() const", "A::operator std::string", "operator std::string"),
        ("(anonymous namespace)::tab", "(anonymous namespace)::tab", "tab"),
        ("int ns::scaled<a::b, 7>(int)", "ns::scaled<a::b, 7>", "scaled<a::b, 7>"),
        ("ns::is_const", "ns::is_const", "is_const"),
        ("A::~A()", "A::~A", "~A"),
        ("main", "main", "main"),
        ("not closed)", "not closed)", "not closed)"),
    ],
)
def test_parts_of_demangled_names(name: str, bare: str, last: str) -> None:
    assert without_signature(name) == bare
    assert last_part(bare) == last


def test_a_pattern_is_text() -> None:
    with pydbgwrite.simulate([(4096, 4096)]) as session:
        for pattern, module, wrong in ((5, None, "pattern"), ("*", 5, "module")):
            with pytest.raises(TypeError, match=f"^{wrong} must be a str.*, got int$"):
                session.symbols(pattern, module=module)  # type: ignore[arg-type]
