"""Compare demangled names as people write them: other blanks, and without what tells nothing apart.

Itanium C++ names come as "int shapes::scaled<int, 7>(int)", "shapes::Square::area() const",
"parse(char const*) [clone .cold]"; Rust names as "shop::run", "<T as shop::Run>::run".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from pydbgwrite._symbols.model import Demangled

__all__ = ["common_word", "matching"]

#: Blanks that separate no two words.
_BLANKS: Final = re.compile(r"(?<=\W)\s+|\s+(?=\W)")
_QUALIFIERS: Final = re.compile(r"(?:const|volatile|noexcept|&&?)\Z")
_OPENS: Final = {")": "(", ">": "<", "]": "[", "}": "{"}
_WORD: Final = re.compile(r"[^\W\d]\w*")
#: Words of demangled names that the mangled ones do not have, or abbreviate (Itanium C++ ABI,
#: "Mangling"; Rust RFC 2603). Names of types are among them.
_UNSPELT: Final = frozenset(
    """
    abi allocator anonymous as auto basic_iostream basic_istream basic_ostream basic_string bool
    char char16_t char32_t char8_t char_traits clone closure cold const construction covariant
    decltype delete double dyn enum extern false float fn for guard helper impl in init int
    iostream isize istream lambda long mut name namespace new noexcept non nullptr_t of operator
    ostream part reference return shim short signed static std str string struct table template
    temporary thread_local thunk to true typeinfo u128 u16 u32 u64 u8 unnamed unsigned usize
    variable virtual void volatile vtable wchar_t wrapper
    """.split()  # noqa: SIM905
)


def matching(symbol: str, known: Iterable[Demangled]) -> list[Demangled]:
    """Return the names that a text means: those equal to it, else those with more to them.

    What can be left out: a template's return type with the qualifiers (const), then the parameters,
    too. The first step with any names decides.
    """
    wanted = _plain(symbol)
    steps: list[list[Demangled]] = [[], [], []]
    for each in known:
        for step, form in zip(steps, _forms(each.demangled), strict=True):
            if wanted in form:
                step.append(each)
    return next((step for step in steps if step), [])


def common_word(symbol: str) -> str:
    """Return the longest word that the mangled form of a name has, too; "" for none."""
    return max(set(_WORD.findall(symbol)) - _UNSPELT, key=len, default="")


def _plain(name: str) -> str:
    return _BLANKS.sub("", name.strip())


def _forms(demangled: str) -> tuple[set[str], set[str], set[str]]:
    """Return a name as it is, without qualifiers, and without parameters."""
    whole = _plain(demangled)
    if "[clone" in whole:  # a part that the compiler split off has no name of its own
        return {whole}, set(), set()
    call = whole
    while (found := _QUALIFIERS.search(call)) is not None:
        call = call[: found.start()].rstrip()
    bare = _without_parameters(call)
    result = _without_result(bare)
    return {whole}, {call, call[len(bare) - len(result) :]}, {bare, result}


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
