"""Entries of a patch whose pointers go to separate addresses."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeAlias

from pydbgwrite._patch.entry import (
    PatchEntry,
    take_address,
    take_expect,
    take_note_and_files,
    take_pointers,
)
from pydbgwrite._report.text import counted
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.addresses import LIMIT, parse_address

if TYPE_CHECKING:
    from typing import Self

    from _typeshed import ReadableBuffer

    from pydbgwrite._patch.entry import _Values

__all__ = ["Entry", "ScatteredEntry", "scattered_faults", "take_base", "take_one_or_each"]

#: The smaller pointer size: a pointer that goes past the end with it does so with 8, too.
_LEAST = 4


class ScatteredEntry:
    """Pointers that each go to an address of their own: pointers[i] to addresses[i].

    Args:
        addresses: A buffer of 8-byte unsigned integers, or an iterable of ints and of addresses as
            text. With `base` they are offsets from it, numbers alone. They are copied.
        pointers: One value for all addresses, or one for each, as `addresses`.
        base: A module's name or path, or any form that Session.resolve() takes. None: the addresses
            are absolute.
        expect: What the target must hold before: None, one value for all, or one for each.
        note: Text for people.
        file: The side file that Patch.save() writes the pointers to (.npy or .bin), with "/"
            between folders. None lets save() choose.
        addresses_file: The same for the addresses, or the offsets.
        expect_file: The same for the expected values.

    Raises:
        TypeError, ValueError, OverflowError: A value can't be written, or the numbers of values
            differ. Nothing is resolved yet.
    """

    __module__ = "pydbgwrite"
    __slots__ = {
        "addresses": "array('Q'), or a tuple if there are names among them; offsets from `base`.",
        "addresses_file": "The side file of the addresses; None leaves it to save().",
        "base": "A number, a module, or the text that resolve() takes; None: no base.",
        "expect": "What the target must hold: None, one value, or one for each address.",
        "expect_file": "The side file of the expected values; None leaves it to save().",
        "file": "The side file of the pointers; None leaves it to save().",
        "note": "For people.",
        "pointers": "One value, or one for each address, as `addresses`.",
    }

    addresses: _Values
    addresses_file: str | None
    base: int | str | None
    expect: int | str | _Values | None
    expect_file: str | None
    file: str | None
    note: str
    pointers: int | str | _Values

    def __init__(
        self,
        addresses: ReadableBuffer | Iterable[SupportsIndex | str],
        pointers: SupportsIndex | str | ReadableBuffer | Iterable[SupportsIndex | str],
        *,
        base: SupportsIndex | str | None = None,
        expect: SupportsIndex | str | ReadableBuffer | Iterable[SupportsIndex | str] | None = None,
        note: str = "",
        file: str | None = None,
        addresses_file: str | None = None,
        expect_file: str | None = None,
    ) -> None:
        faults: list[Exception] = []
        self.base = take_base(base, faults)
        self.addresses = take_pointers(addresses, "addresses", faults)
        self.pointers = take_one_or_each(pointers, "pointers", faults)
        self.expect = take_expect(expect, None, faults)
        self.note, self.file = note, file
        self.addresses_file, self.expect_file = addresses_file, expect_file
        take_note_and_files(note, (file, addresses_file, expect_file), faults)
        if not faults:
            found = scattered_faults(self.base, self.addresses, self.pointers, self.expect)
            faults += [fault for _, fault in found]
        if faults:
            raise faults[0]

    @classmethod
    def _made(
        cls,
        base: int | str | None,
        addresses: _Values,
        pointers: int | str | _Values,
        expect: Any,
        note: str,
    ) -> Self:
        """Make an entry from validated parts."""
        made = cls.__new__(cls)
        made.base, made.addresses, made.pointers = base, addresses, pointers
        made.expect, made.note = expect, note
        made.file = made.addresses_file = made.expect_file = None
        return made

    def __len__(self) -> int:
        """How many pointers it writes."""
        return len(self.addresses)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ScatteredEntry):
            return NotImplemented
        return (self.base, self.addresses, self.pointers, self.expect, self.note) == (
            other.base,
            other.addresses,
            other.pointers,
            other.expect,
            other.note,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        base = self.base
        where = f"0x{base:x}" if isinstance(base, int) else base
        behind = "separate addresses" if where is None else f"offsets from {where}"
        return f"<pydbgwrite.ScatteredEntry of {counted(len(self), 'pointer')} at {behind}>"


Entry: TypeAlias = PatchEntry | ScatteredEntry


def take_base(given: Any, faults: list[Exception]) -> int | str | None:
    """Validate the form of a base: an address, or a module's name alone; None stays None."""
    if given is None:
        return None
    own: list[Exception] = []
    base = take_address(given, "base", own)
    if own and isinstance(given, str):
        try:
            parse_address(f"{given}+0")  # the name of a module may begin with a digit
        except not_from_handler(ValueError, OverflowError):
            pass
        else:
            return given
    faults += own
    return base


def take_one_or_each(given: Any, what: str, faults: list[Exception]) -> int | str | _Values:
    """Validate one value for all addresses, or a list or buffer of one for each."""
    if isinstance(given, (int, str)) or (
        hasattr(given, "__index__") and not hasattr(given, "__iter__")
    ):
        return take_address(given, what, faults)
    return take_pointers(given, what, faults)


def scattered_faults(
    base: int | str | None, addresses: _Values, pointers: int | str | _Values, expect: Any
) -> list[tuple[str, Exception]]:
    """Return the faults of parts that are valid each by itself: (the part, the fault)."""
    faults: list[tuple[str, Exception]] = []
    noun = "addresses" if base is None else "offsets"
    count = len(addresses)
    for name, values in (("pointers", pointers), ("expect", expect)):
        if values is not None and not isinstance(values, (int, str)) and len(values) != count:
            message = (
                f"{name} has {len(values):,} values and {noun} {count:,}: it must be one value, or "
                "one for each"
            )
            faults.append((name, ValueError(message)))
    if base is not None and not isinstance(addresses, array):
        at = next(at for at, value in enumerate(addresses) if isinstance(value, str))
        message = (
            f"{noun}[{at}] is {addresses[at]!r:.60}, and must be a number: with base all are "
            "offsets from it"
        )
        faults.append(("addresses", TypeError(message)))
    elif not isinstance(base, str):
        start = base or 0
        numbers: Iterable[Any] = addresses
        if not isinstance(addresses, array):
            numbers = [each for each in addresses if isinstance(each, int)]
        last = max(numbers, default=0)
        if start + last + _LEAST > LIMIT:
            message = f"a pointer at 0x{start + last:x} would go past 2**64"
            faults.append(("addresses", OverflowError(message)))
    return faults
