"""The machines of the kernel lane: architectures, kernels, and the tests of each machine."""

from __future__ import annotations

from dataclasses import dataclass, field

USER = 1000  # the ordinary user of the guest


@dataclass(frozen=True)
class Architecture:
    """The differences between machines of two architectures. name: Debian's name.

    options: of qemu. parameters: of its kernels.
    """

    name: str
    compiler: str
    compiler_package: str
    platform: str
    qemu: str
    options: tuple[str, ...]
    console: str
    parameters: tuple[str, ...] = ()

    @property
    def pip_platforms(self) -> tuple[str, ...]:
        """The wheels that fit it, for Debian 12's glibc."""
        machine = self.platform.partition("-")[2]
        return tuple(f"manylinux{tag}_{machine}" for tag in ("_2_28", "_2_27", "2014", "_2_17"))


AMD64 = Architecture(
    name="amd64",
    compiler="x86_64-linux-gnu-gcc",
    compiler_package="gcc",
    platform="linux-x86_64",
    qemu="qemu-system-x86_64",
    options=("-M", "q35", "-cpu", "max"),
    console="ttyS0",
    # On a busy host the kernel's test of the timer fails at times, and it does not boot
    # (timer_irq_works(), arch/x86/kernel/apic/io_apic.c).
    parameters=("no_timer_check",),
)
ARM64 = Architecture(
    name="arm64",
    compiler="aarch64-linux-gnu-gcc",
    compiler_package="gcc-aarch64-linux-gnu",
    platform="linux-aarch64",
    qemu="qemu-system-aarch64",
    options=("-M", "virt", "-cpu", "max,pauth-impdef=on"),
    console="ttyAMA0",
)


@dataclass(frozen=True)
class Kernel:
    """A kernel package: the newest in a suite of Debian whose name matches this expression."""

    name: str
    suite: str
    pattern: str
    architecture: Architecture


@dataclass(frozen=True)
class Run:
    """A run of pytest in a guest. scope: kernel.yama.ptrace_scope, set before it."""

    name: str
    arguments: tuple[str, ...]
    user: int = 0
    scope: int | None = None


@dataclass(frozen=True)
class Machine:
    """A kernel with its command line, and the runs of its guest, in order."""

    name: str
    kernel: Kernel
    runs: tuple[Run, ...]
    parameters: tuple[str, ...] = field(default=())
    seconds: int = 1200  # the limit for its runs


BULLSEYE, BOOKWORM = "bullseye-security", "bookworm-security"
OLD = Kernel("5.10", BULLSEYE, r"linux-image-5\.10\.0-[0-9]+-cloud-amd64", AMD64)
STABLE = Kernel("6.1", BOOKWORM, r"linux-image-6\.1\.0-[0-9]+-cloud-amd64", AMD64)
NEW = Kernel("6.12", BOOKWORM, r"linux-image-6\.12\.[0-9a-z.+]+-cloud-amd64", AMD64)
ARM_STABLE = Kernel("arm64-6.1", BOOKWORM, r"linux-image-6\.1\.0-[0-9]+-cloud-arm64", ARM64)
ARM_LARGE = Kernel("arm64-6.12", BOOKWORM, r"linux-image-6\.12\.[0-9a-z.+]+-arm64-16k", ARM64)


def _linux(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/linux/test_linux_{name}.py" for name in names)


# Journals in use are the same on all kernels, and these tests start many programs.
LINUX = (
    *_linux("attach", "launch", "patches", "identity", "undo_identity"),
    *("-k", "not a_journal_in_use and not hold_a_journal"),
)
ARM = (
    "tests/linux/test_tagged_addresses.py",
    "tests/linux/test_large_live.py",
    "tests/linux/test_mapped_files.py",
)
# Without the plugins and fixtures of the suite, which take an emulated processor seconds to load.
_ALONE = ("--noconftest", "-p", "no:hypothesispytest", "-p", "no:xdist")
YAMA = (*_ALONE, "tests/kernels/see_yama.py")
FORCED = (*_ALONE, "tests/kernels/see_forced.py")
# In a run that there is: each has to start a Python and pytest.
FIND = "tests/kernels/see_find.py"
# The scope can be lowered again, except from 3.
SCOPES = tuple(
    Run(f"yama-{scope}-{name}", YAMA if scope else (*YAMA, FIND), user, scope)
    for scope in (0, 1, 2, 3)
    for name, user in (("user", USER), ("root", 0))
    if scope > 1 or user != 0
)

MACHINES = (
    Machine("5.10", OLD, (Run("linux", (*LINUX, FIND)),)),
    Machine("6.1", STABLE, SCOPES),
    *(
        Machine(f"6.12-{name}", NEW, runs, (f"proc_mem.force_override={name}",))
        for name, runs in (
            ("always", (Run("forced-user", FORCED, USER),)),
            ("ptrace", (Run("forced", FORCED), Run("forced-user", FORCED, USER))),
            ("never", (Run("forced", (*FORCED, FIND)),)),
        )
    ),
    *(
        Machine(name, kernel, (Run("linux", (*ARM, *LINUX)),), seconds=1800)
        for name, kernel in (("arm64-6.1", ARM_STABLE), ("arm64-16k", ARM_LARGE))
    ),
)
