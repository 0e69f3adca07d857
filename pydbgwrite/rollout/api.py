"""The functions of pydbgwrite.rollout."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pydbgwrite._messages.platforms import windows_only
from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._messages.windows import without_password
from pydbgwrite._opening.arguments import validate_options
from pydbgwrite._patch.patch import Patch
from pydbgwrite.errors import RolloutError
from pydbgwrite.rollout.choice import Choice, choice_of, recorded_choice
from pydbgwrite.rollout.coordinator import Coordinator, report_of, share
from pydbgwrite.rollout.executors import executors_of
from pydbgwrite.rollout.host import machine_key
from pydbgwrite.rollout.ledger import Ledger
from pydbgwrite.rollout.outcomes import Outcome, Report
from pydbgwrite.rollout.plain import text_of_patch
from pydbgwrite.rollout.there import ServerChoice

if TYPE_CHECKING:
    from _typeshed import StrPath

__all__ = ["apply", "process_server", "processes", "resume", "status", "undo"]

_Executors = Executor | Mapping[str, Executor] | None
_OPEN_TIMEOUT: Final = 10.0


def processes(
    *,
    program: str | None = None,
    build_id: str | None = None,
    user: str | int | None = None,
    cgroup: str | None = None,
    pids: Iterable[int] | None = None,
) -> Choice:
    """Choose processes: those for which everything that is given holds.

    The choice is plain data. It is evaluated on each machine when a rollout begins, and again where
    `until_stable` asks for another look. `Choice.look()` evaluates it on this machine, and says of
    each process why this user may not trace it.

    Args:
        program: The file name of the executable ("shop"), or its path ("./shop", "/opt/shop"). On
            Windows the image name, where ".exe" can be left out.
        build_id: Linux only. The GNU build id of the executable, as the process has it in memory.
        user: The name or the number of the user that a process runs as.
        cgroup: Linux only. The path of a control group, which has those below it too; the last part
            of one, such as "shop.service"; or a container's id, of which 12 digits are enough.
        pids: Process ids. One that is given twice counts once.

    Returns:
        The Choice.

    Raises:
        TypeError, ValueError: A part is not valid, or nothing but a user is given.
    """
    return choice_of(program, build_id, user, cgroup, pids)


def process_server(
    options: str, *, program: str | None = None, pids: Iterable[int] | None = None
) -> Choice:
    """Choose processes of a process server's machine: those for which all that is given holds.

    For Windows. The workers run on this machine, each with a connection to the server, and the
    journals lie here. A server does not tell when a process started, so a process is known by its
    first thread: one that this does not identify is refused, and nothing is written to it. The
    `program` of a FoundProcess and of an Outcome is the file name alone.

    A password in the options is in no file of the rollout and in none of its messages. It is sent
    to the workers with each task, and resume() and undo() need it again.

    Args:
        options: Where the server is, as for pydbgwrite.process_server(), such as
            "tcp:server=host,port=5005,password=secret". Two ways to write that are two servers: of
            one server only rollouts with the same text are kept apart.
        program: The image name, without regard to case; ".exe" can be left out.
        pids: Process ids of that machine. One that is given twice counts once.

    Returns:
        The Choice. Its look() opens each process for a moment, without stopping it.

    Raises:
        EngineNotFoundError: Always on Linux.
        TypeError, ValueError: A part is not valid, or neither program nor pids is given.
    """
    text = validate_options(options, "process_server")
    found = choice_of(program, None, None, None, pids)
    if program is not None and ("/" in program or "\\" in program):
        raise ValueError(
            f"program must be an image name, got {program!r:.60}: a process server tells no path"
        )
    if sys.platform != "win32":
        raise windows_only("rollout.process_server")
    made = ServerChoice(*found[:-1], without_password(text))
    made.options = text
    return made


def apply(
    patch: Patch,
    targets: Choice,
    executor: _Executors = None,
    *,
    ledger: StrPath,
    canary: int | str = 1,
    batch: int | str = "25%",
    max_failures: int | str = 0,
    pause: float = 0,
    check: Callable[[Sequence[Outcome]], object] | None = None,
    until_stable: bool = False,
    keep: bool = False,
    verify: bool = True,
    timeout: float = 300,
    progress: Callable[[int, int, Outcome], object] | None = None,
) -> Report:
    """Apply a patch to all processes of a choice, in stages, and say what became of each.

    First the canary, then batch after batch. In each process the patch is one transaction with a
    journal, as Patch.apply() makes it: all of it, or nothing. If more processes fail than
    max_failures allows, or a check fails, nothing new begins, and all that was applied is undone,
    that of finished batches too. An exception, Ctrl-C among them, does the same, and then
    continues: a note says what became of it.

    A second rollout of the same patch applies what is missing, and nothing else.

    Args:
        patch: The patch. It is sent as plain data, with the contents of its side files.
        targets: What processes() or process_server() returned.
        executor: Who runs the work. None: this process, in threads; with Microsoft's engine, which
            has one session in a process, worker processes. A concurrent.futures.Executor whose
            workers are all on one machine, such as a ProcessPoolExecutor. Or a mapping of a name to
            an Executor for each machine, of Dask for example.
        ledger: The folder for the rollout's ledger. It is made, if it is missing, and must be this
            user's alone (mode 0700). resume(), undo() and status() take it.
        canary: How many processes the first batch has: a number, or a percentage such as "5%".
        batch: How many the others have.
        max_failures: How many outcomes may be failures: refused, no access, failed and undone,
            partly written, unknown. A number, or a percentage of all processes.
        pause: Seconds between the batches.
        check: Called as check(outcomes) after each batch, with its Outcome objects. If what it
            returns is false, the rollout stops.
        until_stable: After the last batch, look for processes that have started meanwhile and patch
            them too, until a look finds none.
        keep: If the rollout stops, keep what was applied.
        verify: Read back what was written to each process.
        timeout: Seconds to wait for the next answer of a worker. What does not answer is unknown. A
            worker process of this function's own is ended then.
        progress: Called as progress(done, total, outcome) for each process.

    Returns:
        The Report. Its `ok` says whether each process that lives holds the patch.

    Raises:
        RolloutError: No process fits; another rollout that has not ended has one of the processes;
            the folder has a ledger; this program is frozen, and its workers would need an
            interpreter. Nothing was written.
        JournalError: The ledger can't be written. What was applied is undone.
        PermissionError: Others may write to the folder, or it is a link.
        OSError: The folder can't be made.
        TypeError, ValueError: An argument is not valid.
    """
    if not isinstance(targets, Choice):
        raise TypeError(
            f"targets must be what rollout.processes() returns, got {type(targets).__name__}"
        )
    server = getattr(targets, "options", targets.server)
    _check_one_machine(executor, server)
    for name, value in (("check", check), ("progress", progress)):
        if value is not None and not callable(value):
            raise TypeError(f"{name} must be callable, got {type(value).__name__}")
    for name, number in (("pause", pause), ("timeout", timeout)):
        if (
            isinstance(number, bool)
            or not isinstance(number, (int, float))
            or not (0 <= number < math.inf)
        ):
            raise ValueError(
                f"{IN_FORCE.get().name(name)} must be a number of seconds, got {number!r:.60}"
            )
    if not timeout:
        raise ValueError(f"{IN_FORCE.get().name('timeout')} must be more than 0 seconds")
    for name, part in (("canary", canary), ("batch", batch), ("max_failures", max_failures)):
        share(part, 100, name)
    if not share(batch, 100, "batch"):
        raise ValueError(f"{IN_FORCE.get().name('batch')} must be at least 1 process")
    text = text_of_patch(patch)
    options = {
        "canary": canary,
        "batch": batch,
        "max_failures": max_failures,
        "pause": pause,
        "check": check is not None,
        "until_stable": bool(until_stable),
        "keep": bool(keep),
        "verify": bool(verify),
        "timeout": timeout,
        "open_timeout": _OPEN_TIMEOUT,
        "password": server != targets.server,
    }
    header = {"id": os.urandom(16).hex(), "choice": targets, "options": options}
    with executors_of(executor, timeout) as executors:
        book = Ledger.create(os.fspath(ledger), header, text)
        try:
            work = Coordinator(book, executors, _myself(), check, progress, server)
            try:
                if not work.look():
                    raise RolloutError(f"no process fits: {targets}. Nothing was written")
            except BaseException as error:
                work.abandon(error)
                raise
            return work.apply()
        finally:
            book.close()


def resume(
    ledger: StrPath,
    executor: _Executors = None,
    *,
    check: Callable[[Sequence[Outcome]], object] | None = None,
    progress: Callable[[int, int, Outcome], object] | None = None,
    server: str | None = None,
) -> Report:
    """Go on with a rollout whose coordinator, workers or machines have died.

    What holds is found from the ledger, from the journals on the machines, and from the processes
    themselves. A rollout that was being undone is undone to its end. After that each process holds
    all of the patch or nothing of it, or its outcome says what remains. A process whose worker did
    not answer is tried again. A rollout that has ended is left as it is.

    Args:
        ledger: The folder that apply() was given.
        executor: As for apply(): the same machines, by the same names.
        check: As for apply(). A rollout that had one needs one.
        progress: As for apply().
        server: The options that process_server() was given. They are needed if they have a
            password, which no ledger holds.

    Returns:
        The Report.

    Raises:
        RolloutError: The folder has no ledger.
        JournalError: The ledger is damaged, of another version, or in use.
        PermissionError, OSError: As for apply().
        ValueError: The rollout had a check, and none is given; or server is not as it was.
    """
    with _at_work(ledger, executor, check, progress, server) as work:
        return work.resume()


def undo(
    ledger: StrPath,
    executor: _Executors = None,
    *,
    force: bool = False,
    progress: Callable[[int, int, Outcome], object] | None = None,
    server: str | None = None,
) -> Report:
    """Undo all that a rollout has applied: one that has ended, or one that has died.

    Each process is undone from its own journal, as pydbgwrite.undo() does it. It can be run again.

    Args:
        ledger: The folder that apply() was given.
        executor: As for apply(): the same machines, by the same names.
        force: Also restore what others have written since, where it is neither old nor written.
            Without it, that stays, and its process is "partly written".
        progress: As for apply().
        server: As for resume().

    Returns:
        The Report. If its `ended` is False, not everything is undone, and the outcomes say why.

    Raises:
        RolloutError, JournalError, PermissionError, OSError, ValueError: As for resume().
    """
    with _at_work(ledger, executor, None, progress, server, undoing=True) as work:
        return work.undo(force=bool(force))


def status(ledger: StrPath) -> Report:
    """Return what the ledger of a rollout has. No process is touched.

    Raises:
        RolloutError, JournalError, PermissionError, OSError: As for resume().
    """
    book = Ledger.open(os.fspath(ledger), writing=False)
    try:
        return replace(report_of(book), in_use=book.in_use)
    finally:
        book.close()


@contextmanager
def _at_work(
    ledger: StrPath,
    executor: _Executors,
    check: Callable[[Sequence[Outcome]], object] | None,
    progress: Callable[[int, int, Outcome], object] | None,
    server: str | None,
    *,
    undoing: bool = False,
) -> Iterator[Coordinator]:
    book = Ledger.open(os.fspath(ledger), writing=True)
    try:
        options: dict[str, Any] = book.recorded.header["options"]
        if (
            options["check"]
            and check is None
            and not (undoing or book.recorded.undoing or book.recorded.ended)
        ):
            given = IN_FORCE.get().argument("check")
            raise ValueError(f"the rollout has a check after each batch: give {given} to go on")
        server = _server_again(book.recorded.header, server)
        _check_one_machine(executor, server)
        with executors_of(executor, options["timeout"]) as executors:
            work = Coordinator(book, executors, _myself(), check, progress, server)
            if not (book.recorded.targets or undoing or book.recorded.undoing):
                work.look()
            yield work
    finally:
        book.close()


def _check_one_machine(executor: _Executors, server: str | None) -> None:
    """Raise ValueError if several machines would each patch all processes behind a server."""
    if server is not None and isinstance(executor, Mapping) and len(executor) > 1:
        raise ValueError(
            "the processes of a process server are patched from one machine: give one executor"
        )


def _server_again(header: Mapping[str, Any], given: str | None) -> str | None:
    """Return the options of the rollout's process server, from what is recorded and given."""
    was = recorded_choice(header["choice"]).server
    name = IN_FORCE.get().argument("server")
    if given is None:
        if was is not None and header["options"]["password"]:
            how = f"give {name}" if name else "go on in Python, with server="
            raise ValueError(f"the process server {was} has a password, which is not kept: {how}")
        return was
    if was is None or without_password(given) != was:
        raise ValueError(
            f"{name or 'server'} must be as it was, got {without_password(given)!r}: the rollout "
            f"is for {'processes without a process server' if was is None else repr(was)}"
        )
    return given


def _myself() -> tuple[str, int]:
    return machine_key(), os.getpid()
