"""The identity of a journal's target: one process, from its start to its end or next execve.

A process id alone is not enough, since it is reused. So a journal holds the process's start time
and its program, and an undo refuses any other process.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

from pydbgwrite._journal.linux_process import digest, identity_of, same_tick
from pydbgwrite._journal.windows_process import windows_process
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import DebugEngineError, JournalError, NoTargetError

if TYPE_CHECKING:
    from pydbgwrite._regions import Module
    from pydbgwrite._target import Target

__all__ = ["check_target", "describe_target", "difference", "outlives_this_machine"]

_HEADER_BYTES: Final = 1024


def outlives_this_machine(session: Target) -> bool:
    """Return whether the target can outlive a crash of this machine; True if unknown."""
    if session._embedded:
        return False
    return (
        session.target in ("remote", "kernel")
        or session._wrapped
        or getattr(session, "_far", False)
    )


def describe_target(session: Target, *, brief: bool = False) -> dict[str, Any]:
    """Describe the target for a journal's header. Raises NoTargetError if it has ended.

    brief: leave out the place of its program, if the system identifies its execve.
    """
    identity = _identity(session)
    if brief and "exec" in identity:
        return identity
    module = _kept_main_module(session, identity)
    if module is not None:
        identity.update(program=module.path, base=module.base, size=module.size)
        if "exec" not in identity:
            identity["header"] = _header_of(session, module.base)
    return identity


def _identity(session: Target) -> dict[str, Any]:
    """Describe the target by what the system says of it."""
    identity: dict[str, Any] = {
        "target": session.target,
        "pid": session.pid,
        "pointer_size": session.pointer_size,
        "engine": f"{session.engine.name} {session.engine.version}",
    }
    if session.target == "simulated":
        identity["started"] = _token(session)
    elif session._embedded and session.pid is not None and sys.platform.startswith("linux"):
        identity.update(identity_of(session))
    elif sys.platform == "win32" and session.pid is not None and not outlives_this_machine(session):
        found = windows_process(session.pid)
        identity["started"] = "" if found.error else str(found.started)
    return identity


#: The fields that must agree, and the message if one does not.
_QUESTIONS: Final = {
    "target": "it was made of a {was} target, and this session is of a {now} one",
    "pid": "it belongs to process {was}, and this session is of process {now}",
    "boot": "it was made before this machine was restarted",
    "started": "its process has ended, and another one has its id now",
    "exec": "its process runs another program now (execve)",
    "base": "its program {program} was at {was}, and the one here is at {now}",
    "size": "its program {program} had {was} bytes, and the one here has {now}",
    "header": "its program {program} is another build than the one here",
}


def check_target(header: dict[str, Any], session: Target, name: str) -> None:
    """Raise JournalError unless the session's target is the journal's target."""
    here = _identity(session)
    if "exec" not in here or "exec" not in header:  # else the program's place is not compared
        here = describe_target(session)
    what = difference(header, here)
    if what is not None:
        raise JournalError(
            f"the journal {name} belongs to another target: {what}. Nothing was written to it"
        )


def difference(was: dict[str, Any], now: dict[str, Any]) -> str | None:
    """Return how two descriptions are of different targets, or None if they are of one."""
    for key, text in _QUESTIONS.items():
        if key not in was or (key == "exec" and key not in now):
            continue
        # If the system identifies the execve, the program's base is not compared.
        if key in ("base", "size") and "exec" in was and "exec" in now:
            continue
        if was[key] == now.get(key) or (key == "started" and _is_same_tick(was[key], now)):
            continue
        return text.format(
            was=_shown(key, was[key]),
            now=_shown(key, now.get(key)),
            program=was.get("program"),
        )
    return None


def _is_same_tick(was: object, now: dict[str, Any]) -> bool:
    return "exec" in now and isinstance(was, str) and same_tick(was, now["started"])


def _shown(key: str, value: object) -> str:
    if key == "base" and isinstance(value, int):
        return f"0x{value:x}"
    return "none" if value is None else str(value)


def _token(session: Target) -> str:
    """Return a random id of this simulated session."""
    token: str | None = getattr(session, "_token", None)
    if token is None:
        token = session._token = os.urandom(16).hex()
    return token


def _kept_main_module(session: Target, identity: dict[str, Any]) -> Module | None:
    """Return the main module, which a session knows until its process runs another program.

    To list the modules takes longer than to record and write a million pointers.
    """
    program = identity.get("program")
    key = (identity.get("exec"), program)
    kept: Any = getattr(session, "_main_module", None)
    if kept is not None and kept[0] == key:
        module: Module | None = kept[1]
        return module
    module = _main_module(session, program)
    if module is not None and "exec" in identity:
        session._main_module = key, module
    return module


def _main_module(session: Target, program: str | None) -> Module | None:
    """Return the main module (of a kernel target the kernel), or None if it is unknown."""
    if session.target == "simulated":
        return None
    try:
        modules = session.modules()
    except NoTargetError:
        raise
    except not_from_handler(DebugEngineError):
        return None
    if program is not None:
        return next((each for each in modules if each.path == program), None)
    programs = [each for each in modules if each.name.lower().endswith(".exe")]
    return next(iter(programs or modules), None)


def _header_of(session: Target, base: int) -> str | None:
    """Return a checksum of the PE header's time stamp and checksum, which identify the build."""
    try:
        page = session.read(base, _HEADER_BYTES)
    except NoTargetError:
        raise
    except not_from_handler(DebugEngineError):
        return None
    at = int.from_bytes(page[0x3C:0x40], "little")
    if page[:2] != b"MZ" or page[at : at + 4] != b"PE\0\0":
        return None
    # Signature, COFF header, and the optional header without the table of directories, which the
    # loader or a patch can have changed.
    return digest(page[at : at + 24])
