"""Namespaces, users, limits, kinds of /proc and of programs, each with the expected outcome."""

from __future__ import annotations

from pathlib import Path

from cells import Cell
from system_calls import WORKS, Outcome

__all__ = ["PROGRAMS", "surroundings"]

USER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
EACH_PART = ("suspended: *", "running: *", "launch: *", "doctor: *")
#: The options of a container that an ordinary user makes.
ROOTLESS = ("unshare", "-U", "-r", "-m", "-n", "-p", "-f", "--mount-proc")


def unopened(*words: str) -> Outcome:
    """Expect that nothing can be opened, with these words in the reason."""
    return Outcome(("*: attach", "launch: *"), words)


def foreign(*words: str) -> Outcome:
    """Expect that own programs can be launched, but the other user's process can't be opened."""
    return Outcome(("*: attach",), words)


def mounted(command: str, *then: str) -> tuple[str, ...]:
    """Return a command line that runs in its own mount namespace, after a shell command."""
    return ("unshare", "-m", "sh", "-ec", f'{command}; exec "$@"', "sh", *then)


def proc(options: str, *then: str) -> tuple[str, ...]:
    """Return a command line that runs with a /proc mounted with these options."""
    return mounted(f"mount -t proc -o {options} proc /proc", *then)


#: By unshare(1), setpriv(1) and mount(8).
MADE: dict[str, tuple[Outcome, tuple[str, ...]]] = {
    "namespaces: mount, network, IPC, UTS, cgroup": (
        WORKS,
        ("unshare", "-m", "-n", "-i", "-u", "-C"),
    ),
    "pid namespace": (WORKS, ("unshare", "-p", "-f", "--mount-proc")),
    "pid namespace with the outer /proc": (
        unopened("another pid namespace"),
        ("unshare", "-p", "-f"),
    ),
    "time namespace": (WORKS, ("unshare", "-T", "--boottime=86400", "--monotonic=86400", "-f")),
    "user namespace, its root": (WORKS, ("unshare", "-U", "-r")),
    "user namespace, unmapped": (WORKS, ("unshare", "-U")),
    "rootless container": (WORKS, ROOTLESS),
    "ordinary user": (WORKS, USER),
    "ordinary user in a rootless container": (WORKS, (*USER, *ROOTLESS)),
    "no new privileges": (WORKS, ("setpriv", "--no-new-privs")),
    "root without CAP_SYS_PTRACE": (WORKS, ("setpriv", "--bounding-set=-sys_ptrace")),
    "/proc with hidepid=2, own processes": (WORKS, proc("hidepid=2", *USER)),
    "/proc with hidepid=4, own processes": (WORKS, proc("hidepid=4", *USER)),
    "/proc with subset=pid": (WORKS, proc("subset=pid")),
    "/proc, read-only": (Outcome(("running: attach",), ("read-only", "suspend=True")), proc("ro")),
    "no /proc": (unopened("/proc is not mounted"), mounted("umount -l /proc")),
    "an empty /proc": (
        unopened("/proc is not mounted"),
        mounted("mount -t tmpfs tmpfs /proc"),
    ),
}
#: The same for targets that are processes of a root outside.
OF_ROOT: dict[str, tuple[Outcome, tuple[str, ...]]] = {
    "ordinary user": (foreign("it runs as user 0", "this process as 65534"), USER),
    "hidepid=2": (foreign("hidepid"), proc("hidepid=2", *USER)),
    "root without CAP_SYS_PTRACE": (
        foreign("it has capabilities that this process lacks"),
        ("setpriv", "--bounding-set=-sys_ptrace"),
    ),
    "root of a user namespace": (foreign("user namespace"), ("unshare", "-U", "-r")),
    "only CAP_SYS_PTRACE": (
        Outcome(("running: attach", "suspended: journal"), ("CAP_DAC_OVERRIDE",)),
        (*USER, "--inh-caps=+sys_ptrace", "--ambient-caps=+sys_ptrace"),
    ),
}
#: getrlimit(2); NOFILE gives the number of descriptors left, the others give the limit.
LIMITS: dict[str, tuple[Outcome, dict[str, int], tuple[str, ...]]] = {
    # Each number of descriptors ends the steps at a different point.
    **{
        f"{left} descriptors left": (
            Outcome(EACH_PART, ("Too many open files",), "", perhaps=left > 0),
            {"NOFILE": left},
            (),
        )
        for left in range(13)
    },
    "no memory to lock": (WORKS, {"MEMLOCK": 0}, ()),
    "address space of 256 MiB": (WORKS, {"AS": 256 << 20}, ()),
    "files of 100 bytes": (
        Outcome(("*: journal",), ("File too large", ".journal")),
        {"FSIZE": 100},
        (),
    ),
    "no more processes": (
        Outcome(("suspended: attach", "launch: *"), ("RLIMIT_NPROC",)),
        {"NPROC": 1},
        USER,
    ),
    "no signals that wait": (WORKS, {"SIGPENDING": 0}, USER),
    "small stacks": (WORKS, {"STACK": 256 << 10}, ()),
}
#: Compilers and options that make programs of each kind.
PROGRAMS: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "static": (None, ("-static",)),
    "static-pie": (None, ("-static-pie", "-fPIC")),
    "not position-independent": (None, ("-no-pie", "-fno-pic")),
    "musl": ("musl-gcc", ()),
    "musl, static": ("musl-gcc", ("-static",)),
    "musl, static-pie": ("musl-gcc", ("-static-pie", "-fPIC")),
}


def surroundings(program: Path) -> list[Cell]:
    """Return a cell for each of these except the programs."""
    wish = {"target": str(program)}
    return [
        *(
            Cell(name, outcome, {**wish, "doctor": True}, before)
            for name, (outcome, before) in MADE.items()
        ),
        *(
            Cell(f"a process of root: {name}", outcome, wish, before, of_root=True)
            for name, (outcome, before) in OF_ROOT.items()
        ),
        *(
            Cell(f"limits: {name}", outcome, {**wish, "limits": limits, "doctor": True}, before)
            for name, (outcome, limits, before) in LIMITS.items()
        ),
    ]
