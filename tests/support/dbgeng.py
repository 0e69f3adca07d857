"""Helpers of the tests of Microsoft's engine: programs to debug, and servers, as real processes.

Every program reports over a pipe that it is ready, and ends once its standard input is closed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import pydbgwrite
import pydbgwrite._dbgeng

COUNT = 4096
HERE = Path(__file__).parent
LANE = os.environ.get("PYDBGWRITE_LANE") == "wine"
PYTHON32 = os.environ.get("PYDBGWRITE_PYTHON32")
#: The size of this Python's own pointers. Its engine, and the programs that it starts, have it too.
OWN = struct.calcsize("P")
NARROW = OWN == 4
PROCESS_VM_OPERATION, PAGE_READWRITE = 8, 4
#: A pointer of that size with bits in its upper half; tests count on from it.
MARK = 0x1122334400000000 if OWN == 8 else 0x11220000

# Has memory of COUNT pointers with nothing mapped behind it; answers with the pointers it holds.
_TARGET = f"""
import ctypes, sys
kernel = ctypes.windll.kernel32
kernel.VirtualAlloc.restype = ctypes.c_void_p
kernel.VirtualAlloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_uint32]
kernel.VirtualFree.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32]
width = ctypes.sizeof(ctypes.c_void_p)
size = {COUNT} * width
# Wine keeps what is free near other memory accessible to debuggers, but not up here.
places = {{8: (0x90000000, 0xF0000000), 4: (0x68000000, 0x78000000)}}
hints = range(*places[width], 0x1000000)
base = next(filter(None, (kernel.VirtualAlloc(hint, size, 0x3000, 4) for hint in hints)))
print(base, width, flush=True)
for line in sys.stdin:
    if line.strip() == "show":
        print(ctypes.string_at(base, size).hex(), flush=True)
    elif line.strip() == "count":
        print(line, end="", flush=True)
"""

# Attaches and serves until its input ends.
_SERVER = """
import sys, threading, pydbgwrite
pid, options = int(sys.argv[1]), sys.argv[2]
ended, said = threading.Event(), []
def stop():
    if not said:
        said.append(True)
        print("ready", flush=True)
    return ended.is_set()
def listen():
    sys.stdin.read()
    ended.set()
with pydbgwrite.attach(pid) as session:
    threading.Thread(target=listen, daemon=True).start()
    session.serve(options, stop=stop, insecure=True)
print("served", flush=True)
"""

# Runs the engine's process server, by ctypes alone.
_PROCESS_SERVER = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from probe_engine import create_client, c_uint32, c_void_p
import ctypes
client = create_client(Path(sys.argv[2]))
options = ctypes.create_string_buffer(sys.argv[3].encode())
answer = client.call(6, [c_uint32, c_void_p, c_void_p], 2, ctypes.addressof(options), None)
print("ready" if answer == 0 else hex(answer), flush=True)
sys.stdin.read()
"""

# Writes a full-memory dump of a process, by ctypes alone.
_DUMPER = """
import ctypes, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from probe_engine import CONTROL, c_uint32, c_uint64, c_void_p, create_client
client = create_client(Path(sys.argv[2]))
control = client.query(CONTROL)
assert client.call(12, [c_uint64, c_uint32, c_uint32], 0, int(sys.argv[3]), 1) == 0
assert control.call(93, [c_uint32, c_uint32], 0, 30000) == 0
path = ctypes.create_string_buffer(sys.argv[4].encode("mbcs"))
types = [c_void_p, c_uint32, c_uint32, c_void_p]
answer = client.call(48, types, ctypes.addressof(path), 1024, 1, None)
assert client.call(25, []) == 0 and client.call(26, [c_uint32], 2) == 0
print(hex(answer))
sys.exit(answer != 0)
"""


def _why_not() -> str | None:
    """Return why the engine can't be tested here; None if it can."""
    if sys.platform != "win32":
        return "Microsoft's engine is for Windows"
    if LANE or os.environ.get("CI"):  # a skip would hide that there is no engine
        return None
    try:
        pydbgwrite._dbgeng.load_engine()
    except pydbgwrite.EngineNotFoundError as error:
        return str(error)
    return None


