"""The conformance suite's cases over Microsoft's engine: an EngineCase for each kind of session.

Programs and servers are started once and used by many tests: a start takes longer than a test.
After a test that ends a program (take_away), the next test starts another. close_all() ends them.
Many tests also share each session through a server: to open or close one takes up to a second.
"""

from __future__ import annotations

import contextlib
import ctypes
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pydbgwrite
from support.child import PAGE, RW_PAGES, pattern
from support.differences import DBGENG, LANE, REFUSED
from support.system_memory import system_memory

if sys.platform != "win32":
    raise ImportError("Microsoft's engine is for Windows")

from support import dbgeng

PROGRAM: Final = Path(__file__).with_name("windows_child.py")
PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE = 1, 2, 4
#: The addresses of the areas: below 2 GiB for 32-bit programs; nothing is mapped around them. Wine
#: keeps free memory near other memory accessible to debuggers, but not up here.
REASON: Final = dbgeng.REASON
HIGH: Final = {8: 0x90000000, 4: 0x70000000}
#: Each process has its own layout, and now and then something lies at the place already: another
#: process is started, and then the next place is tried.
STARTS: Final = 3
FURTHER: Final = 0x8000000
PLACES: Final = 4
OWN: Final = dbgeng.OWN
REMOTE: Final = f"dbgeng-remote-{OWN}"
USER_END: Final = 0x7FFFFFFF0000

Area = tuple[int, int, int]  # address, size, PAGE_ protection


class PlaceTakenError(Exception):
    """A child could not allocate its memory at the given address."""


