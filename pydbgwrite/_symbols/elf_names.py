"""Names of addresses in one module of a Linux process, and its symbols by pattern.

A name is only given if it leads back: "module!name" is the address of the symbol, and no other. So
a name that several symbols have is not used, nor one that leads to another module's variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from pydbgwrite import _core
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.demangle import MANGLED, demangler
from pydbgwrite._symbols.model import Demangled, Symbol
from pydbgwrite._symbols.signatures import common_part, common_word, matching, plain
from pydbgwrite.errors import AddressError

if TYPE_CHECKING:
    from pydbgwrite._symbols.elf_tables import Source
    from pydbgwrite._symbols.linux_maps import Image

__all__ = ["ModuleNames"]

_KINDS: Final = {1: "data", 2: "function", 5: "data", 10: "ifunc"}
_ALONE, _VERSION = 0, 1
#: From so many symbols on, all names of the module are demangled to see which are the only ones.
_MANY: Final = 40
_MOST_SEARCHES: Final = 100
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


class ModuleNames:
    """The symbols of one module.

    find is Symbols.find() for the module, and spellings SymbolTable.spellings().
    """

    def __init__(
        self,
        image: Image,
        sources: list[Source],
        find: Callable[[str], int | None],
        spellings: Callable[[str, int], list[str]],
    ) -> None:
        self._image = image
        self._find = find
        self._spellings = spellings
        low = (image.base - image.bias) % 2**64
        self.table = _core.ModuleSymbols(sources, low, min(low + image.size, 2**64 - 1))
        self._demangle = demangler()
        #: Names that are cut from longer ones where an offset begins.
        self._cut = self._find_cut(sources)
        #: Of demangled names that mean several addresses: hash(_key()).
        self._shared: set[int] | None = None
        #: By stem; made after many searches.
        self._stems: dict[str, list[Demangled]] | None = None
        self._asked = 0
        #: All demangled names, while one call of names() lasts.
        self._all_readable: list[str] | None = None
        self._volatile: list[int] = []

    def end(self) -> None:
        """End a call of names(): forget what depends on what the dynamic linker has written."""
        self.table.forget(self._volatile)
        self._volatile = []
        self._all_readable = None

    def texts(self, label: str, numbers: list[int]) -> list[str | None]:
        """Return "label!name" for each symbol, or None where no name leads back to it."""
        entries = [_Entry(*self.table.entry(number)) for number in numbers]
        names = [self._name(*pair) for pair in zip(numbers, entries, strict=True)]
        shown = self._shown(numbers, names)
        return [None if name is None else f"{label}!{name}" for name in shown]

    def demangled(self, symbol: str) -> list[Demangled] | None:
        """Return the symbols of that demangled name: Symbols.demangled()."""
        if self._demangle is None:
            return None
        stem = plain(symbol).partition("(")[0]
        self._asked += 1
        if self._asked > _MOST_SEARCHES and _STEM.fullmatch(stem):
            if self._stems is None:
                self._stems = self._find_stems()
            return matching(symbol, self._stems.get(stem, ()))
        return matching(symbol, self._readable(common_word(symbol)))

    def _readable(self, word: str) -> Iterator[Demangled]:
        """Yield the symbols with a demangled name whose mangled one contains a word."""
        for _, name, readable in self._named(word):
            if readable is not name:
                yield Demangled(name, readable)

    def _find_stems(self) -> dict[str, list[Demangled]]:
        """Return the symbols by what stands before the first parenthesis of their names."""
        found: dict[str, list[Demangled]] = {}
        for each in self._readable(""):
            found.setdefault(plain(each.demangled).partition("(")[0], []).append(each)
        return found

    def symbols(self, pattern: str, kind: str | None) -> Iterator[Symbol]:
        """Yield the symbols that match a pattern: Symbols.symbols()."""
        import fnmatch

        matches = re.compile(fnmatch.translate(pattern)).match
        seen: set[tuple[bytes, int]] = set()
        for number, name, readable in self._named(common_part(pattern)):
            if not (matches(name) or (readable is not name and matches(readable))):
                continue
            entry = _Entry(*self.table.entry(number))
            if not entry.has_place or kind not in (None, _KINDS.get(entry.kind, "untyped")):
                continue
            # .dynsym repeats entries of .symtab.
            if (entry.raw, entry.value) not in seen:
                seen.add((entry.raw, entry.value))
                yield self._symbol(entry, name, readable)

    def _named(self, word: str) -> Iterator[tuple[int, str, str]]:
        """Yield number, name and demangled name of the symbols whose name contains a word."""
        numbers: Iterable[int]
        if not word:
            numbers = range(len(self.table))
            names = self.table.names()
        else:
            numbers = self.table.containing(word.encode())
            names = [_Entry(*self.table.entry(number)).name for number in numbers]
        demangle = self._demangle
        for number, name in zip(numbers, names, strict=True):
            if "@" in name and name[0] != "@":
                name = name.partition("@")[0]
            yield number, name, name if demangle is None else demangle(name)

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
        if entry.raw in self._cut:
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
        demangle = self._demangle
        mangled = [
            i for i, name in enumerate(names) if name is not None and name.startswith(MANGLED)
        ]
        if demangle is None or not mangled:
            return names
        if len(mangled) >= _MANY and self._shared is None:
            self._all_readable = [readable for _, _, readable in self._named("")]
            self._shared = self._find_shared(self._all_readable)
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
        if self._shared is not None:
            return hash(_key(readable)) in self._shared
        values = {self.table.entry(number)[1] for number in self._meant(name, readable)}
        return len(values) != 1 or self._has_plain(readable)

    def _meant(self, name: str, readable: str) -> Iterator[int]:
        """Yield the numbers of the symbols with the demangled form of a name."""
        wanted = plain(readable)
        word = common_word(readable)
        # Mangled names have each identifier behind its length, which tells it from longer ones.
        mangled = f"{len(word)}{word}"
        for number, _, each in self._named(mangled if word and mangled in name else word):
            if plain(each) == wanted:
                yield number

    def _has_plain(self, readable: str) -> bool:
        try:
            return self._find(readable) is not None
        except not_from_handler(AddressError):
            return True

    def _find_shared(self, names: list[str]) -> set[int]:
        """Return the hashes of the demangled names that several addresses have."""
        values: dict[int, int] = {}
        shared: set[int] = set()
        for readable, value in zip(names, self.table.values(), strict=True):
            key = hash(_key(readable))
            if values.setdefault(key, value) != value:
                shared.add(key)
        return shared

    def _find_cut(self, sources: list[Source]) -> set[bytes]:
        found = set()
        for sign in (b"+", b"-"):
            if any(sign in source[1] for source in sources):
                for number in self.table.containing(sign):
                    match = _OFFSET.fullmatch(self.table.entry(number)[0])
                    if match is not None:
                        found.add(match[1])
        return found


def _key(name: str) -> str:
    """Return the same text for names that plain() makes equal; more quickly than that."""
    if "std::basic_string<" in name or "(nullptr)" in name:
        name = plain(name)
    return name.replace(" ", "")
