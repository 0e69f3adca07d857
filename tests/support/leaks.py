"""The calls of transactions and journals that the leak tests make: paths that succeed and fail."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pydbgwrite
from pydbgwrite import Session, Transaction
from support.inputs import BASE

_FOLDER = tempfile.TemporaryDirectory()
_FILE = Path(_FOLDER.name) / "leak.journal"


def _writing(use: Callable[[Transaction], object]) -> Callable[[Session], object]:
    """Return a call that writes in a transaction and then uses the transaction."""

    def run(session: Session) -> None:
        with session.transaction() as t:
            session.write_pointers(BASE, [1, 2, 3])
            session.write_scattered([BASE + 100, BASE + 200], [1, 2])
            use(t)

    return run


def _journalled(use: Callable[[Session], object]) -> Callable[[Session], object]:
    """Return a call that writes with a journal, uses the journal, and removes it."""

    def run(session: Session) -> None:
        try:
            with session.transaction(_FILE):
                session.write_pointers(BASE, [1, 2, 3])
            use(session)
        finally:
            _FILE.unlink()

    return run


def _damaged(use: Callable[[Session], object]) -> Callable[[Session], object]:
    def run(session: Session) -> None:
        data = bytearray(_FILE.read_bytes())
        data[len(data) // 2] ^= 1
        _FILE.write_bytes(data)
        use(session)

    return _journalled(run)


def _undo(session: Session) -> None:
    pydbgwrite.undo(_FILE, session)


def _read(session: Session) -> None:
    pydbgwrite.read_journal(_FILE)


def _fail(t: Transaction) -> None:
    raise ZeroDivisionError


TRANSACTIONS: dict[str, list[Callable[[Session], object]]] = {
    "transaction": [
        lambda s: s.transaction(durable=True),
        lambda s: s.transaction(5),  # type: ignore[arg-type]
        lambda s: s.transaction("/nowhere/at/all").__enter__(),
        _writing(lambda t: None),
        _writing(_fail),
        _writing(lambda t: t.undo()),
        _writing(lambda t: list(t.changes)),
    ],
    "undo": [
        _journalled(_undo),
        _damaged(_undo),
        lambda s: pydbgwrite.undo("/nowhere/at/all", s),
        lambda s: pydbgwrite.undo("/nowhere/at/all", 5),  # type: ignore[arg-type]
    ],
    "read_journal": [
        _journalled(_read),
        _damaged(_read),
        lambda _: pydbgwrite.read_journal("/nowhere/at/all"),
    ],
}
