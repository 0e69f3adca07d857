"""The recorded writes of a transaction as a lazy sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, overload

from pydbgwrite._journal.files import open_to_read
from pydbgwrite._reports import Change
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import JournalError

if TYPE_CHECKING:
    from pydbgwrite._journal.log import JournalLog
    from pydbgwrite._journal.place import JournalPlace

__all__ = ["Changes"]

#: Elements of each change that a notebook shows.
_SHOWN: Final = 4


class Changes(Sequence[Change]):
    """The records of a log as a sequence; each record is read on access.

    After the log is closed, they are read from its journal, `place`.
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
        chosen = range(len(self._log))[index]
        if isinstance(chosen, range):
            return [self._load(each) for each in chosen]
        return self._load(chosen)

    def _load(self, index: int) -> Change:
        try:
            return self._log.load(index)
        except not_from_handler(ValueError):
            # The transaction has ended, perhaps in another thread. Records in memory stay open.
            assert self._place is not None
        log = open_to_read(self._place)
        if len(log) != len(self._log):
            raise JournalError(f"{log.name} is not the transaction's journal any more")
        self._log = log
        return log.load(index)

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
