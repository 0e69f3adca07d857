"""Write small images of PE files in memory, as the loader leaves them.

One library of imports and one of delay imports, a section, and the debug directory with the id of a
build ("PE Format", learn.microsoft.com).
"""

from __future__ import annotations

import struct

__all__ = ["BASE", "DELAYED", "DIRECTORIES", "IMAGE_SIZE", "IMPORTED", "Pe"]

BASE = 0x400000
IMAGE_SIZE = 0x2000
#: Relative addresses of the slots.
IMPORTED, DELAYED = 0x1800, 0x1880
_HEADER, _OPTIONAL = 0x80, 0x98
#: Of a 64-bit image: the count of data directories.
DIRECTORIES = _OPTIONAL + 108


class Pe:
    """An image. names: with the table of names. absolute: with addresses, as by old linkers."""

    def __init__(self, *, wide: bool, absolute: bool = False, names: bool = True) -> None:
        self.content = bytearray(IMAGE_SIZE)
        self.wide = wide
        self.size = 8 if wide else 4
        machine, optional_size = (0x8664, 240) if wide else (0x14C, 224)
        self.put(0, "<2s58xI", b"MZ", _HEADER)
        self.put(_HEADER, "<4s2H12xH", b"PE\0\0", machine, 1, optional_size)
        self.put(_OPTIONAL, "<H", 0x20B if wide else 0x10B)
        self.put(_OPTIONAL + 56, "<I", IMAGE_SIZE)
        directories = _OPTIONAL + (112 if wide else 96)
        self.put(directories - 4, "<I", 16)
        self.put(directories + 8, "<2I", 0x1000, 40)
        self.put(directories + 6 * 8, "<2I", 0x1700, 28)
        self.put(directories + 13 * 8, "<2I", 0x1100, 64)
        section = (b".rdata", IMAGE_SIZE - 0x1000, 0x1000, 0x40000040)
        self.put(_OPTIONAL + optional_size, "<8s2I16x4xI", *section)
        # OriginalFirstThunk, TimeDateStamp (bound), ForwarderChain, Name, FirstThunk.
        self.put(0x1000, "<5I", 0x1200 * names, 0xFFFFFFFF, 0, 0x1400, IMPORTED)
        shift = BASE if absolute else 0
        fields = (0x1420, 0x1900, DELAYED, 0x1300)
        self.put(0x1100, "<5I", not absolute, *(each + shift for each in fields))
        self._text(0x1400, b"KERNEL32.dll")
        self._text(0x1420, b"late.dll")
        flag = 1 << 8 * self.size - 1
        self._words(0x1200, [0x1500, flag | 12, 0x1520, 0])
        self._words(0x1300, [0x1540, 0])
        for at, name in ((0x1500, b"CreateFileW"), (0x1520, b"?x@@YAXXZ"), (0x1540, b"Late")):
            self._text(at, b"\x07\x00" + name)
        # Type (CodeView), SizeOfData, AddressOfRawData; the record: GUID, age, path.
        self.put(0x1700, "<12x3I", 2, 30, 0x1740)
        self.put(0x1740, "<4s16sI6s", b"RSDS", bytes(range(16)), 1, b"x.pdb")
        self._words(IMPORTED, [0x7000001, 0x7000002, 0x7000003, 0])
        self._words(DELAYED, [BASE + 0x1A00, 0])

    def put(self, at: int, form: str, *values: object) -> None:
        """Pack values at a relative address."""
        struct.pack_into(form, self.content, at, *values)

    def _words(self, at: int, values: list[int]) -> None:
        self.put(at, f"<{len(values)}{'Q' if self.wide else 'I'}", *values)

    def _text(self, at: int, text: bytes) -> None:
        self.content[at : at + len(text) + 1] = text + b"\0"
