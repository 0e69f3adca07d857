"""Lets the tests import the installed package, not the source folder that lies here.

`python -m pytest` puts this folder first on sys.path, and after a plain `pip install .` the package
in it lacks the compiled half. Programs that tests start must not find it either.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent

sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != _HERE]
os.environ["PYTHONSAFEPATH"] = "1"  # for child processes: no folder of a script, no working folder
