"""Session.retarget(): find pointers, and replace them in one transaction."""

from __future__ import annotations

from array import array
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

from pydbgwrite import _core
from pydbgwrite._find.find import bits_of, check_start, range_of, search, top_of
from pydbgwrite._find.retargeted import Retargeted
from pydbgwrite._find.within import memory_of
from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._patch.patch import Patch
from pydbgwrite._patch.scattered import ScatteredEntry, take_one_or_each
from pydbgwrite._patch.target_map import TargetMap
from pydbgwrite._reprs import int_text
from pydbgwrite._symbols.addresses import LIMIT
from pydbgwrite._symbols.resolver import Resolver
from pydbgwrite._transactions.transaction import Transaction
from pydbgwrite.errors import (
    ExpectationError,
    PointerRangeError,
    ReadOnlyError,
    TargetAccessError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed import ReadableBuffer

    from pydbgwrite._find.find import PointersToFind
    from pydbgwrite._find.found import Found
    from pydbgwrite._find.within import MemoryPlace
    from pydbgwrite._target import Target

__all__ = ["retarget"]


class _Moves(NamedTuple):
    """The old pointers and the new ones; last: of the range that the only pair shifts, or None."""

    old: array[int]
    new: array[int]
    last: int | None


def retarget(
    session: Target,
    old: PointersToFind | ReadableBuffer,
    new: PointersToFind | ReadableBuffer,
    within: MemoryPlace | Iterable[MemoryPlace] | None,
    mask: SupportsIndex | None,
    expect_count: SupportsIndex | None,
    verify: bool,
    dry_run: bool,
    progress: Callable[[int, int], object] | None,
) -> Retargeted:
    """Find pointers and replace them: Session.retarget()."""
    if not (session.writable or dry_run):
        dry = IN_FORCE.get().argument("dry_run", True)
        raise ReadOnlyError(
            f"the session was opened with writable=False: it can't replace pointers, but {dry} "
            "shows them"
        )
    count = None if expect_count is None else _count(expect_count)
    bits = bits_of(session, mask)
    moves = _moves_of(session, old, new, bits)
    memory = memory_of(session, within, data=True)
    if moves.last is None:
        values, low, high = moves.old, 0, 0
    else:
        values, low, high = None, moves.old[0], moves.last
    try:
        found = search(session, values, (low, high, bits, LIMIT - 1, True), memory, progress)
    except BaseException as error:
        if hasattr(error, "found"):
            error.add_note("Nothing was written")
        raise
    if count is not None and len(found) != count:
        raise _other_count(found, count)
    if not found:
        return Retargeted(found, None, 0)
    pointers = _core.moved_pointers(found.values, moves.old, moves.new, bits, "old", "new")
    patch = Patch([_entry(session, found, moves, bits, pointers)])
    if not dry_run:
        _write(session, patch, found, pointers, verify, progress)
    return Retargeted(found, patch, 0 if dry_run else len(found))


def _count(given: SupportsIndex) -> int:
    if isinstance(given, bool) or not hasattr(given, "__index__"):
        raise TypeError(f"expect_count must be an int or None, got {type(given).__name__}")
    count = given.__index__()
    if count < 0:
        raise ValueError(f"expect_count must be 0 or more, or None, got {int_text(count)}")
    return count


def _moves_of(session: Target, old: Any, new: Any, bits: int) -> _Moves:
    """Validate old and new pointers, before anything is searched."""
    top = top_of(session)
    names = IN_FORCE.get().name("old"), IN_FORCE.get().name("new")
    span = range_of(old, names[0], top)
    if span is not None:
        check_start(span[0], bits, names[0])
        moves = _shift(session, span, new, names)
    else:
        if range_of(new, names[1], top) is not None:
            raise TypeError(
                f"{names[1]} is a range of addresses and {names[0]} is not: give an address for "
                f"{names[1]}, or ranges for both"
            )
        resolver = Resolver(session)
        olds = _numbers(resolver, old, names[0], top)
        news = _numbers(resolver, new, names[1], top)
        if len(news) == 1:
            news *= len(olds)
        if len(olds) != len(news):
            raise ValueError(
                f"old has {len(olds):,} and new {len(news):,} pointers: there must be one new one "
                "for all, or one for each"
            )
        moves = _Moves(olds, news, None)
    # This raises for a faulty pair.
    _core.moved_pointers(array("Q"), moves.old, moves.new, bits, *names)
    return moves


def _shift(session: Target, span: tuple[int, int], new: Any, names: tuple[str, str]) -> _Moves:
    """Return the shift of a range: what pointed into it points at the same offset from `new`."""
    start, end = span
    size, top = end - start, top_of(session)
    named_old, named_new = names
    there = range_of(new, named_new, top)
    if there is None:
        if not isinstance(new, str) and not hasattr(new, "__index__"):
            raise TypeError(
                f"{named_new} must be an address, or a range, Region, Module or Symbol, since "
                f"{named_old} is a range of addresses; got {type(new).__name__}"
            )
        first = _numbers(Resolver(session), new, named_new, top)[0]
    else:
        first = there[0]
        if there[1] - first < size:
            raise ValueError(
                f"{named_new} has {there[1] - first:,} bytes and {named_old} {size:,}: it must "
                f"have at least as many, since what points into {named_old} is to point at the "
                f"same offset in {named_new}"
            )
    if first + size - 1 > top:
        raise OverflowError(
            f"{named_new} would end at 0x{first + size:x}, beyond the target's "
            f"{8 * session.pointer_size} bits; nothing was searched"
        )
    return _Moves(array("Q", [start]), array("Q", [first]), end - 1)


def _numbers(resolver: Resolver, given: Any, what: str, top: int) -> array[int]:
    """Return one pointer or several as numbers that the target can hold."""
    faults: list[Exception] = []
    taken = take_one_or_each(given, what, faults)
    if faults:
        raise faults[0]
    if isinstance(taken, int | str):
        numbers = array("Q", [resolver.resolve(taken, what)])
    elif isinstance(taken, array):
        numbers = taken
    else:
        resolve = resolver.argument
        numbers = array(
            "Q",
            [
                each if isinstance(each, int) else resolve(each, what, at)
                for at, each in enumerate(taken)
            ],
        )
    if max(numbers) <= top:
        return numbers
    for at, number in enumerate(numbers):
        if top < number < 2**64 - 2**31:
            where = f"{what}[{at}]" if len(numbers) > 1 else what
            raise PointerRangeError(
                f"{where} is 0x{number:x}, and the target has 32-bit pointers: it is neither zero- "
                "nor sign-extended from 32 bits; nothing was searched",
                index=at,
                count=len(numbers),
            )
    return array("Q", [number & top for number in numbers])


def _other_count(found: Found, count: int) -> ExpectationError:
    spelling = IN_FORCE.get()
    dry, within = spelling.argument("dry_run", True), spelling.name("within")
    advice = f"Others may lie elsewhere: say where to search by {within}"
    if len(found) > count:
        advice = f"Integers and unused memory can be among them: narrow {within}"
    shows = f" {dry} shows them." if found else ""
    error = ExpectationError(
        f"{spelling.name('expect_count')} is {count:,}, and the search found {found}; nothing was "
        f"written.{shows} {advice}, or expect {len(found):,}",
        count=len(found),
    )
    error.found = found  # type: ignore[attr-defined]
    return error


def _entry(
    session: Target, found: Found, moves: _Moves, bits: int, pointers: array[int]
) -> ScatteredEntry:
    """Return the entry of a patch; of one pair it has two numbers, which a file shows."""
    if len(moves.old) == 1 and moves.last is None and bits == top_of(session):
        return ScatteredEntry._made(None, found.addresses, moves.new[0], moves.old[0], "")
    return ScatteredEntry._made(None, found.addresses, pointers, found.values, "")


def _write(
    session: Target,
    patch: Patch,
    found: Found,
    pointers: array[int],
    verify: bool,
    progress: Callable[[int, int], object] | None,
) -> None:
    """Write the patch in the open transaction, or in one of its own."""
    obstacle = TargetMap(session, writing=True).problem_of_any(
        found.addresses, session.pointer_size
    )
    if obstacle is not None:
        within = IN_FORCE.get().name("within")
        raise TargetAccessError(
            f"{obstacle.message}; nothing was written: part of the pointers would go on leading to "
            f"the old place. Make such pages writable first, or say where to search by {within}",
            count=len(found),
            address=found.addresses[0],
        )
    is_open = getattr(session, "_transaction", None) is not None
    transaction = None if is_open else Transaction(session, None, None)
    with nullcontext() if transaction is None else transaction:
        session.write_scattered(
            found.addresses, pointers, verify=verify, expect=found.values, progress=progress
        )
    if transaction is not None:
        patch._applied = (transaction, session)
