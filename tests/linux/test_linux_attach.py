"""Suspending a Linux process: subprocess reports correctly, and the process resumes unchanged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.processes import Child64

import pydbgwrite

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes are for Linux")

# Prints the address of a table in which each thread counts up one slot; then answers every line of
# input with the table.
COUNTING = """
import ctypes, sys, threading
table = (ctypes.c_uint64 * 8)()
def count(slot):
    while True:
        table[slot] += 1
for slot in range({threads}):
    threading.Thread(target=count, args=(slot,), daemon=True).start()
print(ctypes.addressof(table), flush=True)
for line in sys.stdin:
    print(*table, flush=True)
"""


@contextmanager
def counting(threads: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Yield a process whose threads count up, and the address of their counters."""
    with subprocess.Popen(
        [sys.executable, "-c", COUNTING.format(threads=threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        try:
            yield child, int(child.stdout.readline())
        finally:
            child.kill()


def counters(child: subprocess.Popen[str]) -> list[int]:
    """Return the counters as the process itself reads them."""
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write("?\n")
    child.stdin.flush()
    return [int(word) for word in child.stdout.readline().split()]


def states(pid: int) -> set[str]:
    """Return the states of all threads of the process, as the kernel's letters."""
    return {
        (task / "stat").read_text().rpartition(")")[2].split()[0]
        for task in Path(f"/proc/{pid}/task").iterdir()
    }


def test_all_threads_stand_still_and_go_on() -> None:
    with counting(7) as (child, address):
        with pydbgwrite.attach(child.pid) as session:
            assert states(child.pid) == {"t"}
            first = session.read_pointers(address, 8)
            assert session.read_pointers(address, 8) == first
            assert child.poll() is None
        assert "t" not in states(child.pid)
        before = counters(child)
        while counters(child)[0] == before[0]:
            pass  # the process counts again, or this test does not end


def test_a_child_killed_while_attached_gives_its_status_at_once() -> None:
    with counting(7) as (child, address), pydbgwrite.attach(child.pid) as session:
        child.kill()
        assert child.wait(timeout=5) == -9
        for call in (
            lambda: session.write_pointers(address, [1]),
            lambda: session.read_pointers(address, 1),
            lambda: session.write_pointers(address, []),
            lambda: session.pointer_size,
        ):
            with pytest.raises(pydbgwrite.NoTargetError):
                call()


def test_wait_in_another_thread_never_takes_the_stop_for_an_end() -> None:
    with counting(1) as (child, _):
        waiter = threading.Thread(target=child.wait)
        waiter.start()
        for _ in range(200):
            with pydbgwrite.attach(child.pid):
                pass
            assert child.returncode is None
        child.kill()
        waiter.join()
        assert child.returncode == -9


def test_a_group_stop_stays_and_a_signal_takes_effect() -> None:
    with counting(2) as (child, _):
        os.kill(child.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED)
        with pydbgwrite.attach(child.pid):
            assert states(child.pid) <= {"t", "T"}
        while states(child.pid) != {"T"}:
            pass  # the kernel returns the threads to the group stop
        with pydbgwrite.attach(child.pid):
            os.kill(child.pid, signal.SIGCONT)
        before = counters(child)
        while counters(child)[0] == before[0]:
            pass


def test_a_running_target_is_written_without_being_stopped() -> None:
    with counting(1) as (child, address):
        with pydbgwrite.attach(child.pid, suspend=False) as session:
            assert "t" not in states(child.pid)
            assert session.write_pointers(address + 8, [7] * 7) == 7
            assert counters(child)[1:] == [7] * 7
        assert counters(child)[1:] == [7] * 7


def test_another_program_under_the_same_pid_is_never_written() -> None:
    program = (
        "import os, sys, ctypes\n"
        "word = ctypes.c_uint64()\n"
        "print(ctypes.addressof(word), flush=True)\n"
        "sys.stdin.readline()\n"
        "os.execv(sys.executable, [sys.executable, '-c', "
        "'import sys; print(0, flush=True); sys.stdin.readline()'])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        address = int(child.stdout.readline())
        with pydbgwrite.attach(child.pid, suspend=False) as session:
            session.write_pointers(address, [1])
            child.stdin.write("\n")
            child.stdin.flush()
            assert child.stdout.readline() == "0\n"  # the process now runs the other program
            with pytest.raises(pydbgwrite.NoTargetError):
                session.write_pointers(address, [2])
        child.kill()


def test_the_target_goes_on_when_its_owner_is_killed() -> None:
    owner = (
        "import pydbgwrite, sys, time\n"
        "session = pydbgwrite.attach(int(sys.argv[1]))\n"
        "print('held', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    with counting(3) as (child, _):
        with subprocess.Popen(
            [sys.executable, "-c", owner, str(child.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as script:
            assert script.stdout is not None
            assert script.stdout.readline() == "held\n"
            assert states(child.pid) == {"t"}
            script.kill()
        before = counters(child)
        while counters(child)[0] == before[0]:
            pass


def test_a_vfork_parent_runs_into_the_timeout_and_is_let_go() -> None:
    # The thread that called vfork(2) sleeps in the kernel until its child execs or ends.
    program = (
        "import ctypes, os, sys, threading\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def spawn():\n"
        "    if libc.vfork() == 0:\n"
        "        libc.pause()\n"
        "threading.Thread(target=spawn, daemon=True).start()\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "os._exit(3)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        while "D" not in states(child.pid):
            pass  # the thread is not in vfork() yet
        started = time.monotonic()
        with pytest.raises(TimeoutError, match="uninterruptible sleep"):
            pydbgwrite.attach(child.pid, timeout=0.2)
        assert time.monotonic() - started < 5  # a bound, not a measurement
        assert "t" not in states(child.pid)
        spawned = [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and _parent(int(entry.name)) == child.pid
        ]
        for each in spawned:
            os.kill(each, signal.SIGKILL)
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.wait(timeout=5) == 3


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ProcessLookupError):
        return None


def test_death_in_the_middle_of_writes_is_an_honest_error() -> None:
    size = 4 << 20  # pointers: 32 MiB
    program = (
        "import mmap, ctypes, sys\n"
        f"memory = mmap.mmap(-1, {size * 8})\n"
        "print(ctypes.addressof(ctypes.c_char.from_buffer(memory)), flush=True)\n"
        "sys.stdin.readline()\n"
    )
    values = memoryview(bytes(range(256)) * (size * 8 // 256))
    for suspend in (True, False):
        with subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            address = int(child.stdout.readline())
            with pydbgwrite.attach(child.pid, suspend=suspend) as session:
                killer = threading.Timer(0.05, child.kill)
                killer.start()
                with pytest.raises(
                    (pydbgwrite.NoTargetError, pydbgwrite.TargetAccessError)
                ) as caught:
                    while True:
                        assert session.write_pointers(address, values) == size
                killer.join()
            written = caught.value.written
            assert written is None or 0 <= written <= size
            assert child.wait(timeout=5) == -9


# Traces a process, and has enough memory that its own end takes a while.
TRACER = """
import ctypes, mmap, sys
memory = mmap.mmap(-1, int(sys.argv[2]), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x8000)
libc = ctypes.CDLL(None, use_errno=True)
pid, zero = ctypes.c_long(int(sys.argv[1])), ctypes.c_void_p()
assert libc.ptrace(ctypes.c_long(0x4206), pid, zero, zero) == 0, ctypes.get_errno()
print(flush=True)
sys.stdin.read()
"""


@contextmanager
def traced(size: int) -> Iterator[tuple[Child64, subprocess.Popen[bytes]]]:
    """Yield a process, and another process that traces it."""
    with (
        Child64(anyone=True) as child,
        subprocess.Popen(
            [sys.executable, "-I", "-c", TRACER, str(child.pid), str(size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as tracer,
    ):
        assert tracer.stdout is not None
        assert tracer.stdout.readline() == b"\n"
        try:
            yield child, tracer
        finally:
            tracer.kill()


def test_a_tracer_that_is_dying_is_waited_for() -> None:
    with traced(256 << 20) as (child, tracer):
        tracer.kill()  # not waited for: the kernel still frees its memory
        with pydbgwrite.attach(child.pid) as session:
            session.write_pointers(child.areas["rw"], [1, 2, 3])
        assert list(child.read(child.areas["rw"], 24)[::8]) == [1, 2, 3]


def test_a_tracer_that_lives_is_named() -> None:
    with traced(4096) as (child, tracer):
        said = f"process {tracer.pid} traces it already"
        with pytest.raises(pydbgwrite.TargetAccessError, match=said):
            pydbgwrite.attach(child.pid, timeout=float("inf"))
        tracer.send_signal(signal.SIGSTOP)
        with pytest.raises(pydbgwrite.TargetAccessError, match=said):
            pydbgwrite.attach(child.pid, timeout=0)


def test_a_tracer_is_named_on_a_busy_processor_too() -> None:
    """Its tracer runs seldom there, and must not be taken for one that hangs."""
    allowed = os.sched_getaffinity(0)
    with traced(4096) as (child, tracer):
        os.sched_setaffinity(0, {min(allowed)})
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
        try:
            for _ in range(5):
                said = f"process {tracer.pid} traces it already"
                with pytest.raises(pydbgwrite.TargetAccessError, match=said):
                    pydbgwrite.attach(child.pid, timeout=0)
        finally:
            os.sched_setaffinity(0, allowed)
            for process in busy:
                process.kill()
                process.wait()


def test_a_session_that_is_open_here_is_named() -> None:
    said = "a session of this Python, this very process, has it open"
    with (
        Child64(anyone=True) as child,
        pydbgwrite.attach(child.pid),
        pytest.raises(pydbgwrite.TargetAccessError, match=said),
    ):
        pydbgwrite.attach(child.pid)


def test_a_script_that_was_killed_holds_nobody_up() -> None:
    """The script's tracer, a separate process, ends a moment after the script."""
    script = "import pydbgwrite, sys; s = pydbgwrite.attach(int(sys.argv[1])); print(flush=True); "
    with Child64(anyone=True) as child:
        for _ in range(10):
            with subprocess.Popen(
                [sys.executable, "-P", "-c", script + "sys.stdin.read()", str(child.pid)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            ) as killed:
                assert killed.stdout is not None
                assert killed.stdout.readline() == b"\n"
                killed.kill()
                pydbgwrite.attach(child.pid).close()


def test_the_id_of_a_thread_is_refused() -> None:
    """The message says which process is meant."""
    stays = threading.Event()
    thread = threading.Thread(target=stays.wait)
    thread.start()
    try:
        with pytest.raises(pydbgwrite.NoTargetError) as caught:
            pydbgwrite.attach(thread.native_id or 0)
    finally:
        stays.set()
        thread.join()
    said = str(caught.value)
    assert f"{thread.native_id} is the id of a thread, not of a process" in said
    assert f"its process is {os.getpid()}" in said
