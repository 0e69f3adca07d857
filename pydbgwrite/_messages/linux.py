"""The reasons why a Linux process could not be opened, read from /proc, with advice."""

from __future__ import annotations

import errno
import os
import signal

from pydbgwrite import errors
from pydbgwrite._core import FileDescriptor
from pydbgwrite._messages.spelling import IN_FORCE, any_of
from pydbgwrite._processes import status_fields
from pydbgwrite._signal_handlers import not_from_handler

__all__ = ["force_override", "opening_failed", "user_namespace"]

# Bits of CapEff in /proc/PID/status, capabilities(7).
_CAP_DAC_OVERRIDE = 1
_CAP_SYS_PTRACE = 19
#: include/linux/proc_ns.h, PROC_USER_INIT_INO.
_FIRST_USER_NAMESPACE = "user:[4026531837]"
#: Files of /proc/PID that are their owner's alone (fs/proc/base.c), by what opens them.
_FILES = {"open(/proc/PID/mem)": "mem", "read(/proc/PID/auxv)": "auxv"}
#: The system calls behind an operation that a sandbox may refuse. All but the first have nothing to
#: do with the process: nothing that is seen of it is a reason.
_CALLS = {
    "ptrace(PTRACE_SEIZE)": "ptrace",
    "waitid": "waitid",
    "eventfd2": "eventfd2",
    "pthread_create": "clone3 and clone",
    "clone": "clone",
    "pread64": "pread64",
    "pwrite64": "pwrite64",
    "pwrite64, process_vm_writev": "pwrite64 and process_vm_writev",
}
#: What is to be done about errors that have nothing to do with the process.
_REMEDIES = {
    errno.EMFILE: ". This process has no free descriptor: close files, or raise RLIMIT_NOFILE "
    "(ulimit -n)",
    errno.ENFILE: ". The system has no free descriptor (fs.file-max)",
    errno.EAGAIN: ". No further process or thread may be made: a limit of them is reached "
    "(RLIMIT_NPROC, ulimit -u; pids.max of the cgroup; kernel.threads-max), or memory for a stack "
    "is short (RLIMIT_AS, ulimit -v). End some, or raise the limit",
    errno.EROFS: ". /proc is mounted read-only here, and memory is written through it: mount it "
    "with rw",
}
#: Those that only stopping a process takes.
_STOPPING = ("ptrace(PTRACE_SEIZE)", "waitid", "eventfd2", "pthread_create")


def opening_failed(
    failure: str, os_error: int, operation: str | None, detail: int, subject: object
) -> BaseException:
    """Return the exception for a failed attach or launch.

    subject: for an attach the pid; for a launch the path that could not be used, of the program or
    the folder.
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
            + f". Every thread that had stopped was resumed{_more_time()}"
        )
    if failure == "tracer_ended":
        return errors.DebugEngineError(_tracer_ended(subject, detail))
    system = os.strerror(os_error) if os_error else "unknown error"
    if failure == "permission":
        return _permission(subject, operation, system)
    if failure == "exec":
        # OSError picks its subclass by errno: FileNotFoundError, PermissionError, ...
        return OSError(os_error, f"{system} ({operation})", str(subject))
    advice = _REMEDIES.get(os_error, "")
    if os_error == errno.EAGAIN and operation not in _CALLS:  # of target_linux.c, many times
        advice = ". It ran one program after another meanwhile (execve), or its threads ended: try "
        advice += "again"
    if operation == "waitid" and os_error == errno.EINVAL:
        advice += ". Suspending a process takes Linux 4.7, whose waitid(2) takes __WALL"
    suspended = IN_FORCE.get().passing("suspend", True)
    if os_error == errno.EROFS and suspended:
        advice += f", or open it {suspended}"
    return errors.DebugEngineError(f"could not open {subject}: {operation}: {system}{advice}")


def _more_time() -> str:
    words = IN_FORCE.get()
    timeout, running = words.argument("timeout"), words.passing("suspend", False)
    remedies = any_of(
        timeout and f"pass a longer {timeout}", running and f"let it run on {running}"
    )
    return f": {remedies}" if remedies else ""


def _other_proc(subject: object, shown: int) -> str:
    """Explain why /proc can't identify a process by its id. shown: our own id there, or 0."""
    if shown == os.getpid():
        why = f"/proc/{subject} is covered by the folder of another process (a bind mount)"
        remedy = f"umount /proc/{subject}"
    else:
        why = (
            f"/proc was mounted for another pid namespace, where this process is {shown} and not "
            f"{os.getpid()}"
            if shown
            else "/proc does not show this process: it was mounted for another pid namespace"
            if os.path.lexists("/proc/self")
            else "/proc is not mounted here"
        )
        remedy = (
            "mount the /proc of this namespace (unshare --mount-proc; mount -t proc proc /proc), "
            "or enter the target's mount namespace, too (nsenter -m -p)"
        )
    return f"which process {subject} is can't be told, and nothing was opened: {why}. {remedy}"


