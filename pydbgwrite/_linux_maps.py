"""The modules of a Linux process, out of its memory map (proc_pid_maps(5))."""

from __future__ import annotations

import re
from typing import Final

from pydbgwrite._regions import Module

__all__ = ["modules_of_maps"]

_LINE: Final = re.compile(
    rb"([0-9a-f]+)-([0-9a-f]+) ([rwxsp-]{4}) ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) (\d+) *(.*)"
)
_DELETED: Final = b" (deleted)"


def modules_of_maps(text: bytes) -> list[Module]:
    """Programs and libraries: files of which at least one page is mapped as code.

    A file's parts that lie one after the other count as one module; a file that is mapped in two
    places is two. Modules come in the order of their addresses.
    """
    runs: list[tuple[bytes, int, int, bool]] = []
    for line in text.split(b"\n"):
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        start, end = int(match[1], 16), int(match[2], 16)
        path, offset, code = match[7], int(match[4], 16), b"x" in match[3]
        if not path.startswith(b"/"):
            # The loader leaves anonymous memory (.bss) behind the last part of a file.
            continue
        if runs and runs[-1][0] == path and offset > 0:
            _, first, _, had_code = runs[-1]
            runs[-1] = (path, first, end, had_code or code)
        else:
            runs.append((path, start, end, code))
    return [
        _module(path, start, end) for path, start, end, code in sorted(runs, key=_start) if code
    ]


def _start(run: tuple[bytes, int, int, bool]) -> int:
    return run[1]


def _module(path: bytes, start: int, end: int) -> Module:
    # The kernel writes a newline in a path as \012.
    shown = path.removesuffix(_DELETED).replace(b"\\012", b"\n").decode(errors="surrogateescape")
    return Module(shown.rpartition("/")[2], start, end - start, shown)
