"""The recorded writes of a transaction as a lazy sequence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, takewhile
from typing import TYPE_CHECKING, Final, overload

from pydbgwrite._journal.files import open_again
from pydbgwrite._reports import Change
from pydbgwrite._signal_handlers import not_from_handler

if TYPE_CHECKING:
    from pydbgwrite._journal.log import JournalLog
    from pydbgwrite._journal.place import JournalPlace

__all__ = ["Changes"]

#: Elements of each change that a notebook shows.
_SHOWN: Final = 4


class Changes(Sequence[Change]):
    """The records of a log as a sequence; each record is read on access.

    After the log is closed, they are read from its journal, `place`. The file is open only
    meanwhile: else each of these sequences would keep one.
    """

    def __init__(self, log: JournalLog, place: JournalPlace | None) -> None:
        self._log = log
        self._place = place

    def __len__(self) -> int:
        return len(self._log)

    @overload
    def __getitem__(self, index: int) -> Change: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Change]: ...
    def __getitem__(self, index: int | slice) -> Change | Sequence[Change]:
        recorded = range(len(self._log))
        if isinstance(index, slice):
            return list(self._read(recorded[index]))
        if not hasattr(index, "__index__"):
            raise TypeError(
                f"an index of changes must be an integer or a slice, got {type(index).__name__}"
            )
        try:
            chosen = recorded[index]
        except not_from_handler(IndexError):
            raise IndexError(
                f"there is no change {index}: {len(recorded):,} are recorded"
            ) from None
        (change,) = self._read((chosen,))
        return change

    def __iter__(self) -> Iterator[Change]:
        # An open transaction can record more meanwhile.
        return self._read(takewhile(lambda index: index < len(self), count()))

    def __reversed__(self) -> Iterator[Change]:
        return self._read(reversed(range(len(self))))

    def _read(self, chosen: Iterable[int]) -> Iterator[Change]:
        """Yield these records. All of them that are read from the journal have it open once."""
        journal: JournalLog | None = None
        try:
            for index in chosen:
                try:
                    change = self._log.load(index, journal)
                except not_from_handler(ValueError):
                    # The transaction has ended, perhaps in another thread. Records in memory stay
                    # open.
                    assert self._place is not None
                    journal = open_again(self._place)
                    change = self._log.load(index, journal)
                yield change
        finally:
            if journal is not None:
                journal.close()

    def _repr_html_(self) -> str:
        from pydbgwrite._report.notebook import table_html
        from pydbgwrite._report.text import elements

        rows = (
            (
                each.address,
                f"{len(each.new):,}",
                elements(each.old, each.unit, _SHOWN),
                elements(each.new, each.unit, _SHOWN),
            )
            for each in self
        )
        return table_html(("address", "bytes", "old", "new"), rows, len(self))

    def __repr__(self) -> str:
        return f"<recorded changes: {len(self):,}, of {self._log.recorded_bytes:,} bytes>"
