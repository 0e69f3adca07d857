"""The programs that a lane needs on this machine, and the packages that provide them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence

from lane_cache import LaneError, call, note


def check_programs(programs: Mapping[str, Sequence[str]], *, may_install: bool) -> None:
    """Report all missing programs at once, or install them. programs: each with its packages."""

    def missing() -> list[str]:
        return [name for name in programs if shutil.which(name) is None]

    absent = missing()
    if not absent:
        return
    packages = sorted({package for name in absent for package in programs[name]})
    line = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if may_install:
        apt = shutil.which("apt-get")
        if apt is None or os.geteuid() != 0:
            raise LaneError(f"--install needs root and apt-get; missing here: {', '.join(absent)}")
        note(f"installing {', '.join(packages)}")
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        call([apt, "--quiet", "update"], what="reading the package lists", env=env)
        call([apt, "--yes", "--quiet", *line.split()[1:]], what="installing packages", env=env)
        absent = missing()
    if absent:
        raise LaneError(f"missing: {', '.join(absent)}. Install: {line} (or lane.py --install)")
