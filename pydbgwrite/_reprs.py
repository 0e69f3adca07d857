"""The repr of records that hold addresses: these are shown in hexadecimal."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Any

__all__ = ["repr_with_addresses"]


def repr_with_addresses(record: Any, addresses: Container[str]) -> str:
    """Return the repr of a named tuple, with hexadecimal numbers in the named fields."""
    shown = (
        f"{name}={_hexadecimal(value) if name in addresses else repr(value)}"
        for name, value in zip(record._fields, record, strict=True)
    )
    return f"{type(record).__name__}({', '.join(shown)})"


def _hexadecimal(value: Any) -> str:
    """Return an int or an array of ints in hexadecimal, and None as it is."""
    if isinstance(value, int):
        return hex(value)
    if value is None:
        return "None"
    values = list(map(hex, value))
    # A write can have a million scattered addresses: their repr must stay readable.
    more = [f"... {len(values) - 8:,} more"] if len(values) > 8 else []
    return f"[{', '.join(values[:8] + more)}]"
