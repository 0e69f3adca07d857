"""wrap() over sessions that comtypes, win32more and Pybag opened with Microsoft's engine.

Each package attaches to a real process, one more line makes a session here, the session writes a
table, and the process reports its memory. Each script runs in a separate Python: a process has one
engine, and the effects of these packages on it (Pybag's threads and callbacks, comtypes' apartment)
stay there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.dbgeng import (
    MARK,
    NARROW,
    OWN,
    PYTHON32,
    engine_folder,
    needs_32_bit,
    needs_engine,
    run,
    server,
    target,
    write_dump,
)
from support.places import SUPPORT

import pydbgwrite

pytestmark = needs_engine
PEERS = os.environ.get("PYDBGWRITE_LANE_PEERS")
needs_peers = pytest.mark.skipif(
    PEERS is None, reason="the peers are in the Windows lane (PYDBGWRITE_LANE_PEERS)"
)

# The beginning of every script: its arguments, and the check that all went well.
_BEGIN = """
import ctypes, os, sys, warnings
from array import array
peers, here, folder, pid, base = sys.argv[1:6]
pid, base = int(pid), int(base)
if peers:
    import site
    site.addsitedir(peers)
sys.path.insert(0, here)
import pydbgwrite
OWN = ctypes.sizeof(ctypes.c_void_p)
MARK = 0x1122334400000000 if OWN == 8 else 0x11220000
VALUES = array("Q", (MARK + index for index in range(300)))

def prove(session):
    assert (session.pid, session.target, session.pointer_size) == (pid, "process", OWN), session
    assert session.engine.name == "dbgeng" and session.engine.folder.lower() == folder.lower()
    assert session.owner_thread and session.writable
    assert session.write_pointers(base, VALUES) == len(VALUES)
    assert session.write_pointers(base + OWN * 300, VALUES, via="WriteVirtual") == len(VALUES)
    assert session.read_pointers(base, len(VALUES)) == VALUES
    assert any(each.name.lower() == "python.exe" for each in session.modules())
    try:
        session.write_pointers(16, VALUES)
    except pydbgwrite.TargetAccessError as error:
        assert error.written == 0
    else:
        raise AssertionError("16 was written to")
    try:
        session.detach()
    except ValueError:
        pass
    else:
        raise AssertionError("detached")
"""

# ctypes alone; `probe_engine` calls the interfaces by slot.
_CTYPES = """
from pathlib import Path
from probe_engine import CONTROL, DATA_SPACES_4, c_uint32, c_uint64, create_client
client = create_client(Path(folder))
control = client.query(CONTROL)
try:
    pydbgwrite.wrap(client.pointer)
except pydbgwrite.NoTargetError as error:
    assert "wait for the first event" in str(error)
else:
    raise AssertionError("wrapped without a target")
assert client.call(12, [c_uint64, c_uint32, c_uint32], 0, pid, 1) == 0
assert control.call(93, [c_uint32, c_uint32], 0, 30000) == 0

def count(interface):
    interface.call(1, [])
    return interface.call(2, [])

spaces = client.query(DATA_SPACES_4)
forms = [client.pointer, control.pointer, spaces.pointer, ctypes.c_void_p(spaces.pointer)]
forms.append(ctypes.cast(client.pointer, ctypes.POINTER(ctypes.c_void_p)))
before = [count(each) for each in (client, control, spaces)]
for form in forms:
    with pydbgwrite.wrap(form) as session:
        prove(session)
        assert [count(each) for each in (client, control, spaces)] != before
    assert [count(each) for each in (client, control, spaces)] == before
session = pydbgwrite.wrap(client.pointer)
for each in (spaces, control):
    each.call(2, [])
if sys.argv[6] == "ours":
    session.close()
assert client.call(25, []) == 0 and client.call(26, [c_uint32], 2) == 0
client.call(2, [])
if sys.argv[6] == "theirs":
    try:
        session.write_pointers(base, [1])
    except pydbgwrite.NoTargetError:
        pass
    else:
        raise AssertionError("written after the end")
    session.close()
print("done")
"""

_COMTYPES = """
from ctypes import HRESULT, POINTER, byref, c_ulong, c_ulonglong
import comtypes
from comtypes import COMMETHOD, GUID, IUnknown
ctypes.WinDLL(folder + "\\\\dbghelp.dll", winmode=0x100 | 0x800)
dbgeng = ctypes.WinDLL(folder + "\\\\dbgeng.dll", winmode=0x100 | 0x800)

def unused(count, known):
    return [known.get(slot) or COMMETHOD([], HRESULT, f"Slot{slot}") for slot in range(3, count)]

