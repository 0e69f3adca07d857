"""A 32-bit program with memory at 2 GiB and above, which large-address-aware programs can have.

Wine describes that memory only to a debugger that is large-address-aware itself, or a 64-bit
program (docs/engine.md).
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import dbgeng
from support.dbgeng import LANE, NARROW, PYTHON32, needs_engine

pytestmark = [
    needs_engine,
    pytest.mark.skipif(
        not NARROW and PYTHON32 is None and not LANE,
        reason="no 32-bit Python (PYDBGWRITE_PYTHON32)",
    ),
]
SIZE = 0x2000
LARGE_ADDRESS_AWARE = 0x20  # IMAGE_FILE_LARGE_ADDRESS_AWARE, winnt.h

# Has memory at 0x90000000 or above; answers with its first two pointers.
_HIGH = f"""
import ctypes, sys
kernel = ctypes.windll.kernel32
kernel.VirtualAlloc.restype = ctypes.c_void_p
kernel.VirtualAlloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_uint32]
hints = range(0x90000000, 0xB0000000, 0x1000000)
base = next(filter(None, (kernel.VirtualAlloc(hint, {SIZE}, 0x3000, 4) for hint in hints)))
print(base, flush=True)
for line in sys.stdin:
    print(*(ctypes.c_uint32 * 2).from_address(base), flush=True)
"""

# Prints what a debugger makes of that memory, of which it holds 32 bits a pointer.
_DEBUGGER = """
import json, sys, pydbgwrite
from pydbgwrite import Patch, PatchEntry, PatchError, TargetAccessError
pid, base, size, described = map(int, sys.argv[1:])
said = {}
with pydbgwrite.attach(pid) as session:
    Patch([PatchEntry(base, [0x11223344, 0x55667788])]).apply(session)
    found = session.find_pointers(0x55667788, within=range(base - size, base + 2 * size))
    said["found"] = [list(found.addresses), found.searched]
    said["skipped"] = [[each.base, each.size] for each in found.skipped]
    try:
        Patch([PatchEntry(base + size, [1])]).apply(session)
    except (PatchError, TargetAccessError) as error:
        said["behind"] = str(error)
    if described:
        said["query"] = session.query(base + 0x1005)
        said["regions"] = [each for each in session.regions() if each.base == base]
        said["next"] = session.data_spaces.get_next_differently_valid_offset_virtual(base)
print(json.dumps(said))
"""

OWN_PROGRAM = Path(getattr(sys, "_base_executable", sys.executable) if NARROW else str(PYTHON32))


@pytest.fixture(scope="module")
def aware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the 32-bit python.exe that is large-address-aware."""
    folder = tmp_path_factory.mktemp("aware")
    for each in OWN_PROGRAM.parent.glob("*.dll"):
        shutil.copy(each, folder)
    program = bytearray(OWN_PROGRAM.read_bytes())
    (header,) = struct.unpack_from("<I", program, 0x3C)
    program[header + 22] |= LARGE_ADDRESS_AWARE  # its characteristics ("PE Format")
    copy = folder / "python.exe"
    copy.write_bytes(program)
    return copy


@pytest.fixture
def high(aware: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Yield the pid of a program and where its memory is; check what it holds in the end."""
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONHOME", str(OWN_PROGRAM.parent))
        process = dbgeng.start(_HIGH, python=str(aware))
    assert process.stdin is not None and process.stdout is not None
    try:
        yield process.pid, int(process.stdout.readline())
        print(file=process.stdin, flush=True)
        assert process.stdout.readline().split() == [str(0x11223344), str(0x55667788)]
    finally:
        dbgeng.end(process)


@pytest.mark.parametrize("described", [False, True])
def test_memory_at_2_gib(high: tuple[int, int], aware: Path, described: bool) -> None:
    """described: by a debugger to which QueryVirtual describes it."""
    pid, base = high
    python, settings = sys.executable, {}
    if described and NARROW:
        python = str(aware)
        settings = {"PYTHONHOME": sys.base_prefix, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [python, "-c", _DEBUGGER, str(pid), str(base), str(SIZE), str(int(described))],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **settings},
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["found"][0] == [base + 4]
    assert said["found"][1] >= SIZE  # Wine keeps what is free near it accessible
    assert all(at + size <= base or at >= base + SIZE for at, size in said["skipped"])
    assert f"0x{base + SIZE:x}" in said["behind"]
    if described:
        assert said["query"] == [base + 0x1000, SIZE - 0x1000, "rw", "committed"]
        assert said["regions"] == [[base, SIZE, "rw", "committed"]]
        assert said["next"] == base + 0x1000
