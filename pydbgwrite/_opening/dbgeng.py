"""Opening sessions of Microsoft's engine: arguments as C takes them, and the interpreter's exit."""

from __future__ import annotations

import atexit
import errno
import os
import stat
import subprocess
import sys
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydbgwrite import _core
from pydbgwrite._dbgeng import load_engine
from pydbgwrite._session import Session
from pydbgwrite._signal_handlers import not_from_handler

if TYPE_CHECKING:
    from _typeshed import StrOrBytesPath, StrPath

assert sys.platform == "win32"

__all__ = ["attach", "attach_kernel", "connect", "connect_server", "launch", "open_dump"]

# Sessions that the exit of the interpreter would else leave with a target that stands still. No
# WeakSet: other threads change it while it is copied, which raises.
_open_sessions: set[weakref.ref[Session]] = set()


def attach(
    server: object,
    pid: int,
    invasive: bool,
    suspend: bool,
    writable: bool,
    timeout: float,
    engine: StrPath | None = None,
) -> Session:
    """Attach, here (server None) or through a process server."""
    if invasive and not suspend:
        raise ValueError(
            "suspend=False is for invasive=False: an invasive debugger always suspends its target"
        )
    load_engine(engine)
    return _kept(_core.dbgeng_attach(Session, server, pid, invasive, suspend, writable, timeout))


def launch(
    server: object,
    args: Sequence[StrOrBytesPath],
    cwd: StrOrBytesPath | None,
    env: Mapping[str, str] | None,
    writable: bool,
    timeout: float,
    engine: StrPath | None = None,
) -> Session:
    """Launch, here (server None) or through a process server."""
    line = subprocess.list2cmdline(
        [_text(each, f"args[{index}]") for index, each in enumerate(args)]
    )
    folder = None if cwd is None else _text(cwd, "cwd")
    variables = None if env is None else _environment(env)
    if folder is not None and server is None and not stat.S_ISDIR(os.stat(folder).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder)
    load_engine(engine)
    return _kept(_core.dbgeng_launch(Session, server, line, folder, variables, writable, timeout))


def open_dump(path: str, writable: bool, timeout: float, engine: StrPath | None) -> Session:
    """Open what pydbgwrite.open_dump() is asked for."""
    # Opening a pipe or a device might wait for ever.
    if not stat.S_ISREG(mode := os.stat(path).st_mode) and not stat.S_ISDIR(mode):
        raise ValueError(f"{path!r} is not a regular file")
    # Opened once here, for the system's own error where it can't be.
    with open(path, "rb"):
        pass
    load_engine(engine)
    return _kept(_core.dbgeng_open_dump(Session, os.path.abspath(path), writable, timeout))


def attach_kernel(options: str, writable: bool, timeout: float, engine: StrPath | None) -> Session:
    """Open what pydbgwrite.attach_kernel() is asked for."""
    load_engine(engine)
    return _kept(_core.dbgeng_attach_kernel(Session, options, writable, timeout))


def connect(options: str, writable: bool, timeout: float, engine: StrPath | None) -> Session:
    """Open what pydbgwrite.connect() is asked for."""
    load_engine(engine)
    return _kept(_core.dbgeng_connect(Session, options, writable, timeout))


def connect_server(options: str, timeout: float, engine: StrPath | None) -> object:
    """Return the connection of a ProcessServer."""
    load_engine(engine)
    return _core.dbgeng_process_server(options, timeout)


def _kept(session: Session) -> Session:
    """Register a session to be closed at exit: its target must not stay suspended."""
    if not _open_sessions:
        atexit.unregister(_end_sessions)
        atexit.register(_end_sessions)
    _open_sessions.add(weakref.ref(session, _open_sessions.discard))
    return session


def _end_sessions() -> None:
    for reference in list(_open_sessions):
        session = reference()
        if session is not None:
            session._end_at_exit()


def _text(path: StrOrBytesPath, what: str) -> str:
    text = os.fsdecode(path)
    if "\0" in text:
        raise ValueError(f"{what}: embedded null character in {text!r}")
    return text


def _environment(env: Mapping[str, str]) -> str:
    """Return the block that CreateProcess takes: NAME=VALUE strings ended by NUL, and a last NUL.

    Windows requires the order by name, without regard to case ("Changing Environment
    Variables", learn.microsoft.com).
    """
    pairs = []
    for name, value in env.items():
        # "=C:" and the like are Windows' own: the working folders of its drives.
        if not name or "=" in name[1:]:
            raise ValueError(f"env: illegal name {name!r}")
        pairs.append((_variable(name), _variable(value)))
    pairs.sort(key=lambda pair: pair[0].upper())
    return "".join(f"{name}={value}\0" for name, value in pairs) + "\0"


def _variable(text: str) -> str:
    """Check a variable: the engine passes it on in the ANSI code page (seen on 10.0.15063.400)."""
    checked = _text(text, "env")
    try:
        checked.encode("mbcs", "strict")
    except not_from_handler(UnicodeEncodeError):
        raise ValueError(
            f"env: {text!r} has characters outside this system's ANSI code page, which the engine "
            "can't hand on; set it in os.environ and leave env out"
        ) from None
    return checked
