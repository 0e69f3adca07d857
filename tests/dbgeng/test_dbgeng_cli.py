"""The command line on dbgeng's targets that are not local processes, chosen by its options.

These are --connect, --dump and --kernel, each to its success. The output of a command is compared
with the output of the program or of the kernel itself. A command takes seconds under Wine, so there
are few.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from support import kernel_stub
from support.commands import Done, command
from support.dbgeng import NOT_APPLIED, OWN, engine_folder, needs_engine, server, target, write_dump
from support.kernel_stub import PAGE

import pydbgwrite

pytestmark = needs_engine

NEW = [0x1111111111111111 % 2 ** (8 * OWN) * each for each in range(1, 5)]
PLACE = 0xFFFFF80001000000


def patch(folder: Path, address: int) -> Path:
    """Return a patch file that writes NEW."""
    path = folder / "patch.toml"
    path.write_text(
        f"format = 1\n[[write]]\naddress = {address}\npointers = {[hex(each) for each in NEW]}\n"
    )
    return path


def values(said: Any) -> list[int]:
    """Return the pointers in the output of `read --json`."""
    return [int(each["value"], 16) for each in said["pointers"]]


def test_connect(tmp_path: Path) -> None:
    """The commands work on another debugger's session, and undo a journal over it."""
    journal = tmp_path / "x.journal"
    with target() as child:
        with server(child.pid) as (_, options):
            there = ("--connect", options, "--json")
            modules = command("modules", *there)
            assert (modules.code, modules.err, modules.said["pid"]) == (0, "", child.pid)
            assert "python.exe" in {each["name"].lower() for each in modules.said["modules"]}

            wrote = command("write", *there, child.base, *NEW, "--expect", 0, "--verify")
            assert (wrote.code, wrote.err) == (0, "")
            assert (wrote.said["pointers"], wrote.said["verified"]) == (4, True)
            verified = command("verify", *there, patch(tmp_path, child.base))
            assert (verified.code, verified.err, verified.said["verified"]) == (0, "", True)
            read = command("read", *there, child.base, 5)
            assert (read.code, read.err, values(read.said)) == (0, "", [*NEW, 0])

            with pydbgwrite.connect(options) as session, session.transaction(journal):
                session.write_pointers(child.base, [1, 2])
            undone = command("undo", *there, journal)
            assert (undone.code, undone.err) == (0, "")
            assert (undone.said["complete"], undone.said["restored"]) == (True, 2 * OWN)
        assert child.held()[:5] == [*NEW, 0]


def test_dump(tmp_path: Path) -> None:
    """A command reads a dump with a non-ASCII name; no write to it is ever reported as done."""
    dump = tmp_path / "full \xe4.dmp"
    with target() as child:
        with pydbgwrite.attach(child.pid) as session:
            session.write_pointers(child.base, NEW)
        write_dump(child.pid, dump)
        assert child.held()[:5] == [*NEW, 0]
    there = ("--dump", dump, "--engine", engine_folder(), "--json")
    read = command("read", *there, child.base, 5)
    assert (read.code, read.err, values(read.said)) == (0, "", [*NEW, 0])
    wrote = command("write", *there, child.base, 5, 6)
    assert wrote.code == 3
    error = wrote.said["error"]
    assert (error["type"], error["written"]) == (NOT_APPLIED.__name__, 0)
    assert "dump" in error["message"]


def test_kernel() -> None:
    """The target is another machine's kernel: each command finds it suspended, and resumes it."""
    held = bytes(2 * PAGE)

    def run(name: str, *arguments: object) -> tuple[Done, list[tuple[int, int]]]:
        nonlocal held
        with kernel_stub.kernel() as stub:
            stub.map(PLACE, held)
            done = command(name, "--kernel", stub.options, *arguments, "--json")
            assert stub.continued.wait(30), done.err
            held = stub.held(PLACE, 2 * PAGE)
        return done, stub.writes

    wrote, writes = run("write", PLACE + 3, *NEW, "--verify")
    assert (wrote.code, wrote.err) == (0, "")
    assert (wrote.said["pointers"], wrote.said["verified"]) == (4, True)
    assert writes
    assert held[:40] == bytes(3) + struct.pack("<4Q", *NEW) + bytes(5)
    read, writes = run("read", PLACE + 3, 4)
    assert (read.code, read.err, values(read.said), writes) == (0, "", NEW, [])
