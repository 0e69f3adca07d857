"""The report page of a preview: what it holds, that strangers' text is text, and its size."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import stat
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import pydbgwrite
from pydbgwrite import Patch, PatchEntry, Preview, ScatteredEntry
from pydbgwrite._report.files import write_private
from pydbgwrite._report.grouping import Grouping
from pydbgwrite._report.model import STATES
from pydbgwrite._report.page import _pointer, page_of

TABLE = 0x10000
#: Markup, an end of a script, what acts on a terminal or turns text around, and half a character.
HOSTILE = "<script>alert(1)</script>&amp;'\"</bdi><!--\x1b[31m\u202e\u2066\u2028\u2029\x00\udc80"
VOID = {"meta", "input", "br", "rect", "path", "wbr"}


class Parsed(HTMLParser):
    """A page: its elements, which must be nested correctly, and the text of each kind."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text: dict[str, str] = {}
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        tag = self._open[-1] if self._open else ""
        self.text[tag] = self.text.get(tag, "") + data
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data

    @property
    def shown(self) -> str:
        """All text that is not a style or a script."""
        return "".join(text for tag, text in self.text.items() if tag not in ("style", "script"))


def data_of(page: str) -> Any:
    """Return what the page's script reads."""
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert match is not None
    return json.loads(match[1])


def patch_of(count: int, *, step: int = 8, note: str = "", expect: int | None = None) -> Patch:
    places = range(TABLE, TABLE + step * count, step)
    return Patch([PatchEntry(at, [at + 1], note=note, expect=expect) for at in places])


def test_a_page_has_each_pointer(session: pydbgwrite.Session) -> None:
    session.write_pointers(TABLE, [7, 8, 9])
    patch = Patch(
        [
            PatchEntry(TABLE, [1, 8], expect=[7, 8], note="handlers"),
            PatchEntry(TABLE + 16, [3], expect=5),
            PatchEntry("0x20000", [1]),
            PatchEntry(0x5000_0000, [1]),
        ]
    )
    preview = patch.preview(session)
    page = Parsed(preview.to_html())
    head, *rows = page.rows
    assert head == ["Entry", "Address", "Before", "After", "Expected", "Note", "State now"]
    assert rows == [
        ["1", "0x10000", "0x7", "0x1", "as before", "handlers", "\u2713 ok"],
        ["1", "0x10008", "0x8", "0x8", "as before", "handlers", "= same"],
        ["2", "0x10010", "0x9", "0x3", "0x5", "", "\u2260 differs"],
        ["3", "0x20000", "0x0", "0x1", "anything", "", "\u2717 problem"],
        ["4", "0x50000000", "?", "0x1", "anything", "", "? unreadable"],
    ]
    assert "simulated" in page.shown
    for problem in preview.problems:
        assert problem in page.shown


def test_a_patch_that_is_applied_already(session: pydbgwrite.Session) -> None:
    patch = Patch([PatchEntry(TABLE, [1, 2], expect=[7, 8])])
    for held, applied in (([1, 2], True), ([1, 3], False), ([0, 0], False)):
        session.write_pointers(TABLE, held)
        shown = Parsed(patch.preview(session).to_html()).shown
        assert ("expects, and already holds what it writes." in shown) == applied


def test_a_long_name_is_broken_where_a_reader_would() -> None:
    shown = _pointer(1, {1: "libshop.so!shop::Clerk<int>::greet(char const*)"})
    name = "libshop.so!<wbr>shop::<wbr>Clerk&#60;int&#62;::<wbr>greet(<wbr>char const*)"
    assert f'<bdi class="name">{name}</bdi>' in shown


def test_an_unresolved_address_is_shown(session: pydbgwrite.Session) -> None:
    preview = Patch([PatchEntry("nowhere!table", [1, 2])]).preview(session)
    rows = Parsed(preview.to_html()).rows
    assert [row[1] for row in rows[1:]] == ["?", "?"]
    assert {row[-1] for row in rows[1:]} == {"\u2717 problem"}


def test_nothing_is_loaded_and_only_its_own_script_runs(session: pydbgwrite.Session) -> None:
    page = patch_of(3, note=HOSTILE).preview(session).to_html()
    parsed = Parsed(page)
    assert parsed.tags.count("script") == 2  # data, and the script
    assert not {"link", "img", "iframe", "a", "object", "base"} & set(parsed.tags)
    names = {name for _, name, _ in parsed.attributes}
    assert not {name for name in names if name.startswith("on") or name == "style"}
    assert not {"src", "href", "action", "xlink:href"} & names
    assert "http://" not in page and "https://" not in page
    (policy,) = [v for _, name, v in parsed.attributes if name == "content" and "default-src" in v]
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        content = re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
        (digest,) = [hashlib.sha256(each.encode()).digest() for each in content]
        assert f"{tag}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert "unsafe" not in policy


