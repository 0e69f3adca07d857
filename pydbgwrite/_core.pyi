# The compiled half of pydbgwrite (csrc/python). Its docstrings stand here, where editors find them:
# the build makes a C header from this file (csrc/python/make_docstrings.py), so help() shows them.
# `python -m mypy.stubtest pydbgwrite` keeps the signatures in step.
import sys
from array import array
from collections.abc import Callable, Iterable
from io import FileIO
from typing import (
    Final,
    Literal,
    Never,
    ParamSpec,
    Self,
    SupportsIndex,
    TypeAlias,
    TypeVar,
    final,
    overload,
)

from _typeshed import ReadableBuffer, WriteableBuffer, structseq
from typing_extensions import disjoint_base

# (where, old, new, unit) of a piece that is about to be written; then bytes are addresses.
_Record: TypeAlias = Callable[[int | bytes, bytes, bytes, int], object]

_P = ParamSpec("_P")
_S = TypeVar("_S", bound=Session)
_Progress: TypeAlias = Callable[[int, int], object]
_Numbers: TypeAlias = ReadableBuffer | Iterable[SupportsIndex]
_Pointers: TypeAlias = ReadableBuffer | Iterable[SupportsIndex | str]

_WriteVia: TypeAlias = Literal["WritePointersVirtual", "WriteVirtual", "auto"]
_ReadVia: TypeAlias = Literal["ReadPointersVirtual", "ReadVirtual", "auto"]

BULK_THRESHOLD_POINTERS: Final[int]
GIL_RELEASE_BYTES: Final[int]
RECORD_BYTES: Final[int]
RECORD_BYTES_SCATTERED: Final[int]
RECORDS_IN_MEMORY: Final[int]
# The kinds of classify(); a set of them is their sum.
ELEMENT_OLD: Final[int]
ELEMENT_WRITTEN: Final[int]
ELEMENT_CONFLICTING: Final[int]

