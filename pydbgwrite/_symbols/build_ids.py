"""The build of a module in the target: its ids, and its file."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from pydbgwrite._regular_file import open_regular
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import AddressError, DebugEngineError, Error, NoTargetError

if TYPE_CHECKING:
    from io import FileIO

    from pydbgwrite._regions import Module
    from pydbgwrite._symbols.linux_maps import Image
    from pydbgwrite._symbols.model import KnownModule
    from pydbgwrite._target import Target

__all__ = ["build_ids_by_base", "build_ids_of", "ids_of_image", "open_file"]


def build_ids_of(session: Target, module: KnownModule) -> list[str]:
    """Return the ids of the module's build from the target's memory, the best one first.

    On Linux this is the GNU build id. On Windows these are the ids of symbol servers: GUID and age
    of the program database, then TimeDateStamp and SizeOfImage. Empty if the module has none.
    """
    return _of_elf(session, module) if session._embedded else _of_pe(session, module)


def open_file(session: Target, module: KnownModule) -> FileIO:
    """Open the module's very file. AddressError if it is not here."""
    if session._embedded:
        return _open_linux(session, module)
    try:
        file = open_regular(module.path)
    except not_from_handler(OSError, ValueError) as error:
        raise AddressError(
            f"the file of {module.name} ({module.path}) can't be read here: {error}; check its "
            "build_id instead"
        ) from None
    try:
        # The target can be on another machine: the file must agree with the memory.
        here, there = file.read(4096), session.read(module.base, 4096)
        if _pe_stamp(here) != _pe_stamp(there):
            raise AddressError(f"{module.path} here is not the build that the target has mapped")
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _open_linux(session: Target, module: KnownModule) -> FileIO:
    from pydbgwrite._symbols.linux_files import open_image
    from pydbgwrite._symbols.linux_images import images_of
    from pydbgwrite._symbols.linux_maps import VDSO

    for image in images_of(session):
        if image.base == module.base and image.path != VDSO:
            return open_image(session, image)
    raise AddressError(f"{module.name} has no file")


def build_ids_by_base(session: Target) -> dict[int, str]:
    """Return the best build id of each module that has one, by the module's base."""
    found = {}
    for base, read in _readers(session):
        try:
            ids = read()
        except NoTargetError:
            raise
        except not_from_handler(Error, ValueError):
            continue  # damaged, or not in the dump
        if ids:
            found[base] = ids[0]
    return found


def _readers(session: Target) -> Iterator[tuple[int, Callable[[], list[str]]]]:
    if session._embedded:
        from pydbgwrite._symbols.linux_images import images_of

        for image in images_of(session):
            yield image.base, partial(ids_of_image, session, image)
    else:
        for module in session.modules():
            yield module.base, partial(_of_pe, session, module)


def _of_elf(session: Target, module: KnownModule) -> list[str]:
    from pydbgwrite._symbols.linux_images import images_of

    image = next((each for each in images_of(session) if each.base == module.base), None)
    if image is None or image.headers is None:
        raise AddressError(f"{module.name} in the target is not an ELF file")
    try:
        return ids_of_image(session, image)
    except not_from_handler(ValueError) as error:
        raise AddressError(f"the build id of {module.name} can't be read: {error}") from None


def ids_of_image(session: Target, image: Image) -> list[str]:
    """Return the build id of an ELF image, if it has one. ValueError if its notes are damaged."""
    from pydbgwrite._symbols.elf_headers import Segment, build_id_of
    from pydbgwrite._symbols.linux_loader import memory_reader

    if image.headers is None:
        return []
    read, bias = memory_reader(session), image.bias

    def read_segment(segment: Segment) -> bytes:
        return read((segment.address + bias) % 2**64, segment.file_size)

    found = build_id_of(image.headers, read_segment)
    return [] if found is None else [found]


def _pe_stamp(start: bytes) -> tuple[int, int]:
    """Return TimeDateStamp and SizeOfImage of a PE header ("PE Format", learn.microsoft.com)."""
    try:
        (header,) = struct.unpack_from("<I", start, 0x3C)
        if start[header : header + 4] != b"PE\0\0":
            raise AddressError("it is not a PE file")
        (stamp,) = struct.unpack_from("<I", start, header + 8)
        (size,) = struct.unpack_from("<I", start, header + 24 + 56)
    except not_from_handler(struct.error):
        raise AddressError("it is not a PE file") from None
    return stamp, size


def _of_pe(session: Target, module: KnownModule | Module) -> list[str]:
    start = session.read(module.base, 4096)
    stamp, size = _pe_stamp(start)
    found = [f"{stamp:08x}{size:x}"]
    database = _program_database(session, module, start)
    return found if database is None else [database, *found]


def _program_database(session: Target, module: KnownModule | Module, start: bytes) -> str | None:
    """Return GUID and age of the debug directory's CodeView record ("RSDS"), or None."""
    (header,) = struct.unpack_from("<I", start, 0x3C)
    optional = header + 24
    directories = 112 if start[optional : optional + 2] == b"\x0b\x02" else 96
    place = optional + directories + 6 * 8  # IMAGE_DIRECTORY_ENTRY_DEBUG
    if place + 8 > len(start):
        return None
    address, size = struct.unpack_from("<2I", start, place)
    if not address or not 28 <= size <= 28 * 64:
        return None
    try:
        raw = session.read(module.base + address, size // 28 * 28)
        for _, _, _, _, kind, length, data, _ in struct.iter_unpack("<2I2H4I", raw):
            if kind == 2 and 24 <= length <= 1 << 16 and data:  # IMAGE_DEBUG_TYPE_CODEVIEW
                record = session.read(module.base + data, 24)
                if record[:4] == b"RSDS":
                    first, second, third = struct.unpack_from("<IHH", record, 4)
                    (age,) = struct.unpack_from("<I", record, 20)
                    return f"{first:08x}{second:04x}{third:04x}{record[12:20].hex()}{age:x}"
    except NoTargetError:
        raise
    except not_from_handler(DebugEngineError):
        return None  # damaged, or not in the dump
    return None
