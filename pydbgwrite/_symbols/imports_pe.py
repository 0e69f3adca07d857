"""The import slots of a PE image in memory: its import address table and delay imports.

"PE Format", learn.microsoft.com/windows/win32/debug/pe-format: "The .idata Section", "Delay-Load
Import Tables". All numbers are the target's, and can be anything.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.linux_loader import memory_reader
from pydbgwrite._symbols.model import Import, KnownModule
from pydbgwrite.errors import AddressError

if TYPE_CHECKING:
    from pydbgwrite._target import Target

__all__ = ["imports_of_pe", "pe_imports"]

_PAGE: Final = 4096
_IMPORTS, _DELAYED = 1, 13  # indexes of data directories
_MOST_DIRECTORIES: Final = 16
_MOST_LIBRARIES: Final = 1 << 12
_MOST_SLOTS: Final = 1 << 20
_MOST_OF_NAME: Final = 4096
_AT_ONCE: Final = 16  # pages: a read can be a call to another machine
_MOST_PAGES: Final = 1 << 12  # of one image: 16 MiB
_MOST_BYTES: Final = 1 << 24  # in all reads together


class _Image:
    """Reads an image by relative addresses, in whole pages: most reads are small and near."""

    def __init__(self, read: Callable[[int, int], bytes], base: int) -> None:
        self._of_memory = read
        self._pages: dict[int, bytes] = {}
        self._left = _MOST_BYTES
        self.base = base

    def read(self, at: int, size: int) -> bytes:
        """Return size bytes. ValueError if they are not in the target's memory."""
        self._left -= size
        if self._left < 0:
            raise ValueError("its import tables have no end")
        found = b""
        while len(found) < size:
            place = at + len(found)
            page = place // _PAGE
            if page not in self._pages:
                if len(self._pages) >= _MOST_PAGES or place >= 1 << 32:
                    raise ValueError("its import tables have no end")
                self._read_ahead(page)
            start = place % _PAGE
            found += self._pages[page][start : start + size - len(found)]
        return found

    def _read_ahead(self, page: int) -> None:
        """Read a page, and the others of its group if they are all there."""
        first = page // _AT_ONCE * _AT_ONCE
        try:
            raw = self._of_memory(self.base + first * _PAGE, _AT_ONCE * _PAGE)
        except not_from_handler(ValueError):
            self._pages[page] = self._of_memory(self.base + page * _PAGE, _PAGE)
            return
        for index in range(_AT_ONCE):
            self._pages[first + index] = raw[index * _PAGE : (index + 1) * _PAGE]

    def numbers(self, at: int, form: str) -> tuple[int, ...]:
        """Return the numbers that a format of struct describes."""
        return struct.unpack("<" + form, self.read(at, struct.calcsize("<" + form)))

    def text(self, at: int) -> str:
        """Return the text that begins there."""
        found = b""
        while b"\0" not in found and len(found) < _MOST_OF_NAME:
            found += self.read(at + len(found), 64 - (at + len(found)) % 64)
        return found.partition(b"\0")[0].decode("latin-1")


class _Table(NamedTuple):
    """Of one library: its name, and the relative addresses of its slots and of their names."""

    library: str
    slots: int
    names: int
    kind: str


def imports_of_pe(session: Target, module: KnownModule) -> list[Import]:
    """Return the slots of a module, by address. AddressError if they can't be read."""
    try:
        found = pe_imports(memory_reader(session), module.base)
    except not_from_handler(ValueError) as error:
        raise AddressError(f"the imports of {module.name} can't be read: {error}") from error
    if found is None:
        raise AddressError(f"{module.name} at 0x{module.base:x} is neither an ELF nor a PE file")
    return found


def pe_imports(read: Callable[[int, int], bytes], base: int) -> list[Import] | None:
    """Return the slots of the image at that address, by address; None if there is no PE image.

    read: a reader of memory. ValueError if the tables can't be read.
    """
    image = _Image(read, base)
    start = image.read(0, 64)
    (header,) = struct.unpack_from("<I", start, 0x3C)
    if start[:2] != b"MZ" or header > _PAGE or image.read(header, 4) != b"PE\0\0":
        return None
    optional = header + 24
    (magic,) = image.numbers(optional, "H")
    if magic not in (0x10B, 0x20B):
        return None
    wide = magic == 0x20B
    (size,) = image.numbers(optional + 56, "I")
    own = range(base, base + size)
    directories = optional + (112 if wide else 96)
    (count,) = image.numbers(directories - 4, "I")
    found: dict[int, Import] = {}
    for table in _tables(image, directories, min(count, _MOST_DIRECTORIES), wide):
        unbound = own if table.kind == "delayed" else None
        for at, name in _slots(image, table, wide):
            address = base + at
            if address in found:  # libraries that share slots would be read once for each library
                break
            if len(found) >= _MOST_SLOTS:
                raise ValueError(f"it has more than {_MOST_SLOTS:,} import slots")
            found[address] = Import(
                address, 64 if wide else 32, name, table.library, table.kind, unbound
            )
    return [found[address] for address in sorted(found)]


def _tables(image: _Image, directories: int, count: int, wide: bool) -> Iterator[_Table]:
    for number in range(_MOST_LIBRARIES):
        at = _directory(image, directories, count, _IMPORTS)
        if not at:
            break
        names, _, _, library, slots = image.numbers(at + 20 * number, "5I")
        if not library or not slots:
            break
        yield _Table(image.text(library), slots, names, "address")
    for number in range(_MOST_LIBRARIES):
        at = _directory(image, directories, count, _DELAYED)
        if not at:
            break
        fields = image.numbers(at + 32 * number, "8I")
        attributes, library, _, slots, names = fields[:5]
        if not library or not slots:
            break
        if not attributes & 1 and not wide:  # addresses instead of offsets, by old linkers
            library, slots, names = (each - image.base for each in (library, slots, names))
            if min(library, slots, names) < 0:
                break
        yield _Table(image.text(library), slots, names, "delayed")


def _directory(image: _Image, directories: int, count: int, index: int) -> int:
    return image.numbers(directories + 8 * index, "I")[0] if index < count else 0


def _slots(image: _Image, table: _Table, wide: bool) -> Iterator[tuple[int, str]]:
    """Yield each slot's relative address and name.

    The loader has overwritten the slots. Where there is no table of names (import lookup table),
    which old linkers leave out, the names are lost.
    """
    form, size = ("Q", 8) if wide else ("I", 4)
    by_number = 1 << (8 * size - 1)
    for index in range(_MOST_SLOTS):
        (entry,) = image.numbers((table.names or table.slots) + size * index, form)
        if not entry:
            return
        name = ""
        if table.names:
            # A hint of two bytes stands before the text.
            is_number = entry & by_number
            name = f"#{entry & 0xFFFF}" if is_number else image.text((entry & 0x7FFFFFFF) + 2)
        yield table.slots + size * index, name
