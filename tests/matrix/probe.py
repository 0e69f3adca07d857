"""The probe: takes the same steps in any surroundings, and prints the result of each.

    python probe.py JSON

JSON has the program of the targets ("target"), and the restrictions that the probe applies to
itself before it imports the package: system calls to refuse ("deny"), limits ("limits"), a listener
of its calls ("listener"). Each target reports the content of its memory once it runs again: after a
step that succeeds it holds all pointers of the step, after a failed one those that the exception
reports. The probe prints one line of JSON for each step.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from support import sandbox

if TYPE_CHECKING:
    from pydbgwrite import Session

#: The time limit of each opening, and of each answer of a target, in seconds.
PATIENCE = 10
MIB = 1 << 20


@dataclass(frozen=True)
class Place:
    """Pointers in the target: from value on, each larger by rise, step bytes apart.

    always: the target holds them whether the step succeeds or not.
    """

    address: int
    count: int
    step: int
    value: int
    rise: int = 1
    always: bool = False


class Target:
    """The program of target.c: started here, or elsewhere and described by given()."""

    def __init__(self, program: str, given: dict[str, Any] | None = None) -> None:
        self.name = Path(program).name
        if given is None:
            pipe = subprocess.PIPE
            self.process = subprocess.Popen([program], stdin=pipe, stdout=pipe)
            assert self.process.stdin is not None
            assert self.process.stdout is not None
            ends = (self.process.stdin.fileno(), self.process.stdout.fileno())
            given = {"pid": self.process.pid, "ends": ends, "areas": json.loads(hear(ends[1]))}
        self.pid: int = given["pid"]
        self.ends: tuple[int, int] = (given["ends"][0], given["ends"][1])
        self.areas: dict[str, int] = given["areas"]

    def given(self) -> dict[str, Any]:
        """Return all data that another process needs to use it."""
        return {"pid": self.pid, "ends": self.ends, "areas": self.areas}

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *ended: object) -> None:
        self.process.kill()
        self.process.communicate()

    def count(self, place: Place) -> int:
        """Return how many of these pointers it holds."""
        return ask(self.ends, place)


def hear(descriptor: int) -> str:
    """Return a line that arrives within the time limit."""
    line = b""
    while not line.endswith(b"\n"):
        if not select.select([descriptor], [], [], PATIENCE)[0]:
            raise TimeoutError("the target does not answer: it was left suspended")
        more = os.read(descriptor, 4096)
        if not more:
            raise EOFError("the target has ended")
        line += more
    return line.decode()


def ask(ends: tuple[int, int], place: Place) -> int:
    """Return how many of these pointers the target at these ends of pipes holds."""
    words = (place.address, place.count, place.step, place.value, place.rise)
    os.write(ends[0], f"{' '.join(map(str, words))}\n".encode())
    return int(hear(ends[1]))


def descriptors() -> list[int]:
    """Return the open descriptors."""
    found = []
    for number in range(256):
        with contextlib.suppress(OSError):
            os.fstat(number)
            found.append(number)
    return found


class Steps:
    """Takes steps and keeps their results until the target can be asked."""

    def __init__(self, part: str) -> None:
        self.part = part
        self.before = descriptors()
        self.taken: list[tuple[dict[str, Any], Place | None]] = []

    def take(self, name: str, call: Callable[[], object], place: Place | None = None) -> bool:
        """Make a call; return whether it succeeds. place: the target must hold this if it does."""
        begun = time.monotonic()
        told: dict[str, Any] = {"step": f"{self.part}: {name}", "error": None, "written": 0}
        try:
            call()
        except BaseException as error:
            told["kind"] = f"{type(error).__module__}.{type(error).__name__}"
            told["error"] = str(error)
            told["written"] = getattr(error, "written", 0)
        told["seconds"] = round(time.monotonic() - begun, 2)
        self.taken.append((told, place))
        return told["error"] is None

    def place(self, place: Place) -> None:
        """Set the pointers that the target must hold after the last step."""
        self.taken[-1] = (self.taken[-1][0], place)

    def report(self, count: Callable[[Place], int]) -> None:
        """Ask the target about each step, and print the results."""
        part, self.part = self.part, "descriptors"
        self.take(part, lambda: must_be(descriptors(), self.before))
        for told, place in self.taken:
            if place is not None:
                try:
                    whole = place.always or told["error"] is None
                    wanted = place.count if whole else told["written"]
                    found = count(place)
                    if found != wanted:
                        told["untrue"] = f"the target holds {found}, and {wanted} were reported"
                except Exception as error:
                    told["untrue"] = str(error)
            print(json.dumps(told), flush=True)


def must_be(found: object, wanted: object) -> None:
    """Fail the step if its result is not the expected one."""
    if found != wanted:
        raise AssertionError(f"{found!r}, not {wanted!r}")


def session_steps(part: str, target: Target, *, suspend: bool, folder: Path) -> bool:
    """Take all steps with a session of a process; return whether one could be opened."""
    import pydbgwrite

    steps = Steps(part)
    rw, read_only = target.areas["rw"], target.areas["read_only"]
    opened: list[Session] = []

    def attach() -> None:
        opened.append(pydbgwrite.attach(target.pid, suspend=suspend, timeout=PATIENCE))

    if steps.take("attach", attach):
        memory_steps(steps, opened[0], rw, read_only)
        other_steps(steps, opened[0], target, folder)
        steps.take("close", opened[0].close)
    steps.report(target.count)
    return bool(opened)


def memory_steps(steps: Steps, session: Session, rw: int, read_only: int) -> None:
    """Read and write few and many pointers, contiguous and scattered."""
    from array import array

    many = array("Q", range(1, MIB + 1))  # 8 MiB: several processors share it
    places = [rw + 256 * 1024 + 64 * index for index in range(1000)]

    def scattered() -> None:
        session.write_scattered(places, range(1, 1001), verify=True)

    def expected() -> None:
        must_be(session.write_pointers(rw + 64, [8], expect=[0], verify=True), 1)

    steps.take("write", lambda: session.write_pointers(rw, [5, 6, 7]), Place(rw, 3, 8, 5))
    steps.take("read", lambda: must_be(list(session.read_pointers(rw + 4096, 3)), [0, 0, 0]))
    steps.take("expect", expected, Place(rw + 64, 1, 8, 8))
    steps.take("scattered", scattered, Place(places[0], 1000, 64, 1))
    large = rw + 4 * MIB
    steps.take("large", lambda: session.write_pointers(large, many), Place(large, MIB, 8, 1))
    steps.take("large read", lambda: must_be(len(session.read(large, 8 * MIB)), 8 * MIB))
    forced = Place(read_only, 1, 8, 9)
    steps.take("forced", lambda: session.write_pointers(read_only, [9]), forced)


def other_steps(steps: Steps, session: Session, target: Target, folder: Path) -> None:
    """Try a write that force can't make, resolve names, and use journals."""
    import pydbgwrite

    rw, none = target.areas["rw"], target.areas["none"]
    name = target.name
    journal = folder / f"{steps.part}.journal"

    def refused() -> None:
        try:
            session.write_pointers(none, [1])
        except pydbgwrite.TargetAccessError as error:
            must_be("GEN_FAILURE" in str(error), False)
        else:
            raise AssertionError("a page without access was written to")

    def recorded() -> None:
        with session.transaction(journal):
            session.write_pointers(rw + 128, [3] * 4, verify=True)

    def undone() -> None:
        must_be(pydbgwrite.undo(journal, session).complete, True)

    steps.take("no access", refused)
    steps.take("query", lambda: must_be(session.query(rw).base <= rw, True))
    steps.take("modules", lambda: must_be(name in [each.name for each in session.modules()], True))
    table = target.areas["table"]
    steps.take("symbol", lambda: must_be(session.resolve(f"{name}!matrix_table"), table))
    if steps.take("journal", recorded):
        value = 0 if steps.take("undo", undone) else 3
        steps.place(Place(rw + 128, 4, 8, value, 0, always=True))


