"""The report page in a real browser: it filters, sorts and expands, and fits where it is shown."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pydbgwrite
from pydbgwrite import Patch, PatchEntry
from pydbgwrite.rollout.ahead import READY, Ahead, rows_of_process
from pydbgwrite.rollout.choice import FoundProcess
from pydbgwrite.rollout.page import page_ahead

if sys.platform == "win32":
    pytest.skip("needs POSIX pipes, by which the browser is driven", allow_module_level=True)

from support.browser import NAMES, Page, browser_page, find_browser

TABLE = 0x10000
#: Pictures of the pages go there, for people to look at.
PICTURES = os.environ.get("PYDBGWRITE_PICTURES")
ROWS = "[...document.querySelectorAll('tbody tr:not(.group, .more)')]"
GROUPS = "[...document.querySelectorAll('tbody tr.group')]"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    program = find_browser()
    if program is None:
        pytest.skip(f"there is no {' or '.join(NAMES)}")
    with browser_page(program) as opened:
        opened.size(1280, 900)
        yield opened


@pytest.fixture(autouse=True)
def _no_complaints(page: Page) -> Iterator[None]:
    page.complaints.clear()
    page.requests.clear()
    yield
    assert page.complaints == []
    assert [each for each in page.requests if not each.startswith("file:")] == []
    assert len(page.requests) <= 1  # the page itself


@pytest.fixture
def short(page: Page, tmp_path: Path) -> Page:
    """Open the page of a short patch."""
    with pydbgwrite.simulate([(TABLE, 0x4000), (0x20000, 0x1000, "r")]) as session:
        session.write_pointers(TABLE, [30, 20, 10])
        entries = [
            PatchEntry(TABLE, [1, 2, 3], expect=[30, 20, 10], note="handlers <b>of</b> events"),
            PatchEntry(TABLE + 0x1000, [5], expect=9, note="the \u202elist"),
            PatchEntry(0x20000, [6]),
            PatchEntry(0x5000_0000, [7]),
        ]
        shown(page, tmp_path, Patch(entries, note="for 2.4").preview(session))
    return page


@pytest.fixture
def long(page: Page, tmp_path: Path) -> Page:
    """Open the page of a long patch: a table, one of another note, and scattered pointers."""
    with pydbgwrite.simulate([(TABLE, 0x100_0000)]) as session:
        entries = [PatchEntry(TABLE, range(1, 3_001), note="table")]
        entries += [PatchEntry(TABLE + 0x8_0000, range(1, 11), expect=[0] * 9 + [7], note="tail")]
        entries += [PatchEntry(TABLE + 0x10_0000 + 0x3000 * at, [at]) for at in range(100)]
        shown(page, tmp_path, Patch(entries).preview(session))
    return page


def shown(page: Page, folder: Path, preview: pydbgwrite.Preview) -> None:
    file = folder / "page.html"
    file.write_text(preview.to_html(), encoding="utf-8")
    page.open(file)


@pytest.fixture
def of_processes(page: Page, tmp_path: Path) -> Page:
    """Open the page of a rollout over two processes, and one that refuses access."""
    ahead = []
    patch = Patch([PatchEntry(TABLE, [1], expect=0)])
    for pid in (71, 72):
        with pydbgwrite.simulate([(TABLE, 0x1000)]) as session:
            rows, names = rows_of_process(patch.preview(session))
        process = FoundProcess(pid, "/opt/shop", "me", "1", "")
        ahead.append(Ahead(process, "", READY, "", 1, 1, rows, names))
    ahead.append(Ahead(FoundProcess(73, "", "root", "1", "no"), "", "no access", "<i>no</i>"))
    file = tmp_path / "page.html"
    file.write_text(page_ahead(patch, ahead, "web1"), encoding="utf-8")
    page.open(file)
    return page


def cells(page: Page, column: int) -> list[str]:
    found = page.look(f"{ROWS}.map((row) => row.cells[{column}].innerText)")
    return [str(each) for each in found]


def test_a_rollout_by_process(of_processes: Page) -> None:
    """Its processes have a table, which the script leaves alone, and each has its pointers."""
    page = of_processes
    listed = page.look("document.querySelector('tbody').innerText.split('\\n')")
    assert [each.split("\t") for each in map(str, listed)] == [
        ["web1", "73", "", "\u2717 no access", "<i>no</i>"],
        ["web1", "71", "/opt/shop", "\u2713 ready", ""],
        ["web1", "72", "/opt/shop", "\u2713 ready", ""],
    ]
    assert page.look("document.querySelectorAll('#processes ~ .scroll table').length") == 2
    heads = page.look(f"{GROUPS}.map((row) => row.innerText)")
    assert [str(head).split("\n")[0][:17] for head in heads] == [
        "shop (process 71)",
        "shop (process 72)",
    ]
    opened = "document.querySelectorAll('#rows tbody tr:not(.group, .more)').length"
    assert page.look(opened) == 0  # also one of a single pointer
    page.click("tr.group button")
    assert page.look(opened) == 1
    page.click("[data-key=before] button")
    assert page.look("document.querySelectorAll('tbody').length") == 2


def test_it_filters(short: Page) -> None:
    assert len(cells(short, 1)) == 6
    short.write("[name=words]", "EVENTS")
    assert cells(short, 5) == ["handlers <b>of</b> events"] * 3
    short.write("[name=words]", "0x10008")
    assert cells(short, 1) == ["0x10008"]
    short.write("[name=words]", "nothing like it")
    assert cells(short, 1) == []
    assert "No pointer" in short.look("document.querySelector('tbody').innerText")
    short.write("[name=words]", "")
    assert len(cells(short, 1)) == 6


def test_it_filters_by_state(short: Page) -> None:
    short.look(
        "(() => { const s = document.querySelector('[name=state]'); s.value = 'differs'; "
        "s.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )
    assert cells(short, 1) == ["0x11000"]
    assert "1 pointer of 6 match" in short.look("document.getElementById('shown').innerText")


def test_it_sorts(short: Page) -> None:
    short.click("[data-key=before] button")
    assert cells(short, 2) == ["?", "0x0", "0x0", "0xa", "0x14", "0x1e"]
    short.click("[data-key=before] button")
    assert cells(short, 2) == ["0x1e", "0x14", "0xa", "0x0", "0x0", "?"]
    sort = "document.querySelector('[data-key=before]').getAttribute('aria-sort')"
    assert short.look(sort) == "descending"
    short.click("[data-key=entry] button")
    assert cells(short, 0) == ["1", "1", "1", "2", "3", "4"]


def test_it_expands_groups(long: Page) -> None:
    assert long.look(f"{GROUPS}.length") == 2
    assert len(cells(long, 0)) == 100  # those alone in their group
    long.click("tr.group button")
    assert len(cells(long, 0)) == 164
    assert "2,936 pointers that this page does not have" in long.look("document.body.innerText")
    focused = "document.activeElement.getAttribute('aria-expanded')"
    assert long.look(focused) == "true"
    long.click("tr.group button")
    assert len(cells(long, 0)) == 100
    long.click("[name=every]")
    assert len(cells(long, 0)) == 174
    long.click("[name=every]")
    assert len(cells(long, 0)) == 100


def test_a_filter_looks_into_groups(long: Page) -> None:
    long.write("[name=words]", "tail")
    assert len(cells(long, 0)) == 10
    long.write("[name=words]", "differs")
    assert cells(long, 1) == [hex(TABLE + 0x8_0000 + 72)]


def test_what_a_stranger_wrote_is_text(short: Page) -> None:
    assert short.look("document.querySelectorAll('b:not(.place b, .quiet b)').length") == 0
    assert "the \\u202elist" in short.look("document.querySelector('tbody').innerText")


def test_no_other_script_runs(short: Page) -> None:
    short.look(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1'; "
        "document.body.append(s); })()"
    )
    assert short.look("window.ran") is None
    assert any("Content Security Policy" in each for each in short.complaints)
    short.complaints.clear()


def test_it_is_a_table_without_script(page: Page, short: Page) -> None:
    with_script = [cells(short, column) for column in range(7)]
    path = Path(page.look("location.pathname"))
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.open(path)
        assert page.look("document.documentElement.className") == ""
        assert [cells(page, column) for column in range(7)] == with_script
        assert page.look("getComputedStyle(document.querySelector('form')).display") == "none"
    finally:
        page.call("Emulation.setScriptExecutionDisabled", value=False)
    page.requests.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("which", ["short", "long"])
def test_it_fits(
    page: Page, request: pytest.FixtureRequest, which: str, width: int, scheme: str
) -> None:
    page.prefer(scheme)
    page.size(width, 900)
    request.getfixturevalue(which)
    try:
        assert page.look("document.documentElement.scrollWidth") <= width
        assert page.look(CONTRAST) == []
        if PICTURES:
            Path(PICTURES, f"{which}-{width}-{scheme}.png").write_bytes(page.picture())
    finally:
        page.size(1280, 900)
        page.prefer("light")


def test_it_prints(short: Page) -> None:
    printed = short.printed()
    assert printed.startswith(b"%PDF")
    if PICTURES:
        Path(PICTURES, "printed.pdf").write_bytes(printed)


#: Texts whose contrast with what is behind them is below 4.5 to 1 (WCAG 2.2, 1.4.3).
CONTRAST = """
(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).map((c) =>
      (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (numbers(colour)[3] !== 0) return colour;
    }
  };
  const bad = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    const text = texts.currentNode.data.trim();
    if (!text || !e.checkVisibility() || e.closest("svg, script")) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) bad.add(`${e.tagName}.${e.className}: ${ratio.toFixed(2)}`);
  }
  return [...bad];
})()
"""
