"""The modules of dbgeng's targets, with those of a 32-bit program that the engine does not list."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pydbgwrite._symbols.wow64 import modules_of_program

if TYPE_CHECKING:
    from pydbgwrite._target import Target

__all__ = ["EngineModule", "modules_of_engine"]


class EngineModule(NamedTuple):
    """A module of the target.

    engine_name: what its symbols go by; "" if the engine does not list it. of_system: it is one of
    the 64-bit modules of a 32-bit program, which the program itself does not know.
    """

    base: int
    size: int
    path: str
    engine_name: str
    of_system: bool

    @property
    def name(self) -> str:
        """The file name."""
        return self.path.rpartition("\\")[2]


def modules_of_engine(session: Target) -> list[EngineModule]:
    """Return the target's modules by address."""
    listed = {
        base: EngineModule(base, size, path.replace("/", "\\"), name, False)
        for base, size, path, name, _timestamp in session._list_modules()
    }
    if session.pointer_size == 4:
        _add_those_of_program(session, listed)
    return [listed[base] for base in sorted(listed)]


def _add_those_of_program(session: Target, listed: dict[int, EngineModule]) -> None:
    """Add the modules of a 32-bit program on 64-bit Windows, and mark the others."""
    wow64 = [each.path for each in listed.values() if each.name.lower() == "wow64.dll"]
    # The program knows the folder of 32-bit system libraries by the name of the 64-bit one ("File
    # System Redirector", learn.microsoft.com).
    system = wow64[0].rpartition("\\")[0] if wow64 else ""
    known = set()
    for base, size, path in modules_of_program(session):
        if system and path.lower().startswith(f"{system.lower()}\\"):
            path = system.rpartition("\\")[0] + "\\SysWOW64" + path[len(system) :]
        known.add(base)
        if base not in listed:
            listed[base] = EngineModule(base, size, path, "", False)
        else:  # the engine may list it by its file name alone, or by the name of the 64-bit folder
            listed[base] = listed[base]._replace(path=path)
    if wow64 and known:
        for base in listed.keys() - known:
            listed[base] = listed[base]._replace(of_system=True)
