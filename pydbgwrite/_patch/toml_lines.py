"""On which lines of a TOML file its arrays of tables and their keys stand; tomllib does not say.

Looked at only for a message: the text has been read by tomllib before, so it is TOML.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["Lines", "TableLines", "find_lines"]

#: A header of an array of tables, where no text can look like one.
_HEADER: Final = re.compile(r"^[ \t]*\[\[[ \t]*([A-Za-z0-9_-]+)[ \t]*\]\]", re.MULTILINE)
_DOUBTFUL: Final = ('"""', "'''", '[["', "[['")

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


class Lines:
    """Where what stands in a file; looked for only when somebody asks.

    A million tables may each be at fault: their headers are found at once, the keys of one when
    they are asked for.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._top: dict[str, int] = {}
        #: By name: where each table begins, in characters, and its line.
        self._starts: dict[str, list[tuple[int, int]]] = {}
        self._tables: dict[str, list[TableLines]] = {}
        self._looked = False

    def of(self, kind: str, index: int, key: str | None = None) -> int | None:
        """The line of a table, or of a key in it; None where it is not known."""
        self._look()
        starts = self._starts.get(kind, [])
        if index < len(starts):
            return self._in_block(*starts[index], key)
        listed = self._tables.get(kind, [])
        if index < len(listed):
            table = listed[index]
            return table.keys.get(key, table.first) if key is not None else table.first
        return self._top.get(kind)

    def of_key(self, key: str) -> int | None:
        """The line of a key at the top, or of the first table of that name; None: not known."""
        self._look()
        return self._top.get(key, self.of(key, 0))

    def _in_block(self, start: int, line: int, key: str | None) -> int:
        if key is None:
            return line
        following = _HEADER.search(self._text, self._text.index("]]", start))
        end = following.start() if following is not None else len(self._text)
        _, tables = find_lines(self._text[start:end])
        for (table,) in tables.values():
            return line - 1 + table.keys.get(key, table.first)
        return line

    def _look(self) -> None:
        if self._looked:
            return
        self._looked = True
        text = self._text
        if any(mark in text for mark in _DOUBTFUL):
            self._top, self._tables = find_lines(text)
            return
        line, seen, first = 1, 0, len(text)
        for match in _HEADER.finditer(text):
            first = min(first, match.start())
            line += text.count("\n", seen, match.start())
            seen = match.start()
            self._starts.setdefault(match[1], []).append((seen, line))
        self._top, self._tables = find_lines(text[:first])


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
