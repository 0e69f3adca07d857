"""PYTHON_GIL, with which a user of a free-threaded CPython turns the GIL on or off."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig

import pytest

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
CODE = """
import sys
import pydbgwrite

with pydbgwrite.simulate([(0x1000, 0x1000)]) as session:
    session.write_pointers(0x1000, [1, 2, 3])
    print(list(session.read_pointers(0x1000, 3)))
print(getattr(sys, "_is_gil_enabled", lambda: True)())
"""


@pytest.mark.parametrize("setting", [None, "0", "1"])
def test_the_module_works_and_changes_nothing(setting: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    if setting is not None:
        environment["PYTHON_GIL"] = setting
    # A module that turned the GIL on would give a warning.
    command = [sys.executable, "-W", "error", "-c", CODE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if setting == "0" and not FREE_THREADED and sys.version_info >= (3, 13):
        assert done.returncode != 0  # such a CPython does not start
        assert "GIL" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    on = not FREE_THREADED or setting == "1"
    assert done.stdout.splitlines() == ["[1, 2, 3]", str(on)]
