"""What check_skips.py says of a JUnit file of pytest's."""

from __future__ import annotations

from pathlib import Path

import pytest
from check_skips import LANE, LANE_32, main

PASSED = '<testcase classname="a" name="b"/>'


def skipped(reason: str) -> str:
    return f'<testcase classname="a" name="c"><skipped message="{reason}"/></testcase>'


def check(folder: Path, *cases: str, options: tuple[str, ...] = ()) -> int:
    report = folder / "report.xml"
    report.write_text(f"<testsuite>{''.join(cases)}</testsuite>", encoding="utf-8")
    return main([*options, str(report)])


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("Microsoft's engine is for Windows", 0),
        ("Microsoft's engine, on Windows", 0),
        ("no older engine (PYDBGWRITE_DBGENG_OLDER)", 0),
        ("no dbgeng.dll: install the Debugging Tools for Windows", 1),
        ("no PYDBGWRITE_PYTHON32 and no memory", 1),
        ("", 1),
    ],
)
def test_reasons_on_linux(tmp_path: Path, reason: str, code: int) -> None:
    assert check(tmp_path, PASSED, skipped(reason)) == code


PROTECTION = "Wine 8's WriteProcessMemory ignores page protection"


@pytest.mark.parametrize(
    ("place", "reason", "said"),
    [
        ("lane", PROTECTION, False),
        ("lane-32", PROTECTION, False),
        ("lane-32", "Wine 8 ends a 32-bit program that a debugger starts", False),
        ("lane", "Wine 8 ends a 32-bit program that a debugger starts", True),
        ("lane", "Wine is slow", True),
        ("lane-wine-10", PROTECTION, True),
        ("windows", PROTECTION, True),
        ("windows", "the rows are about 64-bit Wine", False),
        ("lane", "the rows are about 64-bit Wine", True),
    ],
)
def test_what_wine_can_not_show(
    place: str, reason: str, said: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wine 10 heeds page protection, so the tests of it must run there."""
    check(tmp_path, skipped(reason), options=(f"--{place}",))
    assert (f"skipped in CI: a::c: {reason}" in capsys.readouterr().err) is said


def test_reasons_of_wine_are_those_of_tests() -> None:
    folder = Path(__file__).resolve().parent.parent / "tests" / "dbgeng"
    text = "".join(file.read_text(encoding="utf-8") for file in folder.glob("*.py"))
    reasons = {each for each in (*LANE, *LANE_32) if each.startswith("Wine")}
    assert len(reasons) == 2
    for each in reasons:
        assert each.removesuffix("$") in text


@pytest.mark.parametrize("how", ["error", "failure"])
def test_what_has_failed(tmp_path: Path, how: str) -> None:
    assert check(tmp_path, PASSED) == 0
    assert check(tmp_path, PASSED, f'<testcase classname="a" name="d"><{how}/></testcase>') == 1


def test_too_few_tests(tmp_path: Path) -> None:
    assert check(tmp_path) == 1
    assert check(tmp_path, PASSED, PASSED, options=("--at-least", "2")) == 0
    assert check(tmp_path, PASSED, PASSED, options=("--at-least", "3")) == 1
