"""The child process of `pydbgwrite demo`: a table of C function pointers, and proofs of it.

    python -m pydbgwrite._demo.child COUNT

It writes a line of JSON with the table's address. For each line `check` that it reads, it calls
through the whole table and writes a line with the results. It ends when its input ends, so it never
outlives the process that started it.
"""

from __future__ import annotations

import json
import sys

from pydbgwrite import _demo_target
from pydbgwrite._signal_handlers import not_from_handler


def _say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def main(arguments: list[str]) -> int:
    """Serve until the input ends; return the exit code."""
    try:
        table = _demo_target.make_table(int(arguments[0]))
    except not_from_handler(MemoryError, OverflowError):
        _say(event="error", message="not enough memory")
        return 1
    address, count = _demo_target.describe_table(table)
    originals, replacements = _demo_target.function_addresses()
    _say(
        event="ready",
        address=address,
        count=count,
        originals=originals,
        replacements=replacements,
    )
    for line in sys.stdin:
        if line.strip() == "check":
            checksum, original, replacement = _demo_target.call_table(table)
            _say(event="proof", checksum=checksum, originals=original, replacements=replacement)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
