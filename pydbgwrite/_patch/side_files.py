"""Side files of patches, .npy (NumPy's format) and .bin (raw): allowed places and contents.

The .npy reader is strict and small, so the library does not need NumPy. It never unpickles
(numpy.lib.format describes the format).
"""

from __future__ import annotations

import ast
import errno
import ntpath
import os
import posixpath
import sys
from array import array
from typing import TYPE_CHECKING, Final

from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._regular_file import open_regular
from pydbgwrite._replaced_file import replace_file
from pydbgwrite._signal_handlers import not_from_handler

if TYPE_CHECKING:
    from io import FileIO

__all__ = ["SideFileError", "name_fault", "npy_header", "read_side_file", "write_side_file"]

_MAGIC: Final = b"\x93NUMPY"
_MOST_HEADER: Final = 10_000  # as numpy.load() limits it
_ALIGNMENT: Final = 64
#: Names that Windows keeps for devices, in every folder.
_DEVICES: Final = {
    *("con", "prn", "aux", "nul", "conin$", "conout$"),
    *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789\u00b9\u00b2\u00b3"),
}


class SideFileError(ValueError):
    """A side file that is refused; the message says why."""


def name_fault(name: object, *, anywhere: bool) -> Exception | None:
    """Return why a side file can't have that name, or None.

    Every platform refuses the same names, so that a patch file is valid everywhere or nowhere.
    """
    if not isinstance(name, str):
        return TypeError(f"file must be text, got {type(name).__name__}")
    if not name or "\0" in name:
        return ValueError("file is empty, or has a null character")
    if not name.lower().endswith((".npy", ".bin")):
        return ValueError(f"file {name[:200]!r} must end in .npy or .bin")
    if anywhere:
        return None
    reason = None
    parts = name.replace("\\", "/").split("/")
    if posixpath.isabs(name) or ntpath.isabs(name) or ntpath.splitdrive(name)[0]:
        reason = "is an absolute path"
    elif ".." in parts:
        reason = "leads out of the patch file's folder"
    elif "\\" in name:
        reason = "has a backslash: write '/' between folders, on Windows too"
    elif ":" in name or any(_is_device(part) for part in parts):
        reason = "names a device or a hidden stream on Windows"
    if reason is None:
        return None
    advice = (
        ""
        if "\\" in name and reason.startswith("has")
        else f"; side files lie below the patch file's folder, unless {_allowing()} is given"
    )
    return ValueError(f"file {name[:200]!r} {reason}{advice}")


def _allowing() -> str:
    return IN_FORCE.get().argument("side_files_anywhere", True)


def _is_device(part: str) -> bool:
    return part.partition(".")[0].rstrip(" ").lower() in _DEVICES


def read_side_file(folder: str, name: str, *, anywhere: bool) -> array[int]:
    """Return the pointers of a side file of a patch in that folder. Its name was validated.

    Raises SideFileError, or OSError if the file can't be read.
    """
    path = os.path.realpath(os.path.join(folder, name))
    root = os.path.realpath(folder)
    if not anywhere and os.path.commonpath([path, root]) != root:
        raise SideFileError(
            f"file {name!r} leads out of the patch file's folder, to {path}; pass "
            f"{_allowing()} to allow that"
        )
    # Links were resolved before. A link that appears now must not be followed.
    try:
        opened = open_regular(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise SideFileError(f"file {name!r} is not a regular file") from None
        raise
    with opened as file:
        size = os.fstat(file.fileno()).st_size
        if name.lower().endswith(".npy"):
            size = _npy_size(name, file, size)
        if size % 8:
            raise SideFileError(
                f"file {name!r} has {size:,} bytes, which is not a multiple of 8: pointers have 8 "
                "bytes each, for a 32-bit target too"
            )
        if not size:
            raise SideFileError(f"file {name!r} holds no pointers")
        values = array("Q", [0]) * (size // 8)
        read = _read_into(file, memoryview(values).cast("B"))
    if read != size:
        raise SideFileError(f"file {name!r} was truncated while it was read")
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _read_into(file: FileIO, data: memoryview) -> int:
    """Fill the memory from the file; return how many bytes there were."""
    done = 0
    while part := file.readinto(data[done:]):
        done += part
    return done


def _npy_size(name: str, file: FileIO, whole: int) -> int:
    """Read and check the header of a one-dimensional array of type '<u8'.

    Return the bytes that follow it, which are those that it announces. whole: the file's size.
    """
    first = file.read(12)
    if first[:6] != _MAGIC or len(first) < 10:
        raise SideFileError(f"file {name!r} is not a .npy file: it does not begin like one")
    major, minor = first[6:8]
    if major not in (1, 2, 3) or minor:
        raise SideFileError(
            f"file {name!r} has version {major}.{minor} of the .npy format; 1.0, 2.0 and 3.0 are "
            "known"
        )
    start = 10 if major == 1 else 12
    size = int.from_bytes(first[8:start], "little")
    if size > _MOST_HEADER or start + size > whole:
        raise SideFileError(
            f"file {name!r} is truncated, or not a .npy file: its header has {size:,} bytes"
        )
    file.seek(start)
    text = file.read(size)
    try:
        header = ast.literal_eval(text.decode("latin-1" if major < 3 else "utf-8"))
    except not_from_handler(ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        raise SideFileError(f"file {name!r}: its .npy header is not valid") from None
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        raise SideFileError(f"file {name!r}: its .npy header lacks one of its three keys")
    if header["descr"] != "<u8":
        raise SideFileError(
            f"file {name!r} has elements of type {header['descr']!r:.60}, and must have '<u8': "
            "numpy.save(name, values.astype('<u8'))"
        )
    if not isinstance(header["fortran_order"], bool):
        raise SideFileError(
            f"file {name!r}: its .npy header has a fortran_order that is not a bool"
        )
    shape = header["shape"]
    if not isinstance(shape, tuple) or len(shape) != 1 or type(shape[0]) is not int:
        raise SideFileError(
            f"file {name!r} has the shape {shape!r:.60}, and must have one dimension: "
            "numpy.save(name, values.ravel())"
        )
    follow = whole - start - size
    if shape[0] * 8 != follow:
        noun = "pointer" if shape[0] == 1 else "pointers"
        raise SideFileError(
            f"file {name!r} says that it has {shape[0]!r:.30} {noun}, and {follow:,} bytes "
            "follow: it is damaged or truncated"
        )
    return follow


def write_side_file(path: str, values: array[int]) -> None:
    """Write pointers as .npy or .bin, chosen by the name. The file is replaced as a whole."""
    data = values
    if sys.byteorder == "big":
        data = array("Q", values)
        data.byteswap()
    header = npy_header(len(values)) if path.lower().endswith(".npy") else b""
    replace_file(path, header + data.tobytes())


def npy_header(count: int) -> bytes:
    """Return the header of a .npy file of that many 64-bit integers."""
    text = f"{{'descr': '<u8', 'fortran_order': False, 'shape': ({count},), }}".encode()
    padding = -(len(text) + 11) % _ALIGNMENT
    text += b" " * padding + b"\n"
    return _MAGIC + b"\x01\x00" + len(text).to_bytes(2, "little") + text
