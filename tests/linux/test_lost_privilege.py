"""A traced program does not get the privilege that its file gives: launch() reports that."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Linux processes"),
    pytest.mark.skipif(
        hasattr(os, "geteuid") and os.geteuid() != 0, reason="needs root: namespaces and users"
    ),
]

#: capable: the script may trace every process, so programs keep their privilege.
SCRIPT = """
import ctypes, os, shutil, struct, subprocess, sys, tempfile, warnings
import pydbgwrite, pydbgwrite._opening.linux, pydbgwrite._messages.linux
kind, capable = sys.argv[1], sys.argv[2] == "True"
folder = tempfile.mkdtemp()
subprocess.run(["mount", "-t", "tmpfs", "-o", "suid,exec", "none", folder], check=True)
os.chmod(folder, 0o755)
program = shutil.copy(shutil.which("true"), folder)
os.chown(program, 12345, 12345)
os.chmod(program, {"user": 0o4755, "group": 0o2755}.get(kind, 0o755))
if kind == "capabilities":  # VFS_CAP_REVISION_2, effective: CAP_NET_RAW
    os.setxattr(program, "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))
if not capable:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    try:
        pydbgwrite.launch([program])
    except pydbgwrite.TargetAccessError as error:
        assert "this script is not dumpable" in str(error), error
    ctypes.CDLL(None).prctl(4, 1)  # PR_SET_DUMPABLE
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    session = pydbgwrite.launch([program])
for each in caught:
    assert each.category is RuntimeWarning and each.filename == "<string>", each
    print(each.message)
pid = session.pid
session.close()
assert os.waitpid(pid, 0)[1] == 0
if caught:
    warnings.simplefilter("error")
    try:
        pydbgwrite.launch([program])
    except RuntimeWarning:
        pass
    try:
        print("still there", os.waitpid(-1, 0))
    except ChildProcessError:
        pass
"""


@pytest.mark.parametrize("capable", [True, False])
@pytest.mark.parametrize("kind", ["user", "group", "capabilities", "none"])
def test_a_privilege_that_is_not_given(kind: str, capable: bool) -> None:
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", SCRIPT, kind, str(capable)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    if capable or kind == "none":
        assert done.stdout == ""
    else:
        said = {"user": "set-user-id 12345", "group": "set-group-id 12345"}
        assert f"runs without its privilege ({said.get(kind, 'file capabilities')})" in done.stdout
        assert "CAP_SYS_PTRACE" in done.stdout
        assert "still there" not in done.stdout
