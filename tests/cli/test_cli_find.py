"""pydbgwrite find: what is found, each form of output, and addresses that a patch takes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from support.commands import POINTER, SAME_EVERYWHERE, Target, command, on_terminal, target

import pydbgwrite
from pydbgwrite.cli.searching import pointers_of

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")


@pytest.fixture(scope="module")
def process() -> Iterator[Target]:
    """A process that each test leaves as it was."""
    with target() as started:
        yield started
        assert started.is_untouched()


def test_a_target_without_a_heap() -> None:
    with (
        pydbgwrite.simulate([(4096, 4096)]) as session,
        pytest.raises(pydbgwrite.AddressError, match="the target has no region '<heap>'"),
    ):
        pointers_of(session, "<heap>")


def words(process: Target) -> list[int]:
    return process.pointers((process.end - process.rw) // POINTER)


def where(process: Target, wanted: range) -> list[str]:
    """Return the addresses of the words with such a value."""
    held = enumerate(words(process))
    return [f"0x{process.rw + POINTER * at:x}" for at, value in held if value in wanted]


def place(process: Target) -> str:
    return f"{process.rw:#x}..{process.end:#x}"


def test_one_value_as_json(process: Target) -> None:
    value = words(process)[5]
    line = ["find", "--pid", process.pid, hex(value), "--within", place(process)]
    done = command(*line, "--json")
    assert (done.code, done.err) == (0, "")
    said = done.said
    expected = where(process, range(value, value + 1))
    assert len(expected) > 3
    assert [each["address"] for each in said["pointers"]] == expected
    assert {each["value"] for each in said["pointers"]} == {hex(value)}
    assert (said["count"], said["searched"]) == (len(expected), process.end - process.rw)
    assert (said["complete"], said["limited"], said["skipped"]) == (True, False, [])
    assert said["modules"] == [{"name": None, "count": len(expected)}]
    few = command(*line, "--json", "--rows", 2).said
    assert (few["count"], len(few["pointers"])) == (len(expected), 2)


@SAME_EVERYWHERE
def test_a_range_as_lines(process: Target) -> None:
    held = sorted(words(process))
    low, high = held[100], held[300]
    line = ["find", "--pid", process.pid, f"{low:#x}..{high:#x}", "--within", place(process)]
    done = command(*line)
    assert (done.code, done.err) == (0, "")
    lines = [each.split() for each in done.out.splitlines()]
    assert [f"0x{int(each[0], 16):x}" for each in lines] == where(process, range(low, high))
    assert all(low <= int(each[1], 16) < high for each in lines)
    assert all(each[2:] == ["-", "->", "-"] for each in lines)


@SAME_EVERYWHERE
def test_bits_and_bytes(process: Target) -> None:
    held = words(process)
    masked = where_if(process, [value & 0xFF == held[0] & 0xFF for value in held])
    line = ["find", "--pid", process.pid, hex(held[0]), "--within", place(process), "--json"]
    said = command(*line, "--mask", "0xff").said
    assert [each["address"] for each in said["pointers"]] == masked
    data = process.read(process.rw, process.end - process.rw)
    wanted = held[0].to_bytes(8, "little")
    everywhere = [
        f"0x{process.rw + at:x}" for at in range(len(data) - 7) if data[at : at + 8] == wanted
    ]
    said = command(*line, "--unaligned").said
    assert [each["address"] for each in said["pointers"]] == everywhere
    assert len(everywhere) > len(where(process, range(held[0], held[0] + 1)))


def where_if(process: Target, chosen: list[bool]) -> list[str]:
    return [f"0x{process.rw + POINTER * at:x}" for at, good in enumerate(chosen) if good]


@SAME_EVERYWHERE
def test_a_limit(process: Target) -> None:
    value = words(process)[5]
    line = ["find", "--pid", process.pid, value, "--within", place(process), "--limit", 2]
    said = command(*line, "--json").said
    assert (said["count"], said["limited"], said["complete"]) == (2, True, False)
    done = command(*line)
    assert (done.code, done.out.count("\n")) == (0, 2)
    assert "there are more" in done.err


@SAME_EVERYWHERE
def test_nothing(process: Target) -> None:
    line = ["find", "--pid", process.pid, "0x123456789abcdef1", "--within", place(process)]
    done = command(*line)
    assert (done.code, done.out) == (0, "")
    assert "found 0 pointers in 16.0 KiB of memory" in done.err
    unmapped = command(*line[:-1], f"{process.end:#x}..{process.end + 8:#x}")
    assert "found 0 pointers in 0 bytes" in unmapped.err


def test_what_was_found_is_patched(process: Target, tmp_path: Path) -> None:
    """The file of --out is a side file of a patch."""
    value, file = words(process)[5], tmp_path / "found.npy"
    expected = where(process, range(value, value + 1))
    line = ["find", "--pid", process.pid, value, "--within", place(process), "--out", file]
    done = command(*line)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{len(expected)} pointers: addresses saved in {file}\n"
    assert [hex(each) for each in np.load(file).tolist()] == expected
    assert command(*line, "--json").said["out"] == str(file)
    patch = tmp_path / "patch.toml"
    patch.write_text(
        "format = 2\n[[write]]\naddresses = 'found.npy'\npointers = '0x12345678'\n"
        f"expect = '{value:#x}'\n"
    )
    journal = tmp_path / "j"
    assert command("apply", "-p", process.pid, patch, "--yes", "--journal", journal).code == 0
    again = command("find", "-p", process.pid, value, "--within", place(process), "--json")
    assert again.said["count"] == 0
    assert command("undo", journal).code == 0
    assert process.is_untouched()


@LINUX
def test_pointers_into_a_module(process: Target) -> None:
    """A module's name alone stands for all that is in it; names stand beside what was found."""
    modules = command("modules", "--pid", process.pid, "--json").said["modules"]
    program = modules[0]
    base, size = int(program["base"], 16), program["size"]
    line = ["find", "--pid", process.pid, program["name"], "--within", program["name"]]
    said = command(*line, "--json", "--rows", 1000).said
    assert said["count"] > 0
    assert said["modules"] == [{"name": program["name"], "count": said["count"]}]
    for each in said["pointers"]:
        assert base <= int(each["value"], 16) < base + size
        assert each["name"].startswith(program["name"])
        assert each["points_to"].startswith(program["name"])
    heap = command("find", "-p", process.pid, "<heap>", "--within", "<heap>", "--json", "--rows", 0)
    assert heap.said["kinds"] == [{"name": "heap", "count": heap.said["count"]}]


