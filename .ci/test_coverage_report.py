"""The report of coverage: figures that fall, lines without a reason, and reasons that are wrong."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch

import coverage_report as report
import pytest

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


def test_an_empty_report_has_no_figures() -> None:
    with pytest.raises(ValueError, match="no lines, or no branches"):
        report.figures("Python", report.of_coverage({"files": {}}))


def test_programs_in_c_reach_lines_of_the_extension() -> None:
    programs = {
        "files": [{"file": "a.c", "lines": [{"line_number": 4, "count": 1, "branches": []}]}]
    }
    assert report.of_gcovr(C, programs)["a.c"].unreached == [2]


def test_a_reason_for_what_follows_a_line() -> None:
    text = '[[unreached]]\nwhy = "r"\nafter = { "a.c" = ["fail();"] }\n'
    listed, without, wrong = report.explain(both(), TEXTS, report.read_reasons(text))
    assert without == ["no test reaches it, and it has no reason: b.py: raise x"]
    assert wrong == []
    assert [line.split(" -- ")[1:] for line in listed] == [[], ["r"], ["r"], [], ["no reason"]]
    assert listed[0] == "a.c: 2 of 3 lines"


def test_what_follows_a_line_ends_at_a_line_that_is_reached_and_at_a_function() -> None:
    file = report.File({1, 2, 3, 5, 6, 8, 9}, {1, 5, 8}, {8: ["g"], 9: ["g"]})
    texts = ["a", "b", "c", "}", "d", "e", "}", "g", "h"]
    begun = {number: number for number in range(1, 10)}
    assert report.since_reached(file, texts, begun) == {
        1: ["a"],
        2: ["a", "b"],
        3: ["a", "b", "c"],
        5: ["d"],
        6: ["d", "e"],
        8: ["g"],
        9: ["g", "h"],
    }
    file.functions[3] = ["f"]
    assert report.since_reached(file, texts, begun)[3] == ["c"]


IN_PYTHON = """\
if (
    windows
):
    a = [
  1,
    ]

    # of both
    b = "
"
else:
    c()
d()
"""
IN_C = """\
    if (a ||
        b) { /* why; */
        /* not */
        c;
    } else {
        d;
    }
    switch (e) {
    case 1:
        f = g
                ? h
                : i;
    default:
        j;
    }
"""


@pytest.mark.parametrize(
    ("name", "text", "after", "selected"),
    [
        ("a.py", IN_PYTHON, "windows", ["windows", "):", "a = [", "1,", "]", 'b = "', '"']),
        ("a.py", IN_PYTHON, "a = [", ["a = [", "1,", "]", 'b = "', '"']),
        ("a.py", IN_PYTHON, "# of both", ['b = "', '"']),
        ("a.py", IN_PYTHON, "else:", ["else:", "c()"]),
        ("a.c", IN_C, "b) {", ["b) { /* why; */", "c;"]),
        ("a.c", IN_C, "/* not", ["c;"]),
        ("a.c", IN_C, "} else {", ["} else {", "d;"]),
        ("a.c", IN_C, "case 1", ["case 1:", "f = g", "? h", ": i;"]),
        ("a.c", IN_C, "? h", ["? h", ": i;"]),
        ("a.c", IN_C, "default", ["default:", "j;"]),
    ],
)
def test_what_follows_a_line_ends_with_its_block(
    name: str, text: str, after: str, selected: list[str]
) -> None:
    texts = text.replace('"', '"""').splitlines()
    code = {at for at, line in enumerate(texts, 1) if line.strip() and line.strip()[0] not in "#/"}
    listed, _, _ = report.explain(
        {name: report.File(code)}, {name: texts}, [report.Reason("why", name, after=after)]
    )
    found = [line[7:].split("  -- ")[0] for line in listed[1:] if line.endswith("why")]
    assert found == [each.replace('"', '"""') for each in selected]


