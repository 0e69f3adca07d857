"""launch() on Linux: suspension before the first instruction, release, termination, refusals."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import pydbgwrite
from pydbgwrite import Session

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes are for Linux")


def exit_code(pid: int) -> int:
    """Wait for a launched process, and return its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_the_program_has_not_run_yet_and_runs_when_let_go(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("wb") as stdout:
        session = pydbgwrite.launch(
            ["sh", "-c", "pwd; echo $WORD; exit 7"],
            cwd=tmp_path,
            env={"WORD": "patched", "PATH": os.environ["PATH"]},
            stdout=stdout,
        )
    assert out.read_bytes() == b""
    assert session.pid is not None
    names = {module.name for module in session.modules()}
    assert not any(name.startswith("libc.") for name in names), names
    session.detach()
    assert exit_code(session.pid) == 7
    assert out.read_text() == f"{tmp_path}\npatched\n"


def test_a_name_in_env_with_an_equals_sign_starts_nothing() -> None:
    with pytest.raises(ValueError, match=r"^env: illegal name 'A=B'$"):
        pydbgwrite.launch(["true"], env={"A=B": "x"})


def test_the_image_can_be_patched_before_it_runs(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("wb") as stdout:
        session = pydbgwrite.launch(["/bin/echo", "AAAAAAAA"], stdout=stdout)
    with session:
        assert session.pid is not None
        lines = [line for line in session._read_maps().splitlines() if b"[stack]" in line]
        start, end = (int(word, 16) for word in lines[0].split()[0].split(b"-"))
        place = session.data_spaces.search_virtual(start, end - start, b"AAAAAAAA")
        assert place is not None
        session.write_pointers(place, [int.from_bytes(b"BBBBBBBB", sys.byteorder)])
    assert exit_code(session.pid) == 0
    assert out.read_bytes() == b"BBBBBBBB\n"


def test_terminate_ends_it_and_leaves_no_zombie() -> None:
    session = pydbgwrite.launch(["sleep", "1000"])
    assert session.pid is not None
    session.terminate()
    assert session.closed
    with pytest.raises(ProcessLookupError):
        os.kill(session.pid, 0)


def zombies() -> set[str]:
    """Return the children of this process that have ended and were not waited for."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # the process has ended meanwhile
        if state == "Z" and int(parent) == os.getpid():
            found.add(stat.parent.name)
    return found


def test_programs_that_cannot_start(tmp_path: Path) -> None:
    before = zombies()
    with pytest.raises(FileNotFoundError):
        pydbgwrite.launch(["no-such-program-anywhere"])
    with pytest.raises(FileNotFoundError):
        pydbgwrite.launch([str(tmp_path / "missing")])
    plain = tmp_path / "plain"
    plain.write_text("not a program")
    with pytest.raises(PermissionError):
        pydbgwrite.launch([str(plain)])
    for cwd, error in ((tmp_path / "missing", FileNotFoundError), (plain, NotADirectoryError)):
        with pytest.raises(error) as caught:
            pydbgwrite.launch(["true"], cwd=cwd)
        assert isinstance(caught.value, OSError)
        assert caught.value.filename == str(cwd)
    with pytest.raises(FileNotFoundError) as missing:
        pydbgwrite.launch([str(tmp_path / "missing")], cwd=tmp_path)
    assert missing.value.filename == str(tmp_path / "missing")
    assert zombies() == before  # no failed launch leaves a child


@pytest.mark.parametrize(
    ("arguments", "error"),
    [("sh -c true", TypeError), ([], ValueError), (["a\0b"], ValueError), ([1], TypeError)],
)
def test_bad_arguments(arguments: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        pydbgwrite.launch(arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"args": ["true", 1]}, r"args\[1\] must be str, bytes or os.PathLike, got int"),
        ({"cwd": 1}, "cwd must be str, bytes or os.PathLike, got int"),
        ({"env": {1: 2}}, "env must map str to str, got int to int"),
        ({"env": {"A": b"b"}}, "env must map str to str, got str to bytes"),
        ({"env": ["A=b"]}, "env must be a mapping of str to str, got list"),
        ({"stdin": "x"}, "stdin must be a file or a descriptor, got str"),
        ({"stdout": b"x"}, "stdout must be a file or a descriptor, got bytes"),
        ({"stderr": True}, "stderr must be a file or a descriptor, got bool"),
    ],
)
def test_arguments_of_other_types(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        pydbgwrite.launch(**{"args": ["true"], **arguments})


def test_who_collects_the_exit_status() -> None:
    """After terminate() or a kill, os.waitpid finds no child, as launch() documents."""
    for end in (Session.terminate, killed_and_closed):
        session = pydbgwrite.launch(["true"])
        assert session.pid is not None
        end(session)
        with pytest.raises(ChildProcessError):
            os.waitpid(session.pid, 0)


def killed_and_closed(session: Session) -> None:
    """Kill the process while its session is open, and close the session."""
    assert session.pid is not None
    os.kill(session.pid, signal.SIGKILL)
    stat = Path(f"/proc/{session.pid}/stat")
    while stat.read_text().rpartition(")")[2].split()[0] not in "ZX":
        time.sleep(0.01)
    session.close()


def outlives_an_interrupted_launch(delay: float) -> bool | None:
    """Return whether the program runs on, or None if the launch was not interrupted."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    interrupted = False
    stdin, our_stdin = os.pipe()
    our_stdout, stdout = os.pipe()
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, delay)
        session = pydbgwrite.launch(["cat"], stdin=stdin, stdout=stdout)
        signal.setitimer(signal.ITIMER_REAL, 0)
        session.terminate()
    except KeyboardInterrupt:
        interrupted = True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        for each in (stdin, stdout):
            os.close(each)
    os.set_blocking(our_stdout, False)
    try:
        assert os.read(our_stdout, 1) == b""  # no process holds the other end
        return False if interrupted else None
    except BlockingIOError:
        return True
    finally:
        for each in (our_stdin, our_stdout):  # this ends the program
            os.close(each)


@pytest.mark.filterwarnings("ignore:unclosed session:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupted_launch_leaves_no_program() -> None:
    """An exception after the call, before the assignment of its result, still loses a session."""
    seen = [outlives_an_interrupted_launch((turn % 30 + 1) / 10_000) for turn in range(90)]
    interrupted = [each for each in seen if each is not None]
    assert len(interrupted) > 10
    assert sum(interrupted) < len(interrupted) / 4
