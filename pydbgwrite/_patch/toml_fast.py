"""A fast reader for long patch files in the form that Patch.save() writes.

tomllib takes 15 seconds for a million tables. This reader knows a small part of TOML: tables with
their keys in one order, plain strings, plain integers. tomllib reads any other text.
"""

from __future__ import annotations

import re
from typing import Any, Final

from pydbgwrite._patch import toml_bounded
from pydbgwrite._signal_handlers import not_from_handler

__all__ = ["read_plain"]

_TABLE: Final = "\n[[write]]\n"
_BLANK: Final = r"[ \n]*+"
# No backslash: it begins an escape in TOML.
_STRING: Final = r'"[^"\\\x00-\x1f\x7f]*+"'
_INTEGER: Final = r"(?:0x[0-9a-fA-F]{1,16}|[1-9][0-9]{0,18}|0)(?![0-9a-zA-Z_.:-])"
_VALUE: Final = rf"(?:{_STRING}|{_INTEGER})"
_LIST: Final = rf"\[{_BLANK}(?:{_VALUE}{_BLANK}(?:,{_BLANK}|(?=\])))*+\]"
_BLOCK: Final = re.compile(
    rf"\n*+\[\[write\]\]\naddress = ({_VALUE})\n(?:pointers = ({_LIST})\n|file = ({_STRING})\n)"
    rf"(?:expect = ({_VALUE}|{_LIST})\n)?(?:note = ({_STRING})\n)?"
)
_EACH: Final = re.compile(_VALUE)
_NAMES: Final = ("address", "pointers", "file", "expect", "note")


def read_plain(text: str) -> dict[str, Any] | None:
    """Return what tomllib.loads() returns for this text, or None if it has other forms."""
    start = text.find(_TABLE)
    if start < 0:
        return None
    try:
        data = toml_bounded.loads(text[: start + 1])
    except not_from_handler(ValueError, RecursionError):
        return None
    if "write" in data:
        return None
    tables: list[dict[str, Any]] = []
    at = start + 1
    match = _BLOCK.match(text, at)
    while match is not None:
        tables.append(
            {
                name: _value(shown)
                for name, shown in zip(_NAMES, match.groups(), strict=True)
                if shown is not None
            }
        )
        at = match.end()
        match = _BLOCK.match(text, at)
    if text[at:].strip("\n"):
        return None
    data["write"] = tables
    return data


def _value(shown: str) -> Any:
    first = shown[0]
    if first == '"':
        return shown[1:-1]
    if first == "[":
        return [_value(each) for each in _EACH.findall(shown)]
    return int(shown, 16 if shown[:2] == "0x" else 10)
