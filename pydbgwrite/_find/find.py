"""Session.find_pointers(): what is wanted, where, and the result."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeAlias

from pydbgwrite._find.found import Found
from pydbgwrite._find.within import Memory, memory_of, span_of
from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._regions import Module, Region
from pydbgwrite._reprs import int_text
from pydbgwrite._symbols.addresses import LIMIT
from pydbgwrite._symbols.model import Symbol
from pydbgwrite._symbols.resolver import Resolver
from pydbgwrite.errors import PointerRangeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer

    from pydbgwrite._find.within import MemoryPlace
    from pydbgwrite._target import Target

__all__ = [
    "PointersToFind",
    "bits_of",
    "check_start",
    "find_pointers",
    "range_of",
    "search",
    "top_of",
]


#: An address, a range of them, or several; a buffer of them too, which only typeshed can name.
PointersToFind: TypeAlias = (
    SupportsIndex | str | range | Region | Module | Symbol | Iterable[SupportsIndex | str]
)


def find_pointers(
    session: Target,
    wanted: PointersToFind | ReadableBuffer,
    within: MemoryPlace | Iterable[MemoryPlace] | None,
    mask: SupportsIndex | None,
    aligned: bool,
    limit: SupportsIndex | None,
    progress: Callable[[int, int], object] | None,
) -> Found:
    """Find pointers: Session.find_pointers()."""
    name = IN_FORCE.get().name
    values, low, high = _wanted(session, wanted, name("wanted"))
    bits = bits_of(session, mask)
    if values is None:
        check_start(low, bits, name("wanted"))
    most = LIMIT - 1 if limit is None else _number(limit, "limit")
    if not 1 <= most < LIMIT:
        raise ValueError(f"{name('limit')} must be from 1 to 2**64 - 1, got {int_text(most)}")
    memory = memory_of(session, within)
    return search(session, values, (low, high, bits, most, bool(aligned)), memory, progress)


def top_of(session: Target) -> int:
    """Return the greatest pointer of the target."""
    return (1 << 8 * session.pointer_size) - 1


def bits_of(session: Target, mask: SupportsIndex | None) -> int:
    """Return the bits that are compared."""
    top = top_of(session)
    bits = top if mask is None else _number(mask, "mask")
    if not 1 <= bits <= top:
        raise ValueError(
            f"{IN_FORCE.get().name('mask')} must have bits of a pointer of {session.pointer_size} "
            f"bytes and no others, got {int_text(bits, '#x')}; its bits are those that are compared"
        )
    return bits


def check_start(start: int, bits: int, what: str) -> None:
    """Raise ValueError for a range of which not all stored pointers could be found."""
    if start & ~bits:
        raise ValueError(
            f"{what} begins at 0x{start:x}, which has bits outside the mask: pointers are compared "
            "without those, so give a range that begins without"
        )


def search(
    session: Target,
    values: Any,
    how: tuple[int, int, int, int, bool],
    memory: Memory,
    progress: Callable[[int, int], object] | None,
) -> Found:
    """Search for values, or for a range if they are None.

    how: the first and last address of the range, the mask, the limit, and whether pointers are
    aligned.
    """
    result: list[Any] = []
    try:
        session._search(values, how, memory.starts, memory.sizes, progress, result)
    except BaseException as error:
        if len(result) == 5:  # fewer, or none, if memory is short
            found = _found(memory, result, complete=False)
            error.found = found  # type: ignore[attr-defined]
            where = IN_FORCE.get().attribute("found")
            error.add_note(f"The search was interrupted; found so far{where}: {found}")
        raise
    return _found(memory, result, complete=not result[4])


def _wanted(session: Target, wanted: object, what: str) -> tuple[Any, int, int]:
    """Return the values, or None, and the first and last of a range."""
    span = range_of(wanted, what, top_of(session))
    if span is not None:
        return None, span[0], span[1] - 1
    if wanted is None or isinstance(wanted, bool):
        raise TypeError(
            "wanted must be an address, a range or several addresses, got "
            f"{'None' if wanted is None else 'bool'}"
        )
    if isinstance(wanted, str) or (hasattr(wanted, "__index__") and not hasattr(wanted, "__len__")):
        wanted = [Resolver(session).resolve(wanted, what)]
    return wanted, 0, 0


def range_of(place: object, what: str, top: int) -> tuple[int, int] | None:
    """Return the first address of a range, and the one behind it; None if it is none."""
    if isinstance(place, Symbol):
        place = range(place.address, place.address + max(place.size, 1))
    if not isinstance(place, range | Region | Module):
        return None
    start, end = span_of(place, what)
    if end - 1 > top:
        raise PointerRangeError(
            f"{what} ends at 0x{end:x}, and the target has 32-bit pointers; nothing was searched"
        )
    return start, end


def _number(value: SupportsIndex, what: str) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{what} must be an int or None, got {type(value).__name__}")
    return value.__index__()


def _found(memory: Memory, result: list[Any], *, complete: bool) -> Found:
    addresses, values, starts, sizes, limited = result
    return Found(
        addresses=addresses,
        values=values,
        skipped=_skipped(memory, starts, sizes),
        limited=limited,
        complete=complete,
        searched=sum(memory.sizes) - sum(sizes),
        regions=memory.regions,
        modules=memory.modules,
    )


def _skipped(memory: Memory, starts: array[int], sizes: array[int]) -> list[Region]:
    """Return what was not searched, by address, each part within its region."""
    skipped = list(memory.skipped)
    for start, size in zip(starts, sizes, strict=True):
        at = start
        index = bisect_right(memory.regions, start, key=lambda each: each.base) - 1
        while at < start + size:
            region = memory.regions[index]
            end = min(start + size, region.base + region.size)
            skipped.append(Region(at, end - at, region.protection, region.state, region.name))
            at, index = end, index + 1
    return sorted(skipped)
