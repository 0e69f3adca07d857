"""undo() and read_journal(): the two public calls on a finished journal."""

from __future__ import annotations

from pydbgwrite import _core
from pydbgwrite.errors import ReadOnlyError, SessionBusyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import StrOrBytesPath

    from pydbgwrite._reports import JournalInfo, UndoReport
    from pydbgwrite._target import Target as Session  # help() shows this name

__all__ = ["read_journal", "undo"]


def read_journal(path: StrOrBytesPath) -> JournalInfo:
    """Read a journal's description of its transaction and its target.

    The whole file is read and its checksums are checked. No target is needed.

    Args:
        path: A file that Session.transaction() made.

    Returns:
        The JournalInfo.

    Raises:
        JournalError: The file is damaged (the message names the offset), has another version, or is
            no journal.
        OSError: The file can't be read.
    """
    from pydbgwrite._journal.files import open_to_read

    log = open_to_read(path)
    log.close()
    return log.info()


def undo(
    journal: StrOrBytesPath,
    session: Session,
    *,
    force: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> UndoReport:
    """Restore what the writes of a transaction replaced, from its journal.

    Example::

        with pydbgwrite.attach(pydbgwrite.read_journal("table.journal").pid) as session:
            report = pydbgwrite.undo("table.journal", session)

    It works for a transaction that was killed and for one that was committed. The last write is
    undone first. Each location is read. If it holds the written value, the old value is restored.
    If it holds the old value, nothing is done. Anything else (except a mix of the two where a write
    was cut short) is a conflict: it is reported, not changed. Undo is idempotent, and may be run
    again after an interruption.

    Engine calls: ReadVirtual and WriteVirtual.

    Args:
        journal: A file that Session.transaction() made. It stays, and is marked as undone.
        session: The target that the journal belongs to: the same process, since its start and its
            last execve; for simulated memory, the same session.
        force: Restore conflicts too.
        progress: Called as progress(done, total), in recorded pieces. If it raises, the undo stops
            and the exception propagates.

    Returns:
        An UndoReport. Its `complete` says whether everything is restored.

    Raises:
        JournalError: The journal is damaged (the message names the offset), has another version,
            belongs to another target, or is in use by another process. Nothing is written.
        ReadOnlyError: The session has writable=False.
        PermissionError: This process is root's, and another user may have made the file: it belongs
            to one, others may write to it, or it is a link.
        OSError: The file can't be read.
        SessionBusyError: A transaction is open in the session.
        NoTargetError: The target has ended. If it ends during the undo, or behind a process server,
            which can't be asked, the report says so instead.
        KeyboardInterrupt: Ctrl-C. The exception carries the report, as does what `progress` raises.
    """
    from pydbgwrite._journal.files import open_to_undo
    from pydbgwrite._journal.target_identity import check_target
    from pydbgwrite._transactions.undo import undo_log

    if not isinstance(session, _core.Session):
        raise TypeError(f"session must be a Session, got {type(session).__name__}")
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, got {type(progress).__name__}")
    if not session.writable:
        raise ReadOnlyError("the session was opened with writable=False: nothing can be undone")
    if getattr(session, "_transaction", None) is not None:
        raise SessionBusyError(
            "a transaction is open in this session: its own undo() undoes it; end it first"
        )
    log = open_to_undo(journal)
    try:
        check_target(log.header, session, log.name)
        return undo_log(session, log, force=bool(force), progress=progress)
    finally:
        log.close()
