"""Create and open journal files."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING

from pydbgwrite._journal.locks import lock
from pydbgwrite._journal.log import TEMPORARY, JournalLog, changed
from pydbgwrite._journal.place import JournalPlace
from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import JournalError

if TYPE_CHECKING:
    from _typeshed import StrOrBytesPath

    from pydbgwrite._target import Target

__all__ = [
    "create_journal",
    "memory_journal",
    "open_again",
    "open_to_read",
    "open_to_undo",
]


def create_journal(place: JournalPlace, session: Target, durable: bool | None) -> JournalLog:
    """Create a journal file with its header. Raises FileExistsError if the file exists."""
    from pydbgwrite._journal.target_identity import describe_target, outlives_this_machine

    if durable is None:
        durable = outlives_this_machine(session)
    header = {
        **describe_target(session, brief=place.brief),
        "created": time.time(),
        "durable": durable,
        "id": os.urandom(16).hex(),
    }
    command = IN_FORCE.get().command_line()
    if command is not None:
        header["command"] = command
    file = place.create()
    try:
        log = JournalLog(file, place.path)
        lock(log, place.path)
        if durable:
            log.sync_each()
        log.begin(header)
        place.made = header["id"]
        if durable:
            place.sync_folder()
    except BaseException:
        file.close()
        place.remove()
        raise
    return log


def memory_journal() -> JournalLog:
    """Create a journal in memory; it ends with this process."""
    return JournalLog(None, TEMPORARY)


def open_to_read(path: StrOrBytesPath, *, header_only: bool = False) -> JournalLog:
    """Open a journal to read it. The whole file is checked, or its header alone."""
    place = JournalPlace.of(path)
    log = JournalLog(place.open(), place.path)
    try:
        log.scan(header_only=header_only)
        _check_made(log, place)
    except BaseException:
        log.close()
        raise
    return log


def open_again(place: JournalPlace) -> JournalLog:
    """Open the journal that was made there, to load() what a closed log has of it."""
    log = JournalLog(place.open(), place.path)
    try:
        try:
            log.scan(header_only=True)
        except not_from_handler(JournalError):
            # Its words are for an undo, which needs every record.
            raise changed(place.path, "its header can't be read") from None
        _check_made(log, place)
    except BaseException:
        log.close()
        raise
    return log


def open_to_undo(path: StrOrBytesPath) -> JournalLog:
    """Open a journal for an undo: lock it, and check the whole file."""
    place = JournalPlace.of(path)
    try:
        file = place.open_trusted(os.O_RDWR)
    except not_from_handler(OSError) as error:
        # Read-only: the undo works, but can't mark the journal.
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        file = place.open_trusted()
    try:
        log = JournalLog(file, place.path)
        if file.writable():
            lock(log, place.path)
        log.scan()
        _check_made(log, place)
        if log.header.get("durable"):
            log.sync_each()
    except BaseException:
        file.close()
        raise
    return log


def _check_made(log: JournalLog, place: JournalPlace) -> None:
    """Raise JournalError if another journal has taken the place of the one that was made there."""
    if place.made is not None and log.header.get("id") != place.made:
        raise JournalError(
            f"{log.name} is another transaction's journal now: that of this one was removed or "
            "replaced. Nothing was written"
        )
