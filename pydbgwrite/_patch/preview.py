"""The result of a dry run: the changes that a patch would make, and its problems."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import compress, count, islice, repeat
from operator import and_, ne
from typing import TYPE_CHECKING, Final

from pydbgwrite._patch.builds import BuildCheck
from pydbgwrite._patch.scattered import Entry, ScatteredEntry
from pydbgwrite._report.text import counted
from pydbgwrite.errors import Mismatch

if TYPE_CHECKING:
    from pydbgwrite._report.model import Report, TargetDescription
    from pydbgwrite._target import Target

__all__ = ["NARROW", "Preview", "PreviewEntry", "differing", "mismatches_of", "narrowed"]

_MOST_PROBLEMS: Final = 100
NARROW: Final = 0xFFFFFFFF


#: Why a patch is not applied, by Preview.kind.
_REASONS: Final = {
    "build": "the target is another build than the patch is for",
    "access": "an address or a name is missing, or can\u2019t be written to",
    "patch": "its entries overlap, or its values do not fit",
    "expect": "the target does not hold what the patch expects",
}


class PreviewEntry:
    """One entry as apply() would write it.

    Attributes:
        number: Its place in the patch, from 1.
        entry: The PatchEntry, or the ScatteredEntry.
        address: The resolved address of the first pointer; None if not all can be resolved.
        addresses: The address of each pointer; None if not all can be resolved.
        before: The pointers that the target holds there now; None if they can't be read.
        after: The pointers that would be written, resolved; None if they can't be resolved.
        expected: What the target must hold: one value for all, or one for each; None for anything.
        problems: What prevents the write, each a str; empty if nothing does.
    """

    __module__ = "pydbgwrite"
    __slots__ = {
        "_addresses": "Of a ScatteredEntry: its addresses, resolved.",
        "_before": "Pointers that were read: its own, or those of many entries.",
        "_differs": "Does the target hold something else than what is expected?",
        "_readable": "Does the target's map allow to read there?",
        "_size": "How many pointers it has.",
        "_start": "Where in these its own begin.",
        "_width": "The target's pointer size.",
        "address": "Of the first pointer, resolved; None where it can't be.",
        "after": "The pointers that would be written, resolved; None where they can't be.",
        "entry": "The PatchEntry, or the ScatteredEntry.",
        "expected": "What the target must hold: one value for all, or one each; None: anything.",
        "number": "Its place in the patch, from 1.",
        "problems": "What speaks against it.",
    }

    def __init__(self, number: int, entry: Entry, width: int) -> None:
        self.number = number
        self.entry = entry
        self.address: int | None = None
        self.after: array[int] | None = None
        self.expected: int | array[int] | None = None
        self.problems: Sequence[str] = ()
        self._before: array[int] | None = None
        self._differs = False
        self._start = 0
        self._readable = True
        self._addresses: array[int] | None = None
        self._width = width
        self._size = len(entry)

    @property
    def addresses(self) -> Sequence[int] | None:
        """The address of each pointer; None if not all can be resolved."""
        if isinstance(self.entry, ScatteredEntry):
            return self._addresses
        if self.address is None:
            return None
        return range(self.address, self.address + self._size * self._width, self._width)

    @property
    def before(self) -> Sequence[int] | None:
        """The pointers that the target holds there now; None if they can't be read."""
        if self._before is None:
            return None
        if len(self._before) == self._size:
            return self._before
        return self._before[self._start : self._start + self._size]

    def __repr__(self) -> str:
        return f"<pydbgwrite.PreviewEntry {self.number}: {self.entry!r}>"


