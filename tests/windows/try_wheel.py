"""Shows that the wheel works on the Windows Python that runs this: `lane.py versions` runs it.

It writes pointers to simulated memory and, through Microsoft's engine, to a running program, which
then reports the pointers it holds. It prints one line, and exits with 0 only if all are correct.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pydbgwrite

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import dbgeng

VALUES = [0x1122334455667788, 0, 2**64 - 1, *range(1000)]


def main() -> int:
    """Write the pointers, check them, and print the line."""
    with pydbgwrite.simulate([(0x10000, 0x4000)]) as session:
        written = [session.write_pointers(0x10000, VALUES)]
        seen = [list(session.read_pointers(0x10000, len(VALUES)))]
    with dbgeng.target() as program:
        with pydbgwrite.attach(program.pid) as session:
            engine = session.engine
            written.append(session.write_pointers(program.base, VALUES))
            seen.append(list(session.read_pointers(program.base, len(VALUES))))
        seen.append(program.held()[: len(VALUES)])
    good = written == [len(VALUES)] * 2 and seen == [VALUES] * 3 and engine.name == "dbgeng"
    version = ".".join(map(str, sys.version_info[:3]))
    said = "loads and writes" if good else f"wrote {written} of {len(VALUES)}, and not as given"
    print(f"Windows Python {version}, {engine.name} {engine.version}: pydbgwrite {said}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
