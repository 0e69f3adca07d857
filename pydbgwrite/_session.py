"""The Session class: the compiled half, and what needs no speed."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from pydbgwrite import _core
from pydbgwrite._protection import protection_name, state_name
from pydbgwrite._regions import Module, Region

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Engine", "Session"]

#: The engine behind a session of this package's own.
Engine = str


class Session(_core.Session):
    """An open target. attach(), launch() and simulate() make one.

    A session belongs to the thread that opened it: calls from another raise WrongThreadError. Used
    as a context manager it closes itself, and the target goes on as it was found.
    """

    __slots__ = ("__weakref__",)

    @property
    def engine(self) -> Engine:
        """Which engine works behind this session: "embedded", this package's own."""
        return "embedded"

    def query(self, address: int) -> Region:
        """The region of like pages that holds address (IDebugDataSpaces2::QueryVirtual).

        A gap is a region of state "free". Raises TargetAccessError past the last region, and
        NoTargetError where there is no accessible target.
        """
        info = self.data_spaces.query_virtual(address)
        return Region(
            info.base_address,
            info.region_size,
            protection_name(info.protect),
            state_name(info.state),
        )

    def modules(self) -> list[Module]:
        """The programs and libraries in the target, by address; none in simulated memory.

        A module is a file of which code is mapped. Raises NoTargetError where the process has gone.
        """
        from pydbgwrite._linux_maps import modules_of_maps

        return modules_of_maps(self._read_maps())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.closed:
            self.close()

    def __repr__(self) -> str:
        what = self.target if self.pid is None else f"{self.target} {self.pid}"
        return f"<pydbgwrite.Session of {what}{', closed' if self.closed else ''}>"
