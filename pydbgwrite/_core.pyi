# The compiled half of pydbgwrite (csrc/python). Docstrings are in the C source alone: help() shows
# them. `python -m mypy.stubtest pydbgwrite` keeps the two in step.
import sys
from array import array
from collections.abc import Callable, Iterable
from typing import Final, Literal, Never, Self, SupportsIndex, TypeAlias, TypeVar, final, overload

from _typeshed import ReadableBuffer, WriteableBuffer, structseq
from typing_extensions import disjoint_base

# (where, old, new, unit) of a piece that is about to be written; then bytes are addresses.
_Record: TypeAlias = Callable[[int | bytes, bytes, bytes, int], object]

_S = TypeVar("_S", bound=Session)
_Progress: TypeAlias = Callable[[int, int], object]
_Pointers: TypeAlias = ReadableBuffer | Iterable[SupportsIndex]

_WriteVia: TypeAlias = Literal["WritePointersVirtual", "WriteVirtual", "auto"]
_ReadVia: TypeAlias = Literal["ReadPointersVirtual", "ReadVirtual", "auto"]

BULK_THRESHOLD_POINTERS: Final[int]
GIL_RELEASE_BYTES: Final[int]
RECORD_BYTES: Final[int]

@disjoint_base
class Session:
    # Not made directly (TypeError): attach(), launch() and simulate() open one.
    def __new__(cls, not_made_directly: Never, /) -> Self: ...
    def __del__(self) -> None: ...
    @property
    def data_spaces(self) -> DataSpaces: ...
    @property
    def pointer_size(self) -> int: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def target(self) -> str: ...
    @property
    def owner_thread(self) -> int: ...
    @property
    def writable(self) -> bool: ...
    @property
    def closed(self) -> bool: ...
    @property
    def _embedded(self) -> bool: ...
    @property
    def _wrapped(self) -> bool: ...
    def write_pointers(
        self,
        address: SupportsIndex,
        pointers: _Pointers,
        *,
        via: _WriteVia = "WritePointersVirtual",
        verify: bool = False,
        expect: SupportsIndex | _Pointers | None = None,
        truncate: bool = False,
        progress: _Progress | None = None,
    ) -> int: ...
    @overload
    def read_pointers(
        self,
        address: SupportsIndex,
        count: SupportsIndex,
        *,
        into: None = None,
        via: _ReadVia = "auto",
        progress: _Progress | None = None,
    ) -> array[int]: ...
    @overload
    def read_pointers(
        self,
        address: SupportsIndex,
        count: SupportsIndex | None = None,
        *,
        into: WriteableBuffer,
        via: _ReadVia = "auto",
        progress: _Progress | None = None,
    ) -> int: ...
    def write_scattered(
        self,
        addresses: _Pointers,
        pointers: _Pointers,
        *,
        verify: bool = False,
        expect: SupportsIndex | _Pointers | None = None,
        truncate: bool = False,
        spans: bool = True,
        progress: _Progress | None = None,
    ) -> int: ...
    @overload
    def read_scattered(
        self,
        addresses: _Pointers,
        *,
        into: None = None,
        progress: _Progress | None = None,
    ) -> array[int]: ...
    @overload
    def read_scattered(
        self,
        addresses: _Pointers,
        *,
        into: WriteableBuffer,
        progress: _Progress | None = None,
    ) -> int: ...
    def write(
        self,
        address: SupportsIndex,
        data: ReadableBuffer,
        *,
        verify: bool = False,
        expect: ReadableBuffer | None = None,
        progress: _Progress | None = None,
    ) -> int: ...
    def read(
        self,
        address: SupportsIndex,
        size: SupportsIndex,
        *,
        progress: _Progress | None = None,
    ) -> bytes: ...
    def detach(self) -> None: ...
    def terminate(self) -> None: ...
    def close(self) -> None: ...
    def _end_at_exit(self) -> None: ...
    @overload
    def _set_recorder(self, record: _Record, cut_short: Callable[[], object], /) -> None: ...
    @overload
    def _set_recorder(self, record: None, cut_short: None, /) -> None: ...
    def _set_pointer_size(self, size: int, /) -> None: ...
    def _list_modules(self) -> list[tuple[int, int, str, str, int]]: ...
    def _symbol_address(self, name: str, /) -> tuple[int, int]: ...
    def _match_symbols(self, pattern: str, most: int, /) -> list[tuple[str, int]]: ...
    def _start_server(self, options: str, /) -> None: ...
    def _end_servers(self) -> None: ...
    def _dispatch(self, milliseconds: int, /) -> None: ...
    def _interface_address(self) -> int: ...
    def _read_maps(self) -> bytes: ...
    def _inject_fault(
        self, kind: str, first: SupportsIndex = 0, second: SupportsIndex = 0
    ) -> None: ...

