"""The doctor's test: start a process, write to it, and compare what the process reports."""

from __future__ import annotations

import os
import sys
from typing import Final

import pydbgwrite
from pydbgwrite import errors
from pydbgwrite._child_process import Child, python_command
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.doctor.checks import FAILS, LIMITED, WORKS, Check

__all__ = ["MAIN_JOB", "WITHOUT_SUSPENDING", "self_checks"]

#: The check that decides whether this machine can do what the package is for.
MAIN_JOB: Final = "write to a process started here"
#: Tried where the first one fails.
WITHOUT_SUSPENDING: Final = "write to it without suspending it"
_OTHERS: Final = "write to other processes"
_FORCED: Final = "write to read-only pages"

_PROGRAM: Final = os.path.join(os.path.dirname(__file__), "self_check_child.py")
#: What is written: pointers of either width.
_CONTENT: Final = bytes(range(1, 17))


def _child(*arguments: str) -> Child:
    command = python_command("-I", _PROGRAM, *arguments)
    return Child("the process that was started for this check", command)


def self_checks(engine: str | None) -> list[Check]:
    """Write to a real process, and return the checks that say what happened."""
    try:
        with _child() as child:
            places = child.hear()
            checks = _tried(child, places, MAIN_JOB, engine)
            if checks[0].state == WORKS:
                checks.append(_forced(child, places, engine))
            elif sys.platform.startswith("linux"):
                running = _tried(child, places, WITHOUT_SUSPENDING, None, suspend=False)
                checks += [check for check in running if check.state == WORKS]
    except not_from_handler(OSError, errors.Error) as failure:
        return [Check(MAIN_JOB, LIMITED, f"could not be tried: {failure}")]
    if sys.platform.startswith("linux") and checks[0].state == WORKS:
        checks.insert(1, _others())
    return checks


def _write(session: pydbgwrite.Session, address: int) -> int:
    size = session.pointer_size
    words = (_CONTENT[at : at + size] for at in range(0, len(_CONTENT), size))
    return session.write_pointers(address, [int.from_bytes(word, "little") for word in words])


def _tried(
    child: Child, places: dict[str, int], name: str, engine: str | None, *, suspend: bool = True
) -> list[Check]:
    try:
        with pydbgwrite.attach(places["pid"], engine=engine, suspend=suspend) as session:
            written = _write(session, places["writable"])
            wanted = session.read(places["writable"], len(_CONTENT))
    except not_from_handler(OSError, errors.Error) as failure:
        return [Check(name, FAILS, str(failure), "see the permissions above")]
    held = bytes.fromhex(child.ask("?")[0])  # and so it runs again
    if not held == wanted == _CONTENT:
        return [Check(name, FAILS, f"the process reports {held.hex()}")]
    return [
        Check(name, WORKS, f"attached, wrote {written} pointers, detached; the process has them")
    ]


def _others() -> Check:
    """Check access to a process that is no descendant, which Yama can forbid."""
    try:
        with _child("orphan") as child:
            [check] = _tried(child, child.hear(), _OTHERS, None)
    except not_from_handler(OSError, errors.Error) as failure:
        return Check(_OTHERS, LIMITED, f"could not be tried: {failure}")
    advice = "start the program from here: its own children can be opened"
    return check if check.state == WORKS else Check(_OTHERS, LIMITED, check.detail, advice)


def _forced(child: Child, places: dict[str, int], engine: str | None) -> Check:
    try:
        with pydbgwrite.attach(places["pid"], engine=engine) as session:
            _write(session, places["read_only"])
    except not_from_handler(OSError, errors.Error) as failure:
        return Check(_FORCED, LIMITED, str(failure))
    if bytes.fromhex(child.ask("?")[1]) != _CONTENT:
        return Check(_FORCED, FAILS, "reported as written, but the process does not have it")
    return Check(_FORCED, WORKS, "a private read-only page was written to")