@disjoint_base
class Session:
    # Not made directly (TypeError): attach(), launch() and simulate() open one.
    """The compiled half of pydbgwrite.Session: an engine's interfaces and who may use them."""
    def __new__(cls, not_made_directly: Never, /) -> Self: ...
    def __del__(self) -> None: ...
    @property
    def data_spaces(self) -> DataSpaces:
        """The raw layer, IDebugDataSpaces4, one method a call."""
    @property
    def pointer_size(self) -> int:
        """Bytes of a pointer in the target now, 8 or 4 (IDebugControl::IsPointer64Bit)."""
    @property
    def pid(self) -> int | None:
        """The target's process id; None if it is no process."""
    @property
    def target(self) -> str:
        """What the target is, 'process', 'dump', 'kernel', 'remote' or 'simulated'."""
    @property
    def owner_thread(self) -> int:
        """The thread that opened the session, as threading.get_ident() numbers it."""
    @property
    def writable(self) -> bool:
        """False if every write raises ReadOnlyError."""
    @property
    def closed(self) -> bool:
        """True once the session has ended."""
    @property
    def _embedded(self) -> bool:
        """True if the engine is this package's own."""
    @property
    def _spans_refused(self) -> bool:
        """True if a transaction recorded a write with spans=False."""
    @property
    def _wrapped(self) -> bool:
        """True if another package started the engine."""
    def write_pointers(
        self,
        address: SupportsIndex | str,
        pointers: _Pointers,
        *,
        via: _WriteVia = "WritePointersVirtual",
        verify: bool = False,
        expect: SupportsIndex | str | _Pointers | None = None,
        truncate: bool = False,
        progress: _Progress | None = None,
    ) -> int:
        """Write pointers to consecutive addresses of the target.

        The engine call is IDebugDataSpaces4::WritePointersVirtual (MicrosoftDocs,
        nf-dbgeng-idebugdataspaces4-writepointersvirtual). It reads the memory of `pointers` itself
        where that is contiguous and the target has 64-bit pointers. Long arrays are split, so that
        Ctrl-C works and `progress` is called. A write of more than one pointer is not atomic for a
        running target.

        Args:
            address: Virtual address in the target, 0 to 2**64 - 1, or a text that resolve() takes.
                It need not be aligned.
            pointers: A one-dimensional buffer of 8-byte integers or pointers in native byte order
                (array('Q'), numpy uint64 or int64, ctypes arrays, memoryview; contiguous or
                strided), raw bytes whose length is a multiple of 8, or an iterable of ints and of
                texts that resolve() takes. All are resolved before anything is written.
            via: The engine's method. 'WriteVirtual' writes the same bytes in bulk, with the same
                result: Microsoft's engine loops pointer by pointer inside WritePointersVirtual, and
                bulk is up to a thousand times faster there. 'auto' chooses WriteVirtual for
                BULK_THRESHOLD_POINTERS pointers or more on such an engine, and for a 32-bit target.
            verify: Read the data back by ReadVirtual and compare it. A difference raises
                VerificationError, even though the engine answered S_OK.
            expect: One int or text, or as many pointers as are written, of any type that `pointers`
                takes.
                The write happens only if the target holds these values now. The whole range is
                compared, by ReadVirtual, before the first byte is written. The comparison is exact
                for a stopped target. A running target may change the memory between the comparison
                and the write.
            truncate: For a 32-bit target, write and compare the low 32 bits of values that do not
                fit, instead of raising PointerRangeError.
            progress: A callable, called as progress(done, total) between chunks and at the end, in
                pointers written. Comparisons do not count. If it raises, the write stops and the
                exception propagates with `written`.

        Returns:
            The number of pointers written. It is always all of them; anything less raises.

        Raises:
            TypeError, ValueError, OverflowError: The input is not valid. Nothing is written.
            AddressError: A text can't be resolved; the message has its index. Nothing is written.
            PointerRangeError: A value does not fit a 32-bit target. Nothing is written.
            ExpectationError: The target does not hold what `expect` says. Nothing is written. The
                exception carries the first 100 `mismatches` and their `total`.
            VerificationError: The target does not hold what was written. It carries the same.
            TargetAccessError, NoTargetError, WriteNotAppliedError, DebugEngineError: The engine
                answered something other than S_OK. `written` says how many leading pointers the
                target holds now. A TargetAccessError is also raised if memory that `expect` names
                can't be read; then nothing is written.
        """
    @overload
    def read_pointers(
        self,
        address: SupportsIndex | str,
        count: SupportsIndex,
        *,
        into: None = None,
        via: _ReadVia = "auto",
        progress: _Progress | None = None,
    ) -> array[int]:
        """Read pointers from consecutive addresses of the target.

        The engine call is IDebugDataSpaces4::ReadPointersVirtual (MicrosoftDocs,
        nf-dbgeng-idebugdataspaces4-readpointersvirtual) or ReadVirtual. Pointers of a 32-bit target
        are zero-extended on every engine.

        Args:
            address: Virtual address in the target, 0 to 2**64 - 1, or a text that resolve() takes.
                It need not be aligned.
            count: How many pointers to read. The default with `into` is as many as fit.
            into: A writable, contiguous buffer of a type that write_pointers takes.
            via: 'ReadPointersVirtual', 'ReadVirtual', or 'auto', which chooses ReadVirtual for
                BULK_THRESHOLD_POINTERS pointers or more on an engine that loops pointer by pointer.
            progress: A callable, called as progress(done, total), as for write_pointers.

        Returns:
            An array('Q') of `count` elements; with `into`, the number of pointers read.

        Raises:
            TargetAccessError, NoTargetError: Not all pointers can be read. The message names
                the first address that can't be. `into` then holds the pointers before that
                address, and the rest of it is unchanged. The exception to this is a large read
                of a stopped Linux process that meets a MADV_GUARD_INSTALL page, which no memory
                map shows.
        """
    @overload
    def read_pointers(
        self,
        address: SupportsIndex | str,
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
        expect: SupportsIndex | str | _Pointers | None = None,
        truncate: bool = False,
        spans: bool = True,
        progress: _Progress | None = None,
    ) -> int:
        """Write each pointer to its own address: pointers[i] to addresses[i].

        Pointers at neighbouring addresses are written together. Where several elements cover the
        same bytes, the last one counts. A running target is written in the order given. For a
        stopped target the elements are sorted by page, up to 2**21 at a time (32 bytes of memory
        each), and a page that holds several is read, patched and written back.

        The engine calls are WriteVirtual and ReadVirtual, WritePointersVirtual for single pointers,
        and on Linux process_vm_writev(2) with up to 1,024 ranges a call.

        Args:
            addresses: Virtual addresses: a buffer, or an iterable of ints and texts, as `pointers`
                of write_pointers.
            pointers: As for write_pointers. There must be as many as addresses.
            verify: As for write_pointers. Where an address occurs more than once, the last element
                counts, and the address is one mismatch.
            expect: As for write_pointers. expect[i] is what addresses[i] must hold; each element is
                compared by itself.
            truncate: As for write_pointers.
            spans: False never writes back bytes that the caller did not name. They are written
                back only in a stopped target, in private memory that it can read and write and that
                no other process shares, never in huge pages or a device. The kernel may still
                write there for input that was pending when the target was stopped (io_uring,
                O_DIRECT): pass False for a target that uses these. The undo of a transaction by
                this session follows that, too.
            progress: As for write_pointers. `done` counts elements in any order.

        Returns:
            The number of pointers written. It is always all of them; anything less raises.

        Raises:
            TypeError, ValueError, OverflowError, AddressError, PointerRangeError, ExpectationError:
                As for write_pointers. Nothing is written.
            VerificationError: As for write_pointers.
            TargetAccessError, NoTargetError, WriteNotAppliedError, DebugEngineError: The engine
                answered something other than S_OK, and the target was read back. `index` is the
                first element, in the order given, that is not in place; `written` is the same
                number. Elements after it may be written too. After Ctrl-C, or when `progress`
                raises, `written` of that exception is the number of leading elements written.
        """
    @overload
    def read_scattered(
        self,
        addresses: _Pointers,
        *,
        into: None = None,
        progress: _Progress | None = None,
    ) -> array[int]:
        """Read the pointer at each of many addresses.

        The engine call is IDebugDataSpaces4::ReadVirtual; on Linux process_vm_readv(2) with up to
        1,024 ranges a call. Pointers of a 32-bit target are zero-extended.

        Args:
            addresses: Virtual addresses: a buffer, or an iterable of ints and texts, as `pointers`
                of write_pointers.
            into: A writable, contiguous buffer of a type that write_pointers takes, large
                enough for as many pointers.
            progress: As for write_scattered.

        Returns:
            An array('Q') in the order of the addresses; with `into`, the number of pointers read.

        Raises:
            TargetAccessError, NoTargetError: Not all pointers can be read. `index` is the first
                element that can't be. `into` may hold some of the pointers.
        """
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
        address: SupportsIndex | str,
        data: ReadableBuffer,
        *,
        verify: bool = False,
        expect: ReadableBuffer | None = None,
        progress: _Progress | None = None,
    ) -> int:
        """Write bytes to the target, by IDebugDataSpaces4::WriteVirtual.

        Args:
            address: Virtual address in the target, 0 to 2**64 - 1, or a text that resolve() takes.
            data: A contiguous bytes-like object.
            verify: As for write_pointers.
            expect: A bytes-like object of the same length. The write happens only if the target
                holds these bytes now; see write_pointers.
            progress: As for write_pointers, in bytes.

        Returns:
            The number of bytes written. It is always all of them; anything less raises.

        Raises:
            ExpectationError, VerificationError: As for write_pointers.
            TargetAccessError, NoTargetError, WriteNotAppliedError, DebugEngineError: The engine
                answered something other than S_OK. `written` says how many leading bytes the target
                holds now.
        """
    def read(
        self,
        address: SupportsIndex | str,
        size: SupportsIndex,
        *,
        progress: _Progress | None = None,
    ) -> bytes:
        """Read bytes from the target, by IDebugDataSpaces4::ReadVirtual.

        Args:
            address: Virtual address in the target, 0 to 2**64 - 1, or a text that resolve() takes.
            size: How many bytes to read.
            progress: As for write_pointers, in bytes.

        Returns:
            `size` bytes.

        Raises:
            TargetAccessError, NoTargetError: Not all bytes can be read.
        """
    def detach(self) -> None:
        """Resume the target as it was found, and close the session.

        The engine call is IDebugClient::DetachProcesses.

        Raises:
            ValueError: The session comes from wrap(): whoever started its engine ends it.
            WrongThreadError, SessionBusyError: As for close.
        """
    def terminate(self) -> None:
        """End the target and close the session.

        The engine call is IDebugClient::TerminateProcesses.

        Raises:
            ValueError: The session comes from wrap(): whoever started its engine ends it.
            WrongThreadError, SessionBusyError: As for close.
        """
    def close(self) -> None:
        """Close the session. The target resumes, as after detach.

        A session of wrap() releases its references and leaves the engine and its target as they
        are. A second call does nothing. In a forked child the call has no effect on the
        parent's session.

        Raises:
            WrongThreadError: The call comes from another thread than the owner's.
            SessionBusyError: Another call of this session is under way.
        """
    def _end_at_exit(self) -> None:
        """Release the target, from any thread, unless a call is under way."""
    @overload
    def _set_recorder(
        self, record: _Record | RecordLog, cut_short: Callable[[], object], /
    ) -> None:
        """Record what writes replace, before they happen; (None, None) ends that.

        Each write goes in pieces of at most RECORD_BYTES bytes of the target, of pointers at
        separate addresses RECORD_BYTES_SCATTERED. For each piece the target is read,
        record(where, old, new, unit) is called, and the piece is written. All of `old` is read
        before any of the piece is written. An exception from `record` ends the write, with
        `written`; nothing of its piece is written.

        Args:
            record: A RecordLog, to which C adds the records; if it is durable, several pieces share
                a sync. Or what is called with `where`, `old`, `new` and `unit`. `old` and `new` are
                bytes in the target's form. `where` is their address, or bytes of little-endian
                64-bit addresses, one for each `unit` bytes, in the order of the call. `unit` is the
                size of an element: 8 or 4 for pointers, 1 for bytes.
            cut_short: Called once if a recorded piece is not written completely, before the
                exception that says why propagates.

        Raises:
            SessionBusyError: A recorder is set already.
        """
    @overload
    def _set_recorder(self, record: None, cut_short: None, /) -> None: ...
    def _set_pointer_size(self, size: int, /) -> None:
        """Set the effective processor to one with pointers of this size, 4 or 8."""
    def _list_modules(self) -> list[tuple[int, int, str, str, int]]:
        """List the modules that dbgeng knows.

        Returns:
            For each module its base, size, path, the name that its symbols go by, and
            TimeDateStamp.
        """
    def _load_module(self, file: str, base: int, size: int, /) -> bool:
        """Make dbgeng list the module at that base, by IDebugSymbols3::ReloadWide."""
    def _thread_teb(self) -> int:
        """Return the address of the current thread's TEB, by GetCurrentThreadTeb; 0 for none."""
    def _keep_decoration(self) -> None:
        """Make dbgeng give C++ names as they are in the module, without SYMOPT_UNDNAME."""
    def _undecorate(self, name: str, /) -> tuple[str, str]:
        """Undecorate a name of Microsoft's C++ compiler, by dbghelp's UnDecorateSymbolNameW.

        Returns:
            The name with its parameters, or with the type of a variable; and the name alone. Empty
            texts if the engine can't.
        """
    def _symbol_address(self, name: str, /) -> tuple[int, int]:
        """Find a symbol's address, by IDebugSymbols3::GetOffsetByNameWide.

        Returns:
            The HRESULT, unsigned, and the address. The HRESULT is E_NOINTERFACE if the engine
            has no symbols.
        """
    def _match_symbols(self, pattern: str, most: int, /) -> list[tuple[str, int]]:
        """List up to `most` (name, address), by IDebugSymbols3::StartSymbolMatchWide."""
    def _symbol_names(self, addresses: bytes, /) -> list[tuple[str, int] | None]:
        """Name addresses, by IDebugSymbols3::GetNameByOffsetWide.

        Args:
            addresses: 8 bytes each, in native byte order.

        Returns:
            For each "module!symbol" and the bytes from there to the address; None if the engine
            has no name for it. The list is empty if the engine has no symbols.
        """
    def _search(
        self,
        wanted: _Pointers | None,
        how: tuple[int, int, int, int, bool],
        starts: array[int],
        sizes: array[int],
        progress: _Progress | None,
        found: list[object],
    ) -> None:
        """Search ranges of memory for pointers.

        Args:
            wanted: Values; None for a range.
            how: Its first and last value, the mask, the limit, and whether pointers are aligned.
            starts, sizes: Of the ranges, by address; none overlap, and none is empty.
            progress: Gets bytes.
            found: Gets addresses and values, starts and sizes of what could not be read, and
                whether the limit ended the search; also if an exception ends it.
        """
    def _start_server(self, options: str, /) -> None:
        """Start a server, by IDebugClient5::StartServerWide."""
    def _end_servers(self) -> None:
        """End every server, by the engine's command .endsrv."""
    def _dispatch(self, milliseconds: int, /) -> None:
        """Serve clients for this long, by IDebugClient::DispatchCallbacks."""
    def _process_life(self) -> tuple[int, int, int]:
        """Return what Microsoft's engine knows of the process's life.

        When its first thread was created, in units of 100 ns since 1601; the time of its machine,
        in seconds since 1970; and for how many seconds it has run.
        """
    def _interface_address(self) -> int:
        """Return the address of the session's IDebugClient.

        The address is borrowed: it holds no reference, and is valid until the session ends.
        """
    def _read_maps(self) -> bytes:
        """Return the memory map of a Linux process, as the kernel writes it."""
    def _open_folder(self, of_memory: bool, /) -> int:
        """Return a new descriptor of a Linux process's folder in /proc.

        With of_memory, of that of a thread which has the process's memory.
        """
    def _inject_fault(self, kind: str, first: SupportsIndex = 0, second: SupportsIndex = 0) -> None:
        """Make a simulated target fail; pydbgwrite.testing describes the faults."""