@final
class DataSpaces:
    def read_virtual(self, offset: SupportsIndex, buffer_size: SupportsIndex) -> bytes: ...
    def write_virtual(self, offset: SupportsIndex, buffer: ReadableBuffer) -> int: ...
    def read_virtual_uncached(self, offset: SupportsIndex, buffer_size: SupportsIndex) -> bytes: ...
    def write_virtual_uncached(self, offset: SupportsIndex, buffer: ReadableBuffer) -> int: ...
    def read_pointers_virtual(self, offset: SupportsIndex, count: SupportsIndex) -> array[int]: ...
    def write_pointers_virtual(self, offset: SupportsIndex, ptrs: _Pointers) -> None: ...
    def read_physical(self, offset: SupportsIndex, buffer_size: SupportsIndex) -> bytes: ...
    def write_physical(self, offset: SupportsIndex, buffer: ReadableBuffer) -> int: ...
    def fill_virtual(
        self, start: SupportsIndex, size: SupportsIndex, pattern: ReadableBuffer
    ) -> int: ...
    def search_virtual(
        self,
        offset: SupportsIndex,
        length: SupportsIndex,
        pattern: ReadableBuffer,
        pattern_granularity: SupportsIndex = 1,
    ) -> int | None: ...
    def query_virtual(self, offset: SupportsIndex) -> MemoryBasicInformation: ...
    def get_valid_region_virtual(
        self, base: SupportsIndex, size: SupportsIndex
    ) -> tuple[int, int]: ...
    def get_next_differently_valid_offset_virtual(self, offset: SupportsIndex) -> int | None: ...
    def is_pointer_64bit(self) -> bool: ...

@final
class MemoryBasicInformation(structseq[int], tuple[int, int, int, int, int, int, int]):
    __match_args__: Final = (
        "base_address",
        "allocation_base",
        "allocation_protect",
        "region_size",
        "state",
        "protect",
        "type",
    )
    @property
    def base_address(self) -> int: ...
    @property
    def allocation_base(self) -> int: ...
    @property
    def allocation_protect(self) -> int: ...
    @property
    def region_size(self) -> int: ...
    @property
    def state(self) -> int: ...
    @property
    def protect(self) -> int: ...
    @property
    def type(self) -> int: ...

# (base, size, 0 none / 1 r / 2 rw), in order and without overlaps.
def simulate(
    type: type[_S], regions: list[tuple[int, int, int]], pointer_size: int, writable: bool, /
) -> _S: ...

# The session, and where code of its engine is.
def wrap(type: type[_S], address: int, writable: bool, /) -> tuple[_S, int]: ...

if sys.platform == "linux":
    def linux_attach(
        type: type[_S], pid: int, suspend: bool, writable: bool, timeout: float, /
    ) -> _S: ...
    def linux_launch(
        type: type[_S],
        path: bytes,
        arguments: tuple[bytes, ...],
        environment: tuple[bytes, ...],
        directory: bytes | None,
        standard: tuple[int, int, int],
        writable: bool,
        timeout: float,
        /,
    ) -> _S: ...

if sys.platform == "win32":
    def dbgeng_load(folder: str, /) -> tuple[str, int, int, int, str, list[str]]: ...
    def dbgeng_loaded() -> tuple[str, tuple[int, int, int, int]] | None: ...
    def dbgeng_file_of(code: int, /) -> tuple[str, tuple[int, int, int, int]] | None: ...
    def dbgeng_attach(
        type: type[_S],
        server: object,
        pid: int,
        invasive: bool,
        suspend: bool,
        writable: bool,
        timeout: float,
        /,
    ) -> _S: ...
    def dbgeng_launch(
        type: type[_S],
        server: object,
        command_line: str,
        directory: str | None,
        environment: str | None,
        writable: bool,
        timeout: float,
        /,
    ) -> _S: ...
    def dbgeng_open_dump(type: type[_S], path: str, writable: bool, timeout: float, /) -> _S: ...
    def dbgeng_attach_kernel(
        type: type[_S], options: str, writable: bool, timeout: float, /
    ) -> _S: ...
    def dbgeng_connect(type: type[_S], options: str, writable: bool, timeout: float, /) -> _S: ...
    def dbgeng_process_server(options: str, timeout: float, /) -> object: ...
    def dbgeng_disconnect(server: object, /) -> int: ...
