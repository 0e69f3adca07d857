"""The memory map of a Linux process (proc_pid_maps(5)), and modules found by it alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from pydbgwrite._processes import DELETED

if TYPE_CHECKING:
    from pydbgwrite._symbols.elf_headers import ElfHeaders

__all__ = [
    "PAGE",
    "VDSO",
    "Image",
    "Mapping",
    "NamedRegion",
    "image_at",
    "images_of_map",
    "lines_of_map",
    "name_of",
    "named_regions",
    "path_of",
    "read_map",
    "region_start",
]

_LINE: Final = re.compile(
    rb"([0-9a-f]+)-([0-9a-f]+) ([rwxsp-]{4}) ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) (\d+) *(.*)"
)
#: The heap of brk(2) and the first thread's stack. In an address, brackets mean dereference.
_AREAS: Final = {b"[heap]": "<heap>", b"[stack]": "<stack>"}
#: Their lines; a file's path begins with '/'.
_NAMED: Final = re.compile(
    rb"^([0-9a-f]+)-([0-9a-f]+) [rwxsp-]{4} [0-9a-f]+ [0-9a-f:]+ 0 +(\[(?:heap|stack)\])$",
    re.MULTILINE,
)
_DELETED: Final = DELETED.encode()
PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
#: The largest module: SizeOfImage of a PE file has 32 bits.
_MOST_OF_RUN: Final = 1 << 32

#: The kernel's name of the library that it maps into every process (vdso(7)).
VDSO: Final = "[vdso]"


class Mapping(NamedTuple):
    """A line of the map; device is (major, minor)."""

    start: int
    end: int
    code: bool
    offset: int
    device: tuple[int, int]
    inode: int
    path: bytes


class Image(NamedTuple):
    """A program or library in memory, or the vdso.

    base and size are the module's. mapping is one of its file's mappings, or None. headers and bias
    (load bias) are None if the file is no ELF file or can't be read. namespace is the number of the
    dynamic linker's list with the module (0 is the program's, dlmopen(3) makes others), or None.
    """

    name: str
    base: int
    size: int
    path: str
    mapping: Mapping | None
    headers: ElfHeaders | None = None
    bias: int = 0
    namespace: int | None = None
    program: bool = False

    @property
    def deleted(self) -> bool:
        """True if its file was deleted, or has a name as if it were."""
        return self.mapping is not None and self.mapping.path.endswith(_DELETED)

    @property
    def paths(self) -> list[str]:
        """Where its file may be: one that exists can have such a name, too."""
        return [self.path, self.path + DELETED] if self.deleted else [self.path]


class NamedRegion(NamedTuple):
    """The heap or the stack, or a part of it; offsets count from its origin."""

    name: str
    start: int
    end: int
    origin: int


class _Run:
    """Mappings of one file that form one module."""

    __slots__ = ("code", "end", "first", "last")

    def __init__(self, first: Mapping) -> None:
        self.first = self.last = first
        self.end = first.end
        self.code = False

    def takes(self, mapping: Mapping) -> bool:
        """Does a later mapping belong to this run?

        A mapping of the file's beginning is another copy, except if several segments share the
        first page (small programs linked by lld).
        """
        if mapping.path != self.first.path or mapping.end - self.first.start > _MOST_OF_RUN:
            return False
        same_page = (self.last.offset, self.end, self.end - self.last.start) == (
            0,
            mapping.start,
            PAGE,
        )
        return mapping.offset > 0 or same_page


def lines_of_map(text: bytes) -> Iterator[re.Match[bytes]]:
    """Yield the lines, sorted by address.

    The groups are start, end, rights, offset, device (two), inode, and path.
    """
    for line in text.split(b"\n"):
        match = _LINE.fullmatch(line)
        if match is not None:
            yield match


def path_of(name: bytes) -> str:
    r"""Return the path in a line, of a deleted file too. The kernel writes a newline as \012."""
    path = name.removesuffix(_DELETED).replace(b"\\012", b"\n")
    return path.decode(errors="surrogateescape")


def name_of(name: bytes) -> str:
    """Return the name in a line: a path, "<heap>", "<stack>", or what the kernel calls it."""
    return _AREAS.get(name) or path_of(name)


def read_map(text: bytes) -> list[Mapping]:
    """Return the lines of files and of the vdso, sorted by address."""
    found = []
    for match in lines_of_map(text):
        # The loader leaves anonymous memory (.bss) behind the last part of a file.
        if not (match[8].startswith(b"/") or match[8] == VDSO.encode()):
            continue
        device = (int(match[5], 16), int(match[6], 16))
        start, end, offset = int(match[1], 16), int(match[2], 16), int(match[4], 16)
        found.append(Mapping(start, end, b"x" in match[3], offset, device, int(match[7]), match[8]))
    return found


def region_start(text: bytes, name: str) -> int | None:
    """Return the first address of "<heap>" or "<stack>"."""
    return next((each.origin for each in named_regions(text) if each.name == name), None)


def named_regions(text: bytes) -> list[NamedRegion]:
    """Return the mappings of "<heap>" and "<stack>"; one with several protections has several."""
    origins: dict[bytes, int] = {}
    found = []
    for match in _NAMED.finditer(text):
        start, end = int(match[1], 16), int(match[2], 16)
        origin = origins.setdefault(match[3], start)
        found.append(NamedRegion(_AREAS[match[3]], start, end, origin))
    return found


def images_of_map(mappings: Iterable[Mapping]) -> list[Image]:
    """Return files with mapped code, and the vdso, by the order of mappings.

    Consecutive mappings of a file form one module. A file that is mapped in two places is two
    modules. Modules are sorted by address.
    """
    runs: list[_Run] = []
    for mapping in mappings:
        if not runs or not runs[-1].takes(mapping):
            runs.append(_Run(mapping))
        run = runs[-1]
        run.last, run.end = mapping, mapping.end
        run.code = run.code or mapping.code
    return [
        image_at(run.first.start, run.end - run.first.start, run.first) for run in runs if run.code
    ]


def image_at(base: int, size: int, mapping: Mapping) -> Image:
    """Make an image of a mapping's file."""
    shown = path_of(mapping.path)
    return Image(shown.rpartition("/")[2], base, size, shown, mapping)
