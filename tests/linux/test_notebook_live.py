"""What a notebook shows of a live process."""

from __future__ import annotations

import pytest
from support.processes import Child64

import pydbgwrite


@pytest.mark.parametrize("what", ["modules", "regions", "import_slots"])
def test_lists_of_a_process_are_tables(what: str) -> None:
    with Child64() as child, pydbgwrite.attach(child.pid) as session:
        listed = getattr(session, what)()
    assert isinstance(listed, list)
    shown = listed._repr_html_()  # type: ignore[attr-defined]
    assert shown.count("<tr>") == min(len(listed), 100) + 1
    address = next(each for each in listed[0] if type(each) is int)
    assert f"<code>0x{address:x}</code>" in shown
