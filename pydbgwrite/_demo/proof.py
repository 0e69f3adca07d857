"""Compute what the demo's child must report, without the child's code.

The numbers are those of csrc/demo/demo_target.c; the arithmetic is modulo 2**64 there and here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "KINDS",
    "ObjectsProof",
    "Proof",
    "expected_objects_proof",
    "expected_proof",
    "first_objects",
    "original_table",
]

#: Functions of each table: 0 to 7 are the originals, 8 to 15 the replacements, 16 to 23 those of
#: the table that objects move to.
KINDS: Final = 8
TABLES: Final = 3

_MASK: Final = 2**64 - 1
_MIX: Final = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST_SHIFT: Final = 31
_HASH_STEP: Final = 0x100000001B3

#: The value that each function mixes in.
_NUMBERS: Final = np.array(
    [(number + 1) * 0x9E3779B97F4A7C15 & _MASK for number in range(TABLES * KINDS)], dtype=np.uint64
)

#: Table slots in one block: few enough for the processor's cache.
_BLOCK: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of calling through the whole table: a checksum, and calls by function kind."""

    checksum: int
    originals: int
    replacements: int

    def __str__(self) -> str:
        return (
            f"checksum 0x{self.checksum:016x}, {self.originals:,} calls to original and "
            f"{self.replacements:,} to replacement functions"
        )


@dataclass(frozen=True, slots=True)
class ObjectsProof:
    """The result of calling through all objects: a checksum, and calls by table."""

    checksum: int
    calls: tuple[int, int, int]

    def __str__(self) -> str:
        first, second, third = self.calls
        return (
            f"checksum 0x{self.checksum:016x}, {first:,} calls through the first, {second:,} "
            f"through the second and {third:,} through the third table"
        )


def original_table(count: int) -> npt.NDArray[np.uint8]:
    """Return the numbers of the functions in the child's original table."""
    return np.resize(np.arange(KINDS, dtype=np.uint8), count)


def first_objects(count: int) -> npt.NDArray[np.uint8]:
    """Return the numbers of the functions that the child's objects reach at first."""
    return np.resize(np.arange(2 * KINDS, dtype=np.uint8), count)


def expected_proof(functions: npt.NDArray[np.uint8]) -> Proof:
    """Return the proof of a table with these function numbers."""
    replacements = int(np.count_nonzero(functions >= KINDS))
    return Proof(_checksum(functions), len(functions) - replacements, replacements)


def expected_objects_proof(functions: npt.NDArray[np.uint8]) -> ObjectsProof:
    """Return the proof of objects that reach the functions with these numbers."""
    first, second, third = np.bincount(functions // KINDS, minlength=TABLES).tolist()
    return ObjectsProof(_checksum(functions), (first, second, third))


def _checksum(functions: npt.NDArray[np.uint8]) -> int:
    # Weights of a block's values in the polynomial: step**(_BLOCK - 1), ..., step, 1.
    weights = np.full(_BLOCK, _HASH_STEP, dtype=np.uint64)
    weights[0] = 1
    weights = np.multiply.accumulate(weights)[::-1]
    checksum = 0
    for start in range(0, len(functions), _BLOCK):
        block = functions[start : start + _BLOCK]
        values = np.arange(start, start + len(block), dtype=np.uint64) + _NUMBERS[block]
        for shift, factor in _MIX:
            values ^= values >> np.uint64(shift)
            values *= np.uint64(factor)
        values ^= values >> np.uint64(_LAST_SHIFT)
        values *= weights[_BLOCK - len(block) :]
        total = int(np.sum(values, dtype=np.uint64))
        checksum = (checksum * pow(_HASH_STEP, len(block), _MASK + 1) + total) & _MASK
    return checksum
