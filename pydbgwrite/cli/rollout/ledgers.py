"""The ledgers of rollouts that the command line began: in the user's state folder."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.exit_codes import CommandError, ExitCode
from pydbgwrite.errors import JournalError, RolloutError

if TYPE_CHECKING:
    from pydbgwrite.rollout import Report

__all__ = ["has_ledger", "kept", "new_folder", "read_status", "remove_if_empty"]

_FOLDER: Final = "ledgers"


def new_folder() -> str:
    """Return the path of a folder for a new ledger, which is not made yet."""
    from pydbgwrite._state_folder import StateFolder

    try:
        with StateFolder(_FOLDER, create=True) as folder:
            # In the order of time, and no name twice.
            name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(2).hex()}"
            return folder.path_of(name)
    except not_from_handler(OSError) as failure:
        named = "" if failure.filename is None else f" in {failure.filename}"
        raise CommandError(
            f"no ledger can be made{named}: {failure.strerror or failure}; nothing was written. "
            "--ledger FOLDER keeps it in another place",
            ExitCode.BAD_USAGE,
        ) from failure


def kept() -> tuple[str | None, list[str]]:
    """Return the folder of all ledgers, and the folder of each, the last one at the end.

    None: there is none. CommandError if it can't be read.
    """
    from pydbgwrite._state_folder import StateFolder

    try:
        with StateFolder(_FOLDER, create=False) as folder:
            return folder.path, [folder.path_of(name) for name in sorted(folder.names())]
    except not_from_handler(FileNotFoundError):
        return None, []
    except not_from_handler(OSError) as failure:
        raise _unreadable(_FOLDER, failure) from failure


def has_ledger(folder: str) -> bool:
    """Return whether a folder has the ledger of a rollout."""
    from pydbgwrite.rollout.ledger import FILE_NAME

    return os.path.lexists(os.path.join(folder, FILE_NAME))


def remove_if_empty(folder: str) -> None:
    """Remove the folder of a rollout that has not begun."""
    try:
        os.rmdir(folder)
    except not_from_handler(OSError):
        pass


def read_status(folder: str) -> Report:
    """Return what a ledger has; CommandError if there is none that can be read."""
    from pydbgwrite import rollout

    try:
        return rollout.status(folder)
    except not_from_handler(RolloutError, JournalError) as failure:
        raise CommandError(str(failure), ExitCode.BAD_USAGE) from failure
    except not_from_handler(OSError) as failure:
        raise _unreadable(folder, failure) from failure


def _unreadable(folder: str, failure: OSError) -> CommandError:
    path = folder if failure.filename is None else failure.filename
    return CommandError(
        f"the ledger in {path!r} could not be read: {failure.strerror or failure}",
        ExitCode.BAD_USAGE,
    )
