"""The suite in the Windows lane: pytest's arguments, its shares side by side, its results."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from lane_cache import note
from lane_shares import TESTS, Share, check_reports, divided, processor_of, test_files
from lane_wine import Sink, end_running, windows_path

CLOSING = re.compile(rb"\d+ (?:passed|failed|error|skipped|deselected).*")
LONGEST_LINE = 1000
#: pytest's options that leave tests out: the value may follow a short one directly.
SHORT = ("-k", "-m")
LONG = {"--lf", "--last-failed", "--sw", "--stepwise", "--co", "--collect-only"}
LONG |= {"--deselect", "--ignore", "--ignore-glob"}

#: Runs the Windows Python with these arguments in the Wine prefix of the share of that name ("" is
#: none); its output goes to the sink. Returns its exit code.
Runner = Callable[[Sequence[str], Sink, str], int]


@dataclass
class _Closing:
    """Forwards output, and keeps its end."""

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
    return any(
        each.startswith(SHORT) or each.partition("=")[0] in LONG or _file(each) is not None
        for each in given
    )


def _file(argument: str) -> Path | None:
    """Return the test file or folder that an argument names."""
    name = argument.partition("::")[0]
    return (
        Path(name).resolve() if name and not name.startswith("-") and Path(name).exists() else None
    )


def pytest_arguments(given: Sequence[str], store: Path, junit: Path | None) -> list[str]:
    """Return Python's arguments: test files as Windows paths; the whole suite if none is named."""
    found = ["-m", "pytest", "-o", f"cache_dir={windows_path(store)}"]
    if junit is not None:
        found.append(f"--junitxml={windows_path(junit)}")
    if not any(_file(argument) for argument in given):
        found.append(windows_path(TESTS))
    for argument in given:
        file = _file(argument)
        mark, rest = argument.partition("::")[1:]
        found.append(argument if file is None else windows_path(file) + mark + rest)
    return found


def run_suite(
    run: Runner,
    shares: Sequence[Share],
    given: Sequence[str],
    store: Path,
    junit: Path | None,
    *,
    side_by_side: bool,
) -> int:
    """Run the suite, or the tests that the arguments select; return the exit code.

    junit: a folder for results, one file for each pytest process.
    """
    with contextlib.ExitStack() as stack:
        if junit is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        else:
            folder = junit.resolve()
            folder.mkdir(parents=True, exist_ok=True)
        if side_by_side and not selects(given):
            return _run_shares(run, shares, given, store, folder)
        arguments = pytest_arguments(given, store, folder / "suite.xml")
        return run(arguments, sys.stdout.buffer, "")


def _run_shares(
    run: Runner, shares: Sequence[Share], given: Sequence[str], store: Path, folder: Path
) -> int:
    """Run every share; the first one's output is shown at once, the others' at the end."""
    share_files = divided(test_files(), shares)
    reports = {share.name: folder / f"{share.name}.xml" for share in shares}

    def work(number: int, share: Share, output: Sink) -> tuple[int, str]:
        # This thread's affinity is inherited by the programs that it starts.
        os.sched_setaffinity(0, {processor_of(number)})
        closing = _Closing(output)
        arguments = pytest_arguments(
            [*given, *share.options, *map(str, share_files[share.name])],
            store.with_name(f"pytest-{share.name}"),
            reports[share.name],
        )
        return run(arguments, closing, share.name), closing.line()

    live = sys.stdout.buffer
    with contextlib.ExitStack() as stack:
        held: list[BinaryIO] = [stack.enter_context(tempfile.TemporaryFile()) for _ in shares[1:]]
        try:
            with ThreadPoolExecutor(len(shares)) as pool:
                try:
                    futures = [
                        pool.submit(work, number, share, output)
                        for number, (share, output) in enumerate(
                            zip(shares, [live, *held], strict=True)
                        )
                    ]
                    results = [future.result() for future in futures]
                except BaseException:
                    end_running()  # the pool would wait for the others
                    raise
        finally:
            for each in held:
                each.seek(0)
                live.writelines([b"\n", *each])
            live.flush()
    for share, (code, line) in zip(shares, results, strict=True):
        note(f"{share.name} ({len(share_files[share.name])} files): exit code {code}, {line}")
    code = next((code for code, _ in results if code != 0), 0)
    if code == 0:
        note(f"{check_reports(reports, share_files)} tests in all, each file's in its share")
    return code
