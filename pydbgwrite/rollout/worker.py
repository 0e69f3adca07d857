"""What a worker does on its machine: it looks for processes, patches them, and undoes that.

An executor calls run() with one text and gets one back: plain data goes both ways. A task can be
lost, run twice, or come late: the journals on this machine say what was done, and a task that finds
one goes on from there.
"""

from __future__ import annotations

import json
import os
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from pydbgwrite._journal.files import open_to_read
from pydbgwrite._journal.process_life import start_of
from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._opening.api import attach
from pydbgwrite._patch.apply import apply_patch
from pydbgwrite._processes import program_of
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.kept_files import KeptFiles
from pydbgwrite._transactions.api import undo
from pydbgwrite._transactions.transaction import Transaction
from pydbgwrite._version import __version__
from pydbgwrite.errors import (
    DebugEngineError,
    Error,
    JournalError,
    NoTargetError,
    RolloutError,
)
from pydbgwrite.rollout import outcomes as state
from pydbgwrite.rollout.choice import Choice
from pydbgwrite.rollout.host import (
    ClosedError,
    Host,
    machine_key,
    machine_name,
    was_restarted,
)
from pydbgwrite.rollout.plain import patch_of_text

if TYPE_CHECKING:
    from pydbgwrite._journal.place import JournalPlace
    from pydbgwrite._patch.patch import Patch
    from pydbgwrite._patch.preview import Preview
    from pydbgwrite._session import Session

__all__ = ["judged", "opened", "run"]

_RESTARTED: Final = "its machine was restarted"
_MOST_PROBLEMS: Final = 3
_kept = threading.local()
_patch_of = lru_cache(maxsize=1)(patch_of_text)


def run(task: str) -> str:
    """Do one task, and return its answer; see the functions of _TASKS."""
    given = json.loads(task)
    if given["version"] != __version__:
        raise RolloutError(
            f"the worker has pydbgwrite {__version__}, and the coordinator {given['version']}: "
            "install the same version on both. Nothing was written"
        )
    host = Host(given["rollout"])
    try:
        return json.dumps(_TASKS[given["task"]](host, given))
    finally:
        host.close()


def _look(host: Host, given: dict[str, Any]) -> dict[str, Any]:
    """Find the processes of a choice, and claim them if asked to."""
    choice = Choice(*_parts(given["choice"]))
    known = {tuple(each) for each in given["known"]}
    new = [
        each
        for each in choice.look()
        if (each.pid, each.started) not in known
        and (choice.pids is not None or not host.is_worker(each.pid, each.started))
    ]
    if given["claim"] and new:
        host.claim([(each.pid, each.started) for each in new if each.started], given["ledger"])
    return {"key": machine_key(), "node": machine_name(), "processes": new}


def _parts(choice: list[Any]) -> list[Any]:
    *others, pids = choice
    return [*others, None if pids is None else tuple(pids)]


def _apply(host: Host, given: dict[str, Any]) -> list[tuple[str, str]]:
    """Patch processes, one after the other; return a state and a detail for each."""
    if was_restarted(given["key"]):
        return [(state.ENDED_BEFORE, _RESTARTED)] * len(given["processes"])
    _check_machine(given)
    host.register()
    work = _Work(host, given)
    return [work.apply(*each) for each in given["processes"]]


def _undo(host: Host, given: dict[str, Any]) -> list[tuple[str, str]]:
    """Let nothing more begin here, and undo what was done to processes."""
    if was_restarted(given["key"]):
        return [(state.ENDED_DURING, _RESTARTED)] * len(given["processes"])
    _check_machine(given)
    host.end()
    host.register()
    work = _Work(host, given)
    return [work.undo(*each) for each in given["processes"]]


def _release(host: Host, given: dict[str, Any]) -> None:
    """Give up the claims at the end of the rollout. Those before a restart have no effect now."""
    if given["key"] in (None, machine_key()):
        host.end()
        host.release(journals=given["journals"])


_TASKS: Final = {"look": _look, "apply": _apply, "undo": _undo, "release": _release}


