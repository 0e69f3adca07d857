"""Opening sessions: attach, launch, open_dump, attach_kernel, connect, process_server, simulate.

What an argument may be is checked (arguments.py) on every platform before C is entered. What
there is on one platform alone is in linux.py and dbgeng.py.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Final, SupportsIndex, TypeAlias

from pydbgwrite import _core
from pydbgwrite._opening.arguments import (
    check_program,
    taken_options,
    taken_pid,
    taken_pointer_size,
    taken_region,
    taken_timeout,
)
from pydbgwrite._opening.process_server import ProcessServer
from pydbgwrite._session import Session
from pydbgwrite.errors import EngineNotFoundError

if TYPE_CHECKING:
    from _typeshed import StrOrBytesPath, StrPath

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

#: (base, size) or (base, size, "rw" / "r" / "none").
RegionSpec: TypeAlias = tuple[int, int] | tuple[int, int, str]

#: What launch() takes for stdin, stdout and stderr.
_File: TypeAlias = int | IO[bytes] | IO[str] | None


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

    With suspend=True all its threads stand still until the session ends; then it goes on as it was
    found. With suspend=False it runs on, and a write of more than one pointer is seen by it piece
    by piece. On Linux the embedded engine works on it, on Windows Microsoft's.

    pid: of a process other than this one.
    invasive: Windows only (ValueError on Linux): be the process's debugger, which stops it at a
        breakpoint in a thread of its own. Otherwise its threads are just suspended.
    suspend: stop it for the life of the session. invasive=True always does.
    writable: False means that every write raises ReadOnlyError; on Linux nothing is opened for
        writing then.
    timeout: seconds to wait for the process to stop; math.inf waits for ever. Ctrl-C works. Where a
        tracer that has been killed holds it, its end is waited for too.
    engine: Windows only: the folder of dbgeng.dll, an absolute path. Where None: the folder that
        the environment variable PYDBGWRITE_DBGENG names, else the Windows SDK's, else System32. A
        process has one engine: the first that is loaded stays.
    pointer_size: 4 has the target's pointers taken as 32-bit ones. Where None, they are as wide as
        the program says: on Windows a 32-bit program under 64-bit Windows (WOW64) has 4 bytes.

    Raises NoTargetError (no such process, or it has ended), TargetAccessError (no permission; the
    message says why and what to do), TimeoutError (it would not stop: all was let go),
    SessionBusyError (on Windows, where another session of Microsoft's engine is open in this
    process), EngineNotFoundError, TypeError or ValueError for arguments that mean nothing, such as
    pointer_size=8 for a 32-bit process.

    Behind it: ptrace(2) PTRACE_SEIZE and PTRACE_INTERRUPT, process_vm_writev(2), proc_pid_mem(5);
    IDebugClient::AttachProcess and IDebugControl::WaitForEvent (MicrosoftDocs,
    nf-dbgeng-idebugclient-attachprocess).
    """
    number = taken_pid(pid, 2**32 if sys.platform == "win32" else 2**31)
    size = None if pointer_size is None else taken_pointer_size(pointer_size)
    seconds = taken_timeout(timeout)
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
        from pydbgwrite._opening import linux_tracers

        session = linux_tracers.attach(number, bool(suspend), bool(writable), seconds)
    else:
        raise _no_engine("attach")
    if size is not None:
        set_pointer_size(session, size)
    return session


