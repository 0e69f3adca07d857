"""Show the answers of dbgeng: attach to a process and write pointers, by ctypes alone.

Run it in the Windows lane (`python tests/windows/lane.py run tests/support/probe_engine.py`) or
on Windows with PYDBGWRITE_DBGENG set to a folder with dbgeng.dll. It needs nothing of this project:
if it works and the extension does not, the extension is wrong; if it fails, the lane is wrong. Its
child is this Python, or the program that --python names (a 32-bit one, for instance).
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from ctypes import POINTER, byref, c_int32, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any

CLIENT = "27fe5639-8407-4f47-8364-ee118fb08ac8"
CONTROL = "5182e668-105e-416e-ad92-24ef800424ba"
DATA_SPACES_4 = "d98ada1f-29e9-4ef5-a6c0-e53349883212"
RELEASE = 2
ATTACH_PROCESS, DETACH_PROCESSES, END_SESSION = 12, 25, 26
ACTUAL_PROCESSOR, POINTER_64BIT, WAIT_FOR_EVENT = 35, 42, 93
WRITE_VIRTUAL, READ_POINTERS, WRITE_POINTERS = 4, 8, 9
NONINVASIVE, END_ACTIVE_DETACH = 1, 2
COUNT = 1000

CHILD = f"""
import ctypes, sys
memory = (ctypes.c_uint64 * {COUNT})()
print(ctypes.addressof(memory), ctypes.sizeof(ctypes.c_void_p), flush=True)
sys.stdin.readline()
print(bytes(memory).hex(), flush=True)
"""


class Interface:
    """A COM interface pointer, called by slot."""

    def __init__(self, pointer: int) -> None:
        self.pointer = pointer

    def call(self, slot: int, types: Sequence[Any], *arguments: Any) -> int:
        """Call one slot; return the answer as an unsigned HRESULT."""
        table = c_void_p.from_address(self.pointer).value
        assert table is not None
        function = c_void_p.from_address(table + slot * ctypes.sizeof(c_void_p)).value
        assert function is not None
        prototype = ctypes.WINFUNCTYPE(c_int32, c_void_p, *types)  # type: ignore[attr-defined]
        answer: int = prototype(function)(self.pointer, *arguments)
        return answer & 0xFFFFFFFF

    def query(self, iid: str) -> Interface:
        """Return another interface of the object, by QueryInterface."""
        found = c_void_p()
        answer = self.call(0, [c_void_p, c_void_p], guid(iid), byref(found))
        if answer != 0 or found.value is None:
            raise SystemExit(f"QueryInterface({iid}) answered 0x{answer:08x}")
        return Interface(found.value)


def guid(text: str) -> Any:
    """Return the 16 bytes of an interface identifier."""
    return ctypes.create_string_buffer(uuid.UUID(text).bytes_le, 16)


def create_client(folder: Path) -> Interface:
    """Load dbgeng.dll by its full path and make a client."""
    library: Any = ctypes.WinDLL(str(folder / "dbgeng.dll"), winmode=0x100 | 0x800)  # type: ignore[attr-defined]
    found = c_void_p()
    answer = library.DebugCreate(guid(CLIENT), byref(found)) & 0xFFFFFFFF
    if answer != 0 or found.value is None:
        raise SystemExit(f"DebugCreate answered 0x{answer:08x}")
    return Interface(found.value)


def show(what: str, answer: int, started: float) -> None:
    """Print one line: the call, its answer, and its duration."""
    print(f"{what:<34} 0x{answer:08x}  {(time.perf_counter() - started) * 1e3:9.2f} ms", flush=True)


def probe(folder: Path, program: str) -> bool:
    """Attach to a child, write to it, detach, and check that it holds the written pointers."""
    started = time.perf_counter()
    child = subprocess.Popen(
        [program, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None and child.stdout is not None
    address, width = (int(part) for part in child.stdout.readline().split())
    print(f"child {child.pid}: {width * 8}-bit, memory at 0x{address:x}")
    show("start of the child", 0, started)

    started = time.perf_counter()
    client = create_client(folder)
    control, spaces = client.query(CONTROL), client.query(DATA_SPACES_4)
    show("DebugCreate", 0, started)

    def step(what: str, interface: Interface, slot: int, types: Sequence[Any], *rest: Any) -> int:
        begun = time.perf_counter()
        answer = interface.call(slot, types, *rest)
        show(what, answer, begun)
        return answer

    pid, flags = child.pid, NONINVASIVE
    step("AttachProcess", client, ATTACH_PROCESS, [c_uint64, c_uint32, c_uint32], 0, pid, flags)
    step("WaitForEvent", control, WAIT_FOR_EVENT, [c_uint32, c_uint32], 0, 30000)
    machine = c_uint32()
    step("GetActualProcessorType", control, ACTUAL_PROCESSOR, [POINTER(c_uint32)], byref(machine))
    print(f"  processor type 0x{machine.value:x}")
    step("IsPointer64Bit", control, POINTER_64BIT, [])

    values = (c_uint64 * COUNT)(*(0x1122334400000000 + index for index in range(COUNT)))
    pointers = [c_uint32, c_uint64, c_void_p]
    half = COUNT // 2
    step(f"WritePointersVirtual({half})", spaces, WRITE_POINTERS, pointers, half, address, values)
    read = (c_uint64 * COUNT)()
    step(f"ReadPointersVirtual({half})", spaces, READ_POINTERS, pointers, half, address, read)
    written = c_uint32()
    types = [c_uint64, c_void_p, c_uint32, c_void_p]
    where, data, size = address + 8 * half, ctypes.addressof(values) + 8 * half, 8 * (COUNT - half)
    step(f"WriteVirtual({size})", spaces, WRITE_VIRTUAL, types, where, data, size, byref(written))
    step("WritePointersVirtual(1) at 16", spaces, WRITE_POINTERS, pointers, 1, 16, values)
    step("DetachProcesses", client, DETACH_PROCESSES, [])
    step("EndSession", client, END_SESSION, [c_uint32], END_ACTIVE_DETACH)
    for interface in (spaces, control, client):
        interface.call(RELEASE, [])

    child.stdin.write("\n")
    child.stdin.close()
    held = child.stdout.read().strip()
    child.wait()
    right = held == bytes(values).hex()
    print(f"the child holds what was written: {right}; read back: {read[:half] == values[:half]}")
    return right


def main() -> int:
    """Find the engine and probe it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", default=sys.executable, help="the Python to attach to")
    options = parser.parse_args()
    folder = os.environ.get("PYDBGWRITE_DBGENG")
    if not folder:
        raise SystemExit("set PYDBGWRITE_DBGENG to the folder that holds dbgeng.dll")
    return 0 if probe(Path(folder), options.python) else 1


if __name__ == "__main__":
    raise SystemExit(main())
