"""Write small Windows libraries: their exports can have any name, also one that no compiler makes.

The layout is that of "PE Format" (learn.microsoft.com): headers, .text with nothing but RET
instructions, .data with zeros, and .rdata with the export directory.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

__all__ = ["CODE", "DATA", "library"]

#: The addresses of .text and of .data in a library, each one page; .rdata is behind them.
CODE, DATA, _EXPORTS = 0x1000, 0x2000, 0x3000
_PAGE = 0x1000
_FILE_ALIGNMENT = 0x200
_HEADERS = 0x400
_RET = b"\xc3"
_READ, _WRITE, _EXECUTE, _IS_CODE, _IS_DATA = 0x40000000, 0x80000000, 0x20000000, 0x20, 0x40


def library(name: str, exports: Mapping[str, int], *, bits: int = 64) -> bytes:
    """Return the file of a library with these exports, each at that offset from its base."""
    export_section = _export_section(name, exports)
    sections = [
        (b".text", CODE, _RET * _PAGE, _IS_CODE | _READ | _EXECUTE),
        (b".data", DATA, bytes(_PAGE), _IS_DATA | _READ | _WRITE),
        (b".rdata", _EXPORTS, export_section, _IS_DATA | _READ),
    ]
    size = _EXPORTS + _rounded(len(export_section), _PAGE)
    directories = [(_EXPORTS, len(export_section))] + [(0, 0)] * 15
    headers = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40)
    headers += b"PE\0\0" + _file_header(bits, len(sections)) + _optional_header(bits, size)
    headers += b"".join(struct.pack("<II", *each) for each in directories)
    body = b""
    for label, address, content, flags in sections:
        raw = content.ljust(_rounded(len(content), _FILE_ALIGNMENT), b"\0")
        headers += label.ljust(8, b"\0") + struct.pack(
            "<6I2HI", len(content), address, len(raw), _HEADERS + len(body), 0, 0, 0, 0, flags
        )
        body += raw
    return headers.ljust(_HEADERS, b"\0") + body


def _rounded(size: int, step: int) -> int:
    return -(-size // step) * step


def _file_header(bits: int, sections: int) -> bytes:
    machine, optional = (0x8664, 240) if bits == 64 else (0x14C, 224)
    # IMAGE_FILE_EXECUTABLE_IMAGE and IMAGE_FILE_DLL; and "large address aware" or "32-bit machine".
    flags = 0x2002 | (0x20 if bits == 64 else 0x100)
    return struct.pack("<2H3I2H", machine, sections, 0x5F000000, 0, 0, optional, flags)


def _optional_header(bits: int, size: int) -> bytes:
    """Return it as far as its directories."""
    magic, word, base = (0x20B, "Q", 0x180000000) if bits == 64 else (0x10B, "I", 0x10000000)
    data_base = b"" if bits == 64 else struct.pack("<I", DATA)
    start = struct.pack("<HBB5I", magic, 14, 0, _PAGE, 2 * _PAGE, 0, 0, CODE) + data_base
    # Versions of the system and the subsystem: 6.0. A console program, which may be relocated.
    middle = struct.pack(
        "<2I6H4I2H", _PAGE, _FILE_ALIGNMENT, 6, 0, 0, 0, 6, 0, 0, size, _HEADERS, 0, 3, 0x140
    )
    sizes = struct.pack(f"<4{word}2I", 0x100000, 0x1000, 0x100000, 0x1000, 0, 16)
    return start + struct.pack(f"<{word}", base) + middle + sizes


def _export_section(name: str, exports: Mapping[str, int]) -> bytes:
    """Return the export directory, its tables and its texts. Names are UTF-8."""
    # GetProcAddress bisects the names: they are in the order of their bytes.
    ordered = sorted((each.encode(), address) for each, address in exports.items())
    count = len(ordered)
    functions = _EXPORTS + 40
    names, ordinals = functions + 4 * count, functions + 8 * count
    texts, places = b"", []
    first = ordinals + 2 * count
    for text in [name.encode(), *(each for each, _address in ordered)]:
        places.append(first + len(texts))
        texts += text + b"\0"
    directory = struct.pack(
        "<2I2H7I", 0, 0, 0, 0, places[0], 1, count, count, functions, names, ordinals
    )
    return (
        directory
        + struct.pack(f"<{count}I", *(address for _name, address in ordered))
        + struct.pack(f"<{count}I", *places[1:])
        + struct.pack(f"<{count}H", *range(count))
        + texts
    )
