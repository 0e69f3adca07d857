"""The pydbgwrite command, also `python -m pydbgwrite`; says which packages are missing.

Only this file is imported without the packages of the [cli] extra.
"""

from __future__ import annotations

import sys
from typing import Final

from pydbgwrite._extra import missing, unusable

__all__ = ["main"]

_BAD_USAGE: Final = 2
_INTERRUPTED: Final = 130


def main(arguments: list[str] | None = None) -> int:
    """Run a command line (default: sys.argv), and return the exit code."""
    absent = missing()
    if absent:
        return _refused(
            f'the command line needs {", ".join(absent)}: python -m pip install "pydbgwrite[cli]"'
        )
    try:
        from pydbgwrite.cli.main import run
    except KeyboardInterrupt:  # run() has not begun to answer it
        print("pydbgwrite: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except Exception as error:
        fault = unusable(error)
        if fault:
            return _refused(fault)
        raise
    return run(arguments)


def _refused(why: str) -> int:
    print(f"pydbgwrite: {why}", file=sys.stderr)
    return _BAD_USAGE


if __name__ == "__main__":
    sys.exit(main())
