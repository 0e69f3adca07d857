"""Other processes' engines: connect(), serve() and process servers; and their timeouts."""

from __future__ import annotations

import _thread
import contextlib
import socket
import subprocess
import threading
import time
from array import array
from collections.abc import Callable, Iterator

import pytest
from support import dbgeng
from support.dbgeng import (
    MARK,
    OWN,
    free_port,
    needs_32_bit,
    needs_engine,
    process_server,
    server,
    target,
)

import pydbgwrite

pytestmark = needs_engine


@contextlib.contextmanager
def silence() -> Iterator[tuple[socket.socket, int]]:
    """Yield a port that accepts connections and never sends anything."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener, listener.getsockname()[1]


#: Attaches through a process server, behind a separate port that later passes on nothing more.
FALLING_SILENT = """
import socket, sys, threading, pydbgwrite
silent = threading.Event()

def pass_on(source, to):
    while data := source.recv(65536):
        if not silent.is_set():
            to.sendall(data)

listener = socket.create_server(("127.0.0.1", 0))

def accept():
    while True:
        near = listener.accept()[0]
        far = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        for pair in ((near, far), (far, near)):
            threading.Thread(target=pass_on, args=pair, daemon=True).start()

threading.Thread(target=accept, daemon=True).start()
options = f"tcp:server=127.0.0.1,port={listener.getsockname()[1]}"
with pydbgwrite.process_server(options) as machine:
    machine.attach(int(sys.argv[2])).close()
    print("attached")
    silent.set()
    try:
        machine.attach(int(sys.argv[2]), timeout=0.5)
    except TimeoutError:
        print("attach: timeout")
    try:
        machine.launch([sys.executable], timeout=0.5)
    except pydbgwrite.SessionBusyError:
        print("launch: busy")
