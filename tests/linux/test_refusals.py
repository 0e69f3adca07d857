"""If the system refuses a process, messages and doctor name the observed facts alone."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import Child64

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Linux processes"),
    pytest.mark.skipif(
        hasattr(os, "geteuid") and os.geteuid() != 0, reason="needs root: namespaces and users"
    ),
]

TESTS = next(each for each in Path(__file__).parents if (each / "support").is_dir())

#: The beginning of each script.
BEGIN = f'''
import contextlib, ctypes, json, os, subprocess, sys
sys.path.insert(0, {str(TESTS)!r})
import pydbgwrite
import pydbgwrite._messages.linux, pydbgwrite._opening.linux
from support.processes import Child64
from support import sandbox

USER = 65534

@contextlib.contextmanager
def as_user(group=USER):
    os.setgroups([])
    os.setresgid(group, group, 0)
    os.setresuid(USER, USER, 0)  # and so without any capability
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)

def child_of(group=USER, more="pass"):
    """A process of that user, dumpable (prctl 4: PR_SET_DUMPABLE) unless `more` says no."""
    return Child64(program=f"""
import ctypes, os, sys
sys.path.insert(0, {str(TESTS)!r})
from support import child
os.setgroups([])
os.setresgid({{group}}, {{group}}, {{group}})
os.setresuid({{USER}}, {{USER}}, {{USER}})
libc = ctypes.CDLL(None)
libc.prctl(4, 1)
{{more}}
child.main()
""")

def refused(pid, **options):
    try:
        pydbgwrite.attach(pid, **options).close()
    except pydbgwrite.TargetAccessError as error:
        print(error)
    else:
        print("it was opened")

def doctor():
    from pydbgwrite.cli.doctor import linux
    print(*(": ".join(check[:3]) for check in linux.permissions()), sep="\\n")
'''


def run(script: str, *before: str) -> str:
    """Return the output of the script, started through these programs; the script must succeed."""
    done = subprocess.run(
        [*before, sys.executable, "-c", BEGIN + script],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_user_namespace() -> None:
    """The process has all capabilities there, but they do not apply outside the namespace."""
    said = run("refused(int(os.environ['OUTER'])); doctor()", *in_namespace())
    assert "this process is in a user namespace" in said
    assert "dumpable" not in said
    assert "LIMITED" not in said
    assert "CAP_SYS_PTRACE: limited: this process has it in its user namespace" in said
    assert "processes of every user" not in said


def in_namespace() -> tuple[str, ...]:
    return ("sh", "-c", 'OUTER=$$ unshare --user --map-root-user "$@"; exit $?', "sh")


def test_within_a_user_namespace() -> None:
    said = run("with Child64() as child: refused(child.pid)", *in_namespace())
    assert said == "it was opened\n"


def test_the_doctor_without_proc() -> None:
    said = run('subprocess.check_call(["umount", "-l", "/proc"]); doctor()', "unshare", "--mount")
    assert said.startswith("/proc: fails: not mounted")
    assert said.count("\n") == 1  # unobserved facts are not reported


def test_the_doctor_with_a_part_of_proc() -> None:
    mount = '["mount", "-t", "proc", "-o", "subset=pid", "proc", "/proc"]'
    said = run(f"subprocess.check_call({mount}); doctor()", "unshare", "--mount")
    assert "ptrace_scope: info: can't be seen" in said
    assert "without Yama" not in said


def test_a_second_session_whose_tracer_is_a_thread() -> None:
    """A separate process can't be created for the tracer (CLONE_VM), as under a filter."""
    number = 220 if platform.machine() == "aarch64" else 56  # clone; threads start by clone3
    said = run(
        f"""
import errno
with Child64() as child:
    sandbox.deny({{{number}: errno.EPERM}})
    with pydbgwrite.attach(child.pid):
        refused(child.pid)
"""
    )
    assert "a session of this Python" in said


def test_hidden_where_there_is_no_pidfd_either() -> None:
    said = run(
        """
import errno
with Child64() as child:
    subprocess.check_call(["mount", "-t", "proc", "-o", "hidepid=2", "proc", "/proc"])
    sandbox.deny({sandbox.PIDFD_OPEN: errno.ENOSYS})
    with as_user():
        refused(child.pid)
""",
        *("unshare", "--mount"),
    )
    assert "hidepid" in said


def test_a_kernel_that_is_too_old() -> None:
    """Before Linux 4.7 waitid(2) answers EINVAL to __WALL; the rest works without it."""
    number = 95 if platform.machine() == "aarch64" else 247
    said = run(
        f"""
import errno, time
with Child64() as child:
    sandbox.deny({{{number}: errno.EINVAL}})
    began = time.monotonic()
    for call in (lambda: pydbgwrite.attach(child.pid), lambda: pydbgwrite.launch(["true"])):
        try:
            call().close()
        except pydbgwrite.DebugEngineError as error:
            print(error)
    assert time.monotonic() - began < 5
    with pydbgwrite.attach(child.pid, suspend=False) as session:
        session.write_pointers(child.areas["rw"], [1], verify=True)
"""
    )
    assert said.count("waitid: Invalid argument") == said.count("Linux 4.7") == 2


@pytest.mark.parametrize(
    ("child", "seen", "unseen"),
    [
        ("child_of(more='libc.prctl(4, 0)')", "is not dumpable", "runs as user"),
        ("child_of(group=12345)", "it runs as group 12345, this process as 65534", "dumpable"),
        ("Child64()", "it runs as user 0, this process as 65534", "dumpable"),
    ],
)
def test_what_a_process_of_somebody_else_is(child: str, seen: str, unseen: str) -> None:
    said = run(f"with {child} as child, as_user(): refused(child.pid)")
    assert seen in said
    assert unseen not in said


def test_a_process_with_more_capabilities() -> None:
    with Child64() as child:
        said = run(f"refused({child.pid})", "setpriv", "--bounding-set=-sys_ptrace,-net_raw")
    assert "has capabilities that this process lacks (0x82000 of CapPrm" in said


FREEZER = """
import tempfile
folder = tempfile.mkdtemp()
if subprocess.run(["mount", "-t", "cgroup", "-o", "freezer", "none", folder]).returncode:
    print("no freezer")
    sys.exit()
group = f"{folder}/pydbgwrite-{os.getpid()}"
os.mkdir(group)
def tell(name, text):
    with open(f"{group}/{name}", "w") as file:
        file.write(text)
with Child64() as child:
    tell("cgroup.procs", str(child.pid))
    tell("freezer.state", "FROZEN")
    try:
        pydbgwrite.attach(child.pid, timeout=0.2)
    except TimeoutError as error:
        print(error)
    with pydbgwrite.attach(child.pid, suspend=False) as session:
        session.write_pointers(child.areas["rw"], [1], verify=True)
    tell("freezer.state", "THAWED")
    pydbgwrite.attach(child.pid).close()
os.rmdir(group)
"""


def test_a_frozen_process() -> None:
    """The freezer of cgroup v1 keeps a process from stopping (in v2 it can be stopped)."""
    said = run(FREEZER, "unshare", "--mount")
    if said == "no freezer\n":
        pytest.skip("this kernel has no freezer of cgroup v1")
    assert "frozen by the cgroup freezer" in said
    assert "vfork" not in said
