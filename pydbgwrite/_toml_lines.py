"""On which lines of a TOML file its arrays of tables and their keys stand; tomllib does not say.

Looked at only for a message: the text has been read by tomllib before, so it is TOML.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["TableLines", "find_lines"]

_TOKEN: Final = re.compile(
    r'"""(?:\\[\s\S]|[^\\])*?"""(?:"{0,2})'
    r"|'''[\s\S]*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|[\n\[\]{}=,]"
    r"""|[^\s"'#\[\]{}=,]+"""
)


class TableLines(NamedTuple):
    """Where one table of an array begins, and the lines of its keys; lines count from 1."""

    first: int
    keys: dict[str, int]


def find_lines(text: str) -> tuple[dict[str, int], dict[str, list[TableLines]]]:
    """The lines of the top-level keys, and the tables of each array by its name, in order.

    Tables may be written as [[name]], or inline: name = [{...}, {...}].
    """
    top: dict[str, int] = {}
    tables: dict[str, list[TableLines]] = {}
    current: dict[str, int] = top
    line, depth = 1, 0
    key, in_value = "", False
    header: list[str] | None = None  # the tokens of a line that begins with '['
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token == "\n":
            line += 1
            if depth == 0:
                key, in_value = "", False
            continue
        if token.startswith("#"):
            continue
        if header is not None:
            depth += (token == "[") - (token == "]")
            if depth:
                header.append(token)
                continue
            name = _plain("".join(each for each in header if each not in "[]"))
            current = {}
            if header.count("[") == 1:  # the first '[' is not in the list
                tables.setdefault(name, []).append(TableLines(line, current))
            else:
                top.setdefault(name, line)
            header = None
        elif not in_value and not key and token == "[":
            header, depth = [], 1
        elif not in_value:
            if token == "=":
                in_value = True
                current.setdefault(_plain(key), line)
            else:
                key += token
        else:
            if token in "[{":
                depth += 1
                if token == "{" and depth == 2 and current is top:
                    tables.setdefault(_plain(key), []).append(TableLines(line, {}))
            elif token in "]}":
                depth -= 1
        line += token.count("\n")
    return top, tables


def _plain(key: str) -> str:
    """A key without its quotes."""
    return key[1:-1] if len(key) > 1 and key[0] in "\"'" and key[-1] == key[0] else key
