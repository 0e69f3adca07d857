"""In a frozen program sys.executable is the program: demo and doctor do not start it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import RUN, SAME_EVERYWHERE

pytestmark = SAME_EVERYWHERE

#: The values that PyInstaller's bootloader and a program that embeds Python set in sys.
#: The program leaves a trace if it is started.
FROZEN = "import sys; sys.frozen = True; sys.executable = {program!r}\n"
EMBEDDED = "import sys; sys.executable = ''\n"


@pytest.mark.parametrize("setup", [FROZEN, EMBEDDED])
@pytest.mark.parametrize("arguments", [["demo"], ["doctor"], ["doctor", "--json"]])
def test_no_process_is_started(setup: str, arguments: list[str], tmp_path: Path) -> None:
    trace, program = tmp_path / "trace", tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho started >>{trace}\n")
    program.chmod(0o755)
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-c",
            setup.format(program=str(program)) + RUN.format(arguments=arguments),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    said = done.stdout + done.stderr
    assert "nothing was started" in said
    assert ("frozen" in said) == ("frozen" in setup)
    assert "Traceback" not in said
    assert "does not work" not in said  # it was not tried
    if "--json" in arguments:
        assert json.loads(done.stdout)["works"] is None
    assert not trace.exists()
