"""The doctor's proof: start a process, write to it, and have it say what it holds."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from typing import Any, Final, Self

import pydbgwrite
from pydbgwrite import errors
from pydbgwrite.cli.doctor.checks import FAILS, LIMITED, WORKS, Check

__all__ = ["MAIN_JOB", "self_checks"]

#: The check that decides whether this machine can do what the package is for.
MAIN_JOB: Final = "write to a process started here"
_OTHERS: Final = "write to other processes"
_FORCED: Final = "write to read-only pages"

_PROGRAM: Final = os.path.join(os.path.dirname(__file__), "self_check_child.py")
_PATIENCE: Final = 60.0  # seconds for the child to start or to answer
_VALUES: Final = (0x1122334455667788, 0x0102030405060708)


class _Child:
    """A process of self_check_child.py, which ends with the `with` block."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", _PROGRAM, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="ascii",
        )
        try:
            said: dict[str, int] = self._hear()
        except BaseException:
            self.__exit__()
            raise
        self.pid, self.writable, self.read_only = (
            said[name] for name in ("pid", "writable", "read_only")
        )

    def holds(self) -> list[bytes]:
        """What the child itself sees in its writable and in its read-only page."""
        assert self._process.stdin is not None
        self._process.stdin.write("?\n")
        self._process.stdin.flush()
        return [bytes.fromhex(each) for each in self._hear()]

    def _hear(self) -> Any:
        assert self._process.stdout is not None
        watchdog = threading.Timer(_PATIENCE, self._process.kill)
        watchdog.start()
        try:
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
            watchdog.join()
        if not line:
            raise errors.NoTargetError("the process that was started for this check has ended")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # An orphan is not ours to kill: it ends when its input does.
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def self_checks(engine: str | None) -> list[Check]:
    """Try it: each check says what happened to a real process."""
    try:
        with _Child() as child:
            checks = _tried(child, MAIN_JOB, engine)
            if checks[0].state == WORKS:
                checks.append(_forced(child, engine))
    except (OSError, errors.DebugEngineError) as failure:
        return [Check(MAIN_JOB, FAILS, f"the check could not be made: {failure}")]
    if sys.platform.startswith("linux") and checks[0].state == WORKS:
        checks.insert(1, _others())
    return checks


def _tried(child: _Child, name: str, engine: str | None) -> list[Check]:
    try:
        with pydbgwrite.attach(child.pid, engine=engine) as session:
            written = session.write_pointers(child.writable, _VALUES[: 16 // session.pointer_size])
            wanted = session.read(child.writable, 16)
    except (OSError, errors.DebugEngineError) as failure:
        return [Check(name, FAILS, str(failure), "see what is said above of permissions")]
    held = child.holds()[0]  # and so it runs again
    if held != wanted or held[:8] != _VALUES[0].to_bytes(8, "little"):
        return [Check(name, FAILS, f"the process says that it holds {held.hex()}")]
    return [Check(name, WORKS, f"attached, wrote {written} pointers, let go; the process has them")]


def _others() -> Check:
    """Where only descendants may be traced, a process that is none shows it."""
    try:
        with _Child("orphan") as child:
            [check] = _tried(child, _OTHERS, None)
    except (OSError, errors.DebugEngineError) as failure:
        return Check(_OTHERS, LIMITED, f"the check could not be made: {failure}")
    if check.state == WORKS:
        return check
    return Check(
        _OTHERS, LIMITED, check.detail, "launch() of the library still works: see ptrace_scope"
    )


def _forced(child: _Child, engine: str | None) -> Check:
    try:
        with pydbgwrite.attach(child.pid, engine=engine) as session:
            session.write_pointers(child.read_only, _VALUES[:1])
    except (OSError, errors.DebugEngineError) as failure:
        return Check(_FORCED, LIMITED, str(failure))
    if child.holds()[1][:8] != _VALUES[0].to_bytes(8, "little"):
        return Check(_FORCED, FAILS, "reported as written, and the process does not have it")
    return Check(_FORCED, WORKS, "a private read-only page was written to")
