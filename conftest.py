"""Configure pytest: the whole suite runs in two processes, and never on the source folder.

`python -m pytest` puts this folder first on sys.path, and after a plain `pip install .` the package
in it lacks the compiled half. Programs that tests start must not find it either.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).resolve().parent

sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != _HERE]
os.environ["PYTHONSAFEPATH"] = "1"  # child processes search no script folder and no working folder


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run the suite in two processes without arguments; pytest-xdist reads its options afterwards.

    Tests that are named run in one process, which starts at once. On Windows all tests do so:
    parallel sessions of Microsoft's engine have not been tried.
    """
    options = config.option
    if (
        config.args_source is pytest.Config.ArgsSource.TESTPATHS
        and sys.platform != "win32"
        and "PYTEST_XDIST_WORKER" not in os.environ  # this process is not a worker
        and config.pluginmanager.hasplugin("xdist")
        and options.numprocesses is None
        and not options.usepdb
    ):
        options.numprocesses, options.dist = 2, "loadfile"
        options.loadscopereorder = False  # tests/conftest.py decides which file runs first