"""


def ending(process: subprocess.Popen[str]) -> Callable[[int, int], None]:
    """Return a function for progress= that ends a program in the middle of a write."""

    def kill(done: int, total: int) -> None:
        process.kill()
        process.wait(30)

    return kill


def dying(server: subprocess.Popen[str]) -> Callable[[int, int], None]:
    """Return a function for progress= that ends a server in the middle of a write.

    Another program runs and ends first: then the server surely waits for the next request. If the
    server is killed within the call that has sent the last answer, Wine 8 keeps its socket open for
    good, and the client waits for ever.
    """

    def kill(done: int, total: int) -> None:
        dbgeng.run("pass")
        ending(server)(done, total)

    return kill


VALUES = array("Q", (MARK + index for index in range(1000)))


class TestConnect:
    """A session of another process, over the protocol of its engine."""

    def test_write_and_leave(self) -> None:
        with target() as child:
            with server(child.pid) as (process, options):
                with pydbgwrite.connect(options) as session:
                    assert (session.target, session.pid) == ("remote", child.pid)
                    assert session.pointer_size == OWN
                    assert session.write_pointers(child.base, VALUES) == len(VALUES)
                    assert session.read_pointers(child.base, len(VALUES)) == VALUES
                    assert "python.exe" in {each.name.lower() for each in session.modules()}
                    with pytest.raises(pydbgwrite.TargetAccessError) as caught:
                        session.write_pointers(child.end - 2 * OWN, [1, 2, 3, 4])
                    assert caught.value.written == 2
                with pydbgwrite.connect(options) as again:  # the server continues
                    assert again.read_pointers(child.base, 3) == VALUES[:3]
                assert process.poll() is None
            assert process.returncode == 0
            assert child.held()[:3] == list(VALUES[:3])

    def test_no_transaction_beside_a_server(self) -> None:
        with target() as child, pydbgwrite.attach(child.pid) as session:
            asked = []

            def stop() -> bool:
                with pytest.raises(pydbgwrite.SessionBusyError, match="serves clients") as caught:
                    session.transaction().__enter__()
                asked.append(caught.value)
                return True

            session.serve(f"tcp:port={free_port()},password=x", stop=stop)
            assert len(asked) == 1
            with session.transaction() as t:
                with pytest.raises(pydbgwrite.SessionBusyError, match="record the writes of"):
                    session.serve(f"tcp:port={free_port()},password=x", stop=stop)
                session.write_pointers(child.base, VALUES)
                assert t.undo().complete

    def test_several_at_once_and_a_local_one(self) -> None:
        with target() as child, target() as other, server(child.pid) as (_process, options):
            with (
                pydbgwrite.connect(options) as one,
                pydbgwrite.connect(options) as two,
                pydbgwrite.attach(other.pid) as local,
            ):
                one.write_pointers(child.base, [1])
                two.write_pointers(child.base + OWN, [2])
                local.write_pointers(other.base, [3])
                assert list(two.read_pointers(child.base, 2)) == [1, 2]
                assert list(local.read_pointers(other.base, 2)) == [3, 0]
            assert other.held()[:2] == [3, 0]

    def test_a_server_that_dies_during_a_write(self) -> None:
        with target() as child:
            with server(child.pid) as (process, options):
                session = pydbgwrite.connect(options)

                with pytest.raises(pydbgwrite.NoTargetError, match="no longer answers") as caught:
                    session.write_pointers(child.base, VALUES, progress=dying(process))
                assert caught.value.written is None
                session.close()
                assert session.closed
            child.process.kill()  # the killed server leaves its target suspended

    def test_a_target_that_ends_during_a_write(self) -> None:
        with target() as child, server(child.pid) as (process, options):
            with pydbgwrite.connect(options) as session:
                with pytest.raises(pydbgwrite.NoTargetError, match="target has ended") as caught:
                    session.write_pointers(child.base, VALUES, progress=ending(child.process))
                assert caught.value.written is None
                with pytest.raises(pydbgwrite.NoTargetError, match="target has ended"):
                    session.read(child.base, 8)
            assert process.poll() is None  # the server still runs

    def test_nothing_behind_it(self) -> None:
        with pytest.raises(pydbgwrite.NoTargetError, match="WSAECONNREFUSED"):
            pydbgwrite.connect(f"tcp:server=127.0.0.1,port={free_port()}")

    @pytest.mark.parametrize("call", [pydbgwrite.connect, pydbgwrite.process_server])
    def test_a_wrong_string_is_answered_with_a_right_one(self, call: Callable[..., object]) -> None:
        form = r"A server is given as tcp:server=HOST,port=PORT or npipe:server=HOST,pipe=NAME"
        for wrong in ("nonsense", "localhost:5005", "tcp://localhost:5005", "tcp:server=localhost"):
            with pytest.raises(pydbgwrite.NoTargetError, match=form):
                call(wrong)
        for empty in ("", " ", "tcp:\0"):
            with pytest.raises(ValueError, match=f"connection string, .* {form}"):
                call(empty)

    @pytest.mark.parametrize("call", [pydbgwrite.connect, pydbgwrite.process_server])
    def test_one_who_never_answers(self, call: Callable[..., object]) -> None:
        with silence() as (_silent, port):
            started = time.monotonic()
            with pytest.raises(TimeoutError, match="in time"):
                call(f"tcp:server=127.0.0.1,port={port}", timeout=0.3)
            assert time.monotonic() - started < 5
        with target() as child, pydbgwrite.attach(child.pid) as session:
            session.write_pointers(child.base, [1])

    @pytest.mark.parametrize("call", [pydbgwrite.connect, pydbgwrite.process_server])
    def test_an_interrupt_ends_the_wait(self, call: Callable[..., object]) -> None:
        with silence() as (silent, port):
            accepted: list[socket.socket] = []

            def interrupt() -> None:
                accepted.append(silent.accept()[0])
                _thread.interrupt_main()

            thread = threading.Thread(target=interrupt)
            thread.start()
            with pytest.raises(KeyboardInterrupt):
                call(f"tcp:server=127.0.0.1,port={port}", timeout=60)
            thread.join()
            accepted[0].close()

    @needs_32_bit
    def test_a_32_bit_target(self) -> None:
        assert dbgeng.PYTHON32 is not None
        with target(dbgeng.PYTHON32) as child:
            with server(child.pid) as (_process, options), pydbgwrite.connect(options) as session:
                assert session.pointer_size == 4
                session.write_pointers(child.base, [1, 2, 3])
            assert child.held()[:4] == [1, 2, 3, 0]

    def test_an_open_connection_at_exit(self) -> None:
        code = "import sys, pydbgwrite; session = pydbgwrite.connect(sys.argv[1])"
        with target() as child:
            with server(child.pid) as (_process, options):
                done = dbgeng.run(code, options)
                assert done.returncode == 0, done.stderr
                with pydbgwrite.connect(options) as session:
                    session.write_pointers(child.base, [1])
            assert child.runs()


class TestServe:
    """Session.serve()."""

    @pytest.mark.parametrize(
        "options", ["tcp:port=1", "TCP:port=1", " tcp:port=1,password=", "ssl:proto=tls1,port=1"]
    )
    def test_a_password_is_needed(self, options: str) -> None:
        with (
            target() as child,
            pydbgwrite.attach(child.pid) as session,
            pytest.raises(ValueError, match="password"),
        ):
            session.serve(options)

    def test_stop_and_close(self) -> None:
        with target() as child:
            with pydbgwrite.attach(child.pid) as session:
                asked: list[int] = []

                def enough() -> bool:
                    asked.append(1)
                    return len(asked) > 2

                session.serve(
                    f"tcp:port={free_port()},password=secret",
                    stop=enough,
                )
                assert len(asked) == 3
                session.write_pointers(child.base, [1])
                session.serve(f"tcp:port={free_port()},password=x", stop=session.close)
                assert session.closed
            assert child.held()[0] == 1

    @pytest.mark.parametrize("closes", [False, True])
    def test_nobody_is_let_in_afterwards(self, closes: bool) -> None:
        with target() as child:
            with pydbgwrite.attach(child.pid) as session:
                port = free_port()
                stop = session.close if closes else lambda: True
                session.serve(f"tcp:port={port}", insecure=True, stop=stop)
                done = dbgeng.run(
                    "import sys, pydbgwrite; pydbgwrite.connect(sys.argv[1], timeout=3)",
                    f"tcp:server=127.0.0.1,port={port}",
                )
                assert "NoTargetError" in done.stderr or "TimeoutError" in done.stderr, done
            assert child.runs()

    def test_an_interrupt_ends_it(self) -> None:
        with target() as child, pydbgwrite.attach(child.pid) as session:
            with pytest.raises(KeyboardInterrupt):
                session.serve(
                    f"tcp:port={free_port()},password=secret", stop=_thread.interrupt_main
                )
            session.write_pointers(child.base, [1])

    def test_options_that_mean_nothing(self) -> None:
        with (
            target() as child,
            pydbgwrite.attach(child.pid) as session,
            pytest.raises(pydbgwrite.DebugEngineError, match="StartServerWide"),
        ):
            session.serve("nonsense")
        with (
            pydbgwrite.simulate([(0, 4096)]) as session,
            pytest.raises(pydbgwrite.DebugEngineError, match="E_NOTIMPL"),
        ):
            session.serve("npipe:pipe=x")


class TestProcessServer:
    """The engine's process server: the engine is on the client's side."""

    def test_attach(self) -> None:
        with target() as child:
            with (
                process_server() as (_process, options),
                pydbgwrite.process_server(options) as machine,
            ):
                with machine.attach(child.pid) as session:
                    assert (session.target, session.pid) == ("process", child.pid)
                    assert session.pointer_size == OWN
                    session.write_pointers(child.base, VALUES[:100])
                    assert session.read_pointers(child.base, 100) == VALUES[:100]
                    with pytest.raises(pydbgwrite.SessionBusyError):
                        machine.close()
                assert not machine.closed
                with machine.attach(child.pid, suspend=False) as session:
                    session.write_pointers(child.base, [1])
                with pytest.raises(pydbgwrite.DebugEngineError):
                    machine.attach(0xFFFFFFF0)
            assert machine.closed
            machine.close()  # nothing is left to close
            with pytest.raises(pydbgwrite.SessionClosedError):
                machine.attach(child.pid)
            assert child.held()[:2] == [1, VALUES[1]]

    def test_a_server_that_falls_silent(self) -> None:
        """The wait for the server ends in time; so does the script, whose engine still waits."""
        with target() as child, process_server() as (_process, options):
            done = dbgeng.run(FALLING_SILENT, options.rpartition("=")[2], str(child.pid))
            assert done.returncode == 0, done.stderr
            assert done.stdout.split() == ["attached", "attach:", "timeout", "launch:", "busy"]
            assert child.runs()

    def test_a_target_that_ends_during_a_write(self) -> None:
        with (
            process_server() as (_process, options),
            pydbgwrite.process_server(options) as machine,
        ):
            with target() as child, machine.attach(child.pid) as session:
                with pytest.raises(pydbgwrite.NoTargetError, match="target has ended") as caught:
                    session.write_pointers(child.base, VALUES, progress=ending(child.process))
                assert caught.value.written is None
                session.detach()  # while the target has ended
            with target() as other, machine.attach(other.pid) as session:
                session.write_pointers(other.base, [1])
                ending(other.process)(0, 0)
                session.terminate()

    @pytest.mark.parametrize("way", ["detach", "terminate", "close"])
    def test_a_server_that_dies_during_a_write(self, way: str) -> None:
        with target() as child:
            with process_server() as (process, options):
                machine = pydbgwrite.process_server(options)
                session = machine.attach(child.pid)
                with pytest.raises(pydbgwrite.NoTargetError, match="no longer answers") as caught:
                    session.write_pointers(child.base, VALUES, progress=dying(process))
                assert caught.value.written is None
                with pytest.raises(pydbgwrite.NoTargetError, match="no longer answers"):
                    session.write(child.base, b"x" * 100)
                with pytest.raises(pydbgwrite.NoTargetError, match="no longer answers"):
                    session.query(child.base)
                getattr(session, way)()
                assert session.closed
                with pytest.raises(pydbgwrite.NoTargetError, match="no longer answers"):
                    machine.attach(child.pid)
                with pytest.raises(pydbgwrite.NoTargetError, match="no longer answers"):
                    machine.launch(["anything"])
                machine.close()
            with target() as other, pydbgwrite.attach(other.pid) as local:  # this side still works
                local.write_pointers(other.base, [1])
            child.process.kill()  # its killed debugger leaves it suspended

    def test_launch(self) -> None:
        import sys

        with (
            process_server() as (_process, options),
            pydbgwrite.process_server(options) as machine,
        ):
            session = machine.launch([sys.executable, "-c", "pass"])
            assert session.pid is not None
            assert session.read(session.modules()[-1].base, 2) == b"MZ"
            session.terminate()

    def test_this_very_process(self) -> None:
        """The server is on the same machine: the process would suspend itself for good."""
        code = """
import os, sys, pydbgwrite
with pydbgwrite.process_server(sys.argv[1]) as machine:
    for invasive in (False, True):
        try:
            machine.attach(os.getpid(), invasive=invasive)
        except ValueError as error:
            print("this very process" in str(error))
"""
        with process_server() as (_process, options):
            done = dbgeng.run(code, options)
            assert done.stdout.split() == ["True", "True"], done

    @needs_32_bit
    def test_a_32_bit_target(self) -> None:
        assert dbgeng.PYTHON32 is not None
        with target(dbgeng.PYTHON32) as child:
            with (
                process_server() as (_process, options),
                pydbgwrite.process_server(options) as machine,
                machine.attach(child.pid) as session,
            ):
                assert session.pointer_size == 4
                session.write_pointers(child.base, [1, 2, 3])
            assert child.held()[:4] == [1, 2, 3, 0]
