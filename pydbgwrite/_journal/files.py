"""Journals as files: making them, undo() from them, and read_journal()."""

from __future__ import annotations

import errno
import io
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pydbgwrite._reports import JournalInfo, UndoReport
from pydbgwrite.errors import JournalError, ReadOnlyError, SessionBusyError

if TYPE_CHECKING:
    from _typeshed import StrOrBytesPath

    from pydbgwrite._journal.log import JournalLog
    from pydbgwrite._session import Session

__all__ = [
    "create_journal",
    "memory_journal",
    "open_to_read",
    "read_journal",
    "undo",
]

# Where the lock of a journal is: far behind its contents, for Windows locks what it covers.
_LOCK_AT: Final = 1 << 40
_PATIENCE: Final = 1.0  # seconds
_IN_USE: Final = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


def read_journal(path: StrOrBytesPath) -> JournalInfo:
    """Read what a journal says of its transaction and of the target it belongs to.

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
    from pydbgwrite._journal import format as form

    log = open_to_read(path)
    log.close()
    name, told = log.name, log.header
    return JournalInfo(
        path=name,
        version=form.VERSION,
        created=float(told.get("created", 0)),
        pid=told.get("pid"),
        target=str(told.get("target", "")),
        engine=str(told.get("engine", "")),
        pointer_size=int(told.get("pointer_size", 0)),
        started=str(told.get("started", "")),
        program=str(told.get("program", "")),
        base=told.get("base"),
        size=told.get("size"),
        durable=bool(told.get("durable")),
        state=log.state,
        writes=len(log),
        bytes=log.bytes,
        torn=log.torn,
    )


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
        OSError: The file can't be read.
        SessionBusyError: A transaction is open in the session.
        NoTargetError: The target has ended. If it ends during the undo, or behind a process server,
            which can't be asked, the report says so instead.
        KeyboardInterrupt: Ctrl-C. The exception carries the report, as does what `progress` raises.
    """
    from pydbgwrite import _session
    from pydbgwrite._journal import target_identity
    from pydbgwrite._transactions.undo import undo_log

    if not isinstance(session, _session.Session):
        raise TypeError(f"session must be a Session, got {type(session).__name__}")
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, got {type(progress).__name__}")
    if not session.writable:
        raise ReadOnlyError("the session was opened with writable=False: nothing can be undone")
    if getattr(session, "_transaction", None) is not None:
        raise SessionBusyError(
            "a transaction is open in this session: its own undo() undoes it; end it first"
        )
    log = _open_to_undo(journal)
    try:
        target_identity.check_target(log.header, session, log.name)
        return undo_log(session, log, force=bool(force), progress=progress)
    finally:
        log.close()


def create_journal(path: StrOrBytesPath, session: Session, durable: bool | None) -> JournalLog:
    """A new journal on disk, with its header in it. FileExistsError where there is such a file."""
    from pydbgwrite._journal.log import JournalLog
    from pydbgwrite._journal.target_identity import describe_target, outlives_this_machine

    if durable is None:
        durable = outlives_this_machine(session)
    header = {
        **describe_target(session),
        "created": time.time(),
        "durable": durable,
        "id": os.urandom(16).hex(),
    }
    name = os.fsdecode(path)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    try:
        file = io.FileIO(os.open(name, flags | _more_flags(), 0o600), "r+b")
    except FileExistsError:
        raise FileExistsError(
            errno.EEXIST,
            "there is such a file already, and a journal never overwrites one: it may hold what an "
            "undo needs (pydbgwrite.undo). Undo or remove it first, or take another name",
            name,
        ) from None
    try:
        _lock(file, name)
        log = JournalLog(file, name, _flusher(file) if durable else None)
        log.begin(header)
        if durable:
            _flush_folder(name)
    except BaseException:
        file.close()
        os.unlink(name)
        raise
    return log


def memory_journal() -> JournalLog:
    """A journal for as long as this process lives."""
    from pydbgwrite._journal.log import JournalLog
    from pydbgwrite._journal.spool import Spool

    log = JournalLog(Spool(), "the memory of this transaction")
    log.begin({})
    return log


def open_to_read(path: StrOrBytesPath) -> JournalLog:
    """A journal, read and checked whole; nothing can be added to it."""
    from pydbgwrite._journal.log import JournalLog

    name = os.fsdecode(path)
    file = io.FileIO(name)
    log = JournalLog(file, name)
    try:
        log.scan()
    except BaseException:
        log.close()
        raise
    return log


def _open_to_undo(path: StrOrBytesPath) -> JournalLog:
    """A journal for an undo: locked, read, and checked whole."""
    from pydbgwrite._journal.log import JournalLog

    name = os.fsdecode(path)
    try:
        file = io.FileIO(os.open(name, os.O_RDWR | _more_flags()), "r+b")
    except PermissionError:
        # Marks can't be made then; undoing works all the same.
        file = io.FileIO(name)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        file = io.FileIO(name)
    try:
        if file.writable():
            _lock(file, name)
        log = JournalLog(file, name)
        log.scan()
        if log.header.get("durable"):
            log.flush_by(_flusher(file))
    except BaseException:
        file.close()
        raise
    return log


def _more_flags() -> int:
    return getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0)


def _flusher(file: io.FileIO) -> Callable[[], object]:
    """What brings the file's contents to the disk."""
    sync = getattr(os, "fdatasync", os.fsync)
    return lambda: sync(file.fileno())


def _flush_folder(name: str) -> None:
    """Bring the file's name to the disk too; Windows has no call for that and needs none."""
    if sys.platform == "win32":
        return
    folder = os.open(os.path.dirname(os.path.abspath(name)), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _lock(file: io.FileIO, name: str) -> None:
    """Lock the journal for this process; its death unlocks. JournalError where another has it."""
    # A process that was killed this moment may take a little to be gone.
    deadline = time.monotonic() + _PATIENCE
    while not _try_lock(file):
        if time.monotonic() > deadline:
            raise JournalError(
                f"the journal {name} is in use by another process: its transaction goes on, or is "
                "being undone. Nothing was written; try again when that has ended"
            )
        time.sleep(0.02)


def _try_lock(file: io.FileIO) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(_LOCK_AT)
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            finally:
                file.seek(0)
        else:
            _lock_description(file)
    except OSError as error:
        return error.errno not in _IN_USE  # else a file system without locks
    return True


if sys.platform != "win32":
    import weakref

    _locked: weakref.WeakSet[io.FileIO] = weakref.WeakSet()

    def _lock_description(file: io.FileIO) -> None:
        """Lock for this one opening of the file, against others of this process too.

        A lock of the process (lockf) would end when anything in it closes the same file: a
        read_journal() would do.
        """
        import fcntl
        import struct

        try:
            command = fcntl.F_OFD_SETLK
        except AttributeError:  # not on Linux
            fcntl.lockf(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _LOCK_AT)
            return
        # struct flock: type, whence, start, length, pid
        lock = struct.pack("hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, _LOCK_AT, 1, 0)
        fcntl.fcntl(file.fileno(), command, lock)
        _locked.add(file)

    def _leave_to_parent() -> None:
        """In a forked child: journals opened anew, to read, so that their locks are not its too."""
        for file in list(_locked):
            if file.closed:
                continue
            descriptor = file.fileno()
            try:
                own = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                file.close()
                continue
            os.dup2(own, descriptor, inheritable=False)
            os.close(own)
        _locked.clear()

    os.register_at_fork(after_in_child=_leave_to_parent)
