"""Symbols of a Linux process: those of its modules' files, where the dynamic linker binds them."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from io import BufferedReader, BytesIO
from itertools import chain
from typing import TYPE_CHECKING, Final

from pydbgwrite._core import name_addresses
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.demangle import demangler
from pydbgwrite._symbols.elf_bindings import Bindings
from pydbgwrite._symbols.elf_dynamic import AddressReader, Dynamic, reader_of_file
from pydbgwrite._symbols.elf_headers import read_headers
from pydbgwrite._symbols.kept_files import identity_of, kept_files
from pydbgwrite._symbols.linux_files import open_image
from pydbgwrite._symbols.linux_images import images_of
from pydbgwrite._symbols.linux_loader import memory_reader
from pydbgwrite._symbols.linux_maps import (
    PAGE,
    VDSO,
    Image,
    Mapping,
    NamedRegion,
    named_regions,
    read_map,
    region_start,
)
from pydbgwrite._symbols.model import Demangled, Import, KnownModule, Symbol
from pydbgwrite._symbols.patterns import Pattern
from pydbgwrite.errors import AddressError, DebugEngineError, NoTargetError

if TYPE_CHECKING:
    from typing import IO

    from pydbgwrite._core import ModuleSymbols
    from pydbgwrite._symbols.elf_names import FileNames, ModuleNames
    from pydbgwrite._symbols.elf_tables import Definition, SymbolTable
    from pydbgwrite._symbols.model import _Addresses
    from pydbgwrite._target import Target

__all__ = ["ElfSymbols"]

_MOST_LISTED: Final = 8


class _Opened:
    """What was read of a module's file."""

    def __init__(self, table: SymbolTable, fault: str | None = None) -> None:
        self.table = table
        #: Why there is nothing but what it exports.
        self.fault = fault
        self._names: tuple[tuple[int, int, SymbolTable | None], FileNames] | None = None

    @property
    def size(self) -> int:
        """Bytes of its tables."""
        return self.table.size

    def names(self, image: Image, debug: SymbolTable | None) -> FileNames:
        """Return the names of its symbols, and of those of its debug file."""
        from pydbgwrite._symbols.elf_names import FileNames

        low = (image.base - image.bias) % 2**64
        key = (low, min(low + image.size, 2**64 - 1), debug)
        if self._names is None or self._names[0] != key:
            more = debug.sources(secondary=True) if debug is not None else []
            self._names = (key, FileNames(self.table.sources() + more, *key[:2]))
        return self._names[1]