def _opening(path: str) -> int:
    """Return the errno of opening a file for reading, or 0."""
    try:
        FileDescriptor(os.open, path, os.O_RDONLY | os.O_CLOEXEC).close()
    except not_from_handler(OSError) as error:
        return error.errno or errno.EIO
    return 0


def _tracer_ended(subject: object, number: int) -> str:
    name = next((each.name for each in signal.Signals if each == number), f"signal {number}")
    text = (
        f"could not open {subject}: the tracer, a process of this package that shares the memory "
        f"of this process, was ended by {name} before it had stopped the process. Every thread "
        "was resumed"
    )
    if name == "SIGSYS":
        text += ". A seccomp filter can do so: it kills a process that makes a certain system call"
    running = IN_FORCE.get().passing("suspend", False)
    return text + (f". Open it {running}" if isinstance(subject, int) and running else "")


def _thread_state(process: object, thread: int) -> str:
    state = status_fields(f"/proc/{process}/task/{thread}/status").get("State", "did not stop")
    frozen = _frozen(process)
    if frozen:
        return f"is frozen by the cgroup freezer ({frozen}), and stops when it is thawed"
    if state.startswith("D"):
        return (
            f"is in uninterruptible sleep ({state}), where nothing can stop it; a vfork() parent "
            "sleeps so, and a thread that waits for a device"
        )
    return f"did not stop (state {state})"


def _frozen(process: object) -> str:
    """Return the file that shows a frozen process (cgroup-v1/freezer-subsystem), or "".

    A process that the freezer of cgroup v2 has frozen can be traced.
    """
    folders = [
        line.rstrip().split(":", 2)[2]
        for line in _read(f"/proc/{process}/cgroup").splitlines()
        if "freezer" in line.split(":", 2)[1].split(",")
    ]
    for line in _read("/proc/self/mountinfo").splitlines() if folders else []:
        before, _, after = line.partition(" - ")
        kind, _, options = after.partition(" ")
        if kind != "cgroup" or "freezer" not in options.rpartition(" ")[2].split(","):
            continue
        root, mounted = before.split(" ")[3:5]
        file = f"{mounted}{folders[0].removeprefix(root.rstrip('/'))}/freezer.state"
        if _read(file) in ("FROZEN", "FREEZING"):
            return file
    return ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except not_from_handler(OSError):
        return ""


def _tracer(process: int) -> str:
    """Name the tracer of a process, and what to do. host.c gives a session's tracer its name."""
    status = status_fields(f"/proc/{process}/status")
    if status.get("Name") == "pydbgwrite" and os.getpid() in (
        int(status.get("PPid", "0")),
        int(status.get("Tgid", "0")),
    ):
        return (
            "a session of this Python, this very process, has it open: close that session first "
            "(session.close()), or use it; a notebook cell that was run before may have left it"
        )
    # TracerPid is the number of a thread (fs/proc/array.c).
    ours = os.path.exists(f"/proc/self/task/{process}")
    name = "this very process, by a thread that is no session's," if ours else f"process {process}"
    return f"{name} traces it already (TracerPid): a process has one tracer; detach that first"


_override: list[str] = []


def force_override() -> str:
    """Return the kernel's setting of forced writes (proc_mem.force_override), or "".

    It is that of the boot, and is read once: a rollout asks for each process.
    """
    if not _override:
        _override.append(_read_override())
    return _override[0]


def _read_override() -> str:
    for word in _read("/proc/cmdline").split():
        if word.startswith("proc_mem.force_override="):
            return word.partition("=")[2]
    return ""


