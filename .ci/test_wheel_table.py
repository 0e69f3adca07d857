"""The table of wheels in CONTRIBUTING.md is what its script makes."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest
import wheel_table
from check_wheels import BUILDS, EVERYWHERE
from pipeline import STEPS
from steps import Step

WHEELS = [f"{tag}-{platform}" for tag in BUILDS.values() for platform in EVERYWHERE]


def test_page() -> None:
    """If this fails: python .ci/wheel_table.py --write."""
    assert wheel_table.on_page()[1] == wheel_table.table()


def test_each_wheel_has_a_row() -> None:
    rows = wheel_table.table().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == WHEELS
    assert len(WHEELS) == 14


@pytest.mark.parametrize(
    "step", [step for step in STEPS if step.proves], ids=lambda step: step.name
)
def test_what_a_step_proves_is_a_wheel(step: Step) -> None:
    for pattern in step.proves:
        assert any(fnmatch(wheel, pattern) for wheel in WHEELS), pattern


def test_a_step_that_never_passed_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(wheel_table.passed()) <= {step.name for step in STEPS}
    monkeypatch.setattr(wheel_table, "passed", lambda: {"free": {"date": "2026-11-29"}})
    assert wheel_table.here("cp311-abi3-win_arm64") == "not at all"
    assert wheel_table.here("cp314-cp314t-manylinux_x86_64").endswith(
        "(`free`, by name, 2026-11-29)"
    )


def test_a_step_that_landings_leave_out_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    dates = {"builds": {"date": "2026-11-22"}, "wheel": {"date": "2026-11-29"}}
    monkeypatch.setattr(wheel_table, "passed", lambda: dates)
    assert wheel_table.here("cp311-abi3-win_arm64").endswith("(`builds`, each landing)")
    dates["builds"]["date"] = "2026-11-21"
    assert wheel_table.here("cp311-abi3-win_arm64") == "not at all"


def test_workflows_run_steps() -> None:
    names = {step.name for step in STEPS}
    for workflow in wheel_table.WHEN:
        assert wheel_table.steps_of(workflow) <= names
    assert "free" in wheel_table.steps_of("weekly.yml")
    usual = {step.name for step in STEPS if not step.by_name}
    ran = set.union(*map(wheel_table.steps_of, wheel_table.WHEN))
    assert {step.name for step in STEPS if step.proves} <= ran | usual


def test_parts_that_are_left_out() -> None:
    assert wheel_table.tests_of("cp311-manylinux_x86_64") == "the suite"
    assert wheel_table.tests_of("cp311-manylinux_aarch64").startswith("the suite with `-k ")
