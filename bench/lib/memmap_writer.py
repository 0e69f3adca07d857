"""Writes a file's pointers to a target from a memmap, and prints the memory that it took.

python memmap_writer.py PID ADDRESS FILE [HOW JOURNAL]

HOW: "memory" and "journal" write in a transaction, without and with a journal, over other contents;
"undone" undoes the first, and "undo" undoes the journal instead of writing.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

import numpy

import pydbgwrite


def status_bytes(field: str) -> int:
    """Return a field of /proc/self/status that is in kB, in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise LookupError(field)


def resident_of_mapping(path: str) -> int:
    """Return the resident bytes of a file's mappings (proc_pid_smaps(5))."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        words = line.split()
        if "-" in words[0]:
            inside = words[-1] == path
        elif inside and words[0] == "Rss:":
            total += int(words[1]) * 1024
    return total


def other_contents(session: pydbgwrite.Session, address: int, size: int) -> None:
    """Fill the target's memory with bytes that the file does not have."""
    block = b"\xff" * (1 << 20)
    for at in range(0, size, len(block)):
        session.write(address + at, block[: size - at])


class AnonymousPeak:
    """The most memory without a file that this process had within the `with` block.

    The kernel keeps no peak of it (VmHWM counts mapped pages too, which it takes back at any time),
    so a thread looks every two milliseconds. Calls on a live process release the GIL.
    """

    def __init__(self) -> None:
        self.bytes = self.before = status_bytes("RssAnon")
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch)

    def _look(self) -> None:
        self.bytes = max(self.bytes, status_bytes("RssAnon"))

    def _watch(self) -> None:
        while not self._over.wait(0.002):
            self._look()

    def __enter__(self) -> AnonymousPeak:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._look()
        self._over.set()
        self._watcher.join()


class _Unwanted(Exception):  # noqa: N818
    """Ends a transaction that is to be undone."""


def recording(session: pydbgwrite.Session, how: list[str]) -> AbstractContextManager[object]:
    """Return the transaction that these arguments ask for."""
    if not how:
        return nullcontext()
    return session.transaction(how[1] if how[0] == "journal" else None)


def main() -> None:
    """Write, and print the memory as JSON."""
    pid, address, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    how = sys.argv[4:]
    pointers = numpy.memmap(path, numpy.uint64, "r")
    with pydbgwrite.attach(pid) as session:
        if how and how[0] != "undo":
            other_contents(session, address, pointers.nbytes)
        session.write_pointers(address, pointers[:1])
        with AnonymousPeak() as peak:
            started = time.perf_counter_ns()
            if "undo" in how:
                report = pydbgwrite.undo(how[1], session)
                written = (report.restored + report.unchanged) // 8 if report.complete else 0
            else:
                with suppress(_Unwanted), recording(session, how):
                    written = session.write_pointers(address, pointers)
                    if "undone" in how:
                        raise _Unwanted
            took = time.perf_counter_ns() - started
    mapped = resident_of_mapping(path)
    json.dump(
        {
            "written": written,
            "nanoseconds": took,
            "mapped_bytes": mapped,
            "extra_bytes": peak.bytes - peak.before,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
