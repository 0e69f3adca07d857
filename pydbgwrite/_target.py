"""The part of a session that journals, undo, symbols and patches use, as a Protocol.

The session imports these packages. With the Protocol, none of them imports the session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable
    from typing import Any, Literal, TypeAlias

    from pydbgwrite._core import DataSpaces, RecordLog
    from pydbgwrite._dbgeng import EngineInfo
    from pydbgwrite._regions import Module

    _Progress: TypeAlias = Callable[[int, int], object]
    _Via: TypeAlias = Literal["WritePointersVirtual", "WriteVirtual", "auto"]

__all__ = ["OpenTransaction", "Target"]


class OpenTransaction(Protocol):
    """The part of an open transaction that its session uses."""

    def _abandon(self, error: BaseException | None) -> None: ...


class Target(Protocol):
    """The part of a Session that these packages use."""

    _far: bool
    _kept_files: object
    _main_module: object
    _naming: object
    _serving: bool
    _token: str
    _transaction: OpenTransaction | None

    @property
    def pid(self) -> int | None: ...
    @property
    def target(self) -> str: ...
    @property
    def pointer_size(self) -> int: ...
    @property
    def writable(self) -> bool: ...
    @property
    def closed(self) -> bool: ...
    @property
    def engine(self) -> EngineInfo: ...
    @property
    def data_spaces(self) -> DataSpaces: ...
    @property
    def _embedded(self) -> bool: ...
    @property
    def _wrapped(self) -> bool: ...
    @property
    def _spans_refused(self) -> bool: ...

    def read(self, address: int, size: int) -> bytes: ...
    def read_pointers(self, address: int, count: int) -> array[int]: ...
    def read_scattered(self, addresses: array[int]) -> array[int]: ...
    def write(self, address: int, data: bytes, *, expect: bytes | None = ...) -> int: ...
    def write_pointers(
        self,
        address: int,
        pointers: array[int],
        *,
        via: _Via = ...,
        verify: bool = ...,
        expect: int | array[int] | None = ...,
        progress: _Progress | None = ...,
    ) -> int: ...
    def write_scattered(
        self,
        addresses: array[int] | memoryview[int],
        pointers: array[int] | memoryview[int],
        *,
        verify: bool = ...,
        expect: int | array[int] | None = ...,
        spans: bool = ...,
        progress: _Progress | None = ...,
    ) -> int: ...

    def modules(self) -> list[Module]: ...
    def _read_maps(self) -> bytes: ...
    def _open_folder(self, of_memory: bool, /) -> int: ...
    def _list_modules(self) -> list[tuple[int, int, str, str, int]]: ...
    def _load_module(self, file: str, base: int, size: int, /) -> bool: ...
    def _thread_teb(self) -> int: ...
    def _keep_decoration(self) -> None: ...
    def _undecorate(self, name: str, /) -> tuple[str, str]: ...
    def _symbol_address(self, name: str, /) -> tuple[int, int]: ...
    def _match_symbols(self, pattern: str, most: int, /) -> list[tuple[str, int]]: ...
    def _symbol_names(self, addresses: bytes, /) -> list[tuple[str, int] | None]: ...
    def _search(
        self,
        wanted: Any,
        how: tuple[int, int, int, int, bool],
        starts: array[int],
        sizes: array[int],
        progress: _Progress | None,
        found: list[Any],
    ) -> None: ...
    def _set_recorder(
        self, record: RecordLog | None, cut_short: Callable[[], object] | None, /
    ) -> None: ...
