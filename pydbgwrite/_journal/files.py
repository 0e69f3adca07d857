"""Create, lock and open journal files."""

from __future__ import annotations

import errno
import io
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pydbgwrite._core import FileDescriptor
from pydbgwrite._journal.place import JournalPlace
from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import JournalError

if TYPE_CHECKING:
    from _typeshed import StrOrBytesPath

    from pydbgwrite._journal.log import JournalLog
    from pydbgwrite._target import Target

__all__ = [
    "create_journal",
    "is_locked",
    "memory_journal",
    "open_to_read",
    "open_to_undo",
]

# The offset of a journal's lock: far behind its contents, since a lock on Windows blocks reads.
_LOCK_AT: Final = 1 << 40
_PATIENCE: Final = 1.0  # seconds
_IN_USE: Final = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


def create_journal(place: JournalPlace, session: Target, durable: bool | None) -> JournalLog:
    """Create a journal file with its header. Raises FileExistsError if the file exists."""
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
    command = IN_FORCE.get().command_line()
    if command is not None:
        header["command"] = command
    file = place.create()
    try:
        _lock(file, place.path)
        log = JournalLog(file, place.path, _flusher(file) if durable else None)
        log.begin(header)
        if durable:
            place.sync_folder()
    except BaseException:
        file.close()
        place.remove()
        raise
    return log


def memory_journal() -> JournalLog:
    """Create a journal in memory; it ends with this process."""
    from pydbgwrite._journal.log import JournalLog
    from pydbgwrite._journal.spool import Spool

    log = JournalLog(Spool(), "the memory of this transaction")
    log.begin({})
    return log


def open_to_read(path: StrOrBytesPath, *, header_only: bool = False) -> JournalLog:
    """Open a journal to read it. The whole file is checked, or its header alone."""
    from pydbgwrite._journal.log import JournalLog

    place = JournalPlace.of(path)
    log = JournalLog(place.open(), place.path)
    try:
        log.scan(header_only=header_only)
    except BaseException:
        log.close()
        raise
    return log


def open_to_undo(path: StrOrBytesPath) -> JournalLog:
    """Open a journal for an undo: lock it, and check the whole file."""
    from pydbgwrite._journal.log import JournalLog

    place = JournalPlace.of(path)
    try:
        file = place.open(os.O_RDWR)
    except not_from_handler(OSError) as error:
        # Read-only: the undo works, but can't mark the journal.
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        file = place.open()
    try:
        if file.writable():
            _lock(file, place.path)
        log = JournalLog(file, place.path)
        log.scan()
        if log.header.get("durable"):
            log.flush_by(_flusher(file))
    except BaseException:
        file.close()
        raise
    return log


def _flusher(file: io.FileIO) -> Callable[[], object]:
    """Return the function that syncs the file's contents to the disk."""
    sync = getattr(os, "fdatasync", os.fsync)
    return lambda: sync(file.fileno())


def _lock(file: io.FileIO, name: str) -> None:
    """Lock the journal; the process's end unlocks it. JournalError if another process has it."""
    # A process that was just killed can hold its lock for a moment longer.
    deadline = time.monotonic() + _PATIENCE
    while not _try_lock(file):
        if time.monotonic() > deadline:
            raise JournalError(
                f"the journal {name} is in use by another process, for an open transaction or an "
                "undo. Nothing was written; try again after that"
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
    except not_from_handler(OSError) as error:
        return error.errno not in _IN_USE  # other errors: a file system without locks
    return True


def is_locked(log: JournalLog) -> bool:
    """Return whether a transaction or an undo has the journal open, here or in another process."""
    file = log.file
    if sys.platform == "win32":
        import msvcrt

        assert isinstance(file, io.FileIO)
        if not _try_lock(file):
            return True
        file.seek(_LOCK_AT)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
        return False
    import fcntl

    try:
        found = fcntl.fcntl(file.fileno(), fcntl.F_OFD_GETLK, _write_lock())
    except not_from_handler(AttributeError, OSError):  # not on Linux; a file system without locks
        return False
    kind: int = _LOCK.unpack(found)[0]
    return kind != fcntl.F_UNLCK


if sys.platform != "win32":
    import struct
    import weakref

    _LOCK: Final = struct.Struct("hhqqi0q")  # struct flock: type, whence, start, length, pid

    _locked: weakref.WeakSet[io.FileIO] = weakref.WeakSet()

    def _lock_description(file: io.FileIO) -> None:
        """Lock this open file description, also against others of this process.

        A lock of the process (lockf) ends when any code in it closes the same file, such as
        read_journal().
        """
        import fcntl

        try:
            command = fcntl.F_OFD_SETLK
        except not_from_handler(AttributeError):  # not on Linux
            fcntl.lockf(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _LOCK_AT)
            return
        fcntl.fcntl(file.fileno(), command, _write_lock())
        _locked.add(file)

    def _write_lock() -> bytes:
        import fcntl

        return _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _LOCK_AT, 1, 0)

    def _leave_to_parent() -> None:
        """In a forked child: reopen journals to read, so that the child holds no lock."""
        for file in list(_locked):
            if file.closed:
                continue
            descriptor = file.fileno()
            try:
                path = f"/proc/self/fd/{descriptor}"
                own = FileDescriptor(os.open, path, os.O_RDONLY | os.O_CLOEXEC)
            except not_from_handler(OSError):
                file.close()
                continue
            os.dup2(own.fileno(), descriptor, inheritable=False)
            own.close()
        _locked.clear()

    os.register_at_fork(after_in_child=_leave_to_parent)
