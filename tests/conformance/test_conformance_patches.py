"""Patches on every engine: a preview reports and touches nothing; apply() writes."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import pytest
from support.cases import EngineCase

import pydbgwrite
from pydbgwrite import (
    BuildCheck,
    ExpectationError,
    NoTargetError,
    Patch,
    PatchEntry,
    PatchError,
    ReadOnlyError,
    ScatteredEntry,
    TargetAccessError,
    VerificationError,
    testing,
)


def pointers_at(case: EngineCase, address: int, count: int) -> list[int]:
    """Return the pointers that support.child.pattern() put there."""
    size, start = case.pointer_size, address - case.rw
    image = case.image()
    return [
        int.from_bytes(image[at : at + size], "little")
        for at in range(start, start + count * size, size)
    ]


def example(case: EngineCase) -> tuple[Patch, bytearray]:
    """Return a patch of small entries and a long one, some with expectations, and its result."""
    size, image = case.pointer_size, case.image()
    few, one, many = case.values(3), case.values(1, 50), case.values(300, 100)
    long_at = case.end - 300 * size
    entries = [
        PatchEntry(case.rw + 5, few, note="unaligned"),
        PatchEntry(hex(case.rw + 64), one, expect=pointers_at(case, case.rw + 64, 1)),
        PatchEntry(long_at, many, expect=pointers_at(case, long_at, 300)),
        PatchEntry(case.rw + 256, [hex(one[0]), 0], expect=None),
    ]
    for entry, values in zip(entries, (few, one, many, [one[0], 0]), strict=True):
        start = int(str(entry.address), 0) - case.rw
        image[start : start + size * len(values)] = case.pack(values)
    return Patch(entries), image


def scattered_example(case: EngineCase) -> tuple[Patch, bytearray]:
    """Return a patch of pointers at separate addresses, few and many, and its result."""
    size, image = case.pointer_size, case.image()
    few, many = case.values(3), case.values(300, 100)
    # In no order, some of them not aligned, and some of them neighbours.
    near = [case.rw + 512 + 3, case.rw + 5, case.rw + 5 + size]
    far = [case.end - 2 * size * at for at in range(1, 301)]
    held = [pointers_at(case, address, 1)[0] for address in far]
    entries: list[PatchEntry | ScatteredEntry] = [
        ScatteredEntry(near, few, note="few"),
        PatchEntry(case.rw + 64, [1, 2]),
        ScatteredEntry([at - case.rw for at in far], many, base=hex(case.rw), expect=held),
    ]
    for address, value in zip([*near, *far], [*few, *many], strict=True):
        image[address - case.rw : address - case.rw + size] = case.pack([value])
    image[64 : 64 + 2 * size] = case.pack([1, 2])
    return Patch(entries), image


def test_a_preview_tells_and_touches_nothing(engine_case: EngineCase) -> None:
    case = engine_case
    patch, _ = example(case)
    preview = patch.preview(case.session)
    assert preview.problems == []
    assert preview.ok
    assert (preview.pointers, preview.pointer_size) == (306, case.pointer_size)
    assert (preview.mismatches, preview.mismatch_total) == ([], 0)
    assert preview.changed == 306
    for number, each in enumerate(preview.entries, 1):
        assert each.number == number
        assert each.entry is patch.entries[number - 1]
        assert isinstance(each.entry, PatchEntry)
        assert each.address == int(str(each.entry.address), 0)
        assert next(iter(each.addresses or ())) == each.address
        assert each.before is not None and each.after is not None
        assert list(each.before) == pointers_at(case, each.address, len(each.after))
        assert list(each.problems) == []
    assert list(preview.entries[3].after or ()) == [case.values(1, 50)[0], 0]
    assert case.peek(case.rw, case.rw_size) == bytes(case.image())


def test_a_page_for_a_reviewer(readable_case: EngineCase) -> None:
    """Every kind of target has one, a dump's and a remote one's too."""
    case = readable_case
    preview = Patch([PatchEntry(case.rw, [1, 2], note="a <note>")]).preview(case.session)
    page, notebook = preview.to_html(), preview._repr_html_()
    before = pointers_at(case, case.rw, 2)
    for value in (case.rw, case.rw + case.pointer_size, *before):
        assert f"0x{value:x}" in page
        assert f"0x{value:x}" in notebook
    assert f"{case.pointer_size} bytes" in page
    assert case.session.target in page
    assert "a &#60;note&#62;" in page and "<note>" not in page


@pytest.mark.parametrize("via", ["auto", "WriteVirtual", "WritePointersVirtual"])
def test_apply_verify_undo(engine_case: EngineCase, via: Any) -> None:
    case = engine_case
    patch, image = example(case)
    with pytest.raises(VerificationError) as caught:
        patch.verify(case.session)
    assert caught.value.total == 306
    assert len(caught.value.mismatches) == 100
    reported: list[tuple[int, int]] = []
    assert patch.apply(case.session, via=via, progress=lambda *done: reported.append(done)) == 306
    assert reported[-1] == (306, 306)
    assert reported == sorted(reported)
    patch.verify(case.session)
    assert case.session.read(case.rw, case.rw_size) == bytes(image)
    assert patch.preview(case.session).changed == 0
    report = patch.undo(case.session)
    assert report.complete
    assert case.peek(case.rw, case.rw_size) == bytes(case.image())


@pytest.mark.parametrize("via", ["auto", "WriteVirtual"])
def test_separate_addresses(engine_case: EngineCase, tmp_path: Path, via: Any) -> None:
    """Pointers at separate addresses are previewed, applied, compared and undone."""
    case = engine_case
    patch, image = scattered_example(case)
    patch.save(tmp_path / "p.toml", inline=10)
    assert Patch.load(tmp_path / "p.toml") == patch
    preview = patch.preview(case.session)
    assert (preview.problems, preview.pointers, preview.changed) == ([], 305, 305)
    for each in preview.entries:
        assert each.addresses is not None and each.before is not None
        assert each.address == each.addresses[0]
        held = [pointers_at(case, address, 1)[0] for address in each.addresses]
        assert list(each.before) == held
    assert case.session.read(case.rw, case.rw_size) == bytes(case.image())
    reported: list[tuple[int, int]] = []
    journal, progress = tmp_path / "j", lambda *done: reported.append(done)
    assert patch.apply(case.session, journal=journal, via=via, progress=progress) == 305
    assert reported[-1] == (305, 305)
    assert case.session.read(case.rw, case.rw_size) == bytes(image)
    patch.verify(case.session)
    with pytest.raises(ExpectationError) as caught:
        patch.apply(case.session)
    assert (caught.value.total, caught.value.written) == (300, 0)
    assert pydbgwrite.undo(journal, case.session).complete
    assert case.peek(case.rw, case.rw_size) == bytes(case.image())


def test_apply_reads_back_where_asked(engine_case: EngineCase) -> None:
    patch, image = example(engine_case)
    assert patch.apply(engine_case.session, verify=True) == 306
    assert engine_case.peek(engine_case.rw, engine_case.rw_size) == bytes(image)


def test_a_journal_of_apply(engine_case: EngineCase, tmp_path: Path) -> None:
    case = engine_case
    patch, image = example(case)
    patch.apply(case.session, journal=tmp_path / "j", durable=False)
    assert case.session.read(case.rw, case.rw_size) == bytes(image)
    assert pydbgwrite.read_journal(tmp_path / "j").state == "committed"
    assert pydbgwrite.undo(tmp_path / "j", case.session).complete
    assert case.peek(case.rw, case.rw_size) == bytes(case.image())


def test_everything_that_speaks_against_it(engine_case: EngineCase, tmp_path: Path) -> None:
    """The preview reports all problems at once, with line and entry; nothing is written."""
    case = engine_case
    size = case.pointer_size
    (tmp_path / "p.toml").write_text(
        f"""format = 1
