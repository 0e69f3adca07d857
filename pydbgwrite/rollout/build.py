"""The build id of a process's program, from its memory: no file of another user's is opened."""

from __future__ import annotations

import os
import struct
from typing import Final

from pydbgwrite._core import FileDescriptor
from pydbgwrite._processes import read_file
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.elf_headers import Segment, build_id_of, headers_of_table

__all__ = ["build_id_of_process"]

#: Keys of the auxiliary vector (getauxval(3)), and the type of a segment (elf(5)).
_AT_PHDR, _AT_PHENT, _AT_PHNUM = 3, 4, 5
_PT_PHDR: Final = 6
_ENTRY: Final = {56: 64, 32: 32}  # bits by the size of a program header
_MOST_SEGMENTS: Final = 512


def build_id_of_process(pid: int) -> str | None:
    """Return the GNU build id of the program that a process runs; None if it can't be read."""
    try:
        auxv = read_file(f"/proc/{pid}/auxv")
        with FileDescriptor(os.open, f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC) as memory:
            return _build_id(auxv, memory.fileno())
    except not_from_handler(OSError, ValueError, struct.error, OverflowError):
        return None


def _build_id(auxv: bytes, memory: int) -> str | None:
    for form in ("2Q", "2I"):
        whole = len(auxv) // struct.calcsize(form) * struct.calcsize(form)
        values = dict(struct.iter_unpack(form, auxv[:whole]))
        bits = _ENTRY.get(values.get(_AT_PHENT, 0))
        if bits == (64 if form == "2Q" else 32):
            break
    else:
        return None
    place, count = values.get(_AT_PHDR, 0), values.get(_AT_PHNUM, 0)
    if not 0 < count <= _MOST_SEGMENTS:
        return None
    headers = headers_of_table(bits, os.pread(memory, count * values[_AT_PHENT], place))
    own = next((each for each in headers.segments if each.kind == _PT_PHDR), None)
    # Without this segment the table lies in the first one, at its offset in the file.
    first = next((each for each in headers.loads if each.offset == 0), None)
    if own is not None:
        bias = place - own.address
    elif first is not None:
        bias = place - (64 if bits == 64 else 52) - first.address
    else:
        return None

    def read(segment: Segment) -> bytes:
        return os.pread(memory, segment.file_size, (segment.address + bias) % 2**64)

    return build_id_of(headers, read)
