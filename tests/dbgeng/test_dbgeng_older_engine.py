"""An older engine, 6.3.9600: it takes a 64-bit process for one with 32-bit pointers.

So a session settles the width of pointers by what the process is, whatever an engine says.
"""

from __future__ import annotations

import os

import pytest
from support import dbgeng
from support.dbgeng import target

OLDER = os.environ.get("PYDBGWRITE_DBGENG_OLDER")

pytestmark = pytest.mark.skipif(OLDER is None, reason="no older engine (PYDBGWRITE_DBGENG_OLDER)")

# One engine a process: so in a new one.
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
