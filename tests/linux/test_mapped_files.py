"""Files that a live process has mapped: on a disk, in memory, shared or private, frozen."""

from __future__ import annotations

import mmap
import os
import random
import shutil
import subprocess
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support.chance import chance, rounds

import pydbgwrite
from pydbgwrite import DebugEngineError

__all__ = ["chance"]

if sys.platform != "linux":
    pytest.skip("for live Linux processes", allow_module_level=True)

PAGE = mmap.PAGESIZE
SIZE = 64 * PAGE
LOOP = Path("/dev/loop-control")
FREEZE, THAW = 0xC0045877, 0xC0045878  # FIFREEZE and FITHAW of include/uapi/linux/fs.h

CHILD = """
import ctypes, mmap, sys
path, private = sys.argv[1:]
kind = mmap.MAP_PRIVATE if private == "True" else mmap.MAP_SHARED
with open(path, "r+b") as file:
    memory = mmap.mmap(file.fileno(), 0, flags=kind)
print(ctypes.addressof(ctypes.c_char.from_buffer(memory)), flush=True)
for line in sys.stdin:
    print(memory[:].hex(), flush=True)
"""


@contextmanager
def mapping(path: Path, private: bool) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a process with that file mapped; yield it and the address."""
    words = [sys.executable, "-I", "-c", CHILD, str(path), str(private)]
    with subprocess.Popen(words, stdin=-1, stdout=-1, text=True) as child:
        try:
            assert child.stdout is not None
            yield child, int(child.stdout.readline())
        finally:
            child.kill()


@pytest.fixture(params=["disk", "memory"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Yield a file there."""
    folder = tmp_path if request.param == "disk" else Path("/dev/shm")
    file = folder / f"pydbgwrite-{os.getpid()}"
    file.write_bytes(bytes(SIZE))
    yield file
    file.unlink()


@pytest.mark.parametrize("suspend", [True, False])
@pytest.mark.parametrize("private", [False, True])
def test_against_a_model(
    path: Path, private: bool, suspend: bool, chance: random.Random, profile: str
) -> None:
    model = bytearray(SIZE)
    with mapping(path, private) as (child, address):
        for _ in rounds(profile, quick=1, seconds=3):
            with pydbgwrite.attach(child.pid, suspend=suspend) as session:
                for _ in range(20):
                    count = chance.choice([1, 2, 3, 50, 2000])
                    places = [chance.randrange(SIZE - 7) for _ in range(count)]
                    values = [chance.getrandbits(64) for _ in places]
                    at = [address + place for place in places]
                    if chance.random() < 0.5:
                        read = session.read_scattered(at)
                        assert list(read) == [
                            int.from_bytes(model[place : place + 8], "little") for place in places
                        ]
                    session.write_scattered(at, values)
                    for place, value in zip(places, values, strict=True):
                        model[place : place + 8] = value.to_bytes(8, "little")
                    size = chance.randrange(1, SIZE // 2)
                    start = chance.randrange(SIZE - size)
                    data = chance.randbytes(size)
                    assert session.read(address + start, size) == model[start : start + size]
                    session.write(address + start, data)
                    model[start : start + size] = data
                assert session.read(address, SIZE) == model
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write("?\n")
            child.stdin.flush()
            assert child.stdout.readline() == f"{model.hex()}\n"
    assert path.read_bytes() == (bytes(SIZE) if private else model)


@pytest.mark.parametrize("suspend", [True, False])
def test_the_file_is_cut(path: Path, suspend: bool) -> None:
    """Pages behind the file's end can't be written: the count of pointers before them is right."""
    with mapping(path, private=False) as (child, address):
        os.truncate(path, SIZE // 2)
        with pydbgwrite.attach(child.pid, suspend=suspend) as session:
            for before in (0, 1, 1500):
                at = [address + 8 * i for i in range(before)]
                at += [address + SIZE - 8, address + 8 * before]
                values = array("Q", range(1, len(at) + 1))
                with pytest.raises(DebugEngineError) as raised:
                    session.write_scattered(at, values)
                assert raised.value.written == before
                assert raised.value.address == address + SIZE - 8
                assert session.read_pointers(address, before) == values[:before]


@contextmanager
def disk(folder: Path) -> Iterator[Path]:
    """Yield a folder with a file system of its own, on a file."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None or not LOOP.exists():
        pytest.skip("needs root: mounts of a file system on a file")
    image, mounted = folder / "image", folder / "mounted"
    with image.open("wb") as file:
        file.truncate(8 << 20)
    mounted.mkdir()
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mounted], check=True)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "-l", mounted], check=True)


FROZEN = """
import sys
import pydbgwrite
pid, address = map(int, sys.argv[1:3])
with pydbgwrite.attach(pid, suspend=sys.argv[3] == "True") as session:
    assert session.read_scattered([address, address + 8, address + 4096]).tolist() == [0, 0, 0]
    print("read", flush=True)
    try:
        CALL
    except KeyboardInterrupt as interrupt:
        print(interrupt.written, "may still land" in interrupt.__notes__[0], flush=True)
    for call in (lambda: session.read(address, 8), lambda: session.write_pointers(address, [6])):
        try:
            call()
        except pydbgwrite.NoTargetError:
            print("NoTargetError", flush=True)
print("closed", flush=True)
"""


@pytest.mark.parametrize(
    ("call", "suspend"),
    [
        ("session.write_pointers(address, [1])", True),
        ("session.write_scattered([address] * 9, [1] * 9)", True),
        ("session.write_pointers(address, [1])", False),
    ],
)
def test_a_frozen_file_system(tmp_path: Path, call: str, suspend: bool) -> None:
    """A write to a shared page waits until it is thawed. Ctrl-C ends the call; reads do not wait.

    The write has begun, and is abandoned: it can land after the thaw.
    """
    import fcntl

    with disk(tmp_path) as folder:
        file = folder / "file"
        file.write_bytes(bytes(SIZE))
        descriptor = os.open(folder, os.O_RDONLY)
        with mapping(file, private=False) as (child, address):
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write("?\n")  # it reads all pages
            child.stdin.flush()
            child.stdout.readline()
            fcntl.ioctl(descriptor, FREEZE, 0)
            try:
                words = [sys.executable, "-c", FROZEN.replace("CALL", call)]
                words += [str(child.pid), str(address), str(suspend)]
                with subprocess.Popen(words, stdin=-1, stdout=-1, text=True) as script:
                    assert script.stdout is not None
                    assert script.stdout.readline() == "read\n"
                    until_it_waits(script.pid)
                    script.send_signal(2)
                    said = [script.stdout.readline() for _ in range(4)]
                    assert said == ["None True\n", *["NoTargetError\n"] * 2, "closed\n"]
                    fcntl.ioctl(descriptor, THAW, 0)
                    assert script.wait() == 0
            finally:
                with suppress(OSError):  # it is thawed already
                    fcntl.ioctl(descriptor, THAW, 0)
                os.close(descriptor)


def until_it_waits(pid: int) -> None:
    """Return once a thread of that process sleeps in a fault."""
    while not any(
        "D (disk sleep)" in (each / "status").read_text()
        for each in Path(f"/proc/{pid}/task").iterdir()
    ):
        os.sched_yield()
