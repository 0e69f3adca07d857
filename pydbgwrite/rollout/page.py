"""The report page of a rollout: its processes, and the pointers of each as they were before it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from pydbgwrite._processes import file_name
from pydbgwrite._report.model import PREVIEW, Group, Listed
from pydbgwrite._report.model import Report as Page
from pydbgwrite._report.page import page_of, worst
from pydbgwrite._report.text import counted
from pydbgwrite.rollout import outcomes as state
from pydbgwrite.rollout.ahead import FITS, READY, Ahead

if TYPE_CHECKING:
    from pydbgwrite._patch.patch import Patch
    from pydbgwrite.rollout.outcomes import Report

__all__ = ["page_ahead", "page_of_rollout"]

#: Of all processes, as on the page of one target.
_MOST_ROWS: Final = 12_000
_MOST_NAMED: Final = 3


def page_ahead(patch: Patch, ahead: Sequence[Ahead], machine: str) -> str:
    """Return the page of a dry run. Its processes were looked into with their rows."""
    listed = [_listed(machine, each) for each in ahead]
    bad = sum(each.bad for each in listed)
    ready = sum(each.state == READY for each in ahead)
    changed = counted(sum(each.changed for each in ahead if each.state == READY), "pointer")
    page = _page(listed, ahead, _facts_of(patch))
    return page_of(
        page._replace(
            title=f"Rollout preview: {page.title}",
            heading=f"{bad:,} would not hold the patch." if bad else "Ready to apply.",
            good=not bad,
            verdict=f"{ready:,} of {len(ahead):,} processes would be written to: {changed} change.",
            closing=PREVIEW,
        )
    )


def page_of_rollout(report: Report, patch: Patch | None, ahead: Sequence[Ahead] = ()) -> str:
    """Return the page of a rollout.

    patch: for its note and its builds, if it is known. ahead: what was seen of the processes before
    it, if they were looked into.
    """
    good = {*state.HOLDS, state.ENDED_BEFORE, state.ENDED_DURING}
    if report.undone:
        good |= {state.UNDONE, state.NOT_BEGUN}
    listed = [Listed(*each, each.state not in good) for each in report.outcomes]
    facts = [] if patch is None else _facts_of(patch)
    page = _page(listed, ahead, [*facts, ("Rollout", report.id), ("Ledger", report.folder)])
    return page_of(
        page._replace(
            title=f"Rollout: {page.title}",
            heading=_heading(report),
            good=report.ok,
            verdict=f"{report}.",
            closing="Pointers are shown as they were before it." if ahead else "",
            when="before",
        )
    )


def _heading(report: Report) -> str:
    if not report.ended:
        return "Not ended."
    if report.stopped:
        return "Stopped."
    return "Applied." if report.ok else "Undone." if report.undone else "Not applied to all."


def _listed(machine: str, ahead: Ahead) -> Listed:
    process = ahead.process
    bad = ahead.state not in FITS
    return Listed(machine, process.pid, process.program, ahead.state, ahead.detail, bad)


def _facts_of(patch: Patch) -> list[tuple[str, str]]:
    facts = [("Patch", patch.note)] if patch.note else []
    for build in patch.builds:
        facts.append(("Made for", f"{build.module}, {build.build_id or build.sha256}"))
    return facts


def _page(listed: list[Listed], ahead: Sequence[Ahead], facts: list[tuple[str, str]]) -> Page:
    """Return a page without a verdict."""
    programs = Counter(file_name(each.program) or "unknown program" for each in listed)
    named = ", ".join(f"{name} ({number:,})" for name, number in programs.most_common(_MOST_NAMED))
    if len(programs) > _MOST_NAMED:
        named += f", and {len(programs) - _MOST_NAMED:,} more programs"
    groups = list(_groups(listed, ahead))
    names: dict[int, str] = {}
    unclear: set[int] = set()
    for each in ahead:
        for value, name in each.names.items():
            if names.setdefault(value, name) != name:  # processes can have other maps
                unclear.add(value)
    return Page(
        title=named,
        heading="",
        good=False,
        verdict="",
        facts=[*facts, ("Made at", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))],
        problems=[],
        problem_total=0,
        strips=[],
        strips_left=(0, 0),
        groups=groups,
        flat=False,
        pointers=sum(group.pointers for group in groups),
        names={value: name for value, name in names.items() if value not in unclear},
        processes=listed,
    )


def _groups(listed: list[Listed], ahead: Sequence[Ahead]) -> Iterator[Group]:
    """Yield the pointers of each process, with what became of it for a note."""
    outcomes = {each.pid: each.outcome for each in listed}  # those of this machine, as `ahead` is
    found = [(each, each.rows) for each in ahead if each.rows is not None]
    most = max(1, _MOST_ROWS // max(1, len(found)))
    for each, group in found:
        pid = each.process.pid
        label = f"{file_name(each.process.program)} (process {pid})"
        note = outcomes.get(pid, each.state)
        yield group._replace(rows=worst(group.rows, most), label=label, note=note)