class IDebugClient(IUnknown):
    _iid_ = GUID("{27fe5639-8407-4f47-8364-ee118fb08ac8}")
    _methods_ = unused(27, {
        12: COMMETHOD([], HRESULT, "AttachProcess", (["in"], c_ulonglong, "Server"),
                      (["in"], c_ulong, "ProcessId"), (["in"], c_ulong, "AttachFlags")),
        25: COMMETHOD([], HRESULT, "DetachProcesses"),
        26: COMMETHOD([], HRESULT, "EndSession", (["in"], c_ulong, "Flags")),
    })

class IDebugControl(IUnknown):
    _iid_ = GUID("{5182e668-105e-416e-ad92-24ef800424ba}")
    _methods_ = unused(94, {
        93: COMMETHOD([], HRESULT, "WaitForEvent", (["in"], c_ulong, "Flags"),
                      (["in"], c_ulong, "Timeout")),
    })

class IDebugDataSpaces4(IUnknown):
    _iid_ = GUID("{d98ada1f-29e9-4ef5-a6c0-e53349883212}")
    _methods_ = []

client = POINTER(IDebugClient)()
assert dbgeng.DebugCreate(byref(IDebugClient._iid_), byref(client)) == 0
control = client.QueryInterface(IDebugControl)
client.AttachProcess(0, pid, 1)
control.WaitForEvent(0, 30000)
spaces, unknown = client.QueryInterface(IDebugDataSpaces4), client.QueryInterface(IUnknown)

def count():
    return client.AddRef(), client.Release()

before = count()
for form in (client, control, spaces, unknown):
    with pydbgwrite.wrap(form) as session:
        prove(session)
    assert count() == before
session = pydbgwrite.wrap(client)
if sys.argv[6] == "ours":
    session.close()
    assert count() == before
client.DetachProcesses()
client.EndSession(2)
del client, control, spaces, unknown
import gc; gc.collect()
if sys.argv[6] == "theirs":
    session.close()
print("done")
"""

_WIN32MORE = """
from ctypes import byref, c_void_p, cast, pointer
ctypes.WinDLL(folder + "\\\\dbghelp.dll", winmode=0x100 | 0x800)
ctypes.WinDLL(folder + "\\\\dbgeng.dll", winmode=0x100 | 0x800)
from win32more.Windows.Win32.System.Diagnostics.Debug.Extensions import (
    DebugCreate, IDebugClient, IDebugControl, IDebugDataSpaces4,
)
client = IDebugClient(own=True)
result = cast(pointer(client), ctypes.POINTER(c_void_p))
assert DebugCreate(pointer(IDebugClient._iid_), result) == 0
control, spaces = client.as_(IDebugControl), client.as_(IDebugDataSpaces4)
assert client.AttachProcess(0, pid, 1) == 0
assert control.WaitForEvent(0, 30000) == 0

def count():
    return client.AddRef(), client.Release()

before = count()
for form in (client, control, spaces):
    with pydbgwrite.wrap(form) as session:
        prove(session)
    assert count() == before
session = pydbgwrite.wrap(spaces)
if sys.argv[6] == "ours":
    session.close()
    assert count() == before
assert client.DetachProcesses() == 0 and client.EndSession(2) == 0
del client, control, spaces
import gc; gc.collect()
if sys.argv[6] == "theirs":
    session.close()
print("done")
"""

_PYBAG = """
import pybag
debugger = pybag.UserDbg()
debugger.attach(pid)
for form in (debugger, debugger._client, debugger._dataspaces, debugger._control,
             debugger._symbols, debugger._systems):
    with pydbgwrite.wrap(form) as session:
        prove(session)
session = pydbgwrite.wrap(debugger)
if sys.argv[6] == "ours":
    session.close()
debugger._client.DetachProcesses()
if sys.argv[6] == "theirs":
    session.close()
