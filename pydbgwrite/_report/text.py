r"""Make text from strangers safe to show: names, paths and notes, on a terminal or in HTML."""

from __future__ import annotations

from typing import Final

__all__ = ["counted", "elements", "escaped", "hexadecimal", "printable", "shortened"]

_ENTITIES: Final = {ord(each): f"&#{ord(each)};" for each in "&<>\"'"}


def printable(text: str) -> str:
    r"""Escape what a reader can't see, or what acts on a terminal: ESC becomes \x1b.

    These are control characters, newlines among them, marks that change the direction of text,
    separators of lines, and surrogates, which stand for bytes that are not UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def shortened(text: str, most: int) -> str:
    """Return printable text of about `most` characters; the length of a longer one is given."""
    shown = printable(text[: most + 1])
    if len(shown) > most:
        return f"{shown[:most]}\u2026 ({len(text):,} characters)"
    return shown


def escaped(text: str) -> str:
    """Return printable text for HTML, as content or in a quoted attribute."""
    return printable(text).translate(_ENTITIES)


def hexadecimal(value: int) -> str:
    """Return "0x7f00", or "-0x1" of a negative number."""
    return f"-0x{-value:x}" if value < 0 else f"0x{value:x}"


def elements(data: bytes, unit: int, most: int) -> str:
    """Return little-endian elements of `unit` bytes: pointers as numbers, bytes as digits."""
    shown = data[: unit * most]
    if unit == 1 or unit > 8:
        text = shown.hex(" ")
    else:
        starts = range(0, len(shown), unit)
        values = [int.from_bytes(shown[at : at + unit], "little") for at in starts]
        text = ", ".join(map(hexadecimal, values))
    return f"{text} \u2026" if len(data) > len(shown) else text


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 pointer", "2,000 pointers"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