def launch(
    args: Sequence[StrOrBytesPath],
    *,
    cwd: StrOrBytesPath | None = None,
    env: Mapping[str, str] | None = None,
    stdin: _File = None,
    stdout: _File = None,
    stderr: _File = None,
    writable: bool = True,
    timeout: float = DEFAULT_TIMEOUT,
    engine: StrPath | None = None,
) -> Session:
    """Start a program and open it before its first instruction runs, to patch its own image.

    On Linux it is stopped at the end of execve(2): the program and its loader are mapped, shared
    libraries are not yet. It is a child of this process: os.waitpid(session.pid, 0) collects its
    exit status, unless the session has. After terminate(), or where the process died while the
    session was open and close() came then, os.waitpid raises ChildProcessError.

    On Windows it is stopped at the initial breakpoint: the libraries that it links with are mapped,
    and its own code has not run. detach() or close() lets it go on, terminate() ends it.

    args: program and arguments; a program without a slash is looked for on PATH. On Windows they
        are quoted as subprocess.list2cmdline() does.
    cwd: working folder; env: the whole environment, this process's where None.
    stdin, stdout, stderr: Linux only (ValueError on Windows, whose engine has no call that takes
        them): a file or its descriptor; this process's where None.
    writable, timeout, engine: as for attach().

    Raises OSError (FileNotFoundError, PermissionError, ...) where the program can't be started, and
    what attach() raises.

    Behind it: execve(2), ptrace(2); IDebugClient5::CreateProcess2Wide with DEBUG_ONLY_THIS_PROCESS
    (MicrosoftDocs, nf-dbgeng-idebugclient5-createprocess2wide).
    """
    check_program(args, cwd, env)
    seconds = taken_timeout(timeout)
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
    """Open a dump file (Windows only), to read from.

    path: of a user-mode or kernel dump. Writing to a dump is not applied by the engine, which says
        so by a success code: it raises WriteNotAppliedError here.
    writable, timeout, engine: as for attach().

    Raises OSError where the file can't be opened, ValueError where it is a pipe or a device,
    NoTargetError where it is no dump or cut off, and what attach() raises; on Linux
    EngineNotFoundError. After TimeoutError (or Ctrl-C) the engine reads on in the background; until
    it has come back, openings in this process raise SessionBusyError.

    Behind it: IDebugClient4::OpenDumpFileWide (MicrosoftDocs,
    nf-dbgeng-idebugclient4-opendumpfilewide).
    """
    file = os.fsdecode(path)
    seconds = taken_timeout(timeout)
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
    r"""Open the kernel of another machine (Windows only), which stops until the session ends.

    options: how to reach it, as for kd -k: "net:port=50000,key=1.2.3.4" or
        "com:pipe,port=\\\\.\\pipe\\com_1".
    writable, engine: as for attach().
    timeout: seconds to wait for it to answer. The engine can't be called back from this wait: after
        TimeoutError (or Ctrl-C) it goes on in the background, and every later opening with it in
        this process raises DebugEngineError. Start a new process then.

    Raises TimeoutError, DebugEngineError where the options mean nothing to the engine, and what
    attach() raises; on Linux EngineNotFoundError.

    Should the connection break later on, the engine tries again for ever, and the call that was
    under way does not come back.

    Behind it: IDebugClient5::AttachKernelWide and IDebugControl::WaitForEvent, without a limit, on
    a thread of its own (MicrosoftDocs, nf-dbgeng-idebugclient5-attachkernelwide).
    """
    text = taken_options(options)
    seconds = taken_timeout(timeout)
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
    """Join the session of another debugger (Windows only): WinDbg's .server, or Session.serve().

    options: where it is, such as "tcp:server=host,port=5005,password=secret". The whole write goes
        there in one message, and its engine does the work. Trust that server: the protocol protects
        neither side from the other.
    writable, timeout, engine: as for attach(). Several connections may be open at once.

    The target is the server's: close() and detach() leave it as it is; terminate() ends it.

    Raises NoTargetError where nothing answers there, or nothing is being debugged; TimeoutError;
    and what attach() raises; on Linux EngineNotFoundError.

    Behind it: DebugConnectWide and IDebugClient::ConnectSession (MicrosoftDocs,
    nf-dbgeng-debugconnectwide).
    """
    text = taken_options(options)
    seconds = taken_timeout(timeout)
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
    """Connect to a process server (dbgsrv.exe; Windows only), to work on that machine's processes.

    options: where it is, such as "tcp:server=host,port=5005".
    timeout, engine: as for attach().

    Returns a ProcessServer, a context manager with attach() and launch(). Here the engine works on
    this side: write_pointers() costs one round trip a pointer.

    Raises NoTargetError where nothing answers there, TimeoutError, EngineNotFoundError (on Linux
    always).

    Behind it: IDebugClient5::ConnectProcessServerWide (MicrosoftDocs,
    nf-dbgeng-idebugclient5-connectprocessserverwide).
    """
    text = taken_options(options)
    seconds = taken_timeout(timeout)
    if sys.platform == "win32":
        from pydbgwrite._opening import dbgeng

        return dbgeng.process_server(text, seconds, engine)
    raise _windows_only("process_server", engine)


def simulate(
    regions: Iterable[RegionSpec], *, pointer_size: int = 8, writable: bool = True
) -> Session:
    """Open simulated memory: a place to try patches on, on any platform.

    regions: (base, size) or (base, size, protection), in bytes, in any order, without overlaps;
        protection is "rw" (the default), "r" or "none". All bytes are 0 at first. Memory is used
        only for what is written, so regions may be as large as an address space.
    pointer_size: of the target, 8 or 4.
    writable: False makes every write raise ReadOnlyError.

    It answers as the genuine engine was seen to answer (docs/engine.md). pydbgwrite.testing makes
    it fail on demand.

    Raises TypeError or ValueError for regions that make no sense.
    """
    width = taken_pointer_size(pointer_size)
    limit = 1 << (8 * width)
    checked = sorted(taken_region(each, index, limit) for index, each in enumerate(regions))
    for before, after in itertools.pairwise(checked):
        if before[0] + before[1] > after[0]:
            raise ValueError(
                f"regions overlap: 0x{before[0]:x} has {before[1]:,} bytes, "
                f"and another begins at 0x{after[0]:x}"
            )
    return _core.simulate(Session, checked, width, bool(writable))


def set_pointer_size(session: Session, size: int) -> None:
    """Override the target's pointer size, or close the session and raise."""
    try:
        session._set_pointer_size(size)
    except BaseException:
        session.close()
        raise


def _windows_only(call: str, engine: StrPath | None) -> EngineNotFoundError:
    """The error of calls that there are on Windows alone."""
    _refuse(engine=engine)
    return EngineNotFoundError(
        f"{call}() needs Microsoft's debugger engine (dbgeng.dll), which there is on Windows "
        f"alone; this is {sys.platform}. attach() and launch() work on Linux, simulate() everywhere"
    )


def _refuse(**arguments: object) -> None:
    """ValueError for what was given although this platform has no use for it."""
    for name, value in arguments.items():
        if value is not None:
            raise ValueError(f"{name}= is for Windows: here the embedded engine works")


def _no_engine(call: str) -> EngineNotFoundError:
    return EngineNotFoundError(
        f"{call}() has no engine for live processes on {sys.platform} in this version of "
        "pydbgwrite; simulate() works everywhere",
        written=0,
    )
