"""The table of wheels in CONTRIBUTING.md is what its script makes."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
import steps
import wheel_table
from check_wheels import BUILDS, EVERYWHERE
from pipeline import ALL, STEPS
from steps import Step

WHEELS = [f"{tag}-{platform}" for tag in BUILDS.values() for platform in EVERYWHERE]


def test_page() -> None:
    """If this fails: python .ci/wheel_table.py --write."""
    assert wheel_table.on_page()[1] == wheel_table.table()


def test_each_wheel_has_a_row() -> None:
    rows = [row for row in wheel_table.table().splitlines() if row.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == WHEELS
    assert len(WHEELS) == 14


@pytest.mark.parametrize(
    "step", [step for step in STEPS if step.proves], ids=lambda step: step.name
)
def test_what_a_step_proves_is_a_wheel(step: Step) -> None:
    for pattern in step.proves:
        assert any(fnmatch(wheel, pattern) for wheel in WHEELS), pattern


def test_a_step_that_never_passed_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(wheel_table.passed()) <= {step.name for step in STEPS} | {ALL}
    monkeypatch.setattr(wheel_table, "passed", lambda: {"free": {"date": "2026-11-29"}})
    assert wheel_table.here("cp311-abi3-win_arm64") == "not at all"
    assert wheel_table.here("cp314-cp314t-manylinux_x86_64").endswith(
        "(`free`, by name, 2026-11-29)"
    )


def test_a_step_that_whole_runs_left_out_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    dates = {"builds": {"date": "2026-11-22"}, "wheel": {"date": "2026-11-29"}}
    monkeypatch.setattr(wheel_table, "passed", lambda: dates)
    assert wheel_table.here("cp311-abi3-win_arm64").endswith("(`builds`, each run)")
    dates["builds"]["date"] = "2026-11-21"
    assert wheel_table.here("cp311-abi3-win_arm64") == "not at all"


def test_how_long_a_whole_run_took(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(steps, "RAN", tmp_path / "cache" / "ran.json")
    steps.keep_what_ran({ALL: (1512.6, 1800)}, "abc1234")
    kept = json.loads(steps.RAN.read_text(encoding="utf-8"))
    monkeypatch.setattr(wheel_table, "passed", lambda: kept)
    last = f"({kept[ALL]['date']}).\n"
    assert wheel_table.table().endswith(f"`.ci/run` took 1,513 s of 1,800 s {last}")


def test_a_time_over_its_budget() -> None:
    assert steps.timed("lint", 180, 180).split() == ["lint", "180", "s", "of", "180", "s"]
    assert steps.timed("all", 1801, 1800).endswith("1801 s of 1800 s, over its budget")


def test_workflows_run_steps() -> None:
    names = {step.name for step in STEPS}
    for workflow in wheel_table.WHEN:
        assert wheel_table.steps_of(workflow) <= names
    assert "free" in wheel_table.steps_of("weekly.yml")
    usual = {step.name for step in STEPS if not step.by_name}
    ran = set.union(*map(wheel_table.steps_of, wheel_table.WHEN))
    assert {step.name for step in STEPS if step.proves} <= ran | usual


def test_a_job_that_runs_no_step() -> None:
    """What the table says of it is in the workflow."""
    text = (wheel_table.WORKFLOWS / "ci.yml").read_text(encoding="utf-8")
    assert list(wheel_table.JOBS) == ["windows"]
    found = re.search(r"^  windows:\n((?:    .*\n|\n)+)", text, re.MULTILINE)
    assert found
    for each in (
        "runs-on: windows-2025",
        "engine: [System32, SDK]",
        'python: ["3.11", "3.14"]',
        "Build with MSVC",
        "- run: python -m pytest --junitxml=windows.xml ",
        "- run: python .ci/check_skips.py --windows windows.xml",
    ):
        assert each in found[1]
    assert "SDK's, CPython 3.11 and 3.14 (job `windows` of `ci.yml`" in wheel_table.there(
        "cp311-abi3-win_amd64", "cp311-win_amd64"
    )


def test_parts_that_are_left_out() -> None:
    assert wheel_table.tests_of("cp311-manylinux_x86_64") == "the suite"
    assert wheel_table.tests_of("cp311-manylinux_aarch64").startswith("the suite with `-k ")
