"""Processes with Microsoft's engine: attach and launch, pointer width, and how sessions end."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
from array import array
from pathlib import Path
from typing import Any

import pytest
from support import dbgeng
from support.dbgeng import (
    LANE,
    MARK,
    NARROW,
    OWN,
    make_writable,
    needs_32_bit,
    needs_64_bit,
    needs_engine,
    target,
)
from support.system_memory import system_memory

import pydbgwrite

pytestmark = needs_engine
VALUES = array("Q", (MARK + index for index in range(1000)))
SYNCHRONIZE = 0x00100000


def wait_for_process(handle: int) -> None:
    """Wait for a process to end, by a handle."""
    assert ctypes.windll.kernel32.WaitForSingleObject(handle, 30_000) == 0  # type: ignore[attr-defined,unused-ignore]
    ctypes.windll.kernel32.CloseHandle(handle)  # type: ignore[attr-defined,unused-ignore]


@pytest.mark.parametrize(
    "how", [{}, {"suspend": False}, {"invasive": True}], ids=["suspended", "running", "invasive"]
)
def test_attach_writes_and_lets_go(how: dict[str, Any]) -> None:
    with target() as child:
        with pydbgwrite.attach(child.pid, **how) as session:
            assert (session.pid, session.target, session.pointer_size) == (
                child.pid,
                "process",
                OWN,
            )
            assert session.write_pointers(child.base, VALUES) == len(VALUES)
            assert session.read_pointers(child.base, len(VALUES)) == VALUES
        assert child.held()[: len(VALUES)] == list(VALUES)


def test_a_running_process_goes_on_during_the_session() -> None:
    with target() as child, pydbgwrite.attach(child.pid, suspend=False) as session:
        session.write_pointers(child.base, [1, 2, 3])
        assert child.held()[:4] == [1, 2, 3, 0]


def test_the_engine_says_what_it_is() -> None:
    with target() as child, pydbgwrite.attach(child.pid) as session:
        engine = session.engine
    assert engine.name == "dbgeng"
    assert engine.file.lower() == f"{engine.folder}\\dbgeng.dll".lower()
    assert engine.version.split(".")[0] in ("6", "10")
    assert engine.version in str(engine) and engine.file in str(engine)


def test_one_after_the_other_in_one_process() -> None:
    for _ in range(3):
        with target() as child:
            with pydbgwrite.attach(child.pid) as session:
                session.write_pointers(child.base, [7])
            assert child.held()[0] == 7


def test_a_second_session_is_refused_before_anything_happens() -> None:
    with target() as child, target() as other:
        with pydbgwrite.attach(child.pid) as session:
            with pytest.raises(pydbgwrite.SessionBusyError, match="one at a time"):
                pydbgwrite.attach(other.pid)
            assert other.runs()
            assert session.write_pointers(child.base, [1]) == 1
        with pydbgwrite.attach(other.pid) as session:
            assert session.write_pointers(other.base, [2]) == 1
        assert (child.held()[0], other.held()[0]) == (1, 2)


def test_simulated_sessions_stand_beside_it() -> None:
    with target() as child, pydbgwrite.attach(child.pid) as session:
        with pydbgwrite.simulate([(0x10000, 4096)]) as simulated:
            simulated.write_pointers(0x10000, [1])
            session.write_pointers(child.base, simulated.read_pointers(0x10000, 1))
            assert simulated.engine.name == "embedded"
        assert list(session.read_pointers(child.base, 2)) == [1, 0]


def test_a_process_that_there_is_not() -> None:
    with target() as child:
        pid = child.pid
    with pytest.raises(pydbgwrite.NoTargetError, match="no process"):
        pydbgwrite.attach(pid)
    with pytest.raises(pydbgwrite.NoTargetError, match="no process"):
        pydbgwrite.attach(0xFFFFFFF0)
    with pytest.raises(pydbgwrite.NoTargetError, match="no process"):
        pydbgwrite.attach(pid, invasive=True)


def test_arguments_that_mean_nothing() -> None:
    with pytest.raises(ValueError, match="this very process"):
        pydbgwrite.attach(os.getpid())
    with pytest.raises(ValueError, match="suspend=False"):
        pydbgwrite.attach(4, invasive=True, suspend=False)
    with pytest.raises(ValueError, match="pointer_size"):
        pydbgwrite.attach(4, pointer_size=5)
    for name in ("stdin", "stdout", "stderr"):
        with pytest.raises(ValueError, match=name):
            given: dict[str, Any] = {name: sys.stderr}
            pydbgwrite.launch([sys.executable], **given)


def test_a_session_that_is_read_only() -> None:
    with target() as child, pydbgwrite.attach(child.pid, writable=False) as session:
        with pytest.raises(pydbgwrite.ReadOnlyError):
            session.write_pointers(child.base, [1])
        assert list(session.read_pointers(child.base, 1)) == [0]


def test_terminate_ends_the_target() -> None:
    for invasive in (False, True):
        with target() as child:
            session = pydbgwrite.attach(child.pid, invasive=invasive)
            session.terminate()
            assert session.closed
            child.process.wait(30)


def test_modules() -> None:
    with target() as child, pydbgwrite.attach(child.pid) as session:
        modules = session.modules()
        assert [each.base for each in modules] == sorted(each.base for each in modules)
        names = {each.name.lower(): each for each in modules}
        for name in ("python.exe", "ntdll.dll", "kernel32.dll"):
            module = names[name]
            assert module.path.lower().endswith(name)
            assert session.read(module.base, 2) == b"MZ"
            assert module.size >= 4096


@pytest.mark.skipif(LANE and NARROW, reason="Wine 8 ends a 32-bit program that a debugger starts")
def test_launch_stops_before_the_program_runs(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    code = (
        "import os, sys; out = open(sys.argv[1], 'w'); "
        "print(os.getcwd(), os.environ.get('MARK'), sys.argv[2], file=out)"
    )
    session = pydbgwrite.launch(
        [sys.executable, "-c", code, str(out), 'two words, a "quote" and a \\'],
        cwd=str(tmp_path),
        env={**os.environ, "MARK": "a=b c"},
    )
    assert session.pid is not None and session.pointer_size == OWN
    assert not out.exists()
    assert any(each.name.lower() == "python.exe" for each in session.modules())
    handle = ctypes.windll.kernel32.OpenProcess(SYNCHRONIZE, False, session.pid)  # type: ignore[attr-defined,unused-ignore]
    session.close()
    wait_for_process(handle)
    assert out.read_text().split() == [
        str(tmp_path), "a=b", "c", "two", "words,", "a", '"quote"', "and", "a", "\\"
    ]  # fmt: skip


def test_launch_patches_an_image_and_terminates() -> None:
    session = pydbgwrite.launch([sys.executable, "-c", "pass"])
    assert session.pid is not None
    handle = ctypes.windll.kernel32.OpenProcess(SYNCHRONIZE, False, session.pid)  # type: ignore[attr-defined,unused-ignore]
    module = next(each for each in session.modules() if each.name.lower() == "python.exe")
    before = session.read(module.base, 64)
    if not system_memory().writes_read_only:
        with pytest.raises(pydbgwrite.TargetAccessError, match="VirtualProtectEx"):
            session.write(module.base + 2, b"patched!")
        make_writable(session.pid, module.base)
    assert session.write(module.base + 2, b"patched!") == 8
    assert session.read(module.base, 64) == before[:2] + b"patched!" + before[10:]
    session.terminate()
    wait_for_process(handle)


def test_launch_of_what_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        pydbgwrite.launch(["C:\\there is\\no such.exe"])
    with target() as child, pydbgwrite.attach(child.pid):
        pass  # the failed launch has left nothing behind


@needs_32_bit
class TestThirtyTwoBits:
    """A real 32-bit process under a 64-bit engine, which takes it for a 64-bit one."""

    def test_width_is_found_out(self) -> None:
        assert dbgeng.PYTHON32 is not None
        with target(dbgeng.PYTHON32) as child:
            assert child.width == 4
            with pydbgwrite.attach(child.pid) as session:
                assert session.pointer_size == 4
                session.write_pointers(child.base, [1, 0xFFFFFFFF, 0xFFFFFFFF80000000])
                assert list(session.read_pointers(child.base, 4)) == [1, 0xFFFFFFFF, 0x80000000, 0]
                with pytest.raises(pydbgwrite.PointerRangeError) as caught:
                    session.write_pointers(child.base, [5, 1 << 32])
                assert (caught.value.index, caught.value.written) == (1, 0)
                session.write_pointers(child.base + 16, [0x1_0000_0007], truncate=True)
            assert child.held()[:6] == [1, 0xFFFFFFFF, 0x80000000, 0, 7, 0]

    def test_an_override_to_8_is_refused(self) -> None:
        assert dbgeng.PYTHON32 is not None
        with target(dbgeng.PYTHON32) as child:
            with pytest.raises(ValueError, match="32-bit program"):
                pydbgwrite.attach(child.pid, pointer_size=8)
            assert child.runs()

    def test_a_64_bit_process_after_a_32_bit_one(self) -> None:
        assert dbgeng.PYTHON32 is not None
        with target(dbgeng.PYTHON32) as narrow, target() as wide:
            with pydbgwrite.attach(narrow.pid) as session:
                assert session.pointer_size == 4
            with pydbgwrite.attach(wide.pid) as session:
                assert session.pointer_size == 8
                session.write_pointers(wide.base, VALUES[:3])
            assert wide.held()[:4] == [*VALUES[:3], 0]


@needs_64_bit
def test_pointer_size_4_for_a_64_bit_process() -> None:
    with target() as child:
        with pydbgwrite.attach(child.pid, pointer_size=4) as session:
            assert session.pointer_size == 4
            session.write_pointers(child.base, [1, 2, 3])
        assert child.held()[:2] == [1 | 2 << 32, 3]
        with pydbgwrite.attach(child.pid, pointer_size=8) as session:
            assert session.pointer_size == 8


class TestEnds:
    """The target resumes, whichever way a session ends."""

    def test_collected_without_close(self) -> None:
        with target() as child:
            session = pydbgwrite.attach(child.pid)
            session.write_pointers(child.base, [1])
            with pytest.warns(ResourceWarning):
                del session
                gc.collect()
            assert child.runs()
            with pydbgwrite.attach(child.pid) as again:
                assert list(again.read_pointers(child.base, 1)) == [1]

    def test_collected_on_another_thread(self) -> None:
        with target() as child:
            kept = [pydbgwrite.attach(child.pid)]
            with pytest.warns(ResourceWarning):
                thread = threading.Thread(target=kept.clear)
                thread.start()
                thread.join()
                gc.collect()
            assert child.runs()
            with pydbgwrite.attach(child.pid) as again:
                assert again.write_pointers(child.base, [1]) == 1

    def test_owned_by_a_thread_that_ended(self) -> None:
        with target() as child:
            kept: list[pydbgwrite.Session] = []
            thread = threading.Thread(target=lambda: kept.append(pydbgwrite.attach(child.pid)))
            thread.start()
            thread.join()
            with pytest.raises(pydbgwrite.WrongThreadError):
                kept[0].close()
            with pytest.warns(ResourceWarning):
                kept.clear()
                gc.collect()
            assert child.runs()

    @pytest.mark.parametrize("where", ["main", "thread"])
    @pytest.mark.parametrize("invasive", [False, True])
    def test_normal_exit_with_an_open_session(self, where: str, invasive: bool) -> None:
        code = """