REASON = _why_not()
needs_engine = pytest.mark.skipif(REASON is not None, reason=REASON or "")
# The lane provides all that is needed: a skipped test would hide a failure there.
needs_32_bit = pytest.mark.skipif(
    NARROW or (PYTHON32 is None and not LANE),
    reason=(
        "needs a 64-bit Python beside the 32-bit program"
        if NARROW
        else "no 32-bit Python (PYDBGWRITE_PYTHON32)"
    ),
)
#: A write to a dump: the x86 engine answers with an error, and the x64 engine with S_OK.
NOT_APPLIED: type[pydbgwrite.DebugEngineError] = (
    pydbgwrite.TargetAccessError if NARROW else pydbgwrite.WriteNotAppliedError
)
needs_64_bit = pytest.mark.skipif(NARROW, reason="needs 64-bit pointers in the target")


def engine_folder() -> str:
    """The folder of the engine that the tests use."""
    return pydbgwrite._dbgeng.load_engine().folder


@dataclass
class Target:
    """A program to debug. base: the address of its memory; width: the size of its pointers."""

    process: subprocess.Popen[str]
    base: int
    width: int

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def end(self) -> int:
        """The first address behind its memory, where nothing is committed."""
        return self.base + COUNT * self.width

    def ask(self, word: str) -> str:
        """Send a line and return the answer: the program must be running."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def held(self) -> list[int]:
        """Return the pointers that its memory holds, as the program reports them."""
        data = bytes.fromhex(self.ask("show"))
        return [
            int.from_bytes(data[at : at + self.width], "little")
            for at in range(0, len(data), self.width)
        ]

    def runs(self) -> bool:
        """Does it answer?"""
        return self.ask("count") == "count"


def start(code: str, *arguments: str, python: str = sys.executable) -> subprocess.Popen[str]:
    """Start a Python program with pipes."""
    return subprocess.Popen(
        [python, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> str:
    """Close a program's input, wait for its end, and return the rest of its output."""
    assert process.stdin is not None and process.stdout is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        rest = process.stdout.read()
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    finally:
        process.stdout.close()
    return rest


@contextlib.contextmanager
def target(python: str = sys.executable) -> Iterator[Target]:
    """A running program to debug."""
    process = start(_TARGET, python=python)
    assert process.stdout is not None
    try:
        base, width = map(int, process.stdout.readline().split())
        yield Target(process, base, width)
    finally:
        if process.poll() is None and sys.exc_info()[0] is not None:
            process.kill()  # it may be suspended: its input would not end it
        end(process)


@contextlib.contextmanager
def _ready(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    assert process.stdout is not None
    try:
        said = process.stdout.readline().strip()
        if said != "ready":
            pytest.fail(f"the server said {said!r}")
        yield process
    finally:
        if process.poll() is None and sys.exc_info()[0] is not None:
            process.kill()
        end(process)


def free_port() -> int:
    """Return a port on which no program listens."""
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def server(pid: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Yield a program that is attached to pid and serves, and the options to connect to it."""
    port = free_port()
    with _ready(start(_SERVER, str(pid), f"tcp:port={port}")) as process:
        yield process, f"tcp:server=127.0.0.1,port={port}"


@contextlib.contextmanager
def process_server(
    password: str = "", port: int = 0
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Yield the engine's process server, a separate program, and the options to connect to it."""
    place = f"port={port or free_port()}"
    if password:
        place += f",password={password}"
    code = start(_PROCESS_SERVER, str(HERE), engine_folder(), f"tcp:{place}")
    with _ready(code) as process:
        yield process, f"tcp:server=127.0.0.1,{place}"


def make_writable(pid: int, address: int) -> None:
    """Allow writes to the page of address, where WriteProcessMemory heeds its protection."""
    kernel: Any = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    kernel.OpenProcess.restype = ctypes.c_void_p
    kernel.CloseHandle.argtypes = [ctypes.c_void_p]
    pointer, number = ctypes.c_void_p, ctypes.c_uint32
    kernel.VirtualProtectEx.argtypes = [pointer, pointer, ctypes.c_size_t, number, pointer]
    handle = kernel.OpenProcess(PROCESS_VM_OPERATION, False, pid)
    assert handle
    before = ctypes.byref(number())
    done = kernel.VirtualProtectEx(handle, address, 1, PAGE_READWRITE, before)
    kernel.CloseHandle(handle)
    assert done


def write_dump(pid: int, path: Path) -> None:
    """Write a dump of a process with all its memory."""
    process = start(_DUMPER, str(HERE), engine_folder(), str(pid), str(path))
    said = end(process)
    assert process.returncode == 0, said


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program to its end."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
