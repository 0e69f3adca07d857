"""Process servers: the processes of another machine, with the engine on this one."""

from __future__ import annotations

import sys

from pydbgwrite.errors import (
    DebugEngineError,
    EngineNotFoundError,
    SessionBusyError,
    SessionClosedError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self, SupportsIndex

    from pydbgwrite._session import Session

__all__ = ["ProcessServer"]


class ProcessServer:
    """A connection to a process server (dbgsrv.exe), made by process_server().

    Its attach and launch open that machine's processes, one at a time: Microsoft's engine has one
    session a process. As a context manager it closes itself.
    """

    __module__ = "pydbgwrite"

    __slots__ = ("__weakref__", "_options", "_server", "_session")

    def __init__(self, options: str, server: object) -> None:
        self._options = options
        self._server: object | None = server
        self._session: Session | None = None

    @property
    def options(self) -> str:
        """Where the server is, as given."""
        return self._options

    @property
    def closed(self) -> bool:
        """True once the connection has ended."""
        return self._server is None

    def attach(
        self,
        pid: SupportsIndex,
        *,
        invasive: bool = False,
        suspend: bool = True,
        writable: bool = True,
        timeout: float = 10.0,
        pointer_size: int | None = None,
    ) -> Session:
        """Open a process of the server's machine.

        The arguments are those of pydbgwrite.attach(). The headers of the program say whether it is
        a 32-bit one.
        """
        if sys.platform != "win32":
            raise EngineNotFoundError("Microsoft's engine is for Windows")
        from pydbgwrite._opening import arguments, dbgeng

        number = arguments.validate_pid(pid, 2**32)
        size = None if pointer_size is None else arguments.validate_pointer_size(pointer_size)
        seconds = arguments.validate_timeout(timeout)
        session = dbgeng.attach(
            self._open(), number, bool(invasive), bool(suspend), bool(writable), seconds
        )
        session._far = True
        self._session = session
        if size is not None:
            session._override_pointer_size(size)
        return session

    def launch(
        self,
        args: Sequence[str],
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        writable: bool = True,
        timeout: float = 10.0,
    ) -> Session:
        """Start a program on the server's machine.

        The arguments are those of pydbgwrite.launch(). The defaults of cwd and env are the
        server's.
        """
        if sys.platform != "win32":
            raise EngineNotFoundError("Microsoft's engine is for Windows")
        from pydbgwrite._opening import arguments, dbgeng

        arguments.check_program(args, cwd, env)
        seconds = arguments.validate_timeout(timeout)
        self._session = dbgeng.launch(self._open(), args, cwd, env, bool(writable), seconds)
        self._session._far = True
        return self._session

    def close(self) -> None:
        """End the connection. A second call does nothing.

        Raises:
            SessionBusyError: A session through this server is open: close it first.
        """
        server = self._server
        if server is None:
            return
        if self._session is not None and not self._session.closed:
            raise SessionBusyError(
                "a session of this process server is open: close that first, then the server"
            )
        if sys.platform != "win32":
            raise EngineNotFoundError("Microsoft's engine is for Windows")
        from pydbgwrite import _core

        self._server = None
        hresult = _core.dbgeng_disconnect(server)
        if hresult:
            raise _failed("DisconnectProcessServer", hresult)

    def _running_ids(self) -> list[int]:
        """Return the ids of the processes of the server's machine.

        Engine call: IDebugClient::GetRunningProcessSystemIds.
        """
        if sys.platform != "win32":
            raise EngineNotFoundError("Microsoft's engine is for Windows")
        from pydbgwrite import _core

        hresult, found = _core.dbgeng_running_ids(self._open())
        if hresult:
            raise _failed("GetRunningProcessSystemIds", hresult)
        return found

    def _program_of(self, pid: int) -> str:
        """Return the file name of a process's program; "" if the server can't tell.

        Engine call: IDebugClient4::GetRunningProcessDescriptionWide.
        """
        if sys.platform != "win32":
            raise EngineNotFoundError("Microsoft's engine is for Windows")
        from pydbgwrite import _core

        hresult, name = _core.dbgeng_running_program(self._open(), pid)
        return "" if hresult else name

    def _open(self) -> object:
        if self._server is None:
            raise SessionClosedError("this connection to a process server is closed")
        return self._server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._session is not None and not self._session.closed:
            self._session.close()
        if self._server is not None:
            self.close()

    def __repr__(self) -> str:
        from pydbgwrite._messages.windows import without_password

        where = without_password(self._options)
        return f"<pydbgwrite.ProcessServer at {where}{', closed' if self.closed else ''}>"


def _failed(method: str, hresult: int) -> DebugEngineError:
    """Return the exception for a call that failed."""
    from pydbgwrite import hresults

    return DebugEngineError(
        f"{method} failed ({hresults.describe(hresult)})",
        hresult=hresult,
        hresult_name=hresults.name_of(hresult),
        method=method,
    )
