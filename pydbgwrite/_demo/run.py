"""The demonstration: rewrite a table of function pointers inside a real, running process.

run_demo() starts a child that calls through its table and reports the result. It then rewrites
the whole table from outside, in one write_pointers() call, lets the child go on, and has it call
through its table again. What the child must report is computed here, without the child's code:
only where the two agree, before and after, has the write been verified.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from pydbgwrite._demo.checks import check_before, engine_name, memory_for, verify
from pydbgwrite._demo.process import DemoChild
from pydbgwrite._demo.proof import KINDS, Proof, expected_proof, original_table
from pydbgwrite._opening.api import attach

__all__ = ["DEFAULT_POINTERS", "DemoResult", "Proof", "run_demo"]

DEFAULT_POINTERS: Final = 1_000_000

#: Bytes for each pointer: the child's table, the new values, two arrays of function numbers.
_BYTES_PER_POINTER: Final = 8 + 8 + 2


@dataclass(frozen=True, slots=True)
class DemoResult:
    """The result of the demo.

    Attributes:
        pid: of the child. engine: its name, and the version of Microsoft's.
        address: of the table in the child.
        pointers, bytes: how much was written.
        via: the engine's method. Microsoft's writes one pointer after another in
            WritePointersVirtual, so there the table is written by WriteVirtual.
        seconds: the time of the write_pointers() call alone.
        before, after: the child's own proofs; after is None if there is none.
        problem: why the write is not verified; None if it is.
    """

    pid: int
    engine: str
    address: int
    pointers: int
    bytes: int
    via: str
    seconds: float
    before: Proof
    after: Proof | None
    problem: str | None

    @property
    def verified(self) -> bool:
        """True if the child proved that its table holds the written pointers."""
        return self.problem is None


def run_demo(
    pointers: int = DEFAULT_POINTERS,
    *,
    progress: Callable[[int, int], object] | None = None,
    waiting: Callable[[str], AbstractContextManager[object]] = nullcontext,
) -> DemoResult:
    """Start a child, rewrite its table of `pointers` function pointers, and verify the result.

    progress: handed on to write_pointers(). waiting: opens a context around each wait for the
    child, for what it does meanwhile.

    Raises ValueError for a number below 1 or one that takes more memory than there is,
    NoTargetError when the child did not start or ended too soon, DemoError when its table was
    wrong from the start, and what attach() and write_pointers() raise.
    """
    with memory_for(pointers, _BYTES_PER_POINTER):
        return _run(pointers, progress, waiting)


def _run(
    pointers: int,
    progress: Callable[[int, int], object] | None,
    waiting: Callable[[str], AbstractContextManager[object]],
) -> DemoResult:
    # Random, so that the child can't know it: no old table passes for the new one.
    chosen = np.random.default_rng().integers(KINDS, 2 * KINDS, size=pointers, dtype=np.uint8)
    with DemoChild(pointers) as child:
        with waiting("the child makes its table and calls through it"):
            target = child.table()
            before = child.prove()
        expected = expected_proof(original_table(pointers))
        check_before("functions", before, expected)
        table = np.array(target.functions, dtype=np.uint64)[chosen]
        with attach(child.pid) as session:
            engine, pointer_size = engine_name(session.engine), session.pointer_size
            via: Literal["WritePointersVirtual", "WriteVirtual"] = (
                "WritePointersVirtual" if engine == "embedded" else "WriteVirtual"
            )
            started = time.perf_counter()
            written = session.write_pointers(target.address, table, via=via, progress=progress)
            seconds = time.perf_counter() - started
        del table
        with waiting("the child calls through its new table"):
            after, problem = verify(child, expected_proof(chosen))
    return DemoResult(
        pid=child.pid,
        engine=engine,
        address=target.address,
        pointers=written,
        bytes=written * pointer_size,
        via=via,
        seconds=seconds,
        before=before,
        after=after,
        problem=problem,
    )
