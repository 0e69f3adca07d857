"""The journal of a command that writes: in the user's state folder, unless options say else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.exit_codes import CommandError, ExitCode
from pydbgwrite.cli.output import printable
from pydbgwrite.cli.parameters import FILE
from pydbgwrite.cli.spelling import quoted
from pydbgwrite.errors import JournalError

if TYPE_CHECKING:
    from pydbgwrite import JournalInfo
    from pydbgwrite._journal.kept import Kept, KeptJournals
    from pydbgwrite._journal.place import JournalPlace
    from pydbgwrite.cli.targets import Target

__all__ = [
    "how_to_undo",
    "journal_for",
    "journal_options",
    "kept_of_number",
    "last_kept",
    "make_room",
    "open_kept",
    "read_info",
]

_GONE: Final = ("ended", "replaced")
#: A pointer has an old value and a new one in the journal, and a scattered one has an address. The
#: journal also has a header, and less than 100 bytes for each MiB of pointers.
_BYTES_A_POINTER: Final = 24
_MORE_BYTES: Final = 64 << 10

_ADVICE: Final = "--journal FILE keeps the journal in another place, and --no-journal keeps none"
_ROOM: Final = "`pydbgwrite history` lists them, and one that is undone or removed makes room"


def journal_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --journal and --no-journal to a command."""
    for option in (
        click.option("--no-journal", is_flag=True, help="Keep no journal."),
        click.option(
            "--journal",
            type=FILE,
            metavar="FILE",
            help="Keep the journal, for `pydbgwrite undo FILE`, in this new file. Without it, "
            "one is kept for `pydbgwrite undo`.",
        ),
    ):
        command = option(command)
    return command


@contextmanager
def journal_for(
    journal: str | None, no_journal: bool, pointers: int | None, *, dry_run: bool
) -> Iterator[JournalPlace | None]:
    """Yield the place of the journal for a write, for Session.transaction(); None for no journal.

    Begin this before the target is opened: pruning can take a moment, in which a target that is
    suspended would stand still. A kept journal of a block that wrote nothing is removed.

    Args:
        journal, no_journal: The options.
        pointers: The number of pointers that will be written. None if a search will tell: then the
            caller calls make_room().
        dry_run: Nothing will be written.

    Raises:
        CommandError, JournalError: No journal can be kept. Nothing was written.
    """
    from pydbgwrite._journal.place import JournalPlace

    if journal is not None and no_journal:
        raise click.UsageError("Give --journal or --no-journal, not both.")
    if no_journal or dry_run:
        yield None
        return
    if journal is not None:
        yield JournalPlace(os.path.abspath(journal))
        return
    kept = open_kept(create=True)
    try:
        place = kept.new()
        try:
            if pointers is not None:
                make_room(place, pointers)
            yield place
        except BaseException as failure:
            kept.drop_if_empty(place)
            if any(isinstance(each, JournalError) for each in (failure, failure.__cause__)):
                failure.add_note(_ADVICE)
            raise
    finally:
        kept.close()


def make_room(place: JournalPlace | None, pointers: int) -> None:
    """Make room in the folder of kept journals for that many pointers. JournalError: it is full."""
    try:
        if place is not None:
            place.make_room(_BYTES_A_POINTER * pointers + _MORE_BYTES)
    except not_from_handler(JournalError) as full:
        full.add_note(_ROOM)
        raise


def open_kept(*, create: bool) -> KeptJournals:
    """Open the folder of kept journals. CommandError if that is impossible, or not safe.

    FileNotFoundError if it does not exist, and create is false.
    """
    from pydbgwrite._journal.kept import KeptJournals

    try:
        return KeptJournals(create=create)
    except not_from_handler(OSError) as failure:
        if not create and isinstance(failure, FileNotFoundError):
            raise
        what = "made" if create else "read"
        advice = f"; nothing was written. {_ADVICE}" if create else ""
        named = "" if failure.filename is None else f" in {failure.filename}"
        raise CommandError(
            f"no journal can be {what}{named}: {failure.strerror or failure}{advice}",
            ExitCode.BAD_USAGE,
        ) from failure


def read_info(journal: str | JournalPlace) -> JournalInfo:
    """Read the description of a journal. CommandError if the file can't be read."""
    import pydbgwrite

    try:
        return pydbgwrite.read_journal(journal)
    except not_from_handler(OSError) as failure:
        raise CommandError(
            f"{os.fspath(journal)!r} could not be read: {failure.strerror or failure}",
            ExitCode.BAD_USAGE,
        ) from failure


