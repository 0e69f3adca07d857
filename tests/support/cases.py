"""The targets of the conformance suite: one EngineCase each.

A further engine adds an entry to CASES; the tests do not change. Engines that all keep the rules
may differ in some answers (the error code, forced writes to read-only pages): each such difference
is an attribute.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pydbgwrite
from pydbgwrite import Session, testing
from support.child import PAGE, RW_PAGES, pattern
from support.differences import ENGINE, SYSTEM
from support.processes import Child32, Child64, LiveChild

READ_FAULT: Final = 0x8007001E
INVALID_ADDRESS: Final = 0x800701E7
ACCESS_DENIED: Final = 0x80070005
E_FAIL: Final = 0x80004005
E_UNEXPECTED: Final = 0x8000FFFF
E_INVALIDARG: Final = 0x80070057
E_NOINTERFACE: Final = 0x80004002


@dataclass
class EngineCase:
    """An open target with areas at known addresses.

    rw holds support.child.pattern() at first and is followed by at least one unmapped page.
    peek reads the target's memory without the session. It may end the session, so it comes last in
    a test. take_away ends the target for good, as if its process was killed.
    """

    name: str
    session: Session
    pointer_size: int
    rw: int
    read_only: int
    none: int
    peek: Callable[[int, int], bytes]
    take_away: Callable[[], None]
    rw_size: int = RW_PAGES * PAGE
    page: int = PAGE
    #: A write to read_only is forced, or refused with one of refused_write.
    forces_read_only: bool = False
    #: HRESULTs for writes to memory that is mapped but not writable, and to unmapped memory.
    refused_write: frozenset[int] = frozenset({ACCESS_DENIED})
    unmapped_write: frozenset[int] = frozenset({INVALID_ADDRESS})
    #: The HRESULT of reading unmapped memory.
    unmapped_read: int = READ_FAULT
    #: Does a WriteVirtual past the end write the bytes before it, with S_OK? None: unknown.
    moves_prefix: bool | None = True
    #: False: every write is refused, as with a dump.
    writes: bool = True
    #: The answers that may differ, by their names in support.differences.
    differences: frozenset[str] = frozenset()
    #: The end of user space, where QueryVirtual's answers end too; None if it is unknown.
    user_end: int | None = None
    #: Pointers (and bytes of FillVirtual) that one test may move in one call without taking long.
    most: int = 1024
    #: Other read-only areas, by name, to which every write is refused.
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """The first address behind rw, where nothing is mapped."""
        return self.rw + self.rw_size

    def differs(self, name: str) -> bool:
        """May its answers differ in the way that support.differences lists by this name?"""
        assert name in SYSTEM or name in ENGINE, name
        return name in self.differences

    @property
    def unreadable(self) -> list[int]:
        """Addresses of memory that is mapped and can't be read."""
        return [] if self.differs("protection against reading") else [self.none]

    @property
    def unwritable(self) -> list[int]:
        """Addresses of mapped memory to which every write is refused."""
        none = [] if self.differs("protection against writing") else [self.none]
        return [*none, *self.refused.values()]

    def image(self) -> bytearray:
        """The bytes that rw holds at first."""
        return bytearray(pattern(self.rw_size))

    def pack(self, values: list[int]) -> bytes:
        """Return pointers in the target's byte form."""
        mask = (1 << 8 * self.pointer_size) - 1
        return b"".join((v & mask).to_bytes(self.pointer_size, "little") for v in values)

    def values(self, count: int, seed: int = 1) -> list[int]:
        """Return pointers that fit the target and differ from its memory and from each other."""
        odd = 0x9E3779B97F4A7C15 if self.pointer_size == 8 else 0x9E3779B1
        return [(odd * (seed + i)) % (1 << 8 * self.pointer_size) for i in range(count)]


_LINUX_USER_END: Final = {
    ("x86_64", 8): 2**47 - PAGE,
    ("x86_64", 4): 2**32 - 2 * PAGE,
    ("aarch64", 4): 2**32,
}


def _linux_user_end(pointer_size: int) -> int | None:
    """Return the end of user space; aarch64 kernels are built for 36 to 52 bits of address."""
    if (platform.machine(), pointer_size) == ("aarch64", 8):
        stack = Path("/proc/self/maps").read_text().splitlines()[-1]
        return 1 << (int(stack.partition("-")[2].split()[0], 16) - 1).bit_length()
    return _LINUX_USER_END.get((platform.machine(), pointer_size))


@contextmanager
def _simulated(pointer_size: int) -> Iterator[EngineCase]:
    rw, read_only, none = 0x10000, 0x40000, 0x50000
    session = pydbgwrite.simulate(
        [(rw, RW_PAGES * PAGE), (read_only, PAGE, "r"), (none, PAGE, "none")],
        pointer_size=pointer_size,
    )
    with session:
        session.data_spaces.write_virtual(rw, pattern(RW_PAGES * PAGE))
        yield EngineCase(
            name=f"simulated-{pointer_size}",
            session=session,
            pointer_size=pointer_size,
            rw=rw,
            read_only=read_only,
            none=none,
            peek=lambda address, size: session.data_spaces.read_virtual(address, size),
            take_away=lambda: testing.vanish(session),
            user_end=0x7FFFFFFF0000 if pointer_size == 8 else 2**32,
        )


@contextmanager
def _live(start: Callable[[], LiveChild], suspend: bool) -> Iterator[EngineCase]:
    with ExitStack() as stack:
        child = stack.enter_context(start())
        session = stack.enter_context(pydbgwrite.attach(child.pid, suspend=suspend))

        def peek(address: int, size: int) -> bytes:
            if not session.closed:
                session.close()
            return child.read(address, size)

        areas = dict(child.areas)
        yield EngineCase(
            name=f"live-{'stopped' if suspend else 'running'}-{child.pointer_size}",
            session=session,
            pointer_size=child.pointer_size,
            rw=areas.pop("rw"),
            read_only=areas.pop("read_only"),
            none=areas.pop("none"),
            peek=peek,
            take_away=child.kill,
            forces_read_only=True,
            refused=areas,
            user_end=_linux_user_end(child.pointer_size),
        )


CASES: dict[str, Callable[[], AbstractContextManager[EngineCase]]] = {
    "simulated-8": lambda: _simulated(8),
    "simulated-4": lambda: _simulated(4),
}
if sys.platform == "linux":
    CASES["live-stopped-8"] = lambda: _live(Child64, suspend=True)
    CASES["live-running-8"] = lambda: _live(Child64, suspend=False)
    CASES["live-stopped-4"] = lambda: _live(Child32, suspend=True)
    CASES["live-running-4"] = lambda: _live(Child32, suspend=False)

#: Targets that can only be read.
READ_ONLY_CASES: dict[str, Callable[[], AbstractContextManager[EngineCase]]] = {}
if sys.platform == "win32":
    from support.dbgeng_cases import READABLE, REASON, WRITABLE
    from support.dbgeng_cases import close_all as close_all
    from support.dbgeng_cases import make_room as make_room

    if REASON is None:
        CASES.update(WRITABLE)
        READ_ONLY_CASES.update(READABLE)
else:

    def close_all() -> None:
        """End the programs that cases keep between tests: there are none here."""

    def make_room(for_one: str = "") -> None:
        """Close the sessions that cases keep between tests: there are none here."""
