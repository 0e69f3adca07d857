"""The whole suite in shares: pytest processes that run side by side in the Windows lane.

A share is a list of test files, and each file is in one share: so no test is collected twice or
left out. check_reports() verifies that in the results.

One more share runs the conformance and differential suites on an older engine.

Requests to Wine's server, one process for all programs of a prefix, take most of the suite's time.
A request takes a fraction of the time if both sides run on one processor, since then neither must
be woken on another. So a share has its own prefix and server, and stays on one processor. There
are more shares than processors: a share that waits leaves its processor to another.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from lane_cache import ROOT, LaneError

TESTS = ROOT / "tests"
#: The engines: dbgeng 10.0.15063, and 6.3.9600.
NEWER, OLDER = "10.0", "6.3"


@dataclass(frozen=True)
class Share:
    """patterns: of its files, in TESTS; none: all other files. options: more options of pytest."""

    name: str
    patterns: tuple[str, ...] = ()
    engine: str = NEWER
    options: tuple[str, ...] = ()


def processor_of(number: int) -> int:
    """Return the processor that runs the share of that number."""
    every = sorted(os.sched_getaffinity(0))
    return every[number % len(every)]


#: Divided by measured times, so that two processors get equal work.
SHARES = (
    Share(
        "commands",
        (
            "cli/*.py",
            "docs/*.py",
            "unit/test_imports.py",
            "unit/test_patch*.py",
            "dbgeng/test_dbgeng_cli.py",
        ),
    ),
    Share(
        "conformance",
        (
            "conformance/test_[!a]*.py",
            "dbgeng/test_dbgeng_dump.py",
            "dbgeng/test_dbgeng_loading.py",
            "dbgeng/test_dbgeng_memory.py",
            "dbgeng/test_dbgeng_owner_killed.py",
            "dbgeng/test_dbgeng_read_only.py",
            "dbgeng/test_dbgeng_symbols.py",
            "dbgeng/test_dbgeng_undo_after_kill.py",
        ),
    ),
    Share(
        "sessions",
        (
            "dbgeng/test_dbgeng_attach.py",
            "dbgeng/test_dbgeng_docs.py",
            "dbgeng/test_dbgeng_kernel.py",
            "dbgeng/test_dbgeng_timeouts.py",
            "dbgeng/test_dbgeng_wrap.py",
        ),
    ),
    Share("rest"),
    Share(
        "remote",
        (
            "conformance/test_a*.py",
            "dbgeng/test_dbgeng_names.py",
            "dbgeng/test_dbgeng_processes.py",
            "dbgeng/test_dbgeng_remote.py",
            "dbgeng/test_dbgeng_wow64.py",
        ),
    ),
    # Simulated memory is the same on that engine.
    Share(
        "older",
        ("conformance/test_conformance_*.py", "dbgeng/test_differential.py"),
        engine=OLDER,
        options=("-k", "not simulated"),
    ),
)


def test_files() -> list[Path]:
    """Return every test file of the suite."""
    return sorted(TESTS.rglob("test_*.py"))


def divided(files: Sequence[Path], shares: Sequence[Share] = SHARES) -> dict[str, list[Path]]:
    """Return the files of each share; raise an error if a pattern matches none.

    On the newer engine each file is in one share: a file in two shares is an error.
    """
    share_of: dict[Path, str] = {}
    result: dict[str, list[Path]] = {share.name: [] for share in shares}
    for share in shares:
        for pattern in share.patterns:
            found = [file for file in files if file in set(TESTS.glob(pattern))]
            if not found:
                raise LaneError(f"no test file is {pattern}, of the share {share.name!r}")
            if share.engine != NEWER:
                result[share.name] += found
                continue
            for file in found:
                if share_of.setdefault(file, share.name) != share.name:
                    raise LaneError(f"{file} is in the shares {share_of[file]} and {share.name}")
    (rest,) = (share.name for share in shares if not share.patterns)
    for file in files:
        result[share_of.get(file, rest)].append(file)
    return result


def check_reports(reports: Mapping[str, Path], files: Mapping[str, Sequence[Path]]) -> int:
    """Return the count of tests in the shares' JUnit files; fail if a share ran other files."""
    count = 0
    for share, report in reports.items():
        wanted = {".".join(each.relative_to(ROOT).with_suffix("").parts) for each in files[share]}
        seen: set[str] = set()
        for case in ElementTree.parse(report).iter("testcase"):
            # The name of "collection skipped", of a whole file, is the file's name.
            parts = f"{case.get('classname')}.{case.get('name')}".lstrip(".").split(".")
            names = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
            module = next((name for name in names if name in wanted), None)
            if module is None:
                raise LaneError(f"the share {share!r} ran a test of another: {'.'.join(parts)}")
            seen.add(module)
            count += 1
        if absent := sorted(wanted - seen):
            raise LaneError(f"the share {share!r} ran no test of {', '.join(absent)}")
    return count
