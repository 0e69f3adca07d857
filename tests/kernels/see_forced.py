"""Writes to read-only pages, by the value of proc_mem.force_override on the kernel's command line.

Only the kernel lane runs this file, in its guests.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import Child64

import pydbgwrite

(OVERRIDE,) = re.findall(r"proc_mem\.force_override=(\w+)", Path("/proc/cmdline").read_text())
ALLOWED = {"always": {True, False}, "ptrace": {True}, "never": set[bool]()}[OVERRIDE]


@pytest.mark.parametrize("suspend", [True, False])
def test_a_read_only_page(suspend: bool) -> None:
    """A refused write writes nothing; the error advises suspension only if that would allow it."""
    with Child64() as child:
        place = child.areas["read_only"]
        before = child.read(place, 32)
        with pydbgwrite.attach(child.pid, suspend=suspend) as session:
            if suspend in ALLOWED:
                assert session.write_pointers(place, [1, 2], verify=True) == 2
            else:
                with pytest.raises(pydbgwrite.TargetAccessError) as caught:
                    session.write_pointers(place, [1, 2])
                assert caught.value.written == 0
                assert ("suspend=True" in str(caught.value)) == (True in ALLOWED)
                assert "force_override" in str(caught.value)
            # A write that needs no force still succeeds.
            assert session.write_pointers(child.areas["rw"], [7], verify=True) == 1
        now = child.read(place, 32)
        after = b"".join(value.to_bytes(8, "little") for value in (1, 2)) + before[16:]
        assert now == (after if suspend in ALLOWED else before)


@pytest.mark.parametrize("suspend", [True, False])
def test_a_patch_of_both_kinds_of_pages(suspend: bool) -> None:
    """The patch is written whole or not at all."""
    with Child64() as child:
        rw, read_only = child.areas["rw"], child.areas["read_only"]
        before = child.read(rw, 16), child.read(read_only, 16)
        patch = pydbgwrite.Patch(
            [pydbgwrite.PatchEntry(rw, [1, 2]), pydbgwrite.PatchEntry(read_only, [3, 4])]
        )
        with pydbgwrite.attach(child.pid, suspend=suspend) as session:
            if suspend in ALLOWED:
                assert patch.apply(session) == 4
                assert list(session.read_pointers(read_only, 2)) == [3, 4]
                assert patch.undo(session).complete
            else:
                # If every kind of forced write is refused, the preview reports it.
                error = pydbgwrite.TargetAccessError if ALLOWED else pydbgwrite.PatchError
                with pytest.raises(error, match="forced write"):
                    patch.apply(session)
        assert (child.read(rw, 16), child.read(read_only, 16)) == before


def test_the_doctor() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pydbgwrite", "doctor", "--json"], capture_output=True, text=True
    )
    checks = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    said = checks["forced writes"]
    assert (said["state"] == "limited") == (not ALLOWED)
    assert "proc_mem.force_override" in said["detail"]
    tried = next(each for name, each in checks.items() if "read-only" in name)
    assert tried["state"] == ("works" if True in ALLOWED else "limited")
