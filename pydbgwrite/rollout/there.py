"""The processes of a process server's machine. A worker opens them through Microsoft's engine.

What identifies one of them, and what can't be known: docs/internals/rollouts.md.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from pydbgwrite._journal.linux_process import digest
from pydbgwrite._messages.windows import without_password
from pydbgwrite._opening.api import process_server
from pydbgwrite._processes import file_name, own_processes, program_of
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import DebugEngineError, Error, NoTargetError, RolloutError
from pydbgwrite.rollout.choice import Choice, FoundProcess
from pydbgwrite.rollout.host import machine_key

if TYPE_CHECKING:
    from pydbgwrite._opening.process_server import ProcessServer
    from pydbgwrite._session import Session
    from pydbgwrite.rollout.host import Host

__all__ = ["ServerChoice", "There"]

_OPEN_TIMEOUT: Final = 10.0
#: The program of a process server: to suspend it through itself would be for ever.
_SERVER: Final = "dbgsrv.exe"
#: Seconds from 1601 to 1970, and by how many two times can differ that are cut to seconds.
_TO_1970: Final = 11_644_473_600
_CUT: Final = 2


class ServerChoice(Choice):
    """A choice that also has the server's password, which is not a part of its data."""

    options: str

    def look(self) -> list[FoundProcess]:
        """Return the processes of the server's machine that fit, by pid.

        Each is opened for a moment, without stopping it, to read what identifies it.
        """
        there = There(self.options)
        try:
            return there.look(self)
        finally:
            there.close()


class There:
    """The processes behind a process server. Here has the same for those of this machine."""

    suspends_at_once: bool = True

    def __init__(self, options: str) -> None:
        self._options = options
        #: Where the server is. Two ways to write that are two servers.
        self.name = without_password(options)
        self.key = digest(f"{machine_key()} {self.name}".encode())[:24]
        self._server: ProcessServer | None = None

    def close(self) -> None:
        """End the connection."""
        try:
            if self._server is not None:
                self._server.close()
        except not_from_handler(DebugEngineError):
            pass  # the server is gone, and what was done is done

    def was_restarted(self, key: str) -> bool:
        """Return False: that isn't known of the server's machine."""
        return False

    def _connected(self) -> ProcessServer:
        """Return the connection. RolloutError, and no error of a process, if there is none."""
        if self._server is None:
            try:
                self._server = process_server(self._options, timeout=_OPEN_TIMEOUT)
            except not_from_handler(Error, TimeoutError, OSError) as error:
                raise RolloutError(f"the process server can't be reached: {error}") from error
        return self._server

    def _runs(self, pid: int) -> bool:
        return pid in self._running()

    def _running(self) -> list[int]:
        try:
            return self._connected()._running_ids()
        except not_from_handler(DebugEngineError) as error:
            raise RolloutError(f"the process server {self.name} has failed: {error}") from error

    def look(self, choice: Choice) -> list[FoundProcess]:
        """Return the processes that fit."""
        running = set(self._running())
        wanted = None if choice.program is None else choice.program.lower()
        ours = own_processes()
        found = []
        for pid in choice.pids or sorted(running):
            if pid not in running:
                found.append(FoundProcess(pid, "", "", "", "there is no such process"))
                continue
            name = self._connected()._program_of(pid)
            if wanted is not None and name.lower() not in (wanted, f"{wanted}.exe"):
                continue
            if pid in ours and _is_own_program(name):
                if choice.pids is None:
                    continue
                why = "it is this very process, or one that has started it"
                found.append(FoundProcess(pid, name, "", "", why))
            else:
                found.append(self._identified(pid, name))
        return found

    def _identified(self, pid: int, name: str) -> FoundProcess:
        if name.lower() == _SERVER:
            return FoundProcess(pid, name, "", "", _never_server())
        try:
            with self._connected().attach(
                pid, suspend=False, writable=False, timeout=_OPEN_TIMEOUT
            ) as session:
                started = str(session._process_life()[0])
        except not_from_handler(Error, TimeoutError, OSError, ValueError) as error:
            return FoundProcess(pid, name, "", "", str(error))
        return FoundProcess(pid, name, "", started, "")

    def never(self, host: Host, pid: int, started: str, program: str) -> str:
        """Return why this process is never stopped, beside the coordinator; "" for others."""
        if program.lower() == _SERVER:
            return _never_server()
        if _is_own_program(program) and pid in own_processes() | host.workers():
            return "it may be a worker of this rollout, or a process that has started one"
        return ""

    def is_coordinator(self, coordinator: tuple[str, int], pid: int, program: str) -> bool:
        """Return whether a process may be the coordinator: the server can be on any machine."""
        return pid == coordinator[1] and _is_own_program(program)

    def ended(self, pid: int, started: str, program: str) -> bool:
        """Return whether a process is known to have ended, before it is opened or after a fault."""
        if not self._runs(pid):
            return True
        now = self._connected()._program_of(pid)
        return bool(program and now) and program.lower() != now.lower()

    def confirms_end(self, pid: int, started: str, program: str) -> bool:
        """Return whether a process has ended of which an error says so: or it is the server."""
        return self.ended(pid, started, program)

    def open(
        self, pid: int, timeout: float, *, writable: bool = True, suspend: bool = True
    ) -> Session:
        """Open a process. NoTargetError only if it has ended."""
        try:
            return self._connected().attach(
                pid, timeout=timeout, writable=writable, suspend=suspend
            )
        except not_from_handler(NoTargetError) as error:
            if not self._runs(pid):
                raise
            raise DebugEngineError(str(error)) from error

    def differs(self, session: Session, pid: int, started: str) -> str | None:
        """Return None if that is the process which was chosen; "" if that one has ended.

        A text says why it can't be known.
        """
        if not started:
            return "it could not be identified when it was chosen"
        try:
            thread, now, up = session._process_life()
        except not_from_handler(DebugEngineError) as error:
            return f"nothing proves that it is the process which was chosen: {error}"
        if str(thread) == started:
            return None
        # The process that was chosen has begun before its thread, and this one after it.
        if now - up - _CUT > int(started) // 10**7 - _TO_1970:
            return ""
        return (
            "its first thread has ended, so nothing proves that it is the process which was chosen"
        )

    def program_of(self, pid: int) -> str:
        """Return the file name of the program that a process runs; "" if it is not known."""
        return self._connected()._program_of(pid)


def _is_own_program(name: str) -> bool:
    """Return whether a program has the name of the one that runs this."""
    return file_name(program_of(os.getpid()) or "").lower() == name.lower()


def _never_server() -> str:
    return f"it runs {_SERVER}: it may be the process server itself"