def _check_machine(given: dict[str, Any]) -> None:
    if given["key"] != machine_key():
        advice = IN_FORCE.get().argument("executor")  # a shell has none
        raise RolloutError(
            "the task was run on another machine than its processes, or after a restart of it, or "
            f"in another pid namespace{': give one executor for each machine' if advice else ''}. "
            "Nothing was written"
        )


class _Work:
    """The work on the processes of one task."""

    def __init__(self, host: Host, given: dict[str, Any]) -> None:
        self._host = host
        self._timeout: float = given["open_timeout"]
        self._verify: bool = given.get("verify", True)
        self._coordinator = tuple(given["coordinator"])
        self._here = machine_key()
        self._own_program = program_of(os.getpid())
        self._patch_text: str = given.get("patch", "")

    @property
    def _patch(self) -> Patch:
        return _patch_of(self._patch_text)

    def apply(self, pid: int, started: str, program: str) -> tuple[str, str]:
        """Patch one process."""
        alone = self._coordinator == (self._here, os.getpid())  # it has threads for workers
        if alone or program != self._own_program:
            return self._apply(pid, started, program)
        # It may be another worker, which must not be stopped while it is at work.
        with self._host.locked():
            return self._apply(pid, started, program)

    def _apply(self, pid: int, started: str, program: str) -> tuple[str, str]:
        why = self._never(pid, started)
        if why:
            return state.REFUSED, why
        if not started or start_of(pid) != started:
            return self._gone(pid, started)
        try:
            self._host.check_open()
            found = self._open_and_apply(pid, started, program)
            # What is refused by a process that is ending says nothing of the patch.
            ending = found[0] in (state.REFUSED, state.NO_ACCESS) and start_of(pid) != started
            return self._gone(pid, started) if ending else found
        except not_from_handler(ClosedError) as error:
            return state.NOT_BEGUN, str(error)

    def _never(self, pid: int, started: str) -> str:
        """Return why this process is never stopped; "" for others."""
        if pid == os.getpid():
            return "it is a worker of this rollout"
        if (self._here, pid) == self._coordinator:
            return "it is the coordinator of this rollout"
        if self._host.is_worker(pid, started):
            return "it is a worker of this rollout"
        return ""

    def _gone(self, pid: int, started: str) -> tuple[str, str]:
        """Return the outcome of a process that is not there."""
        if self._host.journals(pid, started):
            return state.ENDED_DURING, ""
        return state.ENDED_BEFORE, ""

    def _open_and_apply(self, pid: int, started: str, program: str) -> tuple[str, str]:
        session = opened(pid, self._timeout)
        if isinstance(session, tuple):
            return self._gone(pid, started) if session[0] == state.ENDED_BEFORE else session
        with session:
            if start_of(pid) != started:
                return self._gone(pid, started)
            now = program_of(pid)
            if program and now and now != program:
                return state.REFUSED, f"it runs another program now: {now}"
            try:
                return self._apply_in(session, pid, started)
            except not_from_handler(NoTargetError):
                return self._gone(pid, started)

    def _apply_in(self, session: Session, pid: int, started: str) -> tuple[str, str]:
        earlier = self._host.journals(pid, started)
        if earlier:
            settled = self._settle(session, earlier[-1])
            if settled is not None:
                return settled
        preview = self._patch._preview(session)
        verdict = judged(preview)
        if verdict is not None:
            return verdict
        place = self._host.new_journal(pid, started, len(earlier))
        transaction = Transaction(session, place, None)
        try:
            apply_patch(
                preview, session, transaction, via="auto", verify=self._verify, progress=None
            )
        except not_from_handler(ClosedError):
            raise
        except not_from_handler(Error, OSError, MemoryError) as error:
            return self._failed(error, pid, started)
        return state.APPLIED, ""

    def _failed(self, error: Exception, pid: int, started: str) -> tuple[str, str]:
        """Return the outcome of a write that failed."""
        if start_of(pid) != started:
            return state.ENDED_DURING, ""
        report = getattr(error, "undo_report", None)
        if report is None:  # it failed before the first write
            return state.FAILED_AND_UNDONE, f"nothing was written: {error}"
        if report.complete:
            return state.FAILED_AND_UNDONE, str(error)
        return state.PARTLY_WRITTEN, f"{error}; of its undo: {report}"

    def _settle(self, session: Session, place: JournalPlace) -> tuple[str, str] | None:
        """Finish what an earlier task of this rollout began; None if the process is as before."""
        try:
            log = open_to_read(place)
        except not_from_handler(JournalError) as error:
            if error._not_begun:
                return None
            return state.UNKNOWN, str(error)
        log.close()
        if log.undone or not len(log):
            return None
        if log.committed:
            return state.APPLIED, ""
        try:
            report = undo(place, session)
        except not_from_handler(JournalError) as error:
            return state.UNKNOWN, str(error)
        return None if report.complete else (state.PARTLY_WRITTEN, str(report))

    def undo(self, pid: int, started: str, program: str) -> tuple[str, str]:
        """Undo what this rollout wrote to one process."""
        journals = self._host.journals(pid, started)
        if not journals:
            return state.NOT_BEGUN, ""
        if start_of(pid) != started:
            return state.ENDED_DURING, ""
        try:
            session = _open(pid, self._timeout)
        except not_from_handler(NoTargetError):
            return state.ENDED_DURING, ""
        except not_from_handler(Error, TimeoutError, OSError, ValueError) as error:
            return _still_there(journals[-1]), f"it could not be undone: {error}"
        with session:
            for place in reversed(journals):
                try:
                    if not _is_needed(place):
                        continue
                    report = undo(place, session)
                except not_from_handler(NoTargetError):
                    return state.ENDED_DURING, ""
                except not_from_handler(JournalError) as error:
                    if error._not_begun:
                        continue
                    if program and program_of(pid) != program:
                        return state.ENDED_DURING, "it runs another program now"
                    return state.UNKNOWN, f"it could not be undone: {error}"
                except not_from_handler(DebugEngineError, OSError) as error:
                    return state.UNKNOWN, f"it could not be undone: {error}"
                if not report.complete:
                    if start_of(pid) != started:
                        return state.ENDED_DURING, ""
                    return state.PARTLY_WRITTEN, str(report)
        return state.UNDONE, ""


