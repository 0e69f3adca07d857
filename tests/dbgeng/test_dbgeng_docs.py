"""The code of the how-to pages for Windows runs unchanged on Microsoft's engine.

The tests supply the values that a page leaves to the reader (`pid`, `address`, `pointers`, a
machine's name, a port, a file). At the end of each, the program itself reports its memory.
"""

from __future__ import annotations

import faulthandler
import subprocess
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
import test_dbgeng_wrap as wrapping
from support import dbgeng
from support.dbgeng import (
    MARK,
    Target,
    engine_folder,
    free_port,
    make_writable,
    needs_64_bit,
    needs_engine,
    target,
    write_dump,
)
from support.pages import Block, Reader, blocks
from support.system_memory import system_memory

import pydbgwrite

pytestmark = needs_engine
POINTERS = array("Q", (MARK + index for index in range(1000)))

# Raises Ctrl-C when its input ends, as a person at that terminal does.
_AT_A_TERMINAL = """
import _thread, sys, threading
pid = int(sys.argv[1])
def listen():
    sys.stdin.read()
    _thread.interrupt_main()
threading.Thread(target=listen, daemon=True).start()
print("ready", flush=True)
"""


@pytest.fixture
def child() -> Iterator[Target]:
    with target() as program:
        yield program
        assert program.held()[:1000] == list(POINTERS)


def reader_for(child: Target, folder: Path) -> Reader:
    return Reader(folder, pid=child.pid, address=child.base, pointers=POINTERS)


def test_remote_debugging(child: Target, tmp_path: Path) -> None:
    page = "howto/remote-debugging.md"
    serve, connect = blocks(page)
    port = str(free_port())
    code = _AT_A_TERMINAL + serve.text.replace("5005", port)
    with dbgeng._ready(dbgeng.start(code, str(child.pid))):
        reader = reader_for(child, tmp_path)
        _until_it_serves(reader, connect, page, {"5005": port, "target-machine": "127.0.0.1"})


def _until_it_serves(reader: Reader, block: Block, page: str, replaced: dict[str, str]) -> None:
    """Retry the block: the page's server does not report that it is ready, and may still attach."""
    for _ in range(200):
        try:
            return reader.do(block, page, replaced)
        except pydbgwrite.NoTargetError:
            continue
    pytest.fail("nobody serves")


def test_process_servers(
    child: Target, tmp_path: Path, state_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page, port = "howto/process-servers.md", free_port()
    found = blocks(page)
    assert len(found) == 3
    with dbgeng.process_server("secret", port):
        replaced = {
            "5005": str(port),
            "target-machine": "127.0.0.1",
            'program="shop.exe"': f"pids=[{child.pid}]",
        }
        reader = reader_for(child, tmp_path)
        for block in found:
            reader.do(block, page, replaced)


@needs_64_bit  # the page shows the width, and how the x64 engine answers a write
def test_dumps(child: Target, tmp_path: Path) -> None:
    page, path = "howto/dumps.md", tmp_path / "service.dmp"
    with pydbgwrite.attach(child.pid) as session:
        session.write_pointers(child.base, POINTERS)
    write_dump(child.pid, path)
    with pydbgwrite.attach(child.pid) as session:
        session.write_pointers(child.base, [0] * 512)  # the damage
    found = blocks(page)
    assert len(found) == 3
    reader = reader_for(child, tmp_path)
    was_on = faulthandler.is_enabled()
    faulthandler.disable()  # the engine handles an access violation in writes to a dump
    try:
        for block in found:
            reader.do(block, page, {r"C:\dumps\service.dmp": str(path)})
    finally:
        if was_on:
            faulthandler.enable()


@needs_64_bit  # the page counts the bytes of pointers
def test_undo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's code runs, except the code after a crash.

    A killed debugger leaves its Windows target suspended (engine.md).
    """
    monkeypatch.chdir(tmp_path)
    page, reader, done = "howto/undo.md", Reader(tmp_path), 0
    for block in blocks(page):
        if block.heading != "After a crash":
            reader.do(block, page)
            done += 1
    assert done >= 6


def test_hook_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where WriteProcessMemory heeds protection, the page's reader makes the slots writable."""
    monkeypatch.chdir(tmp_path)
    page, reader = "howto/hook-imports.md", Reader(tmp_path)
    found = blocks(page)
    assert len(found) >= 6
    for block in found:
        if block.heading == "Write, and verify" and not system_memory().writes_read_only:
            for slot in reader.names["slots"]:
                make_writable(reader.names["target"].pid, slot.address)
        reader.do(block, page)


#: The lines before a page's code: the folder of the packages, the engine of the lane, and for
#: comtypes the client that its user has.
_COMTYPES = wrapping._COMTYPES.partition("spaces, unknown")[0]
_PRELOAD = """
ctypes.WinDLL(folder + "\\\\dbghelp.dll", winmode=0x100 | 0x800)
ctypes.WinDLL(folder + "\\\\dbgeng.dll", winmode=0x100 | 0x800)
"""
_BEGIN = f"""
import ctypes, os, site, sys, warnings
from array import array
peers, folder, pid, address = *sys.argv[1:3], int(sys.argv[3]), int(sys.argv[4])
site.addsitedir(peers)
pointers = array("Q", ({MARK} + index for index in range({len(POINTERS)})))
"""
BEFORE = {"Pybag": "", "comtypes": _COMTYPES, "win32more": _PRELOAD}
AFTER = {
    "Pybag": "dbg._client.DetachProcesses(); sys.stdout.flush(); os._exit(0)",  # as in wrapping
    "comtypes": "client.DetachProcesses(); client.EndSession(2)",
    "win32more": "",
}


@wrapping.needs_peers
@pytest.mark.parametrize("package", wrapping.PACKAGES)
def test_other_packages(package: str, child: Target, tmp_path: Path) -> None:
    (block,) = (each for each in blocks("howto/other-packages.md") if each.heading == package)
    code = _BEGIN + BEFORE[package] + block.text + AFTER[package]
    # The output goes to a file: COM may start services of Windows that keep a pipe open.
    log = tmp_path / "said.txt"
    arguments = [wrapping.PEERS or "", engine_folder(), str(child.pid), str(child.base)]
    with log.open("w") as out:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            timeout=60,
            check=False,
        )
    said = log.read_text(errors="replace")
    assert done.returncode == 0, said
    assert block.expected is not None
    assert said.splitlines()[-1] == block.expected.strip(), said
