"""Checks of the Linux settings that decide whether a process may be written to."""

from __future__ import annotations

import os
import platform
import re
from typing import Final

from pydbgwrite._messages.linux import force_override, user_namespace
from pydbgwrite._processes import status_fields
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.doctor.checks import FAILS, INFO, LIMITED, Check, read_text

__all__ = ["permissions"]

_CAP_SYS_PTRACE: Final = 19  # capabilities(7): the bit of CapEff
_CAP_DAC_OVERRIDE: Final = 1

#: Documentation/admin-guide/LSM/Yama.rst
_SCOPES: Final = {
    "0": "processes of the same user may be traced",
    "1": "only descendants may be traced, and those that allow it (PR_SET_PTRACER)",
    "2": "only CAP_SYS_PTRACE may trace",
    "3": "no tracing until the machine restarts",
}
#: include/linux/proc_ns.h, PROC_PID_INIT_INO.
_FIRST_PID_NAMESPACE: Final = "pid:[4026531836]"
_CAPABLE: Final = (
    "run this with CAP_SYS_PTRACE (sudo), or, until the next restart: sysctl "
    "kernel.yama.ptrace_scope=0"
)
_SCOPE_ADVICE: Final = {
    "1": f"start the program from a script (launch), {_CAPABLE}",
    "2": _CAPABLE,
    "3": "restart with another setting",
}


def permissions() -> list[Check]:
    """Return one check for each setting that can forbid it."""
    own = status_fields("/proc/self/status")
    if not own:
        what = "it does not show this process" if os.path.lexists("/proc/self") else "not mounted"
        advice = "mount the /proc of this pid namespace (mount -t proc proc /proc)"
        return [Check("/proc", FAILS, f"{what}: what is allowed here can't be seen", advice)]
    if own.get("Pid") != str(os.getpid()) or len(own.get("NSpid", "").split()) > 1:
        advice = "mount the /proc of this pid namespace (mount -t proc proc /proc)"
        what = "it was mounted for another pid namespace, and shows that namespace's processes"
        return [Check("/proc", FAILS, what, advice)]
    capabilities = int(own.get("CapEff", "0"), 16)
    capable = bool(capabilities >> _CAP_SYS_PTRACE & 1)
    checks = [
        _capability(capabilities),
        _ptrace_scope(capable),
        _seccomp(own),
        _container(),
        _forced_writes(),
        _traced(own),
    ]
    if read_text("/sys/fs/selinux/booleans/deny_ptrace").startswith("1"):
        checks.append(
            Check("SELinux", LIMITED, "deny_ptrace is on", "setsebool deny_ptrace off, as root")
        )
    return checks


def _capability(capabilities: int) -> Check:
    name, namespace = "CAP_SYS_PTRACE", user_namespace()
    if not capabilities >> _CAP_SYS_PTRACE & 1:
        what = f"this process (user {os.getuid()}) does not have it: processes of its own user"
        if namespace:
            what += f" that are in its user namespace ({namespace})"
        return Check(name, INFO, f"{what} at most")
    if namespace:
        return Check(
            name,
            LIMITED,
            f"this process has it in its user namespace ({namespace}) alone: no process outside",
            "run this outside of that namespace, where the process runs",
        )
    if not capabilities >> _CAP_DAC_OVERRIDE & 1:
        return Check(
            name,
            LIMITED,
            "this process has it, and not CAP_DAC_OVERRIDE: processes of every user, those of "
            "other users without --no-suspend and without --journal",
            "give it CAP_DAC_OVERRIDE, too",
        )
    return Check(name, INFO, "this process has it: processes of every user")


def _ptrace_scope(capable: bool) -> Check:
    scope = read_text("/proc/sys/kernel/yama/ptrace_scope")
    if not scope:
        if not os.path.isdir("/proc/sys/kernel"):  # mounted with subset=pid
            return Check("ptrace_scope", INFO, "can't be seen: this /proc has no sys/kernel")
        return Check("ptrace_scope", INFO, "no such limit here: this kernel runs without Yama")
    what = f"{scope}: {_SCOPES.get(scope, 'unknown')}"
    if scope == "3" or (scope in _SCOPE_ADVICE and not capable):
        return Check("ptrace_scope", LIMITED, what, _SCOPE_ADVICE[scope])
    return Check("ptrace_scope", INFO, what + ("; CAP_SYS_PTRACE may anyway" if capable else ""))