class ElfSymbols:
    """Modules by file name or path, exactly as they are spelt; symbols of .symtab and .dynsym.

    Each file is read once, and kept for the session.
    """

    def __init__(self, session: Target) -> None:
        self._session = session
        self._files = kept_files(session)
        self._images: dict[int, Image] = {}
        self._opened: dict[int, _Opened] = {}
        #: Of the files, when they were opened.
        self._identities: dict[int, object] = {}
        self._exports: dict[int, SymbolTable] = {}
        self._bindings = Bindings((), self._exports_of, self._reader)
        self._separate: dict[int, SymbolTable | None] = {}
        self._named: dict[int, ModuleNames | None] = {}
        #: The mappings of files, when modules() was called.
        self._mappings: list[Mapping] = []

    def modules(self) -> list[KnownModule]:
        """Return the modules of Session.modules(), and [vdso]."""
        images = images_of(self._session)
        self._images = {image.base: image for image in images}
        self._bindings = Bindings(images, self._exports_of, self._reader)
        return [_known(image) for image in images]

    def key(self, name: str) -> str:
        """Return the name unchanged: case matters."""
        return name

    def find(self, module: KnownModule, symbol: str) -> int | None:
        """Return the symbol's address: its value plus the load bias, or where its uses lead."""
        found = self._definitions(module, symbol)
        if not found:
            return None
        image = self._images[module.base]
        places = {self._bindings.live(image, each, symbol): each for each in found[:_MOST_LISTED]}
        if len(places) > 1:
            listed = ", ".join(self._place(module, *each) for each in places.items())
            raise AddressError(
                f"{module.name} has {len(found)} symbols {symbol!r}: {listed}; give the one you "
                "mean in that form, or with its version"
            )
        fault = found[0].fault()
        if fault is not None:
            raise AddressError(f"{module.name}!{symbol} {fault}")
        return next(iter(places))

    def has(self, module: KnownModule, symbol: str) -> bool:
        """Return whether the file defines it; False, too, for a file that can't be read."""
        try:
            return bool(self._definitions(module, symbol))
        except not_from_handler(AddressError):
            return False

    def demangled(self, module: KnownModule, symbol: str) -> list[Demangled] | None:
        """Return the symbols whose demangled name it is."""
        names = self._names_of(self._images[module.base])
        if names is None:  # a file that can't be read
            return [] if demangler() is not None else None
        return names.demangled(symbol)

    def region(self, name: str) -> int | None:
        """Return where the heap of brk(2), or the main thread's stack, begins now."""
        return region_start(self._session._read_maps(), f"<{name}>")

    def like(self, module: KnownModule, symbol: str) -> Iterable[str]:
        """Return all names that find() knows in the file."""
        debug = self._debug(self._images[module.base]) if self.stripped(module) else None
        return chain(self._open(module).table.names(), debug.names() if debug is not None else ())

    def fault(self, module: KnownModule) -> str | None:
        """Return why there is nothing but what the file exports, or None."""
        return self._open(module).fault

    def stripped(self, module: KnownModule) -> bool:
        """Return whether the file has no .symtab. Separate debug files do not count."""
        return self._open(module).table.stripped

    def imports(self, module: KnownModule) -> list[Import]:
        """Return the slots that the dynamic section leads to; of a PE file (Wine) its own."""
        from pydbgwrite._symbols.imports_elf import elf_imports
        from pydbgwrite._symbols.imports_pe import imports_of_pe

        image = self._images[module.base]
        headers = image.headers
        if headers is None:
            return imports_of_pe(self._session, module)
        if headers.dynamic is None:
            return []
        own = range(image.base, image.base + image.size)
        try:
            return elf_imports(
                headers,
                self._machine(image),
                self._reader(image),
                image.bias,
                own,
                lambda address, size: self._of_file(image, address, size),
            )
        except not_from_handler(ValueError, struct.error) as error:
            raise AddressError(f"the imports of {module.name} can't be read: {error}") from error

    def _machine(self, image: Image) -> int:
        """Return e_machine of the file, whose beginning is in memory as a rule."""
        from pydbgwrite._symbols.imports_elf import machine_of

        found = None
        try:
            found = machine_of(memory_reader(self._session)(image.base, 64))
        except not_from_handler(ValueError):
            pass
        if found is None:
            with open_image(self._session, image) as stream:
                found = machine_of(stream.read(64))
        if found is None:
            raise ValueError("it does not begin with an ELF header")
        return found

    def _of_file(self, image: Image, address: int, size: int) -> bytes | None:
        """Return bytes of the image's file at an address by the file's headers; None without it."""
        from pydbgwrite._symbols.linux_debug_files import reader_of

        assert image.headers is not None
        try:
            with open_image(self._session, image) as stream:
                return reader_of_file(image.headers, reader_of(stream))(address, size)
        except not_from_handler(AddressError, ValueError, OSError):
            return None

    def _definitions(self, module: KnownModule, symbol: str) -> list[Definition]:
        """Return what the file, or a stripped file's separate debug file, has of that name."""
        table = self._open(module).table
        found = table.find(symbol)
        if not found and table.stripped:
            debug = self._debug(self._images[module.base])
            found = debug.find(symbol) if debug is not None else []
        return found

    def symbols(
        self, pattern: str, modules: list[KnownModule], kind: str | None
    ) -> Iterable[Symbol]:
        """Yield the symbols that match, by address in each module."""
        wanted = Pattern(pattern)
        for module in modules:
            names = self._names_of(self._images[module.base])
            if names is not None:
                found = names.symbols(wanted, kind)
                yield from sorted(found, key=lambda symbol: (symbol.address, symbol.name))

    def names(self, addresses: _Addresses) -> list[str]:
        """Return the name of each address, by the mappings of the moment."""
        text = self._session._read_maps()
        mappings = read_map(text)
        if mappings != self._mappings:
            self._refresh()
            self._mappings = mappings
        images = list(self._images.values())
        labels = _labels(images)
        ranges = _ranges(images, labels, named_regions(text))

        def spell(number: int, symbols: list[int]) -> list[str]:
            names = self._names_of(images[number])
            assert names is not None
            return names.spell(labels[number], symbols)

        def open_module(number: int) -> tuple[ModuleSymbols, list[str | None]] | None:
            self._see_change(images[number])
            names = self._names_of(images[number])
            return None if names is None else names.begin()

        try:
            return name_addresses(addresses, ranges, open_module, spell)
        finally:
            for each in self._named.values():
                if each is not None:
                    each.end()

    def _refresh(self) -> None:
        """Read the list of modules again, and forget the symbols of those that have changed."""
        before = self._images
        self.modules()
        self._forget([base for base, image in before.items() if self._images.get(base) != image])
        self._named = {}

    def _see_change(self, image: Image) -> None:
        """Forget what was read of a module's file, if the file has changed since."""
        before = self._identities.get(image.base)
        if before is None:
            return
        try:
            with open_image(self._session, image) as file:
                now = identity_of(file)
        except not_from_handler(AddressError):
            return  # it can't be read again
        if now != before:
            self._forget([image.base])

    def _forget(self, bases: list[int]) -> None:
        """Forget the symbols of the modules with these bases."""
        for base in bases:
            self._opened.pop(base, None)
            self._identities.pop(base, None)
            self._separate.pop(base, None)
            self._named.pop(base, None)
        self._exports = {}

    def _names_of(self, image: Image) -> ModuleNames | None:
        """Return the names of a module; None if its symbols can't be read."""
        if image.base not in self._named:
            from pydbgwrite._symbols.elf_names import ModuleNames

            found = None
            module = _known(image)
            try:
                opened = self._open_image(image)
            except not_from_handler(AddressError):
                opened = None
            if opened is not None and image.headers is not None:
                debug = self._debug(image) if opened.table.stripped else None
                found = ModuleNames(
                    image,
                    opened.names(image, debug),
                    lambda symbol: self.find(module, symbol),
                    opened.table.spellings,
                    lambda: self._see_life(image),
                )
            self._named[image.base] = found
        return self._named[image.base]

    def _see_life(self, image: Image) -> None:
        """Raise NoTargetError if the process has ended."""
        try:
            self._session.read(image.base, 1)
        except not_from_handler(NoTargetError):
            self._session._read_maps()  # which says so in fewer words
            raise
        except not_from_handler(DebugEngineError, OverflowError):
            pass  # that page can be gone

    def _place(self, module: KnownModule, address: int, definition: Definition) -> str:
        offset = address - module.base
        inside = 0 <= offset < self._images[module.base].size
        place = f"{module.name}+0x{offset:x}" if inside else f"0x{address:x}"
        return f"{place} ({definition.description()})"

    def _open(self, module: KnownModule) -> _Opened:
        return self._open_image(self._images[module.base])

    def _open_image(self, image: Image) -> _Opened:
        opened = self._opened.get(image.base)
        if opened is None:
            opened = self._opened[image.base] = self._read(image)
        return opened

    def _debug(self, image: Image) -> SymbolTable | None:
        """Return the symbols of a stripped file's separate debug file."""
        if image.base not in self._separate:
            from pydbgwrite._symbols.elf_tables import SymbolTable
            from pydbgwrite._symbols.linux_debug_files import debug_file, reader_of

            table = None
            with debug_file(self._session, image) as stream:
                if stream is not None:
                    read, size = reader_of(stream), stream.seek(0, os.SEEK_END)

                    def read_table() -> SymbolTable:
                        headers = read_headers(read)
                        return SymbolTable.of_sections(headers.bits, headers.order, read, size)

                    try:
                        table = self._files.get(stream, "debug", read_table)
                    except not_from_handler(ValueError, IndexError, struct.error, OSError):
                        table = None  # as if it were not there
            self._separate[image.base] = table
        return self._separate[image.base]

    def _exports_of(self, image: Image) -> SymbolTable:
        """Return the exported symbols; none if they can't be read."""
        from pydbgwrite._symbols.elf_tables import SymbolTable

        found = self._exports.get(image.base)
        if found is None:
            try:
                found = self._of_memory(image)
            except not_from_handler(ValueError, struct.error):
                try:
                    found = self._open_image(image).table
                except not_from_handler(AddressError):
                    found = SymbolTable([], None, stripped=True)
            self._exports[image.base] = found
        return found

    def _reader(self, image: Image) -> AddressReader:
        """Return a reader that takes the file's addresses."""
        read = memory_reader(self._session)
        return lambda address, size: read(address + image.bias, size)

    def _of_memory(self, image: Image) -> SymbolTable:
        from pydbgwrite._symbols.elf_tables import SymbolTable

        headers = image.headers
        if headers is None:
            raise ValueError("its headers are not in the target's memory")
        read = self._reader(image)
        return SymbolTable.of_dynamic(headers, read, Dynamic.read(headers, read, image.bias))

    def _read(self, image: Image) -> _Opened:
        if image.path == VDSO:
            with BytesIO(self._session.read(image.base, image.size)) as stream:
                return self._read_stream(stream, image)
        try:
            file = open_image(self._session, image)
        except not_from_handler(AddressError) as error:
            try:
                return _Opened(self._of_memory(image), str(error))
            except not_from_handler(ValueError, struct.error):
                raise error from None
        with BufferedReader(file) as stream:
            self._identities[image.base] = identity_of(stream)
            opened = self._files.get(stream, "module", lambda: self._read_stream(stream, image))
        if image.headers is None:
            raise AddressError(
                f"the load address of {image.name} ({image.path}) can't be determined from its "
                "mappings; give module+offset"
            )
        return opened

    def _read_stream(self, stream: IO[bytes], image: Image) -> _Opened:
        from pydbgwrite._symbols.elf_tables import SymbolTable

        end = stream.seek(0, os.SEEK_END)

        def read(offset: int, size: int) -> bytes:
            stream.seek(min(offset, end))
            return stream.read(min(size, end))

        try:
            headers = read_headers(read)
            try:
                table = SymbolTable.of_sections(headers.bits, headers.order, read, end)
                if not table.empty:
                    return _Opened(table)
                fault = None
            except not_from_handler(ValueError, IndexError, struct.error) as error:
                if headers.dynamic is None:
                    raise
                fault = f"the sections of {image.path} can't be read: {error}"
            at = reader_of_file(headers, read)
            return _Opened(SymbolTable.of_dynamic(headers, at, Dynamic.read(headers, at)), fault)
        except not_from_handler(ValueError, IndexError, struct.error, OSError) as error:
            raise AddressError(
                f"{image.name} ({image.path}) can't be read as an ELF file: {error}; give "
                "module+offset"
            ) from error


