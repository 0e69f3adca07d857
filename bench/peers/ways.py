"""The ways to write: each is the code that a user of the package would write.

worker.py runs them in the contestant's own process, also inside gdb. So only the standard library
and numpy are imported before a way needs more. A way is made for one target. Each method prepares
one kind of work, and returns a function that does a number of calls and returns their nanoseconds.
A method raises Cannot, with the reason for the table, if the package can't do the work.

Pointers and addresses are an array('Q'). Converting them to the form that a package takes is part
of the time.
"""

from __future__ import annotations

import ctypes
import os
import time
from array import array
from collections.abc import Callable, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["WAYS", "Cannot", "Way"]

Timed = Callable[[int], int]
#: The address of pointers in a row, or the address of each pointer.
Where: TypeAlias = "int | array[int]"

#: The most ranges that one process_vm_writev takes (UIO_MAXIOV).
RANGES = 1024


class Cannot(Exception):  # noqa: N818
    """The package can't do this; the text says why."""


def looped(work: Callable[[], object]) -> Timed:
    """Return the work as a timed Python loop."""

    def timed(calls: int) -> int:
        begun = time.perf_counter_ns()
        for _ in repeat(None, calls):
            work()
        return time.perf_counter_ns() - begun

    return timed


try:
    import numpy
except ImportError:  # gdb's Python
    HAS_NUMPY = False
else:
    HAS_NUMPY = True


def in_form(pointers: Sequence[int], width: int) -> Any:
    """Return the pointers in the target's width; numpy's cast drops high bits."""
    made = pointers if isinstance(pointers, array) else array("Q", pointers)
    if width == 8:
        return made
    return numpy.frombuffer(made, "<u8").astype("<u4") if HAS_NUMPY else array("I", made)


def memory_of(made: Any) -> tuple[int, int]:
    """Return the address, and the size in bytes."""
    if isinstance(made, array):
        address, count = made.buffer_info()
        return address, count * made.itemsize
    return int(made.ctypes.data), int(made.nbytes)


class Way:
    """One contestant, attached to one process."""

    def __init__(self, pid: int, width: int) -> None:
        self.pid = pid
        self.width = width

    def contiguous(self, address: int, pointers: Sequence[int]) -> Timed:
        """Write all pointers in a row; they are a list in the case of that name."""
        raise NotImplementedError

    def scattered(self, addresses: array[int], pointers: array[int]) -> Timed:
        """Write each pointer to its own address."""
        raise NotImplementedError

    def verified(self, address: int, pointers: array[int]) -> Timed:
        """Write in a row, and verify."""
        raise Cannot("does not verify what it wrote")

    def recorded(self, where: Where, pointers: array[int], journal: str | None) -> Timed:
        """Write, in a row or each to its own address, so that it can be taken back."""
        raise Cannot("keeps nothing of what it replaces")

    def release(self) -> None:
        """Release the process, so that it can report what it holds."""


class Raw(Way):
    """process_vm_writev from C (lib/raw.c), which times itself; its pointers need no conversion."""

    def __init__(self, pid: int, width: int) -> None:
        super().__init__(pid, width)
        from lib.raw_calls import RawCalls

        self._calls = RawCalls()

    def contiguous(self, address: int, pointers: Sequence[int]) -> Timed:
        if isinstance(pointers, list):
            return self._from_list(address, pointers)
        ready = in_form(pointers, self.width)
        data, size = memory_of(ready)

        def timed(calls: int) -> int:
            assert len(ready) * self.width == size  # holds the memory
            return self._calls.write(self.pid, address, data, size, calls)

        return timed

    def _from_list(self, address: int, pointers: list[int]) -> Timed:
        def timed(calls: int) -> int:
            took = 0
            for _ in range(calls):
                begun = time.perf_counter_ns()
                made = array("Q", pointers)
                took += time.perf_counter_ns() - begun
                data, count = made.buffer_info()
                took += self._calls.write(self.pid, address, data, 8 * count)
            return took

        return timed

    def verified(self, address: int, pointers: array[int]) -> Timed:
        return self.contiguous(address, pointers)  # others verify, the baseline does not

    def recorded(self, where: Where, pointers: array[int], journal: str | None) -> Timed:
        # Others record, the baseline does not.
        if isinstance(where, array):
            return self.scattered(where, pointers)
        return self.contiguous(where, pointers)

    def scattered(self, addresses: array[int], pointers: array[int]) -> Timed:
        def timed(calls: int) -> int:
            where, what = addresses.buffer_info()[0], pointers.buffer_info()[0]
            return sum(
                self._calls.write_scattered(self.pid, where, what, len(pointers))
                for _ in range(calls)
            )

        return timed


class Ours(Way):
    """This package, by its default call."""

    def __init__(self, pid: int, width: int) -> None:
        super().__init__(pid, width)
        import pydbgwrite

        self._session = pydbgwrite.attach(pid)

    def contiguous(self, address: int, pointers: Sequence[int]) -> Timed:
        write = self._session.write_pointers
        return looped(lambda: write(address, pointers))

    def scattered(self, addresses: array[int], pointers: array[int]) -> Timed:
        write = self._session.write_scattered
        return looped(lambda: write(addresses, pointers))

    def verified(self, address: int, pointers: array[int]) -> Timed:
        write: Any = self._session.write_pointers
        return looped(lambda: write(address, pointers, verify=True))

    def recorded(self, where: Where, pointers: array[int], journal: str | None) -> Timed:
        session = self._session
        write: Any = session.write_scattered if isinstance(where, array) else session.write_pointers

        def work() -> None:
            with session.transaction(journal):
                write(where, pointers)
            if journal is not None:
                Path(journal).unlink()

        return looped(work)

    def release(self) -> None:
        self._session.close()


