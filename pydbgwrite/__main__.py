"""The pydbgwrite command, also `python -m pydbgwrite`; says which packages are missing.

Only this file is imported without the packages of the [cli] extra.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final

__all__ = ["main"]

#: What the [cli] extra brings (pyproject.toml).
_EXTRA: Final = ("click", "numpy", "rich")

_BAD_USAGE: Final = 2
_INTERRUPTED: Final = 130


def _is_here(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def main(arguments: list[str] | None = None) -> int:
    """Run a command line (default: sys.argv), and return the exit code."""
    missing = [module for module in _EXTRA if not _is_here(module)]
    if missing:
        print(
            f"pydbgwrite: the command line needs {', '.join(missing)}: "
            'python -m pip install "pydbgwrite[cli]"',
            file=sys.stderr,
        )
        return _BAD_USAGE
    try:
        from pydbgwrite.cli.main import run
    except KeyboardInterrupt:  # run() has not begun to answer it
        print("pydbgwrite: interrupted", file=sys.stderr)
        return _INTERRUPTED
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