@final
class DataSpaces:
    """IDebugDataSpaces4 of a session, one method a call."""
    def read_virtual(self, offset: SupportsIndex, buffer_size: SupportsIndex) -> bytes:
        """ReadVirtual: read up to buffer_size bytes from offset; the result may be shorter."""
    def write_virtual(self, offset: SupportsIndex, buffer: ReadableBuffer) -> int:
        """WriteVirtual: return the number of bytes written, which may be fewer than len(buffer)."""
    def read_virtual_uncached(self, offset: SupportsIndex, buffer_size: SupportsIndex) -> bytes:
        """ReadVirtualUncached: as read_virtual, bypassing the engine's cache of kernel memory."""
    def write_virtual_uncached(self, offset: SupportsIndex, buffer: ReadableBuffer) -> int:
        """WriteVirtualUncached: as write_virtual, bypassing the engine's cache of kernel memory."""
    def read_pointers_virtual(self, offset: SupportsIndex, count: SupportsIndex) -> array[int]:
        """ReadPointersVirtual: return count pointers as an array('Q'), extended by the engine."""
    def write_pointers_virtual(self, offset: SupportsIndex, ptrs: _Numbers) -> None:
        """WritePointersVirtual: make one call on the memory of ptrs itself.

        The call takes at most 2**32 - 1 pointers. The engine casts values to 32 bits on a
        32-bit target.
        """
    def read_physical(self, offset: SupportsIndex, buffer_size: SupportsIndex) -> bytes:
        """ReadPhysical: read physical memory; kernel targets only."""
    def write_physical(self, offset: SupportsIndex, buffer: ReadableBuffer) -> int:
        """WritePhysical: write physical memory; kernel targets only."""
    def fill_virtual(
        self, start: SupportsIndex, size: SupportsIndex, pattern: ReadableBuffer
    ) -> int:
        """FillVirtual: repeat pattern over size bytes; return the number of bytes filled."""
    def search_virtual(
        self,
        offset: SupportsIndex,
        length: SupportsIndex,
        pattern: ReadableBuffer,
        pattern_granularity: SupportsIndex = 1,
    ) -> int | None:
        """SearchVirtual: return the address of the first match, or None."""
    def query_virtual(self, offset: SupportsIndex) -> MemoryBasicInformation:
        """QueryVirtual: return the MemoryBasicInformation of the region that holds offset."""
    def get_valid_region_virtual(self, base: SupportsIndex, size: SupportsIndex) -> tuple[int, int]:
        """GetValidRegionVirtual: return the first valid part as (base, size), or (0, 0)."""
    def get_next_differently_valid_offset_virtual(self, offset: SupportsIndex) -> int | None:
        """GetNextDifferentlyValidOffsetVirtual: return where validity may change, or None."""
    def is_pointer_64bit(self) -> bool:
        """IDebugControl::IsPointer64Bit: return True for 64-bit pointers, False for 32-bit ones."""

