"""Tables for notebooks (_repr_html_): HTML without script, of a limited number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from pydbgwrite._report.text import escaped, hexadecimal, shortened

__all__ = ["ROWS", "listing_html", "table_html"]

#: A notebook keeps what it shows in its file.
ROWS: Final = 100
_MOST_CHARACTERS: Final = 300

_LEFT: Final = ' style="padding:2px 8px;text-align:left"'


def listing_html(rows: Sequence[tuple[object, ...]]) -> str:
    """Return a table of named tuples, a column for each field."""
    if not rows:
        return "<p>None.</p>"
    fields: tuple[str, ...] = getattr(type(rows[0]), "_fields", ())
    if "name" not in fields and hasattr(rows[0], "name"):  # Region's stands beside the tuple
        fields = (*fields, "name")
    cells = ([getattr(row, field) for field in fields] for row in rows)
    return table_html(fields, cells, len(rows))


def table_html(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    total: int,
    *,
    caption: str = "",
) -> str:
    """Return a table of at most ROWS rows; the rest of `total` is counted below it.

    Whole numbers are shown in hexadecimal.
    """
    head = "".join(f"<th{_LEFT}>{escaped(name.replace('_', ' '))}</th>" for name in columns)
    lines = [
        f"<tr>{''.join(f'<td{_LEFT}>{_cell(value)}</td>' for value in row)}</tr>"
        for row in islice(rows, ROWS)
    ]
    more = f"<p>\u2026 and {total - ROWS:,} more.</p>" if total > ROWS else ""
    above = f"<p>{escaped(caption)}</p>" if caption else ""
    if not total:
        return above
    return (
        f"{above}<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>{more}"
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"<code>{hexadecimal(value)}</code>"
    # <bdi>: letters that are written from right to left do not reorder the columns around them.
    return f"<bdi>{escaped(shortened(str(value), _MOST_CHARACTERS))}</bdi>"
