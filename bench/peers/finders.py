"""The finders: each searches a range of a process for one 64-bit value, as its users would.

worker.py runs them in the contestant's own process, also inside gdb, whose Python has no packages.
A finder is made for one process. find() prepares the search of a range and returns a function that
searches `calls` times and returns the nanoseconds. `found` has the addresses of the last search.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from typing import Any

from peers.ways import Cannot, Timed, looped

__all__ = ["FINDERS", "Finder"]


class Finder:
    """One contestant, attached to one process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.found: list[int] = []

    def find(self, address: int, size: int, value: int) -> Timed:
        """Prepare to search `size` bytes from `address` on."""
        raise NotImplementedError

    def _looped(self, work: Callable[[], list[int]]) -> Timed:
        def once() -> None:
            self.found = work()

        return looped(once)

    def release(self) -> None:
        """Release the process."""


class Ours(Finder):
    """This package, on all idle processors."""

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        import pydbgwrite

        self._session = pydbgwrite.attach(pid)

    def find(self, address: int, size: int, value: int) -> Timed:
        search, within = self._session.find_pointers, range(address, address + size)
        return self._looped(lambda: list(search(value, within=within).addresses))

    def release(self) -> None:
        self._session.close()


class OnOne(Ours):
    """This package, on one processor."""

    def __init__(self, pid: int) -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        super().__init__(pid)


class Drgn(Finder):
    """drgn's search_memory_u64, which finds aligned values."""

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        try:
            from drgn import Program
        except ImportError:
            raise Cannot("not installed") from None
        self._program = Program()
        self._program.set_pid(pid)

    def find(self, address: int, size: int, value: int) -> Timed:
        def work() -> list[int]:
            search = self._program.search_memory_u64(value)
            search.set_address_range(address, address + size - 1)
            return [each[0] for each in search]

        return self._looped(work)


class Frida(Finder):
    """Memory.scanSync of frida's agent, which runs in the target and looks at every byte."""

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        try:
            import frida
        except ImportError:
            raise Cannot("not installed") from None
        self._session: Any = frida.attach(pid)
        self._script: Any = self._session.create_script(
            "rpc.exports = { find(address, size, pattern) { return Memory.scanSync("
            "ptr(address), size, pattern).map(match => match.address.toString()); } };"
        )
        self._script.load()

    def find(self, address: int, size: int, value: int) -> Timed:
        pattern = value.to_bytes(8, "little").hex(" ")
        search = self._script.exports_sync.find
        return self._looped(lambda: [int(each, 16) for each in search(hex(address), size, pattern)])

    def release(self) -> None:
        self._session.detach()


class PyMemoryEditor(Finder):
    """PyMemoryEditor's search_by_value on a snapshot of the one region; it uses numpy."""

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        try:
            from PyMemoryEditor import OpenProcess
        except ImportError:
            raise Cannot("not installed") from None
        self._process = OpenProcess(pid=pid)

    def find(self, address: int, size: int, value: int) -> Timed:
        search: Any = self._process.search_by_value
        regions = [
            each
            for each in self._process.snapshot_memory_regions()
            if each.address < address + size and each.address + each.size > address
        ]
        return self._looped(lambda: list(search(int, 8, value, memory_regions=regions)))

    def release(self) -> None:
        self._process.close()


class Gdb(Finder):
    """gdb's find command, which looks at every byte."""

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        import gdb

        self._gdb: Any = gdb
        gdb.execute("set pagination off", to_string=True)
        gdb.execute(f"attach {pid}", to_string=True)

    def find(self, address: int, size: int, value: int) -> Timed:
        command = f"find /g {address:#x}, +{size}, {value:#x}"

        def work() -> list[int]:
            said = self._gdb.execute(command, to_string=True)
            return [int(each, 16) for each in re.findall(r"^0x[0-9a-f]+", said, re.MULTILINE)]

        return self._looped(work)

    def release(self) -> None:
        self._gdb.execute("detach", to_string=True)


class Scanmem(Finder):
    """The program scanmem: it searches all writable memory, and keeps what it finds."""

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        try:
            self._process = subprocess.Popen(
                ["scanmem", "-p", str(pid)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
            )
        except FileNotFoundError:
            raise Cannot("not installed") from None
        for option in ("scan_data_type int64", "alignment 8"):
            self._say(f"option {option}")
        self._reset()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    def _hear(self, end: bytes) -> str:
        assert self._process.stdout is not None
        heard = b""
        while end not in heard:
            part = self._process.stdout.read(65536)
            if not part:
                raise Cannot(heard.decode().strip().rpartition("\n")[2])
            heard += part
        return heard.decode()

    def _reset(self) -> str:
        self._say("reset")
        self._say("version")
        return self._hear(b"libscanmem version")

    def find(self, address: int, size: int, value: int) -> Timed:
        def timed(calls: int) -> int:
            took = 0
            for _ in range(calls):
                begun = time.perf_counter_ns()
                self._say(str(value))
                self._hear(b" matches.\n")
                took += time.perf_counter_ns() - begun
                self._say("list")
                said = self._reset()
                found = [int(each, 16) for each in re.findall(r"^\[ *\d+\] *(\w+),", said, re.M)]
                self.found = [each for each in found if address <= each < address + size]
            return took

        return timed

    def release(self) -> None:
        self._process.communicate()


#: The names are those of the table; the first is the baseline.
FINDERS: dict[str, type[Finder]] = {
    "pydbgwrite": Ours,
    "pydbgwrite, one processor": OnOne,
    "frida": Frida,
    "drgn": Drgn,
    "PyMemoryEditor": PyMemoryEditor,
    "scanmem": Scanmem,
    "gdb": Gdb,
}
