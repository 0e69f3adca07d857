"""The command line as a user meets it: run as a program, on targets that are programs too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from support.child import PAGE, RW_PAGES, pattern

__all__ = ["REFUSE_PTRACE", "SAME_EVERYWHERE", "Done", "Target", "command", "on_terminal", "target"]

#: For what is the same on every engine: not in the Windows lane, where it would take very long.
SAME_EVERYWHERE = pytest.mark.skipif(
    os.environ.get("PYDBGWRITE_LANE") == "wine",
    reason="Linux processes: a command takes Wine seconds, and this check is the same everywhere",
)

COMMAND = [sys.executable, "-P", "-m", "pydbgwrite"]

# Refuses ptrace(2) with EPERM, as a container's filter does (seccomp(2)); x86-64, else aarch64.
REFUSE_PTRACE = """
import ctypes, platform, struct
number = 101 if platform.machine() == "x86_64" else 117
program = b"".join(struct.pack("HBBI", *each) for each in [
    (0x20, 0, 0, 0),           # load the system call's number
    (0x15, 0, 1, number),      # is it ptrace?
    (0x06, 0, 0, 0x00050001),  # then EPERM
    (0x06, 0, 0, 0x7FFF0000),  # else go on
])
memory = ctypes.create_string_buffer(program)
header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(memory)))
libc = ctypes.CDLL(None, use_errno=True)
zero = ctypes.c_ulong(0)
assert libc.prctl(38, ctypes.c_ulong(1), zero, zero, zero) == 0
assert libc.prctl(22, ctypes.c_ulong(2), header) == 0
"""

# Has its standard input as its controlling terminal, so that Ctrl-C reaches it.
OWN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""

RUN = """
import sys
from pydbgwrite.__main__ import main
sys.exit(main({arguments!r}))
"""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> Any:
        """Its output, as the one JSON object that it is with --json."""
        return json.loads(self.out)


def _line(arguments: Sequence[object], setup: str | None) -> list[str]:
    words = list(map(str, arguments))
    if setup is None:
        return [*COMMAND, *words]
    return [sys.executable, "-P", "-c", setup + RUN.format(arguments=words)]


def command(
    *arguments: object,
    env: dict[str, str] | None = None,
    cwd: object = None,
    setup: str | None = None,
) -> Done:
    """Run `pydbgwrite` with these arguments, where nobody can be asked.

    setup: Python code that runs in its process before.
    """
    done = subprocess.run(
        _line(arguments, setup),
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
        env=None if env is None else {**os.environ, **env},
        cwd=None if cwd is None else str(cwd),
    )
    assert "Traceback" not in done.stdout + done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


def on_terminal(
    *arguments: object,
    width: int = 100,
    answer: bytes = b"",
    env: dict[str, str] | None = None,
    setup: str | None = None,
) -> Done:
    """Run it in a terminal of that width (Linux), whose user answers the question, if any."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 50, width, 0, 0))
    variables = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    with os.fdopen(ours, "r+b", buffering=0) as terminal:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", OWN_TERMINAL, *_line(arguments, setup)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**variables, "TERM": "xterm-256color", **(env or {})},
            start_new_session=True,
        )
        os.close(theirs)
        shown = b""
        try:
            while part := terminal.read(65536):
                shown += part
                if answer and b"[y/N]" in shown:
                    terminal.write(answer)
                    answer = b""
        except OSError:  # how Linux tells the end of a terminal
            pass
        code = process.wait(60)
    assert b"Traceback" not in shown
    return Done(code, shown.decode(errors="replace").replace("\r\n", "\n"), "")


@dataclass(frozen=True)
class Target:
    """A live process with areas: rw, RW_PAGES pages of pattern(); read_only and none, a page each.

    read: what the process holds there, by no means of this package.
    """

    pid: int
    rw: int
    read_only: int
    none: int
    read: Callable[[int, int], bytes]
    kill: Callable[[], None]

    @property
    def end(self) -> int:
        """The first address behind rw, where nothing is mapped."""
        return self.rw + RW_PAGES * PAGE

    def pointers(self, count: int, address: int | None = None) -> list[int]:
        """The pointers that it holds at rw, or there."""
        data = self.read(self.rw if address is None else address, 8 * count)
        return [int.from_bytes(data[at : at + 8], "little") for at in range(0, len(data), 8)]

    def is_untouched(self) -> bool:
        """Does it hold what it held at first?"""
        return self.read(self.rw, RW_PAGES * PAGE) == pattern(RW_PAGES * PAGE)


@contextmanager
def target(pages: int = RW_PAGES) -> Iterator[Target]:
    """Start one, end it. pages: of rw, on Linux."""
    if sys.platform == "win32":
        from support.dbgeng_cases import start_child

        base, child = start_child(8, sys.executable)
        try:
            child.write(base, pattern(RW_PAGES * PAGE))
            yield Target(child.pid, base, base + 0x100000, base + 0x200000, child.read, child.kill)
        finally:
            child.close()
    else:
        from support.processes import Child64

        with Child64(pages, anyone=True) as live:
            areas = live.areas
            yield Target(
                live.pid, areas["rw"], areas["read_only"], areas["none"], live.read, live.kill
            )