@final
class MemoryBasicInformation(structseq[int], tuple[int, int, int, int, int, int, int]):
    """MEMORY_BASIC_INFORMATION64, with Microsoft's names in snake case."""

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
    def base_address(self) -> int:
        """Address of the page that was asked for; region_size counts from here."""
    @property
    def allocation_base(self) -> int:
        """Start of the allocation that the page belongs to."""
    @property
    def allocation_protect(self) -> int:
        """PAGE_* of the allocation."""
    @property
    def region_size(self) -> int:
        """Bytes to the end of the run of pages with the same attributes."""
    @property
    def state(self) -> int:
        """MEM_COMMIT, MEM_RESERVE or MEM_FREE."""
    @property
    def protect(self) -> int:
        """PAGE_* now."""
    @property
    def type(self) -> int:
        """MEM_PRIVATE, MEM_MAPPED or MEM_IMAGE; 0 if free."""

@final
class FileDescriptor:
    """A file descriptor that is closed when this object is freed, at the latest.

    C calls opener(*arguments, **options) and keeps its result. So no handler of a signal can raise
    an exception between the opening and the storing, if the opener is a function in C, such as
    os.open().
    """
    def __new__(
        cls, opener: Callable[_P, int], /, *arguments: _P.args, **options: _P.kwargs
    ) -> Self: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *details: object) -> None: ...
    def fileno(self) -> int:
        """Return the number. ValueError if it is closed."""
    def into_file(self, mode: str, /) -> FileIO:
        """Return a FileIO that owns the descriptor from now on."""
    def close(self) -> None:
        """Close the descriptor, if it is still open and no file owns it."""

