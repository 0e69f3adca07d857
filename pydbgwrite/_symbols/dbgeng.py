"""Symbols from dbgeng (IDebugSymbols3), by the symbol path that it was started with.

C++ names are taken as they are in the module, so that overloads are told apart, and undecorated
here. Only where the engine is another package's or another machine's, its option SYMOPT_UNDNAME
stays as it is: names are without parameters then, and those that several symbols have are refused.
"""

from __future__ import annotations

import operator
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from pydbgwrite import hresults
from pydbgwrite._core import name_addresses
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.dbgeng_modules import modules_of_engine
from pydbgwrite._symbols.dbgeng_names import MANY, NO_SYMBOL, ModuleNames, Range
from pydbgwrite._symbols.model import Demangled, Import, KnownModule, Symbol
from pydbgwrite._symbols.patterns import Pattern
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
#: A name that the arguments of .reload take as it is.
_PLAIN_FILE: Final = re.compile(r"\w[\w.-]*", re.ASCII)
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
        self._tables: dict[int, ModuleNames] = {}
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
        if not self._names[module.base]:
            return None  # the engine did not take the module into its list
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
        if not self._names[module.base] or len(name) > _LONGEST:
            return False
        if any(wildcard in symbol for wildcard in _WILDCARDS):
            return bool(self._places(module, symbol, name))
        return self._session._symbol_address(name)[0] in (_S_OK, _S_FALSE)

    def demangled(self, module: KnownModule, symbol: str) -> list[Demangled] | None:
        """Return the C++ symbols of that name, with these parameters or any if it has none."""
        return self._of(module).demangled(symbol)

    def region(self, name: str) -> int | None:
        """Return None: heaps of Windows have no name."""
        return None

    def fault(self, module: KnownModule) -> str | None:
        """Return None: only the engine knows where its symbols come from."""
        return None

    def stripped(self, module: KnownModule) -> bool:
        """Return False: only the engine knows where its symbols come from."""
        return False

    def like(self, module: KnownModule, symbol: str) -> Iterable[str]:
        """Return all names that the engine lists."""
        if not self._names[module.base]:
            return
        pattern = f"{self._names[module.base]}!*"
        for name, _address in self._session._match_symbols(pattern, _MOST):
            yield name.partition("!")[2]

    def names(self, addresses: _Addresses) -> list[str]:
        """Return the name of each address, by IDebugSymbols3::GetNameByOffsetWide."""
        modules = self.modules()
        labels = [self._label(module, modules) for module in modules]
        addresses, numbers = _numbers(addresses)
        ordered = sorted(set(numbers))
        ranges: list[Range] = []
        named: dict[int, str] = {}
        for module, label in zip(modules, labels, strict=True):
            base, end = module.base, module.base + self._sizes[module.base]
            first, last = bisect_left(ordered, base), bisect_left(ordered, end)
            if last - first >= MANY and (parts := self._of(module).ranges(label)) is not None:
                ranges += parts
            elif last > first:
                ranges.append((base, end, base, 0, label, NO_SYMBOL))
                few = self._of(module).names(ordered[first:last])
                named |= {address: f"{label}!{name}" for address, name in few}
        # It sees whether these were addresses.
        names = name_addresses(addresses, ranges, lambda number: None, lambda *_: [])
        if not named:
            return names
        return [named.get(at, name) for at, name in zip(numbers, names, strict=True)]

    def _label(self, module: KnownModule, modules: list[KnownModule]) -> str:
        """Return the module's name, or what tells it from others of that name."""
        for name in (module.name, module.path):
            key = self.key(name)
            named = [each for each in modules if key in (self.key(each.name), self.key(each.path))]
            own = [each for each in named if not each.of_system] or named
            if name and own == [module]:
                return name
        return f"0x{module.base:x}"

    def symbols(
        self, pattern: str, modules: list[KnownModule], kind: str | None
    ) -> Iterable[Symbol]:
        """Yield the symbols that match a shell-style pattern: Session.symbols()."""
        wanted = Pattern(pattern)
        for module in modules:
            yield from self._of(module).symbols(wanted, kind)

    def _of(self, module: KnownModule) -> ModuleNames:
        size, engine_name = self._sizes[module.base], self._names[module.base]
        known = self._tables.get(module.base)
        if known is None or (known.module, known.size, known.engine_name) != (
            module,
            size,
            engine_name,
        ):
            find = partial(self.find, module)
            known = ModuleNames(self._session, module, size, engine_name, find)
            self._tables[module.base] = known
        return known

    def imports(self, module: KnownModule) -> list[Import]:
        """Return the slots of the module's import tables, which are in the target's memory."""
        from pydbgwrite._symbols.imports_pe import imports_of_pe

        return imports_of_pe(self._session, module)


def _numbers(addresses: _Addresses) -> tuple[_Addresses, array[int]]:
    """Return addresses so that they can be read twice, and as numbers; none if they are faulty."""
    try:
        whole = memoryview(addresses).tobytes()  # type: ignore[arg-type]
    except not_from_handler(TypeError):
        addresses = list(addresses)  # type: ignore[arg-type]
        try:
            return addresses, array("Q", map(operator.index, addresses))
        except not_from_handler(TypeError, OverflowError):
            return addresses, array("Q")
    return addresses, array("Q", whole[: len(whole) & ~7])
