"""Opening sessions: attach, launch, open_dump, attach_kernel, connect, process_server, simulate.

What an argument may be is checked (arguments.py) on every platform before C is entered. What
there is on one platform alone is in linux.py and dbgeng.py.
"""

from __future__ import annotations

import os
import sys

from pydbgwrite import _core
from pydbgwrite._opening.arguments import (
    check_program,
    validate_options,
    validate_pid,
    validate_pointer_size,
    validate_region,
    validate_timeout,
)
from pydbgwrite._session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import IO, Final, SupportsIndex

    from _typeshed import StrOrBytesPath, StrPath

    from pydbgwrite._opening.arguments import RegionSpec
    from pydbgwrite._opening.process_server import ProcessServer
    from pydbgwrite.errors import EngineNotFoundError


__all__ = [
    "DEFAULT_TIMEOUT",
    "attach",
    "attach_kernel",
    "connect",
    "launch",
    "open_dump",
    "process_server",
    "simulate",
]

#: Seconds that an opening may take, where nothing else is said.
DEFAULT_TIMEOUT: Final = 10.0


def attach(
    pid: SupportsIndex,
    *,
    invasive: bool = False,
    suspend: bool = True,
    writable: bool = True,
    timeout: float = DEFAULT_TIMEOUT,
    engine: StrPath | None = None,
    pointer_size: int | None = None,
) -> Session:
    """Open a live process.

    With suspend=True all its threads are suspended until the session ends, and then resumed. With
    suspend=False it keeps running and can see a write of more than one pointer half done. The
    engine is the embedded one on Linux and Microsoft's on Windows.

    Engine calls: ptrace(2) PTRACE_SEIZE and PTRACE_INTERRUPT, process_vm_writev(2),
    proc_pid_mem(5); IDebugClient::AttachProcess and IDebugControl::WaitForEvent (MicrosoftDocs,
    nf-dbgeng-idebugclient-attachprocess).

    Args:
        pid: The process id. It must not be this process.
        invasive: Windows only. True makes this process the target's debugger, which stops the
            target at a breakpoint in a thread of its own. False suspends its threads.
        suspend: Suspend the target for the life of the session. invasive=True always does.
        writable: False makes every write raise ReadOnlyError. On Linux nothing is opened for
            writing then.
        timeout: Seconds to wait for the process to stop; math.inf waits without limit. Ctrl-C ends
            the wait. The time includes waiting for the end of a killed tracer that still holds it.
        engine: Windows only. The folder of dbgeng.dll, an absolute path. The default is the folder
            in the environment variable PYDBGWRITE_DBGENG, then the Windows SDK's, then System32. A
            process has one engine: the first one loaded stays.
        pointer_size: 4 treats the target's pointers as 32-bit. By default the program decides: a
            32-bit program under 64-bit Windows (WOW64) has 4-byte pointers.

    Returns:
        The session, a context manager.

    Raises:
        NoTargetError: There is no such process, or it has ended.
        TargetAccessError: The system refuses access. The message says why and what to do.
        TimeoutError: The process does not stop in time. It is resumed.
        SessionBusyError: Windows: another session of Microsoft's engine is open in this process.
        EngineNotFoundError: Windows: there is no dbgeng.dll. The message lists every path tried.
        TypeError, ValueError: An argument is not valid here, such as `invasive` on Linux, or
            pointer_size=8 for a 32-bit process.
    """
    number = validate_pid(pid, 2**32 if sys.platform == "win32" else 2**31)
    size = None if pointer_size is None else validate_pointer_size(pointer_size)
    seconds = validate_timeout(timeout)
    if sys.platform == "win32":
        from pydbgwrite._opening import dbgeng

        session = dbgeng.attach(
            None, number, bool(invasive), bool(suspend), bool(writable), seconds, engine
        )
    elif sys.platform.startswith("linux"):
        _refuse(engine=engine)
        if invasive:
            raise ValueError(
                "invasive=True is for Windows: on Linux a process is stopped with suspend=True"
            )
        from pydbgwrite._opening import linux

        session = linux.attach(number, bool(suspend), bool(writable), seconds)
    else:
        raise _no_engine("attach")
    if size is not None:
        session._override_pointer_size(size)
    return session


