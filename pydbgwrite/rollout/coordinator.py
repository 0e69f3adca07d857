"""The stages of a rollout. Each step is in the ledger before it begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING, Any, Final

from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._report.text import counted
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._version import __version__
from pydbgwrite.errors import JournalError, RolloutError
from pydbgwrite.rollout import outcomes as state
from pydbgwrite.rollout.choice import recorded_choice
from pydbgwrite.rollout.outcomes import Outcome, Report

if TYPE_CHECKING:
    from pydbgwrite.rollout.executors import Answer, Executors
    from pydbgwrite.rollout.ledger import Ledger, Recorded

__all__ = ["Coordinator", "report_of", "share"]

#: The most processes that one task patches, and how many tasks a machine gets of a batch at least.
_MOST_OF_TASK: Final = 32
_LEAST_TASKS: Final = 4
#: The most looks for processes that started meanwhile.
_MOST_LOOKS: Final = 20
#: An undo goes over these: they hold the patch, or may hold a part of it.
_TO_UNDO: Final = frozenset((state.APPLIED, state.PARTLY_WRITTEN, state.UNKNOWN))
_TO_ASK: Final = _TO_UNDO | {state.NOT_BEGUN}
#: They are known to hold something of the patch, and a worker without their journals is wrong.
_WRITTEN: Final = frozenset((state.APPLIED, state.PARTLY_WRITTEN))

_ELSEWHERE: Final = (
    "its machine has no journal of it in the state folder of this user (XDG_STATE_HOME)"
)

_Progress = Callable[[int, int, Outcome], object]
_Check = Callable[[Sequence[Outcome]], object]


def share(value: int | str, total: int, name: str, *, at_most: bool = False) -> int:
    """Return a number of processes, given as such or as a percentage of all.

    A part of a process counts as a whole one, or with at_most as none.
    """
    if type(value) is int and value >= 0:
        return value
    if isinstance(value, str) and value.endswith("%"):
        digits = value[:-1]
        if digits.isascii() and digits.isdecimal() and len(digits) <= 3 and int(digits) <= 100:
            return (total * int(digits) + (0 if at_most else 99)) // 100
    raise (ValueError if type(value) in (int, str) else TypeError)(
        f"{IN_FORCE.get().name(name)} must be a number of processes, or a percentage such as "
        f"'25%', got {value!r:.60}"
    )


def report_of(ledger: Ledger) -> Report:
    """Return what a ledger has of its rollout."""
    recorded = ledger.recorded
    return Report(
        id=str(recorded.header["id"]),
        folder=ledger.path,
        outcomes=tuple(_outcome_of(recorded, number) for number in range(len(recorded.targets))),
        stopped=recorded.stopped,
        undone=recorded.undoing,
        ended=recorded.ended,
        late=recorded.late,
        stable=recorded.stable,
    )


def _outcome_of(recorded: Recorded, number: int) -> Outcome:
    """Return what is known of one target."""
    host, pid, program, _, _ = recorded.targets[number]
    nothing = state.UNKNOWN if number in recorded.begun else state.NOT_BEGUN
    found, detail = recorded.outcomes.get(number, (nothing, ""))
    return Outcome(recorded.hosts[host][0], pid, program, found, detail)


class Coordinator:
    """One run over a rollout: its beginning, or what is left of it."""

    def __init__(
        self,
        ledger: Ledger,
        executors: Executors,
        coordinator: tuple[str, int],
        check: _Check | None,
        progress: _Progress | None,
        server: str | None,
    ) -> None:
        self._ledger = ledger
        self._recorded = ledger.recorded
        self._executors = executors
        self._coordinator = coordinator
        self._check = check
        self._progress = progress
        self._server = server  # with its password, so it is in tasks alone
        self._options: dict[str, Any] = self._recorded.header["options"]
        #: For progress: of an apply all processes, of an undo those that it is for.
        self._done = self._total = 0

    # Choosing.

    def look(self) -> int:
        """Look for processes that are not known yet, and claim them; return how many there are."""
        names = self._executors.names
        known: dict[str, list[tuple[int, str]]] = {name: [] for name in names}
        for host, pid, _, _, started in self._recorded.targets:
            known.setdefault(self._name_of(host), []).append((pid, started))
        tasks = [
            (
                name,
                self._task(
                    "look",
                    choice=self._recorded.header["choice"],
                    known=known[name],
                    claim=True,
                    ledger=self._ledger.path,
                ),
            )
            for name in names
        ]
        found: list[list[Any]] = []
        hosts = list(self._recorded.hosts)
        first = not hosts
        for number, answer in self._executors.run(tasks):
            if answer.result is None:
                where = f" on {names[number]}" if names[number] else ""
                raise RolloutError(f"no process could be chosen{where}: {answer.error}")
            result = answer.result
            name, key = names[number] or result["node"], result["key"]
            if first:
                same = next((other for other, its_key in hosts if its_key == key), None)
                if same is not None:
                    raise RolloutError(
                        f"{same} and {name} are executors of one machine: give one for each. "
                        "Nothing was written"
                    )
                hosts.append((name, key))
            elif (name, key) not in hosts:
                raise RolloutError(f"{name} is another machine now, or was started again")
            host = hosts.index((name, key))
            found.append([[host, e[0], e[1], e[2], e[3]] for e in result["processes"]])
        # A machine after the other, so that each batch has some of each.
        targets = [each for row in zip_longest(*found) for each in row if each is not None]
        event: dict[str, Any] = {"targets": targets}
        if first:
            event["hosts"] = hosts
        else:
            event["late"] = len(targets)
        if targets:
            self._ledger.record(**event)
        return len(targets)

    def _name_of(self, host: int) -> str:
        """Return the name by which the executors know a machine."""
        names = self._executors.names
        return "" if names == [""] else self._recorded.hosts[host][0]

    def abandon(self, error: BaseException) -> None:
        """Give up a rollout that does not begin, because of an error. Its ledger is removed.

        It is kept if a machine does not answer, which can have claimed processes.
        """
        if self._release():
            self._ledger.discard()
            return
        self._try_to_record(undoing=True)
        error.add_note(
            "A machine does not answer, and can hold processes for this rollout: undo its ledger, "
            f"{self._ledger.path}, when it does"
        )

    def _release(self) -> bool:
        """Give up what was claimed; return whether each machine has done so."""
        recorded = self._recorded
        # A ledger that could not be written does not say that all is undone: the journals do.
        kept = bool(self._ledger.broken) or any(
            s in _TO_UNDO for s, _ in recorded.outcomes.values()
        )
        machines: list[tuple[str, str | None]] = [
            (self._name_of(host), key) for host, (_, key) in enumerate(recorded.hosts)
        ]
        tasks = [
            (name, self._task("release", key=key, journals=not kept))
            for name, key in machines or [(name, None) for name in self._executors.names]
        ]
        answers = [answer for _, answer in self._executors.run(tasks)]
        return not any(answer.error for answer in answers)

    def _is_being_undone(self) -> bool:
        """Return whether an undo has reached a machine: the ledger can have been full then."""
        tasks = [
            (self._name_of(host), self._task("closed", key=key))
            for host, (_, key) in enumerate(self._recorded.hosts)
        ]
        return any(answer.result is True for _, answer in self._executors.run(tasks))

    # Applying.

    def resume(self) -> Report:
        """Go on where an earlier run of this rollout was ended."""
        recorded = self._recorded
        if recorded.ended:
            return report_of(self._ledger)
        if recorded.undoing or (recorded.stopped and not self._options["keep"]):
            return self.undo()
        if self._is_being_undone():
            return self.undo()
        for number, (found, _) in list(recorded.outcomes.items()):
            if found in (state.UNKNOWN, state.NOT_BEGUN):
                del recorded.outcomes[number]
        if recorded.stopped:
            self._ledger.record(stopped="")
        return self.apply()

    def apply(self) -> Report:
        """Patch what is left to patch, in stages. Whatever ends this early undoes it all."""
        try:
            self._stages()
            if self._recorded.stopped and not self._options["keep"]:
                return self.undo()
            self._end()
        except BaseException as error:
            self._give_up(error)
            raise
        return report_of(self._ledger)

    def _give_up(self, error: BaseException) -> None:
        """Undo all because of an exception, which gets the report."""
        why = str(error) or (
            "interrupted" if isinstance(error, KeyboardInterrupt) else type(error).__name__
        )
        if not self._recorded.stopped:
            self._try_to_record(stopped=why)
        try:
            if self._options["keep"] or self._recorded.undoing:
                error.add_note(f"The rollout has not ended: {report_of(self._ledger)}")
            else:
                error.add_note(f"The rollout was undone: {self.undo()}")
        except not_from_handler(Exception) as other:
            error.add_note(f"The rollout could NOT be undone: {other}. Its ledger has all of it")
        finally:
            error.rollout_report = report_of(self._ledger)  # type: ignore[attr-defined]

    def _stages(self) -> None:
        options = self._options
        # A batch that an earlier run of this rollout has begun comes first, and its check.
        if self._recorded.batch and self._stage(self._recorded.batch):
            return
        left = self._left()
        if left and not self._recorded.begun:
            canary = share(options["canary"], len(self._recorded.targets), "canary")
            if canary and self._stage(left[:canary]):
                return
            left = left[canary:]
        if self._batches(left):
            return
        if not options["until_stable"] or self._recorded.stable is not None:
            return
        for _ in range(_MOST_LOOKS):
            if not self.look():
                self._ledger.record(stable=True)
                return
            if self._batches(self._left()):
                return
        self._ledger.record(stable=False)

    def _left(self) -> list[int]:
        """Return the targets without an outcome."""
        return [n for n in range(len(self._recorded.targets)) if n not in self._recorded.outcomes]

    def _batches(self, left: list[int]) -> bool:
        """Patch these, batch by batch; return whether the rollout has stopped."""
        size = max(1, share(self._options["batch"], len(self._recorded.targets), "batch"))
        return any(self._stage(left[at : at + size]) for at in range(0, len(left), size))

    def _stage(self, numbers: list[int]) -> bool:
        """Patch one batch, with the pause before it; return whether the rollout has stopped."""
        if self._recorded.begun and self._options["pause"]:
            time.sleep(min(self._options["pause"], TIMEOUT_MAX))
        self._ledger.record(begin=numbers)
        self._done, self._total = len(self._recorded.outcomes), len(self._recorded.targets)
        if not self._too_many():
            self._run(
                "apply",
                [number for number in numbers if number not in self._recorded.outcomes],
                stopping=self._too_many,
                patch=self._recorded.patch,
                build_id=recorded_choice(self._recorded.header["choice"]).build_id,
                verify=self._options["verify"],
            )
        if self._too_many():
            failures = report_of(self._ledger).failures
            most = self._options["max_failures"]
            why = f"{counted(len(failures), 'failure')}, and at most {most} are allowed"
            unknown = next((each for each in failures if each.state == state.UNKNOWN), None)
            if unknown is not None:  # an undo finds its state, and nothing else has the reason
                why += f". Of process {unknown.pid} on {unknown.host}: {unknown.detail}"
            self._ledger.record(stopped=why)
            return True
        if self._check is None or self._check(
            [_outcome_of(self._recorded, number) for number in numbers]
        ):
            self._ledger.record(sync=False, passed=True)
            return False
        self._ledger.record(stopped="the check after a batch failed")
        return True

    def _too_many(self) -> bool:
        failures = sum(s in state.FAILURES for s, _ in self._recorded.outcomes.values())
        return failures > share(
            self._options["max_failures"],
            len(self._recorded.targets),
            "max_failures",
            at_most=True,
        )

    # Undoing.

    def undo(self, *, force: bool = False) -> Report:
        """Undo all that was applied, the last first. It can be run again."""
        recorded = self._recorded
        if recorded.ended and recorded.undoing:
            return report_of(self._ledger)
        had_ended = recorded.ended
        self._try_to_record(undoing=True, ended=False)
        # Machines are asked about all that the ledger has not begun, too: its end can be lost.
        numbers = [
            number
            for number in reversed(range(len(recorded.targets)))
            if self._before(number) in (_TO_UNDO if had_ended else _TO_ASK)
        ]
        self._done, self._total = 0, len(numbers)
        if numbers:
            self._run("undo", numbers, ledger=self._ledger.path, force=force)
        self._end()
        return report_of(self._ledger)

    def _before(self, number: int) -> str:
        """Return the state that the ledger has of a target."""
        return _outcome_of(self._recorded, number).state

    def _end(self) -> None:
        """End the rollout, unless an undo is not finished."""
        recorded = self._recorded
        left = (
            [s for s, _ in recorded.outcomes.values() if s in _TO_UNDO] if recorded.undoing else []
        )
        if left or any(s == state.UNKNOWN for s, _ in recorded.outcomes.values()):
            return
        if self._release():
            self._try_to_record(ended=True)

    # Tasks.

    def _run(
        self,
        task: str,
        numbers: list[int],
        stopping: Callable[[], bool] = lambda: False,
        **more: object,
    ) -> None:
        """Run a task over targets, in parts, and record each outcome in the ledger."""
        parts = list(self._parts(numbers))
        tasks = [
            (
                self._name_of(host),
                self._task(
                    task,
                    key=self._recorded.hosts[host][1],
                    processes=[self._process(number) for number in part],
                    **more,
                ),
            )
            for host, part in parts
        ]
        for at, answer in self._executors.run(tasks, stopping):
            part = parts[at][1]
            found = list(self._outcomes(task, part, answer))
            self._try_to_record(sync=False, outcomes=found)
            self._say(part)

    def _parts(self, numbers: list[int]) -> Iterator[tuple[int, list[int]]]:
        by_host: dict[int, list[int]] = {}
        for number in numbers:
            by_host.setdefault(self._recorded.targets[number][0], []).append(number)
        for host, own in by_host.items():
            size = max(1, min(_MOST_OF_TASK, -(-len(own) // _LEAST_TASKS)))
            for at in range(0, len(own), size):
                yield host, own[at : at + size]

    def _process(self, number: int) -> tuple[int, str, str]:
        _, pid, program, _, started = self._recorded.targets[number]
        return pid, started, program

    def _outcomes(
        self, task: str, part: list[int], answer: Answer
    ) -> Iterator[tuple[int, str, str]]:
        error = answer.error
        if answer.result is not None:
            if _are_outcomes(answer.result, len(part)):
                for number, (found, detail) in zip(part, answer.result, strict=True):
                    yield self._seen(number, found, detail)
                return
            error = f"its worker's answer has no outcomes: {answer.result!r:.60}"
        for number in part:
            before = self._before(number)
            if before == state.NOT_BEGUN:
                yield number, before, ""
            elif task == "undo":  # what it holds is what it held
                yield number, before, f"it could not be undone: {error}"
            elif answer.cancelled or answer.refused:
                yield number, state.UNKNOWN if answer.refused else state.NOT_BEGUN, error
            else:
                yield number, state.UNKNOWN, error

    def _seen(self, number: int, found: str, detail: str) -> tuple[int, str, str]:
        """Return the outcome that a worker has seen, beside what the ledger has of the process."""
        before = self._before(number)
        if before == state.NOT_BEGUN and detail == state.RESTARTED:
            return number, before, detail
        if before in _WRITTEN and found == state.ENDED_BEFORE:
            return number, state.ENDED_DURING, detail
        if before in _WRITTEN and found == state.NOT_BEGUN:
            return number, before, f"it could not be undone: {_ELSEWHERE}"
        return number, found, detail

    def _task(self, task: str, **more: object) -> dict[str, Any]:
        return {
            "task": task,
            "version": __version__,
            "rollout": self._recorded.header["id"],
            "coordinator": self._coordinator,
            "open_timeout": self._options["open_timeout"],
            "server": self._server,
            **more,
        }

    def _try_to_record(self, *, sync: bool = True, **event: object) -> None:
        """Write an event; where the ledger can't be written, go on: workers have journals."""
        try:
            self._ledger.record(sync=sync, **event)
        except not_from_handler(JournalError):
            pass

    def _say(self, numbers: Iterable[int]) -> None:
        progress, self._progress = self._progress, None  # one that raises is not called again
        if progress is None:
            return
        for number in numbers:
            self._done += 1
            progress(self._done, self._total, _outcome_of(self._recorded, number))
        self._progress = progress


def _are_outcomes(result: Any, count: int) -> bool:
    """Return whether a worker's answer has a state and a detail for each of its processes."""
    return (
        isinstance(result, list)
        and len(result) == count
        and all(
            isinstance(each, list)
            and len(each) == 2
            and each[0] in state.STATES
            and isinstance(each[1], str)
            for each in result
        )
    )
