"""The dry run of a patch: it finds the changes, and every reason why they can't be made.

It only reads: the target's memory map, memory and modules. Entries are checked in the order of
their addresses and read together, so a million of them are fast.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from operator import add
from typing import TYPE_CHECKING, Final

from pydbgwrite._patch.builds import BuildCheck, Builds
from pydbgwrite._patch.entry import PatchEntry
from pydbgwrite._patch.overlaps import Places, in_order, overlaps
from pydbgwrite._patch.preview import NARROW, Preview, PreviewEntry, mismatches_of, narrowed
from pydbgwrite._patch.scattered import Entry, ScatteredEntry
from pydbgwrite._patch.target_map import TargetMap
from pydbgwrite._report.text import counted
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.resolver import Resolver
from pydbgwrite.errors import AddressError, Error, NoTargetError, TargetAccessError

if TYPE_CHECKING:
    from pydbgwrite._patch.entry import _Values
    from pydbgwrite._target import Target

__all__ = ["LARGE", "make_preview"]

#: An entry with at least this many pointers is read by its own call, smaller ones together.
LARGE: Final = 256
_MOST_MISMATCHES: Final = 100


def make_preview(
    entries: list[Entry],
    builds: list[BuildCheck],
    session: Target,
    place: Callable[[str, int], str],
    *,
    writing: bool = True,
) -> Preview:
    """Check the whole patch. place("write" or "build", index) gives the place in the file.

    writing: False checks only what reading needs (Patch.verify).
    """
    return _Maker(entries, session, place).make(builds, writing)


class _Maker:
    def __init__(
        self, entries: list[Entry], session: Target, place: Callable[[str, int], str]
    ) -> None:
        self._session = session
        self._place = place
        self._width = session.pointer_size
        self._resolver = Resolver(session)
        #: The addresses of scattered entries in ascending order, by the entry's number.
        self._ordered: dict[int, Sequence[int]] = {}
        self._preview = Preview(
            self._width,
            [PreviewEntry(number, entry, self._width) for number, entry in enumerate(entries, 1)],
        )

    def make(self, builds: list[BuildCheck], writing: bool) -> Preview:
        preview = self._preview
        checks = Builds(self._session, self._resolver)
        for index, check in enumerate(builds):
            problem = checks.problem(check)
            if problem is not None:
                preview.problems.append(f"{self._place('build', index)}: {problem}")
                preview._kinds.add("build")
        if writing and self._session.target == "dump":
            preview.problems.append("the target is a dump, which can't be written to")
            preview._kinds.add("access")
        for each in preview.entries:
            self._resolve(each)
        self._sort()
        self._overlaps()
        self._access(writing)
        self._read()
        preview._faults = len(preview.problems) + sum(len(e.problems) for e in preview.entries)
        for each in preview.entries:
            if each.expected is not None and each._before is not None:
                self._compare(each)
        for each in preview.entries:
            if each.problems:
                place = self._place("write", each.number - 1)
                preview.problems += [f"{place}: {problem}" for problem in each.problems]
        return preview

    def _problem(self, each: PreviewEntry, message: str, kind: str = "patch") -> None:
        each.problems = [*each.problems, message]
        self._preview._kinds.add(kind)

    def _resolve(self, each: PreviewEntry) -> None:
        entry = each.entry
        if isinstance(entry, PatchEntry):
            self._resolve_address(each, entry)
        else:
            self._resolve_addresses(each, entry)
        after = self._values(each, entry.pointers, "pointers")
        each.after = array("Q", [after]) * each._size if isinstance(after, int) else after
        if entry.expect is not None:
            each.expected = self._values(each, entry.expect, "expect")

    def _resolve_address(self, each: PreviewEntry, entry: PatchEntry) -> None:
        address = self._number(each, entry.address, "address", self._resolver.resolve)
        if address is not None and address + self._width * each._size > 2**64:
            message = f"{counted(each._size, 'pointer')} at 0x{address:x} would go past 2**64"
            self._problem(each, message)
        else:
            each.address = address

    def _resolve_addresses(self, each: PreviewEntry, entry: ScatteredEntry) -> None:
        addresses = self._numbers(each, entry.addresses, "addresses")
        base: int | None = 0
        if entry.base is not None:
            base = self._number(each, entry.base, "base", self._resolver.base)
        if addresses is None or base is None:
            return
        last = base + max(addresses)
        if last + self._width > 2**64:
            self._problem(each, f"a pointer at 0x{last:x} would go past 2**64")
            return
        if base:
            addresses = array("Q", map(add, addresses, repeat(base)))
        each._addresses, each.address = addresses, addresses[0]
        self._ordered[each.number] = in_order(addresses)

    def _number(
        self, each: PreviewEntry, value: int | str, what: str, resolve: Callable[[str, str], int]
    ) -> int | None:
        if isinstance(value, int):
            return value
        try:
            return resolve(value, what)
        except NoTargetError:
            raise
        except not_from_handler(Error, ValueError, OverflowError) as error:
            named = isinstance(error, AddressError)
            kind = "access" if isinstance(error, Error) else "patch"
            self._problem(each, f"{what}: {error}" if named else str(error), kind)
            return None

    def _numbers(self, each: PreviewEntry, values: _Values, what: str) -> array[int] | None:
        if isinstance(values, array):
            return values
        resolve = self._resolver.resolve
        found = [
            self._number(each, value, f"{what}[{at}]", resolve) for at, value in enumerate(values)
        ]
        known = [value for value in found if value is not None]
        return array("Q", known) if len(known) == len(found) else None

    def _values(
        self, each: PreviewEntry, values: int | str | _Values, what: str
    ) -> int | array[int] | None:
        """Resolve one value or many, and check that they fit the target's pointers."""
        found: int | array[int] | None
        if isinstance(values, (int, str)):
            found = self._number(each, values, what, self._resolver.resolve)
            if found is not None:
                self._check_width(each, (found,), what)
        else:
            found = self._numbers(each, values, what)
            if found is not None:
                self._check_width(each, found, what)
        return found

    def _check_width(self, each: PreviewEntry, values: Sequence[int], what: str) -> None:
        if self._width == 8 or max(values) <= NARROW:
            return
        bad = [
            at
            for at, value in enumerate(values)
            if value > NARROW and not value >= 0xFFFFFFFF80000000
        ]
        if bad:
            more = f", and {len(bad) - 1:,} more like it" if len(bad) > 1 else ""
            name = f"{what}[{bad[0]}]" if isinstance(values, array) else what
            self._problem(
                each,
                f"{name} is 0x{values[bad[0]]:x}, and the target has 32-bit pointers: it is "
                f"neither zero- nor sign-extended from 32 bits{more}",
            )

    def _sort(self) -> None:
        entries = enumerate(self._preview.entries)
        known = [(each.address, at) for at, each in entries if each.address is not None]
        known.sort()
        self._preview._order = array("Q", [at for _, at in known])

    def _in_order(self) -> Iterator[tuple[int, PreviewEntry]]:
        """Yield the entries with an address, sorted by it."""
        for at in self._preview._order:
            each = self._preview.entries[at]
            assert each.address is not None
            yield each.address, each

    def _overlaps(self) -> None:
        places = Places([], [])
        for at, each in enumerate(self._preview.entries):
            if each.number in self._ordered:
                places.separate.append((self._ordered[each.number], at))
            elif each.address is not None:
                places.runs.append((each.address, each._size * self._width, at))
        for index, message in overlaps(places, self._width):
            self._problem(self._preview.entries[index], message)

    def _access(self, writing: bool) -> None:
        target_map = TargetMap(self._session, writing)
        for address, each in self._in_order():
            if each.number in self._ordered:
                ordered = self._ordered[each.number]
                problem = target_map.problem_of_any(ordered, self._width)
            else:
                problem = target_map.problem(address, each._size * self._width)
            if problem is not None:
                self._problem(each, problem.message, "access")
                each._readable = problem.readable

    def _read(self) -> None:
        """Read the pointers that the entries would replace."""
        small: list[PreviewEntry] = []
        addresses = array("Q")
        for address, each in self._in_order():
            if not each._readable:
                continue
            count = each._size
            if count >= LARGE:
                self._read_one(each)
            else:
                each._start = len(addresses)
                if count == 1:
                    addresses.append(address)
                else:
                    addresses.extend(each.addresses or ())
                small.append(each)
        if not small:
            return
        try:
            values = self._session.read_scattered(addresses)
        except not_from_handler(TargetAccessError):
            for each in small:
                self._read_one(each)
            return
        for each in small:
            each._before = values

    def _read_one(self, each: PreviewEntry) -> None:
        each._start = 0
        assert each.address is not None
        try:
            if each._addresses is not None:
                each._before = self._session.read_scattered(each._addresses)
            else:
                each._before = self._session.read_pointers(each.address, len(each.entry))
        except not_from_handler(TargetAccessError) as error:
            self._problem(each, str(error), "access")

    def _compare(self, each: PreviewEntry) -> None:
        before, expected, addresses = each.before, each.expected, each.addresses
        assert before is not None and addresses is not None
        if isinstance(expected, array):
            wanted = narrowed(expected, self._width)
        else:
            assert expected is not None
            value = expected & NARROW if self._width == 4 else expected
            wanted = array("Q", [value]) * len(before)
        preview = self._preview
        room = _MOST_MISMATCHES - len(preview.mismatches)
        found, total = mismatches_of(addresses, wanted, before, max(1, room))
        if not found:
            return
        preview.mismatch_total += total
        preview.mismatches += found[: max(0, room)]
        address, want, has = found[0]
        of = f" ({total:,} of {len(before):,} differ)" if len(before) > 1 else ""
        message = f"expected 0x{want:x} at 0x{address:x}, found 0x{has:x}{of}"
        each._differs = True
        self._problem(each, message, "expect")