import sys, threading, pydbgwrite
def work():
    global session
    session = pydbgwrite.attach(int(sys.argv[1]), invasive=sys.argv[4] == "True")
    session.write_pointers(int(sys.argv[2]), [5])
if sys.argv[3] == "main":
    work()
else:
    thread = threading.Thread(target=work); thread.start(); thread.join()
print("left open")
"""
        with target() as child:
            done = dbgeng.run(code, str(child.pid), str(child.base), where, str(invasive))
            assert (done.returncode, done.stdout.strip()) == (0, "left open"), done.stderr
            assert child.held()[:2] == [5, 0]

    def test_exit_by_an_exception(self) -> None:
        code = """
import sys, pydbgwrite
session = pydbgwrite.attach(int(sys.argv[1]))
raise RuntimeError("of the script's own")
"""
        with target() as child:
            done = dbgeng.run(code, str(child.pid))
            assert done.returncode == 1 and "of the script's own" in done.stderr
            assert child.runs()

    def test_exit_while_another_thread_opens_sessions(self) -> None:
        code = """
import collections, sys, threading, warnings, pydbgwrite
from pydbgwrite._opening.dbgeng import _end_sessions, _kept
warnings.simplefilter("ignore")
session = pydbgwrite.attach(int(sys.argv[1]))
opened, many = collections.deque(maxlen=5000), threading.Event()
def open_more():
    while True:  # simulated ones: there is one of the engine at a time
        opened.append(_kept(pydbgwrite.simulate([(0, 8)])))
        if len(opened) == 5000:
            many.set()
