"""The entries of a patch whose pointers go to consecutive addresses, and how values are taken."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping, Set
from typing import TYPE_CHECKING, Any, Final, SupportsIndex, TypeAlias

from pydbgwrite._report.text import counted
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.addresses import LIMIT, masked_array, parse_address

if TYPE_CHECKING:
    from typing import Self

    from _typeshed import ReadableBuffer

    #: Stored pointers: an array if all are numbers, else a tuple with names among them.
    _Values: TypeAlias = array[int] | tuple[int | str, ...]

__all__ = [
    "PatchEntry",
    "described",
    "take_address",
    "take_expect",
    "take_note_and_files",
    "take_pointers",
]

_WIDE: Final = "QqLlPNn"
_BYTES: Final = "Bbc"
_PLAIN: Final = re.compile(r"0x[0-9a-fA-F]{1,16}\Z").match
_NO_POINTERS: Final = (
    "{} must be a list of ints and addresses, or a one-dimensional buffer of 8-byte integers or of "
    "bytes in multiples of 8, got {}"
)
#: The most faults of one kind that are reported for one entry.
MOST_FAULTS: Final = 20


class PatchEntry:
    """Pointers that go to consecutive addresses.

    Args:
        address: Any form that Session.resolve() takes.
        pointers: A buffer of 8-byte unsigned integers, as write_pointers takes it, or an iterable
            of ints and of addresses as text. They are copied.
        expect: What the target must hold before: None, one value for all, or one for each.
        note: Text for people.
        file: The side file that Patch.save() writes the pointers to (.npy or .bin), with "/"
            between folders. None lets save() choose.

    Raises:
        TypeError, ValueError, OverflowError: A value can't be written. Nothing is resolved yet.
    """

    __module__ = "pydbgwrite"
    __slots__ = {
        "address": "A number, or the text that resolve() takes.",
        "expect": "What the target must hold: None, one value, or as many as there are pointers.",
        "file": "The side file that save() puts the pointers into; None leaves it to save().",
        "note": "For people.",
        "pointers": "array('Q'), or a tuple where addresses by name are among them.",
    }

    address: int | str
    pointers: _Values
    expect: int | str | _Values | None
    note: str
    file: str | None

    def __init__(
        self,
        address: SupportsIndex | str,
        pointers: ReadableBuffer | Iterable[SupportsIndex | str],
        *,
        expect: SupportsIndex | str | ReadableBuffer | Iterable[SupportsIndex | str] | None = None,
        note: str = "",
        file: str | None = None,
    ) -> None:
        faults: list[Exception] = []
        self.address = take_address(address, "address", faults)
        self.pointers = take_pointers(pointers, "pointers", faults)
        self.expect = take_expect(expect, len(self.pointers) or None, faults)
        self.note = note
        self.file = file
        take_note_and_files(note, (file,), faults)
        if faults:
            raise faults[0]

    @classmethod
    def _made(cls, address: int | str, pointers: _Values, expect: Any, note: str) -> Self:
        """Make an entry from validated parts."""
        made = cls.__new__(cls)
        made.address = address
        made.pointers = pointers
        made.expect = expect
        made.note = note
        made.file = None
        return made

    def __len__(self) -> int:
        """How many pointers it writes."""
        return len(self.pointers)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PatchEntry):
            return NotImplemented
        return (self.address, self.pointers, self.expect, self.note) == (
            other.address,
            other.pointers,
            other.expect,
            other.note,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        where = f"0x{self.address:x}" if isinstance(self.address, int) else self.address
        return f"<pydbgwrite.PatchEntry of {counted(len(self.pointers), 'pointer')} at {where}>"


def take_address(given: Any, what: str, faults: list[Exception]) -> int | str:
    """Validate the form of an address; return it as a number or text, 0 after a fault."""
    # The common case in a long table.
    if type(given) is int and 0 <= given < LIMIT:
        return given
    if type(given) is str and _PLAIN(given):
        return int(given, 16)
    try:
        parsed = parse_address(given, what)
    except not_from_handler(TypeError, ValueError, OverflowError) as error:
        faults.append(error)
        return 0
    return parsed if isinstance(parsed, int) else str(given)


def take_note_and_files(note: Any, files: Iterable[str | None], faults: list[Exception]) -> None:
    """Validate a note, and the names of side files."""
    if not isinstance(note, str):
        faults.append(TypeError(f"note must be a str, got {type(note).__name__}"))
    for file in files:
        if file is not None:
            from pydbgwrite._patch.side_files import name_fault

            fault = name_fault(file, anywhere=False)
            if fault is not None:
                faults.append(fault)


def take_pointers(given: Any, what: str, faults: list[Exception]) -> _Values:
    """Validate at least one pointer; return them in their stored form."""
    values = _take_values(given, what, faults)
    if not values and not faults:
        faults.append(ValueError(f"{what} is empty: there must be at least one"))
    return values


def take_expect(
    given: Any, count: int | None, faults: list[Exception]
) -> int | str | _Values | None:
    """Validate `expect`: None, one value, or `count` of them (count None: any number)."""
    if given is None:
        return None
    if isinstance(given, (int, str)) or (
        hasattr(given, "__index__") and not hasattr(given, "__iter__")
    ):
        return take_address(given, "expect", faults)
    before = len(faults)
    values = _take_values(given, "expect", faults)
    if len(faults) == before and count is not None and len(values) != count:
        faults.append(
            ValueError(
                f"expect has {len(values):,} values and pointers {count:,}: it must be one value, "
                "or one for each"
            )
        )
    return values


def _take_values(given: Any, what: str, faults: list[Exception]) -> _Values:
    if type(given) is not list:
        if isinstance(given, (str, Mapping, Set)) or not hasattr(given, "__iter__"):
            faults.append(TypeError(_NO_POINTERS.format(what, described(given))))
            return ()
        masked = masked_array(given, what)
        if masked:
            faults.append(TypeError(masked))
            return ()
        try:
            view = memoryview(given)
        except not_from_handler(TypeError):
            pass  # not a buffer: an iterable
        else:
            return _from_buffer(view, what, faults)
        given = list(given)
    # A long table has numbers only: convert them in one call.
    kinds = set(map(type, given))
    if kinds == {int}:
        try:
            return array("Q", given)
        except not_from_handler(OverflowError):
            pass  # the loop below says which one, and why
    elif kinds == {str} and all(map(_PLAIN, given)):
        return array("Q", [int(value, 16) for value in given])
    taken: list[int | str] = []
    listed = 0
    for index, value in enumerate(given):
        own: list[Exception] = []
        taken.append(take_address(value, f"{what}[{index}]", own))
        listed += len(own)
        if listed <= MOST_FAULTS:
            faults += own
    if listed > MOST_FAULTS:
        faults.append(ValueError(f"{what}: and {listed - MOST_FAULTS:,} more like these"))
    if all(type(value) is int for value in taken):
        return array("Q", taken)  # type: ignore[arg-type]
    return tuple(taken)


def _from_buffer(view: memoryview, what: str, faults: list[Exception]) -> _Values:
    """Copy a buffer if write_pointers accepts it."""
    with view:
        order, code = view.format[:-1], view.format[-1:]
        row = view.ndim == 1 and order in ("", "<", "@", "=")
        wide = code in _WIDE and view.itemsize == 8
        if row and (wide or (code in _BYTES and view.nbytes % 8 == 0)):
            return array("Q", view.tobytes())
        given = f"a buffer of {view.nbytes:,} bytes, format {view.format!r}, {view.ndim} dimensions"
    faults.append(TypeError(_NO_POINTERS.format(what, given)))
    return ()


def described(value: object) -> str:
    """Describe a value of the wrong type for a message."""
    return f"{shown(value)} ({type(value).__name__})" if value is not None else "None"


def shown(value: object) -> str:
    """Return the beginning of a value's repr()."""
    try:
        return f"{value!r:.60}"
    except not_from_handler(ValueError):  # a number of more than 4,300 digits
        return "too long to show"
