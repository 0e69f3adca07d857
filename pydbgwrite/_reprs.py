"""The repr of records: addresses in hexadecimal, and the first elements of what is long."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable
    from typing import Any, Final

__all__ = ["int_text", "record_repr"]

#: What is longer is cut: a write can have millions of bytes and of addresses, an undo thousands of
#: ranges that remain, a command line a hundred thousand characters.
_ELEMENTS: Final = 8
_BYTES: Final = 64
_CHARACTERS: Final = 1000


def int_text(number: int, form: str = "d") -> str:
    """Return an int for a message; Python refuses to print one of thousands of digits."""
    bits = number.bit_length()
    return f"{number:{form}}" if bits <= 128 else f"an int of {bits} bits"


def record_repr(record: Any, addresses: Container[str] = ()) -> str:
    """Return the repr of a named tuple, with hexadecimal numbers in the named fields.

    Long bytes are shown as numbers of `record.unit` bytes.
    """
    unit = getattr(record, "unit", 1)
    shown = (
        f"{name}={_shown(value, name in addresses, unit)}"
        for name, value in zip(record._fields, record, strict=True)
    )
    return f"{type(record).__name__}({', '.join(shown)})"


def _shown(value: Any, is_address: bool, unit: int) -> str:
    if isinstance(value, bytes) and len(value) > _BYTES:
        starts = range(0, unit * _ELEMENTS, unit)
        first = (int.from_bytes(value[at : at + unit], "little") for at in starts)
        return _listed(first, len(value) // unit, hex)
    if isinstance(value, str) and len(value) > _CHARACTERS:
        return f"{value[:_CHARACTERS]!r}... {len(value):,} in all"
    if isinstance(value, tuple) and len(value) > _ELEMENTS:
        return _listed(value[:_ELEMENTS], len(value), repr)
    if not is_address or value is None:
        return repr(value)
    if isinstance(value, int):
        return hex(value)
    return _listed(value[:_ELEMENTS], len(value), hex)


def _listed(first: Iterable[Any], total: int, shown: Callable[[Any], str]) -> str:
    more = [f"... {total:,} in all"] if total > _ELEMENTS else []
    return f"[{', '.join([*map(shown, first), *more])}]"
