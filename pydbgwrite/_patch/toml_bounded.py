"""tomllib, for texts whose keys have few parts, and whose numbers have few digits.

For the key a.b.c tomllib keeps a, a.b and a.b.c: a key of 20,000 parts, 40 kB, takes 1.5 GB. For a
decimal number that is too long for int() it names no line.
"""

from __future__ import annotations

import re
import sys
import tomllib
from typing import Any, Final

__all__ = ["MOST_PARTS", "loads"]

#: The formats need one. A key in a newer format may have more.
MOST_PARTS: Final = 8
#: The least limit that can be set for int() (sys.set_int_max_str_digits()). 2**64 has 20 digits.
_MOST_DIGITS: Final = sys.int_info.str_digits_check_threshold
_LONG_NUMBER: Final = rf"-?[0-9][0-9_]{{{_MOST_DIGITS},}}+"
# A string that is not closed ends with its line, or with the text: tomllib reads nothing after it.
_PART: Final = rf"""(?:(?!{_LONG_NUMBER})[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"?+|'[^'\n]*+'?+)"""
_DOT: Final = r"[ \t]*+\.[ \t]*+"
#: All up to the first key that has too many parts, or number that has too many digits.
_BOUNDED: Final = re.compile(
    r'(?:"""(?:[^"\\]|\\[\s\S]|"(?!""))*+"{0,5}+'
    r"|'''(?:[^']|'(?!''))*+'{0,5}+"
    rf"|{_PART}(?:{_DOT}{_PART}){{0,{MOST_PARTS - 1}}}+(?!{_DOT}{_PART})"
    r"|#[^\n]*+"
    r"""|[^A-Za-z0-9_"'#-]++)*+"""
)


def loads(text: str) -> dict[str, Any]:
    """Return what tomllib.loads() returns. ValueError too for many parts, or many digits."""
    match = _BOUNDED.match(text)
    assert match is not None  # it matches an empty text
    at = match.end()
    if at < len(text):
        line = text.count("\n", 0, at) + 1
        number = re.compile(_LONG_NUMBER).match(text, at)
        if number is not None:
            digits = len(number[0].replace("_", "").lstrip("-"))
            raise ValueError(
                f"line {line}: a number has {digits:,} digits: it must be from 0 to 2**64 - 1"
            )
        raise ValueError(
            f"line {line}: a key has more than {MOST_PARTS} parts: keys of a patch have one"
        )
    return tomllib.loads(text)