class Bulk(Ours):
    """This package, by the bulk call."""

    def contiguous(self, address: int, pointers: Sequence[int]) -> Timed:
        write = self._session.write_pointers
        return looped(lambda: write(address, pointers, via="WriteVirtual"))

    def scattered(self, addresses: array[int], pointers: array[int]) -> Timed:
        raise Cannot("write_scattered has no via=")

    def verified(self, address: int, pointers: array[int]) -> Timed:
        write: Any = self._session.write_pointers
        return looped(lambda: write(address, pointers, via="WriteVirtual", verify=True))

    def recorded(self, where: Where, pointers: array[int], journal: str | None) -> Timed:
        raise Cannot("records in the same way as by the default call")


class PlainCtypes(Way):
    """process_vm_writev by ctypes, with as many ranges a call as it takes."""

    def __init__(self, pid: int, width: int) -> None:
        super().__init__(pid, width)
        self._call = ctypes.CDLL(None, use_errno=True).process_vm_writev
        self._call.restype = ctypes.c_ssize_t
        size = ctypes.c_size_t
        self._call.argtypes = (
            ctypes.c_int,
            *(ctypes.c_void_p, size),
            *(ctypes.c_void_p, size),
            ctypes.c_ulong,
        )

    def _write(self, local: int, locals_: int, remote: int, remotes: int, size: int) -> None:
        if self._call(self.pid, local, locals_, remote, remotes, 0) != size:
            raise OSError(ctypes.get_errno(), "process_vm_writev")

    def contiguous(self, address: int, pointers: Sequence[int]) -> Timed:
        def work() -> None:
            ready = in_form(pointers, self.width)
            data, size = memory_of(ready)
            local, remote = array("Q", (data, size)), array("Q", (address, size))
            self._write(local.buffer_info()[0], 1, remote.buffer_info()[0], 1, size)

        return looped(work)

    def scattered(self, addresses: array[int], pointers: array[int]) -> Timed:
        count = len(pointers)

        def work() -> None:
            ranges = array("Q", bytes(16 * count))
            ranges[0::2] = addresses
            ranges[1::2] = array("Q", [8]) * count
            remote, data = ranges.buffer_info()[0], pointers.buffer_info()[0]
            for done in range(0, count, RANGES):
                run = min(RANGES, count - done)
                local = array("Q", (data + 8 * done, 8 * run))
                self._write(local.buffer_info()[0], 1, remote + 16 * done, run, 8 * run)

        return looped(work)


class PyMemoryEditor(Way):
    """PyMemoryEditor's write_process_memory, which takes bytes."""

    def __init__(self, pid: int, width: int) -> None:
        super().__init__(pid, width)
        try:
            from PyMemoryEditor import OpenProcess
        except ImportError:
            raise Cannot("not installed") from None
        self._process = OpenProcess(pid=pid)

    def contiguous(self, address: int, pointers: Sequence[int]) -> Timed:
        write = self._process.write_process_memory

        def work() -> None:
            data = in_form(pointers, self.width).tobytes()
            write(address, bytes, len(data), data)

        return looped(work)

    def scattered(self, addresses: array[int], pointers: array[int]) -> Timed:
        write = self._process.write_ulonglong

        def work() -> None:
            for address, pointer in zip(addresses, pointers, strict=True):
                write(address, pointer)

        return looped(work)

    def release(self) -> None:
        self._process.close()


class Libdebug(Way):
    """libdebug's memory view, which takes bytes."""

    def __init__(self, pid: int, width: int) -> None:
        super().__init__(pid, width)
        try:
            from libdebug import debugger
        except ImportError:
            raise Cannot("not installed") from None
        self._debugger = debugger()
        self._debugger.attach(pid)

    def contiguous(self, address: int, pointers: Sequence[int]) -> Timed:
        memory = self._debugger.memory

        def work() -> None:
            data = in_form(pointers, self.width).tobytes()
            memory[address, len(data), "absolute"] = data

        return looped(work)

    def scattered(self, addresses: array[int], pointers: array[int]) -> Timed:
        memory = self._debugger.memory

        def work() -> None:
            for address, pointer in zip(addresses, pointers, strict=True):
                memory[address, 8, "absolute"] = pointer.to_bytes(8, "little")

        return looped(work)

    def release(self) -> None:
        self._debugger.detach()
        self._debugger.terminate()


class Gdb(Way):
    """Inferior.write_memory of gdb's own Python, which takes a buffer."""

    def __init__(self, pid: int, width: int) -> None:
        super().__init__(pid, width)
        import gdb

        self._gdb: Any = gdb
        gdb.execute(f"attach {pid}", to_string=True)
        self._inferior: Any = gdb.selected_inferior()

    def contiguous(self, address: int, pointers: Sequence[int]) -> Timed:
        write = self._inferior.write_memory
        return looped(lambda: write(address, in_form(pointers, self.width)))

    def scattered(self, addresses: array[int], pointers: array[int]) -> Timed:
        write = self._inferior.write_memory

        def work() -> None:
            for address, pointer in zip(addresses, pointers, strict=True):
                write(address, pointer.to_bytes(8, "little"))

        return looped(work)

    def release(self) -> None:
        self._gdb.execute("detach", to_string=True)


#: The names are those of the table; the first is the baseline.
WAYS: dict[str, type[Way]] = {
    "C": Raw,
    "pydbgwrite": Ours,
    "pydbgwrite, WriteVirtual": Bulk,
    "ctypes": PlainCtypes,
    "PyMemoryEditor": PyMemoryEditor,
    "libdebug": Libdebug,
    "gdb": Gdb,
}

assert os.name == "posix"
