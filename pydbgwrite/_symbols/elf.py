"""Symbols of a Linux process: its map says which files, and they say what is in them."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from pydbgwrite._symbols.elf_headers import read_headers
from pydbgwrite._symbols.linux_files import open_image
from pydbgwrite._symbols.linux_maps import VDSO, Image, images_of_maps
from pydbgwrite._symbols.model import KnownModule
from pydbgwrite.errors import AddressError

if TYPE_CHECKING:
    from typing import IO

    from pydbgwrite._symbols.elf_tables import Definition, SymbolTable
    from pydbgwrite._target import Target

__all__ = ["ElfSymbols"]


class _Opened(NamedTuple):
    table: SymbolTable
    bias: int


class ElfSymbols:
    """Modules by file name or path, exactly as they are spelt; symbols of .symtab and .dynsym.

    Each file is read once.
    """

    def __init__(self, session: Target) -> None:
        self._session = session
        self._images: dict[int, Image] = {}
        self._opened: dict[int, _Opened] = {}

    def modules(self) -> list[KnownModule]:
        """Those of Session.modules(), and [vdso]."""
        images = images_of_maps(self._session._read_maps())
        self._images = {image.base: image for image in images}
        return [KnownModule(image.name, image.base, image.path, ()) for image in images]

    def key(self, name: str) -> str:
        """Names are exact here."""
        return name

    def find(self, module: KnownModule, symbol: str) -> int | None:
        """Its value in the file, and what the loader added to that."""
        table, bias = self._open(module)
        found = table.find(symbol)
        if not found:
            return None
        values = {each.value for each in found}
        if len(values) > 1:
            listed = ", ".join(self._place(module, bias, each) for each in found[:8])
            raise AddressError(
                f"{module.name} has {len(values)} symbols {symbol!r}: {listed}; give the one you "
                "mean in that form, or with its version"
            )
        fault = found[0].fault()
        if fault is not None:
            raise AddressError(f"{module.name}!{symbol} {fault}")
        return (found[0].value + bias) % 2**64

    def like(self, module: KnownModule, symbol: str) -> Iterable[str]:
        """All names in the file that a module can be asked for."""
        return self._open(module).table.names()

    def _place(self, module: KnownModule, bias: int, definition: Definition) -> str:
        place = f"{module.name}+0x{(definition.value + bias - module.base) % 2**64:x}"
        return f"{place} ({definition.told()})"

    def _open(self, module: KnownModule) -> _Opened:
        opened = self._opened.get(module.base)
        if opened is None:
            opened = self._opened[module.base] = self._read(self._images[module.base])
        return opened

    def _read(self, image: Image) -> _Opened:
        stream: IO[bytes]
        if image.path == VDSO:
            stream = BytesIO(self._session.read(image.base, image.size))
        else:
            stream = os.fdopen(open_image(self._session, image), "rb")
        with stream:
            return self._read_stream(stream, image)

    def _read_stream(self, stream: IO[bytes], image: Image) -> _Opened:
        from pydbgwrite._symbols.elf_tables import SymbolTable

        end = stream.seek(0, os.SEEK_END)

        def read(offset: int, size: int) -> bytes:
            stream.seek(min(offset, end))
            return stream.read(min(size, end))

        try:
            headers = read_headers(read)
            table = SymbolTable(headers.bits, headers.order, read)
            return _Opened(table, headers.bias(image.base, image.offset))
        except (ValueError, IndexError, struct.error, OSError) as error:
            raise AddressError(
                f"{image.name} ({image.path}) can't be read as an ELF file: {error}; give "
                "module+offset"
            ) from error
