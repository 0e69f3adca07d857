"""The command line: its output, its exit codes, and no tracebacks."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sized
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from support.commands import (
    POINTER,
    REFUSE_PTRACE,
    SAME_EVERYWHERE,
    command,
    in_forks,
    on_terminal,
    process_of_its_own,
    target,
)

import pydbgwrite
from pydbgwrite import errors
from pydbgwrite._demo import run as demo
from pydbgwrite.cli.exit_codes import ExitCode, exit_code_of
from pydbgwrite.cli.main import group, run

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")
LARGE = pytest.mark.skipif(
    sys.platform == "win32", reason="Linux processes: a large table takes seconds in the lane"
)

# Stands in for a machine without the [cli] extra, or without a part of it.
BLOCK = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
"""

# ---- demo -----------------------------------------------------------------------------------


@pytest.mark.parametrize("pointers", [1, 1000, pytest.param(1_000_000, marks=LARGE)])
def test_demo_as_json(pointers: int) -> None:
    done = command("demo", "--json", "--pointers", str(pointers))
    assert (done.code, done.err) == (0, "")
    said = done.said
    assert {name: type(value) for name, value in said.items()} == {
        "pid": int,
        "engine": str,
        "address": str,
        "pointers": int,
        "bytes": int,
        "via": str,
        "seconds": float,
        "ns_per_pointer": float,
        "verified": bool,
        "checksum_before": str,
        "checksum_after": str,
        "problem": type(None),
    }
    assert said["verified"] is True
    assert (said["pointers"], said["bytes"]) == (pointers, POINTER * pointers)
    assert said["ns_per_pointer"] == pytest.approx(said["seconds"] * 1e9 / pointers)
    for name in ("address", "checksum_before", "checksum_after"):
        assert int(said[name], 16) > 0


