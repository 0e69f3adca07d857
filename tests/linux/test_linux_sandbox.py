"""Under a seccomp filter what it refuses is done in another way, or named, with what works."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest
from support.places import TESTS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")

SCRIPT = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
import pydbgwrite
from support import sandbox
from support.processes import Child64
from support.child import PAGE
calls, error, pages = sys.argv[1].split(), int(sys.argv[2]), 1024

def works(child, suspend):
    rw, read_only = child.areas["rw"], child.areas["read_only"]
    with pydbgwrite.attach(child.pid, suspend=suspend) as session:
        assert session.write_pointers(rw, [1, 2, 3], verify=True) == 3
        many = [5] * (pages * PAGE // 8)
        assert session.write_pointers(rw, many, verify=True) == len(many)
        assert list(session.read_pointers(rw, len(many))) == many
        places = range(rw, rw + 64, 16)
        assert session.write_scattered(places, [7] * 4, verify=True) == 4
        assert session.write_pointers(read_only, [9], verify=True) == 1
        assert session.query(rw).base <= rw
        assert session.modules()
        try:
            session.write_pointers(child.areas["none"], [1])
        except pydbgwrite.TargetAccessError as error:
            assert "GEN_FAILURE" not in str(error), error
        else:
            raise AssertionError("it was written to")
    assert child.read(rw, 8) == (7).to_bytes(8, "little")

with Child64(pages) as child:
    sandbox.deny(dict.fromkeys(map(sandbox.NUMBERS.__getitem__, calls), error))
    works(child, suspend=False)
    try:
        works(child, suspend=True)
    except pydbgwrite.TargetAccessError as refused:
        print(refused)
"""


def under(calls: str, error: int) -> str:
    """What attaching says under such a filter; empty where all goes well."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, calls, str(error)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("error", [errno.EPERM, errno.EACCES, errno.ENOSYS])
@pytest.mark.parametrize(
    "calls",
    [
        "ioctl",
        "kcmp",
        "process_vm_writev",
        "process_vm_readv process_vm_writev",
        "ioctl kcmp process_vm_readv process_vm_writev",
    ],
)
def test_another_way(calls: str, error: int) -> None:
    assert under(calls, error) == ""


@pytest.mark.parametrize("error", [errno.EPERM, errno.EACCES, errno.ENOSYS])
@pytest.mark.parametrize("call", ["ptrace", "waitid", "eventfd2"])
def test_what_only_stopping_takes(call: str, error: int) -> None:
    said = under(call, error)
    assert call.removesuffix("2") in said.partition("Seen:")[0]
    assert "seccomp" in said and "suspend=False" in said
