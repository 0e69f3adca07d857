"""A journal belongs to one process, from its start to its next execve; undo refuses any other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.processes import Child64

import pydbgwrite
from pydbgwrite import JournalError, NoTargetError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes")


def written(child: Child64, file: Path) -> bytes:
    """Journal a write into the child, and return the bytes that the child then holds."""
    with pydbgwrite.attach(child.pid) as session:
        with session.transaction(file):
            session.write_pointers(child.areas["rw"], [1, 2, 3])
        return session.read(child.areas["rw"], 64)


def forged(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Rewrite the journal with a changed header and valid checksums."""
    from pydbgwrite._journal.format import WRITE
    from pydbgwrite._journal.log import JournalLog

    old = JournalLog(open(file, "rb", buffering=0), str(file))  # noqa: SIM115, closed with it
    old.scan()
    changes = [old.load(index) for index in range(len(old))]
    header = json.loads(json.dumps(old.header))
    change(header)
    file.unlink()
    new = JournalLog(open(file, "x+b", buffering=0), str(file))  # noqa: SIM115
    new.begin(header)
    for each in changes:
        payload = each.address.to_bytes(8, "little") + each.old + each.new
        new.records.add(WRITE, each.unit, payload, len(each.old))
    new.close()


def refused(child: Child64, file: Path, words: str, held: bytes) -> None:
    """Undo raises JournalError with these words, and the child's memory stays."""
    with pydbgwrite.attach(child.pid) as session:
        with pytest.raises(JournalError, match=words) as caught:
            pydbgwrite.undo(file, session, force=True)
        assert "Nothing was written" in str(caught.value)
        assert session.read(child.areas["rw"], 64) == held


def test_another_process(tmp_path: Path) -> None:
    file = tmp_path / "a.journal"
    with Child64() as child, Child64() as other:
        written(child, file)
        with pydbgwrite.attach(other.pid) as session:
            held = session.read(other.areas["rw"], 64)
        refused(other, file, f"process {child.pid}, .* process {other.pid}", held)


def test_what_a_journal_says(tmp_path: Path) -> None:
    file = tmp_path / "a.journal"
    with Child64() as child:
        written(child, file)
        info = pydbgwrite.read_journal(file)
        assert (info.pid, info.target, info.pointer_size) == (child.pid, "process", 8)
        stat = Path(f"/proc/{child.pid}/stat").read_text()
        assert info.started == stat.rpartition(") ")[2].split()[19]
        assert Path(info.program).samefile(f"/proc/{child.pid}/exe")
        with pydbgwrite.attach(child.pid, suspend=False) as session:
            program = next(each for each in session.modules() if each.path == info.program)
        assert (info.base, info.size) == (program.base, program.size)
        assert not info.durable
        assert info.writes == 1
        assert info.bytes == 24


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("started", "5", "has ended"),
        ("boot", "another", "restarted"),
        ("exec", "0", "execve"),
        ("target", "kernel", "kernel target"),
    ],
)
def test_a_pid_that_was_given_anew(tmp_path: Path, key: str, value: str, words: str) -> None:
    """A journal is refused if one of the values that identify its process differs."""
    file = tmp_path / "a.journal"
    with Child64() as child:
        held = written(child, file)
        forged(file, lambda header: None)
        with pydbgwrite.attach(child.pid) as session:  # undo accepts an unchanged header
            pydbgwrite.undo(file, session)
        file.unlink()
        held = written(child, file)
        forged(file, lambda header: header.update({key: value}))
        refused(child, file, words, held)


def test_after_an_execve(tmp_path: Path) -> None:
    """The process id, the start time and even the program stay; the address space is another."""
    file = tmp_path / "a.journal"
    program = (
        "import ctypes, os, sys\n"
        "room = ctypes.create_string_buffer(64)\n"
        "print(ctypes.addressof(room), flush=True)\n"
        "sys.stdin.readline()\n"
        "os.execv(sys.executable, [sys.executable, '-c', sys.argv[1], sys.argv[1]])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        address = int(child.stdout.readline())
        with pydbgwrite.attach(child.pid) as session, session.transaction(file):
            session.write_pointers(address, [1, 2])
        child.stdin.write("\n")
        child.stdin.flush()
        child.stdout.readline()  # the program runs again
        with (
            pydbgwrite.attach(child.pid) as session,
            pytest.raises(JournalError, match="execve"),
        ):
            pydbgwrite.undo(file, session)
        child.kill()


@pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() != 0, reason="needs root: time namespaces"
)
def test_in_another_time_namespace(tmp_path: Path) -> None:
    """Start times have an offset there; a journal can be undone from either namespace."""
    other = ("unshare", "--time", "--boottime", "86400", "--fork")
    with Child64() as child:
        address = child.areas["rw"]
        before = child.read(address, 64)
        for make, undo in ((other, ()), ((), other)):
            file = str(tmp_path / f"{len(make)}.journal")
            for where, script in (
                (make, f"s.transaction({file!r}).__enter__(); s.write({address}, bytes(64))"),
                (undo, f"assert pydbgwrite.undo({file!r}, s).complete"),
            ):
                text = f"import pydbgwrite\nwith pydbgwrite.attach({child.pid}) as s: {script}"
                subprocess.run([*where, sys.executable, "-c", text], check=True, timeout=60)
            assert child.read(address, 64) == before


def test_a_process_that_has_ended(tmp_path: Path) -> None:
    file = tmp_path / "a.journal"
    with Child64() as child:
        written(child, file)
        with pydbgwrite.attach(child.pid, suspend=False) as session:
            child.kill()
            with pytest.raises(NoTargetError):
                pydbgwrite.undo(file, session)
    assert pydbgwrite.read_journal(file).state == "committed"


