"""The modules of a Linux process, out of its memory map (proc_pid_maps(5))."""

from __future__ import annotations

import os
import re
from typing import Final, NamedTuple

from pydbgwrite._regions import Module

__all__ = ["VDSO", "Image", "images_of_maps", "modules_of_maps"]

_LINE: Final = re.compile(
    rb"([0-9a-f]+)-([0-9a-f]+) ([rwxsp-]{4}) ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) (\d+) *(.*)"
)
_DELETED: Final = b" (deleted)"
_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

#: What the kernel calls the library that it maps into every process itself (vdso(7)).
VDSO: Final = "[vdso]"


class Image(NamedTuple):
    """A file of which code is mapped, or the vdso, with what its first mapping tells.

    base and size are those of the module; the first mapping begins at base, ends at first_end, and
    begins in the file at offset. device (major, minor) and inode name the file, and deleted says
    that no name leads to it any more.
    """

    name: str
    base: int
    size: int
    path: str
    first_end: int
    offset: int
    device: tuple[int, int]
    inode: int
    deleted: bool


class _Run:
    """Mappings of one file that belong together."""

    __slots__ = ("code", "end", "first", "last_offset", "last_start", "path", "start")

    def __init__(self, path: bytes, start: int, first: re.Match[bytes]) -> None:
        self.path = path
        self.start = self.last_start = self.end = start
        self.first = first
        self.last_offset = 0
        self.code = False

    def takes(self, path: bytes, start: int, offset: int) -> bool:
        """Does a mapping behind this run belong to it?

        What begins at the file's beginning again is another copy: but for a file of which several
        parts share the first page (small programs, as lld lays them out).
        """
        if path != self.path:
            return False
        same_page = (self.last_offset, self.end, self.end - self.last_start) == (0, start, _PAGE)
        return offset > 0 or same_page


def images_of_maps(text: bytes) -> list[Image]:
    """The modules, and the vdso, with what it takes to find their files."""
    runs: list[_Run] = []
    for line in text.split(b"\n"):
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        path = match[8]
        # The loader leaves anonymous memory (.bss) behind the last part of a file.
        if not path.startswith(b"/") and path != VDSO.encode():
            continue
        start, end, offset = int(match[1], 16), int(match[2], 16), int(match[4], 16)
        if not runs or not runs[-1].takes(path, start, offset):
            runs.append(_Run(path, start, match))
        run = runs[-1]
        run.last_start, run.last_offset, run.end = start, offset, end
        run.code = run.code or b"x" in match[3]
    return sorted((_image(run) for run in runs if run.code), key=lambda image: image.base)


def modules_of_maps(text: bytes) -> list[Module]:
    """Programs and libraries: files of which at least one page is mapped as code.

    A file's parts that lie one after the other count as one module; a file that is mapped in two
    places is two. Modules come in the order of their addresses.
    """
    return [Module(*image[:4]) for image in images_of_maps(text) if image.path != VDSO]


def _image(run: _Run) -> Image:
    deleted = run.path.endswith(_DELETED)
    # The kernel writes a newline in a path as \012.
    shown = (
        run.path.removesuffix(_DELETED).replace(b"\\012", b"\n").decode(errors="surrogateescape")
    )
    first = run.first
    return Image(
        shown.rpartition("/")[2],
        run.start,
        run.end - run.start,
        shown,
        int(first[2], 16),
        int(first[4], 16),
        (int(first[5], 16), int(first[6], 16)),
        int(first[7]),
        deleted,
    )
