"""A recorder for sessions, as a transaction is one: it keeps the reported writes."""

from __future__ import annotations

from array import array
from collections.abc import Callable

from pydbgwrite import Session

Change = tuple[int | bytes, bytes, bytes, int]


class Recorder:
    """Keeps the reported writes, and the bytes that the target held before."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.cuts = 0
        self.sessions: list[Session] = []
        self.fail_at: int | None = None
        self.on_record: Callable[[Change], object] = lambda change: None

    def record(self, where: int | bytes, old: bytes, new: bytes, unit: int) -> None:
        if len(self.changes) == self.fail_at:
            raise OSError("the disk is full")
        self.changes.append((where, old, new, unit))
        self.on_record(self.changes[-1])

    def cut_short(self) -> None:
        self.cuts += 1

    def undo(self, session: Session) -> None:
        """Write all replaced bytes back, the last write first."""
        for where, old, _new, unit in reversed(self.changes):
            if isinstance(where, int):
                session.write(where, old)
                continue
            addresses = array("Q", where)
            for index in reversed(range(len(addresses))):
                session.write(addresses[index], old[index * unit : (index + 1) * unit])


def record(session: Session, recorder: Recorder) -> None:
    session._set_recorder(recorder.record, recorder.cut_short)
    recorder.sessions.append(session)


def forget(session: Session) -> None:
    session._set_recorder(None, None)