def test_reasons_for_files_and_patterns() -> None:
    text = '[[unreached]]\nwhy = "f"\nfiles = ["b.*"]\npatterns = { "*.c" = ["^fail"] }\n'
    _, without, wrong = report.explain(both(), TEXTS, report.read_reasons(text))
    assert (len(without), wrong) == (0, [])


def test_a_reason_for_a_function() -> None:
    text = '[[unreached]]\nwhy = "f"\nfunctions = { "b.py" = ["f", "g"] }\n'
    _, without, wrong = report.explain(both(), TEXTS, report.read_reasons(text))
    assert len(without) == 2
    assert wrong == ["a test reaches it, or it is gone: b.py: g"]


def test_a_reason_for_a_function_in_c() -> None:
    lines = [
        {"line_number": number, "count": 0, "branches": [], "function_name": name}
        for number, name in ((2, "f"), (4, "g"))
    ]
    found = report.of_gcovr({"files": [{"file": "a.c", "lines": lines}]}, {"files": []})
    text = '[[unreached]]\nwhy = "r"\nfunctions = { "a.c" = ["g"] }\n'
    listed, without, wrong = report.explain(found, TEXTS, report.read_reasons(text))
    assert (len(without), wrong) == (1, [])
    assert listed[1:] == ["     2 fail();  -- no reason", "     4 fail();  -- r"]


def test_a_reason_for_lines_that_some_runs_reach() -> None:
    text = '[[unreached]]\nwhy = "r"\nsometimes = true\nafter = { "a.c" = ["}", "gone"] }\n'
    _, without, wrong = report.explain(both(), TEXTS, report.read_reasons(text))
    assert (len(without), wrong) == (2, [])


def test_a_reason_for_a_line_that_is_reached_or_gone() -> None:
    for name, text in (("a.c", "if (a) {"), ("a.c", "}"), ("c.c", "x"), ("b.py", "raise y")):
        reasons = [report.Reason("r", name, f"^{re.escape(text)}$")]
        _, without, wrong = report.explain(both(), TEXTS, reasons)
        assert len(without) == 3
        assert len(wrong) == 1
        assert wrong[0].startswith(f"a test reaches it, or it is gone: {name}: ")


def test_what_falls() -> None:
    kept = {"C, branches": 80.0, "C, lines": 90.0}
    assert report.fallen({"C, branches": 80.0, "C, lines": 89.7}, kept) == []
    assert report.fallen({"C, branches": 90.0, "C, lines": 95.0}, kept) == []
    assert len(report.fallen({"C, branches": 79.0, "C, lines": 89.6}, kept)) == 2


def test_kept_files() -> None:
    kept = json.loads(report.KEPT.read_text(encoding="utf-8"))
    assert {f"{name}, {what}" for name in ("C", "Python") for what in ("lines", "branches")} == {
        *kept
    }


def test_each_reason_names_what_is_there() -> None:
    reasons = report.read_reasons(report.REASONS.read_text(encoding="utf-8"))
    sources = [path for each in ("*.c", "*.h", "*.py") for path in report.ROOT.rglob(each)]
    files = [path.relative_to(report.ROOT).as_posix() for path in sources]
    texts: dict[str, list[str]] = {}
    for reason in reasons:
        names = [name for name in files if fnmatch(name, reason.file)]
        assert names, reason
        if reason.function or reason.after:
            texts |= report.read_texts({*names} - {*texts})
            lines = [line.strip() for name in names for line in texts[name]]
            for text in (reason.function, reason.after):
                assert any(text in line for line in lines), reason


def test_a_name_of_a_function_in_a_reason_means_one() -> None:
    reasons = report.read_reasons(report.REASONS.read_text(encoding="utf-8"))
    for reason in reasons:
        if reason.function and reason.file.endswith(".py"):
            (text,) = report.read_texts([reason.file]).values()
            around = report.functions_of(text)
            begins = [number for number in around if reason.function in around[number]]
            assert begins == [*range(begins[0], begins[-1] + 1)], reason
