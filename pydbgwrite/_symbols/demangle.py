"""Demangled names of C++ and Rust, by the library multi-demangle (the extra [cli]).

Names come from files of the target and can be made to hurt. In them types are referred to by
number, so a demangled name can be longer than its mangled one by any factor; and an expression has
several readings, which demanglers try one after the other. Of the libraries looked at, this one
alone bounds its output and its recursion. The readings are bounded here. So a name can stay
mangled.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from pydbgwrite._core import is_plain_mangled

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MANGLED", "Demangler", "demangler"]

#: How mangled names begin: Itanium C++ and Rust's older form, Rust's v0.
MANGLED: Final = ("_Z", "_R")

_MOST_OF_RESULT: Final = 16384
#: So many names of one module may be longer than that: each takes some 50 ms.
_MOST_OVERLONG: Final = 32

#: Where the library's form is not that of c++filt, nm -C and gdb.
_TABLE: Final = re.compile(r"\{(vtable|vtt)\((.*)\)\}", re.DOTALL)
_THUNK: Final = re.compile(
    r"\{virtual override thunk\(((?:\{(?:virtual )?offset\([-0-9, ]*\)\}, )+)(.*)\)\}", re.DOTALL
)
_CONSTRUCTION: Final = re.compile(r"construction vtable for (.*)-in-(.*)", re.DOTALL)
_HAS_LITERAL: Final = re.compile(r"(?:int|long)\)-?\d")
_LITERALS: Final = {
    f"({word})": (re.compile(rf"\({word}\)(-?\d+)").sub, rf"\1{suffix}")
    for word, suffix in (("unsigned int", "u"), ("unsigned long", "ul"), ("long", "l"))
}

#: The name of an unnamed namespace in mangled names of gcc and clang.
_UNNAMED: Final = "_GLOBAL__N_1"


class Demangler:
    """Demangles names of one module."""

    def __init__(self, demangle: Callable[[str], str]) -> None:
        self._demangle = demangle
        self._overlong = 0

    def __call__(self, name: str) -> str:
        """Return the demangled name, or the name itself where there is nothing to demangle."""
        if not is_plain_mangled(name) or self._overlong > _MOST_OVERLONG:
            return name
        text = self._demangle(name)
        if len(text) > _MOST_OF_RESULT:
            self._overlong += 1
            return name
        if _UNNAMED in text:  # of a variable; of a function the library writes it out
            text = text.replace(_UNNAMED, "(anonymous namespace)")
        if "{v" in text or ", >" in text or "(unsigned " in text or "(long)" in text:
            return _usual(text)
        return _usual(text) if text.startswith("constr") else text


def demangler() -> Demangler | None:
    """Return one, or None if the library is not installed."""
    demangle = _library()
    return None if demangle is None else Demangler(demangle)


def _usual(text: str) -> str:
    """Return a name as c++filt writes it."""
    if ", >" in text:
        text = text.replace(", >", ">")
    if _HAS_LITERAL.search(text):
        for word, (replace, form) in _LITERALS.items():
            if word in text:
                text = replace(form, text)
    if "{v" not in text and not text.startswith("construction"):
        return text
    table = _TABLE.match(text)
    if table is not None:
        kind = "VTT" if table[1] == "vtt" else table[1]
        return f"{kind} for {table[2]}{text[table.end() :]}"
    thunk = _THUNK.match(text)
    if thunk is not None:
        kind = "virtual" if "virtual" in thunk[1] else "non-virtual"
        if thunk[1].count("{") > 1:
            kind = "covariant return"
        return f"{kind} thunk to {thunk[2]}{text[thunk.end() :]}"
    construction = _CONSTRUCTION.fullmatch(text)
    if construction is not None:
        return f"construction vtable for {construction[2]}-in-{construction[1]}"
    return text


@cache
def _library() -> Callable[[str], str] | None:
    try:
        from multi_demangle import demangle_symbol
    except ImportError:
        return None
    found: Callable[[str], str] = demangle_symbol
    return found
