"""The report of coverage: figures that fall, lines without a reason, and reasons that are wrong."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch

import coverage_report as report

C = {
    "files": [
        {
            "file": "a.c",
            "lines": [
                {"line_number": 1, "count": 3, "branches": [{"count": 1}, {"count": 0}]},
                {"line_number": 2, "count": 0, "branches": []},
                {"line_number": 4, "count": 0, "branches": []},
            ],
        }
    ]
}
PYTHON = {
    "files": {
        "b.py": {
            "executed_lines": [1, 2],
            "missing_lines": [3],
            "summary": {"num_branches": 4, "covered_branches": 3},
        }
    }
}
TEXTS = {
    "a.c": ["if (a) {", "    fail();", "}", "fail();"],
    "b.py": ["a = 1", "def f():", "    raise x"],
}


PROGRAMS = {
    "files": [
        {"file": "a.c", "lines": [{"line_number": 3, "count": 9, "branches": []}]},
        {"file": "test.c", "lines": [{"line_number": 1, "count": 9, "branches": []}]},
    ]
}


def both() -> report.Report:
    return report.of_gcovr(C, PROGRAMS) | report.of_coverage(PYTHON)


def test_figures() -> None:
    in_c = report.of_gcovr(C, PROGRAMS)
    assert report.figures("C", in_c) == {"C, lines": 33.3, "C, branches": 50.0}
    assert report.figures("Python", report.of_coverage(PYTHON)) == {
        "Python, lines": 66.6,
        "Python, branches": 75.0,
    }
    assert report.percent(999, 1000) == 99.9
    assert report.percent(9999, 10000) == 99.9


def test_programs_in_c_reach_lines_of_the_extension() -> None:
    programs = {"files": [{"file": "a.c", "lines": [{"line_number": 4, "count": 1}]}]}
    assert report.of_gcovr(C, programs)["a.c"].unreached == [2]


def test_a_reason_stands_for_each_such_line() -> None:
    reasons = report.read_reasons('[[unreached]]\nwhy = "r"\nlines = { "a.c" = ["fail();"] }\n')
    listed, without, wrong = report.explain(both(), TEXTS, reasons)
    assert (without, wrong) == (1, [])
    assert [line.split(" -- ")[1:] for line in listed] == [[], ["r"], ["r"], [], ["no reason"]]
    assert listed[0] == "a.c: 2 of 3 lines"


def test_reasons_for_files_and_patterns() -> None:
    text = '[[unreached]]\nwhy = "f"\nfiles = ["b.*"]\npatterns = { "*.c" = ["^fail"] }\n'
    assert report.explain(both(), TEXTS, report.read_reasons(text))[1:] == (0, [])


def test_a_reason_for_a_function() -> None:
    text = '[[unreached]]\nwhy = "f"\nfunctions = { "b.py" = ["f", "g"] }\n'
    _, without, wrong = report.explain(both(), TEXTS, report.read_reasons(text))
    assert without == 2
    assert wrong == ["a test reaches it, or it is gone: b.py: g"]


def test_a_reason_for_a_line_that_is_reached_or_gone() -> None:
    for name, text in (("a.c", "if (a) {"), ("a.c", "}"), ("c.c", "x"), ("b.py", "raise y")):
        reasons = [report.Reason("r", name, f"^{re.escape(text)}$")]
        _, without, wrong = report.explain(both(), TEXTS, reasons)
        assert without == 3
        assert len(wrong) == 1
        assert wrong[0].startswith(f"a test reaches it, or it is gone: {name}: ")


def test_what_falls() -> None:
    kept = {report.WITHOUT: 20.0, "C, lines": 90.0}
    assert report.fallen({report.WITHOUT: 35, "C, lines": 89.7}, kept) == []
    assert report.fallen({report.WITHOUT: 0, "C, lines": 95.0}, kept) == []
    assert len(report.fallen({report.WITHOUT: 36, "C, lines": 89.6}, kept)) == 2


def test_kept_files() -> None:
    kept = json.loads(report.KEPT.read_text(encoding="utf-8"))
    assert {f"{name}, {what}" for name in ("C", "Python") for what in ("lines", "branches")} < {
        *kept
    }
    reasons = report.read_reasons(report.REASONS.read_text(encoding="utf-8"))
    files = [path.relative_to(report.ROOT).as_posix() for path in report.ROOT.rglob("*.[chp]*")]
    for reason in reasons:
        assert any(fnmatch(name, reason.file) for name in files), reason