[[build]]
module = "no-such-module"
build_id = "ab"
[[write]]
address = {case.rw}
pointers = [1, 2]
[[write]]
address = {case.rw + 8}
pointers = [3]
[[write]]
address = {case.end - size}
pointers = [1, 2]
[[write]]
address = "no-such-module+0x10"
pointers = ["no-such-module!symbol"]
[[write]]
address = {case.none}
pointers = [1]
[[write]]
address = {2**64 - size}
pointers = [1]
[[write]]
address = {case.rw + 256}
pointers = [5]
expect = 7
"""
    )
    patch = Patch.load(tmp_path / "p.toml")
    preview = patch.preview(case.session)
    starts = [problem.partition(": ")[0] for problem in preview.problems]
    wanted = [
        "line 2, build 1",
        "line 8, entry 2",
        "line 11, entry 3",
        *["line 14, entry 4"] * 2,
        "line 17, entry 5",
        "line 20, entry 6",
        "line 23, entry 7",
    ]
    if size == 4:
        wanted.remove("line 8, entry 2")  # there the second entry begins at the end of the first
    assert starts == wanted
    reported = "\n".join(preview.problems)
    assert ("entry 2: it writes to bytes that entry 1 writes to, too" in reported) == (size == 8)
    assert f"entry 3: 0x{case.end:x} is " in reported
    assert "can't be read" in reported
    assert f"expected 0x7 at 0x{case.rw + 256:x}, found 0x" in reported
    assert not preview.ok
    assert preview.entries[3].address is None and preview.entries[3].after is None
    assert preview.entries[2].before is None
    with pytest.raises(PatchError) as caught:
        patch.apply(case.session)
    assert caught.value.problems == preview.problems
    assert case.peek(case.rw, case.rw_size) == bytes(case.image())


def test_what_nobody_can_write_to(engine_case: EngineCase) -> None:
    """Read-only memory is refused unless a debugger forces the write; the preview shows it."""
    case = engine_case
    refused = list(case.refused.values())
    forced = case.forces_read_only and case.session.engine.name == "embedded"
    if not forced:
        refused.append(case.read_only)
    for address in refused:
        preview = Patch([PatchEntry(address, [1])]).preview(case.session)
        assert "entry 1: " in preview.problems[0] and "protection 'r'" in preview.problems[0]
        assert preview.entries[0].before is not None
        with pytest.raises(PatchError, match="protection 'r'"):
            Patch([PatchEntry(address, [1])]).apply(case.session)
    if forced:
        patch = Patch([PatchEntry(case.read_only, [1])])
        assert patch.preview(case.session).ok
        assert patch.apply(case.session) == 1
        assert case.peek(case.read_only, case.pointer_size) == case.pack([1])


def test_expectations(engine_case: EngineCase) -> None:
    """Each mismatch is reported with its address, and nothing is written."""
    case = engine_case
    size = case.pointer_size
    held = pointers_at(case, case.rw, 300)
    wrong = [*held[:7], held[7] ^ 1, *held[8:]]
    patch = Patch(
        [
            PatchEntry(case.rw, case.values(300), expect=wrong),
            PatchEntry(case.rw + 300 * size, [1, 2], expect=case.values(1, 9)[0]),
        ]
    )
    with pytest.raises(ExpectationError) as caught:
        patch.apply(case.session)
    error = caught.value
    assert (error.total, error.written) == (3, 0)
    assert error.mismatches[0] == (case.rw + 7 * size, held[7] ^ 1, held[7])
    assert [each.address for each in error.mismatches[1:]] == [
        case.rw + 300 * size,
        case.rw + 301 * size,
    ]
    assert "(1 of 300 differ)" in str(error)
    assert case.peek(case.rw, case.rw_size) == bytes(case.image())


def test_what_a_preview_shows_is_expected(engine_case: EngineCase) -> None:
    case = engine_case
    patch, image = example(case)
    shown = patch.preview(case.session)
    with pytest.raises(TypeError, match="expect must be a Preview"):
        patch.apply(case.session, expect=0)  # type: ignore[arg-type]
    other = Patch([PatchEntry(case.rw, [1])])
    with pytest.raises(ValueError, match="another patch"):
        other.apply(case.session, expect=shown)
    # The first entry expects nothing, and its second pointer is changed.
    at = case.rw + 5 + case.pointer_size
    [old] = case.session.read_pointers(at, 1)
    case.session.write_pointers(at, [old ^ 1])
    before = case.session.read(case.rw, case.rw_size)
    with pytest.raises(ExpectationError, match="changed since the preview") as caught:
        patch.apply(case.session, expect=shown)
    assert caught.value.mismatches == [(at, old, old ^ 1)]
    assert (caught.value.total, caught.value.written) == (1, 0)
    assert case.session.read(case.rw, case.rw_size) == before
    case.session.write_pointers(at, [old])
    assert patch.apply(case.session, expect=shown) == 306
    assert case.peek(case.rw, case.rw_size) == bytes(image)


def test_a_preview_with_problems_is_no_expectation(session: pydbgwrite.Session) -> None:
    patch = Patch([PatchEntry(0x10, [1])])
    with pytest.raises(ValueError, match="problems"):
        patch.apply(session, expect=patch.preview(session))


def test_values_that_do_not_fit(engine_case: EngineCase) -> None:
    """A 32-bit target takes only values that are zero- or sign-extended from 32 bits."""
    case = engine_case
    wide = [1, 2**32, 2**64 - 5, 2**63]
    patch = Patch([PatchEntry(case.rw, wide, expect=2**33)])
    preview = patch.preview(case.session)
    if case.pointer_size == 8:
        assert [problem for problem in preview.problems if "32-bit" in problem] == []
        return
    assert "pointers[1] is 0x100000000" in preview.problems[0]
    assert "and 1 more like it" in preview.problems[0]
    assert "expect is 0x200000000" in preview.problems[1]
    with pytest.raises(PatchError, match="32-bit pointers"):
        patch.apply(case.session)
    good = Patch([PatchEntry(case.rw, [1, 2**64 - 5])])
    good.apply(case.session)
    good.verify(case.session)
    assert case.peek(case.rw, 8) == case.pack([1, 2**64 - 5])


def test_undo_belongs_to_a_session(engine_case: EngineCase) -> None:
    case = engine_case
    patch, _ = example(case)
    with pytest.raises(PatchError, match="applied nothing in this session"):
        patch.undo(case.session)
    patch.apply(case.session)
    with pydbgwrite.simulate([(0, 64)]) as other, pytest.raises(PatchError, match="nothing"):
        patch.undo(other)
    assert patch.undo(case.session).complete
    assert patch.undo(case.session).complete  # a second undo() does no harm
    assert case.peek(case.rw, case.rw_size) == bytes(case.image())


def test_a_failing_callback_undoes_all(engine_case: EngineCase) -> None:
    case = engine_case
    patch, _ = example(case)

    def stop(done: int, total: int) -> None:
        if done > 100:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        patch.apply(case.session, progress=stop)
    assert any("undone" in note for note in caught.value.__notes__)
    assert case.peek(case.rw, case.rw_size) == bytes(case.image())


def test_a_write_that_fails_half_way() -> None:
    """The map does not show the fault: the write fails, and all earlier writes are undone."""
    with pydbgwrite.simulate([(0x10000, 0x10000)]) as session:
        before = bytes(range(256)) * 256
        session.write(0x10000, before)
        entries = [PatchEntry(0x10000 + 0x1000 * at, range(1, 301)) for at in range(8)]
        patch = Patch(entries)
        testing.fail_writes(session, 0x15000, after=0)
        assert patch.preview(session).ok
        with pytest.raises(TargetAccessError) as caught:
            patch.apply(session)
        assert any("undone" in note for note in caught.value.__notes__)
        testing.clear(session)
        assert session.read(0x10000, 0x10000) == before
        assert patch.apply(session) == 2400


def test_a_target_that_has_gone() -> None:
    with pydbgwrite.simulate([(0, 64)]) as session:
        patch = Patch([PatchEntry(0, [1])], builds=[BuildCheck("a", build_id="ab")])
        testing.vanish(session)
        for call in (patch.preview, patch.apply, patch.verify):
            with pytest.raises(NoTargetError):
                call(session)


def test_pages_that_can_not_be_read_after_all() -> None:
    """The map allows the read, but it fails: only the entries on that page have a problem."""
    with pydbgwrite.simulate([(0x10000, 0x4000)]) as session:
        patch = Patch([PatchEntry(0x10000 + 0x1000 * at, [1, 2]) for at in range(4)])
        testing.fail_reads(session, 0x12000, after=0)
        preview = patch.preview(session)
        assert [problem.partition(":")[0] for problem in preview.problems] == ["entry 3"]
        assert preview.entries[2].before is None
        assert list(preview.entries[3].before or ()) == [0, 0]


def test_targets_that_can_only_be_read(readable_case: EngineCase) -> None:
    """A patch is previewed and compared on a dump; it can't be applied."""
    case = readable_case
    patch = Patch([PatchEntry(case.rw, pointers_at(case, case.rw, 3))])
    patch.verify(case.session)
    preview = patch.preview(case.session)
    assert preview.changed == 0
    if case.writes:
        assert preview.ok
        return
    assert preview.problems == ["the target is a dump, which can't be written to"]
    with pytest.raises(PatchError, match="dump"):
        patch.apply(case.session)


def test_sessions_that_only_read() -> None:
    with pydbgwrite.simulate([(0, 64)], writable=False) as session:
        patch = Patch([PatchEntry(0, [1])])
        assert patch.preview(session).ok
        with pytest.raises(ReadOnlyError):
            patch.apply(session)
        assert session.read(0, 8) == bytes(8)


def test_arguments_of_apply(session: pydbgwrite.Session) -> None:
    patch = Patch([PatchEntry(0x10000, [1])])
    bad: Any
    for bad in ("WriteFast", None, 5):
        with pytest.raises((ValueError, TypeError), match="via"):
            patch.apply(session, via=bad)
    bad = 5
    with pytest.raises(TypeError, match="progress"):
        patch.apply(session, progress=bad)
    assert session.read_pointers(0x10000, 1) == array("Q", [0])
