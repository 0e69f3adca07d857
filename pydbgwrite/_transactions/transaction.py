"""Transactions: record the writes of a session, and roll them back after an exception."""

from __future__ import annotations

import os
import sys
from typing import Final

# What an undo needs is imported before a transaction begins: the disk or memory may be full later.
from pydbgwrite._interrupts import HeldInterrupts
from pydbgwrite._journal.files import create_journal, memory_journal
from pydbgwrite._journal.format import COMMITTED
from pydbgwrite._journal.place import JournalPlace
from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._signal_handlers import is_from_handler
from pydbgwrite._transactions.undo import undo_log
from pydbgwrite.errors import JournalError, ReadOnlyError, SessionBusyError, UndoError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType, TracebackType
    from typing import Self

    from _typeshed import StrOrBytesPath

    from pydbgwrite._journal.log import JournalLog
    from pydbgwrite._reports import Change, UndoReport
    from pydbgwrite._target import OpenTransaction
    from pydbgwrite._target import Target as Session  # help() shows this name

__all__ = ["Transaction", "checked_journal"]


class Transaction:
    """The writes of a `with` block, all of them or none. Session.transaction() makes it.

    If the block ends without an exception, the target keeps the writes. If an exception leaves
    the block (Ctrl-C too), the writes are undone, the last first. The exception then continues.
    A note says what was undone or what remains, and `undo_report` is the UndoReport. A
    transaction is used once and does not nest.

    While such an undo runs, the first Ctrl-C waits for its end. A second one stops it, and the
    note says what remains.
    """

    __module__ = "pydbgwrite"
    __slots__ = ("__weakref__", "_durable", "_log", "_place", "_report", "_session", "_state")

    def __init__(self, session: Session, place: JournalPlace | None, durable: bool | None) -> None:
        self._session = session
        self._place = place
        self._durable = durable
        self._state = "new"  # later "open", then "committed" or "undone"
        self._report: UndoReport | None = None
        self._log: JournalLog | None = None

    @property
    def journal(self) -> str | None:
        """The absolute path of the journal, or None."""
        return None if self._place is None else self._place.path

    @property
    def report(self) -> UndoReport | None:
        """The report of the undo that an exception caused, or None."""
        return self._report

    @property
    def changes(self) -> Sequence[Change]:
        """The recorded writes in order, including those that were undone since.

        A long write is recorded in several pieces. An element is read on access. After the
        transaction has ended, it is read from the journal, which is open only meanwhile:
        JournalError or OSError is raised if the file is gone, another, or was changed.
        """
        from pydbgwrite._transactions.changes import Changes

        return Changes(self._recorded(), self._place)

    def undo(self) -> UndoReport:
        """Undo all recorded writes, the last first. The transaction stays open.

        It also works after the transaction's end, while the session is open. A location that
        holds neither the written nor the old value is a conflict: reported, not changed. The
        report says exactly what remains (`complete`). No failure raises. It may be called again.
        A signal's handler that interrupts the undo or the commit gets SessionBusyError.

        Engine calls: ReadVirtual and WriteVirtual.
        """
        if self._state == "new":
            raise ValueError("the transaction has not begun: use it in a `with` statement")
        self._refuse_handlers()
        if self._state == "open":
            log = self._recorded()
            try:
                # Within the `try`: a signal's handler can raise as soon as the call has ended.
                self._session._set_recorder(None, None)
                return undo_log(self._session, log, spans=self._may_span())
            finally:
                if self._state == "open":
                    self._session._set_recorder(log.records, log.cut_short)
        if self._place is not None:
            from pydbgwrite._transactions.api import undo

            return undo(self._place, self._session)
        if _open_in(self._session) is not None:
            raise SessionBusyError(
                "another transaction is open in this session: end that first, then undo this one"
            )
        return undo_log(self._session, self._recorded(), spans=self._may_span())

    def __enter__(self) -> Self:
        session = self._session
        if self._state != "new":
            raise ValueError("a transaction is used once: session.transaction() makes another")
        if _open_in(session) is not None:
            raise SessionBusyError(
                "a transaction is open in this session already, and they do not nest: end that "
                "first, or let it record these writes too"
            )
        if getattr(session, "_serving", False):
            raise SessionBusyError(
                "the session serves clients, whose writes a transaction can't record. End serve() "
                "first"
            )
        if not session.writable:
            raise ReadOnlyError(
                "the session was opened with writable=False: there is nothing to record"
            )
        # Of another thread this is refused before anything is made or changed. That thread could
        # have begun a transaction since the question above, and what follows would end it.
        session._set_recorder(None, None)
        if self._place is None:
            log = memory_journal()
        else:
            log = create_journal(self._place, session, self._durable)
        try:
            session._set_recorder(log.records, log.cut_short)
            session._transaction = self
            self._log = log
            self._state = "open"
        except BaseException:
            self._state = "new"
            session._transaction = None
            try:
                log.close()
                if self._place is not None:
                    self._place.remove()
            finally:
                session._set_recorder(None, None)  # or it raises again why none could be set
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A Ctrl-C can come between any two lines until the undo holds it back. It is then one more
        # reason to undo. A Ctrl-C before this `try` leaves the transaction open, and the session's
        # end undoes it.
        try:
            if self._state == "open":
                if value is None:
                    self._commit()
                else:
                    self._undo_because(value)
        except BaseException as error:
            if self._state == "open":
                self._undo_because(error if value is None else value)
            elif self._state == "committed":
                error.add_note("The transaction was complete before: its writes stay")
            raise

    def _commit(self) -> None:
        log = self._recorded()
        self._session._set_recorder(None, None)
        log.mark(COMMITTED)
        self._over("committed")

    def _undo_because(self, error: BaseException) -> None:
        """Undo, and add a note to the exception."""
        with HeldInterrupts() as held:
            try:
                self._session._set_recorder(None, None)
                done = undo_log(self._session, self._recorded(), spans=self._may_span())
                self._tell(error, done)
                self._over("undone")
            except BaseException as other:
                report = getattr(other, "undo_report", None)
                if report is None:
                    # What can't be read now is of no use for an undo later.
                    hint = "" if isinstance(other, JournalError) else self._hint()
                    error.add_note(f"The transaction could NOT be undone: {other!r}{hint}")
                else:
                    self._tell(error, report)
                    self._over("undone")
                if isinstance(other, Exception) and not is_from_handler(other):
                    return  # the exception propagates and says all
                raise
        if held.pressed and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt

    def _refuse_handlers(self) -> None:
        """Raise SessionBusyError in a signal's handler that interrupts an undo or the commit.

        The stack says so: a mark would stay set if an exception came just before its reset.
        """
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            if frame.f_code in _WORKS and frame.f_locals.get("self") is self:
                raise SessionBusyError(
                    "the transaction is being undone or committed at this moment, and a signal's "
                    "handler can't undo it: call undo() after that"
                )
            frame = frame.f_back

    def _is_synced(self) -> bool:
        """Return whether each write waits for a sync of its records to the disk."""
        return self._recorded().records.durable

    def _may_span(self) -> bool:
        """Return whether an undo may write pages back, as the transaction's own writes did."""
        return not self._session._spans_refused

    def _tell(self, error: BaseException, report: UndoReport) -> None:
        self._report = report
        error.undo_report = report  # type: ignore[attr-defined]
        # Nothing was written: no note about an undo.
        if len(self._recorded()):
            error.add_note(self._describe(report))

    def _describe(self, report: UndoReport) -> str:
        if report.complete:
            return f"The transaction was undone: {report}"
        return f"The transaction could NOT be undone completely: {report}{self._hint()}"

    def _hint(self) -> str:
        if self._place is None:
            return ""
        return f". The journal has all of it: {IN_FORCE.get().undoing(self._place.path)}"

    def _over(self, state: str) -> None:
        """End the transaction and release its journal for others."""
        self._session._transaction = None
        self._state = state
        if self._place is not None:
            self._recorded().close()

    def _recorded(self) -> JournalLog:
        """Return the log, which is closed after the end if it has a journal."""
        return memory_journal() if self._log is None else self._log

    def _abandon(self, error: BaseException | None) -> None:
        """Undo, because the session ends while the transaction is open."""
        if self._state != "open":
            return
        if error is not None:
            self._undo_because(error)
            return
        reason = UndoError(
            "a transaction was open when its session ended, and it could not be undone completely"
        )
        self._undo_because(reason)
        reason.undo_report = self._report
        if self._report is None or not self._report.complete:
            raise reason

    def __repr__(self) -> str:
        return f"<pydbgwrite.Transaction of {self._session!r}, {self._state}>"


#: The methods in which undo() is refused.
_WORKS: Final = frozenset(
    each.__code__ for each in (Transaction.undo, Transaction._undo_because, Transaction._commit)
)


def checked_journal(
    journal: StrOrBytesPath | None, durable: bool | None
) -> tuple[JournalPlace | None, bool | None]:
    """Validate the arguments of Session.transaction(); return a place with an absolute path."""
    if durable is not None and not isinstance(durable, bool):
        raise TypeError(f"durable must be True, False or None, got {type(durable).__name__}")
    if journal is None:
        if durable:
            raise ValueError("durable=True is for a journal: pass journal=, the file to make")
        return None, None
    if isinstance(journal, JournalPlace):
        return journal, durable
    name = os.fsdecode(journal)
    if not name or "\0" in name:
        raise ValueError(
            f"{IN_FORCE.get().name('journal')} must be the path of a file to make, got {name!r}"
        )
    return JournalPlace(os.path.abspath(name)), durable


def _open_in(session: Session) -> OpenTransaction | None:
    found: OpenTransaction | None = getattr(session, "_transaction", None)
    return found
