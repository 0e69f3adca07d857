"""Any arguments give a message and an exit code, no traceback, and touch no other process."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.commands import Target, command, target

from pydbgwrite.cli.main import group, run

# The excluded commands start their own processes.
NAMES = sorted(set(group.list_commands(click.Context(group))) - {"demo", "doctor"})
ODD = [
    "",
    " ",
    "-",
    "--",
    "\0",
    "\n",
    "\x1b[31m",
    "é",
    "\U0001f600",
    "\udcff",
    "x" * 3000,
    "'",
    "%s",
]
NUMBERS = ["0", "1", "-1", "0x", "0x10", "1e9", "1_0", "08", str(2**63), str(2**64), "9" * 5000]
PLACES = ["libc.so.6+0x10", "a!b", "!", "+", "a+", "+1", "a!b+0x10", "python!main-8", "../x"]


@pytest.fixture(scope="module")
def process() -> Iterator[Target]:
    with target() as started:
        yield started


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("files")
    (folder / "empty.toml").write_bytes(b"")
    (folder / "odd.toml").write_bytes(b"format = 1\n[[write]]\naddress = '\xff'\n")
    (folder / "x.bin").write_bytes(b"12345678")
    (folder / "x.npy").write_bytes(b"\x93NUMPY" + bytes(200))
    return [str(each) for each in (*folder.iterdir(), folder, folder / "none.toml")]


def options(process: Target, files: list[str]) -> st.SearchStrategy[list[str]]:
    # The pids: this target's, one that can't exist, and this process's own, which is refused.
    pids = st.sampled_from([str(process.pid), str(2**31 - 1), str(os.getpid())])
    words = st.sampled_from([*ODD, *NUMBERS, *PLACES, *files, hex(process.end)])
    switches = [
        *("--json", "--no-suspend", "--verify", "--dry-run", "--yes", "--force", "--truncate"),
        *("--durable", "--side-files-anywhere", "--help"),
    ]
    takers = ["--rows", "--expect", "--expect-from", "--from", "--timeout", "--engine", "--dump"]
    return st.lists(
        st.one_of(
            st.tuples(st.just("--pid"), pids),
            st.tuples(st.just("-p"), st.sampled_from([*ODD, *PLACES])),
            st.tuples(words),
            st.tuples(st.sampled_from(switches)),
            st.tuples(st.sampled_from(takers), words),
        ),
        max_size=7,
    ).map(lambda groups: [word for group in groups for word in group])


def outcome(arguments: list[str]) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    return code, out.getvalue(), err.getvalue()


@pytest.mark.skipif(
    sys.platform == "win32", reason="Linux processes: Microsoft's engine takes a minute in the lane"
)
def test_any_arguments(
    process: Target, files: list[str], monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    monkeypatch.setattr("sys.stdin", None)  # no question can be answered

    examples = 300 if profile == "full" else 100

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(NAMES), options(process, files))
    def check(name: str, arguments: list[str]) -> None:
        if name == "retarget":  # which may find any number in the data of the process's modules
            arguments = ["--dry-run", *arguments]
        with_pid = [*arguments, "--pid", str(process.pid)]
        for words in (arguments, with_pid):
            code, out, err = outcome([name, *words])
            assert code in (0, 1, 2, 3, 74), (code, err)
            assert "Traceback (most" not in out + err
            assert "internal error" not in err
            assert "\x1b" not in out + err
            if code:
                assert err

    check()
    assert process.is_untouched()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX arguments, which are bytes")
@pytest.mark.parametrize("name", NAMES)
def test_bytes_that_are_no_text(process: Target, name: str, tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")
    done = command(name, "--pid", process.pid, odd, *[odd] * (name == "write"), "--json")
    # As an address or a module it is one that the target does not have.
    assert done.code == {"find": 3, "imports": 3, "read": 3, "write": 3, "symbols": 0}.get(name, 2)
    if done.code:
        assert done.said["error"]["exit_code"] == done.code
