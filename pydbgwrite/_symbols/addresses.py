"""Parse addresses given as text: "module+0x1234", "module!symbol+8", "0x7f..", "4096".

Names of modules can contain '+', '-' and '!' (libstdc++.so.6), so a text often has several
readings. All of them are kept. The target's modules decide.
"""

from __future__ import annotations

import operator
import re
import sys
from typing import Final, NamedTuple, SupportsIndex

from pydbgwrite._signal_handlers import not_from_handler

__all__ = ["LIMIT", "Place", "checked_address", "masked_array", "near", "parse_address", "shown"]

LIMIT: Final = 2**64
FORMS: Final = (
    "an address is a number (4096, 0x7f0000001000), module+0x1234, module!symbol or module!symbol+8"
)

_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+")
_SIGNED: Final = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+)")
_OFFSET: Final = re.compile(r"(.*)([+-])(0[xX][0-9a-fA-F]+|[0-9]+)", re.DOTALL)
_HEX: Final = re.compile(r"[0-9a-fA-F]*[a-fA-F][0-9a-fA-F]*|[0-9a-fA-F]{8}`[0-9a-fA-F]{8}")


class Place(NamedTuple):
    """One reading of a text: a module, a symbol of it or None, and an offset."""

    module: str
    symbol: str | None
    offset: int


def parse_address(address: SupportsIndex | str, what: str = "address") -> int | list[Place]:
    """Return a number, or the readings of a text, the longest module name first.

    Raises TypeError for what is neither an int nor a str, OverflowError for a number that is
    negative or has more than 64 bits, ValueError for text that is none of the forms.
    """
    if not isinstance(address, str):
        return _number(address, what)
    if _SIGNED.fullmatch(address):
        return _number_of_text(address, what)
    places = _places(address)
    if not places:
        raise ValueError(f"{what} {shown(address)}: {_fault(address)}; {FORMS}")
    return places


def checked_address(number: int, what: str) -> int:
    """Return the number. OverflowError unless it is an unsigned 64-bit one."""
    if not 0 <= number < LIMIT:
        text = (
            f"{number:#x}"
            if number.bit_length() <= 128
            else f"a number of {number.bit_length()} bits"
        )
        raise OverflowError(f"{what} is {text}: it must be from 0 to 2**64 - 1")
    return number


def shown(text: str) -> str:
    """Quote a text for a message, and cut a long one."""
    return repr(text) if len(text) <= 120 else f"{text[:100]!r}... ({len(text):,} characters)"


def masked_array(value: object, what: str) -> str:
    """Return why a numpy masked array is refused, as in arguments.c; "" for any other value."""
    module = sys.modules.get("numpy.ma")  # before it is loaded there is no such array
    if module is None or not isinstance(value, module.MaskedArray):
        return ""
    return (
        f"{what} is a masked array, whose memory has values for masked elements, too: pass "
        "array.filled(value), array.compressed(), or array.data for all of its memory"
    )


def near(names: list[str], known: list[str]) -> list[str]:
    """Return up to three known names that are similar to one of the names."""
    import difflib

    lower: dict[str, str] = {}
    for each in known:
        lower.setdefault(each.lower(), each)
    found: dict[str, None] = {}
    for name in names[-3:]:
        for match in difflib.get_close_matches(name[:200].lower(), lower, n=3, cutoff=0.7):
            found[lower[match]] = None
    return list(found)[:3]


def _number(address: SupportsIndex, what: str) -> int:
    if isinstance(address, bool):
        raise TypeError(f"{what} must be a whole number or text, got bool")
    masked = masked_array(address, what) if type(address) is not int else ""
    if masked:
        raise TypeError(masked)
    try:
        number = operator.index(address)
    except not_from_handler(TypeError):
        raise TypeError(
            f"{what} must be a whole number or text, got {type(address).__name__}"
        ) from None
    return checked_address(number, what)


def _number_of_text(text: str, what: str) -> int:
    if text[0] in "+-":
        raise (OverflowError if text[0] == "-" else ValueError)(
            f"{what} {shown(text)}: an address has no sign"
        )
    digits = text[2:].lstrip("0") if text[:2] in ("0x", "0X") else text
    if digits is text and len(text) > 1 and text[0] == "0":
        raise ValueError(
            f"{what} {shown(text)} begins with 0, which some read as octal or hexadecimal; write "
            "0x before a hexadecimal number, and nothing before a decimal one"
        )
    if len(digits) > 20:  # int() has its own error for texts of thousands of digits
        raise OverflowError(f"{what} {shown(text)}: it must be from 0 to 2**64 - 1")
    return checked_address(int(text, 16 if digits is not text else 10), what)


def _offset(sign: str, digits: str) -> int | None:
    """Return the number after a sign, or None if it has more than 64 bits."""
    if len(digits) > 64:
        return None
    number = int(digits, 16 if digits[:2] in ("0x", "0X") else 10)
    if number >= LIMIT:
        return None
    return -number if sign == "-" else number


def _places(text: str) -> list[Place]:
    if "\0" in text:
        return []
    found: list[Place] = []
    match = _OFFSET.fullmatch(text)
    offset = _offset(match[2], match[3]) if match is not None else None
    if match is not None and match[1] and offset is not None and match[2] == "+":
        found.append(Place(match[1], None, offset))
    at = text.find("!")
    while at >= 0:
        module, symbol = text[:at], text[at + 1 :]
        if module and symbol:
            # A symbol's name can end like an offset: try the whole text first.
            found.append(Place(module, symbol, 0))
            if match is not None and offset is not None and len(match[1]) > at + 1:
                found.append(Place(module, match[1][at + 1 :], offset))
        at = text.find("!", at + 1)
    return sorted(found, key=lambda place: -len(place.module))


def _fault(text: str) -> str:
    """Return the fault of a text that has no reading."""
    if not text:
        return "it is empty"
    if "\0" in text:
        return "it has a null character"
    if text != text.strip() or _NUMBER.fullmatch(text.replace("_", "")):
        return "its number contains blanks or underscores"
    if _HEX.fullmatch(text):
        return "a hexadecimal number begins with 0x"
    if text.startswith(("!", "+", "-")):
        return "the module's name is missing"
    if text.endswith("!"):
        return "the symbol's name is missing"
    match = _OFFSET.fullmatch(text)
    if match is not None:
        if match[2] == "-":
            return "the offset from a module's base can't be negative"
        return "its offset has more than 64 bits"
    if "+" in text:
        rest = text.rpartition("+")[2]
        return f"{shown(rest)}, after the last '+', is not a number" + _hint_of_number(rest)
    if text[:2] in ("0x", "0X"):
        return "it is not a hexadecimal number"
    return f"for the module's base write {text}+0, for a symbol module!{text}"


def _hint_of_number(rest: str) -> str:
    return " (a hexadecimal number begins with 0x)" if _HEX.fullmatch(rest) else ""
