"""-p NAME: the process is the only one of that program, and never another's by mistake."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.commands import command, target

import pydbgwrite
from pydbgwrite._processes import processes_of_program, program_of

if sys.platform != "linux":
    pytest.skip("Linux processes", allow_module_level=True)

AS_OTHER = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces and users")
NOBODY = 65534


@contextmanager
def running(program: Path, user: int | None = None) -> Iterator[int]:
    """Run a copy of sleep(1) under that path."""
    if not program.exists():
        shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    with subprocess.Popen([b"sleep", b"600"], executable=program, user=user) as process:
        try:
            yield process.pid
        finally:
            process.kill()


@pytest.fixture
def name(tmp_path: Path) -> str:
    """Return a name that no other process's program has."""
    return f"shop-{os.getpid()}"


def test_the_only_process_of_a_program(tmp_path: Path, name: str) -> None:
    with running(tmp_path / name) as pid:
        for option in ("-p", "--pid"):
            done = command("modules", option, name, "--json")
            assert (done.code, done.err, done.said["pid"]) == (0, "", pid)
        assert command("modules", "-p", pid, "--json").said["pid"] == pid


def test_a_path_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("123")
    with running(tmp_path / "123") as pid:
        for path in ("./123", tmp_path / "123", "./link"):
            assert command("modules", "-p", path, "--json").said["pid"] == pid
        assert command("modules", "-p", "./456").code == 3


@AS_OTHER
def test_another_path_of_a_file(tmp_path: Path, name: str) -> None:
    """A user's own process is found by it; another user's file is not asked which one it is."""
    program = Path("/tmp", name)
    other = Path("/tmp", f"{name}-too")
    with running(program) as own, running(program, NOBODY) as others:
        try:
            other.hardlink_to(program)
            assert command("modules", "-p", other, "--json").said["pid"] == own
            done = command("modules", "-p", program, "--json")
            assert {each["pid"] for each in done.said["error"]["processes"]} == {own, others}
        finally:
            program.unlink()
            other.unlink(missing_ok=True)


def test_a_file_that_was_replaced(tmp_path: Path, name: str) -> None:
    program = tmp_path / name
    with running(program) as pid:
        program.unlink()
        program.write_bytes(b"the next version")
        for given in (name, program):
            assert command("modules", "-p", given, "--json").said["pid"] == pid


def test_a_file_that_is_named_deleted(tmp_path: Path, name: str) -> None:
    with running(tmp_path / f"{name} (deleted)") as pid:
        for given in (f"{name} (deleted)", tmp_path / f"{name} (deleted)"):
            assert command("modules", "-p", given, "--json").said["pid"] == pid


def test_several_processes_are_listed(tmp_path: Path, name: str) -> None:
    (tmp_path / "other").mkdir()
    with running(tmp_path / name) as one, running(tmp_path / "other" / name) as two:
        done = command("read", "-p", name, "0x10", "--json")
        assert done.code == 2
        listed = done.said["error"]["processes"]
        assert {each["pid"]: each["program"] for each in listed} == {
            one: str(tmp_path / name),
            two: str(tmp_path / "other" / name),
        }
        for each in listed:
            assert f"{each['pid']}  {each['user']}  {each['program']}" in done.err
        assert f"-p {min(one, two)}" in done.err
        assert command("modules", "-p", tmp_path / name, "--json").said["pid"] == one


def test_no_process_of_that_name(name: str) -> None:
    done = command("modules", "-p", name, "--json")
    assert (done.code, done.said["error"]["type"]) == (3, "NoTargetError")
    assert repr(name) in done.err


def test_a_name_that_is_almost_right(tmp_path: Path, name: str) -> None:
    with running(tmp_path / name):
        for given in (name.upper(), name + "x"):
            done = command("modules", "-p", given)
            assert done.code == 3
            assert repr(name) in done.err.partition("did you mean")[2]


def test_what_a_process_calls_itself_is_a_hint(name: str) -> None:
    """Any process can set its comm and its arguments, so they choose no process."""
    code = f"open('/proc/self/comm', 'w').write({name[:15]!r}); print(); input()"
    with subprocess.Popen(
        [name, "-c", code],
        executable=sys.executable,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        done = command("modules", "-p", name)
        assert done.code == 3
        assert f"-p {process.pid}" in done.err
        process.communicate(b"\n")


@AS_OTHER
def test_another_users_process_is_not_opened_by_name(tmp_path: Path, name: str) -> None:
    with running(Path("/tmp", name), user=NOBODY) as pid:
        try:
            done = command("modules", "-p", name, "--json")
            assert done.code == 2
            [listed] = done.said["error"]["processes"]
            assert (listed["pid"], listed["user"] in ("nobody", "nfsnobody")) == (pid, True)
            assert f"-p {pid}" in done.err
            assert command("modules", "-p", pid, "--json").said["pid"] == pid
            with running(tmp_path / name) as own:
                done = command("modules", "-p", name, "--json")
                assert {each["pid"] for each in done.said["error"]["processes"]} == {pid, own}
        finally:
            Path("/tmp", name).unlink()


def test_a_process_that_runs_another_program_just_now(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is compared again once it is open. A command that only reads has written nothing."""
    attach = pydbgwrite.attach
    shutil.copy(os.path.realpath("/bin/sh"), tmp_path / name)
    for line, said in ((["modules"], False), (["write", "0x10", "1"], True)):
        with subprocess.Popen(
            [tmp_path / name, "-c", "read line; exec sleep 600"], stdin=subprocess.PIPE
        ) as process:

            def late(pid: int, **options: Any) -> pydbgwrite.Session:
                assert process.stdin is not None
                process.stdin.write(b"\n")
                process.stdin.flush()
                while program_of(pid) == str(tmp_path / name):
                    pass
                return attach(pid, **options)

            monkeypatch.setattr(pydbgwrite, "attach", late)
            done = command(*line, "-p", name)
            process.kill()
        assert (done.code, done.out) == (3, "")
        assert f"process {process.pid}" in done.err
        assert ("nothing was written" in done.err) is said


def test_this_process_does_not_find_itself() -> None:
    with target() as process:
        path = program_of(process.pid)
        assert path is not None
        found = {each.pid for each in processes_of_program(Path(path).name)}
    assert process.pid in found
    assert os.getpid() not in found
    if program_of(os.getppid()) == program_of(os.getpid()):
        assert os.getppid() not in found


def test_names_do_nothing_to_a_terminal(tmp_path: Path) -> None:
    program = tmp_path / "\x1b[31m[red]\u202e\nline"
    with running(program), running(program):
        done = command("modules", "-p", program.name)
    assert done.code == 2
    assert "\x1b" not in done.err
    assert "\u202e" not in done.err
    assert done.err.count("\\x1b[31m[red]\\u202e\\nline") == 3  # the name, and two paths
    assert done.err.count("\n") == 3
    with running(program) as pid:
        done = command("read", "-p", pid, "0x10")
    assert f"in \\x1b[31m[red]\\u202e\\nline (pid {pid})" in done.err
