"""Demangled names of C++ and Rust, by the library multi-demangle (the extra [cli]).

Names come from files of the target and can be made to hurt. In them types are referred to by
number, so a demangled name can be longer than its mangled one by any factor; and an expression has
several readings, which demanglers try one after the other. Of the libraries looked at, this one
alone bounds its output and its recursion. The readings are bounded here, and so is the output for
all names of a module. So a name can stay mangled.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from pydbgwrite._core import plain_mangled
from pydbgwrite._signal_handlers import not_from_handler

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MANGLED", "Demangler", "demangler"]

#: How mangled names begin: Itanium C++ and Rust's older form, Rust's v0.
MANGLED: Final = ("_Z", "_R")

_MOST_OF_RESULT: Final = 16384
#: The most characters of all names of a module, and for each symbol: 100,000 symbols take some
#: seconds at most.
_MOST_OF_ALL: Final = 1 << 23
_MOST_OF_EACH: Final = 512
#: Where the library gives up, it has written about so many characters for each of the name.
_GIVEN_UP: Final = 40

#: Where the library's form is not that of c++filt, nm -C and gdb.
_TABLE: Final = re.compile(r"\{(vtable|vtt)\((.*)\)\}", re.DOTALL)
_THUNK: Final = re.compile(
    r"\{virtual override thunk\(((?:\{(?:virtual )?offset\([-0-9, ]*\)\}, )+)(.*)\)\}", re.DOTALL
)
_CONSTRUCTION: Final = re.compile(r"construction vtable for (.*)-in-(.*)", re.DOTALL)
_LITERAL: Final = re.compile(r"\((unsigned int|unsigned long|long)\)(-?\d+)")
#: Of a literal, "operator_km::operator """, and a compiler's own one, "operatormax::operator 2".
_OWN_OPERATOR: Final = re.compile(r"(?<!\w)operator(\w+)::operator (?:(\"\")|\d)")
_SUFFIXES: Final = {"unsigned int": "u", "unsigned long": "ul", "long": "l"}

#: The name of an unnamed namespace in mangled names of gcc and clang.
_UNNAMED: Final = "_GLOBAL__N_1"


class Demangler:
    """Demangles names of one module, each once or a few times."""

    def __init__(self, demangle: Callable[[str], str], symbols: int) -> None:
        self._demangle = demangle
        #: Characters.
        self._left = _MOST_OF_ALL + _MOST_OF_EACH * symbols

    @property
    def exhausted(self) -> bool:
        """True if names stay mangled because all of them would take too long."""
        return self._left < 0

    def __call__(self, name: str) -> str:
        """Return the demangled name, or the name itself where there is nothing to demangle."""
        return self.each([name])[0]

    def each(self, names: list[str]) -> list[str]:
        """Return the demangled form of each name; the name itself where there is none."""
        found = names.copy()
        demangle = self._demangle
        for i in plain_mangled(names):
            if self._left < 0:
                break
            text = demangle(names[i])
            self._left -= len(text) if text != names[i] else _GIVEN_UP * len(text)
            if len(text) <= _MOST_OF_RESULT:
                found[i] = _usual(text)
        return found


def demangler(symbols: int = 0) -> Demangler | None:
    """Return one for a module with that many symbols; None if the library is not installed."""
    demangle = _library()
    return None if demangle is None else Demangler(demangle, symbols)


def _usual(text: str) -> str:
    """Return a name as c++filt writes it."""
    if _UNNAMED in text:  # of a variable; of a function the library writes it out
        text = text.replace(_UNNAMED, "(anonymous namespace)")
    if "::operator " in text:
        text = _OWN_OPERATOR.sub(lambda match: f"operator{match[2] or ''} {match[1]}", text)
    if not (
        "{v" in text
        or ", >" in text
        or "(unsigned " in text
        or "(long)" in text
        or text.startswith("constr")
    ):
        return text
    if ", >" in text:
        text = text.replace(", >", ">")
    text = _LITERAL.sub(lambda match: match[2] + _SUFFIXES[match[1]], text)
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
    except not_from_handler(Exception):  # ImportError, or SystemError of one for another Python
        return None
    found: Callable[[str], str] = demangle_symbol
    return found
