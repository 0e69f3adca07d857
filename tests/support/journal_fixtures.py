"""Makes journals of the version that the package writes now: fixtures for its later versions.

    PYTHONPATH=tests python -m support.journal_fixtures FOLDER

tests/unit/journals has those that earlier versions of the package made by this script. What a
version has left in users' folders can't be made again by a later one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import pydbgwrite
from pydbgwrite import Session
from support.child import pattern

__all__ = ["BASE", "IMAGE", "SIZE", "make", "write"]

BASE: Final = 0x10000
SIZE: Final = 0x1000
IMAGE: Final = pattern(SIZE)


def write(session: Session) -> None:
    """Make the writes that each of the journals records: rows, scattered pointers and bytes."""
    session.write_pointers(BASE, [1, 2, 3])
    session.write_scattered([BASE + 0x200, BASE + 0x100, BASE + 0x200], [4, 5, 6])
    session.write(BASE + 0x301, b"seven")
    session.write_pointers(BASE + 8, [8] * 40)


def make(folder: Path) -> None:
    """Make a journal of each state, for both sizes of a pointer."""
    for size in (8, 4):
        for state in ("open", "committed", "undone"):
            journal = folder / f"{state}-{8 * size}.journal"
            with pydbgwrite.simulate([(BASE, SIZE)], pointer_size=size) as session:
                session.write(BASE, IMAGE)
                with session.transaction(journal) as transaction:
                    write(session)
                    if state == "undone":
                        transaction.undo()
                    as_killed = journal.read_bytes()
            if state != "committed":
                journal.write_bytes(as_killed)
            info = pydbgwrite.read_journal(journal)
            assert info.state == state
            version = journal.with_name(f"version-{info.version}-{journal.name}")
            print(f"{journal.rename(version)}: {info.writes} writes")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
