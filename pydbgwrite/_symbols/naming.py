"""Names of addresses, and symbols by pattern, for Session.name(), names() and symbols()."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from pydbgwrite._symbols.addresses import parse_address, shown
from pydbgwrite._symbols.model import KINDS
from pydbgwrite._symbols.resolver import Resolver, backend_of

if TYPE_CHECKING:
    from typing import SupportsIndex

    from pydbgwrite._symbols.model import Symbol, Symbols, _Addresses
    from pydbgwrite._target import Target

__all__ = ["name_of", "names_of", "symbols_of"]


class _Naming:
    """What a session keeps between calls: the symbols' tables, which take long to read."""

    def __init__(self, backend: Symbols) -> None:
        self.backend = backend
        self.busy = False


def name_of(session: Target, address: SupportsIndex) -> str:
    """Return the name of an address: Session.name()."""
    if isinstance(address, str | bool) or not hasattr(address, "__index__"):
        raise TypeError(
            f"address must be an int, got {type(address).__name__}; resolve() makes one of a name"
        )
    number = parse_address(address)
    assert isinstance(number, int)
    return names_of(session, [number])[0]


def names_of(session: Target, addresses: _Addresses) -> list[str]:
    """Return the name of each address: Session.names()."""
    naming = getattr(session, "_naming", None)
    if not isinstance(naming, _Naming) or naming.busy:  # a signal handler can ask, too
        # Not the session itself: what it keeps must not keep it.
        naming = _Naming(backend_of(weakref.proxy(session)))
        session._naming = naming
    naming.busy = True
    try:
        return naming.backend.names(addresses)
    finally:
        naming.busy = False


def symbols_of(session: Target, pattern: str, module: str | None, kind: str | None) -> list[Symbol]:
    """Return the symbols that match a pattern: Session.symbols()."""
    if not isinstance(pattern, str):
        raise TypeError(f"pattern must be a str, got {type(pattern).__name__}")
    if module is not None and not isinstance(module, str):
        raise TypeError(f"module must be a str or None, got {type(module).__name__}")
    if kind is not None and kind not in KINDS:
        told = shown(kind) if isinstance(kind, str) else type(kind).__name__
        raise ValueError(f"kind must be {', '.join(map(repr, KINDS))} or None, got {told}")
    return Resolver(session).symbols(pattern, module, kind)
