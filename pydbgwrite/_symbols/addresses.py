"""Parse addresses given as text: "module!symbol+8", "[[symbol]+0x18]", "0x7f..", "4096".

Names of modules and symbols can contain '+', '-', '!' and ':' (libstdc++.so.6, operator+), so a
name often has several readings. The target's modules and symbols decide (resolver.py).
"""

from __future__ import annotations

import operator
import re
import sys
from itertools import islice
from typing import Final, NamedTuple, SupportsIndex

from pydbgwrite._signal_handlers import not_from_handler

__all__ = [
    "LIMIT",
    "Address",
    "Place",
    "checked_address",
    "hint_of_number",
    "is_number",
    "masked_array",
    "number_of",
    "parse_address",
    "places",
    "shown",
    "split_offset",
    "split_version",
]

LIMIT: Final = 2**64
#: The longest text of an address: the longest symbol that is read (elf_tables.py), and more.
LONGEST: Final = 1 << 17
#: Of a name with more '!' and ':', the later ones are not tried: each reading is a copy.
MOST_READINGS: Final = 64
#: The most brackets around a name.
MOST_LEVELS: Final = 256
FORMS: Final = (
    "an address is a number (4096, 0x7f0000001000), symbol, module!symbol or module+0x1234, with "
    "or without an offset, or [address], the pointer stored there"
)

_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+")
_SIGNED: Final = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+)")
_DIGITS: Final = "0123456789abcdefABCDEFxX"
_HEX: Final = re.compile(r"[0-9a-fA-F]*[a-fA-F][0-9a-fA-F]*|[0-9a-fA-F]{8}`[0-9a-fA-F]{8}")
#: Between a module and its symbol: a ':' that is not a part of C++'s '::'.
_SEPARATOR: Final = re.compile(r"!|(?<!:):(?!:)")
#: The one module whose name begins with a bracket (vdso(7)).
_VDSO: Final = "[vdso]"


class Address(NamedTuple):
    """An address as text.

    Attributes:
        text: All of it.
        name: What stands within all brackets: a number or a name, with or without an offset.
        base: The name without its offset.
        offset: The offset; None if the name has none.
        levels: For each pair of brackets, the innermost first, the number that is added to the
            pointer, and the place of the closing bracket in the text.
    """

    text: str
    name: str
    base: str
    offset: int | None
    levels: tuple[tuple[int, int], ...]

    def level(self, number: int) -> str:
        """Return the text of one level with its brackets; 1 is the innermost."""
        return self.text[len(self.levels) - number : self.levels[number - 1][1] + 1]


class Place(NamedTuple):
    """One reading of a name: a module, a symbol of it or None, and an offset."""

    module: str
    symbol: str | None
    offset: int


def parse_address(address: SupportsIndex | str, what: str = "address") -> int | Address:
    """Return a number, or a text in its parts.

    Raises TypeError for what is neither an int nor a str, OverflowError for a number that is
    negative or has more than 64 bits, ValueError for text that is none of the forms.
    """
    if not isinstance(address, str):
        return _number(address, what)
    if _SIGNED.fullmatch(address):
        return number_of(address, what)
    parsed = _within_brackets(address)
    fault = parsed if isinstance(parsed, str) else _fault(parsed)
    if isinstance(parsed, str) or fault:
        raise ValueError(f"{what} {shown(address)}: {fault}; {FORMS}")
    if is_number(parsed.base):
        number_of(parsed.base, what)
    return parsed


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


def places(name: str, longest: int) -> list[Place]:
    """Return the readings of a name with a module, the longest module first.

    Args:
        name: A name, with or without an offset.
        longest: The length of the longest module that is looked for.
    """
    base, offset = split_offset(name)
    found: list[Place] = []
    if offset is not None and name[len(base)] == "+":
        found.append(Place(base, None, offset))
    for match in islice(_SEPARATOR.finditer(name, 1, longest + 2), MOST_READINGS):
        at = match.start()
        module, symbol = name[:at], name[at + 1 :]
        if symbol:
            # A symbol's name can end like an offset: try the whole text first.
            found.append(Place(module, symbol, 0))
            if offset is not None and len(base) > at + 1:
                found.append(Place(module, base[at + 1 :], offset))
    return sorted(found, key=lambda place: -len(place.module))


def split_offset(text: str) -> tuple[str, int | None]:
    """Return a text without the offset at its end, and the offset; None if it has none.

    An offset of more than 64 bits is none.
    """
    stem = text.rstrip(_DIGITS)
    digits = text[len(stem) :]
    if len(stem) < 2 or stem[-1] not in "+-" or not is_number(digits):
        return text, None
    offset = _offset(stem[-1], digits)
    return (text, None) if offset is None else (stem[:-1], offset)


