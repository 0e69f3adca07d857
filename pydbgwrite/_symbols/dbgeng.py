"""Symbols from dbgeng (IDebugSymbols3), by the symbol path that it was started with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from pydbgwrite import hresults
from pydbgwrite._core import name_addresses
from pydbgwrite._symbols.model import Demangled, Import, KnownModule, Symbol
from pydbgwrite.errors import AddressError

if TYPE_CHECKING:
    from pydbgwrite._symbols.model import Addresses
    from pydbgwrite._target import Target

__all__ = ["DbgengSymbols"]

# "String Wildcard Syntax" of the Windows Debugger's documentation; a name can contain them
# (C++: "?name@@YAXXZ"), and GetOffsetByName takes them for wildcards. It takes "a!b!name" for
# "b!name", too (docs/engine.md).
_WILDCARDS: Final = "*?#[]+\\!"
_ANY_ONE: Final = str.maketrans(dict.fromkeys(_WILDCARDS, "?"))
_S_OK, _S_FALSE, _E_FAIL, _E_NOINTERFACE = 0, 1, 0x80004005, 0x80004002
_MOST: Final = 20_000
#: Of "module!symbol": from 2,011 characters on the engine answers S_OK with any address
#: (docs/engine.md).
_LONGEST: Final = 1_900


class DbgengSymbols:
    """Modules by file name with or without its extension, by path, and by the engine's name.

    Case does not matter. The engine finds the symbols: those of a program database on its symbol
    path, else the module's exports.
    """

    def __init__(self, session: Target) -> None:
        self._session = session
        #: By base: the engine's name of the module, and its size.
        self._names: dict[int, str] = {}
        self._sizes: dict[int, int] = {}

    def modules(self) -> list[KnownModule]:
        """IDebugSymbols::GetModuleByIndex and others."""
        found = []
        for base, size, path, engine_name, _timestamp in sorted(self._session._list_modules()):
            name = path.replace("/", "\\").rpartition("\\")[2]
            stem = name.rpartition(".")[0]
            short = tuple(each for each in (stem, engine_name) if each)
            found.append(KnownModule(name, base, path, short, name.lower().endswith(".exe")))
            self._names[base] = engine_name
            self._sizes[base] = size
        return found

    def key(self, name: str) -> str:
        """Fold case and slashes, which Windows' file names do not distinguish."""
        return name.replace("/", "\\").lower()

    def find(self, module: KnownModule, symbol: str) -> int | None:
        """IDebugSymbols3::GetOffsetByNameWide, or a search where the name has wildcards."""
        name = f"{self._names[module.base]}!{symbol}"
        if len(name) > _LONGEST:
            raise AddressError(
                f"the engine answers wrongly for symbol names of {len(symbol):,} characters; give "
                f"an address in {module.name} as module+offset"
            )
        status, address = _E_FAIL, 0
        if not any(wildcard in symbol for wildcard in _WILDCARDS):
            status, address = self._session._symbol_address(name)
        if status == _E_NOINTERFACE:
            raise AddressError("this engine has no symbols (no IDebugSymbols3): give module+offset")
        if status not in (_S_OK, _S_FALSE, _E_FAIL):
            raise AddressError(
                f"the engine could not look for {name!r}: GetOffsetByName failed "
                f"({hresults.describe(status)})"
            )
        if status != _S_OK:
            found = self._search(module, symbol, name, ambiguous=status == _S_FALSE)
            if found is None:
                return None
            address = found
        if not 0 <= address - module.base < self._sizes[module.base]:
            raise AddressError(
                f"{module.name}!{symbol} is 0x{address:x}, which does not lie in the module"
            )
        return address

    def _search(
        self, module: KnownModule, symbol: str, name: str, *, ambiguous: bool
    ) -> int | None:
        """Search the names that match the wildcards for the exact name."""
        places = self._places(module, symbol, name)
        if len(places) > 1 or (ambiguous and not places):
            listed = ", ".join(f"{module.name}+0x{at - module.base:x}" for at in places[:8])
            raise AddressError(
                f"{module.name} has several symbols {symbol!r}"
                + (f": {listed}; give the one you mean in that form" if listed else "")
            )
        return places[0] if places else None

    def _places(self, module: KnownModule, symbol: str, name: str) -> list[int]:
        """Return the addresses of exactly that name, or else of that name in another case."""
        pattern = f"{self._names[module.base]}!{symbol.translate(_ANY_ONE)}"
        matches = self._session._match_symbols(pattern, _MOST)
        wanted = name.lower()
        return sorted({at for found, at in matches if found == name}) or sorted(
            {at for found, at in matches if found.lower() == wanted}
        )

    def has(self, module: KnownModule, symbol: str) -> bool:
        """Return whether the engine finds it, once or several times."""
        name = f"{self._names[module.base]}!{symbol}"
        if len(name) > _LONGEST:
            return False
        if any(wildcard in symbol for wildcard in _WILDCARDS):
            return bool(self._places(module, symbol, name))
        return self._session._symbol_address(name)[0] in (_S_OK, _S_FALSE)

    def demangled(self, module: KnownModule, symbol: str) -> list[Demangled] | None:
        """Return none: the engine's own names are demangled."""
        return []

    def region(self, name: str) -> int | None:
        """Return None: heaps of Windows have no name."""
        return None

    def stripped(self, module: KnownModule) -> bool:
        """Return False: only the engine knows where its symbols come from."""
        return False

    def like(self, module: KnownModule, symbol: str) -> Iterable[str]:
        """Return all names that the engine lists."""
        pattern = f"{self._names[module.base]}!*"
        for name, _address in self._session._match_symbols(pattern, _MOST):
            yield name.partition("!")[2]

    def names(self, addresses: Addresses) -> list[str]:
        """Return module and offset for each address."""
        modules = self.modules()
        ranges = [
            (each.base, each.base + self._sizes[each.base], each.base, 0, each.name, -1)
            for each in modules
        ]
        return name_addresses(addresses, ranges, lambda number: None, lambda number, numbers: [])

    def symbols(
        self, pattern: str, modules: list[KnownModule], kind: str | None
    ) -> Iterable[Symbol]:
        """Return none yet."""
        return []

    def imports(self, module: KnownModule) -> list[Import]:
        """Return the slots of the module's import tables, which are in the target's memory."""
        from pydbgwrite._symbols.imports_pe import imports_of_pe

        return imports_of_pe(self._session, module)
