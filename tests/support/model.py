"""Simulated memory in plain Python: computes the answers that the rules require, byte by byte.

It is independent of the C code. HRESULTs are those of docs/engine.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

E_FAIL: Final = 0x80004005
READ_FAULT: Final = 0x8007001E
WRITE_FAULT: Final = 0x8007001D
INVALID_ADDRESS: Final = 0x800701E7
ACCESS_DENIED: Final = 0x80070005
TOP: Final = 2**64
FILL_BLOCK: Final = 4096
PAGE: Final = 4096


@dataclass
class ModelRegion:
    """Bytes at an address, with a protection."""

    base: int
    protection: str
    data: bytearray

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.base + len(self.data)


@dataclass
class Model:
    """A target: regions in ascending order, a pointer size, and injected faults."""

    regions: list[ModelRegion]
    width: int
    #: An address, and how many more writes to it succeed; tests inject one such fault at most.
    write_fault: tuple[int, int] | None = None
    read_faults: set[int] = field(default_factory=set)
    limit: int = 0

    def region(self, address: int) -> ModelRegion | None:
        """Return the region that holds address."""
        return next((r for r in self.regions if r.base <= address < r.end), None)

    def _refusal(self, address: int, writing: bool) -> int | None:
        """Return the error for a transfer of this byte, without regard to faults."""
        region = self.region(address) if address < TOP else None
        if region is None:
            return INVALID_ADDRESS if writing else READ_FAULT
        if region.protection == "none" or (writing and region.protection != "rw"):
            return ACCESS_DENIED if writing else READ_FAULT
        return None

    def readable(self, address: int) -> bool:
        """Can this byte be read now?"""
        return self._refusal(address, False) is None and address not in self.read_faults

    def _limited(self, size: int) -> int:
        return min(size, self.limit) if self.limit and size > 8 else size

    def put(self, address: int, data: bytes) -> tuple[int, int | None]:
        """Make one transfer to the target; return the bytes moved, and the error that ended it."""
        allowed = self._limited(len(data))
        if self.write_fault is not None:
            at, passes = self.write_fault
            if address <= at < address + allowed:
                if passes == 0:
                    allowed = at - address
                else:
                    self.write_fault = (at, passes - 1)
        for moved in range(allowed):
            refusal = self._refusal(address + moved, True)
            if refusal is not None:
                return moved, refusal
            region = self.region(address + moved)
            assert region is not None
            region.data[address + moved - region.base] = data[moved]
        return allowed, None if allowed == len(data) else WRITE_FAULT

    def get(self, address: int, size: int) -> tuple[bytes, int | None]:
        """Make one transfer from the target; return its bytes, and the error that ended it."""
        allowed = self._limited(size)
        found = bytearray()
        while len(found) < allowed and self.readable(address + len(found)):
            found.append(self.byte(address + len(found)))
        return bytes(found), None if len(found) == size else READ_FAULT

    def byte(self, address: int) -> int:
        """Return the value of a mapped byte."""
        region = self.region(address)
        assert region is not None
        return region.data[address - region.base]

    def prefix(self, address: int, size: int) -> bytes:
        """Return the leading bytes of a range that can be read."""
        found = bytearray()
        while len(found) < size and self.readable(address + len(found)):
            found.append(self.byte(address + len(found)))
        return bytes(found)

    def packed(self, value: int) -> bytes:
        """Return a pointer in the target's byte form: the engine casts."""
        return (value % (1 << 8 * self.width)).to_bytes(self.width, "little")

    def is_wide(self, value: int) -> bool:
        """Is the value too wide for a 32-bit pointer, zero- or sign-extended?"""
        return self.width == 4 and 2**32 <= value < TOP - 2**31

    def write_pointers(self, address: int, values: list[int]) -> int | None:
        """WritePointersVirtual: the HRESULT of the first pointer that fails, which is unchanged."""
        for value in values:
            data = self.packed(value)
            before = self.prefix(address, self.width) if address < TOP else b""
            if address + self.width > TOP:
                return INVALID_ADDRESS
            moved, refusal = self.put(address, data)
            if refusal is not None:
                for index in range(moved):
                    region = self.region(address + index)
                    assert region is not None
                    region.data[address + index - region.base] = before[index]
                return refusal
            address += self.width
        return None

    def read_pointers(self, address: int, count: int) -> list[int]:
        """Return the leading pointers that can be read."""
        found = self.prefix(address, count * self.width)
        whole = len(found) // self.width * self.width
        return [
            int.from_bytes(found[i : i + self.width], "little") for i in range(0, whole, self.width)
        ]

    def landed(self, address: int, form: bytes, width: int) -> int:
        """Return how many leading elements of a request the target holds, by a read back."""
        found = self.prefix(address, len(form))
        count = 0
        while (count + 1) * width <= len(found) and (
            found[count * width : (count + 1) * width] == form[count * width : (count + 1) * width]
        ):
            count += 1
        return count

    def write(self, address: int, data: bytes) -> int | None:
        """Session.write: WriteVirtual, continued behind each short write."""
        done = 0
        while done < len(data):
            moved, refusal = self.put(address + done, data[done:])
            if moved == 0:
                return refusal
            done += moved
        return None

    def fill(self, address: int, size: int, pattern: bytes) -> tuple[int, int | None]:
        """FillVirtual, block by block; stops at the first byte that can't be written."""
        data = (pattern * (size // len(pattern) + 1))[: min(size, TOP - address)]
        done = 0
        while done < len(data):
            moved, refusal = self.put(address + done, data[done : done + FILL_BLOCK])
            done += moved
            if refusal is not None:
                return done, None if done else refusal
        return done, None

    def search(self, address: int, length: int, pattern: bytes, granularity: int) -> int | None:
        """SearchVirtual, by a comparison at every address."""
        last = min(address + length, TOP) - len(pattern)
        for at in range(address, last + 1, granularity):
            if self.prefix(at, len(pattern)) == pattern:
                return at
        return None

    def query(self, address: int) -> tuple[int, int, str, str] | None:
        """QueryVirtual: base, size, protection, state; None past user space."""
        page = address - address % PAGE
        below = 0
        for region in self.regions:
            if address < region.base:
                start = max(page, below)
                return start, region.base - start, "none", "free"
            if address < region.end:
                start = max(page, region.base)
                return start, region.end - start, region.protection, "committed"
            below = region.end
        user_end = 0x7FFFFFFF0000 if self.width == 8 else 2**32
        start = max(page, below)
        return (start, user_end - start, "none", "free") if address < user_end else None

    def valid(self, base: int, size: int) -> tuple[int, int]:
        """GetValidRegionVirtual: faults do not count, protection does."""
        end = min(base + size, TOP)
        at = base
        while at < end and self._refusal(at, False) is not None:
            at += 1
        first = at
        while at < end and self._refusal(at, False) is None:
            at += 1
        return (first, at - first) if at > first else (0, 0)
