"""Undo the writes of a command if one of them failed, and report the result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydbgwrite import errors
from pydbgwrite.cli.exit_codes import CommandError, ExitCode, exit_code_of

if TYPE_CHECKING:
    from pydbgwrite import Session, Transaction, UndoReport
    from pydbgwrite._journal.place import JournalPlace

__all__ = [
    "after_undo",
    "ended",
    "interrupted_undo",
    "report_fields",
    "undone_on_failure",
    "value_of",
]


@contextmanager
def undone_on_failure(session: Session, journal: JournalPlace | None) -> Iterator[Transaction]:
    """Undo the writes of the block if it fails; a CommandError says what happened."""
    transaction = session.transaction(journal)
    try:
        with transaction:
            yield transaction
    except (Exception, KeyboardInterrupt) as failure:
        if not transaction.changes:
            if isinstance(failure, OSError) and journal is not None:
                raise _not_made(failure, journal) from failure
            raise
        raise after_undo(failure, transaction.report) from failure


def after_undo(failure: BaseException, report: UndoReport | None) -> CommandError:
    """Return the CommandError for a failure after which the writes were undone.

    report: the undo's; None if no undo was possible.
    """
    if report is None or not report.complete:
        code = ExitCode.NOT_UNDONE
    elif isinstance(failure, KeyboardInterrupt):
        code = ExitCode.INTERRUPTED
    elif report.restored:
        code = ExitCode.UNDONE
    else:
        code = _without_writing(failure)
    said = str(failure) or ("interrupted" if isinstance(failure, KeyboardInterrupt) else "failed")
    message = "; ".join([said, *getattr(failure, "__notes__", [])])
    return CommandError(message, code, {} if report is None else {"undone": report_fields(report)})


def ended(failure: BaseException, journal: JournalPlace | None) -> BaseException:
    """Return the exception that ends a command, whose transaction was the library's own."""
    # Ctrl-C during the undo takes the place of what caused it, which then is its context.
    for each in (failure, failure.__context__):
        report: UndoReport | None = getattr(each, "undo_report", None)
        if report is not None:
            return after_undo(failure, report)
    if isinstance(failure, OSError) and journal is not None:
        return _not_made(failure, journal)
    return failure


def _not_made(failure: OSError, journal: JournalPlace) -> CommandError:
    return CommandError(
        f"the journal {journal.path!r} can't be made: {failure.strerror or failure}; nothing was "
        "written",
        ExitCode.BAD_USAGE,
    )


def interrupted_undo(interrupt: KeyboardInterrupt) -> CommandError:
    """Return the CommandError for Ctrl-C during an undo, which can be run again."""
    report: UndoReport | None = getattr(interrupt, "undo_report", None)
    message = "; ".join(["interrupted", *getattr(interrupt, "__notes__", [])])
    if report is None:
        return CommandError(message, ExitCode.INTERRUPTED)
    return CommandError(message, ExitCode.NOT_UNDONE, {"undone": report_fields(report)})


def value_of(data: bytes) -> str:
    """Return the bytes of a conflict as the number that they are in the target."""
    return f"0x{int.from_bytes(data, 'little'):x}"


def report_fields(report: UndoReport) -> dict[str, Any]:
    """Return the fields of an undo report for --json."""
    return {
        "complete": report.complete,
        "restored": report.restored,
        "unchanged": report.unchanged,
        "undone_before": report.undone_before,
        "conflict_total": report.conflict_total,
        "conflicts": [
            {
                "address": f"0x{each.address:x}",
                "size": len(each.old),
                "old": value_of(each.old),
                "written": value_of(each.written),
                "found": value_of(each.found),
            }
            for each in report.conflicts
        ],
        "remaining": [
            {"address": f"0x{address:x}", "size": size, "why": why}
            for address, size, why in report.remaining
        ],
    }


def _without_writing(failure: BaseException) -> ExitCode:
    """Set `written` to 0, since the target holds nothing of the write; return the exit code."""
    if isinstance(failure, errors.DebugEngineError):
        failure.written = 0
    return exit_code_of(failure)