def test_text_of_strangers_is_text(session: pydbgwrite.Session) -> None:
    preview = patch_of(3, note=HOSTILE).preview(session)
    preview._note = HOSTILE
    preview.problems.append(HOSTILE)
    page = preview.to_html()
    assert "alert(1)</script>" not in page
    assert page.isascii() or not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2066\u2028]", page)
    shown = Parsed(page).shown
    seen = "<script>alert(1)</script>&amp;'\"</bdi><!--\\x1b[31m\\u202e\\u2066\\u2028\\u2029\\x00"
    assert shown.count(seen) >= 5  # the patch's note, the problem, and three rows
    assert seen + "\\udc80" in data_of(page)["texts"]


def test_names_of_strangers_are_text(session: pydbgwrite.Session) -> None:
    preview = patch_of(3).preview(session)
    report = preview._report()
    report = report._replace(names={TABLE: HOSTILE * 50, TABLE + 9: HOSTILE}, title=HOSTILE)
    page = page_of(report._replace(strips=[report.strips[0]._replace(label=HOSTILE)]))
    assert "alert(1)</script>" not in page
    parsed = Parsed(page)
    assert "\u2026 (" in parsed.shown  # a long name is cut, and its length said
    assert any(
        name == "aria-label" and HOSTILE[:20] in value for _, name, value in parsed.attributes
    )


# ---- many pointers


@pytest.fixture
def wide() -> Iterator[pydbgwrite.Session]:
    with pydbgwrite.simulate([(TABLE, 1 << 26)]) as session:
        yield session


def counted(page: str) -> int:
    return sum(group["count"] for group in data_of(page)["groups"])


def test_adjacent_pointers_are_one_group(wide: pydbgwrite.Session) -> None:
    patch = Patch(
        [
            *patch_of(5_000, note="table").entries,
            PatchEntry(TABLE + 0x10_0000, [1] * 20_000, note="another"),
        ]
    )
    page = patch.preview(wide).to_html()
    groups = data_of(page)["groups"]
    assert [group["count"] for group in groups] == [5_000, 20_000]
    assert all(0 < len(group["rows"]) <= 64 for group in groups)
    rows = Parsed(page).rows
    assert any("5,000 pointers" in row[0] and "table" in row[0] for row in rows)
    assert any(re.search(r"and 4,936 pointers more", row[0]) for row in rows)
    assert "25,000 pointers" in Parsed(page).shown


