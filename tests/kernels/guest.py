"""The first process of a guest: sets the system up, runs what the job asks for, and switches off.

It is /guest.py there. The job's files came as a tar on the second disk; the results are written as
one to the third. What it prints is on the console, so it is seen even where a machine is ended for
taking too long.
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
    """A line on the console."""
    print(f"guest: {text} ({time.monotonic():.1f} s)", flush=True)


def set_up() -> None:
    """Everything that an init would do, and nothing that these tests do not need."""
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
    """One run of pytest, which may go on until that moment; its exit code."""
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
            process.send_signal(signal.SIGINT)  # pytest says what has failed until then
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
    """The job."""
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
    """A child does the work: the first process adopts, and collects, whatever is orphaned."""
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
