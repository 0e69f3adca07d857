"""The demonstration of retarget(): all objects of a running process move to another table.

run_retarget() starts a child whose objects point to one of two tables of functions, as objects of a
class point to its table of virtual functions. Session.retarget() finds these pointers and makes
them point to a third table. The child then calls a function of each object through its table and
reports the result. What it must report is computed here, without the child's code.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final

import numpy as np

from pydbgwrite._demo.checks import check_before, engine_name, memory_for, verify
from pydbgwrite._demo.process import ObjectsChild
from pydbgwrite._demo.proof import KINDS, ObjectsProof, expected_objects_proof, first_objects
from pydbgwrite._opening.api import attach

__all__ = ["RetargetResult", "run_retarget"]

#: Bytes for each pointer: the object, what is found, written and recorded of it, and its number.
_BYTES_PER_POINTER: Final = 16 + 8 * 10 + 2


@dataclass(frozen=True, slots=True)
class RetargetResult:
    """The result of the demo.

    Attributes:
        pid: of the child. engine: its name, and the version of Microsoft's.
        address, bytes: where its objects are.
        pointers: how many were found and replaced.
        seconds: the time of the retarget() call alone.
        before, after: the child's own proofs; after is None if there is none.
        problem: why the result is not verified; None if it is.
    """

    pid: int
    engine: str
    address: int
    bytes: int
    pointers: int
    seconds: float
    before: ObjectsProof
    after: ObjectsProof | None
    problem: str | None

    @property
    def verified(self) -> bool:
        """True if the child proved that each object points to the third table."""
        return self.problem is None


def run_retarget(
    pointers: int,
    *,
    progress: Callable[[int, int], object] | None = None,
    waiting: Callable[[str], AbstractContextManager[object]] = nullcontext,
) -> RetargetResult:
    """Start a child with that many objects, move all to another table, and verify the result.

    progress: handed on to retarget(). waiting: opens a context around each wait for the child, for
    what it does meanwhile.

    Raises ValueError for a number below 1 or one that takes more memory than there is,
    NoTargetError when the child did not start or ended too soon, DemoError when its objects were
    wrong from the start, and what attach() and retarget() raise.
    """
    with memory_for(pointers, _BYTES_PER_POINTER):
        return _run(pointers, progress, waiting)


def _run(
    pointers: int,
    progress: Callable[[int, int], object] | None,
    waiting: Callable[[str], AbstractContextManager[object]],
) -> RetargetResult:
    functions = first_objects(pointers)
    with ObjectsChild(pointers) as child:
        with waiting("the child makes its objects and calls through them"):
            target = child.objects()
            before = child.prove()
        expected = expected_objects_proof(functions)
        check_before("objects", before, expected)
        first, second, third = target.tables
        with attach(child.pid) as session:
            started = time.perf_counter()
            done = session.retarget(
                [first, second],
                third,
                within=range(target.address, target.address + target.size),
                expect_count=pointers,
                progress=progress,
            )
            seconds = time.perf_counter() - started
            engine = engine_name(session.engine)
        moved = functions % np.uint8(KINDS) + np.uint8(2 * KINDS)
        with waiting("the child calls through its objects"):
            after, problem = verify(child, expected_objects_proof(moved))
    return RetargetResult(
        pid=child.pid,
        engine=engine,
        address=target.address,
        bytes=target.size,
        pointers=done.written,
        seconds=seconds,
        before=before,
        after=after,
        problem=problem,
    )