def user_namespace() -> str:
    """Return the user namespace of this process; "" if it is the initial one."""
    try:
        name = os.readlink("/proc/self/ns/user")
    except not_from_handler(OSError):
        return ""
    return "" if name == _FIRST_USER_NAMESPACE else name


def _bits(status: dict[str, str], name: str) -> int:
    return int(status.get(name, "0"), 16)


def _permission(subject: object, operation: str | None, system: str) -> errors.TargetAccessError:
    """Name every reason that can be seen, each with its remedy.

    subject: the pid of an attach, or the path of a launch, whose process has ended.
    """
    if operation == "open(/proc/self/status)":  # by which /proc is known as that of this process
        return errors.TargetAccessError(
            f"which process {subject} is can't be told, and nothing was opened: this process can't "
            f"read /proc/self/status ({system}). Landlock or another security module forbids it: "
            "allow it to read /proc"
        )
    own = status_fields("/proc/self/status")
    call = _CALLS.get(operation or "")
    reasons = []
    if call is None or call == "ptrace":
        reasons += _of_process(subject, operation, own)
    if call is not None and own.get("Seccomp", "0") == "2":
        reasons.append(_of_filter(subject, operation, call))
    if call == "ptrace" and _read("/sys/fs/selinux/booleans/deny_ptrace").startswith("1"):
        reasons.append("SELinux forbids tracing: setsebool deny_ptrace off, as root")
    said = "Seen: " + "; ".join(reasons)
    if not reasons:
        said = "/proc does not show the reason. "
        if call is not None and call != "ptrace":
            said += f"The kernel or a security module refuses {call} to this process"
        elif _bits(own, "CapEff") >> _CAP_SYS_PTRACE & 1:
            said += (
                "This process has CAP_SYS_PTRACE: Landlock or another security module may forbid it"
            )
        else:
            said += (
                "Landlock or another security module may forbid it, or it is not dumpable; with "
                "CAP_SYS_PTRACE it may work"
            )
    what = "no access to process" if isinstance(subject, int) else "could not launch"
    return errors.TargetAccessError(f"{what} {subject}: {operation}: {system}. {said}")


def _of_filter(subject: object, operation: str | None, call: str) -> str:
    """Return the advice for a script under a seccomp filter, whose rules can't be read."""
    text = (
        f"this process runs under a seccomp filter, as in a container, which may refuse {call}: "
        "allow that there"
    )
    if call == "ptrace":
        text += " (docker run --cap-add=SYS_PTRACE)"
    words = IN_FORCE.get()
    running, suspended = words.passing("suspend", False), words.passing("suspend", True)
    if isinstance(subject, int) and operation in _STOPPING and running:
        text += f", or open it {running}, which needs no such call"
    if operation == "pwrite64" and suspended:
        text += f"; {suspended} process_vm_writev is called instead"
    return text


def _of_process(subject: object, operation: str | None, own: dict[str, str]) -> list[str]:
    """Return the reasons seen in the target's state and in this process's permissions."""
    # Of a launch there is nothing to see in /proc any more: no such file, no such reasons.
    status = status_fields(f"/proc/{subject}/status") if isinstance(subject, int) else {}
    words = IN_FORCE.get()
    capable = bool(_bits(own, "CapEff") >> _CAP_SYS_PTRACE & 1)
    reasons = []
    tracer = status.get("TracerPid", "0")
    if (
        tracer != "0" and operation not in _FILES
    ):  # who may open its files may do so beside a tracer
        reasons.append(_tracer(int(tracer)))
    if operation == "open(/proc/PID)":
        reasons.append(
            "/proc hides the processes of others (hidepid in its mount options, proc(5)): run as "
            "its user or as root, or in the group that the option gid= names"
        )
    scope = _read("/proc/sys/kernel/yama/ptrace_scope")
    if scope in ("1", "2") and not capable:
        launch = words.function("launch") if scope == "1" else ""
        remedies = any_of(
            launch and f"start the program from this process ({launch})",
            "run as root",
            "give the interpreter CAP_SYS_PTRACE",
            "set the scope to 0 (sysctl kernel.yama.ptrace_scope=0)",
        )
        who = "only descendants may be traced" if scope == "1" else "only CAP_SYS_PTRACE may trace"
        reasons.append(f"kernel.yama.ptrace_scope is {scope}: {who}; {remedies}")
    elif scope == "3":
        reasons.append("kernel.yama.ptrace_scope is 3: nobody may trace until the machine restarts")
    reasons += _of_user_namespace(subject, status)
    if not capable:
        reasons += _of_credentials(subject, status, own)
    return reasons + _of_file(subject, operation, own, traceable=not reasons)


