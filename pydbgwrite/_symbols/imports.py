"""Session.import_slots(): the slots that modules' tables name, and what they hold now."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.addresses import LIMIT
from pydbgwrite._symbols.demangle import MANGLED, demangler
from pydbgwrite._symbols.model import Import, ImportSlot
from pydbgwrite._symbols.regions import regions_of
from pydbgwrite._symbols.resolver import Resolver
from pydbgwrite.errors import AddressError, DebugEngineError, NoTargetError

if TYPE_CHECKING:
    from pydbgwrite._regions import Region
    from pydbgwrite._target import Target

__all__ = ["import_slots"]


def import_slots(session: Target, module: str | None, name: str | None) -> list[ImportSlot]:
    """Return the slots of one module or all, of one name or all; Session.import_slots() has more.

    A module that can't be read is an AddressError if it is named, else it is left out.
    """
    for what, given in (("module", module), ("name", name)):
        if given is not None and not isinstance(given, str):
            raise TypeError(f"{what} must be a str, got {type(given).__name__}")
    resolver = Resolver(session)
    modules = resolver.modules() if module is None else [resolver.module(module)]
    protections = _Protections(session) if modules else None
    demangled = _Demangled()
    found: list[ImportSlot] = []
    for each in modules:
        assert protections is not None
        try:
            imports = resolver.imports(each)
            if name is not None:
                imports = [one for one in imports if demangled.fits(one.name, name)]
            values = _values(session, imports)
        except NoTargetError:
            raise
        except not_from_handler(AddressError, DebugEngineError) as error:
            if module is None:
                continue
            if isinstance(error, AddressError):
                raise
            raise AddressError(f"the import slots of {each.name} can't be read: {error}") from error
        found += [
            ImportSlot(
                one.address,
                one.name,
                demangled.of(one.name),
                value,
                each.name,
                one.library,
                one.kind,
                one.unbound is not None and value in one.unbound,
                protections.protected(one.address),
            )
            for one, value in zip(imports, values, strict=True)
        ]
    return found


class _Demangled:
    """The names of imports as the source has them, each with its version."""

    def __init__(self) -> None:
        self._demangle = demangler()
        self._known: dict[str, str] = {}

    def of(self, name: str) -> str:
        """Return the name in the source's form, or as it is."""
        if self._demangle is None or not name.startswith(MANGLED):
            return name
        found = self._known.get(name)
        if found is None:
            mangled, at, version = name.partition("@")
            found = self._known[name] = f"{self._demangle(mangled)}{at}{version}"
        return found

    def fits(self, name: str, wanted: str) -> bool:
        """Return whether somebody who wants that name, with or without version, means this one."""
        wanted = wanted.replace("@@", "@")
        if wanted in (name, name.partition("@")[0]):
            return True
        shown = self.of(name)
        return shown is not name and wanted in (shown, shown.rpartition("@")[0] or shown)


def _values(session: Target, imports: list[Import]) -> array[int]:
    """Read what the slots hold. Under WOW64 a module's width can differ from the target's."""
    places = array("Q", (one.address for one in imports))
    if not imports:
        return places
    low = session.read_scattered(places)
    bits, native = imports[0].bits, 8 * session.pointer_size
    if bits < native:  # what follows a slot is a slot, or a table's end
        return array("Q", (value % (1 << bits) for value in low))
    if bits > native:
        upper = array("Q", ((place + native // 8) % LIMIT for place in places))
        high = session.read_scattered(upper)
        return array("Q", (a | b << native for a, b in zip(low, high, strict=True)))
    return low


class _Protections:
    """The map of the target's memory, if it has one."""

    def __init__(self, session: Target) -> None:
        self._regions: list[Region] = []
        try:
            self._regions = regions_of(session, named=False)
        except NoTargetError:
            raise
        except not_from_handler(DebugEngineError):
            pass  # a kernel target has none
        self._bases = [each.base for each in self._regions]

    def protected(self, address: int) -> bool | None:
        """Return whether the page there is not writable; None if that is not known."""
        index = bisect_right(self._bases, address) - 1
        if index < 0:
            return None
        region = self._regions[index]
        return "w" not in region.protection if address - region.base < region.size else None
