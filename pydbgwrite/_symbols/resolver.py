"""Resolve addresses given as text: one for Session.resolve(), or many for a patch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, SupportsIndex

from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._symbols.addresses import Place, checked_address, near, parse_address, shown
from pydbgwrite._symbols.model import Import, KnownModule, Symbols
from pydbgwrite.errors import AddressError

if TYPE_CHECKING:
    from pydbgwrite._target import Target

__all__ = ["Resolver"]

#: The most names compared with a wrong one: difflib is slow, a browser has a million symbols.
_MOST_COMPARED = 20_000
#: The most wrong names that get suggestions: a whole table can be wrong.
_MOST_HINTS = 20

#: A module's base in place of its name, for a file that is loaded several times.
_BASE: Final = re.compile(r"0[xX][0-9a-fA-F]{1,16}")


class Resolver:
    """Resolves addresses against the target's modules as of the first request.

    Results are cached: a table can name one symbol a million times.
    """

    def __init__(self, session: Target) -> None:
        self._session = session
        self._backend: Symbols | None = None
        self._modules: list[KnownModule] = []
        self._by_key: dict[str, list[KnownModule]] = {}
        self._by_short: dict[str, list[KnownModule]] = {}
        self._found: dict[str, int] = {}
        self._hints = 0

    def resolve(self, address: SupportsIndex | str, what: str = "address") -> int:
        """Return the number for any form of address. Session.resolve() lists the exceptions."""
        if isinstance(address, str):
            known = self._found.get(address)
            if known is not None:
                return known
        parsed = parse_address(address, what)
        if isinstance(parsed, int):
            return parsed
        assert isinstance(address, str)
        number = self._of_places(address, parsed, what)
        self._found[address] = number
        return number

    def module(self, name: str) -> KnownModule:
        """Return the module of that name or path. AddressError if there is none or several."""
        backend = self._open()
        found = self._matches(name)
        if not found:
            raise AddressError(self._no_module([name], name))
        if len(found) > 1:
            raise AddressError(
                f"{shown(name)} names {len(found)} modules of the target: {_candidates(found)}; "
                "give a whole path, or its base in place of its name, or the address as a number"
            )
        assert backend is not None
        return found[0]

    def modules(self) -> list[KnownModule]:
        """Return all modules, by address."""
        self._open()
        return self._modules

    def imports(self, module: KnownModule) -> list[Import]:
        """Return the module's import slots, by address. AddressError if they can't be read."""
        return self._open().imports(module)

    def _open(self) -> Symbols:
        if self._backend is None:
            backend = _backend_of(self._session)
            self._modules = backend.modules()
            for module in self._modules:
                for key in {backend.key(module.name), backend.key(module.path)}:
                    self._by_key.setdefault(key, []).append(module)
                for key in {backend.key(short) for short in module.short}:
                    self._by_short.setdefault(key, []).append(module)
            self._backend = backend
        return self._backend

    def _matches(self, name: str) -> list[KnownModule]:
        key = self._open().key(name)
        found = self._by_key.get(key) or self._by_short.get(key)
        if found is None and _BASE.fullmatch(name):
            return [module for module in self._modules if module.base == int(name, 16)]
        return found or []

    def _of_places(self, text: str, places: list[Place], what: str) -> int:
        self._open()
        longest = next((p.module for p in places if self._matches(p.module)), None)
        if longest is None:
            names = list(dict.fromkeys(place.module for place in places))
            raise AddressError(self._no_module(names, text))
        module = self.module(longest)
        for place in places:
            if place.module != longest:
                continue
            base: int | None = module.base
            if place.symbol is not None:
                base = self._open().find(module, place.symbol)
            if base is not None:
                return checked_address(base + place.offset, f"{what} {shown(text)}")
        raise AddressError(self._no_symbol(module, [p for p in places if p.module == longest]))

    def _no_module(self, names: list[str], text: str) -> str:
        shown_names = " or ".join(shown(name) for name in names[:3])
        if not self._modules:
            reason = "its modules are not known"
            if self._session.target == "simulated":
                reason = "simulated memory has none"
            return f"{shown(text)} names a module, and {reason}; give a number"
        all_names = [module.name for module in self._modules]
        alike: list[str] = []
        if self._may_compare():
            alike = near(names, all_names) or near(names, [m.path for m in self._modules])
        hint = f"{IN_FORCE.get().function('session.modules')} lists what it has"
        if alike:
            hint = _did_you_mean(alike)
        return f"the target has no module {shown_names}; {hint}"

    def _no_symbol(self, module: KnownModule, places: list[Place]) -> str:
        names = list(dict.fromkeys(p.symbol for p in places if p.symbol is not None))
        candidates: list[str] = []
        message = f"{module.name} ({module.path}) has no symbol {shown(names[-1])}"
        if not self._may_compare():
            return message
        for like in self._open().like(module, names[-1]):
            candidates.append(like)
            if len(candidates) == _MOST_COMPARED:
                break
        alike = near(names, candidates)
        hint = f"; {_did_you_mean(alike)}" if alike else ""
        whole = max(names, key=len)
        for sign in re.finditer("[+-]", whole):
            known, rest = whole[: sign.start()], whole[sign.start() :]
            if known and self._open().find(module, known) is not None:
                hint = f"; it has {shown(known)}, to which one number is added, not {shown(rest)}"
                break
        if not candidates:
            hint = "; no symbols of it are known"
        if self._open().stripped(module):
            hint = f"; it is stripped (it has no .symtab){hint}"
        return message + hint

    def _may_compare(self) -> bool:
        self._hints += 1
        return self._hints <= _MOST_HINTS


def _did_you_mean(names: list[str]) -> str:
    *others, last = (shown(name) for name in names)
    return f"did you mean {', '.join(others)} or {last}?" if others else f"did you mean {last}?"


def _candidates(modules: list[KnownModule]) -> str:
    listed = [f"{module.path} at 0x{module.base:x}" for module in modules[:8]]
    if len(modules) > 8:
        listed.append("others")
    return ", ".join(listed)


def _backend_of(session: Target) -> Symbols:
    if not session._embedded:
        from pydbgwrite._symbols.dbgeng import DbgengSymbols

        return DbgengSymbols(session)
    from pydbgwrite._symbols.elf import ElfSymbols

    return ElfSymbols(session)  # of simulated memory, which has no modules, too
