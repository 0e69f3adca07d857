"""Run a project's setup.py on Linux as a build for Windows: the lane's half of setup.py.

`python cross_setup.py COMMAND...` in the project's folder. The compiler and its flags come from
the environment (CC, LDSHARED, CFLAGS), the platform from _PYTHON_HOST_PLATFORM, as in every cross
build: so sysconfig.get_platform() answers win-amd64 or win32. Settings without a variable are here.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
import sysconfig
from typing import Any

BUILDER = os.environ["PYDBGWRITE_LANE_BUILDER"]  # 311, or 314t for a free-threaded Python
FREE_THREADED = BUILDER.endswith("t")
PLATFORM = os.environ["_PYTHON_HOST_PLATFORM"].replace("-", "_")
SUFFIX = f".cp{BUILDER}-{PLATFORM}.pyd" if FREE_THREADED else ".pyd"
# The flags of the build machine's own Python, and its modules' suffix, are those of Linux.
sysconfig.get_config_vars().update(
    CFLAGS="", OPT="", CCSHARED="", LDFLAGS="", BLDSHARED="", EXT_SUFFIX=SUFFIX, Py_ENABLE_SHARED=0
)
sysconfig.get_config_vars()["Py_GIL_DISABLED"] = int(FREE_THREADED)


def main() -> None:
    """Set the suffix of extension modules and the wheel's tag, then run setup.py."""
    module: Any = importlib.import_module("setuptools.command.build_ext")
    module.get_abi3_suffix = lambda: ".pyd"
    if FREE_THREADED:
        wheel: Any = importlib.import_module("setuptools.command.bdist_wheel")
        numbers = BUILDER.removesuffix("t")
        wheel.bdist_wheel.get_tag = lambda self: (f"cp{numbers}", f"cp{BUILDER}", self.plat_name)
    sys.argv[0] = "setup.py"
    sys.path.insert(0, "")
    runpy.run_path("setup.py", run_name="__main__")


if __name__ == "__main__":
    main()
