"""What a report says of a session's target: what it is, and the names of addresses in it."""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from pydbgwrite._report.model import TargetDescription
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols import naming
from pydbgwrite.errors import Error, NoTargetError

if TYPE_CHECKING:
    from pydbgwrite._regions import Module
    from pydbgwrite._target import Target

__all__ = ["NO_SYMBOLS", "describe", "names_of"]

#: What a page says if it was made too late for symbols.
NO_SYMBOLS: Final = "modules and offsets: symbols can be read only while the session is open"


def describe(session: Target) -> TargetDescription:
    """Return what the target is, as far as it says. Raises NoTargetError if it has ended."""
    modules, program, build_id = _modules(session)
    engine = session.engine
    return TargetDescription(
        target=session.target,
        pid=session.pid,
        program=program,
        build_id=build_id,
        pointer_size=session.pointer_size,
        engine=f"{engine.name} {engine.version}",
        time=time.time(),
        modules=modules,
    )


def _modules(session: Target) -> tuple[list[Module], str, str]:
    """Return the modules, the path of the main one, and its build id."""
    try:
        if session._embedded:
            return _of_linux(session)
        return _of_dbgeng(session)
    except NoTargetError:
        raise
    except not_from_handler(Error):
        return [], "", ""  # a kernel target or a dump may not have them


def _of_linux(session: Target) -> tuple[list[Module], str, str]:
    from pydbgwrite._regions import Module
    from pydbgwrite._symbols.build_ids import ids_of_image
    from pydbgwrite._symbols.linux_images import images_of

    images = images_of(session)
    modules = [Module(*image[:4]) for image in images]
    main = next((image for image in images if image.program), None)
    if main is None:
        return modules, "", ""
    try:
        found = ids_of_image(session, main)
    except not_from_handler(ValueError):
        found = []  # its notes are damaged
    return modules, main.path, found[0] if found else ""


def _of_dbgeng(session: Target) -> tuple[list[Module], str, str]:
    from pydbgwrite._symbols.build_ids import build_ids_of
    from pydbgwrite._symbols.model import KnownModule

    modules = list(session.modules())
    programs = [each for each in modules if each.name.lower().endswith(".exe")]
    main = next(iter(programs or modules), None)
    if main is None:
        return modules, "", ""
    try:
        found = build_ids_of(session, KnownModule(main.name, main.base, main.path, ()))
    except NoTargetError:
        raise
    except not_from_handler(Error):
        found = []
    return modules, main.path, found[0] if found else ""


def names_of(
    shown: Iterable[int | None], session: Target | None, modules: list[Module]
) -> tuple[dict[int, str], bool]:
    """Return the names of what is shown, and whether the session has given them.

    session: None if it is gone. Without it a name is a module and an offset.
    """
    values = array("Q", sorted({value for value in shown if value is not None}))
    if session is not None and not session.closed:
        try:
            found = naming.names_of(session, values)
        except not_from_handler(Error):
            pass  # the target has ended, or this is another thread than the session's
        else:
            named = zip(values, found, strict=True)
            return {value: name for value, name in named if not name.startswith("0x")}, True
    return dict(_offsets(values, modules)), False


def _offsets(values: array[int], modules: list[Module]) -> Iterable[tuple[int, str]]:
    for module in modules:
        first = bisect_left(values, module.base)
        for value in values[first : bisect_left(values, module.base + module.size)]:
            yield value, f"{module.name}+0x{value - module.base:x}"