def _known(image: Image) -> KnownModule:
    return KnownModule(image.name, image.base, image.path, (), image.program)


def _labels(images: list[Image]) -> list[str]:
    """Return how each module is named: by name, else by path, else by base, which leads to it."""
    owners: dict[str, set[int]] = {}
    for image in images:
        for key in (image.name, image.path):
            owners.setdefault(key, set()).add(image.base)
    signed = any(sign in image.name for image in images for sign in "!:")

    def label(image: Image) -> str:
        for key in (image.name, image.path):
            plain = key.isprintable() and (key == VDSO or not key.startswith(("[", "<", " ")))
            if plain and not signed and len(owners[key]) == 1:
                return key
        return f"0x{image.base:x}"

    return [label(image) for image in images]


def _ranges(
    images: list[Image], labels: list[str], regions: list[NamedRegion]
) -> list[tuple[int, int, int, int, str, int]]:
    """Return the address ranges that have names, as name_addresses() takes them."""
    found = []
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = (image.base, image.bias, label, number)
        if image.headers is None:
            found.append((image.base, image.base + image.size, *place))
        for part in image.headers.loads if image.headers is not None else ():
            start = (part.address + image.bias) // PAGE * PAGE
            end = -(-(part.address + image.bias + part.memory_size) // PAGE) * PAGE
            found.append((start, end, *place))
    for region in regions:
        found.append((region.start, region.end, region.origin, 0, region.name, -1))
    ordered = []
    last = 0
    for start, end, origin, bias, name, module in sorted(found):
        first = max(start, last)  # parts of a hostile file can overlap
        if first < end < 2**64:
            ordered.append((first, end, origin, bias, name, module))
            last = end
    return ordered
