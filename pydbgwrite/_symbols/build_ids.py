"""Which build of a module the target has: its build id, and the hash of its file."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final

from pydbgwrite._patch.entry import BuildCheck
from pydbgwrite._symbols.resolver import KnownModule, Resolver
from pydbgwrite.errors import AddressError, DebugEngineError, NoTargetError

if TYPE_CHECKING:
    from pydbgwrite._session import Session

__all__ = ["Builds"]

_PIECE: Final = 1 << 20


class Builds:
    """Answers for one session; the resolver, where there is one, has the modules already."""

    def __init__(self, session: Session, resolver: Resolver | None = None) -> None:
        self._session = session
        self._resolver = resolver if resolver is not None else Resolver(session)

    def problem(self, check: BuildCheck) -> str | None:
        """Why the target does not pass the check; None: it does."""
        try:
            if check.build_id is not None:
                found = self.build_ids(check.module)
                if check.build_id not in found:
                    has = " or ".join(found) if found else "no build id"
                    return f"{check.module} has {has}, and the patch is for {check.build_id}"
            if check.sha256 is not None:
                hashed = self.sha256(check.module)
                if hashed != check.sha256:
                    return (
                        f"the file of {check.module} has the SHA-256 {hashed}, and the patch is "
                        f"for {check.sha256}"
                    )
        except NoTargetError:
            raise
        except (DebugEngineError, ValueError) as error:
            return str(error)
        return None

    def build_ids(self, name: str) -> list[str]:
        """What the module's build goes by, as the target has it in memory; the best first.

        On Linux the GNU build id; on Windows what symbol servers look for: GUID and age of the
        program database, then TimeDateStamp and SizeOfImage. Empty where it has none.
        """
        module = self._resolver.module(name)
        if self._session._genuine:
            return _of_pe(self._session, module)
        return _of_elf(self._session, module)

    def sha256(self, name: str) -> str:
        """Of the module's file; AddressError where that very file can't be read here."""
        import hashlib

        module = self._resolver.module(name)
        digest = hashlib.sha256()
        with os.fdopen(self._open(module), "rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
        return digest.hexdigest()

    def _open(self, module: KnownModule) -> int:
        if not self._session._genuine:
            return self._open_linux(module)
        try:
            file = os.open(module.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except (OSError, ValueError) as error:
            raise AddressError(
                f"the file of {module.name} ({module.path}) can't be read here: {error}; check its "
                "build_id instead"
            ) from None
        try:
            # The target may be on another machine: the file must say the same as the memory.
            here, there = os.read(file, 4096), self._session.read(module.base, 4096)
            if _pe_stamp(here) != _pe_stamp(there):
                raise AddressError(
                    f"{module.path} here is another build than the one that the target has mapped"
                )
            os.lseek(file, 0, os.SEEK_SET)
        except BaseException:
            os.close(file)
            raise
        return file

    def _open_linux(self, module: KnownModule) -> int:
        from pydbgwrite._symbols.linux_files import open_image
        from pydbgwrite._symbols.linux_maps import VDSO, images_of_maps

        for image in images_of_maps(self._session._read_maps()):
            if image.base == module.base and image.path != VDSO:
                assert self._session.pid is not None
                return open_image(self._session.pid, image, self._session.read)
        raise AddressError(f"{module.name} has no file")


def _of_elf(session: Session, module: KnownModule) -> list[str]:
    from pydbgwrite._symbols.elf_headers import Segment, build_id_of, read_headers

    def read(offset: int, size: int) -> bytes:
        return session.read(module.base + offset, size)

    try:
        headers = read_headers(read)
        bias = headers.bias(module.base, 0)

        def read_segment(segment: Segment) -> bytes:
            return session.read((segment.address + bias) % 2**64, segment.file_size)

        found = build_id_of(headers, read_segment)
    except ValueError as error:
        raise AddressError(f"{module.name} in the target is no ELF file: {error}") from None
    return [] if found is None else [found]


def _pe_stamp(start: bytes) -> tuple[int, int]:
    """TimeDateStamp and SizeOfImage of a PE file's header ("PE Format", learn.microsoft.com)."""
    try:
        (header,) = struct.unpack_from("<I", start, 0x3C)
        if start[header : header + 4] != b"PE\0\0":
            raise AddressError("it is no PE file")
        (stamp,) = struct.unpack_from("<I", start, header + 8)
        (size,) = struct.unpack_from("<I", start, header + 24 + 56)
    except struct.error:
        raise AddressError("it is no PE file") from None
    return stamp, size


def _of_pe(session: Session, module: KnownModule) -> list[str]:
    start = session.read(module.base, 4096)
    stamp, size = _pe_stamp(start)
    found = [f"{stamp:08x}{size:x}"]
    database = _program_database(session, module, start)
    return found if database is None else [database, *found]


def _program_database(session: Session, module: KnownModule, start: bytes) -> str | None:
    """GUID and age that the debug directory's CodeView record has ("RSDS"); None: there is none."""
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
    except DebugEngineError:
        return None  # damaged, or not in the dump
    return None
