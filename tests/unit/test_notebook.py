"""What a notebook shows (_repr_html_): tables without script, of a limited number of rows."""

from __future__ import annotations

import pickle
from array import array
from html.parser import HTMLParser
from typing import Any

import pydbgwrite
from pydbgwrite import Change, Conflict, Module, Patch, PatchEntry, Region, UndoReport
from pydbgwrite._report.listing import Listing

HOSTILE = "<script>alert(1)</script>&'\"\x1b\u202e\u2028"
SEEN = "<script>alert(1)</script>&'\"\\x1b\\u202e\\u2028"
TABLE = 0x10000


class Parsed(HTMLParser):
    """The tables of a fragment, and the text outside of them."""

    def __init__(self, shown: Any) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.text = ""
        self.tags: set[str] = set()
        self._open: list[str] = []
        self.feed(shown._repr_html_())
        self.close()
        assert not self._open
        assert self.tags <= {"table", "thead", "tbody", "tr", "th", "td", "code", "bdi", "p"}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [name for name, _ in attrs if name != "style"]
        self.tags.add(tag)
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data
        else:
            self.text += data


def test_modules() -> None:
    listing = Listing([Module(HOSTILE, 0x1000, 0x200, f"/tmp/{HOSTILE}")])
    assert Parsed(listing).rows == [
        ["name", "base", "size", "path"],
        [SEEN, "0x1000", "0x200", f"/tmp/{SEEN}"],
    ]


def test_a_listing_is_a_list(session: pydbgwrite.Session) -> None:
    modules = session.modules()
    assert modules == []
    assert isinstance(modules, list)
    assert "None" in Parsed(modules).text
    one = Listing([Region(0x1000, 0x2000, "rw", "committed", "<heap>")])
    assert repr(one) == repr(list(one))
    assert pickle.loads(pickle.dumps(one)) == one
    assert Parsed(one).rows == [
        ["base", "size", "protection", "state", "name"],
        ["0x1000", "0x2000", "rw", "committed", "<heap>"],
    ]


def test_rows_are_limited() -> None:
    listing = Listing(Module(f"lib{at}", at, 1, "") for at in range(2_345))
    parsed = Parsed(listing)
    assert len(parsed.rows) == 101
    assert "2,245 more" in parsed.text


def test_a_long_text_is_cut() -> None:
    (_, row) = Parsed(Listing([Module("x" * 100_000, 1, 1, "")])).rows
    assert len(row[0]) < 400
    assert "100,000 characters" in row[0]


def test_changes(session: pydbgwrite.Session) -> None:
    with session.transaction() as transaction:
        session.write_pointers(TABLE, [1, 2])
        session.write(TABLE + 16, b"\xab\xcd")
        session.write_scattered([TABLE + 0x100, TABLE + 0x80], [7, 8])
        changes = transaction.changes
        assert Parsed(changes).rows == [
            ["address", "bytes", "old", "new"],
            ["0x10000", "16", "0x0, 0x0", "0x1, 0x2"],
            ["0x10010", "2", "00 00", "ab cd"],
            ["0x10080", "16", "0x0, 0x0", "0x7, 0x8"],
        ]
        head = ["address", "old", "new"]
        assert Parsed(changes[0]).rows == [
            head,
            ["0x10000", "0x0", "0x1"],
            ["0x10008", "0x0", "0x2"],
        ]
        assert Parsed(changes[1]).rows == [head, ["0x10010", "00 00", "ab cd"]]
        assert Parsed(changes[2]).rows == [
            head,
            ["0x10100", "0x0", "0x7"],
            ["0x10080", "0x0", "0x8"],
        ]


def test_a_long_change_is_limited() -> None:
    change = Change(TABLE, bytes(4 * 500), bytes(4 * 500), 4)
    parsed = Parsed(change)
    assert len(parsed.rows) == 101
    assert "400 more" in parsed.text
    scattered = Change(8, bytes(8), bytes(8), 4, array("Q", [8, 16]))
    assert [row[0] for row in Parsed(scattered).rows[1:]] == ["0x8", "0x10"]


def test_undo_reports() -> None:
    report = UndoReport(
        restored=8,
        conflicts=(Conflict(TABLE, b"\1" + bytes(7), b"\2" + bytes(7), b"\3" + bytes(7)),),
        conflict_total=150,
        remaining=((0x2000, 16, HOSTILE),),
    )
    parsed = Parsed(report)
    assert ["0x10000", "0x1", "0x2", "0x3"] in parsed.rows
    assert ["0x2000", "0x10", SEEN] in parsed.rows
    assert "8 bytes restored" in parsed.text
    assert Parsed(UndoReport()).rows == []


def test_previews(session: pydbgwrite.Session) -> None:
    session.write_pointers(TABLE, [5])
    patch = Patch(
        [PatchEntry(TABLE, [1], expect=4, note=HOSTILE), PatchEntry(TABLE + 8, [2] * 200)]
    )
    preview = patch.preview(session)
    parsed = Parsed(preview)
    head = ["entry", "address", "before", "after", "expected", "note", "state now"]
    assert parsed.rows[:2] == [
        head,
        ["1", "0x10000", "0x5", "0x1", "0x4", SEEN, "\u2260 differs"],
    ]
    assert parsed.rows[-1] == [preview.problems[0]]
    assert "101 more" in parsed.text
    assert "does not hold what the patch expects" in parsed.text
    good = Patch([PatchEntry(TABLE, [1])]).preview(session)
    assert "1 pointer: 1 would change" in Parsed(good).text
