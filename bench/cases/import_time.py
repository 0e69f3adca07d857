"""The time that `import pydbgwrite` adds to the start of Python."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from lib.measuring import Figure, measured_in_turns

__all__ = ["import_time"]

_LIMIT_MS = 10.0


def import_time(*, quick: bool) -> Iterator[Figure]:
    """Compare Python with and without the import, each in its own process.

    Both run without site: the path hook of an editable install would import much of what the
    package imports, and so hide its cost.
    """
    found = importlib.util.find_spec("pydbgwrite")
    assert found is not None and found.origin is not None
    folder = str(Path(found.origin).parent.parent)

    def started(code: str) -> float:
        before = time.perf_counter_ns()
        subprocess.run([sys.executable, "-I", "-S", "-c", code, folder], check=True)
        return float(time.perf_counter_ns() - before)

    path = "import sys; sys.path.append(sys.argv[1])"
    pairs = measured_in_turns(
        lambda: started(f"{path}; import pydbgwrite"),
        lambda: started(path),
        rounds=11 if quick else 61,
    )
    yield Figure(
        case="import pydbgwrite",
        contestant_name="python -c 'import pydbgwrite'",
        baseline_name="bare python",
        value=pairs.excess(1.0) / 1e6,
        unit="ms over bare python",
        limit=_LIMIT_MS,
        contestant=median(pairs.contestant),
        baseline=median(pairs.baseline),
        ratio=pairs.ratio,
    )
