"""The packages of the [cli] extra: which are missing, and which can't be imported here.

A package can be there and be of no use: for another Python, or for another machine.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Final, NamedTuple

from pydbgwrite._signal_handlers import not_from_handler

__all__ = ["NEEDED", "OPTIONAL", "Fault", "fault_of", "missing", "unusable"]

#: What the command line needs of the extra (pyproject.toml).
NEEDED: Final = ("click", "numpy", "rich")
#: What works without.
OPTIONAL: Final = ("multi_demangle",)


def missing() -> list[str]:
    """Return the packages that the command line needs, and that are not here."""
    return [name for name in NEEDED if _place(name) is None]


class Fault(NamedTuple):
    """Why a package that is here can't be imported, and the command that installs one that can."""

    why: str
    remedy: str

    def __str__(self) -> str:
        return "; install one for this Python: ".join(self)


def fault_of(name: str) -> Fault | None:
    """Import a package. Return a Fault if it is here and can't be imported."""
    try:
        import_module(name)
    except not_from_handler(Exception) as error:
        if not isinstance(error, ModuleNotFoundError) or error.name != name:
            return _fault(name, error)
    return None


def unusable(error: BaseException) -> str:
    """Return what to say if the import of a package of the extra raised this; else ""."""
    named = _top(error.name or "") if isinstance(error, ImportError) else ""
    trace = error.__traceback__
    while trace is not None and named not in NEEDED:
        if trace.tb_frame.f_code.co_name == "<module>":
            named = _top(trace.tb_frame.f_globals.get("__name__", ""))
        trace = trace.tb_next
    return str(_fault(named, error)) if named in NEEDED else ""


def _fault(name: str, error: BaseException) -> Fault:
    first = error
    while first.__cause__ is not None:  # numpy's own ImportError is a page of advice
        first = first.__cause__
    lines = [line.strip() for line in str(first).splitlines()]
    reason = next(filter(None, lines), type(first).__name__)
    return Fault(
        f"{name} can't be imported here ({_place(name) or 'its place is unknown'}): {reason}",
        f"{sys.executable} -m pip install --force-reinstall {name.replace('_', '-')}",
    )


def _top(name: str) -> str:
    return name.partition(".")[0]


def _place(name: str) -> str | None:
    """Return where a package is, "" if that is not known; None if it is not here."""
    try:
        spec = find_spec(name)
    except not_from_handler(ImportError, ValueError):
        return None
    return None if spec is None else spec.origin or ""