@pytest.mark.parametrize("step", [16, 4096, 1 << 13])
def test_scattered_pointers_are_grouped_by_pages(wide: pydbgwrite.Session, step: int) -> None:
    page = patch_of(5_000, step=step).preview(wide).to_html()
    assert counted(page) == 5_000
    groups = data_of(page)["groups"]
    assert len(groups) <= 1_001
    assert all(int(g["range"].split()[0], 16) // 4096 * 4096 % 4096 == 0 for g in groups)
    assert len(page) < 2_000_000


def test_problems_come_first(wide: pydbgwrite.Session) -> None:
    entries = patch_of(3_000).entries
    for at in (2_000, 2_999):
        entries[at].expect = 5
    table = PatchEntry(TABLE + 0x10_0000, [1] * 2_000, expect=[0] * 1_999 + [9])
    page = Patch([*entries, table]).preview(wide).to_html()
    data = data_of(page)
    bad = [row[1] for group in data["groups"] for row in group["rows"] if row[-1] == 2]
    assert bad == [f"{at:x}" for at in (TABLE + 16_000, TABLE + 23_992, TABLE + 0x10_0000 + 15_992)]
    assert [group["states"][2] for group in data["groups"]] == [2, 1]
    assert [sum(group["states"]) for group in data["groups"]] == [3_000, 2_000]


def test_states_are_those_of_the_rows(session: pydbgwrite.Session) -> None:
    session.write_pointers(TABLE, range(1, 1_001))
    values = [at if at % 3 else at + 1 for at in range(1, 1_001)]
    wanted = [at if at % 5 else 0 for at in range(1, 1_001)]
    patch = Patch([PatchEntry(TABLE, values, expect=wanted), PatchEntry(TABLE + 8_000, [0] * 50)])
    (group,) = data_of(patch.preview(session).to_html())["groups"]
    differs = sum(at % 5 == 0 for at in range(1, 1_001))
    same = sum(at % 5 != 0 and at % 3 != 0 for at in range(1, 1_001)) + 50
    assert group["states"] == [1_050 - differs - same, same, differs, 0, 0]


def test_a_narrow_target_shows_what_it_would_hold(narrow: pydbgwrite.Session) -> None:
    narrow.write_pointers(TABLE, [0xFFFF_FFFF])
    patch = Patch([PatchEntry(TABLE, [0xFFFF_FFFF_FFFF_FFFF], expect=0xFFFF_FFFF_FFFF_FFFF)])
    rows = Parsed(patch.preview(narrow).to_html()).rows
    assert rows[1] == ["1", "0x10000", *["0xffffffff"] * 2, "as before", "", "= same"]


def test_long_names_do_not_make_a_page_long(wide: pydbgwrite.Session) -> None:
    preview = patch_of(5_000, step=16).preview(wide)
    report = preview._report()
    values = {value for group in report.groups for row in group.rows for value in row.values}
    for mark in ("<", "\u202e"):
        names = {value: f"{value}{mark * 500}" for value in values if value is not None}
        groups = [
            group._replace(rows=[row._replace(note=f"{row}{mark * 500}") for row in group.rows])
            for group in report.groups
        ]
        page = page_of(report._replace(names=names, groups=groups))
        assert len(page.encode()) < 5_000_000
        assert counted(page) == 5_000


def test_a_million_entries_give_a_page_below_5_mb(profile: str) -> None:
    """bench/cases/report.py measures how long it takes."""
    count = 1_000_000 if profile == "full" else 30_000
    with pydbgwrite.simulate([(TABLE, 1 << 33)]) as session:
        page = patch_of(count, step=4096).preview(session).to_html()
    assert len(page.encode()) < 5_000_000
    assert counted(page) == count


def test_long_notes_of_single_pointers_are_cut(wide: pydbgwrite.Session) -> None:
    """With one row in each group the page is short only if less of each text is shown."""
    report = patch_of(1).preview(wide)._report()
    (group,) = report.groups
    (row,) = group.rows
    rows = [row._replace(note=f"{at}" + "<" * 500) for at in range(5_000)]
    groups = [group._replace(note=each.note, rows=[each]) for each in rows]
    page = page_of(report._replace(groups=groups, flat=False))
    assert len(page.encode()) < 5_000_000
    assert counted(page) == 5_000


def test_the_first_of_many_problems(wide: pydbgwrite.Session) -> None:
    patch = patch_of(130, expect=7)
    page = patch.preview(wide).to_html()
    assert "130 problems." in Parsed(page).shown
    assert "and 30 more problems" in Parsed(page).shown


def test_the_build_that_a_patch_is_for(session: pydbgwrite.Session) -> None:
    """Simulated memory has no modules: that is a problem, and the page has both."""
    build = pydbgwrite.BuildCheck("shop", build_id="ab" * 20)
    page = Patch([PatchEntry(TABLE, [1])], builds=[build]).preview(session).to_html()
    assert "Made for" in Parsed(page).shown and f"shop, {'ab' * 20}" in Parsed(page).shown


def test_pointers_all_over_memory_have_few_strips() -> None:
    """Places that lie near each other share a strip, the nearer the more places there are."""
    places = [TABLE + (number << 26) for number in range(100)]
    with pydbgwrite.simulate([(each, 4096) for each in places]) as session:
        preview = Patch([PatchEntry(each, [1]) for each in places]).preview(session)
        report = preview._report()
        assert [strip.pointers for strip in report.strips] == [100]
        modules = [pydbgwrite.Module(f"m{at}", at, 4096, "") for at in places]
        grouping = Grouping(preview.entries, preview._order, 8, modules)
        strips, left = grouping.strips({})
    assert [strip.label for strip in strips] == [f"m{at}" for at in places[60:]]
    assert left == (60, 60)


def test_scattered_pointers_beside_a_table(narrow: pydbgwrite.Session) -> None:
    """Each row has the state that it would have in an entry of its own."""
    patch = Patch(
        [
            PatchEntry(TABLE, [1, 2, 3], note="table"),
            ScatteredEntry([TABLE + 64, TABLE + 32], [2**33, 5], note="too wide"),
        ]
    )
    page = patch.preview(narrow).to_html()
    words = {row[1]: row[-1] for row in Parsed(page).rows[1:]}
    assert counted(page) == 5
    assert [words[f"0x{TABLE + at:x}"] for at in (0, 4, 8)] == ["\u2713 ok"] * 3
    assert all("problem" in words[f"0x{TABLE + at:x}"] for at in (32, 64))


def test_every_state_is_explained(session: pydbgwrite.Session) -> None:
    shown = Parsed(patch_of(1).preview(session).to_html()).shown
    for state in STATES:
        assert f"{state.sign} {state.word}" in shown
        assert state.meaning in shown


def test_a_closed_session_gives_what_the_preview_knows() -> None:
    with pydbgwrite.simulate([(TABLE, 4096)]) as session:
        preview = patch_of(3).preview(session)
    assert Parsed(preview.to_html()).rows[1][1] == f"0x{TABLE:x}"
    assert "while the session is open" in preview.to_html()
    del session
    assert "while the session is open" in preview.to_html()


def test_a_preview_is_a_page_of_its_own(session: pydbgwrite.Session) -> None:
    """One without a description of its target has a page, too."""
    preview = Preview(8, [])
    assert "unknown target" in preview.to_html()


# ---- the file


def test_the_file_is_private(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    write_private(str(file), "\u2713")
    write_private(str(file), "twice")
    assert file.read_text(encoding="utf-8") == "twice"
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="making symbolic links is a privilege there")
def test_no_link_is_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("theirs")
    link = tmp_path / "page.html"
    link.symlink_to(other)
    with pytest.raises(FileExistsError, match="link"):
        write_private(str(link), "memory")
    assert other.read_text() == "theirs"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["other", "page.html"]


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        write_private(str(tmp_path), "memory")
    with pytest.raises(FileNotFoundError):
        write_private(str(tmp_path / "absent" / "page.html"), "memory")
