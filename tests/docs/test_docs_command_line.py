"""The page on the command line is correct: its tab completion and its list of exit codes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.pages import DOCS

from pydbgwrite.cli.exit_codes import ExitCode

PAGE = (DOCS / "command-line.md").read_text(encoding="utf-8")
BASH = shutil.which("bash")


@pytest.mark.skipif(
    sys.platform == "win32" or BASH is None, reason="needs POSIX and bash: its tab completion"
)
def test_tab_completion() -> None:
    (line,) = re.findall(r"^```bash\n(eval .*)\n```$", PAGE, flags=re.MULTILINE)
    asked = (
        "COMP_WORDS=(pydbgwrite mod); COMP_CWORD=1; _pydbgwrite_completion pydbgwrite; "
        'echo "${COMPREPLY[@]}"'
    )
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        [BASH or "", "--norc", "-c", f"{line}\ncomplete -p pydbgwrite\n{asked}"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path},
    )
    assert (done.returncode, done.stderr) == (0, "")
    complete, words = done.stdout.splitlines()
    assert complete == "complete -o nosort -F _pydbgwrite_completion pydbgwrite"
    assert words == "modules"


def test_exit_codes() -> None:
    listed = re.findall(r"^\| (\d+) \| ", PAGE, flags=re.MULTILINE)
    assert [int(code) for code in listed] == [int(code) for code in ExitCode]