threading.Thread(target=open_more, daemon=True).start()
many.wait()
sys.setswitchinterval(1e-6)
for turn in range(50):
    _end_sessions()
"""
        with target() as child:
            done = dbgeng.run(code, str(child.pid))
            assert (done.returncode, done.stderr) == (0, "")
            assert child.runs()

    @pytest.mark.parametrize("how", [{}, {"suspend": False}, {"invasive": True}])
    def test_detach_from_a_target_that_is_gone(self, how: dict[str, Any]) -> None:
        with target() as child:
            session = pydbgwrite.attach(child.pid, **how)
            child.process.kill()
            child.process.wait(30)
            with pytest.raises(pydbgwrite.NoTargetError, match="ended") as caught:
                session.write_pointers(child.base, VALUES)
            assert caught.value.written is None
            with pytest.raises(pydbgwrite.NoTargetError):
                session.read_pointers(child.base, 4)
            session.detach()
            assert session.closed
        with target() as child, pydbgwrite.attach(child.pid) as session:
            session.write_pointers(child.base, [1])

    def test_target_exits_during_a_write(self) -> None:
        with target() as child, pydbgwrite.attach(child.pid) as session:

            def kill(done: int, total: int) -> None:
                if child.process.poll() is None:
                    child.process.kill()
                    child.process.wait(30)

            with pytest.raises(pydbgwrite.NoTargetError, match="ended") as caught:
                session.write_pointers(child.base, VALUES, progress=kill)
            assert caught.value.written is None
