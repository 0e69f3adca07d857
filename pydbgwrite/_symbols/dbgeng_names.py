"""Names of addresses in one module of a dbgeng target, and its symbols by pattern.

The engine names an address by the last symbol before it (GetNameByOffsetWide). Here such a name is
given only if the address lies in the symbol's section, and if resolve() leads back to the symbol.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.demangle import demangler
from pydbgwrite._symbols.model import Demangled, KnownModule, Symbol
from pydbgwrite._symbols.patterns import Pattern
from pydbgwrite._symbols.pe_sections import Section, sections_of_pe
from pydbgwrite._symbols.signatures import common_word, matching, plain
from pydbgwrite.errors import AddressError

if TYPE_CHECKING:
    from pydbgwrite._target import Target

__all__ = ["DECORATED", "IS_SYMBOL", "MANY", "NO_SYMBOL", "ModuleNames", "Range"]

#: What _core.name_addresses() takes.
Range: TypeAlias = tuple[int, int, int, int, str, int]
NO_SYMBOL: Final = -1
IS_SYMBOL: Final = -2

#: How names that Microsoft's compiler decorates begin ("Decorated Names", learn.microsoft.com).
DECORATED: Final = "?"
#: What only undecorated names spell out: kinds of types, Microsoft's keywords, and special names,
#: which stand in quotation marks ("Decorated Names").
_NOT_DECORATED: Final = re.compile(r"\b(?:class|struct|union|enum|__\w+)\b|`.*", re.DOTALL)
#: The most symbols of a module that are listed.
_MOST: Final = 1_000_000
#: For so many addresses in a module all its symbols are named, which takes some 20 microseconds
#: each; else each address is, which takes some 200 microseconds.
MANY: Final = 40
#: Names that are asked for in one call: some 20 ms between two checks for Ctrl-C.
_BATCH: Final = 4096
#: What resolve() takes for a symbol and an offset.
_OFFSET: Final = re.compile(r"(.+)[+-]0x[0-9a-f]+", re.DOTALL)


class ModuleNames:
    """The symbols of one module.

    engine_name is what they go by in the engine, and find Symbols.find() for the module.
    """

    def __init__(
        self,
        session: Target,
        module: KnownModule,
        size: int,
        engine_name: str,
        find: Callable[[str], int | None],
    ) -> None:
        self.module = module
        self.size = size
        self.engine_name = engine_name
        self._session = session
        self._find = find
        self._prefix = f"{engine_name}!"
        self._demangle = demangler(_MOST)
        #: Demangled names by the others.
        self._forms: dict[str, str] = {}
        #: By start of a symbol: its name as it can be given, or None.
        self._spelled: dict[int, str | None] = {}
        self._listed: list[tuple[int, str]] | None = None
        self._starts: list[int] = []
        self._ranges: tuple[str, list[Range]] | None = None
        self._by_name: dict[str, list[int]] = {}
        self._readable: dict[str, set[int]] | None = None
        self._cut: set[str] | None = None
        self._sections: list[Section] | None = None

    def names(self, addresses: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Yield those of the addresses that have a name, each with "name" or "name+0x12"."""
        found = [start for start, _name in self._ask(addresses)]
        self._spell(sorted({start for start in found if start} - self._spelled.keys()))
        for address, start in zip(addresses, found, strict=True):
            name = self._spelled.get(start)
            if name is not None and start <= address < self._end(start, name):
                behind = address - start
                yield address, name + (f"+0x{behind:x}" if behind else "")

    def ranges(self, label: str) -> list[Range] | None:
        """Return the named parts of the module, in order, and between them its other parts.

        None if it has too many symbols.
        """
        if not self._list():
            return None
        if self._ranges is None or self._ranges[0] != label:
            self._ranges = (label, list(self._named_parts(label)))
        return self._ranges[1]

    def _named_parts(self, label: str) -> Iterator[Range]:
        base, end = self.module.base, self.module.base + self.size
        self._spell([start for start in self._starts if start not in self._spelled])
        at = base
        for start, following in pairwise([*self._starts, end]):
            name = self._spelled[start]
            if name is not None:
                if at < start:
                    yield at, start, base, 0, label, NO_SYMBOL
                at = min(following, self._end(start, name))
                yield start, at, start, 0, f"{label}!{name}", IS_SYMBOL
        if at < end:
            yield at, end, base, 0, label, NO_SYMBOL

    def symbols(self, pattern: Pattern, kind: str | None) -> Iterator[Symbol]:
        """Yield the symbols that match a pattern, by address: Symbols.symbols()."""
        for address, name in self.listed():
            readable = self.readable(name)
            if pattern.matches(name) or (readable != name and pattern.matches(readable)):
                of_kind = self._kind(address)
                if kind in (None, of_kind):
                    yield Symbol(name, readable, self.module.name, address, 0, of_kind)

    def demangled(self, symbol: str) -> list[Demangled]:
        """Return the symbols of that demangled name: Symbols.demangled()."""
        known = (Demangled(name, self.readable(name)) for name in self._candidates(symbol))
        wanted = symbol.replace("(void)", "()")
        return matching(wanted, (each for each in known if each.name != each.demangled))

    def _candidates(self, symbol: str) -> list[str]:
        """Return the names that can have that demangled form.

        Those with its longest word, if all names are not known yet: another machine's engine needs
        a second for all names of one library.
        """
        word = common_word(_NOT_DECORATED.sub("", symbol))
        if self._listed is None and self.engine_name and word:
            matches = self._session._match_symbols(f"{self._prefix}*{word}*", _MOST + 1)
            if len(matches) <= _MOST:
                return [name.removeprefix(self._prefix) for name, _address in self._own(matches)]
        return [name for _address, name in self.listed()] if self._list() else []

    def readable(self, name: str) -> str:
        """Return the demangled form of a name, or the name."""
        found = self._forms.get(name)
        if found is None:
            found = self._forms[name] = self._form(name)
        return found

    def _form(self, name: str) -> str:
        if not name.startswith(DECORATED):
            return name if self._demangle is None else self._demangle(name)
        whole, short = (each.strip() for each in self._session._undecorate(name))
        if not short:
            return name
        if whole.startswith(f"{short}("):
            return whole.replace("(void)", "()").replace(")const", ") const")
        # Before a variable stands its type, before a vtable "const".
        whole = whole.removeprefix("const ")
        return whole if whole.startswith(short) else short

    def listed(self) -> list[tuple[int, str]]:
        """Return address and name of all symbols, by address. AddressError: they are too many."""
        if not self._list() or self._listed is None:
            raise AddressError(f"{self.module.name} has more than {_MOST:,} symbols")
        return self._listed

    def _list(self) -> bool:
        """List all symbols; return whether there are few enough."""
        if self._listed is None and not self.engine_name:
            self._listed = []
        elif self._listed is None:
            matches = self._session._match_symbols(f"{self._prefix}*", _MOST + 1)
            if len(matches) > _MOST:
                return False
            self._listed = sorted(
                (address, name.removeprefix(self._prefix)) for name, address in self._own(matches)
            )
            self._starts = sorted({address for address, _name in self._listed})
            for address, name in self._listed:
                self._by_name.setdefault(name.lower(), []).append(address)
        return True

    def _own(self, matches: list[tuple[str, int]]) -> Iterator[tuple[str, int]]:
        """Return those that lie in the module."""
        base = self.module.base
        return (each for each in matches if 0 <= each[1] - base < self.size)

    def _ask(self, addresses: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Yield start and name of the symbol that the engine names each address by; 0 for none."""
        for first in range(0, len(addresses), _BATCH):
            batch = array("Q", addresses[first : first + _BATCH])
            answers = self._session._symbol_names(batch.tobytes())
            for at, answer in zip(batch, answers or [None] * len(batch), strict=True):
                name, behind = answer or ("", 0)
                start = at - behind
                if name.startswith(self._prefix) and self.module.base <= start:
                    yield start, name.removeprefix(self._prefix)
                else:
                    yield 0, ""

    def _spell(self, starts: list[int]) -> None:
        """Find the names of symbols as they can be given, by their first addresses."""
        for start, (found, name) in zip(starts, self._ask(starts), strict=True):
            self._spelled[start] = self._given(name, start) if found == start else None

    def _given(self, name: str, start: int) -> str | None:
        """Return the demangled name or the name, whichever leads back to the symbol."""
        if not self._leads_back(name, start):
            return None
        readable = self.readable(name)
        if readable == name or not _is_plain(readable) or not self._list():
            return name
        if self._readable is None:
            self._readable = {}
            for address, each in self.listed():
                self._readable.setdefault(plain(self.readable(each)), set()).add(address)
        return readable if self._readable.get(plain(readable)) == {start} else name

    def _leads_back(self, name: str, start: int) -> bool:
        """Return whether resolve() finds the symbol, and no other, by its name."""
        if not _is_plain(name):
            return False
        if self._listed is not None and name.isascii():
            places = set(self._by_name.get(name.lower(), ()))
            if len(places) == 1:
                return places == {start}
        try:
            return self._find(name) == start
        except not_from_handler(AddressError):
            return False

    def _names_with_offset(self) -> set[str]:
        """Return the symbols of which another one's name is that name with an offset."""
        if self._cut is None:
            pattern = f"{self._prefix}*?0x*"  # the engine has '+' for a wildcard
            names = (
                name.removeprefix(self._prefix)
                for name, _address in self._session._match_symbols(pattern, _MOST)
            )
            self._cut = {found[1] for name in names if (found := _OFFSET.fullmatch(name))}
        return self._cut

    def _section(self, address: int) -> Section | None:
        if self._sections is None:
            self._sections = sections_of_pe(self._session, self.module.base)
        for section in self._sections:
            if section.start <= address < section.end:
                return section
        return None

    def _end(self, start: int, name: str) -> int:
        """Return the end of what a symbol can name: of its section, as far as that is known."""
        if name in self._names_with_offset():
            return start + 1
        section = self._section(start)
        if section is not None:
            return section.end
        return start + 1 if self._sections else self.module.base + self.size

    def _kind(self, address: int) -> str:
        section = self._section(address)
        if section is None:
            return "untyped"
        return "function" if section.is_code else "data"


def _is_plain(name: str) -> bool:
    """Return whether resolve() takes a name as it is."""
    return name.isprintable() and name == name.strip() != "" and name[-1] not in "!:"
