"""A script that writes into a target within a transaction, until it is killed.

    python writing_script.py PID ADDRESS SIZE JOURNAL SEED SUSPEND     writes; a "." for each write
    python writing_script.py undo PID JOURNAL SUSPEND                  undoes; a "." for each record

The first prints "ready" before its first write. Both end by themselves only once all is done.
"""

from __future__ import annotations

import os
import random
import sys
from array import array

import pydbgwrite

#: Bytes of a large write: more than one record. Microsoft's engine takes long over a pointer.
LARGE = 3 << 19 if sys.platform == "linux" else 3 << 15
SCATTERED = [10, 300, 1000, 30_000, 140_000] if sys.platform == "linux" else [10, 300]
#: In a running process a system call writes each of them.
SCATTERED_RUNNING = SCATTERED[:3]


def say(text: bytes) -> None:
    """Write to the process that kills this one; unbuffered."""
    os.write(1, text)


def write_much(
    session: pydbgwrite.Session, base: int, size: int, seed: int, scattered: list[int]
) -> None:
    """Make large direct, scattered, byte and many small writes that overlap."""
    chance = random.Random(seed)

    def pointers(count: int) -> array[int]:
        values = array("Q", chance.randbytes(8 * count))
        if session.pointer_size == 4:
            return array("Q", (each >> 32 for each in values))
        return values

    for _ in range(30):
        kind = chance.randrange(5)
        if kind == 0:
            at = base + chance.randrange(size - LARGE)
            session.write_pointers(at, pointers(LARGE // 8))
        elif kind == 1:
            at = base + chance.randrange(size - LARGE)
            session.write_pointers(at, pointers(LARGE // 8), via="WriteVirtual")
        elif kind == 2:
            count = chance.choice(scattered)
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
    """Run the command that the arguments select."""
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
        counts = SCATTERED if suspend else SCATTERED_RUNNING
        write_much(session, base, size, int(seed), counts)
        say(b"done\n")
        sys.stdin.read()  # killed here at the latest: all is written, nothing is committed


if __name__ == "__main__":
    main(sys.argv[1:])
