"""Writes a file's pointers to a target from a memmap, and prints the memory that it took.

python memmap_writer.py PID ADDRESS FILE
"""

from __future__ import annotations

import json
import sys
import time
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


def main() -> None:
    """Write, and print the memory as JSON."""
    pid, address, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    pointers = numpy.memmap(path, numpy.uint64, "r")
    with pydbgwrite.attach(pid) as session:
        session.write_pointers(address, pointers[:1])
        before = status_bytes("VmRSS") - resident_of_mapping(path)
        started = time.perf_counter_ns()
        written = session.write_pointers(address, pointers)
        took = time.perf_counter_ns() - started
    mapped = resident_of_mapping(path)
    # VmHWM is the peak: a copy that was freed again counts as well.
    extra = status_bytes("VmHWM") - before - mapped
    json.dump(
        {
            "written": written,
            "nanoseconds": took,
            "mapped_bytes": mapped,
            "extra_bytes": max(extra, 0),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
