"""Find the lines of tables and keys in a TOML file, which tomllib does not report.

It is used for messages only. tomllib has read the text before, so it is valid TOML.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["Lines"]

#: [name] or [[name]]; a digit begins an array on its own line.
_HEADER: Final = re.compile(r"^[ \t]*\[(\[?)[ \t]*([^\W\d][\w-]*)[ \t]*\]+[ \t\r]*$", re.MULTILINE)
#: Tables written as values: name = [{...}, {...}]. The beginning, then each brace.
_INLINE: Final = re.compile(r"^[ \t]*([\w-]+)[ \t]*=[ \t]*\[\s*(?=\{)|\{", re.MULTILINE)
_TEXT_OR_COMMENT: Final = re.compile(
    r'"""(?:[^"\\]|\\[\s\S]|"(?!""))*+"{3,5}'
    r"|'''[\s\S]*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*+"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
)
_WORD: Final = re.compile(r"""["'][\w-]+["']""").fullmatch


class Lines:
    """The lines of tables and keys, found on demand. Lines count from 1."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._looked = False
        #: By name: the start and line of each table. There can be a million.
        self._tables: dict[str, list[tuple[int, int]]] = {}
        #: By name: the line of a table outside an array.
        self._single: dict[str, int] = {}
        #: By name: the line of a key whose tables were not found.
        self._keys: dict[str, int | None] = {}
        self._first = 0

    def of(self, kind: str, index: int, key: str | None = None) -> int | None:
        """Return the line of a table or of a key in it, or None if it is unknown."""
        self._look()
        tables = self._tables.get(kind, [])
        if index >= len(tables):
            if kind not in self._keys:
                self._keys[kind] = self._find(kind, 0, self._first, 1)
            return self._keys[kind]
        start, line = tables[index]
        if key is None:
            return line
        following = _HEADER.search(self._text, start + 1)
        end = following.start() if following is not None else len(self._text)
        return self._find(key, start, end, line) or line

    def of_key(self, key: str) -> int | None:
        """Return the line of a top-level key, or of the first table of that name, or None."""
        self._look()
        return self._find(key, 0, self._first, 1) or self._single.get(key) or self.of(key, 0)

    def _find(self, key: str, start: int, end: int, line: int) -> int | None:
        """Return the line of "key =" in a part of the text that begins on `line`."""
        form = re.compile(rf"^[ \t]*{re.escape(key)}[ \t]*=", re.MULTILINE)
        found = form.search(self._text, start, end)
        return None if found is None else line + self._text.count("\n", start, found.start())

    def _look(self) -> None:
        if self._looked:
            return
        self._looked = True
        self._text = text = _TEXT_OR_COMMENT.sub(_blanked, self._text)
        self._first = len(text)
        line, at = 1, 0
        for header in _HEADER.finditer(text):
            line += text.count("\n", at, header.start())
            at = header.start()
            self._first = min(self._first, at)
            if header[1]:
                self._tables.setdefault(header[2], []).append((at, line))
            else:
                self._single.setdefault(header[2], line)
        line, at, name = 1, 0, None
        for found in _INLINE.finditer(text, 0, self._first):
            if found[1] is not None:
                name = found[1]
            elif name is not None:
                line += text.count("\n", at, found.start())
                at = found.start()
                # The string ends on its first line: no line in it begins with a key.
                self._tables.setdefault(name, []).append((len(text), line))


def _blanked(found: re.Match[str]) -> str:
    """Replace a string or comment by blanks: nothing in it looks like a header or key then."""
    text = found[0]
    if _WORD(text):  # it can be a quoted key
        return f" {text[1:-1]} "
    return "\n".join(" " * len(each) for each in text.split("\n"))
