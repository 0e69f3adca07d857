"""pydbgwrite read: each form of output shows the values that the target holds."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.child import PAGE, RW_PAGES
from support.commands import (
    COMMAND,
    MOST,
    POINTER,
    SAME_EVERYWHERE,
    Target,
    command,
    on_terminal,
    process_of_its_own,
    target,
)

import pydbgwrite

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")
ALL = RW_PAGES * PAGE // POINTER


@pytest.fixture(scope="module")
def process() -> Iterator[Target]:
    with target() as started:
        yield started


def test_json(process: Target) -> None:
    done = command("read", "--pid", process.pid, hex(process.rw), 20, "--json")
    assert (done.code, done.err) == (0, "")
    said = done.said
    assert (said["pointer_size"], said["count"]) == (POINTER, 20)
    assert int(said["address"], 16) == process.rw
    assert [each["value"] for each in said["pointers"]] == list(map(hex, process.pointers(20)))
    assert [each["address"] for each in said["pointers"]] == [
        hex(process.rw + POINTER * index) for index in range(20)
    ]


@pytest.mark.parametrize("count", [1, 5, ALL])
def test_lines(process: Target, count: int) -> None:
    done = command("read", "--pid", process.pid, process.rw, count)
    assert (done.code, done.err) == (0, "")
    lines = [line.split() for line in done.out.splitlines()]
    assert [len(line) for line in lines] == [4] * count
    assert [int(line[1], 16) for line in lines] == process.pointers(count)


def test_one_pointer_where_no_count_is_given(process: Target) -> None:
    done = command("read", "--pid", process.pid, process.rw)
    assert done.out.count("\n") == 1


def test_none(process: Target) -> None:
    done = command("read", "--pid", process.pid, process.rw, 0, "--json")
    assert (done.code, done.said["pointers"]) == (0, [])
    assert command("read", "--pid", process.pid, process.rw, 0).out == ""


def test_what_pointers_point_to() -> None:
    with target() as process:
        with pydbgwrite.attach(process.pid) as session:
            module = session.modules()[0]
            values = [module.base + 0x40, process.rw, process.none, 1, MOST]
            session.write_pointers(process.rw, values)
        said = command("read", "--pid", process.pid, process.rw, 5, "--json").said["pointers"]
        assert said[0]["points_to"] == f"{module.name}+0x40"
        assert [each["points_to"] for each in said[1:]] == [None] * 4
        assert [each["protection"] for each in said[1:]] == ["rw", "none", None, None]
        # the reported name can be used as an address
        again = command("read", "--pid", process.pid, said[0]["points_to"])
        assert int(again.out.split()[0], 16) == values[0]


@pytest.mark.parametrize("suffix", ["npy", "bin", "NPY"])
def test_out(process: Target, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"x.{suffix}"
    file.write_bytes(b"was here before" * 100_000)
    done = command("read", "--pid", process.pid, process.rw, ALL, "--out", file, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.said["count"] == ALL
    loaded = np.fromfile(file, dtype="<u8") if suffix == "bin" else np.load(file)
    assert loaded.dtype == np.uint64
    assert loaded.tolist() == process.pointers(ALL)


@SAME_EVERYWHERE
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x.txt"], ".npy"),
        (["x.npy", "--rows", "5"], "--rows"),
    ],
)
def test_bad_out(process: Target, arguments: list[str], said: str) -> None:
    done = command("read", "--pid", process.pid, process.rw, "--out", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_out_that_can_not_be_written(process: Target, tmp_path: Path) -> None:
    done = command("read", "--pid", process.pid, process.rw, "--out", tmp_path / "no" / "x.npy")
    assert (done.code, done.out) == (74, "")
    assert "could not be written" in done.err


@LINUX
def test_out_to_a_full_device(process: Target, tmp_path: Path) -> None:
    link = tmp_path / "x.bin"
    link.symlink_to("/dev/full")
    done = command("read", "--pid", process.pid, process.rw, ALL, "--out", link)
    assert (done.code, done.out) == (74, "")
    assert "No space left on device" in done.err
    assert Path("/dev/full").exists()


@SAME_EVERYWHERE
@pytest.mark.parametrize(
    ("address", "code", "said"),
    [
        ("-1", 2, ""),
        ("0x", 2, "address"),
        ("", 2, "address"),
        ("x" * 5000, 3, "symbol"),
        (str(2**64), 2, "2**64"),
        ("nowhere+0x10", 3, "nowhere"),
        ("nowhere!symbol", 3, "nowhere"),
        ("0x10", 3, "not mapped"),
        (str(2**64 - 8), 3, ""),
    ],
)
def test_bad_addresses(process: Target, address: str, code: int, said: str) -> None:
    done = command("read", "--pid", process.pid, "--json", "--", address)
    assert done.code == code
    assert said in done.said["error"]["message"]
    assert done.said["error"]["exit_code"] == code


@SAME_EVERYWHERE
@pytest.mark.parametrize("count", ["-1", "many", "1.5", str(2**61), "0x", "", "9" * 100_000])
def test_bad_counts(process: Target, count: str) -> None:
    done = command("read", "--pid", process.pid, "--", process.rw, count)
    assert (done.code, done.out) == (2, "")
    if count[0:1] != "-":
        shown = repr(count) if len(count) < 100 else f"{count[:100]!r}... (100,000 characters)"
        assert f"{shown} is no number from 0 to 2**61 - 1." in done.err


@SAME_EVERYWHERE
def test_counts_may_be_written_as_in_python(process: Target) -> None:
    done = command("read", "--pid", process.pid, process.rw, "0x10")
    assert done.out.count("\n") == 16
    assert command("read", "--pid", process.pid, process.rw, "1_0").out.count("\n") == 10


def test_more_than_is_mapped(process: Target, tmp_path: Path) -> None:
    """What can be read is shown, and how far that is; a file is whole, or not made."""
    start = process.end - 2 * POINTER
    last = process.pointers(2, start)
    line = ["read", "--pid", process.pid, start, 5]
    done = command(*line, "--json")
    assert done.code == 3
    said = done.said
    assert (said["count"], said["asked"]) == (2, 5)
    assert [int(each["value"], 16) for each in said["pointers"]] == last
    assert (said["error"]["index"], said["error"]["exit_code"]) == (2, 3)
    assert int(said["error"]["address"], 16) == start
    assert said["error"]["message"] in done.err
    done = command(*line)
    assert (done.code, [int(row.split()[1], 16) for row in done.out.splitlines()]) == (3, last)
    # With Microsoft's engine the process may be another machine's, so its program is not looked up.
    program = f"(pid {process.pid})" if sys.platform == "linux" else "is not mapped"
    for word in ("only 2 of 5 pointers", f"up to {process.end:#x}", program):
        assert word in done.err
    done = command(*line, "--out", tmp_path / "x.npy", "--json")
    assert (done.code, done.said["error"]["exit_code"]) == (3, 3)
    assert not (tmp_path / "x.npy").exists()


@LINUX
@pytest.mark.parametrize("suffix", ["npy", "bin"])
def test_a_file_that_becomes_too_large(process: Target, tmp_path: Path, suffix: str) -> None:
    """No part of it is left, which somebody would take for all."""
    import resource

    out = tmp_path / f"x.{suffix}"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        done = command("read", "--pid", process.pid, process.rw, 500, "--out", out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (done.code, done.out) == (74, "")
    assert "could not be written: File too large" in done.err
    assert not out.exists()


@LINUX
def test_the_reason_stands_below_the_table(process: Target) -> None:
    shown = on_terminal("read", "--pid", process.pid, process.end - 16, 5)
    assert shown.code == 3
    assert 0 < shown.out.index(f"0x{process.end - 8:x}") < shown.out.index("only 2 of 5")


def test_more_than_there_is_memory(process: Target) -> None:
    done = command("read", "--pid", process.pid, process.rw, 2**50)
    assert done.code in (2, 3)  # 3 if the system grants more memory than it has
    assert "memory" in done.err or "not mapped" in done.err


@LINUX
def test_a_terminal_gets_a_part(process: Target) -> None:
    shown = on_terminal("read", "--pid", process.pid, process.rw, 1000)
    assert shown.code == 0
    assert sum(f"0x{process.rw + 8 * at:x}" in shown.out for at in range(1000)) == 100
    assert len(shown.out.splitlines()) < 120
    assert "and 900 more" in shown.out
    rows = on_terminal("read", "--pid", process.pid, process.rw, 1000, "--rows", 1000)
    assert len(rows.out.splitlines()) > 1000
    assert "more:" not in rows.out


@LINUX
@pytest.mark.parametrize("width", [80, 200])
def test_a_row_is_a_line_on_a_terminal(process: Target, width: int) -> None:
    shown = on_terminal("read", "--pid", process.pid, process.rw, 3, width=width)
    values = [f"0x{value:x}" for value in process.pointers(3)]
    lines = [line for line in shown.out.splitlines() if any(value in line for value in values)]
    assert len(lines) == 3


def test_a_pipe_needs_no_package_for_terminals(process: Target) -> None:
    setup = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"
    done = process_of_its_own("read", "-p", process.pid, process.rw, 4, setup=setup)
    assert done.code == 0
    assert "pydbgwrite.cli.read" in done.err.split()
    assert not {"rich", "numpy", "json", "pydbgwrite.cli.processes"} & set(done.err.split())


def test_rows_limit_lines_and_json(process: Target) -> None:
    assert command("read", "--pid", process.pid, process.rw, 9, "--rows", 4).out.count("\n") == 4
    said = command("read", "--pid", process.pid, process.rw, 9, "--rows", 4, "--json").said
    assert (said["count"], len(said["pointers"])) == (9, 4)


@LINUX
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_that_has_seen_enough(process: Target, options: list[str]) -> None:
    line = [*COMMAND, "read", "--pid", str(process.pid), str(process.rw), str(ALL), *options]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reading:
        assert reading.stdout is not None
        assert reading.stderr is not None
        reading.stdout.close()
        assert reading.stderr.read() == b""
    assert reading.returncode == 74


@LINUX
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_full_device(process: Target, options: list[str]) -> None:
    line = [*COMMAND, "read", "--pid", str(process.pid), str(process.rw), str(ALL), *options]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            line, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    assert done.returncode == 74
    assert done.stderr == "pydbgwrite: the output could not be written: No space left on device\n"


@LINUX
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_nobody_reads(process: Target, how: signal.Signals) -> None:
    """The pager does not read: the command ends at once; the target was resumed long before."""
    line = [*COMMAND, "read", "--pid", str(process.pid), str(process.rw), str(ALL)]
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, bytes(4096))
        os.set_blocking(writer, True)
        with subprocess.Popen(line, stdout=writer, stderr=subprocess.PIPE) as reading:
            deadline = time.monotonic() + 60
            while not writes(reading.pid):
                assert time.monotonic() < deadline
            reading.send_signal(how)
            assert reading.stderr is not None
            said = reading.stderr.read()
        assert reading.returncode == 130
        assert b"interrupted" in said
        assert b"Traceback" not in said
    finally:
        os.close(reader)
        os.close(writer)


def writes(pid: int) -> bool:
    """Return whether the process waits in write(1, ...)."""
    call = Path(f"/proc/{pid}/syscall").read_text().split()  # proc_pid_syscall(5)
    return call[:2] in (["1", "0x1"], ["64", "0x1"])  # x86-64, aarch64
