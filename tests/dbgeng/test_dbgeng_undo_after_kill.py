"""A script that writes through dbgeng is ended at any moment; undo restores all bytes."""

from __future__ import annotations

import importlib
import random
from pathlib import Path
from typing import Any

from support.child import pattern
from support.dbgeng import needs_engine
from support.killed_script import Script

import pydbgwrite

pytestmark = needs_engine

SIZE = 1 << 19
IMAGE = pattern(SIZE)
DOTS = 600


def test_undo_after_the_end_of_the_script(tmp_path: Path, profile: str) -> None:
    """TerminateProcess ends the writing script. The suspended target is read from outside."""
    windows: Any = importlib.import_module("support.dbgeng_cases")  # it exists on Windows alone
    runs = 30 if profile == "full" else 6
    changed = 0
    base = windows.HIGH[windows.OWN]
    child = windows.WindowsChild([(base, SIZE, windows.PAGE_READWRITE)])
    try:
        child.write(base, IMAGE)
        for run in range(runs):
            chance = random.Random(500 + run)
            journal = tmp_path / f"{run}.journal"
            script = Script(child.pid, base, SIZE, journal, chance.randrange(2**30), True)
            if chance.random() < 0.6:
                script.kill_after_dots(chance.randrange(DOTS))
            else:
                script.kill_in(chance.randrange(1_500_000_000))
            info = pydbgwrite.read_journal(journal)
            assert (info.state, info.pid) == ("open", child.pid)
            assert info.started
            changed += child.read(base, SIZE) != IMAGE
            with pydbgwrite.attach(child.pid) as session:
                report = pydbgwrite.undo(journal, session)
                assert report.complete, str(report)
                assert child.read(base, SIZE) == IMAGE
                assert pydbgwrite.undo(journal, session).complete
            assert child.read(base, SIZE) == IMAGE
    finally:
        child.close()
    print(f"{runs} scripts ended: the target had changed in {changed}")
    assert changed >= runs // 3