@final
class RecordLog:
    """The records of one transaction, in memory or in a file, and the sum of what they say.

    A session adds records of its writes without calling Python (_set_recorder). Each record is
    framed as in the present version of the format (pydbgwrite/_journal/format.py). It counts once
    all of it is in the file, and not before: after an exception nothing of it counts.

    Args:
        file: The journal, which is appended to; None for records in memory, without checksums.
            Beyond RECORDS_IN_MEMORY bytes they move to a temporary file.
        handle: The file's descriptor; on Windows its handle.
        name: The journal's name, for messages.
    """

    def __new__(cls, file: FileIO | None, handle: int, name: str, /) -> Self: ...
    def __len__(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def file(self) -> FileIO | None: ...
    @property
    def end(self) -> int: ...
    @property
    def number(self) -> int: ...
    @property
    def chain(self) -> int: ...
    @property
    def recorded_bytes(self) -> int: ...
    @property
    def first(self) -> int: ...
    @property
    def committed(self) -> bool: ...
    @property
    def undone(self) -> bool: ...
    @property
    def undoing(self) -> bool: ...
    durable: bool
    litter: bool
    owes_cut: bool
    broken: str | None
    def start(self, end: int, chain: int, /) -> None:
        """Begin behind the first bytes of a journal, which have this checksum."""
    def add(self, kind: int, unit: int, payload: ReadableBuffer, value: int, /) -> None:
        """Add a record.

        Args:
            kind: Of the record.
            unit: Bytes of an element of a write.
            payload: The record's contents.
            value: For a write its bytes in the target; for SETTLED the index of a write.

        Raises:
            OSError: It can't be written. It does not count.
        """
    def append(self, kind: int, value: int, record: ReadableBuffer, chain: int, /) -> None:
        """Add a record of another version, already framed, with the checksum after it."""
    def take(self, kind: int, value: int, end: int, chain: int, /) -> None:
        """Count a record that was read: it is in the file, up to `end`."""
    def scan(self, size: int, /) -> None:
        """Count the records of this version in a file of this size.

        It stops before the first record that is not sound.

        Raises:
            OSError: The file can't be read.
        """
    def read(self, offset: int, size: int, /) -> bytes:
        """Return bytes of the records; fewer if they end before."""
    def load(
        self, index: int, head_size: int, handle: int = -1, /
    ) -> tuple[int, bytes, bytes, int, bytes | None]:
        """Read a recorded write.

        Args:
            index: Its number.
            head_size: The bytes before a payload, in the journal's version.
            handle: Of the same file, opened again after this log was closed. The record's checksums
                are then checked; the journal has the present version.

        Returns:
            The lowest address, the old and the new bytes, the bytes of an element, and for
            scattered elements their addresses.

        Raises:
            EOFError: The file has changed since it was checked.
        """
    def is_cut(self, index: int, /) -> bool:
        """Return whether the target can hold a mixture of old and new bytes of this write."""
    def is_settled(self, index: int, /) -> bool:
        """Return whether an undo has finished this write."""
    def move_to(self, file: object, handle: int, /) -> None:
        """Move the records from memory into a file, which has them from now on."""
    def close(self) -> None:
        """Close the file."""

@final
class ModuleSymbols:
    """The symbols of one module, numbered: those that its tables define.

    A source is a symbol table: its entries, its strings, the versions (empty: none), the address
    and size of each section of its file (empty: unknown), and whether it has 64 bits, is
    big-endian, and is a debug file's. low and high are the file's addresses between which it is
    loaded.

    Raises:
        MemoryError: There is not enough memory.
    """

    def __new__(
        cls,
        sources: list[tuple[bytes, bytes, bytes, list[tuple[int, int]], bool, bool, bool]],
        low: int,
        high: int,
        /,
    ) -> Self: ...
    def __len__(self) -> int: ...
    def names(self, numbers: list[int], /) -> list[str]:
        """Return the names of these symbols, without versions."""
    def entry(self, number: int, /) -> tuple[bytes, int, int, int, int, int, bool, bool, bool]:
        """Return what is known of a symbol.

        Its name without a version, value, size, source, kind (STT_*); 0 if each symbol of that name
        is at its address, 1 if versions decide, 2 if the name means several or none; whether it has
        an address, has a version, and is a variable that another module's can replace.
        """
    def values(self) -> list[int]:
        """Return the value of each symbol."""
    def containing(self, text: bytes, /) -> list[int]:
        """Return the numbers of the symbols whose names, without a version, contain the text.

        None of them where they share so much memory that a search would take too long.
        """
    def at(self, address: int, /) -> int | None:
        """Return the number of the symbol that covers an address of the file, or None."""

def checksum(data: ReadableBuffer, seed: int, /) -> int:
    """Return a checksum of 64 bits that continues `seed`: that of a journal's records.

    It finds damage, at the speed of memory. It is no authentication.
    """

def plain_mangled(names: list[str], /) -> list[int]:
    """Return the indexes of the names of C++ and Rust that can be demangled in time.

    A name is left out if it is not mangled, if it is longer than those of real programs, or if it
    has many parts that have several readings.
    """

def moved_pointers(
    values: array[int],
    old: array[int],
    new: array[int],
    mask: int,
    name_of_old: str,
    name_of_new: str,
    /,
) -> array[int]:
    """Return what each stored pointer becomes if old pointers are replaced by new ones.

    One pair is a shift by their difference, also of what lies behind the old pointer. The mask has
    the bits that are compared, and are replaced; new pointers have no others. The names are those
    that messages have.

    Raises:
        ValueError: An old pointer is its new one, or has two; or a new one has bits outside the
            mask; or a value is none of several old ones.
    """

def name_addresses(
    addresses: ReadableBuffer | Iterable[SupportsIndex],
    ranges: list[tuple[int, int, int, int, str, int]],
    open_module: Callable[[int], tuple[ModuleSymbols, list[str | None]] | None],
    spell: Callable[[int, list[int]], list[str]],
    /,
) -> list[str]:
    """Return the name of each address; Session.names() describes them.

    A range has its start, end, origin of offsets, load bias, name, and the number of its module,
    less than the number of ranges; or -1 if it has no symbols, -2 if it is a symbol itself. Ranges
    are in order and do not overlap. open_module() is called once for each module that has one of
    the addresses. It returns the symbols, and a list with their texts: how the names begin of the
    addresses that a symbol covers; "" if it can't be named, None if that is not known yet. spell()
    is called with a module and numbers of such symbols, and returns their texts, which the list
    gets.
    """

@final
class RangeMap:
    """Disjoint address ranges in ascending order, each with the place of the bytes found there.

    A range belongs to the record that found it, which has elements of `unit` bytes. Elements are
    given by a buffer of their 64-bit addresses.
    """

    def __len__(self) -> int: ...
    def cut(self, start: int, size: int, /) -> None:
        """Remove these addresses."""
    def cut_elements(self, addresses: ReadableBuffer, unit: int, /) -> None:
        """Remove the addresses of these elements."""
    def put(self, start: int, size: int, unit: int, record: int, place: int, /) -> None:
        """Add what the map does not have of a range.

        Nothing is added if a range of another record has one of the addresses.
        """
    def put_elements(
        self, addresses: ReadableBuffer, unit: int, record: int, place: int, /
    ) -> None:
        """Add elements, each as put() does. Their bytes follow each other from `place` on."""
    def within(self, start: int, size: int, /) -> list[tuple[int, int, int, int]]:
        """Return the parts of ranges at these addresses: (0, start, size, place)."""
    def within_elements(
        self, addresses: ReadableBuffer, unit: int, /
    ) -> list[tuple[int, int, int, int]]:
        """Return the parts of ranges in each element: (element, start, size, place)."""
    def first(self, most: int, /) -> list[tuple[int, int, int, int, int]]:
        """Return the first ranges: (start, size, place, record, unit)."""
    def parts(self) -> list[tuple[int, int, int, int, int]]:
        """Return the ranges, as first() does, of which not all is left that was put."""
    def pieces(self, most: int, /) -> int:
        """Return the number of elements in all ranges, or of pieces of so many bytes."""

def classify(
    found: ReadableBuffer,
    old: ReadableBuffer,
    written: ReadableBuffer,
    unit: int,
    mixed: bool,
    /,
) -> bytearray:
    """Return the kind of each element of `unit` bytes that was found in the target, as a byte.

    ELEMENT_OLD if it holds the old bytes, ELEMENT_WRITTEN if it holds the written ones, else
    ELEMENT_CONFLICTING. Where old and written bytes are equal, they count as old. mixed: an element
    each of whose bytes is old or written counts as written.
    """

def pick_classified(
    data: ReadableBuffer, unit: int, kinds: ReadableBuffer, wanted: int, /
) -> bytes:
    """Return the elements with one of the wanted kinds, one after the other."""

def place_classified(address: int, unit: int, kinds: ReadableBuffer, wanted: int, /) -> bytes:
    """Return the 64-bit addresses of elements with one of the wanted kinds.

    The elements lie one after the other from `address` on.
    """

def find_overlaps(addresses: ReadableBuffer, unit: int, /) -> tuple[bytes, list[tuple[int, int]]]:
    """Return 64-bit indexes of elements in order of address, and the groups that overlap.

    A group is a range of places in that order. Each of its elements overlaps the one before it.
    """

# (base, size, 0 none / 1 r / 2 rw), in order and without overlaps.
def simulate(
    type: type[_S], regions: list[tuple[int, int, int]], pointer_size: int, writable: bool, /
) -> _S:
    """Open simulated memory; pydbgwrite.simulate() checks the arguments.

    A region is (base, size, protection), with protection 0 for none, 1 for r, 2 for rw. Regions
    come in order of base and do not overlap.
    """

# The session, and where code of its engine is.
def wrap(type: type[_S], address: int, writable: bool, /) -> tuple[_S, int]:
    """Open an engine that another package started; pydbgwrite.wrap() finds the address.

    Returns:
        The session, and the address of code of its engine.
    """

if sys.platform == "linux":
    def linux_attach(
        type: type[_S], pid: int, suspend: bool, writable: bool, timeout: float, /
    ) -> _S:
        """Open a live Linux process; pydbgwrite.attach() checks the arguments."""
    def linux_suspend(session: Session, timeout: float, /) -> None:
        """Suspend a process that was attached without; nothing if it is suspended.

        Raises NoTargetError if it has ended, or runs another program now (execve).
        """
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
    ) -> _S:
        """Start a program, stopped at exec; pydbgwrite.launch() checks the arguments."""