def owner_of(script: str, child: Child64, file: Path) -> subprocess.Popen[str]:
    """Start a script with the child's pid, an address in the child, and the name of the journal."""
    words = [str(child.pid), str(child.areas["rw"]), str(file)]
    return subprocess.Popen(
        [sys.executable, "-c", script, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_journal_in_use(tmp_path: Path) -> None:
    """Undo refuses the journal while a transaction of another process is open."""
    file = tmp_path / "a.journal"
    script = (
        "import pydbgwrite, sys\n"
        "with pydbgwrite.attach(int(sys.argv[1]), suspend=False) as session:\n"
        "    with session.transaction(sys.argv[3]):\n"
        "        session.write_pointers(int(sys.argv[2]), [1])\n"
        "        print('held', flush=True)\n"
        "        sys.stdin.readline()\n"
    )
    with Child64() as child, owner_of(script, child, file) as owner:
        assert owner.stdin is not None and owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        with pydbgwrite.attach(child.pid, suspend=False) as session:
            with pytest.raises(JournalError, match="in use"):
                pydbgwrite.undo(file, session)
            assert pydbgwrite.read_journal(file).state == "open"
            owner.kill()
            owner.wait()
            assert pydbgwrite.undo(file, session).complete


def test_a_journal_in_use_by_this_process(tmp_path: Path) -> None:
    """Reading a journal does not unlock it, and another session can't undo it meanwhile."""
    file = tmp_path / "a.journal"
    with Child64() as child, pydbgwrite.attach(child.pid, suspend=False) as session:
        address = child.areas["rw"]
        before = session.read(address, 8)
        with pydbgwrite.attach(child.pid, suspend=False) as other, session.transaction(file) as t:
            session.write_pointers(address, [1])
            assert pydbgwrite.read_journal(file).state == "open"
            with pytest.raises(JournalError, match="in use"):
                pydbgwrite.undo(file, other)
            command = [sys.executable, "-m", "pydbgwrite", "undo", str(file)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 2 and "in use" in done.stderr
            assert list(session.read_pointers(address, 1)) == [1]
            assert t.undo().complete
            assert session.read(address, 8) == before


def test_a_forked_child_does_not_hold_a_journal(tmp_path: Path) -> None:
    """The forked child outlives the killed script and can read its journal; undo does not wait."""
    file = tmp_path / "a.journal"
    script = (
        "import os, pydbgwrite, sys\n"
        "with pydbgwrite.attach(int(sys.argv[1]), suspend=False) as session:\n"
        "    with session.transaction(sys.argv[3]) as t:\n"
        "        session.write_pointers(int(sys.argv[2]), [1])\n"
        "        if os.fork() == 0:\n"
        "            assert len(t.changes) == 1 and t.changes[0].new[:1] == b'\\1'\n"
        "            print('held', os.getppid(), flush=True)\n"
        "        sys.stdin.readline()\n"
        "        os._exit(0)\n"
    )
    with Child64() as child, owner_of(script, child, file) as owner:
        assert owner.stdin is not None and owner.stdout is not None
        assert owner.stdout.readline() == f"held {owner.pid}\n"
        with pydbgwrite.attach(child.pid, suspend=False) as session:
            with pytest.raises(JournalError, match="in use"):
                pydbgwrite.undo(file, session)
            owner.kill()
            owner.wait()
            assert pydbgwrite.undo(file, session).complete


def test_writing_over_the_programs_own_header(tmp_path: Path) -> None:
    """The process's identity does not depend on memory that a patch may write to."""
    file = tmp_path / "a.journal"
    with Child64() as child, pydbgwrite.attach(child.pid) as session:
        running = str(Path(f"/proc/{child.pid}/exe").readlink())
        program = next(each for each in session.modules() if each.path == running)
        before = session.read(program.base, 256)
        with session.transaction(file):
            session.write_pointers(program.base + 64, range(16))
        assert session.read(program.base, 256) != before
        assert pydbgwrite.undo(file, session).complete
        assert session.read(program.base, 256) == before


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0,
    reason="needs POSIX owners" if sys.platform == "win32" else "needs root: other owners",
)
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("another's", "belongs to the user 12345"),
        ("open to all", "mode is 0666"),
        ("a link", "is a symbolic link"),
        ("two names", r"has 2 names \(hard links\)"),
    ],
)
def test_root_undoes_no_journal_that_another_user_may_have_made(
    tmp_path: Path, how: str, said: str
) -> None:
    """What a journal says is written into a process, and root can write to every process."""
    file = tmp_path / "a.journal"
    with Child64() as child:
        held = written(child, file)
        if how == "another's":
            os.chown(file, 12345, -1)
        elif how == "open to all":
            file.chmod(0o666)
        elif how == "a link":
            file = file.rename(tmp_path / "b.journal")
            (tmp_path / "a.journal").symlink_to(file)
            file = tmp_path / "a.journal"
        else:
            (tmp_path / "b.journal").hardlink_to(file)
        with pydbgwrite.attach(child.pid) as session:
            with pytest.raises(PermissionError, match=said):
                pydbgwrite.undo(file, session)
            assert session.read(child.areas["rw"], 64) == held
            os.chown(file, 0, -1, follow_symlinks=False)
            if how == "open to all":
                file.chmod(0o600)
            elif how == "a link":
                file = tmp_path / "b.journal"
            elif how == "two names":
                (tmp_path / "b.journal").unlink()
            assert pydbgwrite.undo(file, session).complete
