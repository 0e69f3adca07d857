"""Runs the command line as a user does, on targets that are programs.

It runs in the test's process, or as a program if the test needs one.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pydbgwrite.__main__ import main
from support.child import PAGE, RW_PAGES, pattern
from support.schema import check_output

__all__ = [
    "MOST",
    "POINTER",
    "REFUSE_PTRACE",
    "SAME_EVERYWHERE",
    "Done",
    "Target",
    "at_first",
    "column",
    "command",
    "in_forks",
    "on_terminal",
    "on_terminal_of_its_own",
    "process_of_its_own",
    "target",
]

#: For behaviour that is the same on every engine: the Windows lane would take very long for it.
SAME_EVERYWHERE = pytest.mark.skipif(
    os.environ.get("PYDBGWRITE_LANE") == "wine",
    reason="Linux processes: a command takes Wine seconds, and this check is the same everywhere",
)

#: Python's arguments, calls and attributes, which a user of the command line can't type.
PYTHONS_WORDS = re.compile(
    r"\b\w+=(True|False|None)\b|\b[a-z_]+=[,;:]| (?!ptrace|prctl|values)[a-z_.]+\(\)|session\."
)

#: The bytes of a pointer in target(), whose program is this Python; and the largest pointer.
POINTER = struct.calcsize("P")
MOST = 2 ** (8 * POINTER) - 1

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

#: Ends the standard error of each command of in_forks(), if that stream is open.
END = "<end>\n"

FORKS = f"""
import json, os, sys
from pydbgwrite.__main__ import main
from pydbgwrite.cli.main import group
for name in group.list_commands(None):
    group.get_command(None, name)  # imported once
codes = []
for words in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        sys.exit(main(words))
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    try:
        sys.stderr.write({END!r})
        sys.stderr.flush()
    except (AttributeError, OSError):
        pass
with open(os.path.join(sys.argv[2], "codes"), "w") as file:
    json.dump(codes, file)
os._exit(0)  # what it could not write is no failure of its own
"""


@dataclass(frozen=True)
class Done:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str
    #: Of the command.
    name: str = ""

    @property
    def said(self) -> Any:
        """The output of a command with --json: one JSON object, as the schema has it."""
        said = json.loads(self.out)
        if len(self.out) < 100_000:  # or the check takes long
            check_output(self.name, said)
        return said


def _line(arguments: Sequence[object], setup: str | None) -> list[str]:
    words = list(map(str, arguments))
    if setup is None:
        return [*COMMAND, *words]
    return [sys.executable, "-P", "-c", setup + RUN.format(arguments=words)]


def command(*arguments: object) -> Done:
    """Run `pydbgwrite` with these arguments in this process, without a user to ask."""
    if sys.platform == "win32":  # Microsoft's engine has one session per process, and stays loaded
        return process_of_its_own(*arguments)
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape") for _ in range(3)]
    theirs = sys.stdin, sys.stdout, sys.stderr
    sys.stdin, sys.stdout, sys.stderr = streams
    try:
        code = main(list(map(str, arguments)))
    finally:
        sys.stdin, sys.stdout, sys.stderr = theirs
    out, err = (_text(each) for each in streams[1:])
    return _checked(Done(code, out, err, _name(arguments)))


def _name(arguments: Sequence[object]) -> str:
    return str(arguments[0]) if arguments else ""


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def _checked(done: Done) -> Done:
    """Return a command's result; assert that its messages are in the command line's terms."""
    said = done.out + done.err
    assert "Traceback (most" not in said
    assert PYTHONS_WORDS.search(done.err) is None, done.err
    if sys.platform != "win32":
        assert not re.search(r"HRESULT|(Virtual|Physical)\S*:", done.err), done.err
    return done


def process_of_its_own(*arguments: object, setup: str | None = None) -> Done:
    """Run the command line as a program.

    setup: Python code that runs first in its process.
    """
    line = _line(arguments, setup)
    code, out, err = _run_on_files(line) if sys.platform == "win32" else _run_on_pipes(line)
    return _checked(Done(code, out, err, _name(arguments)))


def _run_on_pipes(line: list[str]) -> tuple[int, str, str]:
    done = subprocess.run(
        line,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def _run_on_files(line: list[str]) -> tuple[int, str, str]:
    """Do so on Windows: a service that the command starts would keep pipes open."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        done = subprocess.run(
            line, stdout=out, stderr=err, stdin=subprocess.DEVNULL, timeout=120, check=False
        )
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read().decode("utf-8", "surrogateescape").replace("\r\n", "\n"))
    return done.returncode, said[0], said[1]


