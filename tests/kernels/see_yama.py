"""The accesses that each kernel.yama.ptrace_scope permits, and the advice if one is refused.

Only the kernel lane runs this file, in its guests, as root and as an ordinary user.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.processes import Child64

import pydbgwrite

SCOPE = int(Path("/proc/sys/kernel/yama/ptrace_scope").read_text())
ROOT = os.geteuid() == 0
ANYONE = SCOPE == 0 or (ROOT and SCOPE < 3)
DESCENDANTS = ANYONE or SCOPE == 1
LAUNCHES = 60

# A process that is no descendant of this one: it prints its id and the address of a table, and
# the table for each line. Its argument: the permitted tracer (prctl, PR_SET_PTRACER), or 0.
STRANGER = """
import ctypes, os, sys
if os.fork():
    os._exit(0)
if sys.argv[1] != "0":
    zero = ctypes.c_ulong(0)
    ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(int(sys.argv[1])), zero, zero, zero)
table = (ctypes.c_uint64 * 2)()
print(os.getpid(), ctypes.addressof(table), flush=True)
for line in sys.stdin:
    print(*table, flush=True)
"""


@contextmanager
def refused_where(refused: bool) -> Iterator[None]:
    """Check that an access is refused exactly if it should be, and that the advice is true."""
    if not refused:
        yield
        return
    with pytest.raises(pydbgwrite.TargetAccessError) as caught:
        yield
    said = str(caught.value)
    assert f"ptrace_scope is {SCOPE}" in said
    assert ("launch()" in said) == (SCOPE == 1)  # else a launched program is refused too
    assert ("give the interpreter CAP_SYS_PTRACE" in said) == (SCOPE != 3)


def test_every_launch() -> None:
    """Each launched program permits its tracer before the tracer begins."""
    for _ in range(LAUNCHES if DESCENDANTS else 1):
        with (
            refused_where(not DESCENDANTS),
            pydbgwrite.launch(["/bin/true"]) as session,
        ):
            pid = session.pid
        if DESCENDANTS:
            assert pid is not None
            assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.parametrize("suspend", [True, False])
def test_a_child(suspend: bool) -> None:
    with Child64() as child:
        with (
            refused_where(not DESCENDANTS),
            pydbgwrite.attach(child.pid, suspend=suspend) as session,
        ):
            assert session.write_pointers(child.areas["rw"], [1, 2], verify=True) == 2
            assert session.write_pointers(child.areas["read_only"], [3], verify=True) == 1
        if DESCENDANTS:
            assert child.read(child.areas["rw"], 8) == (1).to_bytes(8, "little")


@pytest.mark.parametrize("suspend", [True, False])
@pytest.mark.parametrize("permits", ["nobody", "anyone", "this process"])
def test_a_stranger(permits: str, suspend: bool) -> None:
    permitted = {"nobody": 0, "anyone": -1, "this process": os.getpid()}[permits]
    with subprocess.Popen(
        [sys.executable, "-I", "-c", STRANGER, str(permitted)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        pid, address = map(int, parent.stdout.readline().split())
        allowed = ANYONE or (SCOPE == 1 and permitted != 0)
        with (
            refused_where(not allowed),
            pydbgwrite.attach(pid, suspend=suspend) as session,
        ):
            assert session.write_pointers(address, [5, 6], verify=True) == 2
        parent.stdin.write("\n")
        parent.stdin.flush()
        assert parent.stdout.readline().split() == (["5", "6"] if allowed else ["0", "0"])


def test_the_doctor() -> None:
    """The doctor's report of the scope agrees with the results of the tests above."""
    done = subprocess.run(
        [sys.executable, "-m", "pydbgwrite", "doctor", "--json"], capture_output=True, text=True
    )
    checks = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    scope = checks["ptrace_scope"]
    assert (scope["state"] == "limited") == (not ANYONE)
    assert ("launch" in json.dumps(scope)) == (SCOPE == 1 and not ROOT)
    others = checks.get("write to other processes", {"state": "none"})["state"]
    assert others == ("works" if ANYONE else "limited" if DESCENDANTS else "none")
    assert (done.returncode == 0) == DESCENDANTS, done.stdout
    assert re.match(rf"{SCOPE}: ", scope["detail"])