def launch_steps(program: str, pipes: tuple[int, int, int, int]) -> None:
    """Launch a program and write to it before it runs; launch another and end it."""
    import pydbgwrite

    steps = Steps("launch")
    name = Path(program).name
    stdin, to, answers, stdout = pipes
    ends = (to, answers)
    table: list[int] = []

    def launch() -> None:
        with pydbgwrite.launch([program], stdin=stdin, stdout=stdout, timeout=PATIENCE) as session:
            table.append(session.resolve(f"{name}!matrix_table"))
            session.write_pointers(table[0], [41, 42, 43], verify=True)

    def terminate() -> None:
        session = pydbgwrite.launch([program], stdin=stdin, stdout=stdout, timeout=PATIENCE)
        session.terminate()
        if Path(f"/proc/{session.pid}").exists():
            raise AssertionError("it was not ended, or nobody has collected it")

    if steps.take("launch", launch):
        must_be(json.loads(hear(answers))["table"], table[0])
        steps.place(Place(table[0], 3, 8, 41))
    steps.report(lambda place: ask(ends, place))
    ended = Steps("launch")
    ended.take("terminate", terminate)
    ended.report(lambda place: 0)


def doctor_steps(opened: dict[str, bool]) -> None:
    """Check `pydbgwrite doctor`; opened: by part, whether the probe could open a session."""
    steps = Steps("doctor")

    def look() -> None:
        from pydbgwrite.cli.doctor.linux import permissions

        permissions()

    def agree() -> None:
        from pydbgwrite.cli.doctor.self_check import MAIN_JOB, WITHOUT_SUSPENDING, self_checks

        said = {each.name: each for each in self_checks(None)}
        for name, part in ((MAIN_JOB, "suspended"), (WITHOUT_SUSPENDING, "running")):
            if (
                name in said
                and said[name].state != "limited"
                and opened[part] != (said[name].state == "works")
            ):
                raise AssertionError(f"{part}: {opened[part]}, and the doctor says {said[name]}")

    steps.take("permissions", look)
    steps.take("agrees", agree)
    steps.report(lambda place: 0)


def set_limit(name: str, number: int) -> tuple[int, tuple[int, int]]:
    """Set a limit; return the arguments that undo it. number: for NOFILE, the descriptors left."""
    import pydbgwrite  # noqa: F401 - its files were opened before

    if name == "NOFILE":
        taken = descriptors()
        number = [each for each in range(256) if each not in taken][number]
    kind: int = getattr(resource, f"RLIMIT_{name}")
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (number, before[1]))
    return kind, before


def main(wish: dict[str, Any]) -> None:
    """Take all steps."""
    program = wish["target"]
    given = wish.get("given") or [None, None]
    suspended, running = (Target(program, each) for each in given)
    pipes = (*os.pipe(), *os.pipe())
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as limits:
        folder = Path(name)
        if "listener" in wish:
            import recorded

            recorded.begin(wish["listener"])
        for limit, number in wish.get("limits", {}).items():
            limits.callback(resource.setrlimit, *set_limit(limit, number))
        if wish.get("deny"):
            sandbox.deny({int(number): error for number, error in wish["deny"].items()})
        os.urandom(1)  # this may keep a file open
        opened = {
            "suspended": session_steps("suspended", suspended, suspend=True, folder=folder),
            "running": session_steps("running", running, suspend=False, folder=folder),
        }
        launch_steps(program, pipes)
        if wish.get("doctor"):
            doctor_steps(opened)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