def launch(
    args: Sequence[StrOrBytesPath],
    *,
    cwd: StrOrBytesPath | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int | IO[bytes] | IO[str] | None = None,
    stdout: int | IO[bytes] | IO[str] | None = None,
    stderr: int | IO[bytes] | IO[str] | None = None,
    writable: bool = True,
    timeout: float = DEFAULT_TIMEOUT,
    engine: StrPath | None = None,
) -> Session:
    """Start a program and open it before its first instruction runs, to patch its own image.

    On Linux the program is stopped at the end of execve(2): the program and its loader are mapped,
    shared libraries are not. It is a child of this process: os.waitpid(session.pid, 0) collects its
    exit status unless the session has collected it. The session collects it in terminate(), and in
    close() if the process died while the session was open; os.waitpid then raises
    ChildProcessError.

    A set-user-id program, or one with file capabilities, gets no privilege under a tracer without
    CAP_SYS_PTRACE. A RuntimeWarning says so.

    On Windows the program is stopped at the initial breakpoint: its libraries are mapped, and its
    own code has not run. detach() or close() resumes it, terminate() ends it.

    Engine calls: execve(2), ptrace(2); IDebugClient5::CreateProcess2Wide with
    DEBUG_ONLY_THIS_PROCESS (MicrosoftDocs, nf-dbgeng-idebugclient5-createprocess2wide).

    Args:
        args: The program and its arguments. A program without a slash is looked up on PATH. On
            Windows they are quoted as subprocess.list2cmdline() quotes them.
        cwd: The working folder; by default this process's.
        env: The whole environment; by default this process's.
        stdin, stdout, stderr: Linux only. A file or a file descriptor; by default this process's.
            Microsoft's engine has no call that takes them.
        writable, timeout, engine: As for attach.

    Returns:
        The session, a context manager.

    Raises:
        OSError: The program can't be started (FileNotFoundError, PermissionError and others).
        NoTargetError, TargetAccessError, TimeoutError, SessionBusyError: As for attach.
        EngineNotFoundError, TypeError, ValueError: As for attach.
    """
    check_program(args, cwd, env)
    seconds = validate_timeout(timeout)
    if sys.platform == "win32":
        from pydbgwrite._opening import dbgeng

        for name, file in (("stdin", stdin), ("stdout", stdout), ("stderr", stderr)):
            if file is not None:
                raise ValueError(
                    f"{name}= is for Linux: the engine's CreateProcess has no way to take it"
                )
        return dbgeng.launch(None, args, cwd, env, bool(writable), seconds, engine)
    if sys.platform.startswith("linux"):
        from pydbgwrite._opening import linux

        _refuse(engine=engine)
        return linux.launch(args, cwd, env, (stdin, stdout, stderr), bool(writable), seconds)
    raise _no_engine("launch")


def open_dump(
    path: StrOrBytesPath,
    *,
    writable: bool = True,
    timeout: float = DEFAULT_TIMEOUT,
    engine: StrPath | None = None,
) -> Session:
    """Open a dump file for reading (Windows only).

    The engine does not apply writes to a dump, and answers them with a success code: here they
    raise WriteNotAppliedError.

    Engine call: IDebugClient4::OpenDumpFileWide (MicrosoftDocs,
    nf-dbgeng-idebugclient4-opendumpfilewide).

    Args:
        path: A user-mode or kernel dump.
        writable, timeout, engine: As for attach.

    Returns:
        The session, a context manager.

    Raises:
        OSError: The file can't be opened.
        ValueError: The path names a pipe or a device.
        NoTargetError: The file is no dump, or is truncated.
        TimeoutError: The engine does not finish in time. It continues in the background, as after
            Ctrl-C; until it finishes, opening another target raises SessionBusyError.
        EngineNotFoundError: There is no dbgeng.dll; always on Linux.
        SessionBusyError, TypeError: As for attach.
    """
    file = os.fsdecode(path)
    seconds = validate_timeout(timeout)
    if sys.platform == "win32":
        from pydbgwrite._opening import dbgeng

        return dbgeng.open_dump(file, bool(writable), seconds, engine)
    raise _windows_only("open_dump", engine)


def attach_kernel(
    options: str,
    *,
    writable: bool = True,
    timeout: float = DEFAULT_TIMEOUT,
    engine: StrPath | None = None,
) -> Session:
    r"""Open the kernel of another machine, which stops until the session ends (Windows only).

    If the connection breaks later, the engine retries without limit, and the call in progress does
    not return.

    Engine calls: IDebugClient5::AttachKernelWide and IDebugControl::WaitForEvent, without a limit,
    on a thread of its own (MicrosoftDocs, nf-dbgeng-idebugclient5-attachkernelwide).

    Args:
        options: How to reach the kernel, as for kd -k: "net:port=50000,key=1.2.3.4" or
            "com:pipe,port=\\.\pipe\com_1".
        writable, engine: As for attach.
        timeout: Seconds to wait for the kernel to answer. The engine can't cancel this wait.

    Returns:
        The session, a context manager.

    Raises:
        TimeoutError: The kernel does not answer in time. The wait continues in the background, as
            after Ctrl-C, and every later opening with this engine raises DebugEngineError: start a
            new process.
        DebugEngineError: The engine does not accept the options.
        EngineNotFoundError: There is no dbgeng.dll; always on Linux.
        SessionBusyError, TypeError, ValueError: As for attach.
    """
    text = validate_options(options, "attach_kernel")
    seconds = validate_timeout(timeout)
    if sys.platform == "win32":
        from pydbgwrite._opening import dbgeng

        return dbgeng.attach_kernel(text, bool(writable), seconds, engine)
    raise _windows_only("attach_kernel", engine)


