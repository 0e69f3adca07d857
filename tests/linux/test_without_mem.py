"""A process whose /proc/PID/mem may not be opened can still be written while it is suspended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import Child32, Child64, LiveChild

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")
NOBODY = 65534
TESTS = next(each for each in Path(__file__).parents if (each / "support").is_dir())

USE = """
def refused(call):
    try:
        call()
    except pydbgwrite.TargetAccessError as error:
        return str(error)
    raise AssertionError("it was not refused")

def use(pid, areas, narrow=False):
    rw, read_only, size = areas["rw"], areas["read_only"], 4 if narrow else 8
    with pydbgwrite.attach(pid) as session:
        assert session.pointer_size == size
        assert session.write_pointers(rw, [1, 2, 3], verify=True) == 3
        assert list(session.read_pointers(rw, 3)) == [1, 2, 3]
        # Forced, at the page's beginning, within, and to its last byte.
        end = read_only + mmap.PAGESIZE
        for address, data in ((read_only, b"0123456789abcdef"), (read_only + 21, b"x"),
                              (read_only + 30, b"across words"), (end - 3, b"end")):
            before = session.read(address - 8 if address != read_only else address, 8)
            assert session.write(address, data, verify=True) == len(data)
            if address != read_only:
                assert session.read(address - 8, 8) == before
        assert session.read(read_only, 24) == b"0123456789abcdef" + bytes(5) + b"x" + bytes(2)
        assert "mapped" in refused(lambda: session.write(end - 3, b"past"))
        assert session.read(end - 3, 3) == b"pas"
        refused(lambda: session.write_pointers(areas["none"], [1]))
        if not narrow:
            many = [5] * (4 * mmap.PAGESIZE // 8)
            assert session.write_pointers(rw, many, verify=True) == len(many)
            assert session.modules()
            assert "shared" in refused(lambda: session.write_pointers(areas["shared"], [1]))
"""
ONE_CAPABILITY = f"""
import json, mmap, sys
import pydbgwrite
{USE}
pid, areas = int(sys.argv[1]), json.loads(sys.argv[2])
use(pid, areas, len(sys.argv) > 3)
print(refused(lambda: pydbgwrite.attach(pid, suspend=False)))
with pydbgwrite.attach(pid) as session:
    with session.transaction():
        session.write_pointers(areas["rw"], [9])
    print(refused(lambda: session.transaction("/nowhere/journal").__enter__()))
"""


@pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() != 0, reason="needs root: namespaces and users"
)
@pytest.mark.parametrize("bits", [64, 32])
def test_with_cap_sys_ptrace_alone(bits: int) -> None:
    """The files of a process belong to its owner (mode 0600), whichever process may trace it."""
    with Child64() if bits == 64 else Child32() as child:
        assert isinstance(child, LiveChild)
        only = "-all,+sys_ptrace"
        done = subprocess.run(
            [
                *("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"),
                *("--bounding-set", only, "--inh-caps", only, "--ambient-caps", only),
                *(sys.executable, "-c", ONE_CAPABILITY, str(child.pid), json.dumps(child.areas)),
                *["narrow"] * (bits == 32),
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )
        if "error while loading shared libraries: libpython" in done.stderr:
            pytest.skip("with capabilities this Python does not find its library")
        assert done.returncode == 0, done.stderr
        assert child.read(child.areas["rw"], bits // 8)[:1] == b"\t"
    running, journal = done.stdout.splitlines()
    for said, instead in ((running, "suspend=True"), (journal, "without a journal")):
        assert "CAP_DAC_OVERRIDE" in said
        assert instead in said
        assert "dumpable" not in said


#: Landlock (landlock(7)): access to files is kept below some folders.
LANDLOCK = """
import ctypes, errno, json, mmap, os, struct, sys
import pydbgwrite
libc = ctypes.CDLL(None, use_errno=True)
write_file, read_file = 1 << 1, 1 << 2

def landlock(access, folders):
    rules = libc.syscall(444, struct.pack("Q", access), 8, 0)
    if rules < 0:
        print("no Landlock")
        sys.exit()
    for folder in folders:
        beneath = struct.pack("=Qi", access, os.open(folder, os.O_PATH))
        assert libc.syscall(445, rules, 1, beneath, 0) == 0
    assert libc.prctl(38, *[ctypes.c_ulong(each) for each in (1, 0, 0, 0)]) == 0
    assert libc.syscall(446, rules, 0) == 0
"""


def under_landlock(script: str, *arguments: str) -> str:
    """Return what a script prints."""
    code = f"{LANDLOCK}\nsys.path.insert(0, {str(TESTS)!r})\n{script}"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    if done.stdout == "no Landlock\n":
        pytest.skip("this kernel runs without Landlock")
    return done.stdout


def test_where_landlock_forbids_it() -> None:
    script = f"""
landlock(write_file, ["/dev", "/tmp"])
from support.processes import Child64
{USE}
with Child64() as child:
    use(child.pid, child.areas)
    print(refused(lambda: pydbgwrite.attach(child.pid, suspend=False)))
    with pydbgwrite.attach(child.pid, suspend=False, writable=False) as session:
        assert session.read(child.areas["rw"], 8) == (5).to_bytes(8, "little")
"""
    said = under_landlock(script)
    assert "Landlock" in said
    assert "suspend=True" in said
    assert "dumpable" not in said


#: Says why a process can't be opened that runs beside this one, and does not obey its rules.
REFUSED = f"{USE}\nprint(refused(lambda: pydbgwrite.attach(int(sys.argv[1]))))"


@pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() != 0, reason="needs root: namespaces and users"
)
@pytest.mark.parametrize(
    ("user", "word"), [(0, "has CAP_SYS_PTRACE: Landlock"), (NOBODY, "with CAP_SYS_PTRACE")]
)
def test_where_landlock_forbids_tracing(user: int, word: str) -> None:
    """/proc does not show that, so it is named as what may be the reason."""
    # Another user may have no access to this Python: what it needs later is imported before.
    script = f"""
from pydbgwrite._messages import linux
from pydbgwrite._opening import linux
os.setresuid({user}, {user}, {user})
landlock(write_file, ["/dev"])
{REFUSED}
"""
    with subprocess.Popen(["sleep", "100"], user=user) as child:
        try:
            said = under_landlock(script, str(child.pid))
        finally:
            child.kill()
    assert f"no access to process {child.pid}" in said
    assert "/proc does not show the reason" in said and word in said


def test_where_landlock_forbids_proc() -> None:
    folders = [str(each) for each in Path("/").iterdir() if each.name not in ("proc", "sys")]
    script = f"""
from pydbgwrite._messages import linux
landlock(read_file, {folders})
try:
    pydbgwrite.attach(os.getppid())
except pydbgwrite.Error as error:
    print(error)
"""
    said = under_landlock(script)
    assert "this process can't read /proc/self/status (Permission denied). Landlock" in said
