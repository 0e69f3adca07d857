"""What a worker does on its machine: it looks for processes, patches them, and undoes that.

An executor calls run() with one text and gets one back: plain data goes both ways. A task can be
lost, run twice, or come late: the journals on this machine say what was done, and a task that finds
one goes on from there.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import closing, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from pydbgwrite._journal.files import open_to_read
from pydbgwrite._journal.format import is_not_begun
from pydbgwrite._journal.process_life import life_of
from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._patch.apply import one_write, steps_of
from pydbgwrite._patch.preview import narrowed
from pydbgwrite._processes import file_name, program_of
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._transactions.api import undo
from pydbgwrite._transactions.transaction import Transaction
from pydbgwrite._version import __version__
from pydbgwrite.errors import (
    DebugEngineError,
    Error,
    ExpectationError,
    JournalError,
    NoTargetError,
    RolloutError,
)
from pydbgwrite.rollout import outcomes as state
from pydbgwrite.rollout.choice import recorded_choice
from pydbgwrite.rollout.here import Here
from pydbgwrite.rollout.host import ClosedError, Host, machine_key
from pydbgwrite.rollout.plain import patch_of_text
from pydbgwrite.rollout.there import There

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydbgwrite._journal.log import JournalLog
    from pydbgwrite._journal.place import JournalPlace
    from pydbgwrite._patch.apply import Step
    from pydbgwrite._patch.preview import Preview
    from pydbgwrite._session import Session
    from pydbgwrite.rollout.plain import SentPatch

__all__ = ["judged", "opened", "run"]

_OTHER_FOLDER: Final = (
    "the state folder of this user has nothing of this rollout: it is another one (XDG_STATE_HOME)"
)
_MOST_PROBLEMS: Final = 3
#: With the GIL more threads at once finish little sooner, and processes stand still for longer.
_MOST_AT_ONCE: Final = 2 if getattr(sys, "_is_gil_enabled", lambda: True)() else 64
#: Seconds that another thread waits for its turn.
_LONGEST_WAIT: Final = 0.05
_turns = threading.BoundedSemaphore(_MOST_AT_ONCE)
_patch_of = lru_cache(maxsize=1)(patch_of_text)


def run(task: str) -> str:
    """Do one task, and return its answer; see the functions of _TASKS."""
    given = json.loads(task)
    if given["version"] != __version__:
        raise RolloutError(
            f"the worker has pydbgwrite {__version__}, and the coordinator {given['version']}: "
            "install the same version on both. Nothing was written"
        )
    reach = There(given["server"]) if given.get("server") else Here()
    with closing(reach), closing(Host(given["rollout"], reach.key)) as host:
        return json.dumps(_TASKS[given["task"]](host, reach, given))


def _look(host: Host, reach: Here | There, given: dict[str, Any]) -> dict[str, Any]:
    """Find the processes of a choice, and claim them if asked to."""
    choice = recorded_choice(given["choice"])
    known = {(pid, None if choice.pids else started) for pid, started in given["known"]}
    new = [
        each
        for each in reach.look(choice)
        # A process that has the id of a chosen one later is another one.
        if (each.pid, None if choice.pids else each.started) not in known
        and (choice.pids is not None or not reach.never(host, each.pid, each.started, each.program))
    ]
    if given["claim"] and new:
        host.claim([(each.pid, each.started) for each in new if each.started], given["ledger"])
    return {"key": host.key, "node": reach.name, "processes": new}


def _apply(host: Host, reach: Here | There, given: dict[str, Any]) -> list[tuple[str, str]]:
    """Patch processes, one after the other; return a state and a detail for each."""
    if reach.was_restarted(given["key"]):
        with closing(Host(given["rollout"], given["key"])) as before:
            return [(_ended(before, *each[:2]), state.RESTARTED) for each in given["processes"]]
    _check_machine(host, given)
    if not host.is_known:
        return [_elsewhere(reach, *each) for each in given["processes"]]
    host.register()
    work = _Work(host, reach, given)
    return [work.apply(*each) for each in given["processes"]]


def _undo(host: Host, reach: Here | There, given: dict[str, Any]) -> list[tuple[str, str]]:
    """Let nothing more begin here, and undo what was done to processes."""
    if reach.was_restarted(given["key"]):
        return [(state.ENDED_DURING, state.RESTARTED)] * len(given["processes"])
    _check_machine(host, given)
    processes = given["processes"]
    if not host.is_known:
        return [_elsewhere(reach, *each) for each in processes]
    # If the rollout was over here, another one can have these processes since.
    wanted = [(pid, started) for pid, started, _ in processes if started]
    host.claim(wanted, given["ledger"], to_undo=True)
    host.begin_undo()
    host.register()
    work = _Work(host, reach, given)
    return [work.undo(*each) for each in given["processes"]]


def _ended(host: Host, pid: int, started: str) -> str:
    """Return the state of a process that is not there: an attempt on it has a journal."""
    return state.ENDED_DURING if host.journals(pid, started) else state.ENDED_BEFORE


def _elsewhere(reach: Here | There, pid: int, started: str, program: str) -> tuple[str, str]:
    """Return the outcome of a process whose rollout is not known in this state folder."""
    if reach.ended(pid, started, program):
        return state.ENDED_BEFORE, ""
    return state.UNKNOWN, _OTHER_FOLDER


def _release(host: Host, reach: Here | There, given: dict[str, Any]) -> None:
    """Give up the claims at the end of the rollout. Those before a restart have no effect now."""
    if given["key"] is None or not reach.was_restarted(given["key"]):
        if given["key"] is not None:
            _check_machine(host, given)
        host.release(journals=given["journals"])


def _is_closed(host: Host, reach: Here | There, given: dict[str, Any]) -> bool:
    """Return whether an undo has begun here before the rollout was over."""
    return given["key"] == host.key and host.is_being_undone


_TASKS: Final = {
    "look": _look,
    "apply": _apply,
    "undo": _undo,
    "release": _release,
    "closed": _is_closed,
}


def _check_machine(host: Host, given: dict[str, Any]) -> None:
    if given["key"] != host.key:
        advice = IN_FORCE.get().argument("executor")  # a shell has none
        raise RolloutError(
            "the task was run on another machine than its processes, or after a restart of it, or "
            f"in another pid namespace{': give one executor for each machine' if advice else ''}. "
            "Nothing was written"
        )


class _DecidedError(Exception):
    """Leaves a transaction without a write: the outcome of the process is known."""

    def __init__(self, outcome: tuple[str, str]) -> None:
        super().__init__(*outcome)
        self.outcome = outcome


class _OverlappedError(Exception):
    """Another task of this rollout is at work on the same process, or was."""


class _Work:
    """The work on the processes of one task."""

    def __init__(self, host: Host, reach: Here | There, given: dict[str, Any]) -> None:
        self._host = host
        self._reach = reach
        self._timeout: float = given["open_timeout"]
        self._verify: bool = given.get("verify", True)
        self._force: bool = given.get("force", False)
        self._build_id: str | None = given.get("build_id")
        self._coordinator = tuple(given["coordinator"])
        self._here = machine_key()
        self._own_program = program_of(os.getpid())
        self._patch_text: str = given.get("patch", "")
        #: Did the last process get the patch? Then the next one's journal is made beforehand.
        self._alike = True

    @property
    def _patch(self) -> SentPatch:
        return _patch_of(self._patch_text)

    def apply(self, pid: int, started: str, program: str) -> tuple[str, str]:
        """Patch one process."""
        alone = self._coordinator == (self._here, os.getpid())  # it has threads for workers
        if alone or file_name(program).lower() != file_name(self._own_program or "").lower():
            return self._apply(pid, started, program)
        # It may be another worker, which must not be stopped while it is at work.
        with self._host.locked():
            return self._apply(pid, started, program)

    def _apply(self, pid: int, started: str, program: str) -> tuple[str, str]:
        why = self._never(pid, started, program)
        if why:
            return state.REFUSED, why
        if not started and self._reach.ended(pid, started, program):
            return self._gone(pid, started)
        try:
            self._host.check_open()
            running = not self._reach.suspends_at_once
            with _turn():
                found = self._open_and_apply(pid, started, program, running=running)
            self._alike = found[0] == state.APPLIED
            if found[0] not in (state.REFUSED, state.NO_ACCESS):
                return found
            # What is refused by a process that is ending says nothing of the patch.
            if self._reach.ended(pid, started, program):
                return self._gone(pid, started)
            held = _still_there(self._host.journals(pid, started))
            if found[0] == state.NO_ACCESS and held in (state.APPLIED, state.UNKNOWN):
                return state.UNKNOWN, f"this rollout has written to it, and now: {found[1]}"
            return found
        except not_from_handler(ClosedError) as error:
            return state.NOT_BEGUN, str(error)

    def _never(self, pid: int, started: str, program: str) -> str:
        """Return why this process is never stopped; "" for others."""
        if self._reach.is_coordinator(self._coordinator, pid, program):
            return "it is the coordinator of this rollout"
        return self._reach.never(self._host, pid, started, program)

    def _gone(self, pid: int, started: str) -> tuple[str, str]:
        """Return the outcome of a process that is not there."""
        return _ended(self._host, pid, started), ""

    def _open_and_apply(
        self, pid: int, started: str, program: str, *, running: bool
    ) -> tuple[str, str]:
        """Open a process and patch it. running: it is suspended when all is prepared."""
        if not running and self._reach.ended(pid, started, program):
            return self._gone(pid, started)
        session = opened(self._reach, pid, self._timeout, suspend=not running)
        if isinstance(session, tuple):
            return self._gone(pid, started) if session[0] == state.ENDED_BEFORE else session
        with session:
            differs = self._reach.differs(session, pid, started)
            if differs is not None:
                return (state.REFUSED, differs) if differs else self._gone(pid, started)
            if self._build_id is not None:
                from pydbgwrite.rollout.build import build_id_of_process

                build_id = build_id_of_process(pid)  # a look that could not read it lets it pass
                if build_id != self._build_id:
                    return state.REFUSED, f"its build id is {build_id or 'not readable'}"
            try:
                return self._apply_in(session, pid, started, program, running=running)
            except not_from_handler(_DecidedError) as decided:
                return decided.outcome
            except not_from_handler(NoTargetError) as error:
                if not self._reach.confirms_end(pid, started, program):
                    return state.UNKNOWN, str(error)
                if not running or self._reach.ended(pid, started, program):
                    return self._gone(pid, started)
        # It has made an execve since it was opened: the session is of the program before.
        return self._open_and_apply(pid, started, program, running=False)

    def _apply_in(
        self, session: Session, pid: int, started: str, program: str, *, running: bool
    ) -> tuple[str, str]:
        """Patch a process that is open. What is said of it is found while it stands still."""
        earlier = self._host.journals(pid, started)
        if not running or earlier or not self._alike or self._other_program(pid, program):
            self._suspend(session)
            running = False
            other = self._other_program(pid, program)
            if other:
                return state.REFUSED, f"it runs another program now: {other}"
            earlier = self._host.journals(pid, started)
            for place in reversed(earlier):
                settled = self._settle(session, place)
                if settled is not None:
                    return settled
        try:
            return self._attempt(session, pid, started, program, len(earlier), running=running)
        except not_from_handler(_OverlappedError):
            return self._apply_in(session, pid, started, program, running=False)

    def _attempt(
        self,
        session: Session,
        pid: int,
        started: str,
        program: str,
        number: int,
        *,
        running: bool,
    ) -> tuple[str, str]:
        """Make one attempt. For a process that runs, its journal is made before it is suspended."""
        steps = None if running else self._judged(session)
        transaction = Transaction(session, self._host.new_journal(pid, started, number), None)
        try:
            with transaction:
                if steps is None:
                    self._suspend(session)
                    # What ended the rollout meanwhile, or began a later attempt, had the process
                    # for itself: it found no record in this journal, and went on without it.
                    self._host.check_open()
                    if self._host.has_journal(pid, started, number + 1):
                        raise _OverlappedError
                    self._write_known(session, transaction)
                else:
                    self._write(session, steps)
        except not_from_handler(ClosedError, NoTargetError):
            raise  # without a target: perhaps it is ending, or an execve is on its way
        except not_from_handler(Error, OSError, MemoryError) as error:
            if running and isinstance(error, FileExistsError):
                raise _OverlappedError from error
            return self._failed(error, pid, started, program)
        return state.APPLIED, ""

    def _write_known(self, session: Session, transaction: Transaction) -> None:
        """Write what was written to other processes, or else what a preview says now."""
        known = self._patch.writes.get(session.pointer_size)
        if known is not None:
            try:
                if known.expected is not None or not self._holds(session, known):
                    self._write(session, [known])
                    return
            except not_from_handler(DebugEngineError, ExpectationError):
                if transaction.changes:
                    raise
        self._write(session, self._judged(session))

    def _holds(self, session: Session, step: Step) -> bool:
        return step.read(session) == narrowed(step.pointers, session.pointer_size)

    def _write(self, session: Session, steps: Iterable[Step]) -> None:
        for step in steps:
            step.write(session, via="auto", verify=self._verify)

    def _judged(self, session: Session) -> Iterable[Step]:
        """Return what is to be written to a process that stands still.

        Raises _DecidedError if it is nothing. A patch of numbers has the same write for each
        process: it is kept.
        """
        patch = self._patch
        preview = patch._preview(session)
        verdict = judged(preview)
        if verdict is not None:
            raise _DecidedError(verdict)
        write = None if patch.builds else one_write(preview)
        if write is not None:
            patch.writes[session.pointer_size] = write
        return steps_of(preview, synced=False)

    def _suspend(self, session: Session) -> None:
        """Suspend a process, unless it is. NoTargetError: it has ended, or made an execve."""
        if sys.platform == "win32":
            return  # its engine has done so when it attached
        from pydbgwrite._opening.linux import suspend

        try:
            suspend(session, self._timeout)
        except not_from_handler(NoTargetError):
            raise
        except not_from_handler(Error, TimeoutError, OSError) as error:
            raise _DecidedError((state.NO_ACCESS, str(error))) from error

    def _other_program(self, pid: int, program: str) -> str:
        """Return the program that a process runs instead of this one; "" if it does not."""
        now = self._reach.program_of(pid)
        return now if program and now and now != program else ""

    def _failed(self, error: Exception, pid: int, started: str, program: str) -> tuple[str, str]:
        """Return the outcome of a write that failed."""
        if self._reach.ended(pid, started, program):
            return state.ENDED_DURING, ""
        report = getattr(error, "undo_report", None)
        if report is None:  # it failed before the first write
            return state.FAILED_AND_UNDONE, f"nothing was written: {error}"
        if report.complete:
            return (
                state.FAILED_AND_UNDONE,
                f"{error}. This was undone: it holds what it held before",
            )
        return state.PARTLY_WRITTEN, f"{error}; of its undo: {report}"

    def _settle(self, session: Session, place: JournalPlace) -> tuple[str, str] | None:
        """Finish what an earlier task of this rollout began; None if the process is as before."""
        try:
            log = _read(place)
            if log.undone or not len(log):
                return None
            if life_of(log.header) == "replaced":
                return None  # an execve since: nothing of what was written is there
            if log.committed:
                return state.APPLIED, ""
            report = undo(place, session)
        except not_from_handler(JournalError, OSError) as error:
            return None if is_not_begun(error) else (state.UNKNOWN, str(error))
        return None if report.complete else (state.PARTLY_WRITTEN, str(report))

    def undo(self, pid: int, started: str, program: str) -> tuple[str, str]:
        """Undo what this rollout wrote to one process."""
        journals = self._host.journals(pid, started)
        if self._reach.ended(pid, started, program):
            return self._gone(pid, started)
        if not journals:
            return state.NOT_BEGUN, ""
        try:
            session = self._reach.open(pid, self._timeout)
        except not_from_handler(NoTargetError):
            return state.ENDED_DURING, ""
        except not_from_handler(Error, TimeoutError, OSError, ValueError) as error:
            held = _still_there(journals)
            return held, "" if held == state.NOT_BEGUN else f"it could not be undone: {error}"
        with session:
            differs = self._reach.differs(session, pid, started)
            if differs:
                return state.UNKNOWN, f"it could not be undone: {differs}"
            if differs is not None:
                return state.ENDED_DURING, ""
            written = replaced = False
            for place in reversed(journals):
                try:
                    log = _read(place)
                    written = written or bool(len(log))
                    if log.undone or not len(log):
                        continue
                    report = undo(place, session, force=self._force)
                except not_from_handler(NoTargetError) as error:
                    if self._reach.confirms_end(pid, started, program):
                        return state.ENDED_DURING, ""
                    return state.UNKNOWN, f"it could not be undone: {error}"
                except not_from_handler(JournalError) as error:
                    if is_not_begun(error):
                        continue
                    if program and self._reach.program_of(pid) not in (program, ""):
                        return state.ENDED_DURING, "it runs another program now"
                    if _is_replaced(place):
                        replaced = True
                        continue
                    return state.UNKNOWN, f"it could not be undone: {error}"
                except not_from_handler(DebugEngineError, OSError) as error:
                    return state.UNKNOWN, f"it could not be undone: {error}"
                if not report.complete:
                    if self._reach.ended(pid, started, program):
                        return state.ENDED_DURING, ""
                    return state.PARTLY_WRITTEN, str(report)
        if not written:
            return state.NOT_BEGUN, ""
        if replaced:
            return state.ENDED_DURING, "it has started its program again (execve)"
        return state.UNDONE, ""


@contextmanager
def _turn() -> Iterator[None]:
    """Let few threads into the block at once, unless it lasts.

    A thread that writes to a suspended process needs the GIL several times, and waits each time for
    the others, which prepare their own processes.
    """
    taken = _turns.acquire(timeout=_LONGEST_WAIT)
    try:
        yield
    finally:
        if taken:
            _turns.release()


def opened(
    reach: Here | There,
    pid: int,
    timeout: float,
    *,
    writable: bool = True,
    suspend: bool = True,
) -> Session | tuple[str, str]:
    """Open a process; where that fails, return its outcome."""
    try:
        return reach.open(pid, timeout, writable=writable, suspend=suspend)
    except not_from_handler(NoTargetError):
        return state.ENDED_BEFORE, ""
    except not_from_handler(ValueError) as error:
        return state.REFUSED, str(error)
    except not_from_handler(RolloutError):
        raise
    except not_from_handler(Error, TimeoutError, OSError) as error:
        return state.NO_ACCESS, str(error)


def judged(preview: Preview) -> tuple[str, str] | None:
    """Return the outcome of a process that the patch does not change; None of another."""
    if preview.kind in (None, "expect") and not preview.changed:
        return state.ALREADY_APPLIED, ""
    return None if preview.ok else (state.REFUSED, _problems(preview))


def _read(place: JournalPlace) -> JournalLog:
    """Return what a journal has."""
    log = open_to_read(place)
    log.close()
    return log


def _is_replaced(place: JournalPlace) -> bool:
    """Return whether the process of a journal has made an execve since."""
    try:
        return life_of(_read(place).header) == "replaced"
    except not_from_handler(JournalError, OSError):
        return False


def _still_there(journals: list[JournalPlace]) -> str:
    """Return the state of a process that can't be opened, by the last journal with a record."""
    for place in reversed(journals):
        try:
            log = _read(place)
        except not_from_handler(JournalError, OSError) as error:
            if is_not_begun(error):
                continue
            return state.UNKNOWN
        if len(log):
            return state.UNDONE if log.undone else state.APPLIED if log.committed else state.UNKNOWN
    return state.NOT_BEGUN


def _problems(preview: Preview) -> str:
    shown = "; ".join(preview.problems[:_MOST_PROBLEMS])
    more = len(preview.problems) - _MOST_PROBLEMS
    return f"{shown}; and {more:,} more problems" if more > 0 else shown