if sys.platform == "win32":
    def dbgeng_load(folder: str, /) -> tuple[str, int, int, int, str, list[str]]:
        """Load the engine of one folder."""
    def dbgeng_loaded() -> tuple[str, tuple[int, int, int, int]] | None:
        """Return the path and version of the loaded engine, or None."""
    def dbgeng_file_of(code: int, /) -> tuple[str, tuple[int, int, int, int]] | None:
        """Return the path and version of the library that has code at an address, or None."""
    def dbgeng_attach(
        type: type[_S],
        server: object,
        pid: int,
        invasive: bool,
        suspend: bool,
        writable: bool,
        timeout: float,
        /,
    ) -> _S:
        """Open a process."""
    def dbgeng_launch(
        type: type[_S],
        server: object,
        command_line: str,
        directory: str | None,
        environment: str | None,
        writable: bool,
        timeout: float,
        /,
    ) -> _S:
        """Start a program."""
    def dbgeng_open_dump(type: type[_S], path: str, writable: bool, timeout: float, /) -> _S:
        """Open a dump file."""
    def dbgeng_attach_kernel(type: type[_S], options: str, writable: bool, timeout: float, /) -> _S:
        """Open a kernel."""
    def dbgeng_connect(type: type[_S], options: str, writable: bool, timeout: float, /) -> _S:
        """Join the session of another engine."""
    def dbgeng_process_server(options: str, timeout: float, /) -> object:
        """Connect to a process server."""
    def dbgeng_running_ids(server: object, /) -> tuple[int, list[int]]:
        """Return the HRESULT, unsigned, and the ids of the processes of a server's machine."""
    def dbgeng_running_program(server: object, pid: int, /) -> tuple[int, str]:
        """Return the HRESULT, unsigned, and the file name of the program of one of them."""
    def dbgeng_disconnect(server: object, /) -> int:
        """Disconnect from a process server; return the HRESULT, unsigned."""
