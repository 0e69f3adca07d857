"""The kernel lane: tests of live Linux processes on Debian's kernels, in virtual machines.

    python tests/kernels/lane.py                    the x86-64 machines, two at a time
    python tests/kernels/lane.py arm64              the arm64 machines
    python tests/kernels/lane.py 5.10 6.12-never    these machines
    python tests/kernels/lane.py --list             the machines and their runs

qemu emulates the processor, so no KVM is needed. All that the lane fetches or makes is in
.cache/kernel-lane, and is made once. To make a guest's disk needs root. If the archive no longer
has a kernel, the lane runs the other machines, and fails.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "windows"))  # for lane_cache

from lane_cache import ROOT, Cache, LaneError, note
from lane_programs import check_programs

from kernels.builds import package
from kernels.guests import Outcome, boot, end_all
from kernels.images import kernel, tree
from kernels.machines import MACHINES, Architecture, Machine
from kernels.sources import AbsentError

CACHE = ROOT / ".cache" / "kernel-lane"
NOT_TO_BE_HAD = 69
DEFAULT = "amd64"
#: Programs that the lane runs, and Debian's packages with them.
PROGRAMS = {
    "mmdebstrap": ("mmdebstrap",),
    "mke2fs": ("e2fsprogs",),
    "cpio": ("cpio",),
    "depmod": ("kmod",),
}
QEMU_PACKAGES = {"amd64": ("qemu-system-x86", "seabios"), "arm64": ("qemu-system-arm",)}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    found = argparse.ArgumentParser(
        prog="lane.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = found.add_argument
    add("machines", nargs="*", metavar="MACHINE", help="names, or architectures (default: amd64)")
    add("--install", action="store_true", help="install missing apt packages (as root)")
    add("--list", action="store_true", help="say which machines there are")
    add("--junit", type=Path, metavar="FOLDER", help="results as JUnit files in that folder")
    return found


def chosen(names: Sequence[str]) -> list[Machine]:
    """Return the machines of these names and architectures."""
    known = {name for each in MACHINES for name in (each.name, each.kernel.architecture.name)}
    if unknown := sorted(set(names) - known):
        raise LaneError(f"no machine {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    return [each for each in MACHINES if {each.name, each.kernel.architecture.name} & {*names}]


def programs(architectures: set[Architecture]) -> dict[str, tuple[str, ...]]:
    """Return the programs that these architectures need."""
    found: dict[str, tuple[str, ...]] = dict(PROGRAMS)
    for each in architectures:
        found[each.qemu] = QEMU_PACKAGES[each.name]
        found[each.compiler] = (each.compiler_package,)
    return found


def run(machines: list[Machine], junit: Path | None) -> list[Outcome]:
    """Boot them, as many at once as there are processors."""
    cache = Cache(CACHE)
    with cache.locked():
        architectures = {each.kernel.architecture for each in machines}
        trees = {each: tree(cache, each) for each in architectures}
        packages = {each: package(cache, each, trees[each] / "root") for each in architectures}
        kernels = {}
        for wanted in {machine.kernel for machine in machines}:
            try:
                kernels[wanted] = kernel(cache, wanted)
            except AbsentError as error:
                note(f"not tried, Linux {wanted.name} of {wanted.suite}: {error}")

    def outcome(machine: Machine) -> Outcome:
        architecture = machine.kernel.architecture
        found = boot(
            machine,
            kernels[machine.kernel],
            trees[architecture],
            packages[architecture],
            junit,
        )
        print(f"\n=== {machine.name}, {machine.kernel.name}\n{found.console}", flush=True)
        note(f"{machine.name}: {'good' if found.good else 'FAILED'} after {found.seconds:.0f} s")
        return found

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            return list(pool.map(outcome, [each for each in machines if each.kernel in kernels]))
        except BaseException:  # Ctrl-C, SIGTERM: the pool waits for machines that run
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise


def main() -> int:
    """Run the command line; return its exit code."""
    # Otherwise the machines would keep running.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    options = parser().parse_args()
    begun = time.monotonic()
    try:
        machines = chosen(options.machines or [DEFAULT])
        if options.list:
            for machine in MACHINES:
                runs = ", ".join(run.name for run in machine.runs)
                print(f"{machine.name:<12} {' '.join(machine.parameters) or '-'}: {runs}")
            return 0
        architectures = {each.kernel.architecture for each in machines}
        check_programs(programs(architectures), may_install=options.install)
        if options.junit is not None:
            options.junit.mkdir(parents=True, exist_ok=True)
        outcomes = run(machines, options.junit)
    except LaneError as error:
        print(f"lane: error: {error}", file=sys.stderr)
        return NOT_TO_BE_HAD
    for each in outcomes:
        if each.unfinished:
            note(f"{each.machine.name}: not finished: {', '.join(each.unfinished)}")
        for name, code in each.codes.items():
            note(f"{each.machine.name}: {name}: {f'exit code {code}' if code else 'good'}")
    note(f"{len(outcomes)} machines in {time.monotonic() - begun:.0f} s")
    if absent := {each.name for each in machines} - {each.machine.name for each in outcomes}:
        note(f"not tried: {', '.join(sorted(absent))}")
    return 0 if all(each.good for each in outcomes) and not absent else 1


if __name__ == "__main__":
    raise SystemExit(main())
