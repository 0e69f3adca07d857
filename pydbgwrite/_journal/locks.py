"""Lock a journal, so that a transaction and an undo never have one journal open at a time."""

from __future__ import annotations

import errno
import os
import struct
import sys
import time
import weakref
from typing import Final, Protocol

from pydbgwrite._core import FileDescriptor
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import JournalError

__all__ = ["Lockable", "is_locked", "lock"]

# The offset of a journal's lock: far behind its contents, since a lock on Windows blocks reads.
_LOCK_AT: Final = 1 << 40
_PATIENCE: Final = 1.0  # seconds
_IN_USE: Final = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


class Lockable(Protocol):
    """What has an open file, and closes it for all who use it."""

    @property
    def closed(self) -> bool: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


def lock(file: Lockable, name: str) -> None:
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


if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    _EXCLUSIVE_AT_ONCE: Final = 3  # LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY
    _LOCK_VIOLATION: Final = 33
    _IO_PENDING: Final = 997

    class _Overlapped(ctypes.Structure):
        _fields_ = (
            ("Internal", ctypes.c_size_t),
            ("InternalHigh", ctypes.c_size_t),
            ("Offset", wintypes.DWORD),
            ("OffsetHigh", wintypes.DWORD),
            ("hEvent", wintypes.HANDLE),
        )

    def _try_lock(file: Lockable) -> bool:
        # msvcrt.locking() tells no lock of another from other errors in Wine, and its offset has
        # 32 bits.
        return _call("LockFileEx", file, _EXCLUSIVE_AT_ONCE, 0) not in (
            _LOCK_VIOLATION,
            _IO_PENDING,
        )

    def is_locked(file: Lockable) -> bool:
        """Return whether a transaction or an undo has the journal open."""
        if not _try_lock(file):
            return True
        _call("UnlockFileEx", file, 0)
        return False

    def _call(name: str, file: Lockable, *before: int) -> int:
        """Call LockFileEx or UnlockFileEx for the byte of the lock; return 0 or the error."""
        function = getattr(ctypes.WinDLL("kernel32", use_last_error=True), name)
        place = _Overlapped(Offset=_LOCK_AT & 0xFFFFFFFF, OffsetHigh=_LOCK_AT >> 32)
        handle = wintypes.HANDLE(msvcrt.get_osfhandle(file.fileno()))
        done = function(handle, *before, 1, 0, ctypes.byref(place))
        return 0 if done else ctypes.get_last_error()

else:
    import fcntl

    _STRUCT: Final = struct.Struct("hhqqi0q")  # struct flock: type, whence, start, length, pid

    _locked: weakref.WeakSet[Lockable] = weakref.WeakSet()

    def _try_lock(file: Lockable) -> bool:
        try:
            _lock_description(file)
        except not_from_handler(OSError) as error:
            return error.errno not in _IN_USE  # other errors: a file system without locks
        return True

    def is_locked(file: Lockable) -> bool:
        """Return whether a transaction or an undo has the journal open."""
        try:
            found = fcntl.fcntl(file.fileno(), fcntl.F_OFD_GETLK, _write_lock())
        except not_from_handler(AttributeError, OSError):
            return False  # not on Linux; a file system without locks
        kind: int = _STRUCT.unpack(found)[0]
        return kind != fcntl.F_UNLCK

    def _lock_description(file: Lockable) -> None:
        """Lock this open file description, also against others of this process.

        A lock of the process (lockf) ends when any code in it closes the same file, such as
        read_journal().
        """
        try:
            command = fcntl.F_OFD_SETLK
        except not_from_handler(AttributeError):  # not on Linux
            fcntl.lockf(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _LOCK_AT)
            return
        fcntl.fcntl(file.fileno(), command, _write_lock())
        _locked.add(file)

    def _write_lock() -> bytes:
        return _STRUCT.pack(fcntl.F_WRLCK, os.SEEK_SET, _LOCK_AT, 1, 0)

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
