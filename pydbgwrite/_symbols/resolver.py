"""Resolve addresses given as text: one for Session.resolve(), or many for a call or a patch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, SupportsIndex

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.addresses import (
    LIMIT,
    Address,
    Place,
    checked_address,
    is_number,
    number_of,
    parse_address,
    places,
    shown,
    split_offset,
)
from pydbgwrite._symbols.model import Demangled, Import, KnownModule, Symbol, Symbols
from pydbgwrite.errors import AddressError, DebugEngineError, NoTargetError

if TYPE_CHECKING:
    from pydbgwrite._symbols.advice import Advice
    from pydbgwrite._target import Target

__all__ = ["Resolver", "backend_of"]

#: A module's base in place of its name, for a file that is loaded several times.
_BASE: Final = re.compile(r"0[xX][0-9a-fA-F]{1,16}")
_LONGEST_BASE: Final = 18
_REGION: Final = re.compile(r"<(heap|stack)>")
_MOST_FAILED: Final = 10_000
#: The most candidates that an error lists.
_MOST_LISTED: Final = 8
_LONGEST_LISTED: Final = 400


class Resolver:
    """Resolves addresses against the target's modules as of the first request.

    Results are cached: a table can name one symbol a million times. Each pointer is read once, so
    that all of a patch's chains lead through the same pointers.
    """

    def __init__(self, session: Target) -> None:
        self._session = session
        self._backend: Symbols | None = None
        self._modules: list[KnownModule] = []
        self._by_key: dict[str, list[KnownModule]] = {}
        self._by_short: dict[str, list[KnownModule]] = {}
        #: The length of the longest name or path of a module.
        self._longest = _LONGEST_BASE
        #: Results by text. C looks here first.
        self.found: dict[str, int] = {}
        self._pointers: dict[int, int] = {}
        #: Messages by name.
        self._failed: dict[str, str] = {}
        self._advice: Advice | None = None

    def resolve(self, address: SupportsIndex | str, what: str = "address") -> int:
        """Return the number for any form of address. Session.resolve() lists the exceptions."""
        if isinstance(address, str):
            known = self.found.get(address)
            if known is not None:
                return known
        parsed = parse_address(address, what)
        if isinstance(parsed, int):
            return parsed
        number = self.found.get(parsed.name)
        if number is None:
            number = self.found[parsed.name] = self._of_new_name(parsed, what)
        if parsed.levels:
            number = self.found[parsed.text] = self._followed(parsed, number, what)
        return number

    def base(self, text: str, what: str) -> int:
        """Return the address of a module by its name alone, or what any other text names."""
        return self.module(text).base if self._matches(text) else self.resolve(text, what)

    def argument(self, text: str, what: str, index: int) -> int:
        """Resolve an argument of a call; with an index that is not below 0, an element of it."""
        place = what if index < 0 else f"{what}[{index}]"
        try:
            return self.resolve(text, place)
        except not_from_handler(AddressError) as error:
            raise AddressError(f"{place}: {error}") from error.__cause__

    def module(self, name: str) -> KnownModule:
        """Return the module of that name or path. AddressError if there is none or several."""
        found = self._matches(name)
        if not found:
            raise AddressError(self._advise().no_module([name], name))
        if len(found) > 1:
            raise AddressError(
                f"{shown(name)} names {len(found)} modules of the target: {_candidates(found)}; "
                "give a whole path, or its base in place of its name, or the address as a number"
            )
        return found[0]

    def modules(self) -> list[KnownModule]:
        """Return all modules, by address."""
        self._open()
        return self._modules

    def symbols(self, pattern: str, module: str | None, kind: str | None) -> list[Symbol]:
        """Return the symbols that match a pattern, of one module or of all."""
        modules = [self.module(module)] if module is not None else self.modules()
        return list(self._open().symbols(pattern, modules, kind))

    def imports(self, module: KnownModule) -> list[Import]:
        """Return the module's import slots, by address. AddressError if they can't be read."""
        return self._open().imports(module)

    def _open(self) -> Symbols:
        if self._backend is None:
            backend = backend_of(self._session)
            self._modules = backend.modules()
            for module in self._modules:
                for key in {backend.key(module.name), backend.key(module.path)}:
                    self._by_key.setdefault(key, []).append(module)
                for key in {backend.key(short) for short in module.short}:
                    self._by_short.setdefault(key, []).append(module)
            keys = [*self._by_key, *self._by_short]
            self._longest = max((len(key) for key in keys), default=0) + _LONGEST_BASE
            self._backend = backend
        return self._backend

    def _matches(self, name: str) -> list[KnownModule]:
        key = self._open().key(name)
        found = self._by_key.get(key) or self._by_short.get(key)
        if found is None and _BASE.fullmatch(name):
            return [module for module in self._modules if module.base == int(name, 16)]
        return [each for each in found or () if not each.of_system] or found or []

    def _of_new_name(self, address: Address, what: str) -> int:
        """Look a name up, or say again why it can't be resolved: a search takes long."""
        failed = self._failed.get(address.name)
        if failed is not None:
            raise AddressError(failed)
        try:
            return self._of_name(address, what)
        except not_from_handler(AddressError) as error:
            if len(self._failed) < _MOST_FAILED:
                self._failed[address.name] = str(error)
            raise

    def _of_name(self, address: Address, what: str) -> int:
        """Return the address of a name without brackets: modules first, then symbols."""
        base, offset = address.base, address.offset or 0
        numeric = is_number(base)
        region = _REGION.fullmatch(base)
        known: list[Place] = []
        if region is None and not (numeric and self._session.target == "simulated"):
            known = self._places(address.name)
        if known:
            number = self._in_module(known)
        elif numeric:
            number = number_of(base, what) + offset
        elif region is not None:
            number = self._region(region[1]) + offset
        else:
            number = self._bare(address)
        if not 0 <= number < LIMIT:
            checked_address(number, f"{what} {shown(address.name)}")
        return number

    def _places(self, name: str) -> list[Place]:
        """Return the readings with the longest name that is a module's."""
        self._open()
        found = places(name, self._longest)
        longest = next((each.module for each in found if self._matches(each.module)), None)
        return [each for each in found if each.module == longest]

    def _region(self, name: str) -> int:
        start = self._open().region(name)
        if start is None:
            of = (
                "simulated memory has" if self._session.target == "simulated" else "this target has"
            )
            raise AddressError(
                f"<{name}> is what the kernel's map of a Linux process calls [{name}], and {of} "
                "none; give a number"
            )
        return start

    def _in_module(self, readings: list[Place]) -> int:
        module = self.module(readings[0].module)
        for place in readings:
            base: int | None = module.base
            if place.symbol is not None:
                base = self._find(module, place.symbol)
            if base is not None:
                return base + place.offset
        raise AddressError(self._advise().no_symbol(module, readings))

    def _bare(self, address: Address) -> int:
        """Return the address of a symbol without a module, the longest name first."""
        self._open()
        for symbol, added in ((address.name, 0), (address.base, address.offset)):
            found = self._of_program_or_one(symbol) if added is not None else None
            if found is not None and added is not None:
                return found + added
        raise AddressError(self._advise().no_bare(address))

    def _of_program_or_one(self, symbol: str) -> int | None:
        """Return the main program's symbol, else that of the only module that has it."""
        backend = self._open()
        others = [module for module in self._modules if not module.program]
        for module in self._modules:
            if not module.program:
                continue
            address = self._find(module, symbol)
            if address is not None:
                return address
            if backend.fault(module) is not None:
                return None  # it might have that symbol: Advice.no_bare() says so
        having = [module for module in others if backend.has(module, symbol)]
        if not having:
            having = [module for module in others if self._demangled(module, symbol)]
        having = [module for module in having if not module.of_system] or having
        if len(having) == 1:
            return self._find(having[0], symbol)
        if having and (address := self._shared(having, symbol)) is None:
            listed = [f"{self._unique(module)}!{symbol}" for module in having]
            raise AddressError(
                f"{len(having)} modules have a symbol {shown(symbol)}, and the main program has "
                f"none: {_listed(listed)}; give the one you mean in that form"
            )
        return address if having else None

    def _shared(self, modules: list[KnownModule], symbol: str) -> int | None:
        """Return the address if all modules have it there, as a variable that they share."""
        found = set()
        for module in modules:
            try:
                found.add(self._find(module, symbol))
            except not_from_handler(AddressError):
                return None
        return found.pop() if len(found) == 1 else None

    def _find(self, module: KnownModule, symbol: str) -> int | None:
        """Return the address of a symbol by its name in the file, or by its demangled name."""
        backend = self._open()
        address = backend.find(module, symbol)
        return self._find_demangled(module, symbol) if address is None else address

    def _find_demangled(self, module: KnownModule, symbol: str) -> int | None:
        backend = self._open()
        found: dict[int, Demangled] = {}
        without: list[Demangled] = []
        fault = None
        for each in self._demangled(module, symbol):
            try:
                address = backend.find(module, each.name)
            except not_from_handler(AddressError) as error:
                without.append(each)
                fault = error
                continue
            if address is not None:
                found.setdefault(address, each)
        if fault is not None and not found:
            raise fault
        if len(found) + len(without) > 1:
            raise AddressError(self._several(module, symbol, found, without))
        return next(iter(found), None)

    def _demangled(self, module: KnownModule, symbol: str) -> list[Demangled]:
        """Return the symbols of that demangled name; none of these ends in an offset."""
        if split_offset(symbol)[1] is not None:
            return []
        return self._open().demangled(module, symbol) or []

    def _several(
        self,
        module: KnownModule,
        symbol: str,
        found: dict[int, Demangled],
        without: list[Demangled],
    ) -> str:
        """Return the message for a demangled name of several symbols, some without an address."""
        name = self._unique(module)
        known = [*found.values(), *without]
        listed = [f"{name}!{each.demangled}" for each in known]
        how = "with its parameters"
        if len(set(listed)) < len(listed):  # such as a destructor, which has several bodies
            listed = [f"{name}!{each.name}" for each in known]
            how = "by its mangled name"
        if max(map(len, listed)) > _LONGEST_LISTED:
            listed = [f"{name}+0x{address - module.base:x}" for address in found]
            how = "in that form"
        return (
            f"{name} has {len(known)} symbols {shown(symbol)}: {_listed(listed)}; give the one you "
            f"mean {how}"
        )

    def _unique(self, module: KnownModule) -> str:
        """Return the module's name, or what tells it from others of that name."""
        for name in (module.name, module.path):
            if name and self._matches(name) == [module]:
                return name
        return f"0x{module.base:x}"

    def _followed(self, address: Address, place: int, what: str) -> int:
        """Read the pointer of each level, the innermost first."""
        at = place
        for number, (offset, _) in enumerate(address.levels, 1):
            pointer = self._pointers.get(at)
            if pointer is None:
                pointer = self._pointers[at] = self._read(address, number, place, at)
            before, at = at, pointer + offset
            if not 0 <= at < LIMIT:
                how = self._read_there(address.level(number), pointer, before)
                checked_address(at, f"{what} {shown(address.text)} ({how})")
        return at

    def _read(self, address: Address, number: int, place: int, at: int) -> int:
        """Read the pointer of one level."""
        size = self._session.pointer_size
        try:
            raw = self._session.read(at, size)
        except NoTargetError:
            raise
        # ValueError: the pointer would go past the end of the address space.
        except not_from_handler(DebugEngineError, ValueError) as error:
            before = f"{shown(address.name)} is 0x{place:x}"
            for level, (offset, _) in enumerate(address.levels[: number - 1], 1):
                pointer = self._pointers[place]
                before = self._read_there(address.level(level), pointer, place)
                place = pointer + offset
            odd = f", which is not a multiple of {size}" if at % size else ""
            count = len(address.levels)
            chain = shown(address.level(number))
            where = f"level {number} of {count}, {chain}," if count > 1 else chain
            raise AddressError(
                f"{shown(address.text)}: {where} can't be read at 0x{at:x}{odd}; {before}; {error}"
            ) from error
        return int.from_bytes(raw, "little")

    def _read_there(self, level: str, pointer: int, at: int) -> str:
        null = ", a null pointer" if pointer == 0 else ""
        return f"{shown(level)} is 0x{pointer:x}{null}, read at 0x{at:x}"

    def _advise(self) -> Advice:
        if self._advice is None:
            from pydbgwrite._symbols.advice import Advice

            self._advice = Advice(self._session, self._open(), self._modules)
        return self._advice


def _listed(candidates: list[str]) -> str:
    """Return addresses that can be given, and how many more there are."""
    more = len(candidates) - _MOST_LISTED
    # They are there to be given, so that they are not cut as other names are.
    listed = ", ".join(
        repr(each) if len(each) <= _LONGEST_LISTED else shown(each)
        for each in candidates[:_MOST_LISTED]
    )
    return f"{listed} and {more} more" if more > 0 else listed


def _candidates(modules: list[KnownModule]) -> str:
    listed = [f"{module.path} at 0x{module.base:x}" for module in modules[:_MOST_LISTED]]
    if len(modules) > _MOST_LISTED:
        listed.append("others")
    return ", ".join(listed)


def backend_of(session: Target) -> Symbols:
    if not session._embedded:
        from pydbgwrite._symbols.dbgeng import DbgengSymbols

        return DbgengSymbols(session)
    from pydbgwrite._symbols.elf import ElfSymbols

    return ElfSymbols(session)  # of simulated memory, which has no modules, too
