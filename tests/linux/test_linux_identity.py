"""A session opens on the intended process or not at all, whatever /proc shows or lacks."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import elf32
from support.libraries import compile_program
from support.places import SUPPORT, TESTS
from support.processes import Child64

import pydbgwrite

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")

NEEDS_ROOT = pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() != 0, reason="needs root: namespaces and mounts"
)

#: The beginning of each script below. `child` is a separate process.
BEGIN = f"""
import os, subprocess, sys
sys.path.insert(0, {str(TESTS)!r})
import pydbgwrite
from support.processes import Child64
from support import sandbox

def refused(call, words):
    try:
        call().close()
    except pydbgwrite.NoTargetError as error:
        assert words in str(error), error
    else:
        raise AssertionError("it was opened")

def attachments(pid, words):
    for suspend in (True, False):
        refused(lambda: pydbgwrite.attach(pid, suspend=suspend), words)
    refused(lambda: pydbgwrite.launch([sys.executable, "-c", ""]), words)
"""
WORKS = """
with Child64() as child:
    for suspend in (True, False):
        with pydbgwrite.attach(child.pid, suspend=suspend) as session:
            assert session.write_pointers(child.areas["rw"], [1 + suspend] * 3, verify=True) == 3
            assert session.write_pointers(child.areas["read_only"], [7], verify=True) == 1
        assert child.read(child.areas["rw"], 8) == (1 + suspend).to_bytes(8, "little")
"""


def run(script: str, *before: str) -> str:
    """Return the output of the script, started through these programs; the script must succeed."""
    done = subprocess.run(
        [*before, sys.executable, "-c", BEGIN + script],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@NEEDS_ROOT
def test_the_proc_of_another_pid_namespace() -> None:
    """/proc/N is a stranger there; in this namespace the intended child has the number N."""
    with Child64() as stranger:
        before = stranger.read(stranger.areas["rw"], 64)
        run(
            f"""
with open("/proc/sys/kernel/ns_last_pid", "w") as file:
    file.write("{stranger.pid - 1}")
with Child64() as child:
    assert child.pid == {stranger.pid}
    attachments(child.pid, "another pid namespace")
""",
            *("unshare", "--pid", "--fork"),
        )
        assert stranger.read(stranger.areas["rw"], 64) == before
        with pydbgwrite.attach(stranger.pid) as session:  # no session holds it
            assert session.read(stranger.areas["rw"], 64) == before


@NEEDS_ROOT
def test_a_process_in_an_inner_pid_namespace() -> None:
    """The process has another number in the inner namespace; attach() takes the outer number."""
    inner = f"import sys; sys.path.insert(0, {str(TESTS)!r}); " + (
        "from support import child; child.main()"
    )
    run(
        f"""
command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", {inner!r}, "4"]
with subprocess.Popen(command, stdin=-1, stdout=-1) as outer:
    outer.stdout.readline()
    with open(f"/proc/{{outer.pid}}/task/{{outer.pid}}/children") as file:
        pid = int(file.read())
    with pydbgwrite.attach(pid) as session:
        assert session.pid == pid
        assert session.modules()
    outer.stdin.close()
"""
    )


@NEEDS_ROOT
def test_a_folder_of_proc_that_is_covered_by_another() -> None:
    with Child64() as stranger:
        before = stranger.read(stranger.areas["rw"], 64)
        run(
            f"""
with Child64() as child:
    subprocess.check_call(["mount", "--bind", "/proc/{stranger.pid}", f"/proc/{{child.pid}}"])
    for suspend in (True, False):
        refused(lambda: pydbgwrite.attach(child.pid, suspend=suspend), "umount /proc/")
""",
            *("unshare", "--mount"),
        )
        assert stranger.read(stranger.areas["rw"], 64) == before


@pytest.mark.parametrize("error", ["ENOSYS", "EPERM"])
@pytest.mark.parametrize("calls", ["PIDFD_OPEN", "PIDFD_OPEN, sandbox.PIDFD_SEND_SIGNAL"])
def test_without_a_pidfd(error: str, calls: str) -> None:
    """A kernel before 5.3 has no pidfd, and a sandbox may refuse it."""
    run(
        f"""
import errno
sandbox.deny(dict.fromkeys([sandbox.{calls}], errno.{error}))
{WORKS}
with Child64() as child:
    for suspend in (True, False):
        with pydbgwrite.attach(child.pid, suspend=suspend) as session:
            if not suspend:
                child.kill()
                try:
                    session.write_pointers(child.areas["rw"], [1])
                except pydbgwrite.NoTargetError:
                    break
                raise AssertionError("it was written to after its end")
try:
    pydbgwrite.attach(child.pid)
except pydbgwrite.NoTargetError:
    pass
session = pydbgwrite.launch(["/bin/cat"])
session.terminate()
try:
    os.kill(session.pid, 0)
except ProcessLookupError:
    pass
else:
    raise AssertionError("it lives")
"""
    )


def test_without_a_pidfd_another_program_is_never_written() -> None:
    """A running process is written through a descriptor that is bound to its memory."""
    run(
        """
