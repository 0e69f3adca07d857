"""The processes of the machine that a worker runs on."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

from pydbgwrite._journal.process_life import start_of
from pydbgwrite._opening.api import attach
from pydbgwrite._processes import program_of
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.kept_files import KeptFiles
from pydbgwrite.errors import TargetAccessError
from pydbgwrite.rollout.host import machine_key, machine_name, was_restarted

if TYPE_CHECKING:
    from pydbgwrite._session import Session
    from pydbgwrite.rollout.choice import Choice, FoundProcess
    from pydbgwrite.rollout.host import Host

__all__ = ["Here"]

_kept = threading.local()


class Here:
    """The processes of this machine. There has the same for those behind a process server."""

    #: Begins the names of its files, and tells it from other machines; "": that of this machine.
    key: str = ""
    #: Microsoft's engine suspends a process when it attaches; others do so later.
    suspends_at_once: bool = sys.platform == "win32"

    @property
    def name(self) -> str:
        """The machine's name, for people."""
        return machine_name()

    def was_restarted(self, key: str) -> bool:
        """Return whether the machine had that key before a restart: its processes have ended."""
        return was_restarted(key)

    def look(self, choice: Choice) -> list[FoundProcess]:
        """Return the processes that fit."""
        return choice.look()

    def never(self, host: Host, pid: int, started: str, program: str) -> str:
        """Return why this process is never stopped, beside the coordinator; "" for others."""
        is_one = pid == os.getpid() or host.is_worker(pid, started)
        return "it is a worker of this rollout" if is_one else ""

    def is_coordinator(self, coordinator: tuple[str, int], pid: int, program: str) -> bool:
        """Return whether a process is the coordinator."""
        return pid == coordinator[1] and machine_key() == coordinator[0]

    def ended(self, pid: int, started: str, program: str) -> bool:
        """Return whether a process is known to have ended, before it is opened or after a fault."""
        return not started or start_of(pid) != started

    def confirms_end(self, pid: int, started: str, program: str) -> bool:
        """Return whether a process has ended of which an error says so."""
        return True

    def open(
        self, pid: int, timeout: float, *, writable: bool = True, suspend: bool = True
    ) -> Session:
        """Open a process. NoTargetError only if it has ended."""
        try:
            session = attach(pid, timeout=timeout, writable=writable, suspend=suspend)
        except not_from_handler(TargetAccessError):
            if suspend:
                raise
            session = attach(pid, timeout=timeout, writable=writable)  # a tracer may do more
        kept = getattr(_kept, "files", None)
        if kept is None:
            kept = _kept.files = KeptFiles()
        session._kept_files = kept  # programs' tables are read once for all processes
        return session

    def differs(self, session: Session, pid: int, started: str) -> str | None:
        """Return None if that is the process which was chosen; "" if that one has ended.

        A text says why it can't be known.
        """
        return None if start_of(pid) == started else ""

    def program_of(self, pid: int) -> str | None:
        """Return the program that a process runs; None if it has ended, or may not be asked."""
        return program_of(pid)

    def close(self) -> None:
        """Nothing is held."""
