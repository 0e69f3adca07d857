"""Symbols by a genuine engine: IDebugSymbols3, with the symbol path that it was started with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from pydbgwrite import hresults
from pydbgwrite._resolving import KnownModule
from pydbgwrite.errors import AddressError

if TYPE_CHECKING:
    from pydbgwrite._session import Session

__all__ = ["GenuineSymbols"]

# "String Wildcard Syntax" of the Windows Debugger's documentation; a name may hold them itself
# (C++: "?name@@YAXXZ"), and GetOffsetByName takes them for wildcards (seen on 10.0.15063).
_WILDCARDS: Final = "*?#[]+\\"
_ANY_ONE: Final = str.maketrans(dict.fromkeys(_WILDCARDS, "?"))
_S_OK, _S_FALSE, _E_FAIL, _E_NOINTERFACE = 0, 1, 0x80004005, 0x80004002
_MOST: Final = 20_000


class GenuineSymbols:
    """Modules by file name with or without its extension, by path, and by the engine's name.

    Case does not matter. What symbols there are is for the engine to know: those of a program
    database that its symbol path leads to, else the module's exports.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        #: By base: what the engine calls the module.
        self._names: dict[int, str] = {}

    def modules(self) -> list[KnownModule]:
        """IDebugSymbols::GetModuleByIndex and others."""
        found = []
        for base, _size, path, engine_name, _timestamp in sorted(self._session._list_modules()):
            name = path.replace("/", "\\").rpartition("\\")[2]
            stem = name.rpartition(".")[0]
            short = tuple(each for each in (stem, engine_name) if each)
            found.append(KnownModule(name, base, path, short))
            self._names[base] = engine_name
        return found

    def key(self, name: str) -> str:
        """Windows' names of files have no case, and either slash."""
        return name.replace("/", "\\").lower()

    def find(self, module: KnownModule, symbol: str) -> int | None:
        """IDebugSymbols3::GetOffsetByNameWide, or a search where the name has wildcards."""
        name = f"{self._names[module.base]}!{symbol}"
        status, address = _E_FAIL, 0
        if not any(wildcard in symbol for wildcard in _WILDCARDS):
            status, address = self._session._symbol_address(name)
            if status == _S_OK:
                return address
            if status == _E_NOINTERFACE:
                raise AddressError(
                    "this engine has no symbols (no IDebugSymbols3): give module+offset"
                )
            if status not in (_S_FALSE, _E_FAIL):
                raise AddressError(
                    f"the engine could not look for {name!r}: GetOffsetByName failed "
                    f"({hresults.describe(status)})",
                    hresult=status,
                    hresult_name=hresults.name_of(status),
                    method="GetOffsetByName",
                )
        matches = self._session._match_symbols(name.translate(_ANY_ONE), _MOST)
        wanted = name.lower()
        places = sorted({at for found, at in matches if found.lower() == wanted})
        exact = sorted({at for found, at in matches if found == name})
        if len(exact or places) > 1 or (status == _S_FALSE and not places):
            listed = ", ".join(
                f"{module.name}+0x{at - module.base:x}" for at in (exact or places)[:8]
            )
            raise AddressError(
                f"{module.name} has several symbols {symbol!r}"
                + (f": {listed}; give the one you mean in that form" if listed else "")
            )
        return next(iter(exact or places), None)

    def like(self, module: KnownModule, symbol: str) -> Iterable[str]:
        """All that the engine lists."""
        pattern = f"{self._names[module.base]}!*"
        for name, _address in self._session._match_symbols(pattern, _MOST):
            yield name.partition("!")[2]
