"""docs/check_site.py finds faults in pages."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

CHECK = runpy.run_path(str(Path(__file__).resolve().parent.parent / "docs" / "check_site.py"))
ORDER, faults_of = CHECK["ORDER"], CHECK["faults_of"]

HEAD = '<link rel="stylesheet" href="_static/site.css">'
DEMO = '<div class="highlight-text"><pre>verified by the target: <b>yes</b></pre></div>'
PLOT = '<img src="_images/performance.svg" />'


def article(*parts: str) -> str:
    return f"{HEAD}<article><h1>Title<a href='#t'>¶</a></h1>{''.join(parts)}</article>"


def members(names: list[str]) -> str:
    return "".join(f'<dt id="pydbgwrite.Session.{name}"></dt>' for name in names)


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("limits.html", article("<a href='https://a.example'></a><a href='#b'></a>")),
        ("limits.html", article('<div class="table-wrapper"><table class="docutils"></div>')),
        ("index.html", article(DEMO, PLOT)),
        ("performance.html", article(f"<p>\n{PLOT}</p>", "<p>Linux 6.18, Python</p>")),
        ("reference/session.html", article(members(["closed", *ORDER, "pid"]))),
        ("reference/patches.html", article('<dt class="field-odd">Parameters</dt>')),
        ("howto/page.html", article('<dt class="field-odd">Type</dt>')),
    ],
)
def test_what_is_in_order(name: str, page: str) -> None:
    assert faults_of(name, page) == []


@pytest.mark.parametrize(
    ("name", "page", "fault"),
    [
        ("a.html", article("<a href='tcp:port=5005'></a>"), "'tcp:port=5005' is a link"),
        ("a.html", article("<a href='mailto:memcpy&#64;GLIBC'></a>"), "'mailto:memcpy@GLIBC'"),
        ("a.html", article('<table class="docutils">'), "1 tables are in no table-wrapper"),
        ("a.html", "<article></article>", "site.css is missing"),
        ("index.html", article(PLOT), "no output of `pydbgwrite demo`"),
        ("index.html", article(DEMO.replace("yes", "no"), PLOT), "no output of `pydbgwrite demo`"),
        ("index.html", article(DEMO), "no plot"),
        ("performance.html", article("<p>How fast</p>", PLOT), "it begins with 'How fast'"),
        ("performance.html", article(PLOT, "Linux 6.18.44-x1, Python 3.11"), "'Linux 6.18.44-x1'"),
        ("reference/session.html", article(members(sorted(ORDER))), "not in the order of work"),
        ("reference/session.html", article(members(ORDER[1:])), "not in the order of work"),
        (
            "reference/session.html",
            article(members(ORDER), '<dt class="field-odd">Type</dt>'),
            "was taken for a type",
        ),
    ],
)
def test_what_is_not(name: str, page: str, fault: str) -> None:
    (found,) = faults_of(name, page)
    assert fault in found