def test_demo_as_text() -> None:
    done = command("demo", "--pointers", "1_000")
    assert (done.code, done.err) == (0, "")
    title, *lines = done.out.splitlines()
    assert title == "Rewrote 1,000 function pointers in a live process."
    fields = {name.strip(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    assert fields["pid"].isdecimal()
    assert re.fullmatch(
        "embedded" if sys.platform == "linux" else r"dbgeng [\d.]+", fields["engine"]
    )
    assert re.fullmatch("0x[0-9a-f]+", fields["table"])
    assert fields["pointers"] == f"1,000 ({POINTER},000 bytes)"
    assert re.fullmatch(r"[\d,.]+ ms, [\d,.]+ ns a pointer", fields["time"])
    way = "WritePointersVirtual" if sys.platform == "linux" else "WriteVirtual, in bulk: "
    assert fields["written by"].startswith(way)
    assert fields["verified by the target"] == "yes, 1,000 calls through it reached new functions"
    assert "\x1b" not in done.out


def test_demo_of_retarget() -> None:
    done = command("demo", "retarget", "--pointers", "1_000")
    assert (done.code, done.err) == (0, "")
    title, *lines = done.out.splitlines()
    assert title == "Moved 1,000 objects to another table in a live process."
    fields = {name.strip(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    assert fields["pointers"] == "1,000 found and replaced"
    assert fields["verified by the target"] == "yes, 1,000 calls reached functions of the new table"
    said = command("demo", "--pointers", "20", "retarget", "--json").said
    assert said["verified"] is True
    assert (said["pointers"], said["bytes"]) == (20, 320)
    assert said["calls_before"] == [12, 8, 0]
    assert said["calls_after"] == [0, 0, 20]
    assert said["checksum_before"] != said["checksum_after"]
    done = command("demo", "something")
    assert done.code == 2
    assert "retarget" in done.err


@LINUX
def test_demo_on_a_terminal() -> None:
    done = on_terminal("demo", "--pointers", 1)
    assert done.code == 0
    assert "Rewrote 1 function pointer in a live process." in done.out
    assert "\x1b[" in done.out
    assert "yes, 1 call through it reached new functions" in done.out


@LINUX
def test_demo_where_ptrace_is_refused() -> None:
    done = process_of_its_own("demo", "--pointers", "10", setup=REFUSE_PTRACE)
    assert done.code == 3
    assert done.out == ""
    assert "no access to process" in done.err
    assert "seccomp" in done.err


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


@LINUX
def test_demo_with_a_child_that_is_killed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    attach = pydbgwrite.attach

    def killing(pid: int) -> pydbgwrite.Session:
        kill(pid)
        return attach(pid)

    monkeypatch.setattr(demo, "attach", killing)
    done = command("demo")
    assert (done.code, done.out) == (3, "")
    assert "has ended" in done.err


@LINUX
def test_demo_with_a_child_that_is_killed_within(monkeypatch: pytest.MonkeyPatch) -> None:
    attach, run_demo = pydbgwrite.attach, demo.run_demo
    children: list[int] = []

    def telling(pid: int) -> pydbgwrite.Session:
        children.append(pid)
        return attach(pid)

    def killing(count: int, **options: object) -> demo.DemoResult:
        return run_demo(count, progress=lambda done, total: kill(children[0]))

    monkeypatch.setattr(demo, "attach", telling)
    monkeypatch.setattr(demo, "run_demo", killing)
    done = command("demo", "--pointers", "4_000_000")
    assert (done.code, done.out) == (5, "")
    assert "has ended" in done.err


@pytest.mark.parametrize("json_wanted", [False, True])
def test_demo_that_wrote_nothing(
    json_wanted: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def attach(pid: int) -> object:
        def write(address: int, table: Sized, **options: object) -> int:
            return len(table)

        engine = SimpleNamespace(name="none", version="1")
        return nullcontext(SimpleNamespace(engine=engine, pointer_size=8, write_pointers=write))

    monkeypatch.setattr(demo, "attach", attach)
    assert run(["demo", "--pointers", "10", *["--json"] * json_wanted]) == 1
    done = capsys.readouterr()
    assert "not verified: the child reports" in done.err
    if json_wanted:
        said = json.loads(done.out)
        assert said["verified"] is False
        assert said["checksum_after"] == said["checksum_before"]
        assert "expected" in said["problem"]
    else:
        assert "The write was not verified." in done.out
        assert "Rewrote" not in done.out


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "many", "", "1e6"])
def test_demo_with_a_bad_number(given: str) -> None:
    done = command("demo", "--pointers", given)
    assert (done.code, done.out) == (2, "")
    assert "--pointers" in done.err


@pytest.mark.parametrize("given", [2**45, 2**60])
def test_demo_with_more_than_fits(given: int) -> None:
    done = command("demo", "--pointers", str(given))
    assert (done.code, done.out) == (2, "")
    assert "not enough memory" in done.err


# ---- the command itself ---------------------------------------------------------------------


def test_version() -> None:
    done = command("--version")
    assert (done.code, done.out) == (0, f"pydbgwrite {pydbgwrite.__version__}\n")


def test_python_m() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pydbgwrite", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert pydbgwrite.__version__ in done.stdout


@pytest.mark.parametrize("name", ["", *group.list_commands(click.Context(group))])
def test_every_help_has_an_example(name: str) -> None:
    done = command(*name.split(), "--help")
    assert (done.code, done.err) == (0, "")
    example = re.search(rf"Example:\n +(pydbgwrite {name}.*)", done.out)
    assert example is not None
    # As it stands it can be pasted into an interactive bash, which expands '!' outside of '...'.
    assert not re.search(r"[!*$<>(){}\[\]]", re.sub("'[^']*'", "", example[1]))


@pytest.mark.parametrize("arguments", [[], ["patch"], ["--pid"], ["demo", "--colour"]])
def test_bad_usage(arguments: list[str]) -> None:
    done = command(*arguments)
    assert done.code == 2
    assert "Usage:" in done.err + done.out


@pytest.mark.parametrize("names", [("click",), ("rich",), ("numpy",), ("click", "rich")])
def test_without_the_extra(names: tuple[str, ...]) -> None:
    done = process_of_its_own("demo", setup=BLOCK.format(names=names))
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert 'python -m pip install "pydbgwrite[cli]"' in done.err
    for name in names:
        assert name in done.err


# As numpy does it: its own advice first, and the reason as the cause.
FAULTS = {
    "ImportError": (
        "try:\n    import {name}.part\nexcept ImportError as error:\n"
        "    raise ImportError('\\n\\nPLEASE READ THIS\\n\\nfor advice') from error\n",
        "No module named '{name}.part'",
    ),
    "SystemError": ("raise SystemError('uninitialized object')", "uninitialized object"),
    "OSError": ("raise OSError(2, 'no libopenblas')", "[Errno 2] no libopenblas"),
    "dependency": ("import not_installed", "No module named 'not_installed'"),
}


@SAME_EVERYWHERE
@pytest.mark.parametrize("name", ["click", "numpy"])
@pytest.mark.parametrize("fault", FAULTS)
def test_with_an_extra_that_can_not_be_imported(name: str, fault: str, tmp_path: Path) -> None:
    """As with one that is missing, it is no bug: it is said which one, where, and why."""
    place = tmp_path / name / "__init__.py"
    place.parent.mkdir()
    raised, reason = (text.format(name=name) for text in FAULTS[fault])
    place.write_text(raised)
    done = process_of_its_own("demo", setup=f"import sys; sys.path.insert(0, {str(tmp_path)!r})")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"pydbgwrite: {name} can't be imported here ({place}): {reason}; install one for this "
        f"Python: {sys.executable} -m pip install --force-reinstall {name}\n"
    )


@LINUX
@pytest.mark.parametrize("fault", ["", "raise SystemError('another layout')"])
def test_a_demangler_that_is_of_no_use(fault: str, tmp_path: Path) -> None:
    """It need not be there; the advice says what is wrong with one that is."""
    setup = BLOCK.format(names=("multi_demangle",))
    remedy = 'pip install "pydbgwrite[cli]"'
    if fault:
        (tmp_path / "multi_demangle.py").write_text(fault)
        setup = f"import sys; sys.path.insert(0, {str(tmp_path)!r})"
        remedy = (
            f"and multi_demangle can't be imported here ({tmp_path / 'multi_demangle.py'}): "
            f"another layout; install one for this Python: {sys.executable} -m pip install "
            "--force-reinstall multi-demangle"
        )
    with target() as live:
        done = process_of_its_own("read", "-p", live.pid, "libc.so.6!shop::area(int)", setup=setup)
    assert done.code == 3
    assert "; demangled names need a library" in done.err
    assert f"{remedy}. Without it, give the mangled name" in done.err


def test_what_became_of_a_write_is_said_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = ImportError("no part of it", name="numpy.part")
    failure.add_note("the transaction was undone")
    monkeypatch.setattr("pydbgwrite._demo.run.run_demo", raiser(failure))
    assert run(["demo"]) == 2
    said = capsys.readouterr().err
    assert "numpy can't be imported here" in said
    assert said.endswith("numpy; the transaction was undone\n")


def test_another_fault_of_an_import_is_a_bug() -> None:
    code = (
        "import sys; sys.modules['pydbgwrite.cli.main'] = None\n"
        "from pydbgwrite.__main__ import main; main(['demo'])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert "Traceback (most recent call last)" in done.stderr
    assert "import of pydbgwrite.cli.main halted" in done.stderr


def test_a_failure_within_an_extra_is_no_fault_of_its_import() -> None:
    setup = "import numpy; numpy.arange = lambda *given, **named: numpy.testing.assert_(False)"
    done = process_of_its_own("demo", setup=setup)
    assert (done.code, done.err) == (
        70,
        "pydbgwrite: internal error, please report it: AssertionError: \n",
    )


def test_the_library_needs_no_extra() -> None:
    names = ("click", "rich", "numpy", "pygments")
    code = BLOCK.format(names=names) + "import pydbgwrite; pydbgwrite.simulate([(0, 8)]).close()"
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


@LINUX
@pytest.mark.parametrize(
    "typed",
    [
        *("apply", "verify", "undo", "apply --journal", "write --from", "read --out"),
        *("modules --dump", "rollout apply", "rollout apply --check", "rollout resume --report"),
    ],
)
def test_a_shell_completes_files(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_PYDBGWRITE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"pydbgwrite {typed} /tm")
    monkeypatch.setenv("COMP_CWORD", str(1 + len(typed.split())))
    assert command().out == "file,/tm\n"


# ---- output that can't be written ------------------------------------------------------------


PRINTING = [
    ("demo", "--pointers", 10),
    ("demo", "--pointers", 10, "--json"),
    ("--help",),
    ("--version",),
]


@LINUX
def test_closed_output() -> None:
    assert in_forks(PRINTING, "COMMAND >&-") == [(0, "")] * 4


@LINUX
def test_full_output() -> None:
    said = "pydbgwrite: the output could not be written: No space left on device\n"
    assert in_forks(PRINTING, "COMMAND >/dev/full") == [(74, said)] * 4


@LINUX
def test_a_reader_that_has_gone() -> None:
    # The wait for the process substitution makes sure that the reader has ended.
    line = "exec 3> >(exec 0<&-); wait $!; COMMAND >&3"
    assert in_forks(PRINTING, line) == [(74, "")] * 4


@LINUX
@pytest.mark.parametrize("where", [">&- 2>&-", ">/dev/full 2>/dev/full", "2>&-", "2>/dev/full"])
def test_failures_keep_their_code_where_nothing_can_be_said(where: str) -> None:
    lines = [("demo", "--pointers", 0), ("demo", "--pointers", 2**45)]
    assert in_forks(lines, f"COMMAND {where}") == [(2, "")] * 2


# ---- how commands end -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exception", "code"),
    [
        (TypeError("x"), 2),
        (ValueError("x"), 2),
        (OverflowError("x"), 2),
        (errors.PointerRangeError("x"), 2),
        (errors.TargetAccessError("x"), 3),
        (errors.NoTargetError("x"), 3),
        (errors.EngineNotFoundError("x"), 3),
        (TimeoutError("x"), 3),
        (PermissionError("x"), 3),
        (errors.TargetAccessError("x", written=1), 5),
        (errors.NoTargetError("x", written=None), 5),
        (errors.PointerRangeError("x", written=1), 5),
        (KeyboardInterrupt(), 130),
        (RuntimeError("x"), 70),
    ],
)
def test_exit_codes(exception: BaseException, code: int) -> None:
    assert exit_code_of(exception) == code


PRESS_WHILE_CLICK_IS_LOADED = """
import builtins, signal
whole = builtins.__import__
def pressing(name, *rest):
    if name == "click":
        signal.raise_signal(signal.SIGINT)
    return whole(name, *rest)
builtins.__import__ = pressing
"""


def raiser(exception: BaseException) -> Callable[..., object]:
    def run_demo(pointers: int, **options: object) -> object:
        raise exception

    return run_demo


@pytest.mark.parametrize(
    ("exception", "code", "message"),
    [
        (errors.TargetAccessError("no access, as it is"), 3, "pydbgwrite: no access, as it is\n"),
        (
            RuntimeError("odd"),
            70,
            "pydbgwrite: internal error, please report it: RuntimeError: odd",
        ),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "pydbgwrite: interrupted"),
        (FileNotFoundError(2, "not there", "a.bin"), 3, "pydbgwrite: a.bin: not there\n"),
        (OSError(5, "broken"), 3, "pydbgwrite: broken\n"),
        (OSError("without a number"), 3, "pydbgwrite: without a number\n"),
        (MemoryError(), 2, "pydbgwrite: not enough memory; ask for less at once\n"),
    ],
)
def test_exceptions_become_messages(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    exception: BaseException,
    code: int,
    message: str,
) -> None:
    monkeypatch.setattr("pydbgwrite._demo.run.run_demo", raiser(exception))
    assert run(["demo"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err


def test_ctrl_c_while_the_command_line_is_loaded() -> None:
    """Python loads modules for a moment; who presses Ctrl-C then sees no traceback."""
    done = process_of_its_own("demo", setup=PRESS_WHILE_CLICK_IS_LOADED)
    assert (done.code, done.out, done.err) == (
        ExitCode.INTERRUPTED,
        "",
        "pydbgwrite: interrupted\n",
    )


def test_ctrl_c_says_how_far_the_write_came(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt = KeyboardInterrupt()
    interrupt.add_note("pydbgwrite: the target holds the first 5 of 9 pointers")
    monkeypatch.setattr("pydbgwrite._demo.run.run_demo", raiser(interrupt))
    assert run(["demo"]) == ExitCode.INTERRUPTED
    assert "the first 5 of 9 pointers" in capsys.readouterr().err


def test_the_version_needs_no_command() -> None:
    """Each command is imported on demand, and numpy only by a command that needs it."""
    code = "import sys; from pydbgwrite.cli.main import run; "
    for words, absent in (
        (["--version"], {"pydbgwrite.cli.read", "pydbgwrite.cli.apply", "json", "rich", "numpy"}),
        (["read", "--help"], {"pydbgwrite.cli.apply", "numpy", "rich"}),
    ):
        done = subprocess.run(
            [sys.executable, "-c", f"{code}run({words!r}); print(*sys.modules, file=sys.stderr)"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout
        assert not absent & set(done.stderr.split())
