"""Reports and notebooks of a live process: its program, its build, and names."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import Child64

import pydbgwrite
from pydbgwrite import BuildCheck, Patch, PatchEntry, Session

if sys.platform != "linux":
    pytest.skip("for live Linux processes", allow_module_level=True)


@pytest.fixture
def child() -> Iterator[Child64]:
    with Child64() as started:
        yield started


@pytest.fixture
def attached(child: Child64) -> Iterator[Session]:
    with pydbgwrite.attach(child.pid) as session:
        yield session


@pytest.mark.parametrize("what", ["modules", "regions", "import_slots", "symbols"])
def test_lists_of_a_process_are_tables(attached: Session, what: str) -> None:
    listed = getattr(attached, what)()
    assert isinstance(listed, list)
    shown = listed._repr_html_()  # type: ignore[attr-defined]
    assert shown.count("<tr>") == min(len(listed), 100) + 1
    address = next(each for each in listed[0] if type(each) is int)
    assert f"<code>0x{address:x}</code>" in shown


def libc(session: Session) -> pydbgwrite.Module:
    return next(each for each in session.modules() if each.name.startswith("libc.so"))


def test_a_page_names_program_build_and_symbols(child: Child64, attached: Session) -> None:
    program = str(Path(f"/proc/{child.pid}/exe").readlink())
    address, name = child.areas["rw"], libc(attached).name
    entry = PatchEntry(address, [f"{name}!qsort", f"{name}+0x4"], note="a table")
    preview = Patch([entry]).preview(attached)
    page = preview.to_html()
    assert f"process {child.pid}" in page
    assert f"<bdi>{program}</bdi>" in page
    wanted = BuildCheck.of(attached, program).build_id
    assert wanted is None or wanted in page
    after = preview.entries[0].after
    assert after is not None
    for value in after:
        shown = attached.name(value)
        broken = re.sub(r"!|::|\(", r"\g<0><wbr>", shown)
        assert f'<bdi class="name">{broken}</bdi><span class="hex">0x{value:x}</span>' in page
        assert shown in preview._repr_html_()


def test_a_strip_has_the_module_that_is_touched(attached: Session) -> None:
    module = libc(attached)
    slot = next(s for s in attached.import_slots(module.name) if not s.protected)
    places = [PatchEntry(slot.address, [slot.points_to])]
    page = Patch(places).preview(attached).to_html()
    assert f"<b><bdi>{module.name}</bdi></b>" in page
    assert f"0x{module.base:x} \u2013 0x{module.base + module.size - 1:x}" in page
    assert len(re.findall(r'<rect class="h[1-4]" x="\d+" width="9"', page)) == 1


def test_after_the_session_modules_are_known_still(child: Child64) -> None:
    with pydbgwrite.attach(child.pid) as session:
        module = libc(session)
        patch = Patch([PatchEntry(child.areas["rw"], [module.base + 0x40])])
        preview = patch.preview(session)
    assert f"{module.name}+0x40" in preview.to_html()
    assert "while the session is open" in preview.to_html()


def test_a_target_that_has_ended_has_no_preview(child: Child64, attached: Session) -> None:
    patch = Patch([PatchEntry(child.areas["rw"], [1])])
    preview = patch.preview(attached)
    child.kill()
    assert "Ready to apply" in preview.to_html()  # it was
    with pytest.raises(pydbgwrite.NoTargetError):
        patch.preview(attached)
