"""The child process of `pydbgwrite demo`: C function pointers, and proofs of them.

    python -m pydbgwrite._demo.child table COUNT
    python -m pydbgwrite._demo.child objects COUNT

It writes a line of JSON with the address of its table of function pointers, or of its objects, each
of which points to one of two such tables. For each line `check` that it reads, it calls through
them all and writes a line with the results. It ends when its input ends, so it never outlives the
process that started it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from pydbgwrite import _demo_target
from pydbgwrite._signal_handlers import not_from_handler


def _say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def main(arguments: list[str]) -> int:
    """Serve until the input ends; return the exit code."""
    what, count = arguments
    try:
        prove = _have_table(int(count)) if what == "table" else _have_objects(int(count))
    except not_from_handler(MemoryError, OverflowError):
        _say(event="error", message="not enough memory")
        return 1
    for line in sys.stdin:
        if line.strip() == "check":
            prove()
    return 0


def _have_table(count: int) -> Callable[[], None]:
    table = _demo_target.make_table(count)
    address, count = _demo_target.describe_table(table)
    originals, replacements = _demo_target.function_addresses()
    _say(
        event="ready",
        address=address,
        count=count,
        originals=originals,
        replacements=replacements,
    )

    def prove() -> None:
        checksum, original, replacement = _demo_target.call_table(table)
        _say(event="proof", checksum=checksum, originals=original, replacements=replacement)

    return prove


def _have_objects(count: int) -> Callable[[], None]:
    objects = _demo_target.make_objects(count)
    address, size = _demo_target.describe_objects(objects)
    _say(event="ready", address=address, size=size, tables=_demo_target.table_addresses())

    def prove() -> None:
        checksum, calls = _demo_target.call_objects(objects)
        _say(event="proof", checksum=checksum, calls=calls)

    return prove


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
