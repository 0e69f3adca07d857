"""What pointers point to: module and offset, and the page protection there."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydbgwrite import errors
from pydbgwrite._signal_handlers import not_from_handler

if TYPE_CHECKING:
    from pydbgwrite import Module, Session

__all__ = ["Places", "places_of"]


class Places:
    """The modules and regions that some pointers point into. It needs no open session."""

    def __init__(self, modules: list[Module], regions: list[tuple[int, int, str]]) -> None:
        self._modules = modules  # both in the order of their addresses
        self._regions = regions  # first address, end, protection
        self._module_bases = [each.base for each in modules]
        self._region_bases = [each[0] for each in regions]

    def module(self, address: int) -> str | None:
        """Return "module+0x1234", which resolve() takes; None if it points into no module."""
        index = bisect_right(self._module_bases, address) - 1
        if index < 0:
            return None
        module = self._modules[index]
        offset = address - module.base
        return f"{module.name}+0x{offset:x}" if offset < module.size else None

    def protection(self, address: int) -> str | None:
        """Return the page protection, such as "rw" or "rx"; None if nothing is mapped there."""
        index = bisect_right(self._region_bases, address) - 1
        if index < 0 or address >= self._regions[index][1]:
            return None
        return self._regions[index][2]


def places_of(session: Session, values: Iterable[int]) -> Places:
    """Query the target for these pointers, once for each region that any of them points into.

    Information that a target does not have (a kernel's modules, a dump's regions) is left out.
    """
    try:
        modules = session.modules()
    except errors.NoTargetError:
        raise
    except not_from_handler(errors.DebugEngineError):
        modules = []
    regions: list[tuple[int, int, str]] = []
    ordered = sorted(set(values))
    at = 0
    while at < len(ordered):
        address = ordered[at]
        try:
            region = session.query(address)
        except errors.NoTargetError:
            raise
        except not_from_handler(errors.DebugEngineError):
            break  # past user space, where nothing higher is known either
        end = region.base + region.size
        if region.state == "committed":
            regions.append((region.base, end, region.protection))
        # A region that ends before its own address would have this go on for ever.
        at = max(at + 1, bisect_left(ordered, end))
    return Places(modules, regions)