@contextmanager
def last_kept(target: Target) -> Iterator[tuple[JournalPlace, JournalInfo]]:
    """Yield the last kept journal that is not undone: of the target, if the options name one.

    CommandError if there is none, if it can't be used, or if its process has ended.
    """
    with _opened() as kept:
        journals = kept.newest_first()
        for each in journals:
            if each.fault:
                # What it wrote comes before what an older one did.
                raise CommandError(
                    f"the last journal, {each.place.path}, can't be used: {each.fault}; nothing "
                    "was undone. `pydbgwrite history` lists others, which `pydbgwrite undo NUMBER` "
                    "takes",
                    ExitCode.BAD_USAGE,
                )
            info = each.info
            if info is None or not _can_be_last(each, info, target):
                continue
            if each.life in _GONE:
                raise _gone(each, info, _first_living(journals, target))
            yield each.place, info
            return
        raise CommandError(
            f"there is no write to undo{'' if target.kind is None else ' in that target'}: the "
            "history has none, or each is undone. `pydbgwrite history` lists them",
            ExitCode.BAD_USAGE,
        )


@contextmanager
def kept_of_number(number: int) -> Iterator[tuple[JournalPlace, JournalInfo]]:
    """Yield the kept journal of that number. CommandError if there is none."""
    with _opened() as kept:
        place = kept.numbered(number)
        if place is None:
            raise CommandError(
                f"no journal has the number {number}; nothing was undone: `pydbgwrite history` "
                "lists the numbers",
                ExitCode.BAD_USAGE,
            )
        yield place, read_info(place)


@contextmanager
def _opened() -> Iterator[KeptJournals]:
    """Open the folder of kept journals for an undo. CommandError if there is none."""
    try:
        kept = open_kept(create=False)
    except not_from_handler(FileNotFoundError) as failure:
        raise CommandError(
            f"no journal is kept ({failure.filename} does not exist): give the JOURNAL to undo. "
            "Root and other users have their own",
            ExitCode.BAD_USAGE,
        ) from None
    try:
        yield kept
    finally:
        kept.close()


def _is_of(each: Kept, info: JournalInfo, target: Target) -> bool:
    """Return whether a journal may be of the target that options name."""
    if target.kind == "pid":
        if info.target != "process":
            return False
        if isinstance(target.value, int):
            return info.pid == target.value
        from pydbgwrite._processes import runs

        # Another process can have the id of one that has ended.
        pid = info.pid if each.life == "lives" and info.pid is not None else 0
        return runs(target.value)(pid, info.program)
    kind = "remote" if target.kind == "connect" else target.kind
    return kind is None or info.target == kind


def _can_be_last(each: Kept, info: JournalInfo, target: Target) -> bool:
    return info.state != "undone" and bool(info.writes) and _is_of(each, info, target)


def _first_living(journals: Iterator[Kept], target: Target) -> Kept | None:
    """Return the first journal that can be undone, of a process that lives."""
    for each in journals:
        if (
            each.info is not None
            and each.life not in _GONE
            and not each.in_use
            and _can_be_last(each, each.info, target)
        ):
            return each
    return None


def _gone(each: Kept, info: JournalInfo, living: Kept | None) -> CommandError:
    """Return the error for a last write whose process is gone, with what was written to it.

    living: the last write that can be undone.
    """
    now = "has ended" if each.life == "ended" else "runs another program now (execve)"
    advice = "No other write that is kept can be undone"
    if living is not None and living.info is not None:
        of = living.info
        advice = (
            f"`pydbgwrite undo {living.number}` undoes the last write to a process that lives, "
            f"{_named(of)}{f': {of.command}' if of.command else ''}. -p chooses a process, and "
            "`pydbgwrite history` lists all writes"
        )
    return CommandError(
        f"the process of the last write, {_named(info)}, {now}, and what was written to its memory "
        f"is gone: there is nothing to undo. {advice}",
        ExitCode.NO_ACCESS if each.life == "ended" else ExitCode.BAD_USAGE,
    )


def _named(info: JournalInfo) -> str:
    """Return how a message names the target of a journal: "shop (pid 71)"."""
    from pydbgwrite._processes import file_name

    if info.pid is None:
        return f"the {info.target} target"
    return f"{file_name(info.program) or 'a process'} (pid {info.pid})"


def how_to_undo(journal: str | None, place: JournalPlace | None) -> str:
    """Return the sentence that follows "Wrote ...", or "" without a journal.

    It names this write: "the last one" is another after the next write.
    """
    from pydbgwrite._journal.kept import KeptPlace

    if place is None:
        return ""
    given = f"{place.number}" if isinstance(place, KeptPlace) else quoted(journal or "")
    return f" To undo it: pydbgwrite undo {printable(given)}"
