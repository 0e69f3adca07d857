"""tomllib, for texts whose keys have few parts.

For the key a.b.c tomllib keeps a, a.b and a.b.c: a key of 20,000 parts, 40 kB, takes 1.5 GB.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

__all__ = ["MOST_PARTS", "loads"]

#: The formats need one. A key in a newer format may have more.
MOST_PARTS: Final = 8
# A string that is not closed ends with its line, or with the text: tomllib reads nothing after it.
_PART: Final = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"?+|'[^'\n]*+'?+)"""
_DOT: Final = r"[ \t]*+\.[ \t]*+"
#: All up to the first key that has too many parts.
_SHORT_KEYS: Final = re.compile(
    r'(?:"""(?:[^"\\]|\\[\s\S]|"(?!""))*+"{0,5}+'
    r"|'''(?:[^']|'(?!''))*+'{0,5}+"
    rf"|{_PART}(?:{_DOT}{_PART}){{0,{MOST_PARTS - 1}}}+(?!{_DOT}{_PART})"
    r"|#[^\n]*+"
    r"""|[^A-Za-z0-9_"'#-]++)*+"""
)


def loads(text: str) -> dict[str, Any]:
    """Return what tomllib.loads() returns. ValueError too if a key has many parts."""
    match = _SHORT_KEYS.match(text)
    assert match is not None  # it matches an empty text
    if match.end() < len(text):
        line = text.count("\n", 0, match.end()) + 1
        raise ValueError(
            f"line {line}: a key has more than {MOST_PARTS} parts: keys of a patch have one"
        )
    return tomllib.loads(text)
