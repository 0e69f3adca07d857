"""The suite in the Windows lane: pytest's arguments, its two halves side by side, its results.

Most of its time goes into waiting for Wine and for other programs, so the whole suite runs as two
pytest processes: the tests of Microsoft's engine, by their names, and the rest.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lane_cache import ROOT, note
from lane_wine import Sink, end_running, windows_path

#: pytest's -k: each test is in one of them, by its file's name or its case's.
HALVES = {"engine": "genuine", "rest": "not genuine"}
CLOSING = re.compile(rb"\d+ (?:passed|failed|error|skipped|deselected).*")
LONGEST_LINE = 1000

#: Runs the Windows Python with these arguments, its output going there; its exit code.
Runner = Callable[[Sequence[str], Sink], int]


@dataclass
class _Closing:
    """Passes output on, and keeps its end."""

    target: Sink
    end: bytes = field(default=b"", init=False)

    def write(self, data: bytes) -> None:
        self.end = (self.end + data)[-LONGEST_LINE:]
        self.target.write(data)

    def flush(self) -> None:
        self.target.flush()

    def line(self) -> str:
        """pytest's closing line."""
        found = CLOSING.findall(self.end)
        return found[-1].decode(errors="replace").strip() if found else "no closing line"


def selects(given: Sequence[str]) -> bool:
    """Do these arguments name tests?"""
    return any(each.startswith("-k") or _file(each) is not None for each in given)


def _file(argument: str) -> Path | None:
    """The test file or folder that an argument names."""
    name = argument.partition("::")[0]
    return (
        Path(name).resolve() if name and not name.startswith("-") and Path(name).exists() else None
    )


def pytest_arguments(given: Sequence[str], store: Path, junit: Path | None) -> list[str]:
    """What Python is given: test files as Windows paths; the whole suite where none is named."""
    found = ["-m", "pytest", "-o", f"cache_dir={windows_path(store)}"]
    if junit is not None:
        found.append(f"--junitxml={windows_path(junit)}")
    if not any(_file(argument) for argument in given):
        found.append(windows_path(ROOT / "tests"))
    for argument in given:
        file = _file(argument)
        mark, rest = argument.partition("::")[1:]
        found.append(argument if file is None else windows_path(file) + mark + rest)
    return found


def run_suite(
    run: Runner, given: Sequence[str], store: Path, junit: Path | None, *, side_by_side: bool
) -> int:
    """Run the suite, or what the arguments select of it; return the exit code.

    junit: a folder for results, one file of each pytest process.
    """
    if junit is not None:
        junit.mkdir(parents=True, exist_ok=True)

    def half(name: str, chosen: Sequence[str], output: Sink) -> tuple[int, str]:
        closing = _Closing(output)
        file = None if junit is None else junit.resolve() / f"{name}.xml"
        arguments = pytest_arguments([*given, *chosen], store.with_name(f"pytest-{name}"), file)
        return run(arguments, closing), closing.line()

    live = sys.stdout.buffer
    if not side_by_side or selects(given):
        return half("suite", [], live)[0]
    with tempfile.TemporaryFile() as held:
        try:
            with ThreadPoolExecutor(1) as pool:
                behind = pool.submit(half, "engine", ["-k", HALVES["engine"]], held)
                try:
                    front = half("rest", ["-k", HALVES["rest"]], live)
                except BaseException:
                    end_running()  # the pool would wait for the other half
                    raise
                results = {"rest": front, "engine": behind.result()}
        finally:
            held.seek(0)
            live.writelines([b"\n", *held])
            live.flush()
    for name, (code, line) in results.items():
        note(f"{name} (-k {HALVES[name]!r}): exit code {code}, {line}")
    return next((code for code, _ in results.values() if code != 0), 0)
