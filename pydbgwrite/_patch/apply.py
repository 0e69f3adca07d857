"""Write a previewed patch in one transaction, and compare a target with a patch."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from pydbgwrite._patch.dry_run import LARGE
from pydbgwrite._patch.entry import PatchEntry
from pydbgwrite._patch.preview import Preview, PreviewEntry, mismatches_of, narrowed
from pydbgwrite._patch.problems import summary
from pydbgwrite.errors import (
    ExpectationError,
    Mismatch,
    PatchError,
    ReadOnlyError,
    VerificationError,
)

if TYPE_CHECKING:
    from pydbgwrite._patch.scattered import Entry
    from pydbgwrite._target import Target, _Progress, _Via
    from pydbgwrite._transactions.transaction import Transaction

__all__ = ["Step", "apply_patch", "as_shown", "one_write", "steps_of", "verify_patch"]

#: The number of pointers of small entries that one call writes.
_MOST_TOGETHER = 1 << 20
#: Smaller entries are small where a journal is synced before each call's writes. Their records take
#: less than 2 MiB, which a disk writes in about the time of a sync.
_SMALL_IF_SYNCED = 1 << 16
_MOST_MISMATCHES = 100


class Step(NamedTuple):
    """One write: contiguous pointers, or pointers at separate addresses."""

    address: int | None
    addresses: array[int]
    pointers: array[int]
    expected: int | array[int] | None

    def write(
        self, session: Target, *, via: _Via, verify: bool, progress: _Progress | None = None
    ) -> int:
        """Write it; return the number of pointers."""
        if self.address is None:
            return session.write_scattered(
                self.addresses,
                self.pointers,
                verify=verify,
                expect=self.expected,
                progress=progress,
            )
        return session.write_pointers(
            self.address,
            self.pointers,
            via=via,
            verify=verify,
            expect=self.expected,
            progress=progress,
        )

    def read(self, session: Target) -> array[int]:
        """Return what the target holds in these places."""
        if self.address is None:
            return session.read_scattered(self.addresses)
        return session.read_pointers(self.address, len(self.pointers))


def apply_patch(
    preview: Preview,
    session: Target,
    transaction: Transaction,
    *,
    via: _Via,
    verify: bool,
    progress: _Progress | None,
) -> tuple[Transaction, int]:
    """Write the whole patch, or raise."""
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, got {type(progress).__name__}")
    if via not in ("WritePointersVirtual", "WriteVirtual", "auto"):
        raise ValueError(
            f"via must be 'WritePointersVirtual', 'WriteVirtual' or 'auto', got {via!r:.60}"
        )
    if not session.writable:
        raise ReadOnlyError("the session was opened with writable=False: it can't apply a patch")
    _raise_for(preview)
    done = 0
    with transaction:
        for step in steps_of(preview, synced=transaction._is_synced(), together=via == "auto"):
            reported = None if progress is None else _shifted(progress, done, preview.pointers)
            done += step.write(session, via=via, verify=verify, progress=reported)
    return transaction, done


def steps_of(preview: Preview, *, synced: bool, together: bool = True) -> Iterator[Step]:
    """Yield the writes of a preview without problems.

    synced: a journal is synced before each. together: small entries are written together.
    """
    small = _SMALL_IF_SYNCED if synced else LARGE
    return _steps(preview, small if together else 0)


def one_write(preview: Preview) -> Step | None:
    """Return the write of a patch of numbers, if it is one write.

    It is the same for each target of this pointer size: no name and no pointer that was read
    decides it. A check of builds does depend on the target.
    """
    if not all(_is_of_numbers(each.entry) for each in preview.entries):
        return None
    steps = list(islice(steps_of(preview, synced=False), 2))
    return steps[0] if len(steps) == 1 else None


def _is_of_numbers(entry: Entry) -> bool:
    if isinstance(entry, PatchEntry):
        places = isinstance(entry.address, int)
    else:
        places = isinstance(entry.addresses, array) and not isinstance(entry.base, str)
    values = (entry.pointers, entry.expect)
    return places and all(each is None or isinstance(each, (int, array)) for each in values)


def as_shown(preview: Preview, shown: Preview) -> None:
    """Make `preview` expect what an earlier preview of the same patch shows.

    Raises ExpectationError if the target has changed, TypeError or ValueError if `shown` is no
    preview of it that found no problem.
    """
    if not isinstance(shown, Preview):
        raise TypeError(f"expect must be a Preview, got {type(shown).__name__}")
    if not shown.ok:
        raise ValueError("expect is a Preview with problems: its patch can't be applied")
    if [each.entry for each in shown.entries] != [each.entry for each in preview.entries]:
        raise ValueError("expect is a Preview of another patch")
    if not preview.ok:
        return  # apply_patch() says why
    moved: list[str] = []
    found: list[Mismatch] = []
    total = 0
    for was, now in zip(shown.entries, preview.entries, strict=True):
        assert was.addresses is not None and now.addresses is not None
        assert was.before is not None and now.before is not None
        if was.addresses != now.addresses:
            both = zip(was.addresses, now.addresses, strict=True)
            old, new = next(pair for pair in both if pair[0] != pair[1])
            moved.append(
                f"entry {now.number} was to be written at 0x{old:x}, and that place is at "
                f"0x{new:x} now"
            )
        elif was.after != now.after:
            moved.append(f"what entry {now.number} writes has another address now")
        else:
            room = _MOST_MISMATCHES - len(found)
            differ, count = mismatches_of(now.addresses, was.before, now.before, room)
            total += count
            found += differ
        # The write compares again: a process that is not suspended may change this meanwhile.
        now.expected = array("Q", was.before)
    if moved or total:
        parts = moved[:3]
        if len(moved) > 3:
            parts.append(f"{len(moved) - 3:,} more entries have moved")
        if total:
            first = found[0]
            parts.append(
                f"{total:,} of {preview.pointers:,} pointers are not what was shown; the first is "
                f"at 0x{first.address:x}: 0x{first.wanted:x} was shown, and the target holds "
                f"0x{first.found:x}"
            )
        raise ExpectationError(
            f"the target has changed since the preview: {'; '.join(parts)}; nothing was written",
            mismatches=found,
            total=total,
            address=found[0].address if found else None,
            count=preview.pointers,
        )


def _raise_for(preview: Preview) -> None:
    """Raise PatchError or ExpectationError for the problems of the preview."""
    if preview.ok:
        return
    if preview._faults:
        raise _does_not_fit(preview)
    total = preview.mismatch_total
    noun = "place does" if total == 1 else "places do"
    raise ExpectationError(
        summary(f"{total:,} {noun} not hold what the patch expects", preview.problems),
        mismatches=preview.mismatches,
        total=total,
        address=preview.mismatches[0].address,
        count=preview.pointers,
    )


def _does_not_fit(preview: Preview) -> PatchError:
    problems = preview.problems
    message = summary("the patch does not fit the target", problems)
    return PatchError(message, problems, kind=preview.kind or "patch")


def _shifted(progress: _Progress, before: int, total: int) -> _Progress:
    """Add one write's progress to the patch's total."""

    def report(done: int, _of_this: int) -> object:
        return progress(before + done, total)

    return report


def _steps(preview: Preview, most: int) -> Iterator[Step]:
    """Yield the writes in the order of the patch.

    Consecutive entries with fewer than `most` pointers become one.
    """
    pending: list[PreviewEntry] = []
    count = 0
    for each in preview.entries:
        size = each._size
        small = size < most
        # One write has expected values for all of its pointers or for none.
        if pending and (
            not small
            or count + size > _MOST_TOGETHER
            or (each.expected is None) != (pending[0].expected is None)
        ):
            yield _joined(pending)
            pending, count = [], 0
        if small:
            pending.append(each)
            count += size
        else:
            yield _single(each)
    if pending:
        yield _joined(pending)


def _single(each: PreviewEntry) -> Step:
    # Always true: the preview found no problem.
    assert each.address is not None and each.after is not None
    if each._addresses is not None:
        return Step(None, each._addresses, each.after, each.expected)
    return Step(each.address, array("Q"), each.after, each.expected)


def _joined(entries: list[PreviewEntry]) -> Step:
    if len(entries) == 1:
        return _single(entries[0])
    addresses, pointers, expected = array("Q"), array("Q"), array("Q")
    for each in entries:
        assert each.addresses is not None and each.after is not None
        size = len(each.after)
        addresses.extend(each.addresses)
        pointers.extend(each.after)
        if isinstance(each.expected, array):
            expected.extend(each.expected)
        elif each.expected is not None:
            expected.extend([each.expected] * size)
    return Step(None, addresses, pointers, expected if expected else None)


def verify_patch(preview: Preview, session: Target) -> None:
    """Raise VerificationError unless the target holds the pointers of the patch."""
    if preview._faults:
        raise _does_not_fit(preview)
    found: list[Mismatch] = []
    total = 0
    for each in preview.entries:
        before, after = each.before, each.after
        assert before is not None and after is not None and each.addresses is not None
        wanted = narrowed(after, preview.pointer_size)
        room = _MOST_MISMATCHES - len(found)
        differ, count = mismatches_of(each.addresses, wanted, before, room)
        total += count
        found += differ
    if total:
        first = found[0]
        raise VerificationError(
            f"{total:,} of {preview.pointers:,} pointers are not those of the patch; the first is "
            f"at 0x{first.address:x}: the patch has 0x{first.wanted:x}, the target "
            f"0x{first.found:x}",
            mismatches=found,
            total=total,
            address=first.address,
            count=preview.pointers,
        )
