"""Symbols from dbgeng (IDebugSymbols3), by the symbol path that it was started with.

C++ names are taken as they are in the module, so that overloads are told apart, and undecorated
here. Only where the engine is another package's or another machine's, its option SYMOPT_UNDNAME
stays as it is: names are without parameters then, and those that several symbols have are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from pydbgwrite import hresults
from pydbgwrite._core import name_addresses
from pydbgwrite._symbols.dbgeng_modules import modules_of_engine
from pydbgwrite._symbols.model import Demangled, Import, KnownModule, Symbol
from pydbgwrite.errors import AddressError

if TYPE_CHECKING:
    from pydbgwrite._symbols.model import _Addresses
    from pydbgwrite._target import Target

__all__ = ["DbgengSymbols"]

# "String Wildcard Syntax" of the Windows Debugger's documentation; a name can contain them
# (C++: "?name@@YAXXZ"), and GetOffsetByName takes them for wildcards. It takes "a!b!name" for
# "b!name", too (docs/engine.md).
_WILDCARDS: Final = "*?#[]+\\!"
_ANY_ONE: Final = str.maketrans(dict.fromkeys(_WILDCARDS, "?"))
_S_OK, _S_FALSE, _E_FAIL, _E_NOINTERFACE = 0, 1, 0x80004005, 0x80004002
_MOST: Final = 20_000
_MOST_LISTED: Final = 1_000_000
#: A name that the arguments of .reload take as it is.
_PLAIN_FILE: Final = re.compile(r"\w[\w.-]*", re.ASCII)
#: How names that Microsoft's compiler decorates begin ("Decorated names", learn.microsoft.com).
_DECORATED: Final = "?"
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
        #: By base: all symbols of the module.
        self._listed: dict[int, list[tuple[str, int]]] = {}
        #: By base: the C++ symbols of the module by undecorated name without blanks.
        self._undecorated: dict[int, dict[str, list[Demangled]]] = {}
        if not session._wrapped and session.target != "remote":
            session._keep_decoration()

    def modules(self) -> list[KnownModule]:
        """IDebugSymbols::GetModuleByIndex and others. The engine lists all of them afterwards."""
        found = []
        modules = modules_of_engine(self._session)
        missing = [each for each in modules if not each.engine_name]
        for each in missing:
            name = each.name if _PLAIN_FILE.fullmatch(each.name) else f"module_{each.base:x}.dll"
            self._session._load_module(name, each.base, each.size)
        if missing:
            modules = modules_of_engine(self._session)
        for each in modules:
            stem = each.name.rpartition(".")[0]
            short = tuple(name for name in (stem, each.engine_name) if name)
            is_program = each.name.lower().endswith(".exe")
            found.append(
                KnownModule(each.name, each.base, each.path, short, is_program, each.of_system)
            )
            self._names[each.base] = each.engine_name
            self._sizes[each.base] = each.size
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
        """Return the C++ symbols of that name, with these parameters or any if it has none."""
        return self._cpp(module).get(_key(symbol), [])

    def _cpp(self, module: KnownModule) -> dict[str, list[Demangled]]:
        """Return the module's C++ symbols by each of their undecorated names."""
        found = self._undecorated.get(module.base)
        if found is None:
            found = self._undecorated[module.base] = {}
            for name, _address in self.listed(module):
                if name.startswith(_DECORATED):
                    whole, short = self.undecorate(name)
                    keys = {_key(short), _key(whole), _key(whole.replace("(void)", "()"))}
                    for key in keys:
                        found.setdefault(key, []).append(Demangled(name, whole))
        return found

    def undecorate(self, name: str) -> tuple[str, str]:
        """Return a C++ name with its parameters, if it has any, and without."""
        if not name.startswith(_DECORATED):
            return name, name
        whole, short = (each.strip() for each in self._session._undecorate(name))
        if not short:
            return name, name
        # Of a variable the whole text begins with its type, of a vtable with "const".
        if not whole.startswith(f"{short}("):
            whole = whole.removeprefix("const ")
        return (whole if whole.startswith(short) else short), short

    def listed(self, module: KnownModule) -> list[tuple[str, int]]:
        """Return all symbols of a module, with their addresses, as the engine lists them."""
        found = self._listed.get(module.base)
        if found is None:
            prefix = f"{self._names[module.base]}!"
            matches = self._session._match_symbols(f"{prefix}*", _MOST_LISTED + 1)
            if len(matches) > _MOST_LISTED:
                raise AddressError(f"{module.name} has more than {_MOST_LISTED:,} symbols")
            found = [
                (name.removeprefix(prefix), address)
                for name, address in matches
                if 0 <= address - module.base < self._sizes[module.base]
            ]
            self._listed[module.base] = found
        return found

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

    def names(self, addresses: _Addresses) -> list[str]:
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


def _key(name: str) -> str:
    """Return a C++ name without blanks, which are written in several ways."""
    return "".join(name.split())
