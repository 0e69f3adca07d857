"""Read the kernel's and the dynamic linker's data about the modules of a Linux process.

The auxiliary vector leads to the program (getauxval(3)), its dynamic section to r_debug, and that
to a list of link_map for each namespace (<link.h>). All of it is the target's memory and can hold
anything. A list is cut after as many entries as there are mappings, since each entry has one.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from pydbgwrite._core import FileDescriptor
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.elf_dynamic import Dynamic, dynamic_entries
from pydbgwrite._symbols.elf_headers import (
    ElfHeaders,
    headers_of_table,
    read_headers,
    read_whole,
)
from pydbgwrite._symbols.linux_maps import PAGE, VDSO, Mapping
from pydbgwrite.errors import DebugEngineError, NoTargetError

if TYPE_CHECKING:
    from pydbgwrite._target import Target

__all__ = ["Loaded", "loaded_modules", "memory_headers", "memory_reader"]

_AT_PHDR, _AT_PHENT, _AT_PHNUM, _AT_ENTRY = 3, 4, 5, 9
_PT_PHDR: Final = 6
_DT_DEBUG: Final = 21
_HEADER_SIZES: Final = {64: (64, 56), 32: (52, 32)}  # of the file's header; of a program header
_MOST_SEGMENTS: Final = 512
_MOST_MODULES: Final = 1 << 14
_MOST_BYTES: Final = 1 << 28  # of a table
_MOST_NAMESPACES: Final = 64  # glibc has 16
_MOST_OF_PATH: Final = 4096


class Loaded(NamedTuple):
    """A module in the loader's data; name is the dynamic linker's.

    namespace is 0 for the program's own; dlmopen(3) makes others.
    """

    headers: ElfHeaders
    bias: int
    name: bytes
    namespace: int
    program: bool = False


def memory_reader(session: Target) -> Callable[[int, int], bytes]:
    """Return a reader of the target's memory; it raises ValueError for unreadable memory."""

    def read(address: int, size: int) -> bytes:
        if size > _MOST_BYTES:
            raise ValueError(f"a table has {size:,} bytes")
        try:
            return session.read(address, size)
        except NoTargetError:
            raise
        except not_from_handler(DebugEngineError, OverflowError) as error:
            raise ValueError(f"the target's memory at 0x{address:x} can't be read") from error

    return read


def memory_headers(read: Callable[[int, int], bytes], address: int) -> ElfHeaders:
    """Read the headers of a file from its first page in memory."""
    start = read(address, 1024)  # bytes of a page: nearly all headers fit

    def read_from(offset: int, size: int) -> bytes:
        if offset + size <= len(start):
            return start[offset : offset + size]
        return read(address + offset, size)

    return read_headers(read_from)


def loaded_modules(session: Target, mappings: list[Mapping]) -> list[Loaded]:
    """Return the program and the dynamic linker's list; nothing if they are inconsistent."""
    read = memory_reader(session)
    try:
        program = _program(session, read)
    except not_from_handler(ValueError, struct.error, OSError):
        return []
    found: dict[tuple[int, int], Loaded] = {}
    walk = _Walk(read, session.pointer_size, mappings, program)
    try:
        for loaded in walk.modules():
            found.setdefault(_place(loaded), loaded)
    except not_from_handler(ValueError, struct.error):
        pass  # the map shows the modules behind the damage
    # execve started the dynamic linker itself if the command names it.
    found.setdefault(_place(program), program._replace(program=not found))
    return list(found.values())


def _place(loaded: Loaded) -> tuple[int, int]:
    dynamic = loaded.headers.dynamic
    return loaded.bias, 0 if dynamic is None else dynamic.address


