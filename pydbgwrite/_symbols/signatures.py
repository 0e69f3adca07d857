"""Compare demangled names as people write them: other blanks, and without what tells nothing apart.

Itanium C++ names come as "int shapes::scaled<int, 7>(int)", "shapes::Square::area() const",
"parse(char const*) [clone .cold]"; Rust names as "shop::run", "<T as shop::Run>::run".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from pydbgwrite._symbols.model import Demangled

__all__ = ["common_part", "common_word", "last_part", "matching", "plain", "without_signature"]

#: Blanks that separate no two words.
_BLANKS: Final = re.compile(r"(?<=\W)\s+|\s+(?=\W)")
_QUALIFIERS: Final = re.compile(r"(?:(?<!\w)(?:const|volatile|noexcept)|&&?)\Z")
_OPENS: Final = {")": "(", ">": "<", "]": "[", "}": "{"}
#: Not what follows a digit, as in "5ul".
_WORD: Final = re.compile(r"(?<!\w)[^\W\d]\w*", re.ASCII)
_OPERATOR: Final = re.compile(r"(?:\A|::)(operator(?!\w).*)\Z", re.DOTALL)
#: Words of demangled names that the mangled ones do not have, or abbreviate (Itanium C++ ABI,
#: "Mangling"; Rust RFC 2603). Names of types are among them.
_UNSPELT: Final = frozenset(
    """
    Class Ellipsis TLS VTT _Accum _BitInt _Complex _Float128 _Float128x _Float16 _Float32 _Float32x
    _Float64 _Float64x _Fract _Imaginary __bf16 __float128 __int128 __vector abi alias alignof
    allocator anonymous arg as auto basic_iostream basic_istream basic_ostream basic_string
    bfloat16_t block bool char char16_t char32_t char8_t char_traits clone closure co_await cold
    complex const const_cast constprop construction covariant crate decimal128 decimal32 decimal64
    decltype default delete double dyn dynamic_cast ellipsis enable_if enum extern false float fn
    for function guard half helper hidden i128 i16 i32 i64 i8 imaginary impl in init instantiating
    int iostream isize istream java lambda literal long mut name namespace new noexcept non null
    nullptr nullptr_t of offset operator ostream parm part reference reinterpret_cast requires
    resource restrict return saturated self shim short signed sizeof static static_cast std str
    string struct table template temporary this thread_local throw thunk to transaction true type
    typeid typeinfo typename typeof u128 u16 u32 u64 u8 unnamed unsafe unsigned usize variable
    vector virtual void volatile vtable wchar_t where wrapper
    """.split()  # noqa: SIM905
)
_ALL_UNSPELT: Final = " ".join(_UNSPELT)
#: How demangled names begin, and what their mangled ones have.
_SPECIAL: Final = {
    "vtable for ": "_ZTV",
    "VTT for ": "_ZTT",
    "typeinfo for ": "_ZTI",
    "typeinfo name for ": "_ZTS",
}
#: What c++filt spells out, and the library does not.
_ABBREVIATED: Final = (
    ("std::basic_string<char,std::char_traits<char>,std::allocator<char>>", "std::string"),
    ("decltype(nullptr)", "std::nullptr_t"),
)
#: The shortest piece of a word that is looked for.
_SHORTEST: Final = 4


def matching(symbol: str, known: Iterable[Demangled]) -> list[Demangled]:
    """Return the names that a text means: those equal to it, else those with more to them.

    What can be left out: a template's return type with the qualifiers (const), then the parameters,
    too. The first step with any names decides.
    """
    wanted = plain(symbol)
    steps: list[list[Demangled]] = [[], [], []]
    for each in known:
        if wanted not in plain(each.demangled):  # which is quicker than all of its forms
            continue
        for step, form in zip(steps, _forms(each.demangled), strict=True):
            if wanted in form:
                step.append(each)
    return next((step for step in steps if step), [])


def common_word(symbol: str) -> str:
    """Return the longest word of a name that its mangled form has too; "" if there is none."""
    if not symbol.isascii():  # Rust writes the letters of such a word in another order
        return ""
    return max(set(_WORD.findall(symbol)) - _UNSPELT, key=len, default="") or _special(symbol)


def common_part(pattern: str) -> str:
    """Return the longest text that the mangled forms of all names have that match a pattern."""
    literal = re.sub(r"\[!?\]?[^\]]*\]", "*", pattern)
    if not literal.isascii():
        return ""
    found = []
    for match in _WORD.finditer(literal):
        beside = literal[max(match.start() - 1, 0) : match.start()] + literal[match.end() :][:1]
        if "*" in beside or "?" in beside:  # it can be a piece of a longer word
            spelt = len(match[0]) >= _SHORTEST and match[0] not in _ALL_UNSPELT
        else:
            spelt = match[0] not in _UNSPELT
        if spelt:
            found.append(match[0])
    return max(found, key=len, default="") or _special(literal)


def _special(text: str) -> str:
    return next((code for start, code in _SPECIAL.items() if text.startswith(start)), "")


def plain(name: str) -> str:
    """Return a demangled name in the form that is compared."""
    text = _BLANKS.sub("", name.strip())
    for long, short in _ABBREVIATED:
        if long in text:  # the blank behind it separated no words, and does now
            text = re.sub(rf"{re.escape(long)}(?=\w)", f"{short} ", text).replace(long, short)
    return text


def without_signature(demangled: str) -> str:
    """Return a name without its parameters, what follows them, and a template's return type."""
    return _without_result(_without_parameters(_without_qualifiers(demangled)))


def last_part(name: str) -> str:
    """Return what stands behind the last "::" of a name without parameters: "area", "operator+"."""
    operator = _OPERATOR.search(name)
    if operator is not None:
        return operator[1]
    depth = 0
    for at in range(len(name) - 1, 0, -1):
        depth += (name[at] in _OPENS) - (name[at] in _OPENS.values())
        if depth == 0 and name.startswith("::", at - 1):
            return name[at + 1 :]
    return name


def _forms(demangled: str) -> tuple[set[str], set[str], set[str]]:
    """Return a name as it is, without qualifiers, and without parameters."""
    whole = plain(demangled)
    if "[clone" in whole:  # a part that the compiler split off has no name of its own
        return {whole}, set(), set()
    call = _without_qualifiers(whole)
    bare = _without_parameters(call)
    result = _without_result(bare)
    return {whole}, {call, call[len(bare) - len(result) :]}, {bare, result}


def _without_qualifiers(name: str) -> str:
    """Cut what follows a function's parameters."""
    while (found := _QUALIFIERS.search(name)) is not None:
        name = name[: found.start()].rstrip()
    return name


def _without_parameters(name: str) -> str:
    """Cut the last parentheses off."""
    if not name.endswith(")"):
        return name
    depth = 0
    for at in range(len(name) - 1, -1, -1):
        depth += (name[at] == ")") - (name[at] == "(")
        if depth == 0:
            return name[:at] if name[:at] else name
    return name


def _without_result(name: str) -> str:
    """Cut the type off that stands before the name of a function template."""
    if not name.endswith(">") or "operator" in name:
        return name
    depth = 0
    for at in range(len(name) - 1, -1, -1):
        depth += (name[at] in _OPENS) - (name[at] in _OPENS.values())
        if depth == 0 and name[at] == " ":
            return name[at + 1 :]
    return name
