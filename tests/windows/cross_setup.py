"""Run a project's setup.py on Linux as a build for 64-bit Windows: the lane's half of setup.py.

`python cross_setup.py COMMAND...` in the project's folder. The compiler and its flags come from
the environment (CC, LDSHARED, CFLAGS), the platform from _PYTHON_HOST_PLATFORM, as in every cross
build: so sysconfig.get_platform() answers win-amd64. Settings that have no variable are made here.
"""

from __future__ import annotations

import importlib
import runpy
import sys
import sysconfig
from typing import Any

# The flags of the build machine's own Python, and its modules' suffix, are those of Linux.
sysconfig.get_config_vars().update(
    CFLAGS="", OPT="", CCSHARED="", LDFLAGS="", BLDSHARED="", EXT_SUFFIX=".pyd", Py_ENABLE_SHARED=0
)


def main() -> None:
    """Set the suffix of extension modules, then run setup.py."""
    module: Any = importlib.import_module("setuptools.command.build_ext")
    module.get_abi3_suffix = lambda: ".pyd"
    sys.argv[0] = "setup.py"
    sys.path.insert(0, "")
    runpy.run_path("setup.py", run_name="__main__")


if __name__ == "__main__":
    main()