print("done", flush=True)
os._exit(0)  # Pybag's own thread does not end
"""

SCRIPTS = {"comtypes": _COMTYPES, "win32more": _WIN32MORE, "Pybag": _PYBAG}
_NO_CAPSTONE = pytest.mark.skipif(
    NARROW, reason="Pybag imports capstone, whose win32 wheel holds a 64-bit DLL"
)
PACKAGES = ["comtypes", "win32more", pytest.param("Pybag", marks=_NO_CAPSTONE)]


def check(code: str, first: str, folder: Path) -> None:
    """Run a script on a process, which must still run and hold the written values.

    The output goes to a file: COM may start services of Windows that keep a pipe open.
    """
    log = folder / "said.txt"
    with target() as child:
        arguments = [PEERS or "", str(SUPPORT), engine_folder(), str(child.pid), str(child.base)]
        with log.open("w") as out:
            command = [sys.executable, "-c", _BEGIN + code, *arguments, first]
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=60, check=False
            )
        said = log.read_text(errors="replace")
        assert (done.returncode, said.split()[-1:]) == (0, ["done"]), said
        values = [MARK + index for index in range(300)]
        assert child.held()[:601] == [*values, *values, 0]


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_ctypes(first: str, tmp_path: Path) -> None:
    check(_CTYPES, first, tmp_path)


# ctypes alone opens a 32-bit process, another process's engine or a dump; `how` selects it.
_OTHERS = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import ctypes, pydbgwrite
from probe_engine import (
    CLIENT, CONTROL, Interface, byref, c_uint32, c_uint64, c_void_p, create_client, guid
)
folder, how, subject, base = sys.argv[2:6]
base, attached = int(base), create_client(Path(folder))
client = attached
if how == "process":
    assert client.call(12, [c_uint64, c_uint32, c_uint32], 0, int(subject), 1) == 0
elif how == "dump":
    path = ctypes.create_string_buffer(subject.encode("mbcs"))
    assert client.call(19, [c_void_p], ctypes.addressof(path)) == 0
else:
    found, engine = c_void_p(), ctypes.WinDLL(folder + "\\\\dbgeng.dll", winmode=0x100 | 0x800)
    assert engine.DebugConnect(subject.encode(), guid(CLIENT), byref(found)) == 0
    client = Interface(found.value)
    assert client.call(21, [c_uint32, c_uint32], 3, 0) == 0
if how != "remote":
    assert client.query(CONTROL).call(93, [c_uint32, c_uint32], 0, 30000) == 0
said = []
with pydbgwrite.wrap(client.pointer) as session:
    said += [session.target, session.pointer_size]
    try:
        said.append(session.write_pointers(base, [1, 2, 0xFFFFFFFF]))
        behind = base + 3 * session.pointer_size
        said.append(session.write_pointers(behind, [4], via="WriteVirtual"))
    except (pydbgwrite.WriteNotAppliedError, pydbgwrite.TargetAccessError) as error:
        assert how == "dump", error
        said.append(error.written)
    said.append(list(session.read_pointers(base, 5)))
    try:
        session.write_pointers(base, [1 << 40])
    except pydbgwrite.PointerRangeError:
        said.append("range")
    except pydbgwrite.WriteNotAppliedError:
        said.append("dump")
if how == "process":
    assert client.call(25, []) == 0
assert client.call(26, [c_uint32], 4 if how == "remote" else 2) == 0
print(json.dumps(said))
"""


def others(how: str, subject: str, base: int) -> list[object]:
    """Return the output of a session of wrap() over such an engine."""
    done = run(_OTHERS, str(SUPPORT), engine_folder(), how, subject, str(base))
    assert done.returncode == 0, done.stderr
    said: list[object] = json.loads(done.stdout)
    return said


@needs_32_bit
def test_a_32_bit_process() -> None:
    with target(PYTHON32 or "") as child:
        said = others("process", str(child.pid), child.base)
        assert said == ["process", 4, 3, 1, [1, 2, 0xFFFFFFFF, 4, 0], "range"]
        assert child.held()[:5] == [1, 2, 0xFFFFFFFF, 4, 0]


def test_another_process_s_engine() -> None:
    with target() as child:
        with server(child.pid) as (_process, options):
            said = others("remote", options, child.base)
            refused = ["range"] if NARROW else []
            assert said == ["process", OWN, 3, 1, [1, 2, 0xFFFFFFFF, 4, 0], *refused]
        assert child.held()[:5] == [1 if NARROW else 1 << 40, 2, 0xFFFFFFFF, 4, 0]


def test_a_dump(tmp_path: Path) -> None:
    path = tmp_path / "full.dmp"
    with target() as child:
        with pydbgwrite.attach(child.pid) as session:
            session.write_pointers(child.base, [7, 8])
        write_dump(child.pid, path)
        assert others("dump", str(path), child.base) == [
            "dump",
            OWN,
            0,
            [7, 8, 0, 0, 0],
            "range" if NARROW else "dump",
        ]


@needs_peers
@pytest.mark.parametrize("first", ["ours", "theirs"])
@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_from_pypi(package: str, first: str, tmp_path: Path) -> None:
    check(SCRIPTS[package], first, tmp_path)
