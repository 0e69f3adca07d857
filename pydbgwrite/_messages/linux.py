"""Why a Linux process could not be opened, from what /proc says, and what to do about it."""

from __future__ import annotations

import errno
import os

from pydbgwrite import errors

__all__ = ["opening_failed", "status_fields"]

# Bits of CapEff in /proc/PID/status, capabilities(7).
_CAP_SYS_PTRACE = 19
#: Calls that only stopping a process takes.
_STOPPING = ("ptrace(PTRACE_SEIZE)", "waitid", "eventfd")


def opening_failed(
    failure: str, os_error: int, operation: str | None, detail: int, subject: object
) -> BaseException:
    """The exception for a failed attach (subject: the pid) or launch.

    Of a launch the subject is the path that could not be used: the program's, or the folder's.
    """
    if failure == "no_process":
        return errors.NoTargetError(f"there is no process {subject}, or it ended just now")
    if failure == "zombie":
        return errors.NoTargetError(
            f"process {subject} has ended; its parent has not collected its exit status yet"
        )
    if failure == "kernel_thread":
        return errors.TargetAccessError(
            f"process {subject} is a kernel thread: it has no memory of its own to write to"
        )
    if failure == "not_a_process":
        return errors.NoTargetError(
            f"{subject} is the id of a thread, not of a process"
            + (f"; its process is {detail}" if detail else "")
        )
    if failure == "own_process":
        if subject != os.getpid():
            return ValueError(
                f"process {subject} has the memory of this very process (clone with CLONE_VM, as "
                "vfork and the tracers of this package use it): what is written there is written "
                "here"
            )
        return ValueError(
            f"{subject} is this very process; a process can't stop itself to be patched. Use "
            "ctypes to write to your own memory"
        )
    if failure == "other_proc":
        return errors.NoTargetError(_other_proc(subject, detail))
    if failure == "timeout":
        return TimeoutError(
            f"process {subject} could not be stopped in time"
            + (f": thread {detail} {_thread_state(subject, detail)}" if detail else "")
            + ". Every thread that had stopped was let go again. Raise timeout=, or open it with "
            "suspend=False"
        )
    system = os.strerror(os_error) if os_error else "unknown error"
    if failure == "permission":
        return _permission(subject, operation, system)
    if failure == "exec":
        # OSError picks its subclass by errno: FileNotFoundError, PermissionError, ...
        return OSError(os_error, f"{system} ({operation})", str(subject))
    return errors.DebugEngineError(
        f"could not open {subject}: {operation} failed with {errno.errorcode.get(os_error, '?')} "
        f"({system})"
    )


def _other_proc(subject: object, shown: int) -> str:
    """Why /proc can't show which process an id means. shown: our own id there, or 0."""
    if shown == os.getpid():
        why = f"/proc/{subject} is covered by the folder of another process (a bind mount)"
        remedy = f"umount /proc/{subject}"
    else:
        why = (
            f"/proc was mounted for another pid namespace, where this script is {shown} and not "
            f"{os.getpid()}"
            if shown
            else "there is no /proc that shows this script"
        )
        remedy = (
            "mount the /proc of this namespace (unshare --mount-proc; mount -t proc proc /proc), "
            "or enter the target's mount namespace, too (nsenter -m -p)"
        )
    return f"which process {subject} is can't be told, and nothing was opened: {why}. {remedy}"


def _thread_state(process: object, thread: int) -> str:
    state = status_fields(f"/proc/{process}/task/{thread}/status").get("State", "did not stop")
    if state.startswith("D"):
        return f"is in uninterruptible sleep ({state}): a vfork() parent, or waiting for a device"
    return f"did not stop (state {state})"


def status_fields(path: str) -> dict[str, str]:
    """The fields of a /proc/PID/status file; none where it can't be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            pairs = (line.partition(":") for line in lines)
            return {key: value.strip() for key, _, value in pairs}
    except OSError:
        return {}


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _tracer(process: int) -> str:
    """What a user knows it as: the tracer of a session is a process apart (host.c), so named."""
    status = status_fields(f"/proc/{process}/status")
    if status.get("Name") == "pydbgwrite" and status.get("PPid") == str(os.getpid()):
        return "another session of this script"
    # TracerPid is the number of a thread (fs/proc/array.c).
    return "this script" if os.path.exists(f"/proc/self/task/{process}") else f"process {process}"


def _permission(subject: object, operation: str | None, system: str) -> errors.TargetAccessError:
    """Names every reason that can be seen, each with its remedy.

    subject: the pid of an attach, or the path of a launch, whose process has gone again.
    """
    # Of a launch there is nothing to see in /proc any more: no such file, no such reasons.
    status = status_fields(f"/proc/{subject}/status") if isinstance(subject, int) else {}
    own = status_fields("/proc/self/status")
    capable = bool(int(own.get("CapEff", "0"), 16) >> _CAP_SYS_PTRACE & 1)
    reasons = []
    tracer = status.get("TracerPid", "0")
    if tracer != "0":
        reasons.append(
            f"{_tracer(int(tracer))} traces it already (TracerPid): a process has one tracer; "
            "detach that first"
        )
    if operation == "open(/proc/PID)":
        reasons.append(
            "/proc hides the processes of others (hidepid in its mount options, proc(5)): run as "
            "its user or as root, or in the group that the option gid= names"
        )
    scope = _read("/proc/sys/kernel/yama/ptrace_scope")
    if scope in ("1", "2") and not capable:
        reasons.append(
            f"kernel.yama.ptrace_scope is {scope}: "
            + ("only descendants may be traced" if scope == "1" else "only root may trace")
            + "; start the program from this script (launch), run as root, give the interpreter "
            "CAP_SYS_PTRACE, or set the scope to 0 (sysctl kernel.yama.ptrace_scope=0)"
        )
    elif scope == "3":
        reasons.append("kernel.yama.ptrace_scope is 3: nobody may trace until the machine restarts")
    owner, ours = status.get("Uid", "").split()[:1], own.get("Uid", "").split()[:1]
    if owner and ours and owner != ours and not capable:
        reasons.append(
            f"it runs as user {owner[0]}, this script as {ours[0]}: run as that user or as root, "
            "or with CAP_SYS_PTRACE"
        )
    if own.get("Seccomp", "0") == "2":
        running = isinstance(subject, int) and operation in _STOPPING
        reasons.append(
            "this script runs under a seccomp filter, as in a container: allow ptrace and "
            "process_vm_writev there (docker run --cap-add=SYS_PTRACE)"
            + (", or open it with suspend=False, which needs no such call" if running else "")
        )
    if not reasons:
        reasons.append(
            "the process is not dumpable (set-user-id, or prctl PR_SET_DUMPABLE), or a security "
            "module forbids it; root with CAP_SYS_PTRACE may have access"
        )
    return errors.TargetAccessError(
        f"no access to process {subject}: {operation}: {system}. Seen: " + "; ".join(reasons)
    )