def split_version(symbol: str) -> tuple[str, str]:
    """Return a name and its version, or "". A name can begin with "@"."""
    sign = symbol.find("@", 1)
    return (symbol, "") if sign < 0 else (symbol[:sign], symbol[sign + 1 :].removeprefix("@"))


def is_number(text: str) -> bool:
    """Return whether the text is a number without a sign."""
    return _NUMBER.fullmatch(text) is not None


def _unsigned(text: str) -> str:
    """Return a hint with the 64-bit number that a negative one is in memory; "" for others."""
    digits = text[1:]
    wide = len(digits) > 20  # int() has its own error for texts of thousands of digits
    number = 0 if wide else int(digits, 16 if digits[:2] in ("0x", "0X") else 10)
    if text[0] == "+" or not 0 < number <= LIMIT // 2:
        return ""
    return f"; as a 64-bit pointer it is 0x{LIMIT - number:x}"


def number_of(text: str, what: str) -> int:
    """Return the number that a text shows. Raises OverflowError, or ValueError for a sign."""
    if text[0] in "+-":
        raise (OverflowError if text[0] == "-" else ValueError)(
            f"{what} {shown(text)}: an address has no sign{_unsigned(text)}"
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


def _offset(sign: str, digits: str) -> int | None:
    """Return the number after a sign, or None if it has more than 64 bits."""
    if len(digits) > 64:
        return None
    number = int(digits, 16 if digits[:2] in ("0x", "0X") else 10)
    if number >= LIMIT:
        return None
    return -number if sign == "-" else number


def _within_brackets(text: str) -> Address | str:
    """Take a text apart; return what is wrong with its brackets."""
    if len(text) > LONGEST:
        return f"an address has at most {LONGEST:,} characters"
    levels: list[tuple[int, int]] = []
    start, end = 0, len(text)
    while text.startswith("[", start) and not text.startswith(_VDSO, start):
        if len(levels) == MOST_LEVELS:
            return f"it has more than {MOST_LEVELS} pairs of brackets"
        close = text.rfind("]", start, end)
        if close < 0:
            return "a bracket is not closed"
        rest = text[close + 1 : end]
        offset = 0
        if rest:
            found = split_offset("]" + rest)
            if not levels and rest[0] not in "+-" and places(text, len(text)):
                break  # a module whose name begins with a bracket: [a].so+8
            if found[0] != "]" or found[1] is None:
                hint = hint_of_number(rest[1:])
                return f"{shown(rest)}, after a closing bracket, is no offset{hint}"
            offset = found[1]
        levels.append((offset, close))
        start, end = start + 1, close
    name = text[start:end]
    if levels and not name:
        return "there is nothing between the brackets"
    if levels and name.count("[") != name.count("]"):
        return "its brackets do not match"
    return Address(text, name, *split_offset(name), tuple(reversed(levels)))


def _fault(address: Address) -> str:
    """Return what is wrong with a name, whatever the target has; "" for nothing."""
    name = address.name
    if not name:
        return "it is empty"
    if "\0" in name:
        return "it has a null character"
    if not name.isascii():
        try:
            name.encode(errors="surrogateescape")  # names of files may have such bytes
        except not_from_handler(UnicodeEncodeError):
            return "it has one half of a surrogate pair"
    if address.offset is None and name[-1] in _DIGITS:
        stem = name.rstrip(_DIGITS)
        if stem[-1:] in ("+", "-") and len(stem) > 1 and is_number(name[len(stem) :]):
            return "its offset has more than 64 bits"
    fault = _fault_of_symbol(name, address.base)
    return fault if fault and not places(name, len(name)) else ""


def _fault_of_symbol(name: str, base: str) -> str:
    """Return what is wrong with a symbol that stands without a module, or ""."""
    if name != name.strip():
        return "it begins or ends with blanks"
    if name[0] in "!+":
        return "the module's name is missing" if name[0] == "!" else "it begins with a sign"
    if name[-1] in "!:" and not name.endswith("operator!"):
        return "the symbol's name is missing"
    return _fault_of_number(base) if base[0] in "0123456789" and not is_number(base) else ""


def _fault_of_number(base: str) -> str:
    """Return what is wrong with a symbol that begins with a digit."""
    if _NUMBER.fullmatch(re.sub(r"[_\s]", "", base)):
        return "its number contains blanks or underscores"
    if _HEX.fullmatch(base):
        return "a hexadecimal number begins with 0x"
    if base[:2] in ("0x", "0X"):
        return "it is not a hexadecimal number"
    return f"a symbol whose name begins with a digit stands behind its module: module!{base[:100]}"


def hint_of_number(text: str) -> str:
    """Return a remedy where a text is a hexadecimal number without 0x, or ""."""
    return " (a hexadecimal number begins with 0x)" if _HEX.fullmatch(text) else ""
