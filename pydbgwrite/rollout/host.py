"""What a machine keeps of its rollouts, in the folder of the user whose worker runs there.

The names in it begin with the rollout's id and this machine's key, or that of a process server:

    ID-KEY-PID-STARTED-N.journal   the journal of the Nth attempt on a process
    ID-KEY-N.claim                 processes that no other rollout may have until this one has ended
    ID-KEY-PID-STARTED.worker      a worker of the rollout, which no other worker may stop
    ID-KEY.closed                  nothing begins here any more: the rollout is undone, or over

No part of a name comes from the coordinator but the id, and that is checked.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import FileIO
from typing import Any, Final

from pydbgwrite._journal.linux_process import digest, machine
from pydbgwrite._journal.locks import lock
from pydbgwrite._journal.place import JournalPlace
from pydbgwrite._journal.process_life import start_of
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._state_folder import StateFolder
from pydbgwrite.errors import JournalError, RolloutError

__all__ = ["ClosedError", "Host", "machine_key", "machine_name", "was_restarted"]

_FOLDER: Final = "rollouts"
_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL
_JOURNAL: Final = re.compile(r"([0-9a-f]{32})-([0-9a-f]{24})-(\d+)-(\d+)-\d+\.journal", re.ASCII)
_CLAIM: Final = re.compile(r"([0-9a-f]{32})-([0-9a-f]{24})-\d+\.claim", re.ASCII)
_PROCESS: Final = re.compile(r"\d+ \d+", re.ASCII)
_LONGEST_CLAIM: Final = 16 << 20
#: What is in the .closed of a rollout that was undone before it was over.
_UNDONE: Final = b"undone"
#: Each takes a second.
_LOCK_TRIES: Final = 60
#: After so many seconds no lost task of a rollout is expected to come back.
_LATEST_TASK: Final = 30 * 24 * 60 * 60


class ClosedError(RolloutError):
    """The rollout is being undone, or is over: nothing more of it begins on this machine."""


def machine_key() -> str:
    """Return an id of this machine, since its boot, and of this pid namespace."""
    here = {"machine": os.environ.get("COMPUTERNAME", "")}
    if sys.platform != "win32":
        here = machine()
    return "".join(
        digest(here.get(name, "").encode())[:8] for name in ("machine", "boot", "pid_namespace")
    )


def was_restarted(key: str) -> bool:
    """Return whether this machine had that key before it was restarted: its processes have ended.

    False if it is another machine, or if that is not known.
    """
    if sys.platform == "win32" or not machine().get("machine") or not machine().get("boot"):
        return False
    here = machine_key()
    return key[:8] == here[:8] and key[8:16] != here[8:16]


def machine_name() -> str:
    """Return the name of this machine, for people."""
    return os.environ.get("COMPUTERNAME", "") if sys.platform == "win32" else os.uname().nodename


class _Place(JournalPlace):
    """The place of the journal of one attempt."""

    brief = True

    def __init__(self, host: Host, name: str) -> None:
        super().__init__(host.folder.path_of(name))
        self._host = host
        self._name = name

    def create(self) -> FileIO:
        """Make the file. Raises ClosedError if the rollout is over.

        What closes it looks for journals after that, so one of both sees the other.
        """
        file = self._host.folder.open(self._name, _NEW)
        try:
            self._host.check_open()
        except BaseException:
            file.close()
            self.remove()
            raise
        return file

    def open(self, flags: int = os.O_RDONLY) -> FileIO:
        return self._host.folder.open(self._name, flags)

    def remove(self) -> None:
        self._host.folder.remove(self._name)


class Host:
    """One rollout's part of the folder, on the machine that this runs on.

    key: of the machine whose processes it is for, if that is another one: behind a process server.
    """

    def __init__(self, rollout: str, key: str = "") -> None:
        if not _ID.fullmatch(rollout):
            raise ValueError(f"the id of a rollout has 32 hexadecimal digits, got {rollout!r:.60}")
        self._id = rollout
        self.key = key or machine_key()
        self._start = f"{rollout}-{self.key}"
        # Of a process behind a server nothing is known without a session: it counts as living.
        self._lives: Callable[[str], bool] = (lambda process: True) if key else _lives
        self.folder = StateFolder(_FOLDER, create=True)

    def close(self) -> None:
        """Close the folder."""
        self.folder.close()

    # Journals.

    def journals(self, pid: int, started: str) -> list[JournalPlace]:
        """Return the journals of the attempts on a process, the first one first."""
        found: list[JournalPlace] = []
        while self.folder.stat(name := self._journal(pid, started, len(found))) is not None:
            found.append(_Place(self, name))
        return found

    def has_journal(self, pid: int, started: str, number: int) -> bool:
        """Return whether there is the journal of that attempt."""
        return self.folder.stat(self._journal(pid, started, number)) is not None

    def new_journal(self, pid: int, started: str, number: int) -> JournalPlace:
        """Return the place of the journal of that attempt; it is not made yet."""
        return _Place(self, self._journal(pid, started, number))

    def _journal(self, pid: int, started: str, number: int) -> str:
        return f"{self._start}-{pid}-{started}-{number}.journal"

    @property
    def is_known(self) -> bool:
        """Return whether this folder has anything of the rollout."""
        usual = (f"{self._start}-0.claim", f"{self._start}.closed")  # others take a long list
        return any(self.folder.stat(name) is not None for name in usual) or any(
            name.startswith(self._start) for name in self.folder.names()
        )

    # The end of the rollout.

    def check_open(self) -> None:
        """Raise ClosedError if the rollout is over here."""
        if self.folder.stat(f"{self._start}.closed") is not None:
            raise ClosedError("the rollout is being undone, or is over: nothing was written")

    def end(self, why: bytes = b"over") -> None:
        """Let nothing of the rollout begin here any more."""
        self._make(f"{self._start}.closed", why)
        self.folder.sync()

    def begin_undo(self) -> None:
        """Let nothing of the rollout begin here any more, since it is being undone."""
        self.end(_UNDONE)

    @property
    def is_being_undone(self) -> bool:
        """Return whether an undo has begun here before the rollout was over."""
        try:
            with self.folder.open(f"{self._start}.closed") as file:
                return file.read(len(_UNDONE)) == _UNDONE
        except not_from_handler(FileNotFoundError):
            return False

    def release(self, *, journals: bool) -> None:
        """Give up the claims for good; remove the journals too, if all of it is undone."""
        kinds = (".claim", ".worker", *((".journal",) if journals else ()))
        with self.locked():  # a look that comes late claims before, or not at all
            self.end()
            for name in self.folder.names():
                if name.startswith(self._start) and name.endswith(kinds):
                    self.folder.remove(name)

    # Workers.

    def register(self) -> None:
        """Note that this process is a worker of the rollout.

        It waits for a worker that stops this process, which was no worker before.
        """
        name = self._worker(os.getpid(), start_of(os.getpid()) or "")
        if self.folder.stat(name) is None:
            with self.locked():
                self._make(name, b"")

    def is_worker(self, pid: int, started: str) -> bool:
        """Return whether that process is a worker of the rollout."""
        return self.folder.stat(self._worker(pid, started)) is not None

    def workers(self) -> set[int]:
        """Return the process ids of the rollout's workers."""
        ends = (
            name.removeprefix(f"{self._start}-")
            for name in self.folder.names()
            if name.startswith(self._start) and name.endswith(".worker")
        )
        return {int(each.partition("-")[0]) for each in ends}

    def _worker(self, pid: int, started: str) -> str:
        return f"{self._start}-{pid}-{started}.worker"

    # Claims.

    def claim(
        self, processes: Iterable[tuple[int, str]], ledger: str, *, to_undo: bool = False
    ) -> None:
        """Claim processes for this rollout, given by pid and start.

        to_undo: for a rollout that is over. Raises RolloutError if another rollout that has not
        ended claims one of them, ClosedError if this one is over.
        """
        wanted = {f"{pid} {started}" for pid, started in processes}
        if to_undo and wanted <= self._own_claims():
            return
        with self.locked():
            if not to_undo:
                self.check_open()
            names = self.folder.names()
            for name in names:
                match = _CLAIM.fullmatch(name)
                if match and match[2] == self.key and match[1] != self._id:
                    self._check_claim(name, match[1], wanted)
            self._prune(names)
            number = sum(
                _CLAIM.fullmatch(n) is not None and n.startswith(self._start) for n in names
            )
            content = json.dumps({"ledger": ledger, "processes": sorted(wanted)})
            self._make(f"{self._start}-{number}.claim", content.encode())

    def _own_claims(self) -> set[str]:
        found: set[str] = set()
        number = 0
        while self.folder.stat(name := f"{self._start}-{number}.claim") is not None:
            found.update(self._read_claim(name)["processes"])
            number += 1
        return found

    def _check_claim(self, name: str, other: str, wanted: set[str]) -> None:
        claim = self._read_claim(name)
        living = [each for each in wanted.intersection(claim["processes"]) if self._lives(each)]
        if living:
            first = min(map(int, (each.split()[0] for each in living)))
            raise RolloutError(
                f"another rollout, {other}, has not ended, and {len(living):,} of these processes "
                f"are its own, {first} the first: resume or undo it by its ledger "
                f"({claim.get('ledger')}). If that is lost, remove {self.folder.path_of(name)}. "
                "Nothing was written"
            )

    def _read_claim(self, name: str) -> dict[str, Any]:
        """Return what a claim has; nothing if who made it was killed on the way, or removed it."""
        try:
            with self.folder.open(name) as file:
                text = file.read(_LONGEST_CLAIM) or b'{"processes": []}'
            claim: dict[str, Any] = json.loads(text)
            if all(_PROCESS.fullmatch(each) for each in claim["processes"]):
                return claim
        except not_from_handler(FileNotFoundError):
            return {"processes": []}
        except not_from_handler(ValueError, KeyError, TypeError):
            pass
        raise RolloutError(
            f"the claim of another rollout can't be read: {self.folder.path_of(name)}. If that "
            "rollout is over, remove the file. Nothing was written"
        )

    def _prune(self, names: list[str]) -> None:
        """Remove what is left of rollouts whose processes have all ended."""
        needed: dict[str, bool] = {}
        for name in names:
            match = _JOURNAL.fullmatch(name) or _CLAIM.fullmatch(name)
            if match and match[2] == self.key and match[1] != self._id:
                start = f"{match[1]}-{match[2]}"
                if not needed.get(start):
                    is_claim = match.re is _CLAIM
                    of = (
                        self._read_claim(name)["processes"]
                        if is_claim
                        else [f"{match[3]} {match[4]}"]
                    )
                    needed[start] = any(map(self._lives, of))
        gone = tuple(start for start, is_needed in needed.items() if not is_needed)
        for name in names:
            of = name.rpartition(".")[0]
            is_old = name.endswith(".closed") and of not in needed and self._is_old(name)
            if is_old or (gone and name.startswith(gone)):
                self.folder.remove(name)

    def _is_old(self, name: str) -> bool:
        found = self.folder.stat(name)
        return found is not None and time.time() - found.st_mtime > _LATEST_TASK

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process of this user claim processes, or become a worker, in the block."""
        path = self.folder.path_of("lock")
        file = self.folder.open("lock", os.O_RDWR | os.O_CREAT)
        try:
            for left in reversed(range(_LOCK_TRIES)):
                try:
                    lock(file, path)
                    break
                except not_from_handler(JournalError):
                    if not left:
                        raise
            yield
        finally:
            file.close()

    def _make(self, name: str, content: bytes) -> None:
        try:
            file = self.folder.open(name, _NEW)
        except not_from_handler(FileExistsError):
            return
        with file:
            file.write(content)


def _lives(process: str) -> bool:
    pid, started = process.split(" ")
    return bool(started) and start_of(int(pid)) == started
