"""The options that name a target, the same for each command that needs one, and `modules`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from support.commands import SAME_EVERYWHERE, command, on_terminal, on_terminal_of_its_own, target
from support.libraries import program_with, shared_library

import pydbgwrite
from pydbgwrite._symbols.build_ids import build_ids_by_base
from pydbgwrite.cli.main import group

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")
WITH_TARGET = ("modules", "regions", "symbols", "imports", "read", "write", "apply", "verify")


@SAME_EVERYWHERE
@pytest.mark.parametrize("name", WITH_TARGET)
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "got none"),
        (["--pid", "1", "--dump", "x"], "got -p and --dump"),
        (["--connect", "a", "--kernel", "b"], "got --connect and --kernel"),
        (["--dump", "x", "--no-suspend"], "--no-suspend needs -p"),
        (["--pid", "0"], "'0' is not the id of a process"),
        (["-p", "0"], "'0' is not the id of a process"),
        (["--pid", "-1"], "'-1' is neither the id of a process nor the name of a program"),
        (["-p", ""], "'' is neither the id of a process nor the name of a program"),
        (["--pid", str(2**40)], "pid must be from 1 to"),
        (["--pid", "1", "--timeout", "-1"], "timeout must be 0 seconds or more"),
        (["--pid", "1", "--timeout", "nan"], "timeout must be 0 seconds or more"),
        (["--pid", "1", "--timeout", "soon"], "--timeout"),
    ],
)
def test_bad_targets(name: str, options: list[str], said: str, tmp_path: Path) -> None:
    chosen = group.get_command(click.Context(group), name)
    assert chosen is not None
    parameters = {each.name: each for each in chosen.params}
    needed = ["0x10" for each in parameters.values() if each.param_type_name == "argument"]
    if name in ("apply", "verify"):
        needed = [str(tmp_path / "patch.toml")]
        Path(needed[0]).write_text("format = 1\n[[write]]\naddress = 16\npointers = [1]\n")
    if name == "apply":
        needed.append("--yes")
    done = command(name, *options, *needed)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


@LINUX
@pytest.mark.parametrize("option", ["--connect", "--dump", "--kernel"])
def test_targets_of_the_other_platform(option: str) -> None:
    done = command("modules", option, "tcp:server=localhost,port=1")
    assert (done.code, done.out) == (3, "")
    assert "Windows" in done.err


@LINUX
def test_an_engine_folder_is_for_windows() -> None:
    with target() as process:
        done = command("modules", "--pid", process.pid, "--engine", "/tmp")
    assert (done.code, done.out) == (2, "")
    assert "engine" in done.err


def test_a_target_that_is_not_there() -> None:
    with target() as process:
        process.kill()
    done = command("modules", "--pid", process.pid, "--json")
    assert done.code == 3
    error = done.said["error"]
    assert (error["type"], error["exit_code"], error["written"]) == ("NoTargetError", 3, 0)
    assert str(process.pid) in error["message"]
    assert error["message"] in done.err


# ---- modules --------------------------------------------------------------------------------


def test_modules_as_json() -> None:
    with target() as process:
        done = command("modules", "--pid", process.pid, "--json")
        assert (done.code, done.err) == (0, "")
        with pydbgwrite.attach(process.pid) as session:
            wanted = session.modules()
            ids = build_ids_by_base(session)
    assert done.said["pid"] == process.pid
    assert [
        (each["name"], int(each["base"], 16), each["size"], each["path"])
        for each in done.said["modules"]
    ] == [tuple(each) for each in wanted]
    assert len(wanted) > 1
    assert [each["build_id"] for each in done.said["modules"]] == [
        ids.get(each.base) for each in wanted
    ]
    assert any(ids.values())


@LINUX
def test_the_build_id_is_that_of_a_patch_file(tmp_path: Path) -> None:
    library = shared_library(tmp_path / "libbuilt.so", "int x;", "-Wl,--build-id=0x1a2b3c4d5e6f")
    plain = shared_library(tmp_path / "libplain.so", "int y;", "-Wl,--build-id=none")
    with program_with(library, plain, symbol="x") as (pid, _):
        said = command("modules", "--pid", pid, "--json").said["modules"]
    ids = {each["name"]: each["build_id"] for each in said}
    assert (ids["libbuilt.so"], ids["libplain.so"]) == ("1a2b3c4d5e6f", None)


def test_modules_as_lines() -> None:
    with target() as process:
        done = command("modules", "--pid", process.pid)
        said = command("modules", "--pid", process.pid, "--json").said
    assert (done.code, done.err) == (0, "")
    lines = [line.split(None, 3) for line in done.out.splitlines()]
    assert lines == [
        [each["base"], str(each["size"]), each["name"], each["path"]] for each in said["modules"]
    ]


@LINUX
@pytest.mark.parametrize("width", [80, 200])
def test_modules_on_a_terminal(width: int) -> None:
    with target() as process:
        done = on_terminal_of_its_own("modules", "--pid", process.pid, width=width)
        plain = on_terminal("modules", "--pid", process.pid, env={"TERM": "dumb"})
        grey = on_terminal("modules", "--pid", process.pid, env={"NO_COLOR": "1"})
    assert done.code == plain.code == grey.code == 0
    assert "libc.so" in done.out or "musl" in done.out
    assert "\x1b[36m" in done.out
    assert "\x1b" not in plain.out
    assert "\x1b[36m" not in grey.out
    assert max(map(len, plain.out.splitlines())) <= 100


# Lets processes that are not its ancestors trace it (support/child.py), then executes argv[1].
ANYONE = """
import ctypes, os, sys
zero = ctypes.c_ulong(0)
ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), zero, zero, zero)
os.set_inheritable(1, False)
os.execv(os.fsencode(sys.argv[1]), [b"sleep", b"60"])
"""


@LINUX
def test_a_module_with_a_hostile_name(tmp_path: Path) -> None:
    """Escape sequences, markup, bidi marks and invalid UTF-8 in a name do nothing to a terminal."""
    name = os.fsencode(tmp_path) + b"/\x1b[31m[red]\xe2\x80\xae\xff"
    shutil.copy(os.fsencode(shutil.which("sleep") or "/bin/sleep"), name)
    with subprocess.Popen(
        [sys.executable, "-I", "-c", ANYONE, name], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.read() == b""  # closed by execve
            plain = command("modules", "--pid", process.pid)
            shown = on_terminal("modules", "--pid", process.pid)
            said = command("modules", "--pid", process.pid, "--json").said
        finally:
            process.kill()
    assert (plain.code, shown.code) == (0, 0)
    assert "\\x1b[31m[red]\\u202e\\udcff" in plain.out
    assert "\\x1b[31m[red]\\u202e\\udcff" in shown.out.replace("\n", "")
    assert "\x1b[31m" not in shown.out
    assert "\u202e" not in shown.out
    assert os.fsencode(said["modules"][0]["path"]) == name
