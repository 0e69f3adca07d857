"""A script that writes into a target within a transaction, until it is killed.

    python writing_script.py PID ADDRESS SIZE JOURNAL SEED SUSPEND     writes, a "." on stdout each
    python writing_script.py undo PID JOURNAL SUSPEND                  undoes, a "." for each record

The first says "ready" before its first write; both end by themselves only when all is done.
"""

from __future__ import annotations

import os
import random
import sys
from array import array

import pydbgwrite

#: Bytes of a large write: more than one record. Microsoft's engine takes long over a pointer.
LARGE = 3 << 19 if sys.platform == "linux" else 3 << 15
SCATTERED = [10, 1000, 30_000, 140_000] if sys.platform == "linux" else [10, 300]


def say(text: bytes) -> None:
    """To whoever kills this; unbuffered."""
    os.write(1, text)


def write_much(session: pydbgwrite.Session, base: int, size: int, seed: int) -> None:
    """Large direct writes, scattered ones, bytes, many small ones, over each other."""
    chance = random.Random(seed)

    def pointers(count: int) -> array[int]:
        return array("Q", chance.randbytes(8 * count))

    for _ in range(30):
        kind = chance.randrange(5)
        if kind == 0:
            at = base + chance.randrange(size - LARGE)
            session.write_pointers(at, pointers(LARGE // 8))
        elif kind == 1:
            at = base + chance.randrange(size - LARGE)
            session.write_pointers(at, pointers(LARGE // 8), via="WriteVirtual")
        elif kind == 2:
            count = chance.choice(SCATTERED)
            places = array("Q", [base + chance.randrange(size - 8) for _ in range(count)])
            session.write_scattered(places, pointers(count))
        elif kind == 3:
            at = base + chance.randrange(size - LARGE)
            session.write(at, chance.randbytes(chance.choice([3, 4096, LARGE])))
        else:
            for _ in range(100):
                at = base + chance.randrange(size - 64)
                session.write_pointers(at, pointers(chance.randrange(1, 9)))
                say(b".")
        say(b".")


def main(words: list[str]) -> None:
    """Either of the two."""
    suspend = words[-1] == "True"
    if words[0] == "undo":
        with pydbgwrite.attach(int(words[1]), suspend=suspend) as session:
            say(b"ready\n")
            pydbgwrite.undo(words[2], session, progress=lambda done, total: say(b"."))
        return
    pid, base, size, journal, seed = int(words[0]), int(words[1]), int(words[2]), *words[3:5]
    with (
        pydbgwrite.attach(pid, suspend=suspend) as session,
        session.transaction(journal),
    ):
        say(b"ready\n")
        write_much(session, base, size, int(seed))
        say(b"done\n")
        sys.stdin.read()  # killed here at the latest, with all written and nothing committed


if __name__ == "__main__":
    main(sys.argv[1:])
