"""One contestant in its own process; contest.py talks to it.

    python worker.py            or: gdb -nx -batch -x worker.py

The environment has the folder bench and two descriptors, PYDBGWRITE_CONTEST=FOLDER:IN:OUT. Each
line from IN is a request in JSON, each line to OUT its answer:

    prepare  attach to the process, take the pointers or what is to be found or named, get ready
    run      do it `calls` times; the answer has the nanoseconds, and the addresses that were found
    fresh    take other pointers, of the same number, and write them once
    release  release the process, and end
"""

from __future__ import annotations

import json
import os
import sys
from array import array
from typing import Any

FOLDER, IN, OUT = os.environ["PYDBGWRITE_CONTEST"].rsplit(":", 2)
sys.path.insert(0, FOLDER)

from peers.finders import FINDERS, Finder  # noqa: E402
from peers.namers import NAMERS  # noqa: E402
from peers.ways import WAYS, Cannot, Way  # noqa: E402


def loaded(path: str) -> array[int]:
    """Read an array('Q') from a file."""
    values = array("Q")
    with open(path, "rb") as file:
        values.frombytes(file.read())
    return values


class Worker:
    """The contestant, and its last request."""

    def __init__(self) -> None:
        self.way: Way | Finder | None = None
        self.request: dict[str, Any] = {}
        self.timed: Any = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Handle one request."""
        answer: dict[str, Any] = {}
        if request["do"] == "prepare":
            self.request = request
            if request["kind"] == "find":
                self.way = finder = FINDERS[request["way"]](request["pid"])
                self.timed = finder.find(request["address"], request["size"], request["value"])
                return answer
            if request["kind"] == "names":
                self.timed = NAMERS[request["way"]](request["pid"], request["program"])
                return answer
            self.way = WAYS[request["way"]](request["pid"], request["width"])
            self._get_ready(request["values"])
        elif request["do"] == "run":
            answer["ns"] = self.timed(request["calls"])
            if isinstance(self.way, Finder):
                answer["found"] = self.way.found
        elif request["do"] == "fresh":
            self._get_ready(request["values"])
            self.timed(1)
        elif self.way is not None:
            self.way.release()
        return answer

    def _get_ready(self, path: str) -> None:
        assert isinstance(self.way, Way)
        kind, address = self.request["kind"], self.request["address"]
        values = loaded(path)
        if kind == "scattered":
            self.timed = self.way.scattered(loaded(self.request["addresses"]), values)
        elif kind == "verified":
            self.timed = self.way.verified(address, values)
        elif kind == "recorded":
            apart = self.request.get("addresses")
            where = address if apart is None else loaded(apart)
            self.timed = self.way.recorded(where, values, self.request.get("journal"))
        else:
            self.timed = self.way.contiguous(address, list(values) if kind == "list" else values)


def main() -> None:
    """Answer until release, or until the input ends."""
    worker = Worker()
    with open(int(IN), encoding="ascii") as asked, open(int(OUT), "w", encoding="ascii") as said:
        for line in asked:
            request = json.loads(line)
            try:
                answer = worker.answer(request)
            except Cannot as error:
                answer = {"cannot": str(error)}
            except Exception as error:
                answer = {"cannot": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), file=said, flush=True)
            if request["do"] == "release":
                break


main()
