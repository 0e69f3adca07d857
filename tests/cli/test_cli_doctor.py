"""pydbgwrite doctor: its report is true."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.commands import (
    REFUSE_PTRACE,
    command,
    on_terminal,
    on_terminal_of_its_own,
    process_of_its_own,
)

import pydbgwrite
from pydbgwrite import _core

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")


def by_name(said: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in said["checks"]}


def test_doctor_as_json() -> None:
    done = command("doctor", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.said["works"] is True
    checks = by_name(done.said)
    assert all(set(check) == {"name", "state", "detail", "advice"} for check in checks.values())
    assert {check["state"] for check in checks.values()} <= {"info", "works", "limited", "fails"}
    assert checks["write to a process started here"]["state"] == "works"
    assert pydbgwrite.__version__ in checks["pydbgwrite"]["detail"]
    assert _core.__file__ in checks["embedded engine"]["detail"]
    assert sys.executable in checks["Python"]["detail"]


def test_doctor_names_packages_that_can_not_be_imported(tmp_path: Path) -> None:
    names = {"numpy": "fails", "multi_demangle": "limited", "rich": "fails"}
    for name in names:
        (tmp_path / f"{name}.py").write_text("raise ImportError('for another Python')")
    setup = f"import sys; sys.path.insert(0, {str(tmp_path)!r})"
    done = process_of_its_own("doctor", "--json", setup=setup)
    assert (done.code, done.said["works"]) == (0, True)  # writing needs none of them
    checks = by_name(done.said)
    for name, state in names.items():
        place = tmp_path / f"{name}.py"
        detail = f"{name} can't be imported here ({place}): for another Python"
        again = f"{sys.executable} -m pip install --force-reinstall {name.replace('_', '-')}"
        assert list(checks[name].values()) == [name, state, detail, again]
    assert not names.keys() & by_name(command("doctor", "--json").said).keys()


@pytest.mark.skipif(sys.platform != "win32", reason="Microsoft's engine, on Windows")
def test_doctor_and_microsofts_engine() -> None:
    checks = by_name(command("doctor", "--json").said)
    assert checks["Microsoft's engine"]["state"] == "works"
    assert "dbgeng.dll" in checks["Microsoft's engine"]["detail"]
    assert "SeDebugPrivilege" in checks


@pytest.mark.skipif(sys.platform != "win32", reason="Microsoft's engine, on Windows")
def test_doctor_without_an_engine() -> None:
    done = command("doctor", "--json", "--engine", r"C:\nowhere")
    assert done.code == 3
    assert done.said["works"] is False
    assert by_name(done.said)["Microsoft's engine"]["state"] == "fails"
    assert [r"C:\nowhere" in line for line in done.said["engine_paths_tried"]] == [True]


@LINUX
def test_doctor_on_linux() -> None:
    done = command("doctor", "--json")
    checks = by_name(done.said)
    names = {"ptrace_scope", "CAP_SYS_PTRACE", "seccomp", "container", "forced writes"}
    assert names <= set(checks)
    with open("/proc/self/status", encoding="ascii") as status:
        capabilities = next(line for line in status if line.startswith("CapEff"))
    held = int(capabilities.split()[1], 16) >> 19 & 1
    assert ("has it" in checks["CAP_SYS_PTRACE"]["detail"]) == bool(held)
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope", encoding="ascii") as file:
            scope = file.read().strip()
    except FileNotFoundError:
        scope = "no such limit"
    assert checks["ptrace_scope"]["detail"].startswith(scope)
    others = checks["write to other processes"]["state"]
    assert others == ("limited" if scope == "1" and not held else "works")


@LINUX
def test_doctor_says_engine_is_for_windows() -> None:
    done = command("doctor", "--engine", "/tmp", "--json")
    assert done.code == 2
    assert "Windows" in done.said["error"]["message"]


@LINUX
def test_doctor_where_ptrace_is_refused() -> None:
    done = process_of_its_own("doctor", setup=REFUSE_PTRACE)
    assert done.code == 3
    lines = done.out.splitlines()
    assert any(
        line.startswith("fails    write to a process started here: no acc") for line in lines
    )
    assert any("seccomp: this process runs under a filter" in line for line in lines)
    assert "docker run --cap-add=SYS_PTRACE" in done.out
    assert lines[-2:] == ["", "Writing to processes works here only with --no-suspend."]
    assert any(line.startswith("works    write to it without suspending it") for line in lines)


@LINUX
def test_doctor_under_a_tracer() -> None:
    """A process has only one tracer; doctor reports a process that is traced."""
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            with pydbgwrite.attach(process.pid):
                checks = by_name(command("doctor", "--json").said)
        finally:
            process.kill()
    assert f"{process.pid} (by " in checks["other debuggers"]["detail"]


@LINUX
@pytest.mark.parametrize("width", [80, 200])
def test_doctor_on_a_terminal(width: int) -> None:
    done = on_terminal("doctor", width=width)
    assert done.code == 0
    assert "\x1b[32mworks" in done.out
    plain = on_terminal("doctor", width=width, env={"TERM": "dumb"})
    assert "\x1b" not in plain.out
    assert max(map(len, plain.out.splitlines())) <= width
    assert "Writing to processes works here." in plain.out


@LINUX
def test_advice_on_a_terminal() -> None:
    done = on_terminal_of_its_own("doctor", width=200, setup=REFUSE_PTRACE)
    assert done.code == 3
    assert "\x1b[3m-> if it does: docker run --cap-add=SYS_PTRACE" in done.out  # in italics
    assert "\x1b[3m-> see the permissions above\x1b" in done.out


def test_what_runs_without_numpy() -> None:
    """Start-up stays quick: only commands that need numpy and rich, or check them, import them."""
    code = (
        "import sys; from pydbgwrite.__main__ import main; code = main(['history']);"
        "print(sorted({'numpy', 'rich', 'tomllib'} & set(sys.modules)));"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "[]"
