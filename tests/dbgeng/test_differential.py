"""The same calls on Microsoft's engine and on the embedded one: answers and memory must agree.

A seed makes a sequence of calls: raw ones, and a session's own in bulk and scattered. The test
compares each call's outcome (the answer, or the class of its HRESULT) and the memory afterwards;
support.differences names the permitted differences. A sequence that disagrees is reduced to the
calls that are needed, and printed with its seed; set PYDBGWRITE_DIFFERENTIAL_SEED to run that seed
alone, or call replay() with the printed calls.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from support.child import PAGE, pattern
from support.dbgeng import needs_64_bit, needs_engine
from support.differences import DBGENG, REFUSED

import pydbgwrite
from pydbgwrite import DebugEngineError, Session

pytestmark = [needs_engine, needs_64_bit]

BASE = 0x90000000
#: Address, size, protection: adjacent areas of different protection, gaps, and a gap at the end.
AREAS = [
    (BASE, 16 * PAGE, "rw"),
    (BASE + 0x10000, PAGE, "r"),
    (BASE + 0x20000, 4 * PAGE, "rw"),
    (BASE + 0x30000, PAGE, "none"),
    (BASE + 0x40000, 2 * PAGE, "rw"),
]
EDGES = sorted({edge for base, size, _ in AREAS for edge in (base, base + size)})
#: The start of user space: a program has a mapping near it.
LOWEST = 0x10000
#: For queries alone if "free memory" differs.
TOP = [0x7FFFFFFE0000, 0x7FFFFFFEFFFF]
FAR = [
    *(0, 0x10, 0x7FFFFFFF0000, 2**47, 2**63, 0xFFFFFFFF80000000),
    *(2**64 - 4096, 2**64 - 9, 2**64 - 8, 2**64 - 4, 2**64 - 1),
]
ODD = [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**32, 0xFFFFFFFF80000000, 2**63, 2**64 - 1]
PROTECTIONS = {"rw": 4, "r": 2, "none": 1}
SEEDS = {"quick": 500, "full": 5000}
IN_ONE_TEST = 25

WAYS_TO_WRITE = ["WriteVirtual", "WriteVirtual", "auto", "WritePointersVirtual"]
WAYS_TO_READ = ["ReadVirtual", "ReadVirtual", "auto", "ReadPointersVirtual"]
#: A session's own methods, and the names of their arguments after the first two.
SESSION = {
    "write_pointers": ("via", "truncate", "verify", "expect"),
    "read_pointers": ("via",),
    "write_scattered": ("spans", "truncate", "verify", "expect"),
    "read_scattered": (),
}

#: A method of DataSpaces or of Session, and its arguments.
Operation = tuple[str, tuple[Any, ...]]


@dataclass
class Pair:
    """A program with the areas, and its only session of dbgeng."""

    child: Any
    session: Session | None = None

    def dbgeng(self, width: int) -> Session:
        """Return the session with pointers of that width."""
        if self.session is None or self.session.pointer_size != width:
            self.close()
            self.session = pydbgwrite.attach(self.child.pid, pointer_size=width)
        return self.session

    def close(self) -> None:
        """Close the session."""
        if self.session is not None:
            self.session.close()
            self.session = None


def place(random_: random.Random) -> int:
    """Return an address near an edge, at a page or anywhere in an area, or an unmapped one."""
    kind = random_.random()
    if kind < 0.08:
        return random_.choice(FAR if "free memory" in DBGENG else [*FAR, *TOP])
    if kind < 0.5:
        return random_.choice(EDGES) + random_.randint(-40, 16)
    base, size, _ = random_.choice(AREAS)
    if kind < 0.7:
        return base + random_.randrange(0, size, 8)
    return base + random_.randrange(size)


def make(seed: int) -> tuple[int, list[Operation]]:
    """Return the width and the calls of one sequence."""
    random_ = random.Random(seed)
    made: list[Operation] = []

    def values() -> list[int]:
        count = random_.choice([0, 1, 2, 3, random_.randint(4, 24)])
        return [
            random_.choice(ODD) if random_.random() < 0.3 else random_.getrandbits(64)
            for _ in range(count)
        ]

    def data(most: int) -> bytes:
        return random_.randbytes(random_.choice([0, 1, 2, 7, 8, random_.randint(1, most)]))

    def places() -> list[int]:
        """For scattered calls: adjacent places in any order, some twice, sometimes a bad one."""
        base, size, _ = random_.choice([each for each in AREAS if each[2] == "rw"])
        near = base + random_.randrange(size - 600)
        found = [near + random_.choice([8, 8, 8, 4, 5]) * each for each in range(24)]
        found += [random_.choice(found) + random_.choice([0, 0, 0, 3]) for _ in range(6)]
        found += [base + random_.randrange(0, size - 8, 8) for _ in range(6)]
        if random_.random() < 0.3:
            found.append(place(random_))
        random_.shuffle(found)
        return found[: random_.choice([0, 1, 2, 9, 40])]

    def checks() -> tuple[bool, int | None]:
        """Return verify and expect; the expected value is mostly not in memory."""
        return random_.random() < 0.5, random_.choice([None, None, None, 0, 2**40])

    def again(operation: Operation) -> Operation:
        """Return the same write again, which expects the values of the first one."""
        name, (where, old, way, truncate, _, _) = operation
        new = [random_.getrandbits(64) for _ in old]
        return name, (where, new, way, truncate, True, old)

    def own() -> Operation:
        """Return one of a session's own calls."""
        name = random_.choice([*SESSION, "write_pointers", "write_scattered"])
        if name == "write_pointers":
            way, truncate = random_.choice(WAYS_TO_WRITE), random_.random() < 0.9
            return name, (place(random_), values(), way, truncate, *checks())
        if name == "read_pointers":
            return name, (place(random_), random_.randint(0, 30), random_.choice(WAYS_TO_READ))
        where = places()
        if name == "read_scattered":
            return name, (where,)
        new = [random_.getrandbits(64) for _ in where]
        return name, (where, new, random_.random() < 0.7, random_.random() < 0.9, *checks())

    def one() -> Operation:
        if random_.random() < 0.3:
            return own()
        at = place(random_)
        name = random_.choice(
            ["write_pointers_virtual"] * 5
            + ["read_pointers_virtual"] * 3
            + ["write_virtual", "write_virtual_uncached", "read_virtual", "read_virtual_uncached"]
            + ["fill_virtual", "search_virtual", "query_virtual", "query_virtual"]
            + ["get_valid_region_virtual", "get_next_differently_valid_offset_virtual"]
            + ["is_pointer_64bit", "read_physical", "write_physical"]
        )
        arguments: tuple[Any, ...]
        if name == "write_pointers_virtual":
            arguments = (at, values())
        elif name == "read_pointers_virtual":
            arguments = (at, random_.choice([0, 1, 2, random_.randint(3, 30)]))
        elif name.startswith("write_virtual"):
            arguments = (at, data(300))
        elif name.startswith("read_virtual"):
            arguments = (at, random_.choice([0, 1, 8, random_.randint(1, 9000)]))
        elif name == "fill_virtual":
            arguments = (at, random_.choice([0, 1, random_.randint(2, 60)]), data(9))
        elif name == "search_virtual":
            granularity = random_.choice([0, 1, 1, 1, 2, 4])
            wanted = data(6)
            if random_.random() < 0.5:
                start = random_.randrange(1000)
                wanted = pattern(2000)[start : start + random_.choice([0, 2, 4, 8])]
            arguments = (at, random_.choice([0, 3, 200, 0x12000]), wanted, granularity)
        elif name == "get_valid_region_virtual":
            arguments = (at, random_.choice([0, 1, 100, 0x5000, 0x25000]))
        elif name == "read_physical":
            arguments = (at, 8)
        elif name == "write_physical":
            arguments = (at, b"12345678")
        elif name == "is_pointer_64bit":
            arguments = ()
        elif name == "query_virtual":
            arguments = (random_.choice([at, at, at, at, *TOP]),)
        else:
            arguments = (at,)
        return name, arguments

    width = random_.choice([8, 8, 4])
    for _ in range(random_.randint(3, 12)):
        made.append(one())
        name, arguments = made[-1]
        if name in ("write_pointers", "write_scattered") and random_.random() < 0.4:
            made.append(again(made[-1]))
        if name == "write_scattered":
            made.append(("read_scattered", (arguments[0],)))
        elif name.startswith("write_") and "physical" not in name and random_.random() < 0.6:
            made.append(("read_pointers_virtual", (arguments[0], max(1, len(arguments[1]) // 2))))
    return width, made


def length(operation: Operation, width: int) -> int:
    """Return the number of bytes from its address on that the call may touch."""
    name, arguments = operation
    if name in ("write_pointers_virtual", "write_pointers"):
        return len(arguments[1]) * width
    if name in ("read_pointers_virtual", "read_pointers"):
        return int(arguments[1]) * width
    if name.startswith("write_virtual"):
        return len(arguments[1])
    if len(arguments) > 1 and isinstance(arguments[1], int):
        return int(arguments[1])
    return 0


def excuse(operation: Operation, width: int) -> str | None:
    """Return the difference that permits a disagreement, or None if the engines must agree."""
    name, arguments = operation
    size = length(operation, width)
    if name.endswith("scattered"):
        spans = [(each, min(each + width, 2**64)) for each in arguments[0]]
    elif size == 0 and name.startswith("write_virtual") and "empty writes" in DBGENG:
        return "empty writes"
    elif size == 0 or "physical" in name:
        return None
    else:
        spans = [(arguments[0], min(arguments[0] + size, 2**64))]
    writes = name.startswith(("write", "fill"))
    for base, extent, protection in AREAS:
        touched = [start for start, end in spans if start < base + extent and base < end]
        if touched and protection == "none" and "protection against reading" in DBGENG:
            return "protection against reading"  # a write is read back
        if touched and protection != "rw" and writes:
            if "protection against writing" in DBGENG:
                return "protection against writing"
            begins = min(touched) >= base and not name.endswith("scattered")
            if "protection of later pages" in DBGENG and not begins:
                return "protection of later pages"
    if "far addresses" in DBGENG and name == "fill_virtual" and arguments[0] >= 0x7FFFFFFF0000:
        return "far addresses"
    if name == "get_valid_region_virtual" and spans[0][0] < LOWEST < spans[0][1]:
        return "other mappings"
    if "short WriteVirtual" in DBGENG and name.startswith("write_virtual"):
        start, end = spans[0]
        inside = [base <= start and end <= base + extent for base, extent, _ in AREAS]
        begins = [base <= start < base + extent for base, extent, _ in AREAS]
        if any(begins) and not any(inside):
            return "short WriteVirtual"
    return None


def outcome(session: Session, operation: Operation) -> Any:
    """Return the answer, or the HRESULT's class; for an error with a count, also the count."""
    name, arguments = operation
    try:
        if name in SESSION:
            first = 1 if name == "read_scattered" else 2
            others = dict(zip(SESSION[name], arguments[first:], strict=True))
            answer = getattr(session, name)(*arguments[:first], **others)
            return ("answer", answer if isinstance(answer, int) else list(answer))
        answer = getattr(session.data_spaces, name)(*arguments)
    except ValueError as error:
        return ("refused", str(error))
    except DebugEngineError as error:
        if name in SESSION:  # a session may choose which call of the engine it makes
            found = getattr(error, "mismatches", None), getattr(error, "total", None)
            return ("error", type(error), error.written, error.index, error.address, *found)
        kind: object = error.hresult
        far = error.hresult == 0x80070057 and isinstance(error, pydbgwrite.TargetAccessError)
        if error.hresult in REFUSED or far:
            kind = "refused by the system"  # the difference "Win32 error numbers"
        return ("error", kind, error.written, error.method)
    if name == "read_pointers_virtual":
        return ("answer", list(answer))
    return ("answer", answer)


def alike(operation: Operation, dbgeng: Any, embedded: Any, width: int) -> bool:
    """Return whether both outcomes agree, except for the named differences."""
    if operation[0] != "query_virtual" or dbgeng[0] != embedded[0] or dbgeng[0] == "error":
        far = operation[0] == "query_virtual" and operation[1][0] >= 2**32
        return dbgeng == embedded or (far and width == 4)  # "narrow user space"
    ours, theirs = embedded[1], dbgeng[1]
    if ours.state != 0x10000 or theirs.state != 0x10000:
        return bool(ours == theirs)
    # "other mappings": the process has more of them, so its gap may end sooner.
    same = all(
        getattr(ours, each) == getattr(theirs, each)
        for each in ("base_address", "allocation_base", "allocation_protect", "protect", "type")
    )
    if width == 4 and ours.base_address + ours.region_size == 2**32:
        return same  # "narrow user space"
    return same and bool(theirs.region_size <= ours.region_size)


def run(pair: Pair, width: int, operations: list[Operation]) -> str | None:
    """Run a sequence on both engines; return the disagreement, or None if they agree."""
    visible = [
        (base, size)
        for base, size, protection in AREAS
        if protection != "none" or "protection against reading" in DBGENG
    ]
    with pydbgwrite.simulate(AREAS, pointer_size=width) as embedded:
        dbgeng = pair.dbgeng(width)
        for base, size, protection in AREAS:
            if protection == "rw":
                pair.child.write(base, pattern(size))
                embedded.data_spaces.write_virtual(base, pattern(size))
        for number, operation in enumerate(operations):
            if excuse(operation, width) is not None:
                continue
            theirs, ours = outcome(dbgeng, operation), outcome(embedded, operation)
            if not alike(operation, theirs, ours, width):
                return f"call {number}, {operation}:\n  dbgeng  {theirs}\n  embedded {ours}"
        for base, size in visible:
            held = pair.child.read(base, size)
            protection = next(each for at, _, each in AREAS if at == base)
            ours_held = bytes(size) if protection == "none" else embedded.read(base, size)
            if held != ours_held:
                at = next(i for i in range(size) if held[i] != ours_held[i])
                return (
                    f"memory at 0x{base + at:x}: dbgeng {held[at : at + 16].hex()}, "
                    f"embedded {ours_held[at : at + 16].hex()}"
                )
    return None


def shortest(pair: Pair, width: int, operations: list[Operation]) -> list[Operation]:
    """Return the calls that a failing sequence needs to fail."""
    at = len(operations) - 1
    while at >= 0:
        fewer = operations[:at] + operations[at + 1 :]
        if run(pair, width, fewer) is not None:
            operations = fewer
        at -= 1
    return operations


def check(pair: Pair, seed: int) -> None:
    """Run the sequence of a seed, and report the details if the engines disagree."""
    width, operations = make(seed)
    if run(pair, width, operations) is not None:
        fewest = shortest(pair, width, operations)
        pytest.fail(
            f"seed {seed}: {run(pair, width, fewest)}\n"
            f"replay(pair, {width}, {fewest!r})\n"
            f"PYDBGWRITE_DIFFERENTIAL_SEED={seed} runs it alone",
            pytrace=False,
        )


def replay(pair: Pair, width: int, operations: list[Operation]) -> None:
    """Run the calls that a failure has printed."""
    assert run(pair, width, operations) is None


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Yield one program for all sequences."""
    from support.dbgeng_cases import WindowsChild

    child = WindowsChild([(base, size, PROTECTIONS[kind]) for base, size, kind in AREAS])
    both = Pair(child)
    try:
        yield both
        both.close()
    finally:
        child.close()


CHOSEN = os.environ.get("PYDBGWRITE_DIFFERENTIAL_SEED")
PROFILE = os.environ.get("PYDBGWRITE_TEST_PROFILE", "quick")
FIRSTS = [int(CHOSEN)] if CHOSEN else range(0, SEEDS.get(PROFILE, 300), IN_ONE_TEST)


@pytest.mark.parametrize("first", FIRSTS)
def test_sequences(pair: Pair, first: int) -> None:
    seeds = range(first, first + (1 if CHOSEN else IN_ONE_TEST))
    for seed in sorted(seeds, key=lambda each: make(each)[0]):  # attaching takes longest
        check(pair, seed)


def test_what_the_sequences_reach() -> None:
    """The sequences contain every call and both widths, and few of the calls are excused."""
    made = [make(seed) for seed in range(SEEDS["quick"])]
    calls = [(width, operation) for width, operations in made for operation in operations]
    assert {width for width, _ in made} == {4, 8}
    assert len({operation[0] for _, operation in calls}) == 18
    excused = [excuse(operation, width) for width, operation in calls]
    assert set(excused) - {None} <= set(DBGENG)
    assert sum(each is not None for each in excused) < len(calls) / 4


def test_a_disagreement_is_found_and_cut_down(pair: Pair) -> None:
    """The comparison finds memory that the target of one engine alone holds."""
    calls: list[Operation] = [
        ("read_virtual", (BASE, 4)),
        ("write_pointers_virtual", (BASE + 64, [1, 2, 3])),
        ("query_virtual", (BASE,)),
    ]
    assert run(pair, 8, calls) is None
    real = pair.child.read
    pair.child.read = lambda address, size: bytes(size)
    try:
        said = run(pair, 8, calls)
        assert said is not None and "memory at" in said
        assert shortest(pair, 8, calls) == []
    finally:
        pair.child.read = real
