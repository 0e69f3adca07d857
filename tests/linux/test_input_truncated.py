"""The caller's buffer loses its memory: it is a mapped file that was truncated (Linux)."""

from __future__ import annotations

import subprocess
import sys
import tempfile

import pytest
from support.processes import Child64

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="for live Linux processes")

SIZE = 1 << 18
KEPT = 4096

# The script is a separate process: a plain read of such memory ends it by SIGBUS.
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
    # The file's last page is still mapped; the memory after it can't be read.
    written = KEPT if way == "bytes" else KEPT // 8
    assert done.stdout.split() == [str(written), "True", "True"]
    assert done.returncode == 0


# Calls that read such memory themselves, before or during a write, raise an error and write
# nothing.
LOOKS = """
import mmap, os, sys
import pydbgwrite
pid, address, size, kept = map(int, sys.argv[1:5])
name, engine, width = sys.argv[5:8]
file = os.open(name, os.O_RDWR)
count = size // 8
for offset in range(0, size, 8):
    os.write(file, (address + offset).to_bytes(8, "little"))
mapped = mmap.mmap(file, size)
os.ftruncate(file, kept)
numbers = memoryview(mapped).cast("Q")
backwards = numbers[::-1]
large = list(range(count))


def target():
    if engine == "live":
        return pydbgwrite.attach(pid)
    return pydbgwrite.simulate([(address, size)], pointer_size=int(width))


def recorded(session, write):
    with session.transaction():
        write()


with target() as session:
    raw = session.data_spaces
    before = session.read(address, size)
    calls = {
        "strided": lambda: session.write_pointers(address, numbers[::2]),
        "far": lambda: session.write_pointers(address, numbers[:: count // 2]),
        "backwards": lambda: session.write_pointers(address, backwards, via="WriteVirtual"),
        "values": lambda: session.write_scattered([address + 8 * i for i in large], numbers),
        "addresses": lambda: session.write_scattered(numbers, large),
        "read": lambda: session.read_scattered(numbers),
        "expect": lambda: session.write_pointers(address, large, expect=numbers),
        "expect bytes": lambda: session.write(address, bytes(size), expect=mapped),
        "expect scattered": lambda: session.write_scattered(
            [address + 8 * i for i in large], large, expect=numbers
        ),
        "recorded": lambda: recorded(session, lambda: session.write_pointers(address, numbers)),
        "recorded bytes": lambda: recorded(session, lambda: session.write(address, mapped)),
        "fill": lambda: raw.fill_virtual(address, size, mapped),
        "search": lambda: raw.search_virtual(address, size, mapped),
        "find": lambda: session.find_pointers(numbers),
    }
    if engine == "simulated":
        calls["pointers"] = lambda: session.write_pointers(address, numbers, truncate=True)
        calls["bulk"] = lambda: session.write_pointers(
            address, numbers, via="WriteVirtual", truncate=True
        )
        calls["bytes"] = lambda: session.write(address, mapped)
        calls["raw bytes"] = lambda: raw.write_virtual(address, mapped)
        calls["raw pointers"] = lambda: raw.write_pointers_virtual(address, numbers)
    for what, call in calls.items():
        try:
            call()
        except ValueError as error:
            text = str(error)
        else:
            text = "no error"
        print(what, session.read(address, size) == before, text, sep="|", flush=True)
"""


@pytest.mark.parametrize(("engine", "width"), [("live", 8), ("simulated", 8), ("simulated", 4)])
def test_memory_that_is_looked_at_first(engine: str, width: int) -> None:
    with Child64(SIZE // 4096, anyone=True) as child, tempfile.NamedTemporaryFile() as file:
        done = subprocess.run(
            [
                *(sys.executable, "-c", LOOKS),
                *(str(child.pid), str(child.areas["rw"] if engine == "live" else 0x10000)),
                *(str(SIZE), str(KEPT), file.name, engine, str(width)),
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.stderr == ""
    lines = [line.split("|") for line in done.stdout.splitlines()]
    assert len(lines) == (14 if engine == "live" else 19)
    for what, same, text in lines:
        assert same == "True", what
        assert "memory that can't be read" in text, what
        if what in ("values", "addresses", "read", "expect", "recorded"):
            assert f"element {KEPT // 8:,} " in text
    assert done.returncode == 0
