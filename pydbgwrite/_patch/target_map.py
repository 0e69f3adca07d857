"""Can a range be read and written, according to the target's memory map?"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from pydbgwrite._messages.linux import force_override
from pydbgwrite._messages.spelling import IN_FORCE
from pydbgwrite._processes import with_program
from pydbgwrite._regions import protection_name, state_name
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.regions import NARROW_LIMIT, may_be_undescribed
from pydbgwrite.errors import DebugEngineError, TargetAccessError

if TYPE_CHECKING:
    from pydbgwrite._core import MemoryBasicInformation
    from pydbgwrite._target import Target

__all__ = ["Obstacle", "TargetMap"]

_MEM_COMMIT: Final = 0x1000
_MEM_MAPPED: Final = 0x40000  # shared


class Obstacle(NamedTuple):
    """Why a range can't be used, and whether it can be read."""

    message: str
    readable: bool


class TargetMap:
    """The target's memory map, queried on demand in ascending order (QueryVirtual).

    Where an engine has no map (a kernel target) there are no obstacles here: reading finds them.
    Code pages on Windows are no obstacle, since WriteProcessMemory unprotects them itself.
    """

    def __init__(self, session: Target, writing: bool) -> None:
        self._session = session
        self._query = session.data_spaces.query_virtual
        self._writing = writing and session.target != "dump"
        self._forces = session._embedded and session.pid is not None
        self._forbidden = self._forces and force_override() == "never"
        self._dbgeng = not session._embedded
        self._known = session.target != "kernel"
        self._remote = session.target == "remote"
        regions = IN_FORCE.get().function("session.regions")
        #: What lists the memory; said once, since a patch can have a million such problems.
        self._hint = f"; {regions} lists what is" if regions else ""
        self._pid = session.pid if session._embedded else None
        #: The last run of pages, and its fault.
        self._start = self._end = 0
        self._fault: Obstacle | None = None

    def problem(self, address: int, size: int) -> Obstacle | None:
        """Return why these bytes can't be read or written, or None if no reason is known."""
        end = address + size
        at = address
        while self._known and at < end:
            if not self._start <= at < self._end:
                self._look(at)
            if self._fault is not None:
                message, readable = self._fault
                return Obstacle(f"0x{at:x} {message}", readable and at == address)
            at = max(self._end, at + 1)
        return None

    def problem_of_any(self, addresses: Sequence[int], size: int) -> Obstacle | None:
        """Return the first reason for values of this size at ascending addresses, or None."""
        first: Obstacle | None = None
        readable, total, at = True, 0, 0
        while self._known and at < len(addresses):
            found = self.problem(addresses[at], size)
            # What holds for this value holds for all in the pages that were looked at last.
            if found is None:
                at = bisect_left(addresses, self._end - size + 1, at + 1)
                continue
            behind = bisect_left(addresses, self._end, at + 1)
            first = first or found
            readable = readable and found.readable
            total += behind - at
            at = behind
        if first is None:
            return None
        of = f" ({total:,} of {len(addresses):,} pointers are in such places)" if total > 1 else ""
        return Obstacle(first.message + of, readable)

    def _look(self, at: int) -> None:
        try:
            info = self._query(at)
        except not_from_handler(TargetAccessError):
            if may_be_undescribed(self._session, at):
                self._start, self._end, self._fault = at, NARROW_LIMIT, None
                return
            self._start, self._end = at, at + 1
            self._fault = Obstacle("is outside of the target's address space", False)
        except not_from_handler(DebugEngineError):
            # A server's target can be a kernel. If the server is gone, reading says so.
            if not self._remote:
                raise
            self._known = False
            self._fault = None
        else:
            self._start = info.base_address
            self._end = info.base_address + info.region_size
            self._fault = self._fault_of(info)

    def _fault_of(self, info: MemoryBasicInformation) -> Obstacle | None:
        if info.state != _MEM_COMMIT:
            state = state_name(info.state)
            if state == "free":
                hint, self._hint = self._hint, ""
                where = "" if self._pid is None else f" in {with_program(self._pid)}"
                return Obstacle(f"is not mapped{where}{hint}", False)
            return Obstacle(f"is {state} memory", False)
        name = protection_name(info.protect)
        if "r" not in name and not (self._dbgeng and name == "x"):
            return Obstacle(f"is in a page with protection '{name}', which can't be read", False)
        message = self._refusal(name, info.type == _MEM_MAPPED) if self._writing else None
        return None if message is None else Obstacle(message, True)

    def _refusal(self, name: str, shared: bool) -> str | None:
        """Return why a readable page can't be written, or None."""
        if name.endswith("+guard"):
            return "is in a guard page, which can't be written before the program has accessed it"
        if "w" in name or (self._dbgeng and "x" in name):
            return None
        page = f"is in a page with protection '{name}', which can't be written to"
        if not self._forces:
            return page
        if shared:
            return f"is in a shared page with protection '{name}': a write to it can't be forced"
        return f"{page}: this kernel forbids forced writes" if self._forbidden else None