def _open(pid: int, timeout: float, *, writable: bool = True) -> Session:
    session = attach(pid, timeout=timeout, writable=writable)
    kept = getattr(_kept, "files", None)
    if kept is None:
        kept = _kept.files = KeptFiles()
    session._kept_files = kept  # programs' tables are read once for all processes
    return session


def opened(pid: int, timeout: float, *, writable: bool = True) -> Session | tuple[str, str]:
    """Open a process; where that fails, return its outcome."""
    try:
        return _open(pid, timeout, writable=writable)
    except not_from_handler(NoTargetError):
        return state.ENDED_BEFORE, ""
    except not_from_handler(ValueError) as error:
        return state.REFUSED, str(error)
    except not_from_handler(Error, TimeoutError, OSError) as error:
        return state.NO_ACCESS, str(error)


def judged(preview: Preview) -> tuple[str, str] | None:
    """Return the outcome of a process that the patch does not change; None of another."""
    if preview.kind in (None, "expect") and not preview.changed:
        return state.ALREADY_APPLIED, ""
    return None if preview.ok else (state.REFUSED, _problems(preview))


def _is_needed(place: JournalPlace) -> bool:
    """Return whether a journal has writes that are not undone."""
    log = open_to_read(place)
    log.close()
    return bool(len(log)) and not log.undone


def _still_there(place: JournalPlace) -> str:
    """Return the state of a process that can't be opened, by its last journal."""
    try:
        log = open_to_read(place)
    except not_from_handler(JournalError, OSError):
        return state.UNKNOWN
    log.close()
    if log.undone:
        return state.UNDONE
    return state.APPLIED if log.committed else state.UNKNOWN


def _problems(preview: Preview) -> str:
    shown = "; ".join(preview.problems[:_MOST_PROBLEMS])
    more = len(preview.problems) - _MOST_PROBLEMS
    return f"{shown}; and {more:,} more problems" if more > 0 else shown
