"""This package and the raw system call, as contestants.

A contestant is prepared for one target, one piece of memory and one size, so that only the write is
timed.
"""

from __future__ import annotations

import array
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from typing import Any, TypeAlias

import numpy

import pydbgwrite
from lib.raw_calls import RawCalls
from lib.targets import Target

__all__ = ["INPUTS", "Input", "Pointers", "ours", "raw_baseline"]

#: An array('Q') or a numpy array of uint64.
Pointers: TypeAlias = "array.array[int] | numpy.ndarray[Any, numpy.dtype[numpy.uint64]]"


@dataclass(frozen=True)
class Input:
    """A kind of array for the pointers."""

    name: str
    make: Callable[[bytes], Pointers]


def _array_of(data: bytes) -> Pointers:
    return array.array("Q", data)


def _numpy_of(data: bytes) -> Pointers:
    return numpy.frombuffer(data, numpy.uint64).copy()


INPUTS = (Input("array('Q')", _array_of), Input("numpy uint64", _numpy_of))


@contextmanager
def ours(target: Target, pointers: Pointers, calls: int) -> Iterator[Callable[[], float]]:
    """Time session.write_pointers, `calls` times in a Python loop, in nanoseconds a call."""
    with pydbgwrite.attach(target.pid) as session:
        write, address = session.write_pointers, target.address

        def timed() -> float:
            started = time.perf_counter_ns()
            for _ in repeat(None, calls):
                write(address, pointers)
            return (time.perf_counter_ns() - started) / calls

        yield timed


def raw_baseline(
    calls_in_c: RawCalls, target: Target, pointers: Pointers, calls: int
) -> Callable[[], float]:
    """Time process_vm_writev of the same memory, `calls` times in C, in nanoseconds a call."""
    same_memory = numpy.asarray(pointers)  # timed() holds it, and with it the memory

    def timed() -> float:
        data, size = same_memory.ctypes.data, same_memory.nbytes
        return calls_in_c.write(target.pid, target.address, data, size, calls) / calls

    return timed