@SAME_EVERYWHERE
def test_an_interrupted_search_shows_what_it_found(
    process: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def pressed(what: str) -> Iterator[Callable[[int, int], object]]:
        def press(done: int, total: int) -> None:
            raise KeyboardInterrupt

        yield press

    monkeypatch.setattr("pydbgwrite.cli.find.progress_bar", pressed)
    done = command("find", "--pid", process.pid, "0", "--json", "--rows", 1)
    assert (done.code, done.said["complete"]) == (130, False)
    assert "interrupted" in done.err


@LINUX
def test_on_a_terminal(process: Target) -> None:
    value = words(process)[5]
    line = ["find", "--pid", process.pid, hex(value), "--within", place(process)]
    done = on_terminal(*line, "--rows", 2, width=120)
    assert done.code == 0
    assert "points to" in done.out and "stored in" in done.out
    assert "--rows shows more" in done.out
    assert "no module" in done.out
    assert "16.0 KiB of memory." in done.out


@SAME_EVERYWHERE
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere!table"], 3, "nowhere"),
        (["-1"], 2, "-1"),
        (["1", "--within", "nowhere.so"], 3, "nowhere.so"),
        (["1", "--within", "<nothing>"], 3, "<nothing>"),
        (["<heap>", "--within", "5.."], 2, "A range is FIRST..END, with both of them, got '5..'"),
        (["5..5"], 2, "WHAT is empty: it goes from 0x5 to 0x5"),
        (["1", "--within", "9..5"], 2, "--within is empty: it goes from 0x9 to 0x5"),
        (["1", "--within", "9..10", "--within", "5..5"], 2, "value 2 of --within is empty"),
        (["1", "--mask", "x"], 2, "--mask takes a number"),
        (["1", "--mask", "0"], 2, "--mask must have bits of a pointer of 8 bytes and no others"),
        (["9..20", "--mask", "0xfffffff8"], 2, "WHAT begins at 0x9, which has bits outside"),
        (["1", "--limit", "0"], 2, "--limit must be from 1 to 2**64 - 1, got 0"),
        (["1", "--out", "x.txt"], 2, "--out takes a file"),
        (["1", "--out", "x.npy", "--rows", "5"], 2, "--rows limits what is shown"),
    ],
)
def test_mistakes(process: Target, arguments: list[str], code: int, said: str) -> None:
    done = command("find", "--pid", process.pid, *arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


@SAME_EVERYWHERE
def test_a_mistake_is_seen_before_a_process_is_stopped() -> None:
    done = command("find", "--pid", "no such program", "1", "--mask", "x")
    assert (done.code, "--mask takes a number" in done.err) == (2, True)
