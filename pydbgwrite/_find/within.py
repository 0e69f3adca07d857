"""The memory that a search reads: regions, modules, names and ranges as ranges of addresses."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from pydbgwrite._find.module_data import ModuleData
from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._regions import Module, Region
from pydbgwrite._reprs import int_text
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.addresses import LIMIT
from pydbgwrite._symbols.regions import modules_of, regions_of, undescribed
from pydbgwrite._symbols.resolver import Resolver
from pydbgwrite.errors import AddressError, TargetAccessError

if TYPE_CHECKING:
    from pydbgwrite._target import Target

__all__ = ["Memory", "MemoryPlace", "memory_of", "span_of"]

MemoryPlace: TypeAlias = Region | Module | range | str

_FORMS = "a Region, a Module, a range of addresses, a module's name, '<heap>' or '<stack>'"


class Memory(NamedTuple):
    """What is searched, by address: ranges, their regions, and what can't be searched."""

    starts: array[int]
    sizes: array[int]
    regions: list[Region]
    skipped: list[Region]
    modules: list[Module]


class _Span(NamedTuple):
    """Addresses that are asked for. whole: also report what is not mapped."""

    start: int
    end: int
    whole: bool


def span_of(place: Region | Module | range, what: str) -> tuple[int, int]:
    """Return the first address, and the first one behind it. ValueError if there is none."""
    if isinstance(place, range):
        if place.step != 1:
            raise ValueError(f"{what} must be a range with step 1, got step {int_text(place.step)}")
        start, end = place.start, place.stop
    else:
        start, end = place.base, place.base + place.size
    shown = f"{int_text(start, '#x')} to {int_text(end, '#x')}"
    if end <= start:
        raise ValueError(f"{what} is empty: it goes from {shown}")
    if start < 0 or end > LIMIT:
        raise OverflowError(f"{what} must lie within 0 to 2**64, got {shown}")
    return start, end


def memory_of(
    session: Target, within: MemoryPlace | Iterable[MemoryPlace] | None, *, data: bool = False
) -> Memory:
    """Return the memory to search; all that is mapped if `within` is None.

    data: only the data of modules is meant, by default and if a module is named.
    """
    places = _places(within, data)
    modules = modules_of(session)
    regions: list[Region] | None = None
    try:
        regions = regions_of(session, modules=modules)
    except not_from_handler(TargetAccessError):
        # There is no map, as of a kernel.
        if places is None or any(isinstance(each, str) for each in places):
            raise
    if data and places is None:
        places = [each for each in modules if each.size > 0]
        if not places:
            raise ValueError(
                f"the data of modules is searched by default, and this {session.target} target has "
                f"none: say where to search by {IN_FORCE.get().name('within')}"
            )
    spans = None
    if places is not None:
        parts = ModuleData(session, regions or []) if data else None
        spans = _merged(_spans(session, places, regions or [], modules, parts))
        if regions is None:
            regions = [
                Region(each.start, each.end - each.start, "r", "committed") for each in spans
            ]
        else:
            regions = regions + undescribed(session, regions)
        regions = list(_parts(regions, spans))
    assert regions is not None
    searched = [each for each in regions if _is_readable(each)]
    skipped = [each for each in regions if not _is_readable(each)]
    starts, sizes = array("Q"), array("Q")
    behind = 0
    for base, size, *_ in searched:
        if starts and base == behind:
            sizes[-1] += size
        else:
            starts.append(base)
            sizes.append(size)
        behind = base + size
    return Memory(starts, sizes, searched, skipped, modules)


def _is_readable(region: Region) -> bool:
    # A guard page waits for an access, and a read could be that.
    return region.state == "committed" and region.protection in ("r", "rw", "rx", "rwx")


def _places(
    within: MemoryPlace | Iterable[MemoryPlace] | None, data: bool
) -> list[MemoryPlace] | None:
    if within is None:
        return None
    if isinstance(within, Region | Module | range | str):
        return [within]
    if not isinstance(within, Iterable) or isinstance(within, bytes | bytearray | memoryview):
        raise TypeError(f"within must be {_FORMS}, or several, got {type(within).__name__}")
    places = list(within)
    for index, each in enumerate(places):
        if not isinstance(each, Region | Module | range | str):
            raise TypeError(f"within[{index}] must be {_FORMS}, got {type(each).__name__}")
    if not places:
        everything = "the data of all modules" if data else "all memory"
        raise ValueError(f"within is empty: leave it out to search {everything}")
    return places


def _spans(
    session: Target,
    places: list[MemoryPlace],
    regions: list[Region],
    modules: list[Module],
    data: ModuleData | None,
) -> Iterator[_Span]:
    resolver = Resolver(session)
    spelling = IN_FORCE.get()
    for index, each in enumerate(places):
        several = len(places) > 1
        what = spelling.element("within", index) if several else spelling.name("within")
        if isinstance(each, str):
            each = _named(resolver, each, modules, regions)
        if isinstance(each, str):
            found = [part for part in regions if part.name == each]
            if not found:
                raise AddressError(f"{what}: the target has no region {each!r}")
            yield from (_Span(part.base, part.base + part.size, True) for part in found)
            continue
        start, end = span_of(each, what)
        if not isinstance(each, Module):
            yield _Span(start, end, True)
        elif data is None:
            yield _Span(start, end, False)
        else:
            yield from (_Span(*part, False) for part in data.of(each))


def _named(
    resolver: Resolver, name: str, modules: list[Module], regions: list[Region]
) -> Module | str:
    """Return the module of that name; the name of another region as it is."""
    if name.startswith("<"):
        return name
    try:
        known = resolver.module(name)
    except not_from_handler(AddressError) as error:
        meant = f"<{name.strip('[]')}>"  # the kernel's name has such brackets
        if any(each.name == meant for each in regions):
            raise AddressError(f"{error}. Do you mean {meant!r}?") from None
        raise
    return next((each for each in modules if each.base == known.base), known.path)  # [vdso]


def _merged(spans: Iterable[_Span]) -> list[_Span]:
    """Return spans by address that don't overlap."""
    merged: list[_Span] = []
    for span in sorted(spans):
        last = merged[-1] if merged else None
        if last is not None and span.start < last.end:
            merged[-1] = _Span(last.start, max(last.end, span.end), last.whole or span.whole)
        else:
            merged.append(span)
    return merged


def _parts(regions: list[Region], spans: list[_Span]) -> Iterable[Region]:
    """Yield the parts of regions within the spans, and what is not mapped of whole ones."""
    index = 0
    for start, end, whole in spans:
        at = start
        while index < len(regions) and regions[index].base + regions[index].size <= at:
            index += 1
        while at < end and index < len(regions) and regions[index].base < end:
            region = regions[index]
            first, behind = max(region.base, at), min(region.base + region.size, end)
            if whole and first > at:
                yield Region(at, first - at, "none", "free")
            yield Region(first, behind - first, region.protection, region.state, region.name)
            at = behind
            if behind == region.base + region.size:
                index += 1
        if whole and at < end:
            yield Region(at, end - at, "none", "free")
