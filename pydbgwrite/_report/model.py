"""What a report page shows: a target, its touched memory, and rows in groups."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pydbgwrite._regions import Module

__all__ = [
    "PREVIEW",
    "STATES",
    "Group",
    "Listed",
    "Report",
    "Row",
    "State",
    "Strip",
    "TargetDescription",
]


class TargetDescription(NamedTuple):
    """A target at a time.

    target: as Session.target says. program: the path of the main module, or "". build_id: of
    that module, or "". time: seconds since 1970.
    """

    target: str
    pid: int | None
    program: str
    build_id: str
    pointer_size: int
    engine: str
    time: float
    modules: list[Module]

    @property
    def title(self) -> str:
        """A short name, such as "shop (process 71)"."""
        name = self.program.replace("\\", "/").rpartition("/")[2]
        return f"{name} ({self._what})" if name else self._what

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Labels and values, without those that are unknown."""
        facts = [
            ("Program", self.program),
            ("Build id", self.build_id),
            ("Target", self._what),
            ("Pointer size", f"{self.pointer_size} bytes"),
            ("Engine", self.engine),
            ("Read at", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.time))),
        ]
        return [(label, value) for label, value in facts if value]

    @property
    def _what(self) -> str:
        return self.target if self.pid is None else f"{self.target} {self.pid}"


class State(NamedTuple):
    """What can be said of a pointer: a word, a sign that needs no colour, and an explanation."""

    word: str
    sign: str
    meaning: str
    bad: bool


STATES: Final = (
    State("ok", "\u2713", "holds what the patch expects, or nothing is expected", False),
    State("same", "=", "holds the new value already", False),
    State("differs", "\u2260", "does not hold what the patch expects", True),
    State("unreadable", "?", "can\u2019t be read", True),
    State("problem", "\u2717", "can\u2019t be written; the problems say why", True),
)


class Row(NamedTuple):
    """One pointer. None: not known; of expected: anything. state: an index of STATES."""

    entry: int
    address: int | None
    before: int | None
    after: int | None
    expected: int | None
    note: str
    state: int

    @property
    def values(self) -> tuple[int | None, ...]:
        """What can have a name: the address, and the pointers."""
        return self.address, self.before, self.after, self.expected


class Group(NamedTuple):
    """Pointers that are shown together.

    label: the process that they are of, if the page is of several; else "". start, end: their
    addresses, from the first one to behind the last one; None if they have none.
    pointers: how many they are. states: how many of each of STATES. note: the note of all of them,
    or "". rows: those that the page has.
    """

    start: int | None
    end: int | None
    pointers: int
    states: tuple[int, ...]
    note: str
    rows: list[Row]
    label: str = ""


class Strip(NamedTuple):
    """A module, or other memory, with its touched pages.

    cells: for each touched cell of 2**shift bytes its number of pointers. marked: cells with a
    pointer in a bad state.
    """

    label: str
    base: int
    size: int
    shift: int
    cells: dict[int, int]
    marked: set[int]
    pages: int
    pointers: int


class Listed(NamedTuple):
    """A process of a rollout, and what became of it."""

    machine: str
    pid: int
    program: str
    outcome: str
    detail: str
    bad: bool


#: What a page of a preview adds to its verdict.
PREVIEW: Final = "Nothing has been written: this is a preview."


class Report(NamedTuple):
    """A page.

    heading, verdict: a few words, and a sentence. good: may it be applied? facts: with labels.
    flat: show rows without their groups. names: of addresses and values, where there is one.
    strips_left: how many places, and pointers in them, have no strip. closing: a sentence behind
    the verdict. processes: of a rollout, whose groups are processes; None: one target's page.
    when: "now", or "before" where the pointers have been written since.
    """

    title: str
    heading: str
    good: bool
    verdict: str
    facts: list[tuple[str, str]]
    problems: list[str]
    problem_total: int
    strips: list[Strip]
    strips_left: tuple[int, int]
    groups: list[Group]
    flat: bool
    pointers: int
    names: dict[int, str]
    closing: str = PREVIEW
    processes: list[Listed] | None = None
    when: str = "now"
