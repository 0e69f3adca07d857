"""wrap(): a session over an engine that another package started, from whatever that package has.

The objects of other packages are known by how they are made; none of them is imported here.
"""

from __future__ import annotations

import operator
import sys
from typing import Any

from pydbgwrite import _core, errors, hresults
from pydbgwrite._dbgeng import engine_at
from pydbgwrite._reprs import int_text
from pydbgwrite._session import Session
from pydbgwrite._signal_handlers import not_from_handler

__all__ = ["interface_address", "wrap", "wrapping_failed"]

_E_NOINTERFACE = 0x80004002
_E_UNEXPECTED = 0x8000FFFF
_LIMIT = 2 * sys.maxsize + 2

# Where Pybag keeps the interface: UserDbg and its kin have a _client, whose _cli is a comtypes
# pointer; the others of its wrappers have one each (pybag 2.2.16, pybag/pydbg.py and pybag/dbgeng).
_PYBAG = ("_client", "_cli", "_data", "_ctrl", "_sym", "_sys", "_adv", "_reg")


def wrap(interface: object, *, writable: bool = True) -> Session:
    """Open the engine that another package started, on its target.

    Example::

        dbg = pybag.UserDbg()
        dbg.attach(pid)
        with pydbgwrite.wrap(dbg) as session:
            session.write_pointers(address, pointers, via="auto")

    This call trusts its caller. It checks that the pointer, its vtable and the vtable's first slots
    are memory and code, and then calls the object as a COM object. An object that only looks like
    one, or is released already, can crash this process.

    The session holds references of its own, so either side may end first. close() releases them and
    leaves the engine, its target and the other package's session as they are. When that package
    releases its target, calls here raise NoTargetError; when it opens another target, call wrap()
    again.

    The session belongs to the thread that calls wrap(). The caller must see to two things: an
    engine's methods are for the thread that made its client (MicrosoftDocs,
    using-client-objects.md), and never for two threads at once. If the other package has Python
    event callbacks, as Pybag has, write_pointers() calls them for each pointer: via="auto" or
    "WriteVirtual" is much faster.

    If a 64-bit engine takes a 32-bit program for a 64-bit one (after a noninvasive attach), the
    engine's effective processor is set, as attach() does. It stays set after close().

    Engine calls: IUnknown::QueryInterface for IDebugDataSpaces4 (or an older version, whose missing
    calls raise DebugEngineError with E_NOTIMPL), IDebugControl and IDebugClient.

    Args:
        interface: Any interface of the engine (IUnknown, IDebugClient, IDebugDataSpaces and
            others): a comtypes pointer, a win32more object, a Pybag debugger or one of its
            wrappers, a ctypes c_void_p or POINTER instance, or the address as an int.
        writable: False makes every write raise ReadOnlyError.

    Returns:
        The session, a context manager. Its detach, terminate and serve raise ValueError: they are
        for the package that started the engine.

    Raises:
        TypeError: The object holds no interface.
        ValueError: The pointer is not valid, or the object is no engine.
        NoTargetError: The engine has no accessible target now.
    """
    session, code = _core.wrap(Session, interface_address(interface), bool(writable))
    if not session._embedded:
        try:
            session._wrapped_engine = engine_at(code)
        except BaseException:
            session.close()
            raise
    return session


def interface_address(interface: object) -> int:
    """Return the interface's address, if it is above 0 and below the end of memory."""
    address = _held_address(interface)
    if address is None:
        address = _pybag_address(interface)
    if address is None:
        address = _int_address(interface)
    if address == 0:
        raise ValueError(f"interface is a NULL pointer ({_shown(interface)})")
    if not 0 < address < _LIMIT:
        shown = int_text(address)
        raise ValueError(f"interface must be an address from 1 to {_LIMIT - 1:#x}, got {shown}")
    return address


def _held_address(interface: object) -> int | None:
    """Return the address in a ctypes pointer: comtypes and win32more use kinds of c_void_p."""
    if "ctypes" not in sys.modules:
        return None
    import ctypes

    if isinstance(interface, ctypes.c_void_p):
        # By the base class: comtypes' own `value` gives the object itself.
        value: Any = vars(ctypes.c_void_p.__base__)["value"]
        return value.__get__(interface) or 0
    if isinstance(interface, ctypes._Pointer):
        return ctypes.cast(interface, ctypes.c_void_p).value or 0
    return None


def _pybag_address(interface: object) -> int | None:
    if not any(each.__module__.partition(".")[0] == "pybag" for each in type(interface).__mro__):
        return None
    attributes: dict[str, Any] = getattr(interface, "__dict__", {})
    for name in _PYBAG:
        held = attributes.get(name)
        if held is not None:
            address = _held_address(held)
            return address if address is not None else _pybag_address(held)
    raise ValueError(f"{_shown(interface)} holds no interface: it was released or never set")


def _int_address(interface: object) -> int:
    try:
        if isinstance(interface, bool):
            raise TypeError
        return operator.index(interface)  # type: ignore[arg-type]
    except not_from_handler(TypeError):
        hint = ". It is a session already" if isinstance(interface, _core.Session) else ""
        raise TypeError(
            "interface must be a comtypes, win32more or Pybag object of a debugger engine, a "
            f"ctypes c_void_p or POINTER instance, or an int, got {_shown(interface)}{hint}"
        ) from None


def _shown(interface: object) -> str:
    kind = type(interface)
    name = kind.__qualname__
    return name if kind.__module__ == "builtins" else f"{kind.__module__}.{name}"


def wrapping_failed(
    failure: str, interface: int, address: int, slot: int, operation: str | None, hresult: int
) -> BaseException:
    """The exception for what C found: engines/wrapped/wrapped.h says what each failure means."""
    if failure == "engine":
        return _engine_refused(interface, operation, hresult)
    given = f"0x{interface:x} is not an interface pointer"
    if failure == "unaligned":
        return ValueError(f"{given}: 0x{address:x} is not aligned")
    if failure == "object":
        return ValueError(f"{given}: there is no readable memory at 0x{address:x}")
    if failure == "table":
        return ValueError(f"{given}: its vtable at 0x{address:x} can't be read (slot {slot})")
    if failure == "slot":
        return ValueError(
            f"{given}: slot {slot} of its vtable holds 0x{address:x}, which is not code"
        )
    return ValueError(
        f"0x{interface:x} can't be checked: the memory map of this process can't be read "
        "(/proc/self/maps)"
    )


def _engine_refused(interface: int, operation: str | None, hresult: int) -> BaseException:
    if hresult == _E_NOINTERFACE:
        return ValueError(
            f"the object at 0x{interface:x} is not a debugger engine's: {operation} answered "
            f"{hresults.describe(hresult)}"
        )
    kind: type[errors.DebugEngineError] = errors.DebugEngineError
    advice = ""
    if hresult == _E_UNEXPECTED:
        kind = errors.NoTargetError
        advice = (
            ". The engine has no accessible target now: let its package attach, and wait for the "
            "first event, before wrap()"
        )
    return kind(
        f"wrap() failed: {operation} ({hresults.describe(hresult)}){advice}",
        hresult=hresult,
        hresult_name=hresults.name_of(hresult),
        method=operation,
    )
