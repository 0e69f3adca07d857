"""Shell-style patterns of names, as fnmatch has them, that no form of a pattern makes slow.

Between two "*" the pieces have a fixed length, so that the leftmost place of each is the one to
take: nothing is tried twice.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

__all__ = ["LONGEST", "Pattern", "literal"]

#: The longest pattern: a piece with "?" or "[...]" is compared at each place of a name.
LONGEST: Final = 4096
_SPECIAL: Final = re.compile(r"[*?\[]")

_Piece: TypeAlias = str | re.Pattern[str]


class Pattern:
    """A pattern of names.

    Raises ValueError if it is too long.
    """

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise ValueError(
                f"pattern has {len(text):,} characters, and may have {LONGEST:,}; resolve() takes "
                "whole names that are longer"
            )
        self.text = text
        pieces, lengths = _pieces(text)
        self._whole = pieces[0] if len(pieces) == 1 else None
        self._first, *self._between, self._last = pieces if len(pieces) > 1 else [*pieces, ""]
        self._first_length, self._last_length = lengths[0], lengths[-1]
        self._least = sum(lengths)
        #: A text that each match contains.
        self._literal = max((each for each in pieces if isinstance(each, str)), key=len, default="")

    def matching(self, texts: list[str]) -> list[int]:
        """Return the indexes of the texts that match as a whole."""
        literal = self._literal
        found = (i for i, text in enumerate(texts) if literal in text)
        return [i for i in found if self.matches(texts[i])]

    def matches(self, text: str) -> bool:
        """Return whether a text matches as a whole."""
        if len(text) < self._least:
            return False
        if self._whole is not None:
            return len(text) == self._least and _is_at(self._whole, text, 0)
        end = len(text) - self._last_length
        if not (_is_at(self._first, text, 0) and _is_at(self._last, text, end)):
            return False
        at = self._first_length
        for piece in self._between:
            if isinstance(piece, str):
                place = text.find(piece, at, end)
                at = place + len(piece)
            else:
                match = piece.search(text, at, end)
                place = -1 if match is None else match.start()
                at = place if match is None else match.end()
            if place < 0:
                return False
        return True


def literal(text: str) -> str:
    """Return a pattern that matches this text alone."""
    return _SPECIAL.sub(r"[\g<0>]", text)


def _is_at(piece: _Piece, text: str, place: int) -> bool:
    if isinstance(piece, str):
        return text.startswith(piece, place)
    return piece.match(text, place) is not None


def _pieces(text: str) -> tuple[list[_Piece], list[int]]:
    """Return what stands between the "*", and how many characters each piece matches."""
    pieces: list[_Piece] = []
    lengths: list[int] = []
    #: Of one piece: what matches each character, and whether that is the character itself.
    parts: list[tuple[str, bool]] = []
    at = 0
    while at <= len(text):
        if at == len(text) or text[at] == "*":
            if all(plain for _, plain in parts):
                pieces.append("".join(part for part, _ in parts))
            else:
                source = (re.escape(part) if plain else part for part, plain in parts)
                pieces.append(re.compile("".join(source), re.DOTALL))
            lengths.append(len(parts))
            parts = []
            at += 1
            continue
        end = _end_of_set(text, at) if text[at] == "[" else at
        if end > at:
            parts.append(_set(text[at + 1 : end]))
        else:
            parts.append((".", False) if text[at] == "?" else (text[at], True))
        at = end + 1
    return pieces, lengths


def _end_of_set(text: str, start: int) -> int:
    """Return where the set that begins with "[" ends, or the start if it does not."""
    at = start + 1
    at += text.startswith("!", at)
    at += text.startswith("]", at)  # the first one belongs to the set
    return max(text.find("]", at), start)


def _set(content: str) -> tuple[str, bool]:
    """Return what matches one character of a set, and whether that is one itself."""
    negated = content.startswith("!")
    rest = content[negated:]
    if len(rest) == 1 and not negated:
        return rest, True
    found = []
    at = 0
    while at < len(rest):
        if rest[at + 1 : at + 2] == "-" and at + 2 < len(rest):
            low, high = rest[at], rest[at + 2]
            if low <= high:
                found.append(f"{re.escape(low)}-{re.escape(high)}")
            at += 3
        else:
            found.append(re.escape(rest[at]))
            at += 1
    source = "".join(found)
    if not negated and source.startswith("!"):
        # fnmatch looks for "!" after it has removed the empty ranges: it leads in "[b-a!x]".
        negated, source = True, source[1:]
    if not source:
        return (".", False) if negated else ("(?!)", False)
    return f"[{'^' * negated}{source}]", False