def _program(session: Target, read: Callable[[int, int], bytes]) -> Loaded:
    bits = 8 * session.pointer_size
    flags = os.O_RDONLY | os.O_CLOEXEC
    with FileDescriptor(session._open_folder, True) as folder:
        auxv = FileDescriptor(os.open, "auxv", flags, dir_fd=folder.fileno())
        with auxv.into_file("rb") as file:
            raw = file.read()
    word = "Q" if bits == 64 else "I"
    raw = raw[: len(raw) // (bits // 4) * (bits // 4)]
    vector = dict(struct.iter_unpack(f"={2 * word}", raw))
    header, size = _HEADER_SIZES[bits]
    table, count = vector.get(_AT_PHDR, 0), vector.get(_AT_PHNUM, 0)
    if not table or vector.get(_AT_PHENT) != size or not 0 < count <= _MOST_SEGMENTS:
        raise ValueError("the auxiliary vector names no program headers")
    headers = headers_of_table(bits, read_whole(read, table, size * count))
    itself = next((each for each in headers.segments if each.kind == _PT_PHDR), None)
    if itself is not None:
        bias = table - itself.address
    else:  # linked statically: the table follows the file's header
        first = next((each for each in headers.loads if each.offset == 0), None)
        if first is None:
            raise ValueError("the program's address can't be determined")
        bias = table - header - first.address
    entry = vector.get(_AT_ENTRY, 0) - bias
    if not any(each.address <= entry < each.address + each.memory_size for each in headers.loads):
        raise ValueError("the program's first instruction is not in it")
    return Loaded(headers, bias, b"", namespace=0)


class _Walk:
    """Walks the lists of link_map."""

    def __init__(
        self,
        read: Callable[[int, int], bytes],
        pointer_size: int,
        mappings: list[Mapping],
        started: Loaded,
    ) -> None:
        self._started = started
        self._read = read
        self._size = pointer_size
        self._word = "Q" if pointer_size == 8 else "I"
        self._mappings = mappings
        self._starts = [mapping.start for mapping in mappings]
        #: By path: the first few addresses where the file's beginning is mapped.
        self._begins: dict[bytes, list[int]] = {}
        for mapping in mappings:
            if mapping.offset == 0:
                self._begins.setdefault(mapping.path, []).append(mapping.start)
        self._most = min(len(mappings) + 64, _MOST_MODULES)
        self._seen: set[int] = set()

    def modules(self) -> Iterator[Loaded]:
        """Yield the modules of all namespaces, the program's own first."""
        debug = self._debug()
        for number in range(_MOST_NAMESPACES):
            if not debug:
                return
            # r_version and r_map; r_brk, r_state and r_ldbase; with version 2 r_next.
            (version,) = struct.unpack("=i", self._read(debug, 4))
            (link,) = self._words(debug + self._size, 1)
            yield from self._listed(link, number)
            debug = self._words(debug + 5 * self._size, 1)[0] if version >= 2 else 0

    def _debug(self) -> int:
        """Find r_debug by the program's dynamic section or the dynamic linker's symbols.

        The symbols are needed if the command names the dynamic linker, with the program as
        argument.
        """
        from pydbgwrite._symbols.elf_tables import SymbolTable

        headers, bias = self._started.headers, self._started.bias

        def read(address: int, size: int) -> bytes:
            return self._read(address + bias, size)

        place = dynamic_entries(headers, read).get(_DT_DEBUG)
        if place is not None:
            return place
        table = SymbolTable.of_dynamic(headers, read, Dynamic.read(headers, read, bias))
        variable = table.exported(b"_r_debug", "")
        return 0 if variable is None else variable.definition.value + bias

    def _words(self, address: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"={count}{self._word}", self._read(address, count * self._size))

    def _listed(self, link: int, namespace: int) -> Iterator[Loaded]:
        while link and link not in self._seen and len(self._seen) < self._most:
            is_program = namespace == 0 and not self._seen
            self._seen.add(link)
            bias, name, dynamic, link = self._words(link, 4)
            mapping = self._mapping_at(dynamic)
            if mapping is None or mapping.path != VDSO.encode():
                headers = self._headers(bias, dynamic, mapping)
                if headers is not None:
                    text = b"" if mapping is not None else self._text(name)
                    yield Loaded(headers, bias, text, namespace, is_program)

    def _mapping_at(self, address: int) -> Mapping | None:
        """Return the mapping there, or the last file before it, whose data can be anonymous."""
        index = bisect_right(self._starts, address)
        return self._mappings[index - 1] if index else None

    def _headers(self, bias: int, dynamic: int, mapping: Mapping | None) -> ElfHeaders | None:
        """Return the headers whose dynamic section is at that address."""
        known = self._started
        if _place(known) == (bias, dynamic - bias):
            return known.headers
        begins = [] if mapping is None else self._begins.get(mapping.path, [])
        for place in dict.fromkeys([bias, *begins[:3]]):
            try:
                headers = memory_headers(self._read, place)
            except not_from_handler(ValueError, struct.error):
                continue
            if headers.dynamic is not None and headers.dynamic.address + bias == dynamic:
                return headers
        return None

    def _text(self, address: int) -> bytes:
        found = b""
        try:
            while len(found) < _MOST_OF_PATH and b"\0" not in found:
                # To the end of a page: the next page can be missing.
                size = min(256, PAGE - (address + len(found)) % PAGE)
                found += self._read(address + len(found), size)
        except not_from_handler(ValueError):
            return b""
        return found.partition(b"\0")[0]
