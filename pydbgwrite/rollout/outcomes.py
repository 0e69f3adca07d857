"""What became of each process of a rollout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = [
    "ALREADY_APPLIED",
    "APPLIED",
    "ENDED_BEFORE",
    "ENDED_DURING",
    "FAILED_AND_UNDONE",
    "FAILURES",
    "HOLDS",
    "NOT_BEGUN",
    "NO_ACCESS",
    "PARTLY_WRITTEN",
    "REFUSED",
    "RESTARTED",
    "STATES",
    "UNDONE",
    "UNKNOWN",
    "Outcome",
    "Report",
]

APPLIED: Final = "applied"
ALREADY_APPLIED: Final = "already applied"
REFUSED: Final = "refused"
NO_ACCESS: Final = "no access"
ENDED_BEFORE: Final = "ended before"
ENDED_DURING: Final = "ended during"
FAILED_AND_UNDONE: Final = "failed and undone"
PARTLY_WRITTEN: Final = "partly written"
UNKNOWN: Final = "unknown"
UNDONE: Final = "undone"
NOT_BEGUN: Final = "not begun"

#: Every state, and what it says of the process.
STATES: Final = {
    APPLIED: "holds the patch: this rollout wrote it",
    ALREADY_APPLIED: "held the patch before: nothing was written",
    REFUSED: "another build, or it does not hold what is expected: nothing was written",
    NO_ACCESS: "the system refuses access: nothing was written",
    ENDED_BEFORE: "had ended before it was opened: nothing was written",
    ENDED_DURING: "ended after the rollout had opened it",
    FAILED_AND_UNDONE: "the write failed, and all of it was undone",
    PARTLY_WRITTEN: "its write failed, or its undo is not complete: the detail says what it holds",
    UNKNOWN: "its worker did not answer, or it can't be looked at now",
    UNDONE: "held the patch, and the rollout was undone: it is as before",
    NOT_BEGUN: "the rollout stopped before its turn: nothing was written",
}

#: Why a process has ended, which is all that can be known of it.
RESTARTED: Final = "its machine was restarted"
#: What counts against `max_failures`. That processes end is no failure.
FAILURES: Final = frozenset((REFUSED, NO_ACCESS, FAILED_AND_UNDONE, PARTLY_WRITTEN, UNKNOWN))
#: Nothing of the patch, or all of it, is known to be there, and nothing is left to do.
HOLDS: Final = frozenset((APPLIED, ALREADY_APPLIED))


class Outcome(NamedTuple):
    """What became of one process.

    Attributes:
        host: The name of its machine: that of its executor, where several are given. Where its
            process server is, if it has one.
        pid: Its process id there.
        program: The path of its executable; "" if that is not known.
        state: One of STATES.
        detail: Why, and what remains; "" if the state says all.
    """

    host: str
    pid: int
    program: str
    state: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True, repr=False)
class Report:
    """The outcomes of a rollout: one for each process.

    Attributes:
        id: The rollout's id, which its journals have in their names.
        folder: The absolute path of its ledger's folder.
        outcomes: An Outcome for each process, in the order of the rollout.
        stopped: Why it stopped early; "" if it did not.
        undone: True if all that it had applied was to be undone.
        ended: True if nothing is left to do. False: resume() or undo() ends it.
        late: How many of the processes had started after the first look (until_stable).
        stable: True if the last look found no further process; None if there was no such look.
        in_use: Of status(): True if a process works on the rollout now.
    """

    id: str
    folder: str
    outcomes: tuple[Outcome, ...]
    stopped: str = ""
    undone: bool = False
    ended: bool = True
    late: int = 0
    stable: bool | None = None
    in_use: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """How many processes are in each state, of the states that occur."""
        found = dict.fromkeys(STATES, 0)
        for each in self.outcomes:
            found[each.state] += 1
        return {state: count for state, count in found.items() if count}

    @property
    def failures(self) -> list[Outcome]:
        """The outcomes that count against max_failures."""
        return [each for each in self.outcomes if each.state in FAILURES]

    @property
    def ok(self) -> bool:
        """True if every process that has not ended holds the patch."""
        good = HOLDS | {ENDED_BEFORE, ENDED_DURING}
        return self.ended and not self.stopped and all(e.state in good for e in self.outcomes)

    def __repr__(self) -> str:
        return f"<pydbgwrite.rollout.Report of {self.folder}: {self}>"

    def __str__(self) -> str:
        counted = ", ".join(f"{count:,} {state}" for state, count in self.counts.items())
        parts = [f"{len(self.outcomes):,} processes: {counted or 'none'}"]
        if self.late:
            parts.append(f"{self.late:,} had started meanwhile")
        if self.stable is False:
            parts.append("processes still start: run it again")
        if self.stopped:
            parts.append(f"stopped: {self.stopped}")
        if self.in_use:
            parts.append("a process works on it")
        elif not self.ended:
            parts.append("it has not ended: resume it, or undo it")
        return "; ".join(parts)
