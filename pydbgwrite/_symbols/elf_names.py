"""Names of addresses in one module of a Linux process, and its symbols by pattern.

A name is only given if it leads back: "module!name" is the address of the symbol, and no other. So
a name that several symbols have is not used, nor one that leads to another module's variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from pydbgwrite import _core
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.demangle import MANGLED, demangler
from pydbgwrite._symbols.model import Demangled, Symbol
from pydbgwrite._symbols.patterns import Pattern
from pydbgwrite._symbols.signatures import common_part, common_word, matching, plain
from pydbgwrite.errors import AddressError

if TYPE_CHECKING:
    from pydbgwrite._symbols.elf_tables import Source
    from pydbgwrite._symbols.linux_maps import Image

__all__ = ["FileNames", "ModuleNames"]

_KINDS: Final = {1: "data", 2: "function", 5: "data", 10: "ifunc"}
_ALONE, _VERSION = 0, 1
#: From so many symbols on, all names of the module are demangled to see which are the only ones.
_MANY: Final = 40
_MOST_SEARCHES: Final = 100
#: Names between two looks at the target: some 10 ms.
_BLOCK: Final = 2048
#: A name that is the only one to begin so before a parenthesis: no template, no type before it.
_STEM: Final = re.compile(r"[\w:~$.]+")
#: What Resolver takes for an offset at the end of a name.
_OFFSET: Final = re.compile(rb"(.+)[+-](?:0[xX][0-9a-fA-F]+|[0-9]+)", re.DOTALL)


class _Entry(NamedTuple):
    """_core.ModuleSymbols.entry()."""

    raw: bytes
    value: int
    size: int
    source: int
    kind: int
    use: int
    has_place: bool
    versioned: bool
    replaceable: bool

    @property
    def name(self) -> str:
        return self.raw.decode(errors="surrogateescape")


class _TooCostlyError(Exception):
    """All names of the module take too long to demangle."""


class FileNames:
    """The names in the tables of a file, and of its debug file, whatever process has it mapped.

    low, high: symbols at other addresses of the file are left out.
    """

    def __init__(self, sources: list[Source], low: int, high: int) -> None:
        self.table = _core.ModuleSymbols(sources, low, high)
        #: Names that are cut from longer ones where an offset begins.
        self.cut = self._find_cut(sources)
        #: Of demangled names that mean several addresses: hash(_key()); None before find_shared().
        self.shared: set[int] | None = None
        #: By stem; made after many searches.
        self._stems: dict[str, list[Demangled]] | None = None
        self._asked = 0

    def demangled(self, symbol: str, alive: Callable[[], object]) -> list[Demangled]:
        """Return the symbols of that demangled name. Raises _TooCostlyError."""
        stem = plain(symbol).partition("(")[0]
        self._asked += 1
        if self._asked > _MOST_SEARCHES and _STEM.fullmatch(stem):
            if self._stems is None:
                self._stems = self._find_stems(alive)
            return matching(symbol, self._stems.get(stem, ()))
        return matching(symbol, self._readable(common_word(symbol), alive))

    def find_shared(self, readable: list[str]) -> None:
        """Find the demangled names that several addresses have, from those of all symbols."""
        values: dict[int, int] = {}
        shared: set[int] = set()
        for name, value in zip(readable, self.table.values(), strict=True):
            key = hash(_key(name))
            if values.setdefault(key, value) != value:
                shared.add(key)
        self.shared = shared

    def blocks(
        self, word: str, alive: Callable[[], object], *, whole: bool = True
    ) -> Iterator[tuple[list[int], list[str], list[str]]]:
        """Yield numbers, names and demangled names of the symbols whose name contains a word.

        alive: called for each block; what it raises ends this.
        whole: raise _TooCostlyError where names stay mangled because all would take too long.
        """
        # None for names that share so much memory that looking at each would take too long.
        numbers = self.table.containing(word.encode())
        demangle = demangler(len(self.table))
        for first in range(0, len(numbers), _BLOCK):
            alive()
            block = numbers[first : first + _BLOCK]
            names = self.table.names(block)
            readable = names if demangle is None else demangle.each(names)
            if whole and demangle is not None and demangle.exhausted:
                raise _TooCostlyError
            yield block, names, readable

    def _readable(self, word: str, alive: Callable[[], object]) -> Iterator[Demangled]:
        """Yield the symbols with a demangled name whose mangled one contains a word."""
        for _, names, readable in self.blocks(word, alive):
            for name, each in zip(names, readable, strict=True):
                if each is not name:
                    yield Demangled(name, each)

    def _find_stems(self, alive: Callable[[], object]) -> dict[str, list[Demangled]]:
        """Return the symbols by what stands before the first parenthesis of their names."""
        found: dict[str, list[Demangled]] = {}
        for each in self._readable("", alive):
            found.setdefault(plain(each.demangled).partition("(")[0], []).append(each)
        return found

    def _find_cut(self, sources: list[Source]) -> set[bytes]:
        found = set()
        for sign in (b"+", b"-"):
            if any(sign in source[1] for source in sources):
                for number in self.table.containing(sign):
                    match = _OFFSET.fullmatch(self.table.entry(number)[0])
                    if match is not None:
                        found.add(match[1])
        return found


class ModuleNames:
    """The symbols of one module.

    find is Symbols.find() for the module, and spellings SymbolTable.spellings(). alive raises
    NoTargetError if the process has ended.
    """

    def __init__(
        self,
        image: Image,
        file: FileNames,
        find: Callable[[str], int | None],
        spellings: Callable[[str, int], list[str]],
        alive: Callable[[], object],
    ) -> None:
        self._image = image
        self._file = file
        self._find = find
        self._spellings = spellings
        self._alive = alive
        self.table = file.table
        #: By number of a symbol: how the names begin that name_addresses() makes of it.
        self._texts: list[str | None] = []
        #: All demangled names, while one call of names() lasts.
        self._all_readable: list[str] | None = None
        self._volatile: list[int] = []

    def begin(self) -> tuple[_core.ModuleSymbols, list[str | None]]:
        """Begin a call of names(): return what name_addresses() asks for."""
        if not self._texts:
            self._texts = [None] * len(self.table)
        return self.table, self._texts

    def end(self) -> None:
        """End a call of names(): forget what depends on what the dynamic linker has written."""
        for number in self._volatile:
            self._texts[number] = None
        self._volatile = []
        self._all_readable = None

    def spell(self, label: str, numbers: list[int]) -> list[str]:
        """Return "label!name" for each symbol, or "" where no name leads back to it."""
        entries = [_Entry(*self.table.entry(number)) for number in numbers]
        names = [self._name(*pair) for pair in zip(numbers, entries, strict=True)]
        shown = self._shown(numbers, names)
        return ["" if name is None else f"{label}!{name}" for name in shown]

    def demangled(self, symbol: str) -> list[Demangled] | None:
        """Return the symbols of that demangled name: Symbols.demangled()."""
        if demangler() is None:
            return None
        try:
            return self._file.demangled(symbol, self._alive)
        except not_from_handler(_TooCostlyError):
            raise AddressError(
                f"demangling the names of {self._image.name} ({self._image.path}) takes too long: "
                "give the mangled name, as nm prints it, or module+offset"
            ) from None

    def symbols(self, pattern: Pattern, kind: str | None) -> Iterator[Symbol]:
        """Yield the symbols that match a pattern: Symbols.symbols()."""
        seen: set[tuple[bytes, int]] = set()
        word = common_part(pattern.text)
        for numbers, names, readable in self._file.blocks(word, self._alive, whole=False):
            hits = pattern.matching(readable)
            if readable is not names:
                hits = sorted({*hits, *pattern.matching(names)})
            for i in hits:
                entry = _Entry(*self.table.entry(numbers[i]))
                if not entry.has_place or kind not in (None, _KINDS.get(entry.kind, "untyped")):
                    continue
                # .dynsym repeats entries of .symtab.
                if (entry.raw, entry.value) not in seen:
                    seen.add((entry.raw, entry.value))
                    yield self._symbol(entry, names[i], readable[i])

    def _symbol(self, entry: _Entry, name: str, readable: str) -> Symbol:
        address = (entry.value + self._image.bias) % 2**64
        if entry.versioned and entry.use != _ALONE:
            spellings = (name, *self._spellings(name, entry.value))
            found = next((each for each in spellings if self._leads(each) == address), name)
            name, readable = found, readable if readable is not name else found
        if entry.replaceable and not self._image.program:
            address = self._leads(name) or address
        kind = _KINDS.get(entry.kind, "untyped")
        return Symbol(name, readable, self._image.name, address, entry.size, kind)

    def _leads(self, name: str) -> int | None:
        try:
            return self._find(name)
        except not_from_handler(AddressError):
            return None

    def _name(self, number: int, entry: _Entry) -> str | None:
        """Return a name in the module that leads to the symbol."""
        volatile = entry.replaceable and not self._image.program
        if volatile:
            self._volatile.append(number)
        if entry.raw in self._file.cut:
            return None
        if entry.use == _ALONE and not volatile:
            return entry.name
        address = (entry.value + self._image.bias) % 2**64
        if entry.use == _ALONE:
            return entry.name if self._leads(entry.name) == address else None
        if entry.use == _VERSION:
            for name in (entry.name, *self._spellings(entry.name, entry.value)):
                if self._leads(name) == address:
                    return name
        return None

    def _shown(self, numbers: list[int], names: list[str | None]) -> list[str | None]:
        """Return demangled names, where these lead back to their symbols, too."""
        demangle = demangler(len(names))
        mangled = [
            i for i, name in enumerate(names) if name is not None and name.startswith(MANGLED)
        ]
        if demangle is None or not mangled:
            return names
        if len(mangled) >= _MANY and self._file.shared is None:
            try:
                self._all_readable = [
                    each
                    for _, _, readable in self._file.blocks("", self._alive)
                    for each in readable
                ]
                self._file.find_shared(self._all_readable)
            except not_from_handler(_TooCostlyError):
                return names
        shown = list(names)
        for i in mangled:
            name = names[i]
            assert name is not None
            known = self._all_readable
            readable = demangle(name) if known is None else known[numbers[i]]
            if readable != name and not self._is_shared(name, readable):
                shown[i] = readable
        return shown

    def _is_shared(self, name: str, readable: str) -> bool:
        """Return whether the demangled form of a name means several addresses, or a plain name."""
        if self._file.shared is not None:
            return hash(_key(readable)) in self._file.shared
        try:
            values = {self.table.entry(number)[1] for number in self._meant(name, readable)}
        except not_from_handler(_TooCostlyError):
            return True
        return len(values) != 1 or self._has_plain(readable)

    def _meant(self, name: str, readable: str) -> Iterator[int]:
        """Yield the numbers of the symbols with the demangled form of a name."""
        wanted = plain(readable)
        word = common_word(readable)
        # Mangled names have each identifier behind its length, which tells it from longer ones.
        mangled = f"{len(word)}{word}"
        for numbers, _, names in self._file.blocks(
            mangled if word and mangled in name else word, self._alive
        ):
            for number, each in zip(numbers, names, strict=True):
                if plain(each) == wanted:
                    yield number

    def _has_plain(self, readable: str) -> bool:
        try:
            return self._find(readable) is not None
        except not_from_handler(AddressError):
            return True


def _key(name: str) -> str:
    """Return the same text for names that plain() makes equal; more quickly than that."""
    if "std::basic_string<" in name or "(nullptr)" in name:
        name = plain(name)
    return name.replace(" ", "")
