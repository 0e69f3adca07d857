"""The reasons why a session of Microsoft's engine could not be opened, with advice."""

from __future__ import annotations

import re
import sys

from pydbgwrite import errors, hresults
from pydbgwrite._messages.spelling import IN_FORCE

__all__ = ["FORMS", "opening_failed", "without_password"]

# "Activating a Debugging Client" and "Activating a Smart Client" of the Windows Debugger's
# documentation, and the options of its -k.
_SERVER = (
    "A server is given as tcp:server=HOST,port=PORT or npipe:server=HOST,pipe=NAME, with "
    ",password=WORD behind it if it has a password"
)
#: By the function that takes it: the form of a right connection string.
FORMS = {
    "attach_kernel": (
        "A kernel is given as net:port=PORT,key=KEY, com:port=COM1,baud=115200 or "
        r"com:pipe,port=\\.\pipe\NAME"
    ),
    "connect": _SERVER,
    "process_server": _SERVER,
}

# Without a host, a port or a pipe the engine tries the host "localhost", the port 0, or any pipe.
_COMPLETE = re.compile(
    r"(?i)(tcp|ssl):(?=.*\b(server|clicon)=[^,])(?=.*\bport=\d)"
    r"|(npipe|spipe):(?=.*\bserver=[^,])(?=.*\bpipe=[^,])"
    r"|(?!tcp|ssl|npipe|spipe)"
)
_E_ACCESSDENIED = 0x80070005
_E_INVALIDARG = 0x80070057
_E_FAIL = 0x80004005
_FACILITY_RPC = 0x80010000  # a connection of the engine's that has broken answers with these
_NEW_PROCESS = "start a new process"


def without_password(options: str) -> str:
    """Return the options of a server, or of a connection to one, less their password."""
    kind, colon, rest = options.partition(":") if ":" in options else ("", "", options)
    kept = (e for e in rest.split(",") if e.partition("=")[0].strip().lower() != "password")
    return f"{kind}{colon}{','.join(kept)}"


def opening_failed(
    call: str, failure: str, hresult: int, os_error: int, operation: str | None, subject: object
) -> BaseException:
    """Return the exception for a failed opening of a pid, command line, path or options."""
    if call in ("connect", "process_server"):
        subject = without_password(str(subject))
    if failure == "busy":
        return errors.SessionBusyError(
            "this process has an open session of Microsoft's engine, which can have one at a time: "
            "close that first, or open this one in another process. connect() can have several. "
            "(An open_dump() that was given up, and a process server that did not answer in time, "
            "count until the engine has come back from them)"
        )
    if failure == "lost":
        return errors.DebugEngineError(
            "an attach_kernel() of this process is still waiting for its kernel, and can't be "
            f"called back: {_NEW_PROCESS} to open anything else with Microsoft's engine"
        )
    if failure == "no_process":
        return errors.NoTargetError(f"there is no process {subject}, or it has just ended")
    if failure == "own_process":
        return ValueError(
            f"{subject} is this very process; a process can't stop itself to be patched. Use "
            "ctypes to write to your own memory"
        )
    if failure == "other_bitness":
        return errors.TargetAccessError(
            f"process {subject} is a 64-bit one: a 32-bit Python can't write to it. Use a 64-bit "
            "Python, which can write to both"
        )
    if failure == "no_target":
        return errors.NoTargetError(
            f"the server at {subject} has no target that can be accessed now: it runs, or there "
            "is none",
            hresult=hresult,
            hresult_name=hresults.name_of(hresult),
            method=operation,
        )
    if failure == "timeout":
        return TimeoutError(_timeout(call, subject))
    if failure == "system":
        return OSError(None, f"{operation} failed for {subject}", None, os_error)
    return _engine(call, hresult, operation, subject)


def _timeout(call: str, subject: object) -> str:
    timeout = IN_FORCE.get().argument("timeout")
    more = f"Pass a longer {timeout}. " if timeout else ""
    if call == "attach_kernel":
        return (
            f"no kernel answered at {subject} in time. The engine goes on waiting and can't be "
            f"called back: {_NEW_PROCESS} to try again, or to open anything else with it"
        )
    if call in ("connect", "process_server"):
        return f"nothing answered at {subject} in time. {more}Check that server"
    if call == "attach":
        return (
            f"process {subject} could not be stopped in time; it was detached again. {more}"
        ).rstrip()
    did = IN_FORCE.get().opening(call, subject)
    return f"{did} was not ready in time; the attempt was abandoned. {more}".rstrip()


def _engine(call: str, hresult: int, operation: str | None, subject: object) -> BaseException:
    code = hresult & 0xFFFF if hresult & 0xFFFF0000 == 0x80070000 else 0
    if call == "launch" and code and sys.platform == "win32":
        import ctypes

        # OSError picks its subclass by the system's number: FileNotFoundError and so on.
        return OSError(None, f"{ctypes.FormatError(code)} ({operation})", str(subject), code)
    kind: type[errors.DebugEngineError] = errors.DebugEngineError
    advice = ""
    if hresult == _E_ACCESSDENIED:
        kind = errors.TargetAccessError
        advice = (
            ". The system refuses processes of other users, protected ones, and those that have a "
            "debugger already; try as administrator"
        )
    elif hresult & 0xFFFF0000 == _FACILITY_RPC:
        kind = errors.NoTargetError
        advice = ". The server no longer answers: it has ended, or the connection is lost"
    elif call in ("attach", "connect", "process_server"):
        kind = errors.NoTargetError
    elif call == "open_dump":
        advice = ". The file is not a dump, or is truncated"
        kind = errors.NoTargetError
    if call in FORMS and (hresult in (_E_INVALIDARG, _E_FAIL) or not _COMPLETE.match(str(subject))):
        advice = f". {FORMS[call]}"
    return kind(
        f"{IN_FORCE.get().opening(call, subject)} failed: {operation} "
        f"({hresults.describe(hresult)}){advice}",
        hresult=hresult,
        hresult_name=hresults.name_of(hresult),
        method=operation,
    )
