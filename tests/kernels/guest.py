"""The first process of a guest: sets the system up, runs the job's tests, and powers off.

It is /guest.py there. The job's files are a tar on the second disk; the results are written as a
tar to the third. Its output goes to the console, so it is visible even if a machine is ended at its
time limit.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
import traceback
from pathlib import Path
from typing import Any

RESULTS = "/dev/vdc"
LAST_WORDS = 30  # seconds
SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")
MOUNTS = (
    ("tmpfs", "/tmp"),
    ("tmpfs", "/run"),
    ("devpts", "/dev/pts"),
    ("tmpfs", "/dev/shm"),
)
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "CI": "true",
    "PYTHONPATH": "/tests/tests",  # of the package `support`
}


def say(text: str) -> None:
    """Print a line on the console."""
    print(f"guest: {text} ({time.monotonic():.1f} s)", flush=True)


def set_up() -> None:
    """Do those tasks of an init that these tests need."""
    os.environ.clear()
    os.environ.update(ENVIRONMENT)
    for kind, place in MOUNTS:
        Path(place).mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", kind, kind, place], check=True)
    for place in ("/tmp", "/dev/shm"):
        Path(place).chmod(0o1777)
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        if not Path("/dev", name).exists():
            Path("/dev", name).symlink_to(f"/proc/self/{target}")
    socket.sethostname("guest")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def perform(run: dict[str, Any], results: Path, end: float) -> int:
    """Run pytest once, at most until that moment; return its exit code."""
    if run["scope"] is not None:
        SCOPE.write_text(str(run["scope"]))
    scope = SCOPE.read_text().strip() if SCOPE.exists() else "none"
    say(f"{run['name']}: as user {run['user']}, ptrace_scope {scope}")
    folder = Path("/tmp", run["name"])
    folder.mkdir()
    os.chown(folder, run["user"], run["user"])
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no"]
    junit = [f"--junitxml={folder / 'results.xml'}", f"--basetemp={folder / 'files'}"]
    begun = time.monotonic()
    with subprocess.Popen(
        [*pytest, *junit, *run["arguments"]],
        cwd="/tests",
        user=run["user"],
        group=run["user"],
        extra_groups=[],
        env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis")},
    ) as process:
        try:
            code = process.wait(max(end - begun, 0))
        except subprocess.TimeoutExpired:
            say(f"{run['name']}: the machine's time is over")
            process.send_signal(signal.SIGINT)  # pytest reports the failures until then
            try:
                code = process.wait(LAST_WORDS)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
    say(f"{run['name']}: exit code {code} after {time.monotonic() - begun:.0f} s")
    if (folder / "results.xml").exists():
        (results / f"{run['name']}.xml").write_bytes((folder / "results.xml").read_bytes())
    return code


def work() -> None:
    """Perform the runs of the job."""
    set_up()
    say(f"Linux {os.uname().release} {os.uname().machine}")
    results = Path("/tmp/results")
    results.mkdir()
    job = json.loads(Path("/job.json").read_text())
    end = time.monotonic() + job["seconds"]
    codes = {run["name"]: perform(run, results, end) for run in job["runs"]}
    (results / "codes.json").write_text(json.dumps(codes))
    with tarfile.open(RESULTS, "w:") as out:
        out.add(results, ".")


def main() -> None:
    """A child does the work: the first process adopts and reaps all orphans."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    while os.wait()[0] != child:
        pass
    os.sync()
    say("done")
    sys.stdout.flush()
    power_off = 0x4321FEDC  # LINUX_REBOOT_CMD_POWER_OFF
    ctypes.CDLL(None).reboot(power_off)


if __name__ == "__main__":
    main()
