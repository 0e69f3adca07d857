"""On which lines of a TOML file its arrays of tables and their keys stand; tomllib does not say.

Looked at only for a message: the text has been read by tomllib before, so it is TOML.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["Lines"]

#: [name] or [[name]]; what begins with a digit is an array on a line of its own.
_HEADER: Final = re.compile(r"^[ \t]*\[(\[?)[ \t]*([^\W\d][\w-]*)[ \t]*\]+[ \t\r]*$", re.MULTILINE)
#: Tables written as values: name = [{...}, {...}].
_INLINE: Final = re.compile(r"^[ \t]*([\w-]+)[ \t]*=[ \t]*\[\s*(?=\{)", re.MULTILINE)
_TEXT_OR_COMMENT: Final = re.compile(
    r'"""(?:\\[\s\S]|[^\\])*?"""(?:"{0,2})'
    r"|'''[\s\S]*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
)
_WORD: Final = re.compile(r"""["'][\w-]+["']""").fullmatch


class Lines:
    """Where what stands in a file; looked for only when somebody asks. Lines count from 1."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._looked = False
        #: By name: where each table begins, and its line. A million may be at fault.
        self._tables: dict[str, list[tuple[int, int]]] = {}
        #: By name: the line of a table that is in no array.
        self._single: dict[str, int] = {}
        self._first = 0

    def of(self, kind: str, index: int, key: str | None = None) -> int | None:
        """The line of a table, or of a key in it; None where it is not known."""
        self._look()
        tables = self._tables.get(kind, [])
        if index >= len(tables):
            return self._find(kind, 0, self._first, 1)
        start, line = tables[index]
        if key is None:
            return line
        following = _HEADER.search(self._text, start + 1)
        end = following.start() if following is not None else len(self._text)
        return self._find(key, start, end, line) or line

    def of_key(self, key: str) -> int | None:
        """The line of a key at the top, or of the first table of that name; None: not known."""
        self._look()
        return self._find(key, 0, self._first, 1) or self._single.get(key) or self.of(key, 0)

    def _find(self, key: str, start: int, end: int, line: int) -> int | None:
        """The line of "key =" in a part of the text, whose beginning is on `line`."""
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
        for inline in _INLINE.finditer(text, 0, self._first):
            line, at = 1, 0
            for brace in re.compile(r"\{").finditer(text, inline.end(), self._first):
                line += text.count("\n", at, brace.start())
                at = brace.start()
                # It ends where it begins: no line of it begins with a key.
                self._tables.setdefault(inline[1], []).append((len(text), line))


def _blanked(found: re.Match[str]) -> str:
    """Blanks in place of a text or comment, so that nothing in it looks like a header or a key."""
    text = found[0]
    if _WORD(text):  # it may be a key in quotes
        return f" {text[1:-1]} "
    return "\n".join(" " * len(each) for each in text.split("\n"))