def on_terminal(
    *arguments: object,
    width: int = 100,
    answer: bytes | Callable[[], bytes] = b"",
    env: dict[str, str] | None = None,
) -> Done:
    """Run it in this process on a terminal (Linux); its user answers the question, if any.

    answer: what the user types; a function is called when the question is seen, and returns it.
    The width comes from COLUMNS: a program asks the terminal of its own process.
    """
    ours, theirs = _open_terminal(width)
    before, streams = dict(os.environ), (sys.stdin, sys.stdout, sys.stderr)
    os.environ.clear()
    os.environ.update(_variables_of(before, {"COLUMNS": str(width), **(env or {})}))
    with ThreadPoolExecutor(1) as pool:
        shown = pool.submit(_shown, ours, answer)
        try:
            with (
                open(theirs, encoding="utf-8") as sys.stdin,
                open(os.dup(theirs), "w", encoding="utf-8") as sys.stdout,
                open(os.dup(theirs), "w", encoding="utf-8") as sys.stderr,
            ):
                code = main(list(map(str, arguments)))
        finally:
            sys.stdin, sys.stdout, sys.stderr = streams
            os.environ.clear()
            os.environ.update(before)
    return Done(code, shown.result(), "")


def on_terminal_of_its_own(
    *arguments: object,
    width: int = 100,
    answer: bytes = b"",
    env: dict[str, str] | None = None,
    setup: str | None = None,
) -> Done:
    """Run it as a program on its own terminal of that width (Linux), to test keys and size."""
    ours, theirs = _open_terminal(width)
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", OWN_TERMINAL, *_line(arguments, setup)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=_variables_of(os.environ, env or {}),
        start_new_session=True,
    )
    os.close(theirs)
    shown = _shown(ours, answer)
    return Done(process.wait(60), shown, "")


def _open_terminal(width: int) -> tuple[int, int]:
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 50, width, 0, 0))
    return ours, theirs


def _variables_of(own: Mapping[str, str], env: dict[str, str]) -> dict[str, str]:
    """Return env without the variables that set the output's width and colour, plus own."""
    own = {k: v for k, v in own.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    return {**own, "TERM": "xterm-256color", **env}


def _shown(ours: int, answer: bytes | Callable[[], bytes]) -> str:
    """Return the text that the terminal shows until its other side is closed."""
    shown = b""
    with os.fdopen(ours, "r+b", buffering=0) as terminal:
        try:
            while part := terminal.read(65536):
                shown += part
                if answer and b"[y/N]" in shown:
                    terminal.write(answer if isinstance(answer, bytes) else answer())
                    answer = b""
        except OSError:  # Linux reports the end of a terminal so
            pass
    assert b"Traceback" not in shown
    return shown.decode(errors="replace").replace("\r\n", "\n")


def in_forks(lines: Sequence[Sequence[object]], redirected: str) -> list[tuple[int, str]]:
    """Run each line as a separate program, with its streams redirected as bash does (Linux).

    The programs are forks of one Python, which is started once. Returns the exit code and the
    standard error of each.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = json.dumps([[*map(str, line)] for line in lines])
        python = shlex.join([sys.executable, "-P", "-c", FORKS, words, folder])
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", redirected.replace("COMMAND", python)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        codes: list[int] = json.loads(Path(folder, "codes").read_text())
    said = done.stderr.split(END)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return list(zip(codes, said if len(said) > 1 else [""] * len(codes), strict=False))


@dataclass(frozen=True)
class Target:
    """A live process with areas: rw, RW_PAGES pages of pattern(); read_only and none, a page each.

    read returns bytes that the process holds, without use of this package.
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
        """Return the pointers that it holds at rw, or at the given address."""
        return _pointers(self.read(self.rw if address is None else address, POINTER * count))

    def is_untouched(self) -> bool:
        """Does it still hold its first content?"""
        return self.read(self.rw, RW_PAGES * PAGE) == pattern(RW_PAGES * PAGE)


def _pointers(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // POINTER}{'Q' if POINTER == 8 else 'I'}", data))


def at_first(count: int) -> list[int]:
    """Return the pointers that a target holds at rw at first."""
    return _pointers(pattern(POINTER * count))


def column(pointer: int) -> str:
    """Return a target's pointer or address as it stands in a column of the output."""
    return f"0x{pointer:0{2 * POINTER}x}"


@contextmanager
def target(pages: int = RW_PAGES) -> Iterator[Target]:
    """Start a target and end it. pages: the size of rw on Linux."""
    if sys.platform == "win32":
        from support.dbgeng_cases import start_child

        base, child = start_child(POINTER, sys.executable)
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
