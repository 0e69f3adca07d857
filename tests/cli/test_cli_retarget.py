"""pydbgwrite retarget: what is found is shown, and written only by a count or a yes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.commands import POINTER, SAME_EVERYWHERE, Done, Target, command, on_terminal, target

import pydbgwrite

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")
NEW = 0x1234_5678


@pytest.fixture
def process() -> Iterator[Target]:
    with target() as started:
        yield started


@pytest.fixture(scope="module")
def untouched() -> Iterator[Target]:
    """A process to which nothing is written."""
    with target() as started:
        yield started
        assert started.is_untouched()


def words(process: Target) -> list[int]:
    return process.pointers((process.end - process.rw) // POINTER)


def line(process: Target, old: object, new: object, *options: object) -> list[object]:
    within = f"{process.rw:#x}..{process.end:#x}"
    return ["retarget", "--pid", process.pid, old, new, "--within", within, *options]


def replaced(before: list[int], old: int) -> list[int]:
    return [NEW if word == old else word for word in before]


def test_a_count_that_is_expected(process: Target, state_folder: Path) -> None:
    before = words(process)
    old, count = before[5], before.count(before[5])
    assert count > 3
    done = command(*line(process, hex(old), hex(NEW), "--expect-count", count, "--json"))
    assert (done.code, done.err) == (0, "")
    said = done.said
    assert (said["pointers"], said["changed"], said["written"]) == (count, count, count)
    assert said["verified"] is True
    assert said["modules"] == [{"name": None, "count": count}]
    assert (said["searched"], said["skipped"]) == (process.end - process.rw, [])
    [entry] = said["entries"]
    assert entry["addresses"] == [
        f"0x{process.rw + POINTER * at:x}" for at, word in enumerate(before) if word == old
    ]
    assert set(entry["before"]) == {hex(old)}
    assert set(entry["after"]) == {hex(NEW)}
    assert words(process) == replaced(before, old)
    assert Path(said["journal"]).parent == state_folder.resolve()
    undone = command("undo", "--yes")
    assert undone.code == 0
    assert process.is_untouched()


@SAME_EVERYWHERE
@pytest.mark.parametrize("options", [[], ["--json"], ["--within", "<heap>"]])
def test_nobody_can_be_asked(untouched: Target, options: list[str]) -> None:
    done = command(*line(untouched, 1, 2), *options)
    assert done.code == 2
    for option in ("--expect-count N", "--yes", "--dry-run"):
        assert option in done.out + done.err
    assert untouched.is_untouched()


@SAME_EVERYWHERE
def test_a_dry_run(untouched: Target, tmp_path: Path, state_folder: Path) -> None:
    before = words(untouched)
    old, count = before[5], before.count(before[5])
    report = tmp_path / "page.html"
    done = command(*line(untouched, old, NEW, "--dry-run", "--rows", 2, "--report", report))
    assert (done.code, done.err) == (0, "")
    assert f"{old:#x} -> 0x{NEW:016x}".removeprefix("0x") in done.out
    assert f"no module {count}\nmemory {count}\n" in done.out
    assert f"{count} pointers, {count} of them to change. Nothing was written." in done.out
    assert f"... and {count - 2} pointers more" in done.out
    assert f"{NEW:x}" in report.read_text(encoding="utf-8")
    assert untouched.is_untouched()
    assert list(state_folder.rglob("*.journal")) == []
    said = command(*line(untouched, old, NEW, "--dry-run", "--expect-count", count, "--json")).said
    assert (said["pointers"], said["written"], said["journal"]) == (count, 0, None)


@SAME_EVERYWHERE
@pytest.mark.parametrize("options", [["--json"], [], ["--dry-run"], ["--yes"]])
def test_another_count(untouched: Target, options: list[str]) -> None:
    before = words(untouched)
    count = before.count(before[5])
    done = command(*line(untouched, before[5], NEW, "--expect-count", count + 1, *options))
    assert done.code == 1
    message = done.said["error"]["message"] if "--json" in options else done.err
    assert f"--expect-count is {count + 1}, and the search found {count} pointers" in message
    for text in ("nothing was written", "--dry-run shows them", f"expect {count}", "--within"):
        assert text in message
    assert untouched.is_untouched()


@SAME_EVERYWHERE
def test_room_for_the_journal(untouched: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is that of what was found: a wrong count says so, however large it is."""
    old = words(untouched)[5]
    done = command(*line(untouched, old, NEW, "--expect-count", 10**15))
    assert (done.code, "--expect-count is 1,000,000,000,000,000, and" in done.err) == (1, True)
    monkeypatch.setattr("pydbgwrite._journal.kept.MOST_BYTES", 1000)
    for options in (["--yes"], ["--expect-count", words(untouched).count(old)]):
        done = command(*line(untouched, old, NEW, *options))
        assert done.code != 0
        for text in ("leave no room", "nothing was written", "history", "--no-journal"):
            assert text in done.err
    assert untouched.is_untouched()


@SAME_EVERYWHERE
def test_a_range_and_a_yes(process: Target, tmp_path: Path) -> None:
    before = words(process)
    low, high = sorted(before)[100], sorted(before)[300]
    journal = tmp_path / "x.journal"
    done = command(
        *line(process, f"{low:#x}..{high:#x}", hex(NEW), "--yes", "--rows", 3),
        *("--journal", journal),
    )
    assert (done.code, done.err) == (0, "")
    count = sum(low <= word < high for word in before)
    assert f"Wrote {count:,} pointers and read them back. To undo it: pydbgwrite undo " in done.out
    assert words(process) == [word - low + NEW if low <= word < high else word for word in before]
    assert command("undo", journal, "--yes").code == 0
    assert process.is_untouched()