def _of_user_namespace(subject: object, status: dict[str, str]) -> list[str]:
    ours = user_namespace()
    if not ours or not status:
        return []
    try:
        its = os.readlink(f"/proc/{subject}/ns/user")
    except not_from_handler(OSError):  # as for each process outside
        its = ""
    if its == ours:
        return []
    return [
        f"this process is in a user namespace ({ours}): its capabilities hold only there, and a "
        "process outside can't be traced. Run this where the process runs"
    ]


def _of_credentials(subject: object, status: dict[str, str], own: dict[str, str]) -> list[str]:
    """Return the reasons that require CAP_SYS_PTRACE (ptrace(2), "Ptrace access mode checking")."""
    reasons = []
    for name, what in (("Uid", "user"), ("Gid", "group")):
        ours = own.get(name, "").split()[:1]  # the real one
        others = [each for each in status.get(name, "").split()[:3] if [each] != ours]
        if ours and others:
            reasons.append(
                f"it runs as {what} {others[0]}, this process as {ours[0]}: run as that {what} or "
                "as root, or with CAP_SYS_PTRACE"
            )
    if not isinstance(subject, int):
        # Of a launch, whose child has the memory of this script until its execve.
        effective, owner = own.get("Uid", "").split()[1:2], _owner("/proc/self/stat")
        if effective and owner is not None and [str(owner)] != effective:
            reasons.append(
                "this script is not dumpable, as after a change of its user, and so its children "
                "can't be traced before they run another program: call prctl(PR_SET_DUMPABLE, 1), "
                "or run it as root, or with CAP_SYS_PTRACE"
            )
    if reasons or not status:
        return reasons
    more = _bits(status, "CapPrm") & ~_bits(own, "CapPrm")
    if more:
        reasons.append(
            f"it has capabilities that this process lacks (0x{more:x} of CapPrm in "
            f"/proc/{subject}/status): run as root, or with CAP_SYS_PTRACE"
        )
    owner = _owner(f"/proc/{subject}/stat")
    effective = status.get("Uid", "").split()[1:2]
    if owner is not None and effective and str(owner) != effective[0]:
        # The kernel gives the files of such a process to root (fs/proc/base.c, task_dump_owner).
        reasons.append(
            f"the process is not dumpable (prctl PR_SET_DUMPABLE, or it was set-user-id; its "
            f"files in /proc belong to user {owner}): run as root, or with CAP_SYS_PTRACE"
        )
    return reasons


def _owner(path: str) -> int | None:
    try:
        return os.stat(path).st_uid
    except not_from_handler(OSError):
        return None


def _of_file(
    subject: object, operation: str | None, own: dict[str, str], *, traceable: bool
) -> list[str]:
    """Return the reasons for files that only the process's user may open, even with CAP_SYS_PTRACE.

    traceable: nothing forbids tracing the process, so access without the file is possible.
    """
    name = _FILES.get(operation or "", "")
    path = f"/proc/{subject}/{name}"
    owner = _owner(path) if name else None
    if owner is None:
        return []
    # What takes the file, and can be left out.
    without = IN_FORCE.get().passing("suspend", True) if name == "mem" else "without a journal"
    advice = f"; {without} no such file is needed" if without and traceable else ""
    if owner != os.geteuid() and not _bits(own, "CapEff") >> _CAP_DAC_OVERRIDE & 1:
        return [
            f"{path} belongs to user {owner}, this process is user {os.geteuid()}, and lacks "
            "CAP_DAC_OVERRIDE: run as that user or as root, or give the interpreter "
            f"CAP_DAC_OVERRIDE and CAP_SYS_PTRACE{advice}"
        ]
    if name == "mem" and _opening(path) == 0:
        return [
            f"{path} can be opened for reading and not for writing: Landlock or another security "
            f"module forbids that{advice}"
        ]
    return []
