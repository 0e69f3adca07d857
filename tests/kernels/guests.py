"""Boots a machine in qemu with a job, and collects its results."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from lane_cache import ROOT

from kernels.images import SITE
from kernels.machines import Machine

TESTS = ("pyproject.toml", "conftest.py", "setup.py", "tests")
RESULTS_SIZE = 8 << 20
MORE_SECONDS = 120  # for booting and last words
PROCESSORS, MEMORY = "2", "2G"


_running: list[subprocess.Popen[bytes]] = []


def end_all() -> None:
    """End all running machines."""
    for process in [*_running]:
        process.kill()


@dataclass(frozen=True)
class Outcome:
    """codes: pytest's exit code of each finished run, by name."""

    machine: Machine
    codes: dict[str, int]
    console: str
    seconds: float

    @property
    def unfinished(self) -> list[str]:
        """The runs without an exit code."""
        return [run.name for run in self.machine.runs if run.name not in self.codes]

    @property
    def good(self) -> bool:
        """Did every run succeed?"""
        return not self.unfinished and not any(self.codes.values())


def boot(machine: Machine, kernel: Path, tree: Path, package: Path, junit: Path | None) -> Outcome:
    """Boot it, wait for the end of its runs, and collect their results."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pydbgwrite-kernels-") as folder:
        job, results = Path(folder, "job.tar"), Path(folder, "results.tar")
        _pack(job, machine, package)
        results.touch()
        os.truncate(results, RESULTS_SIZE)
        command = _command(machine, kernel, [f"{tree / 'disk'},snapshot=on", f"{job}", results])
        console = _watched(command, machine.seconds + MORE_SECONDS)
        codes = _unpack(results, Path(folder, "results"))
        if junit is not None:
            for file in Path(folder, "results").glob("*.xml"):
                shutil.copy(file, junit / f"{machine.name}-{file.name}")
    return Outcome(machine, codes, console, time.monotonic() - begun)


def _command(machine: Machine, kernel: Path, drives: list[str | Path]) -> list[str | Path]:
    architecture = machine.kernel.architecture
    words = [f"console={architecture.console}", "quiet", "panic=-1"]
    words += [*architecture.parameters, *machine.parameters]
    disks = [f"-drive=file={each},format=raw,if=virtio" for each in drives]
    return [
        architecture.qemu,
        *architecture.options,
        *("-accel", "tcg,thread=multi"),  # KVM is not available everywhere
        *("-smp", PROCESSORS, "-m", MEMORY),
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"),
        *("-kernel", kernel / "vmlinuz", "-initrd", kernel / "initramfs"),
        *("-append", " ".join(words)),
        *(word for disk in disks for word in disk.split("=", 1)),
    ]


def _watched(command: list[str | Path], seconds: float) -> str:
    """Return the command's output until it ends, or is ended at its time limit."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        _running.append(process)
        try:
            output, _ = process.communicate(timeout=seconds)
            end = f"qemu: exit code {process.returncode}\n" if process.returncode else ""
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            end = f"lane: ended after {seconds:.0f} s\n"
        finally:
            _running.remove(process)
    return output.decode(errors="replace").replace("\r", "") + end


def _pack(job: Path, machine: Machine, package: Path) -> None:
    def kept(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mode |= 0o444 | (0o111 if entry.isdir() else 0)
        in_tests = entry.name.startswith("tests")
        return None if in_tests and Path(entry.name).name == "__pycache__" else entry

    with tempfile.NamedTemporaryFile("w", suffix=".json") as runs:
        job_of = {"seconds": machine.seconds, "runs": [asdict(run) for run in machine.runs]}
        json.dump(job_of, runs)
        runs.flush()
        with tarfile.open(job, "w", format=tarfile.GNU_FORMAT) as tar:
            tar.add(runs.name, "job.json", filter=kept)
            tar.add(Path(__file__).with_name("guest.py"), "guest.py", filter=kept)
            tar.add(package / "pydbgwrite", SITE / "pydbgwrite", filter=kept)
            for name in TESTS:
                tar.add(ROOT / name, Path("tests", name), filter=kept)


def _unpack(results: Path, target: Path) -> dict[str, int]:
    """Return the exit codes; unpack the other files into the target folder."""
    target.mkdir()
    try:
        with tarfile.open(results) as tar:
            tar.extractall(target, filter="data")
        codes: dict[str, int] = json.loads((target / "codes.json").read_text())
    except (tarfile.ReadError, FileNotFoundError):
        return {}
    return codes