@SAME_EVERYWHERE
def test_bits_outside_the_mask_stay(process: Target) -> None:
    before = words(process)
    mask = 0xFFFF_FFFF_FFFF_FFF0
    old = before[5] & mask
    options = ("--mask", hex(mask), "--yes", "--no-journal")
    assert command(*line(process, hex(old), hex(NEW & mask), *options)).code == 0
    assert words(process) == [
        NEW & mask | word & 15 if word & mask == old else word for word in before
    ]


@SAME_EVERYWHERE
def test_nothing_is_found(untouched: Target, state_folder: Path) -> None:
    for options in (["--yes"], ["--dry-run"], ["--expect-count", 0]):
        done = command(*line(untouched, "0x123456789abcdef1", NEW, *options))
        assert (done.code, "Wrote" in done.out) == (0, False)
        assert "found 0 pointers in 16.0 KiB of memory" in done.err
    said = command(*line(untouched, "0x123456789abcdef1", NEW, "--yes", "--json")).said
    assert (said["ok"], said["pointers"], said["entries"], said["written"]) == (True, 0, [], 0)
    assert list(state_folder.rglob("*.journal")) == []


@LINUX
def test_the_data_of_modules_by_default(untouched: Target) -> None:
    done = command("retarget", "-p", untouched.pid, words(untouched)[5], NEW, "--dry-run", "--json")
    said = done.said
    assert (done.code, said["pointers"], said["kinds"]) == (0, 0, [])
    assert said["searched"] > 4096
    missing = command("retarget", "-p", untouched.pid, 1, 2, "--dry-run", "--within", "nothing.so")
    assert missing.code == 3
    assert "nothing.so" in missing.err


@LINUX
@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 130)])
def test_asking(process: Target, answer: bytes, code: int) -> None:
    before = words(process)
    old, count = before[5], before.count(before[5])
    done = on_terminal(*line(process, hex(old), hex(NEW)), answer=answer)
    assert done.code == code
    table, _, rest = done.out.partition(f"Write {count} pointers, {count} of them to change, to ")
    assert f"0x{old:x}" in table
    assert f"memory {count}" in table
    assert f"(pid {process.pid}, /" in rest.partition("[y/N]")[0]
    assert words(process) == (replaced(before, old) if code == 0 else before)
    assert ("nothing was written" in rest) == (code != 0)


@LINUX
def test_a_process_that_goes_on_while_the_question_is_asked(process: Target) -> None:
    before = words(process)
    old = before[5]

    def answer() -> bytes:
        with pydbgwrite.attach(process.pid) as session:
            session.write_pointers(process.rw + 5 * 8, [7])
        return b"y\n"

    done = on_terminal(*line(process, old, NEW), answer=answer)
    assert done.code == 1
    assert f"found 0x7 (1 of {before.count(old)} differ)" in done.out
    assert "nothing was written" in done.out
    assert words(process) == [*before[:5], 7, *before[6:]]


@SAME_EVERYWHERE
@pytest.mark.parametrize(
    ("old", "new", "options", "said"),
    [
        ("0x10", "16", [], "OLD and its new pointer are the same, 0x10"),
        ("0x10..0x10", "5", [], "OLD is empty"),
        ("0x20..0x10", "5", [], "OLD is empty"),
        ("0x10..0x20", "0x30..0x38", [], "NEW has 8 bytes and OLD 16"),
        ("0x10", "0x30..0x38", [], "NEW is a range of addresses and OLD is not"),
        ("0x10..0x20", "0xfffffffffffffff8", [], "NEW would end at"),
        ("-1", "5", [], "-1"),
        ("0x10", "0x11", ["--mask", "0xf0"], "NEW has bits outside the mask, 0x11"),
        ("0x10", "0x11", ["--mask", "x"], "--mask takes a number"),
        ("0x10", "0x11", ["--mask", "0"], "--mask must have bits"),
        ("0x10", "0x11", ["--expect-count", "-1"], "--expect-count"),
        ("0x10", "0x11", ["--within", "0x5..0x5"], "--within is empty"),
        ("0x10", "0x11", ["--durable", "--no-journal"], "--durable"),
    ],
)
def test_bad_input(untouched: Target, old: str, new: str, options: list[str], said: str) -> None:
    done = command("retarget", "-p", untouched.pid, old, new, "--yes", *options)
    assert done.code == 2, done.err
    assert said in done.err
    assert untouched.is_untouched()


@SAME_EVERYWHERE
def test_a_search_that_is_interrupted(untouched: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(done: int, total: int) -> None:
        raise KeyboardInterrupt

    @contextmanager
    def pressed(what: str) -> Iterator[Callable[[int, int], object]]:
        yield end

    monkeypatch.setattr("pydbgwrite.cli.retarget.progress_bar", pressed)
    done: Done = command(*line(untouched, words(untouched)[5], NEW, "--yes"))
    assert done.code == 130
    assert "interrupted" in done.err
    assert "Nothing was written" in done.err
    assert "attribute" not in done.err
    assert untouched.is_untouched()


@SAME_EVERYWHERE
def test_memory_that_can_not_be_written(process: Target) -> None:
    held = process.pointers(1, process.read_only)[0]
    page = f"{process.read_only:#x}..{process.read_only + 8:#x}"
    done = command("retarget", "-p", process.pid, held, NEW, "--yes", "--within", page)
    assert done.code == 0  # a private page: the write is forced
    assert process.pointers(1, process.read_only) == [NEW]