class Preview:
    """The result of Patch.preview().

    Attributes:
        entries: A PreviewEntry for each entry of the patch, in its order.
        problems: Everything that prevents apply(), each with the line and the entry.
        mismatches: Places that do not hold what the patch expects; the first 100.
        mismatch_total: How many such places there are.
        pointers: How many pointers the patch writes.
        pointer_size: The target's pointer size in bytes.
    """

    __module__ = "pydbgwrite"

    def __init__(self, pointer_size: int, entries: list[PreviewEntry]) -> None:
        self.pointer_size = pointer_size
        self.entries = entries
        self.pointers = sum(each._size for each in entries)
        self.problems: list[str] = []
        self.mismatches: list[Mismatch] = []
        self.mismatch_total = 0
        #: The problems other than mismatches.
        self._faults = 0
        self._kinds: set[str] = set()
        #: The indexes of the entries with an address, in the order of their addresses.
        self._order = array("Q")
        #: For a report.
        self._note = ""
        self._builds: list[BuildCheck] = []
        self._target: TargetDescription | None = None
        self._session: Callable[[], Target | None] = _no_session

    @property
    def ok(self) -> bool:
        """True if apply() would write."""
        return not self.problems

    @property
    def kind(self) -> str | None:
        """The gravest kind of problem, or None.

        "build": the target is another build. "access": an address or a name is missing, or can't
        be written. "patch": entries overlap, or values do not fit. "expect": the target does
        not hold the expected values; there is no other problem.
        """
        for kind in ("build", "access", "patch"):
            if kind in self._kinds:
                return kind
        return "expect" if self.problems else None

    @property
    def changed(self) -> int:
        """How many pointers differ from the target's; unreadable ones count."""
        changed = 0
        for each in self.entries:
            before = each.before
            if before is None or each.after is None:
                changed += each._size
            else:
                changed += len(differing(before, narrowed(each.after, self.pointer_size)))
        return changed

    def to_html(self) -> str:
        """Return a page for a reviewer: the target, the memory that is touched, each pointer.

        The page stands alone: it needs no network, and works without its script. It holds memory
        of the target, so keep it as private as that. Of a long patch it has some pointers of each
        group of adjacent ones or of each page, those with a problem first, and counts the rest.

        Call it while the session is open: then addresses and values have the names of their
        symbols (Session.names). Later only modules and offsets are known.

        Returns:
            The page as HTML.
        """
        from pydbgwrite._report.page import page_of

        return page_of(self._report())

    def _repr_html_(self) -> str:
        from pydbgwrite._report.grouping import rows_of
        from pydbgwrite._report.model import STATES
        from pydbgwrite._report.notebook import ROWS, table_html
        from pydbgwrite._symbols.describe import names_of

        shown = islice((row for e in self.entries for row in rows_of(e, self.pointer_size)), ROWS)
        rows = list(shown)
        values = (value for row in rows for value in row.values)
        names, _ = names_of(values, self._session(), self._target.modules if self._target else [])
        columns = ("entry", "address", "before", "after", "expected", "note", "state now")
        cells = (
            (
                str(row.entry),
                *(_named(value, names) for value in row.values),
                row.note,
                f"{STATES[row.state].sign} {STATES[row.state].word}",
            )
            for row in rows
        )
        caption = " ".join(self._verdict(self.pointers - self.changed))
        problems = table_html(("problem",), ([each] for each in self.problems), len(self.problems))
        table = table_html(columns, cells, self.pointers, caption=caption)
        return table if self.ok else f"{table}{problems}"

    def _verdict(self, same: int) -> tuple[str, str]:
        """Return what the preview has found: a few words, and a sentence.

        same: how many pointers hold the new value already.
        """
        count = counted(self.pointers, "pointer")
        if self.ok:
            holds = "holds" if same == 1 else "hold"
            rest = f", and {same:,} already {holds} the new value" if same else ""
            change = f"The patch writes {count}: {self.pointers - same:,} would change{rest}."
            return "Ready to apply.", change
        reason = _REASONS[self.kind or "patch"]
        if self.kind == "expect" and not self.changed:
            reason += ", and already holds what it writes"
        return (
            f"{counted(len(self.problems), 'problem')}.",
            f"The patch of {count} would not be applied: {reason}.",
        )

    def _report(self) -> Report:
        from pydbgwrite._report.grouping import FLAT, SAME, Grouping
        from pydbgwrite._report.model import Report
        from pydbgwrite._symbols.describe import NO_SYMBOLS, names_of

        modules = self._target.modules if self._target is not None else []
        grouping = Grouping(self.entries, self._order, self.pointer_size, modules)
        groups = grouping.groups()
        shown = [group.start for group in groups]
        shown += [value for group in groups for row in group.rows for value in row.values]
        names, with_symbols = names_of(shown, self._session(), modules)
        strips, strips_left = grouping.strips(names)
        facts = [("Patch", self._note)] if self._note else []
        if self._target is not None:
            facts += self._target.facts
        for build in self._builds:
            facts.append(("Made for", f"{build.module}, {build.build_id or build.sha256}"))
        if not with_symbols:
            facts.append(("Names", NO_SYMBOLS))
        what = self._target.title if self._target is not None else "unknown target"
        heading, verdict = self._verdict(sum(group.states[SAME] for group in groups))
        return Report(
            title=f"Patch preview: {what}",
            heading=heading,
            good=self.ok,
            verdict=verdict,
            facts=facts,
            problems=self.problems[:_MOST_PROBLEMS],
            problem_total=len(self.problems),
            strips=strips,
            strips_left=strips_left,
            groups=groups,
            flat=self.pointers <= FLAT,
            pointers=self.pointers,
            names=names,
        )

    def __repr__(self) -> str:
        state = "ok" if self.ok else f"{len(self.problems)} problems"
        return f"<pydbgwrite.Preview of {counted(self.pointers, 'pointer')}, {state}>"


def narrowed(values: array[int], width: int) -> array[int]:
    """Return pointers as a target of that pointer size returns them: zero-extended."""
    if width == 8 or max(values) <= NARROW:
        return values
    return array("Q", map(and_, values, repeat(NARROW)))


def differing(one: Sequence[int], other: Sequence[int]) -> Sequence[int]:
    """Return the indexes at which two sequences of equal length differ."""
    if one == other:
        return ()
    return array("Q", compress(count(), map(ne, one, other)))


def _no_session() -> None:
    return None


def _named(value: int | None, names: dict[int, str]) -> str | int | None:
    """Return a value for a notebook: with its name, if it has one."""
    if value is None or value not in names:
        return value
    return f"{names[value]} (0x{value:x})"


def mismatches_of(
    addresses: Sequence[int], wanted: Sequence[int], found: Sequence[int], most: int
) -> tuple[list[Mismatch], int]:
    """Return the first mismatches of two sequences of pointers, and how many there are."""
    places = differing(wanted, found)
    listed = [Mismatch(addresses[at], wanted[at], found[at]) for at in places[: max(0, most)]]
    return listed, len(places)
