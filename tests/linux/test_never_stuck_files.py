"""The file system of a page does not answer (FUSE; NFS is similar): Ctrl-C ends a waiting call.

The file system is a program that is suspended before it serves a page of the file. A separate
script makes the call, and is ended if it takes too long.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.waiting_script import BOUND, WATCH, said_after_ctrl_c

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Linux processes"),
    pytest.mark.skipif(
        hasattr(os, "geteuid") and os.geteuid() != 0, reason="needs root: mounts of FUSE"
    ),
]

SUPPORT = Path(__file__).parent.parent / "support"
PAGES = 300

SCRIPT = """
import sys
import pydbgwrite
pid, own, pages = (int(word) for word in sys.argv[1:4])
many = [5] * (2 * PAGES * 4096 // 8)

def transact():
    before = session.read(own, 8)
    try:
        with session.transaction():
            session.write_pointers(own, [99])
            session.write_pointers(pages, [5])
    finally:
        assert session.read(own, 8) == before

session = pydbgwrite.attach(pid, suspend=sys.argv[4] == "suspended")
WATCH
spaces = session.data_spaces
try:
    print("returned", CALL)
except KeyboardInterrupt as interrupt:
    print("Ctrl-C", getattr(interrupt, "written", "none"), flush=True)
print(session.write_pointers(own, [7], verify=True))
session.close()
print("closed", flush=True)
""".replace("PAGES", str(PAGES)).replace("WATCH", WATCH)
# Each call, and how many of its elements the target then holds.
CALLS = {
    "session.write_pointers(pages, [5])": "0",
    "session.write_pointers(pages, many[:-1])": "0",
    "session.write(pages, b'x' * 5000, expect=b'd' * 5000)": "0",
    "session.write(pages, b'd' * 5000, verify=True)": "0",
    "session.write_scattered([own, pages, own + 8], [1, 2, 3])": "1",
    "transact()": "0",
    "session.read(pages, 8)": "none",
    "session.read_pointers(pages, 8192)": "none",
    "session.read_scattered([own, pages])": "none",
    "spaces.write_virtual(pages, b'x')": "0",
    "spaces.write_pointers_virtual(pages, [5])": "0",
    "spaces.read_virtual(pages, 8)": "none",
    "spaces.read_pointers_virtual(pages, 1)": "none",
    "spaces.fill_virtual(pages, 8, b'x')": "0",
    "spaces.search_virtual(pages, 8192, b'xyz')": "none",
}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Yield a process, the address of its own page, and that of pages that are never filled."""
    folder = tmp_path_factory.mktemp("mounted")
    data = tmp_path_factory.mktemp("data") / "data"
    data.write_bytes(b"d" * PAGES * 4096)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    python = [sys.executable, "-I"]
    with ExitStack() as stack:

        def start(*words: str) -> tuple[subprocess.Popen[bytes], list[str]]:
            one = stack.enter_context(subprocess.Popen([*python, *words], **pipes))  # type: ignore[call-overload]
            return one, one.stdout.readline().decode().split()

        system, _ = start(str(SUPPORT / "fuse_file.py"), str(folder), str(data), "0")
        child, addresses = start(str(SUPPORT / "mapped_child.py"), str(folder / "program"))
        system.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, system.pid, os.WSTOPPED)
        try:
            yield [str(child.pid), *addresses]
        finally:
            system.send_signal(signal.SIGCONT)
            for one in (child, system):
                one.communicate(timeout=BOUND)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("state", ["suspended", "running"])
def test_ctrl_c_ends_a_call(target: list[str], state: str, call: str) -> None:
    """The count is correct, other threads run, and the session can still be used and closed."""
    said = said_after_ctrl_c(SCRIPT.replace("CALL", call), [*target, state])
    assert said == [f"Ctrl-C {CALLS[call]}", "1", "closed"]
