"""An older engine, 6.3.9600, takes a 64-bit process for one with 32-bit pointers.

So a session takes the width of pointers from the process itself, whatever an engine reports.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support import dbgeng
from support.dbgeng import target

import pydbgwrite

SUPPORT = Path(dbgeng.__file__).parent
OLDER = os.environ.get("PYDBGWRITE_DBGENG_OLDER")

pytestmark = pytest.mark.skipif(OLDER is None, reason="no older engine (PYDBGWRITE_DBGENG_OLDER)")

# A process has one engine, so the script runs in a new one.
SCRIPT = """
import sys, pydbgwrite
pid, base = int(sys.argv[1]), int(sys.argv[2])
invasive, suspend = (each == "True" for each in sys.argv[4:])
values = [1, 2**40 + 2, 2**63 + 3]
with pydbgwrite.attach(pid, engine=sys.argv[3], invasive=invasive, suspend=suspend) as session:
    print(session.engine.version.startswith("6.3.9600"), session.pointer_size)
    print(session.data_spaces.is_pointer_64bit())
    print(session.write_pointers(base, values, verify=True))
    print(session.write_pointers(base + 24, values, via="WriteVirtual", verify=True))
    print(session.write_scattered([base + 48, base + 64], values[1:], verify=True))
    print(list(session.read_pointers(base, 3)) == values)
    with session.transaction():
        session.write_pointers(base + 72, [5])
"""


@pytest.mark.parametrize(
    ("invasive", "suspend"), [(False, True), (False, False), (True, True)], ids=str
)
def test_a_64_bit_process_has_64_bit_pointers(invasive: bool, suspend: bool) -> None:
    with target() as child:
        assert child.width == 8
        assert OLDER is not None
        before = child.held()
        done = dbgeng.run(
            SCRIPT, str(child.pid), str(child.base), OLDER, str(invasive), str(suspend)
        )
        assert done.stdout.split() == ["True", "8", "True", "3", "3", "2", "True"], done
        values = [1, 2**40 + 2, 2**63 + 3]
        held = child.held()
        assert held[:6] == values * 2
        assert (held[6], held[7], held[8], held[9]) == (values[1], before[7], values[2], 5)
        assert held[10:] == before[10:]


# Prints the address of the TEB of its first thread, and then waits in the system.
WAITING = """
import ctypes, sys
basic = (ctypes.c_uint64 * 6)()
thread = ctypes.c_void_p(-2)
assert ctypes.windll.ntdll.NtQueryInformationThread(thread, 0, basic, 48, None) == 0
print(basic[1], flush=True)
sys.stdin.readline()
"""
# Prints the engine's own answers: the executing processor, and the width of pointers.
ANSWERS = """
import ctypes, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from probe_engine import CONTROL, POINTER_64BIT, c_uint32, c_uint64, c_void_p, create_client
EXECUTING_PROCESSOR = 36
client = create_client(Path(sys.argv[2]))
control = client.query(CONTROL)
assert client.call(12, [c_uint64, c_uint32, c_uint32], 0, int(sys.argv[3]), 1) == 0
assert control.call(93, [c_uint32, c_uint32], 0, 30000) == 0
machine = c_uint32()
assert control.call(EXECUTING_PROCESSOR, [c_void_p], ctypes.addressof(machine)) == 0
print(hex(machine.value), control.call(POINTER_64BIT, []))
assert client.call(25, []) == 0
"""
#: In TlsSlots of the 64-bit TEB; a WOW64 process keeps its state in the first slots.
SLOT_2 = 0x1480 + 2 * 8


def test_it_goes_by_a_slot_of_thread_local_storage() -> None:
    """The slot belongs to the C runtime in a 64-bit process. Under Wine 10 it does not matter."""
    assert OLDER is not None
    process = dbgeng.start(WAITING)
    assert process.stdout is not None
    try:
        place = int(process.stdout.readline()) + SLOT_2
        with pydbgwrite.attach(process.pid, suspend=False) as session:
            (held,) = session.read_pointers(place, 1)
        assert held
        answers = []
        for value in (held, 0, held):
            with pydbgwrite.attach(process.pid, suspend=False) as session:
                session.write_pointers(place, [value])
            done = dbgeng.run(ANSWERS, str(SUPPORT), OLDER, str(process.pid))
            assert done.returncode == 0, done
            answers.append(done.stdout.strip())
        wide, narrow = "0x8664 0", "0x14c 1"
        assert answers in ([narrow, wide, narrow], [wide] * 3)
    finally:
        dbgeng.end(process)