def connect(
    options: str,
    *,
    writable: bool = True,
    timeout: float = DEFAULT_TIMEOUT,
    engine: StrPath | None = None,
) -> Session:
    """Join the session of another debugger: WinDbg's .server, or Session.serve() (Windows only).

    A whole write goes to the server in one message, and its engine does the work. The target is the
    server's: close() and detach() leave it as it is; terminate() ends it. Several connections may
    be open at once. Connect only to a server that you trust: the protocol protects neither side
    from the other.

    Engine calls: DebugConnectWide and IDebugClient::ConnectSession (MicrosoftDocs,
    nf-dbgeng-debugconnectwide).

    Args:
        options: Where the server is, such as "tcp:server=host,port=5005,password=secret".
        writable, timeout, engine: As for attach.

    Returns:
        The session, a context manager.

    Raises:
        NoTargetError: Nothing answers there, or the server debugs nothing.
        TimeoutError: The server does not answer in time.
        EngineNotFoundError: There is no dbgeng.dll; always on Linux.
        TypeError, ValueError: As for attach.
    """
    text = validate_options(options, "connect")
    seconds = validate_timeout(timeout)
    if sys.platform == "win32":
        from pydbgwrite._opening import dbgeng

        return dbgeng.connect(text, bool(writable), seconds, engine)
    raise _windows_only("connect", engine)


def process_server(
    options: str,
    *,
    timeout: float = DEFAULT_TIMEOUT,
    engine: StrPath | None = None,
) -> ProcessServer:
    """Connect to a process server (dbgsrv.exe), to open its machine's processes (Windows only).

    The engine runs on this side: write_pointers() costs one round trip a pointer.

    Engine call: IDebugClient5::ConnectProcessServerWide (MicrosoftDocs,
    nf-dbgeng-idebugclient5-connectprocessserverwide).

    Args:
        options: Where the server is, such as "tcp:server=host,port=5005".
        timeout, engine: As for attach.

    Returns:
        A ProcessServer, a context manager with attach and launch.

    Raises:
        NoTargetError: Nothing answers there.
        TimeoutError: The server does not answer in time.
        EngineNotFoundError: There is no dbgeng.dll; always on Linux.
    """
    text = validate_options(options, "process_server")
    seconds = validate_timeout(timeout)
    if sys.platform == "win32":
        from pydbgwrite._opening import dbgeng
        from pydbgwrite._opening.process_server import ProcessServer

        return ProcessServer(text, dbgeng.connect_server(text, seconds, engine))
    raise _windows_only("process_server", engine)


def simulate(
    regions: Iterable[RegionSpec], *, pointer_size: int = 8, writable: bool = True
) -> Session:
    """Open simulated memory, to try patches on any platform.

    The simulated target answers as Microsoft's engine was seen to answer (docs/engine.md).
    pydbgwrite.testing makes it fail on demand.

    Args:
        regions: (base, size) or (base, size, protection), in bytes, in any order, without overlaps.
            The protection is "rw" (the default), "r" or "none". All bytes are 0 at first. Only what
            is written takes memory, so a region may be as large as an address space.
        pointer_size: The target's pointer size, 8 or 4.
        writable: False makes every write raise ReadOnlyError.

    Returns:
        The session, a context manager.

    Raises:
        TypeError, ValueError: The regions or the pointer size are not valid.
    """
    import itertools

    width = validate_pointer_size(pointer_size)
    limit = 1 << (8 * width)
    checked = sorted(validate_region(each, index, limit) for index, each in enumerate(regions))
    for before, after in itertools.pairwise(checked):
        if before[0] + before[1] > after[0]:
            raise ValueError(
                f"regions overlap: 0x{before[0]:x} has {before[1]:,} bytes, "
                f"and another begins at 0x{after[0]:x}"
            )
    return _core.simulate(Session, checked, width, bool(writable))


def _windows_only(call: str, engine: StrPath | None) -> EngineNotFoundError:
    """The error of calls that there are on Windows alone."""
    from pydbgwrite._messages.platforms import windows_only

    _refuse(engine=engine)
    return windows_only(call)


def _refuse(**arguments: object) -> None:
    """ValueError for what was given although this platform has no use for it."""
    for name, value in arguments.items():
        if value is not None:
            from pydbgwrite._messages.platforms import argument_for_windows

            raise argument_for_windows(name)


def _no_engine(call: str) -> EngineNotFoundError:
    from pydbgwrite._messages.platforms import no_live_engine

    return no_live_engine(call)