import errno
sandbox.deny({sandbox.PIDFD_OPEN: errno.ENOSYS})
program = (
    "import os, sys, ctypes; room = ctypes.create_string_buffer(64);"
    "print(ctypes.addressof(room), flush=True); os.read(0, 1);"
    "os.execv('/bin/cat', ['cat'])"
)
with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1) as child:
    address = int(child.stdout.readline())
    with pydbgwrite.attach(child.pid, suspend=False) as session:
        session.write_pointers(address, [1], verify=True)
        child.stdin.write(b"!the cat\\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"the cat\\n"
        try:
            session.write_pointers(address, [1])
        except pydbgwrite.NoTargetError:
            pass
        else:
            raise AssertionError("another program was written to")
    child.stdin.close()
"""
    )


PROGRAM = """
#include <stdio.h>
void *table[4];
int main(void) { printf("%p\\n", (void *)table); fflush(stdout); return getchar() == 'x'; }
"""


@NEEDS_ROOT
@pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="the kernel has no FUSE")
@pytest.mark.parametrize("bits", [64, 32])
def test_a_program_whose_file_cannot_be_read(bits: int, tmp_path: Path) -> None:
    """The file lies on a FUSE mount of its user, which even root may not access."""
    program, folder = tmp_path / "program", tmp_path / "mount"
    folder.mkdir()
    if bits == 32:
        elf32.write_program(program, 0)
    else:
        compile_program(program, PROGRAM)
    tmp_path.chmod(0o755)
    run(
        f"""
import json
user = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
fuse = [sys.executable, {str(SUPPORT / "fuse_file.py")!r}, {str(folder)!r}, {str(program)!r}]
with subprocess.Popen([*fuse, "65534"], stdin=-1, stdout=-1) as mount:
    assert mount.stdout.readline() == b"mounted\\n"
    with subprocess.Popen([*user, {str(folder / "program")!r}], stdin=-1, stdout=-1) as child:
        said = child.stdout.readline() if {bits} == 64 else child.stdout.read(1)
        address = int(said, 16) if {bits} == 64 else {elf32.RW}
        try:
            open(f"/proc/{{child.pid}}/exe").close()
        except PermissionError:
            pass
        else:
            raise AssertionError("its file can be read")
        for suspend in (True, False):
            with pydbgwrite.attach(child.pid, suspend=suspend) as session:
                assert session.pointer_size == {bits // 8}
                assert session.write_pointers(address, [1, 2], verify=True) == 2
        child.kill()
    mount.stdin.close()
""",
        *("unshare", "--mount"),
    )


def tracer() -> int:
    """Return the process that holds a target for this process, and shares its memory."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(") ")
        except OSError:
            continue
        if name == "pydbgwrite" and int(rest.split()[1]) == os.getpid():
            return int(stat.parent.name)
    raise AssertionError("there is none")


#: Its first thread ends; another thread answers.
WITHOUT_ITS_FIRST_THREAD = f"""
import ctypes, sys, threading
sys.path.insert(0, {str(TESTS)!r})
from support import child
threading.Thread(target=child.main).start()
libc = ctypes.CDLL(None)
libc.syscall({93 if platform.machine() == "aarch64" else 60}, 0)  # exit, of this thread alone
"""


@pytest.mark.parametrize("suspend", [True, False])
def test_a_process_whose_first_thread_has_ended(suspend: bool, tmp_path: Path) -> None:
    with Child64(program=WITHOUT_ITS_FIRST_THREAD) as child:
        rw = child.areas["rw"]
        while "State:\tZ" not in Path(f"/proc/{child.pid}/status").read_text():
            os.sched_yield()
        with pydbgwrite.attach(child.pid, suspend=suspend) as session:
            before = session.read(rw, 64)
            with session.transaction(tmp_path / "a.journal"):
                assert session.write_pointers(rw, [1] * 8, verify=True) == 8
            assert session.write_pointers(child.areas["read_only"], [2], verify=True) == 1
            libc = next(each for each in session.modules() if each.name == "libc.so.6")
            assert libc.base < session.resolve("libc.so.6!malloc") < libc.base + libc.size
        assert child.read(rw, 64) == (1).to_bytes(8, "little") * 8
        with pydbgwrite.attach(child.pid, suspend=suspend) as session:
            assert pydbgwrite.undo(tmp_path / "a.journal", session).complete
        assert child.read(rw, 64) == before
        with pydbgwrite.attach(child.pid, suspend=suspend) as session:
            os.kill(child.pid, signal.SIGKILL)
            assert child.wait() == -signal.SIGKILL
            with pytest.raises(pydbgwrite.NoTargetError):
                session.write_pointers(rw, [1])


@pytest.mark.parametrize("suspend", [True, False])
def test_the_tracer_is_ourselves(suspend: bool) -> None:
    with Child64() as child, pydbgwrite.attach(child.pid) as session:
        with pytest.raises(ValueError, match="memory of this very process"):
            pydbgwrite.attach(tracer(), suspend=suspend, timeout=10)
        assert session.write_pointers(child.areas["rw"], [1], verify=True) == 1
