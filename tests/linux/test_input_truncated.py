"""A buffer of the caller's whose memory goes away: a mapped file that was truncated (Linux)."""

from __future__ import annotations

import subprocess
import sys
import tempfile

import pytest
from support.processes import Child64

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="for live Linux processes")

SIZE = 1 << 16
KEPT = 4096

# In a process of its own: reading such memory plainly ends it by SIGBUS.
SCRIPT = """
import mmap, os, sys
import pydbgwrite
pid, address, size, kept = map(int, sys.argv[1:5])
way, name = sys.argv[5:]
file = os.open(name, os.O_RDWR)
os.write(file, b"\\x5a" * size)
memory = mmap.mmap(file, size)
os.ftruncate(file, kept)
with pydbgwrite.attach(pid) as session:
    before = session.read(address, size)
    try:
        if way == "bytes":
            session.write(address, memory)
        else:
            session.write_pointers(address, memory, via=way)
    except pydbgwrite.DebugEngineError as error:
        print(error.written)
    else:
        print("no error")
    now = session.read(address, size)
    print(now[:kept] == b"\\x5a" * kept, now[kept:] == before[kept:])
"""


@pytest.mark.parametrize("way", ["WritePointersVirtual", "WriteVirtual", "bytes"])
def test_a_mapped_file_that_was_truncated(way: str) -> None:
    with Child64(SIZE // 4096, anyone=True) as child, tempfile.NamedTemporaryFile() as file:
        done = subprocess.run(
            [
                *(sys.executable, "-c", SCRIPT),
                *(str(child.pid), str(child.areas["rw"]), str(SIZE), str(KEPT)),
                *(way, file.name),
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.stderr == ""
    # What lies in the file's last page is still there; nobody can read what was behind.
    written = KEPT if way == "bytes" else KEPT // 8
    assert done.stdout.split() == [str(written), "True", "True"]
    assert done.returncode == 0