class WindowsChild:
    """A program with areas of memory that the system's own calls read and write."""

    def __init__(self, areas: list[Area], python: str = sys.executable) -> None:
        self.pointer_size = 0
        for _ in range(STARTS):
            self._start(areas, python)
            if self.pointer_size:
                break
            self._let_go()
        else:
            raise PlaceTakenError(f"no room at {areas[0][0]:x}: the children have said why")
        self.pid = self.process.pid
        self._system: Any = ctypes.WinDLL("kernel32")
        self._system.OpenProcess.restype = ctypes.c_void_p
        self._system.CloseHandle.argtypes = [ctypes.c_void_p]
        for name in ("ReadProcessMemory", "WriteProcessMemory"):
            getattr(self._system, name).argtypes = [
                *[ctypes.c_void_p] * 3,
                ctypes.c_size_t,
                ctypes.c_void_p,
            ]
        self._handle = self._system.OpenProcess(0x38, 0, self.pid)  # PROCESS_VM_*
        assert self._handle

    def _start(self, areas: list[Area], python: str) -> None:
        """Start the program. pointer_size stays 0 if it finds no room, which it says on stderr."""
        wishes = [f"{address:x}:{size:x}:{protection}" for address, size, protection in areas]
        self.process = subprocess.Popen(
            [python, "-I", str(PROGRAM), *wishes],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.pointer_size = int(self.process.stdout.readline() or 0)

    def read(self, address: int, size: int) -> bytes:
        """Read by ReadProcessMemory."""
        data = ctypes.create_string_buffer(size)
        assert self._system.ReadProcessMemory(self._handle, address, data, size, None), hex(address)
        return data.raw

    def write(self, address: int, data: bytes) -> None:
        """Write by WriteProcessMemory."""
        assert self._system.WriteProcessMemory(self._handle, address, data, len(data), None)

    def kill(self) -> None:
        """End it, suspended or not."""
        self.process.kill()
        self.process.wait(30)

    def close(self) -> None:
        """End it, and release all its handles and pipes."""
        self._system.CloseHandle(self._handle)
        self._let_go()

    def _let_go(self) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()


def start_child(bits: int, python: str) -> tuple[int, WindowsChild]:
    """Return the address of the areas and a child."""
    for place in range(PLACES):
        base = HIGH[bits] + (place if bits == 8 else -place) * FURTHER
        areas = [
            (base, RW_PAGES * PAGE, PAGE_READWRITE),
            (base + 0x100000, PAGE, PAGE_READONLY),
            (base + 0x200000, PAGE, PAGE_NOACCESS),
        ]
        with contextlib.suppress(PlaceTakenError):
            return base, WindowsChild(areas, python)
    raise PlaceTakenError(f"no room for a child's memory in {PLACES} places from {HIGH[bits]:x}")


class _Kept:
    """A child and the server or dump made of it, kept between tests."""

    def __init__(self, bits: int) -> None:
        self.rest = ExitStack()
        python = sys.executable
        if bits != OWN:
            assert dbgeng.PYTHON32 is not None, "the lane has no 32-bit Python"
            python = dbgeng.PYTHON32
        self.base, self.child = start_child(bits, python)
        self.rest.callback(self.child.close)
        assert self.child.pointer_size == bits
        self.options = ""
        self.dump = Path()
        self.session: pydbgwrite.Session | None = None


_kept: dict[str, _Kept] = {}


def close_all() -> None:
    """End every program that was kept."""
    while _kept:
        _kept.popitem()[1].rest.close()


def make_room(for_one: str = "") -> None:
    """Close sessions that other cases keep open: an engine has one session, except by connect()."""
    for name, kept in _kept.items():
        session = kept.session
        if name not in (for_one, REMOTE) and session is not None and not session.closed:
            session.close()


def _serve(kept: _Kept) -> None:
    kept.options = kept.rest.enter_context(dbgeng.server(kept.child.pid))[1]


def _process_server(kept: _Kept) -> None:
    kept.options = kept.rest.enter_context(dbgeng.process_server())[1]


def _write_dump(kept: _Kept) -> None:
    folder = kept.rest.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
    kept.dump = Path(folder) / "target.dmp"
    kept.child.write(kept.base, pattern(RW_PAGES * PAGE))
    dbgeng.write_dump(kept.child.pid, kept.dump)


def _nothing(kept: _Kept) -> None:
    pass


@contextmanager
def _opened(
    name: str,
    *,
    bits: int = OWN,
    width: int = OWN,
    needs: Callable[[_Kept], None] = _nothing,
    attach: Callable[[_Kept, ExitStack], pydbgwrite.Session],
    most: int = 1024,
    dump: bool = False,
    differences: frozenset[str] = frozenset(),
    keep: bool = False,
) -> Iterator[Any]:
    from support.cases import E_NOINTERFACE, READ_FAULT, EngineCase

    kept = _kept.get(name)
    if kept is None:
        kept = _Kept(bits)
        try:
            needs(kept)
        except BaseException:
            kept.rest.close()
            raise
        _kept[name] = kept
    child, base = kept.child, kept.base
    if not dump:
        child.write(base, pattern(RW_PAGES * PAGE))
        if system_memory().writes_read_only:
            child.write(base + 0x100000, bytes(PAGE))

    with ExitStack() as stack:
        session = kept.session
        if session is None or session.closed:
            make_room(name)
            session = attach(kept, kept.rest if keep else stack)
            if keep:
                kept.session = session
                kept.rest.callback(lambda: None if session.closed else session.close())
        elif not dump:
            # The engine caches what it reads through a process server, and does not read it again.
            session.write(base, pattern(RW_PAGES * PAGE))
        if not keep:
            stack.callback(lambda: None if session.closed else session.close())

        def take_away() -> None:
            child.kill()
            stack.callback(_kept.pop(name).rest.close)
            if not keep:
                stack.callback(lambda: None if session.closed else session.close())

        yield EngineCase(
            name=name,
            session=session,
            pointer_size=width,
            rw=base,
            read_only=base + 0x100000,
            none=base + 0x200000,
            peek=session.read if dump else child.read,
            take_away=take_away,
            forces_read_only=system_memory().writes_read_only,
            refused_write=REFUSED,
            unmapped_write=REFUSED,
            unmapped_read=E_NOINTERFACE if dump else READ_FAULT,
            moves_prefix=False if LANE else None,
            differences=DBGENG | differences,
            user_end=None if dump or bits == 4 else USER_END,
            most=most,
            writes=not dump,
        )


def _by_process_server(kept: _Kept, stack: ExitStack) -> pydbgwrite.Session:
    machine = stack.enter_context(pydbgwrite.process_server(kept.options))
    return machine.attach(kept.child.pid)


WRITABLE: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    f"dbgeng-{OWN}": lambda: _opened(
        f"dbgeng-{OWN}", attach=lambda kept, _: pydbgwrite.attach(kept.child.pid)
    ),
    REMOTE: lambda: _opened(
        REMOTE,
        needs=_serve,
        attach=lambda kept, _: pydbgwrite.connect(kept.options),
        most=128,
        keep=True,
    ),
    f"dbgeng-process-server-{OWN}": lambda: _opened(
        f"dbgeng-process-server-{OWN}",
        needs=_process_server,
        attach=_by_process_server,
        most=16,
        differences=frozenset({"unknown far away"}),
        keep=True,
    ),
}
READABLE: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    f"dbgeng-dump-{OWN}": lambda: _opened(
        f"dbgeng-dump-{OWN}",
        needs=_write_dump,
        attach=lambda kept, _: pydbgwrite.open_dump(kept.dump),
        most=128,
        dump=True,
        differences=frozenset({"dump ranges"}),
    ),
}
if not dbgeng.NARROW:
    # A 64-bit process that the engine treats as a 32-bit one.
    WRITABLE["dbgeng-i386-4"] = lambda: _opened(
        "dbgeng-i386-4",
        width=4,
        attach=lambda kept, _: pydbgwrite.attach(kept.child.pid, pointer_size=4),
    )
if not dbgeng.NARROW and (dbgeng.PYTHON32 is not None or LANE):  # the lane must have one
    # A program of 32 bits in a 64-bit system (WOW64).
    WRITABLE["dbgeng-wow64-4"] = lambda: _opened(
        "dbgeng-wow64-4",
        bits=4,
        width=4,
        attach=lambda kept, _: pydbgwrite.attach(kept.child.pid),
    )
