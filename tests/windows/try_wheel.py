"""Shows that the wheel works on the Windows Python that runs this: `lane.py versions` runs it.

It writes pointers to simulated memory and, through Microsoft's engine, to a running program, which
then reports the pointers it holds. A free-threaded Python must keep its GIL off, and does the same
once more with the GIL on; and it must refuse a package whose module has the abi3 module's name. It
prints a line for each, and exits with 0 only if all are correct.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pydbgwrite

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import dbgeng

VALUES = [dbgeng.MARK, 0, 256**dbgeng.OWN - 1, *range(1000)]
FREE_THREADED = "free-threading" in sys.version
GIL = "PYTHON_GIL"


def refuses_untagged() -> bool:
    """Return whether a copy whose module has no tag, as an abi3 module, is refused by its name."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "pydbgwrite"
        tagged = shutil.ignore_patterns("__pycache__", "_core.*.pyd")
        copy = shutil.copyfile  # Wine 8 has no CopyFile2, which copytree's own calls
        shutil.copytree(
            Path(pydbgwrite.__file__).parent, package, ignore=tagged, copy_function=copy
        )
        # This Python's own module would load.
        shutil.copyfile(pydbgwrite._core.__file__, package / "_core.pyd")
        code = "import sys; sys.path.insert(0, sys.argv[1]); import pydbgwrite"
        command = [sys.executable, "-I", "-S", "-c", code, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "_core.pyd is for Pythons with a GIL" in done.stderr


def main() -> int:
    """Write the pointers, check them, and print the line."""
    with pydbgwrite.simulate([(0x10000, 0x4000)]) as session:
        written = [session.write_pointers(0x10000, VALUES)]
        seen = [list(session.read_pointers(0x10000, len(VALUES)))]
    with dbgeng.target() as program:
        with pydbgwrite.attach(program.pid) as session:
            engine = session.engine
            written.append(session.write_pointers(program.base, VALUES, verify=True))
            seen.append(list(session.read_pointers(program.base, len(VALUES))))
        seen.append(program.held()[: len(VALUES)])
    good = written == [len(VALUES)] * 2 and seen == [VALUES] * 3 and engine.name == "dbgeng"
    name = ".".join(map(str, sys.version_info[:3])) + (" of 32 bits" if dbgeng.NARROW else "")
    # After the import: an extension that needs a GIL turns it on. The function is new in 3.13.
    locked: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
    if FREE_THREADED:
        name += f", the GIL {'on' if locked else 'off'}"
    said = "loads and writes" if good else f"wrote {written} of {len(VALUES)}, and not as given"
    if FREE_THREADED and locked != (os.environ.get(GIL) == "1"):
        good, said = False, "changed the GIL"
    if FREE_THREADED and not refuses_untagged():
        good, said = False, "does not refuse an abi3 module"
    print(f"Windows Python {name}, {engine.name} {engine.version}: pydbgwrite {said}", flush=True)
    if good and FREE_THREADED and GIL not in os.environ:
        again = [sys.executable, __file__]
        return subprocess.run(again, env={**os.environ, GIL: "1"}, check=False).returncode
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
