"""What a rollout would do to a process: a look at it beforehand, which writes nothing."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from pydbgwrite._journal.process_life import start_of
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import Error, NoTargetError
from pydbgwrite.rollout import outcomes as state
from pydbgwrite.rollout.here import Here
from pydbgwrite.rollout.worker import judged, opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydbgwrite._patch.patch import Patch
    from pydbgwrite._patch.preview import Preview
    from pydbgwrite._report.model import Group
    from pydbgwrite.rollout.choice import FoundProcess

__all__ = ["FITS", "READY", "Ahead", "look_ahead", "rows_of_process"]

#: The patch fits, and something of it is missing. Other states are those of outcomes.
READY: Final = "ready"
#: Nothing speaks against the process.
FITS: Final = frozenset((READY, state.ALREADY_APPLIED, state.ENDED_BEFORE))

_OPEN_TIMEOUT: Final = 10.0
#: For a page, which has those of many processes.
_MOST_ROWS: Final = 64


class Ahead(NamedTuple):
    """A process as a rollout would find it.

    build_id: of its program; "" if it can't be read. state, detail: READY, or the outcome that it
    would have. pointers, changed: how many the patch writes, and how many of these differ now; 0 if
    it can't be looked into. rows, names: for a page, if that was asked for.
    """

    process: FoundProcess
    build_id: str
    state: str
    detail: str
    pointers: int = 0
    changed: int = 0
    rows: Group | None = None
    names: Mapping[int, str] = {}


def look_ahead(patch: Patch, process: FoundProcess, *, with_rows: bool = False) -> Ahead:
    """Look into a process: it stands still for the time of a preview, as for a write."""
    pid = process.pid
    if pid == os.getpid():
        return Ahead(process, "", state.REFUSED, process.problem)
    if not process.started or start_of(pid) != process.started:
        return Ahead(process, "", state.ENDED_BEFORE, "")
    build_id = _build_id(pid)
    if process.problem:
        return Ahead(process, build_id, state.NO_ACCESS, process.problem)
    session = opened(Here(), pid, _OPEN_TIMEOUT, writable=False)
    if isinstance(session, tuple):
        return Ahead(process, build_id, *session)
    try:
        with session:
            if start_of(pid) != process.started:
                return Ahead(process, build_id, state.ENDED_BEFORE, "")
            preview = patch.preview(session) if with_rows else patch._preview(session)
            found, detail = judged(preview) or (READY, "")
            rows, names = rows_of_process(preview) if with_rows else (None, {})
            sums = preview.pointers, preview.changed
            return Ahead(process, build_id, found, detail, *sums, rows, names)
    except not_from_handler(NoTargetError):
        return Ahead(process, build_id, state.ENDED_BEFORE, "")
    except not_from_handler(Error) as error:
        return Ahead(process, build_id, state.NO_ACCESS, str(error))


def rows_of_process(preview: Preview) -> tuple[Group, dict[int, str]]:
    """Return all pointers of a preview as one group, and the names of what is shown of them."""
    from pydbgwrite._report.model import STATES, Group
    from pydbgwrite._report.page import worst

    page = preview._report()
    rows = worst([row for group in page.groups for row in group.rows], _MOST_ROWS)
    states = tuple(sum(group.states[at] for group in page.groups) for at in range(len(STATES)))
    starts = [group.start for group in page.groups if group.start is not None]
    ends = [group.end for group in page.groups if group.end is not None]
    start, end = (min(starts), max(ends)) if starts and ends else (None, None)
    shown = {value for row in rows for value in row.values}
    names = {value: name for value, name in page.names.items() if value in shown}
    return Group(start, end, preview.pointers, states, "", rows), names


def _build_id(pid: int) -> str:
    if sys.platform == "win32":
        return ""
    from pydbgwrite.rollout.build import build_id_of_process

    return build_id_of_process(pid) or ""
