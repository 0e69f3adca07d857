"""The recorded writes of a transaction as a lazy sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, overload

from pydbgwrite._reports import Change

if TYPE_CHECKING:
    from pydbgwrite._journal.log import JournalLog

__all__ = ["Changes"]

#: Elements of each change that a notebook shows.
_SHOWN: Final = 4


class Changes(Sequence[Change]):
    """The records of a log as a sequence; each record is read on access."""

    def __init__(self, log: JournalLog) -> None:
        self._log = log

    def __len__(self) -> int:
        return len(self._log)

    @overload
    def __getitem__(self, index: int) -> Change: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Change]: ...
    def __getitem__(self, index: int | slice) -> Change | Sequence[Change]:
        chosen = range(len(self._log))[index]
        if isinstance(chosen, range):
            return [self._log.load(each) for each in chosen]
        return self._log.load(chosen)

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