def _seccomp(own: dict[str, str]) -> Check:
    if own.get("Seccomp", "0") != "2":
        return Check("seccomp", INFO, "no filter of system calls")
    return Check(
        "seccomp",
        INFO,
        "this process runs under a filter, which may refuse ptrace and process_vm_writev",
        "if it does: docker run --cap-add=SYS_PTRACE, or a profile that allows both",
    )


def _container() -> Check:
    hints = [path for path in ("/.dockerenv", "/run/.containerenv") if os.path.exists(path)]
    hints += [name for name in ("container", "KUBERNETES_SERVICE_HOST") if os.environ.get(name)]
    if re.search("docker|kubepods|lxc|libpod", read_text("/proc/1/cgroup")):
        hints.append("/proc/1/cgroup")
    if not hints:
        return Check("container", INFO, "none detected")
    what = f"probably ({', '.join(hints)})"
    try:
        if os.readlink("/proc/self/ns/pid") != _FIRST_PID_NAMESPACE:
            what += ", with a pid namespace: no process outside can be seen from here"
    except not_from_handler(OSError):
        pass
    return Check("container", INFO, what)


def _forced_writes() -> Check:
    """Check whether the kernel allows writes to pages that the process can't write itself."""
    name = "forced writes"
    said: str | None = force_override()
    where = "the kernel's command line (proc_mem.force_override)"
    if not said:
        said, where = _configured()
    if said == "never":
        return Check(
            name,
            LIMITED,
            f"forbidden by {where}",
            "start the kernel with proc_mem.force_override=ptrace, or let the program make its "
            "page writable",
        )
    if said == "ptrace":
        return Check(name, INFO, f"allowed by {where} while the process is stopped (--pid alone)")
    if said is None:
        return Check(name, INFO, f"can't be determined beforehand: {where}")
    return Check(name, INFO, f"not forbidden by {where}")


def _configured() -> tuple[str | None, str]:
    for path in ("/proc/config.gz", f"/boot/config-{platform.release()}"):
        try:
            with open(path, "rb") as file:
                text = file.read()
        except not_from_handler(OSError):
            continue
        if path.endswith(".gz"):
            import gzip

            text = gzip.decompress(text)
        match = re.search(rb"^CONFIG_PROC_MEM_(NO_FORCE|FORCE_PTRACE)=y$", text, re.MULTILINE)
        said = {b"NO_FORCE": "never", b"FORCE_PTRACE": "ptrace"}.get(match[1]) if match else ""
        return said or "", f"the kernel's command line and its configuration ({path})"
    return None, "the kernel's command line does not say, its configuration can't be read"


def _traced(own: dict[str, str]) -> Check:
    """Check for processes that already have a tracer: a process can have only one."""
    traced = []
    try:
        for pid in filter(str.isdecimal, os.listdir("/proc")):
            tracer = status_fields(f"/proc/{pid}/status").get("TracerPid", "0")
            if tracer != "0":
                traced.append(f"{pid} (by {tracer})")
    except not_from_handler(OSError):
        pass  # a place without /proc
    if own.get("TracerPid", "0") != "0":
        return Check(
            "other debuggers",
            LIMITED,
            f"this very process is traced by {own['TracerPid']}: what it starts may be too",
            "run it without strace or a debugger",
        )
    if not traced:
        return Check("other debuggers", INFO, "no process that /proc shows is traced")
    shown = ", ".join(traced[:5]) + (f" and {len(traced) - 5} more" if len(traced) > 5 else "")
    return Check(
        "other debuggers",
        INFO,
        f"already traced, so they can't be opened: {shown}",
        "detach the other debugger first, or open with --no-suspend",
    )
