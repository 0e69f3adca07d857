"""timeout= of attach, launch and open_dump: the call raises in time, and leaves nothing behind.

The files of connect, process_server and attach_kernel test their timeouts.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.dbgeng import end, needs_engine, start, target, write_dump

import pydbgwrite

pytestmark = needs_engine

# A program that no debugger can break into: the thread that a debugger creates in it for the break
# returns at once. It answers each line.
_UNBREAKABLE = """
import ctypes, sys
kernel = ctypes.windll.kernel32
kernel.GetModuleHandleW.restype = kernel.GetProcAddress.restype = ctypes.c_void_p
kernel.GetProcAddress.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
kernel.VirtualProtect.argtypes = [
    ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_void_p
]
for name in (b"DbgUiRemoteBreakin", b"DbgBreakPoint"):
    function = kernel.GetProcAddress(kernel.GetModuleHandleW("ntdll.dll"), name)
    before = ctypes.c_uint32()
    assert kernel.VirtualProtect(function, 1, 0x40, ctypes.byref(before))
    ctypes.memmove(function, bytes([0xC3]), 1)
print("ready", flush=True)
for line in sys.stdin:
    print(line, end="", flush=True)
"""


@contextlib.contextmanager
def unbreakable() -> Iterator[subprocess.Popen[str]]:
    """Yield the running program."""
    process = start(_UNBREAKABLE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == "ready"
        yield process
    finally:
        if sys.exc_info()[0] is not None:
            process.kill()
        end(process)


def test_attach() -> None:
    with unbreakable() as process:
        assert process.stdin is not None and process.stdout is not None
        with pytest.raises(TimeoutError, match="was detached again"):
            pydbgwrite.attach(process.pid, invasive=True, timeout=0.3)
        process.stdin.write("still here\n")
        process.stdin.flush()
        assert process.stdout.readline() == "still here\n"
        with pydbgwrite.attach(process.pid) as session:  # it needs no break
            assert session.pid == process.pid


def test_launch(tmp_path: Path) -> None:
    """With a timeout of 0, nothing can have started."""
    trace = tmp_path / "trace"
    program = [sys.executable, "-c", f"open({str(trace)!r}, 'w')"]
    with pytest.raises(TimeoutError, match="the attempt was abandoned"):
        pydbgwrite.launch(program, timeout=0)
    with pydbgwrite.launch([sys.executable, "-c", "pass"]) as session:
        session.terminate()
    assert not trace.exists()


def test_open_dump(tmp_path: Path) -> None:
    path = tmp_path / "full.dmp"
    with target() as child:
        with pydbgwrite.attach(child.pid) as session:
            session.write_pointers(child.base, [1, 2, 3])
        write_dump(child.pid, path)
    for _ in range(3):
        with pytest.raises(TimeoutError, match="the attempt was abandoned"):
            pydbgwrite.open_dump(path, timeout=0)
        opened = None
        while opened is None:  # the engine is free when it returns from that attempt
            with contextlib.suppress(pydbgwrite.SessionBusyError):
                opened = pydbgwrite.open_dump(path)
        with opened:
            assert list(opened.read_pointers(child.base, 4)) == [1, 2, 3, 0]


def test_open_dump_of_no_file() -> None:
    """A name whose opening might wait for ever is refused."""
    with pytest.raises(ValueError, match="not a regular file"):
        pydbgwrite.open_dump("NUL")
