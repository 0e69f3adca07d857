"""attach_kernel() with a kernel that answers (tests/support/kernel_stub.py), and a silent one.

Each session is in a separate program: an abandoned opening leaves its engine waiting.
"""

from __future__ import annotations

import json
import struct
from typing import Any

from support import dbgeng, kernel_stub
from support.dbgeng import OWN, needs_engine, target
from support.kernel_stub import PAGE, PHYSICAL

pytestmark = needs_engine

PLACE = 0xFFFFF80001000000
COUNT = 64  # the count sent before the time of a transfer is known

# Runs statements with a session `kernel`; prints the values that they put into `said`.
_CLIENT = """
import json, sys, pydbgwrite
from array import array
PLACE, COUNT = int(sys.argv[2]), int(sys.argv[3])
said = {}
def failure(call):
    try:
        call()
    except pydbgwrite.DebugEngineError as error:
        return [type(error).__name__, error.written, error.index, error.address, error.method]
with pydbgwrite.attach_kernel(sys.argv[1], timeout=60) as kernel:
    said["session"] = [kernel.target, kernel.pid, kernel.pointer_size]
"""


def run(stub: kernel_stub.KernelStub, *statements: str, behind: str = "") -> dict[str, Any]:
    """Run a program that attaches to the stub, carries out the statements and resumes the stub."""
    stub.map(PLACE, bytes(2 * PAGE))
    code = _CLIENT + "".join(f"    {each}\n" for each in statements)
    done = dbgeng.run(
        f"{code}{behind}\nprint(json.dumps(said))", stub.options, str(PLACE), str(COUNT)
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["session"] == ["kernel", None, 8]
    return found


def test_pointers_are_written_one_exchange_each() -> None:
    with kernel_stub.kernel() as stub:
        said = run(
            stub,
            "said['written'] = kernel.write_pointers(PLACE + 3, [1 << 63, 2, 3])",
            "said['read'] = list(kernel.read_pointers(PLACE + 3, 3))",
        )
        assert said["written"] == 3
        assert said["read"] == [1 << 63, 2, 3]
        assert stub.held(PLACE, 32) == bytes(3) + struct.pack("<3Q", 1 << 63, 2, 3) + bytes(5)
        assert stub.writes == [(PLACE + 3 + 8 * each, 8) for each in range(3)]
        assert stub.continued.is_set()  # the end of the session has resumed it


def test_bulk_takes_one_exchange() -> None:
    with kernel_stub.kernel() as stub:
        said = run(
            stub,
            "values = array('Q', range(1 << 40, (1 << 40) + COUNT))",
            "said['written'] = kernel.write_pointers(PLACE, values, via='WriteVirtual')",
            "said['same'] = kernel.read_pointers(PLACE, COUNT, via='ReadVirtual') == values",
        )
        assert said == {"session": said["session"], "written": COUNT, "same": True}
        wanted = struct.pack(f"<{COUNT}Q", *range(1 << 40, (1 << 40) + COUNT))
        assert stub.held(PLACE, len(wanted)) == wanted
        assert stub.writes == [(PLACE, 8 * COUNT)]


def test_the_end_of_its_memory() -> None:
    with kernel_stub.kernel() as stub:
        said = run(
            stub,
            "end = PLACE + 8192",
            "said['direct'] = failure(lambda: kernel.write_pointers(end - 16, [1, 2, 3]))",
            "said['bulk'] = failure(",
            "    lambda: kernel.write_pointers(end - 20, [4, 5, 6], via='WriteVirtual'))",
            "into = array('Q', [7] * 4)",
            "said['read'] = failure(lambda: kernel.read_pointers(end - 20, into=into))",
            "said['into'] = list(into)",
        )
        end = PLACE + 2 * PAGE
        assert said["direct"] == ["TargetAccessError", 2, 2, end - 16, "WritePointersVirtual"]
        assert said["bulk"][:4] == ["TargetAccessError", 2, 2, end - 20]
        assert said["read"][:4] == ["TargetAccessError", 0, 2, end - 20]
        assert said["into"] == [4, 5, 7, 7]
        # The pointer across the end keeps its bytes.
        assert stub.held(end - 20, 20) == struct.pack("<2Q", 4, 5) + bytes(4)


def test_physical_memory() -> None:
    with kernel_stub.kernel() as stub:
        said = run(
            stub,
            f"place = {PHYSICAL}",
            "said['written'] = kernel.data_spaces.write_physical(place, b'physical')",
            "said['read'] = kernel.data_spaces.read_physical(place, 8).decode()",
            "said['none'] = failure(lambda: kernel.data_spaces.write_physical(place + 4096, b'x'))",
            "said['regions'] = failure(kernel.regions)",
            "said['imports'] = len(kernel.import_slots())",
        )
        assert (said["written"], said["read"]) == (8, "physical")
        assert said["none"][0] == "TargetAccessError"
        assert said["regions"][4] == "QueryVirtual"  # a kernel has no map
        assert said["imports"] == 0
        assert stub.held(PHYSICAL, 10) == b"physical\0\0"


def test_what_comes_behind_it() -> None:
    """The engine can open other targets in the same process afterwards."""
    behind = """
with pydbgwrite.attach({pid}) as session:
    said["then"] = [session.target, session.write_pointers({base}, [5, 6])]
"""
    with kernel_stub.kernel() as stub, target() as child:
        said = run(stub, "pass", behind=behind.format(pid=child.pid, base=child.base))
        assert said["then"] == ["process", 2]
        assert child.held()[:3] == [5, 6, 0]


def test_exit_with_an_open_session() -> None:
    code = """
import sys, pydbgwrite
kernel = pydbgwrite.attach_kernel(sys.argv[1], timeout=60)
kernel.write_pointers(int(sys.argv[2]), [9])
"""
    with kernel_stub.kernel() as stub:
        stub.map(PLACE, bytes(PAGE))
        done = dbgeng.run(code, stub.options, str(PLACE))
        assert done.returncode == 0, done.stderr
        assert stub.held(PLACE, 8) == struct.pack("<Q", 9)
        assert stub.continued.wait(30)


def test_a_session_that_is_read_only() -> None:
    code = """
import sys, pydbgwrite
with pydbgwrite.attach_kernel(sys.argv[1], writable=False, timeout=60) as kernel:
    try:
        kernel.write_pointers(int(sys.argv[2]), [9])
    except pydbgwrite.ReadOnlyError:
        print(list(kernel.read_pointers(int(sys.argv[2]), 1)))
"""
    with kernel_stub.kernel() as stub:
        stub.map(PLACE, bytes(PAGE))
        done = dbgeng.run(code, stub.options, str(PLACE))
        assert (done.stdout.strip(), stub.writes) == ("[0]", []), done


def test_nobody_answers() -> None:
    code = """
import _thread, socket, sys, threading, time, pydbgwrite
how = sys.argv[1]
silent = socket.socket()
silent.bind(("127.0.0.1", 0))
silent.listen()
options = f"com:ipport={silent.getsockname()[1]},port=127.0.0.1"
accepted = []
def interrupt():
    accepted.append(silent.accept())
    _thread.interrupt_main()
if how == "interrupt":
    threading.Thread(target=interrupt, daemon=True).start()
started = time.monotonic()
try:
    pydbgwrite.attach_kernel(options, timeout=0.5 if how == "timeout" else 60)
except (TimeoutError, KeyboardInterrupt) as error:
    print(type(error).__name__, "start a new process" in str(error), time.monotonic() - started < 5)
for call in (
    lambda: pydbgwrite.attach(int(sys.argv[2])),
    lambda: pydbgwrite.connect("tcp:server=127.0.0.1,port=1"),
    lambda: pydbgwrite.process_server("tcp:server=127.0.0.1,port=1"),
    lambda: pydbgwrite.attach_kernel(options),
):
    try:
        call()
    except pydbgwrite.DebugEngineError as error:
        print("start a new process" in str(error))
pydbgwrite.simulate([(0, 4096)]).close()
"""
    with target() as child:
        for how, name in (
            ("timeout", "TimeoutError True True"),
            ("interrupt", "KeyboardInterrupt False True"),
        ):
            done = dbgeng.run(code, how, str(child.pid))
            assert done.stdout.split("\n")[:5] == [name, *["True"] * 4], done
            assert done.returncode == 0


def test_options_that_mean_nothing() -> None:
    code = """
import sys, pydbgwrite
for wrong in ("nonsense:nothing=1", "localhost", "net:port=50000"):
    try:
        pydbgwrite.attach_kernel(wrong)
    except pydbgwrite.DebugEngineError as error:
        print(error.method, "A kernel is given as net:port=PORT,key=KEY" in str(error))
with pydbgwrite.attach(int(sys.argv[1])) as session:
    print(session.pointer_size)
"""
    with target() as child:
        done = dbgeng.run(code, str(child.pid))
        assert done.stdout.split("\n") == [*["AttachKernelWide True"] * 3, str(OWN), ""], done
