"""The dry run of a patch: it finds the changes, and every reason why they can't be made.

It only reads: the target's memory map, memory and modules. Entries are checked in the order of
their addresses and read together, so a million of them are fast.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from pydbgwrite._patch.builds import BuildCheck, Builds
from pydbgwrite._patch.entry import PatchEntry
from pydbgwrite._patch.overlaps import overlaps
from pydbgwrite._patch.preview import NARROW, Preview, PreviewEntry, mismatches_of, narrowed
from pydbgwrite._patch.target_map import TargetMap
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
    entries: list[PatchEntry],
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
        self, entries: list[PatchEntry], session: Target, place: Callable[[str, int], str]
    ) -> None:
        self._session = session
        self._place = place
        self._width = session.pointer_size
        self._resolver = Resolver(session)
        self._preview = Preview(
            self._width, [PreviewEntry(number, entry) for number, entry in enumerate(entries, 1)]
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
        address = self._number(each, entry.address, "address")
        each.after = self._numbers(each, entry.pointers, "pointers")
        if isinstance(entry.expect, (int, str)):
            each.expected = self._number(each, entry.expect, "expect")
        elif entry.expect is not None:
            each.expected = self._numbers(each, entry.expect, "expect")
        if address is not None and address + self._width * len(entry.pointers) > 2**64:
            message = f"{len(entry.pointers):,} pointers at 0x{address:x} would go past 2**64"
            self._problem(each, message)
        else:
            each.address = address

    def _number(self, each: PreviewEntry, value: int | str, what: str) -> int | None:
        if isinstance(value, str):
            try:
                value = self._resolver.resolve(value, what)
            except NoTargetError:
                raise
            except not_from_handler(Error, ValueError, OverflowError) as error:
                named = isinstance(error, AddressError)
                kind = "access" if isinstance(error, Error) else "patch"
                self._problem(each, f"{what}: {error}" if named else str(error), kind)
                return None
        if what == "expect":
            self._check_width(each, (value,), what)
        return value

    def _numbers(self, each: PreviewEntry, values: _Values, what: str) -> array[int] | None:
        numbers: array[int] | None
        if isinstance(values, array):
            numbers = values
        else:
            found = [self._number(each, value, f"{what}[{at}]") for at, value in enumerate(values)]
            known = [value for value in found if value is not None]
            numbers = array("Q", known) if len(known) == len(found) else None
        if numbers is not None:
            self._check_width(each, numbers, what)
        return numbers

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
            name = what if len(values) == 1 and what == "expect" else f"{what}[{bad[0]}]"
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
        ranges = [
            (each.address, len(each.entry.pointers) * self._width, each.number - 1)
            for each in self._preview.entries
            if each.address is not None
        ]
        for index, message in overlaps(ranges):
            self._problem(self._preview.entries[index], message)

    def _access(self, writing: bool) -> None:
        target_map = TargetMap(self._session, writing)
        for address, each in self._in_order():
            problem = target_map.problem(address, len(each.entry.pointers) * self._width)
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
            count = len(each.entry.pointers)
            if count >= LARGE:
                self._read_one(address, each)
            else:
                each._start = len(addresses)
                if count == 1:
                    addresses.append(address)
                else:
                    addresses.extend(range(address, address + count * self._width, self._width))
                small.append(each)
        if not small:
            return
        try:
            values = self._session.read_scattered(addresses)
        except not_from_handler(TargetAccessError):
            for each in small:
                assert each.address is not None
                self._read_one(each.address, each)
            return
        for each in small:
            each._before = values

    def _read_one(self, address: int, each: PreviewEntry) -> None:
        each._start = 0
        try:
            each._before = self._session.read_pointers(address, len(each.entry.pointers))
        except not_from_handler(TargetAccessError) as error:
            self._problem(each, str(error), "access")

    def _compare(self, each: PreviewEntry) -> None:
        before, expected = each.before, each.expected
        assert before is not None and each.address is not None
        wanted: Any
        if isinstance(expected, array):
            wanted = narrowed(expected, self._width)
        else:
            assert expected is not None
            value = expected & NARROW if self._width == 4 else expected
            wanted = array("Q", [value]) * len(before)
        found = mismatches_of(each.address, self._width, wanted, before)
        if not found:
            return
        preview = self._preview
        preview.mismatch_total += len(found)
        room = _MOST_MISMATCHES - len(preview.mismatches)
        preview.mismatches += found[:room]
        address, want, has = found[0]
        of = f" ({len(found):,} of {len(before):,} differ)" if len(before) > 1 else ""
        message = f"expected 0x{want:x} at 0x{address:x}, found 0x{has:x}{of}"
        each._differs = True
        self._problem(each, message, "expect")
