"""The whole suite in shares: pytest processes that run side by side in the Windows lane.

A share is a list of test files, and each file is in one share: so nothing is collected twice or
left out, which check_reports() sees for itself in the results.

Most of the suite's time goes into requests to Wine's server, one process for all programs of a
prefix. A request takes a fraction of the time where both run on one processor, since then neither
has to be woken on another. So a share has a prefix, and with it a server, of its own, and stays on
one processor. More shares than processors: what waits leaves its processor to another.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from lane_cache import ROOT, LaneError

TESTS = ROOT / "tests"


@dataclass(frozen=True)
class Share:
    """patterns: of its files, in TESTS; none: all that is left."""

    name: str
    patterns: tuple[str, ...] = ()


def processor_of(number: int) -> int:
    """Where the share of that number runs."""
    every = sorted(os.sched_getaffinity(0))
    return every[number % len(every)]


#: Divided by measured times, so that on two processors both have as much to do.
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
            "conformance/*.py",
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
    Share("remote", ("dbgeng/test_dbgeng_remote.py",)),
)


def test_files() -> list[Path]:
    """Every test file of the suite."""
    return sorted(TESTS.rglob("test_*.py"))


def divided(files: Sequence[Path], shares: Sequence[Share] = SHARES) -> dict[str, list[Path]]:
    """The files of each share; an error where a file is in two, or a pattern names none."""
    share_of: dict[Path, str] = {}
    for share in shares:
        for pattern in share.patterns:
            found = [file for file in files if file in set(TESTS.glob(pattern))]
            if not found:
                raise LaneError(f"no test file is {pattern}, of the share {share.name!r}")
            for file in found:
                if share_of.setdefault(file, share.name) != share.name:
                    raise LaneError(f"{file} is in the shares {share_of[file]} and {share.name}")
    (rest,) = (share.name for share in shares if not share.patterns)
    result: dict[str, list[Path]] = {share.name: [] for share in shares}
    for file in files:
        result[share_of.get(file, rest)].append(file)
    return result


def check_reports(reports: Mapping[str, Path], files: Iterable[Path]) -> int:
    """How many tests the shares' JUnit files report; an error where a file's were not run once."""
    seen: dict[str, set[str]] = defaultdict(set)  # test file, as pytest writes it: shares
    modules = {file: ".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files}
    known = set(modules.values())
    count = 0
    for share, report in reports.items():
        for case in ElementTree.parse(report).iter("testcase"):
            # "collection skipped", of a whole file, has the file's name for its own.
            parts = f"{case.get('classname')}.{case.get('name')}".lstrip(".").split(".")
            module = next(
                (
                    name
                    for end in range(len(parts), 0, -1)
                    if (name := ".".join(parts[:end])) in known
                ),
                None,
            )
            if module is None:
                raise LaneError(f"the share {share!r} has run a test of no file: {'.'.join(parts)}")
            seen[module].add(share)
            count += 1
    wrong = {
        str(file): sorted(seen[module])
        for file, module in modules.items()
        if len(seen[module]) != 1
    }
    if wrong:
        raise LaneError(f"tests were not run exactly once, in the shares given here: {wrong}")
    return count
