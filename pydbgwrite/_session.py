"""The Session class: the compiled half, and what needs no speed."""

from __future__ import annotations

import time

from pydbgwrite import _core
from pydbgwrite._version import __version__
from pydbgwrite.errors import SessionBusyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self, SupportsIndex

    from _typeshed import ReadableBuffer, StrOrBytesPath

    from pydbgwrite._dbgeng import EngineInfo
    from pydbgwrite._find.find import PointersToFind
    from pydbgwrite._find.found import Found
    from pydbgwrite._find.retargeted import Retargeted
    from pydbgwrite._find.within import MemoryPlace
    from pydbgwrite._regions import Module, Region
    from pydbgwrite._symbols.model import ImportSlot, Symbol
    from pydbgwrite._target import OpenTransaction
    from pydbgwrite._transactions.transaction import Transaction

__all__ = ["EngineInfo", "Session"]

# How long one DispatchCallbacks call of serve() takes: then `stop` and Ctrl-C get their turn.
_SLICE_MS = 50


class Session(_core.Session):
    """An open target, made by attach(), launch(), simulate(), wrap() and others.

    A session belongs to the thread that opened it: a call from another thread raises
    WrongThreadError. As a context manager it closes itself, and the target resumes as it was found.
    """

    # All but the first are there only where they have been set.
    __slots__ = (
        "__weakref__",
        "_far",
        "_kept_files",
        "_main_module",
        "_naming",
        "_serving",
        "_token",
        "_transaction",
        "_wrapped_engine",
    )

    #: Of a session over another package's engine, unless that is this package's own.
    _wrapped_engine: EngineInfo
    #: True where a process server's machine has the target.
    _far: bool
    #: The files of modules, as they were read for symbols.
    _kept_files: object
    #: The main module of the target, and the program that it belongs to.
    _main_module: object
    #: True while serve() lets clients in.
    _serving: bool
    #: The symbols' tables, as they were read for names.
    _naming: object
    #: What tells this simulated memory from any other.
    _token: str
    #: The one that is open.
    _transaction: OpenTransaction | None

    @property
    def engine(self) -> EngineInfo:
        """The engine behind this session, with its name, file, version and folder.

        The name is "dbgeng" for Microsoft's engine and "embedded" for this package's own.
        """
        from pydbgwrite._dbgeng import EngineInfo, loaded_engine

        if self._embedded:
            file = _core.__file__
            folder = file[: max(file.rfind("/"), file.rfind("\\"), 0)]
            return EngineInfo("embedded", file, __version__, folder)
        wrapped: EngineInfo | None = getattr(self, "_wrapped_engine", None)
        if wrapped is not None:
            return wrapped
        found = loaded_engine()
        assert found is not None  # the session stands on it
        return found

    def query(self, address: SupportsIndex | str) -> Region:
        """Return the run of pages with the same protection that begins at the page of `address`.

        The region's base is that page, not the beginning of the run; base + size is the end of the
        run. Unmapped memory has the state "free".

        Engine call: IDebugDataSpaces2::QueryVirtual.

        Raises:
            TargetAccessError: The address is beyond user space.
            NoTargetError: There is no accessible target.
        """
        from pydbgwrite._regions import Region, protection_name, state_name

        place = self.resolve(address) if isinstance(address, str) else address
        info = self.data_spaces.query_virtual(place)
        return Region(
            info.base_address,
            info.region_size,
            protection_name(info.protect),
            state_name(info.state),
        )

    def modules(self) -> list[Module]:
        """Return the programs and libraries in the target, by address.

        Simulated memory has none. On Linux these are the program and what the dynamic linker has
        loaded, in all its namespaces (dlmopen), and other files whose code is mapped. A 32-bit
        program on 64-bit Windows has its own modules and the system's 64-bit ones.

        Raises:
            NoTargetError: The process has ended.
        """
        from pydbgwrite._report.listing import Listing

        if not self._embedded:
            from pydbgwrite._regions import Module
            from pydbgwrite._symbols.dbgeng_modules import modules_of_engine

            return Listing(
                Module(each.name, each.base, each.size, each.path)
                for each in modules_of_engine(self)
            )
        from pydbgwrite._symbols.linux_images import modules_of

        return Listing(modules_of(self))

    def regions(self) -> list[Region]:
        """Return everything that is mapped in the target, by address.

        Free memory is left out; memory that is reserved, or that nobody may access, is not. On
        Linux these are the mappings of the kernel's map. query() says the same of each.

        Engine call: IDebugDataSpaces2::QueryVirtual, again and again. On Linux the map is read.

        Returns:
            The regions, each with a `name` if it is known what is there: the path of a file or
            module, "<heap>", "<stack>", or the kernel's name.

        Raises:
            NoTargetError: The process has ended.
            DebugEngineError: The target has no map, as a kernel.
        """
        from pydbgwrite._report.listing import Listing
        from pydbgwrite._symbols.regions import regions_of

        return Listing(regions_of(self))

    def import_slots(self, module: str | None = None, name: str | None = None) -> list[ImportSlot]:
        """Return the slots through which modules use functions and variables of others.

        To hook an import, write a pointer to its slot. All calls of that module go there then, and
        no other module is concerned.

        On Linux these are the relocations with a symbol that the dynamic section leads to. That
        includes a module's own symbols, where another module may take their place. A program that
        is linked statically has none. On Windows they are the import address table and the
        delay imports.

        Engine call: ReadVirtual.

        Args:
            module: Only those of one module, named as for resolve(). By default those of all
                modules; a module whose tables can't be read is left out.
            name: Only those of this name, with or without its version: "free",
                "free@GLIBC_2.2.5", "operator new(unsigned long)" or its mangled form; on Windows
                "CreateFileW" or "#12".

        Returns:
            The slots, by module and address; none if nothing of the name is imported.

        Raises:
            AddressError: There is no such module, or its tables can't be read.
            NoTargetError: The process has ended.
        """
        from pydbgwrite._report.listing import Listing
        from pydbgwrite._symbols.imports import import_slots

        return Listing(import_slots(self, module, name))

    def resolve(self, address: SupportsIndex | str) -> int:
        """Return the address behind any form of one, so that a table of addresses survives ASLR.

        Every method that takes an address takes these forms, too, and so do patches, elements of
        lists, and the command line.

        On Linux several files can define one variable. The address is then that of the definition
        which the named library uses: the program's copy, for instance, or a preloaded library's.
        A function is always the one of the named module, wherever calls of that name lead.

        Args:
            address: An int, or one of these texts. Behind each can stand one offset: "+8", "-0x10".

                - "0x7f0000001000", "4096": a number.
                - "libfoo.so+0x1234": that many bytes after the module's first address, Module.base.
                  In a library or a position-independent program that is what readelf and objdump
                  print as an address; in a program with a fixed address it is that less the
                  program's first one.
                - "libfoo.so!table", or "libfoo.so:table": a symbol of the module. On Linux a symbol
                  of .symtab or .dynsym in the module's file, or, where that has no section headers
                  or can't be read, one of those that the module exports; of a stripped file also
                  one of its separate debug file (build id, .gnu_debuglink, .gnu_debugdata). A
                  version may follow: "libc.so.6!memcpy@GLIBC_2.2.5". On dbgeng a symbol that its
                  symbol path leads to, or an export, in either case
                  (IDebugSymbols3::GetOffsetByNameWide).
                - "table": the main program's symbol of that name, else that of the only module
                  which has one.
                - "shop!shapes::Square::area() const", "shop!vtable for shapes::Square": a symbol by
                  its demangled name, C++'s or Rust's. Its parameters can be left out if there is
                  one function of that name. The command line's extra has the library that
                  demangles: pip install "pydbgwrite[cli]".
                - "[shop!root]", "[[shop!root]+0x18]+8": the pointer that is stored there now. It
                  has the target's pointer size and is read by ReadVirtual.
                - "<heap>+0x40", "<stack>+0x10": from the first address of what the memory map of a
                  Linux process calls [heap], and [stack], the main thread's. A stack grows down, so
                  its first address changes.

                A module is named by its file's name, by its whole path, or by its base
                ("0x7f0000000000!table"), which tells copies of one file apart. With dbgeng
                the name can lack the extension ("kernel32") or be the engine's own ("nt"),
                and case does not matter. On Linux "[vdso]" is a module, too. If a text has several
                readings, the longest name that the target has is used, and a module's before a
                symbol's.

        Returns:
            The address. query() says whether anything is mapped there.

        Raises:
            AddressError: There is no such module or symbol (the message gives similar names), or
                several have the name (it lists them). Or no code is seen to use the variable, and
                uses of its name lead to another one (it gives both). Or the symbol has no single
                address: an indirect function (IFUNC) or a thread-local variable. Or a pointer can't
                be read; the message says which, and what was read before it.
            NoTargetError: The process has ended.
            OverflowError: The result is negative or has more than 64 bits.
            TypeError: The address is neither an int nor a str (bool is refused).
            ValueError: The text has none of these forms.
        """
        from pydbgwrite._symbols.resolver import Resolver

        return Resolver(self).resolve(address)

    def name(self, address: SupportsIndex) -> str:
        """Return the name of an address: the symbol that covers it, its module, and the offset.

        The name leads back: resolve(name(address)) == address. What is there decides its form:

        - "shop!shapes::Square::area() const+0x4": a symbol covers the address. A symbol with a size
          covers its bytes; of several, the one that begins last. One without a size covers the
          bytes up to the next symbol, or to the end of its section. Of several symbols at one
          address that is named which has a size, is a function or variable, is not local, and has
          the fewest underscores in front and the shortest name.
        - "shop!_ZN6shapes6SquareD0Ev": its demangled name means several symbols, or there is no
          library that demangles (pip install "pydbgwrite[cli]").
        - "libc.so.6+0x12": an address in the module that no symbol covers, or that no name leads
          to: several local symbols have the name, or it leads to another module's variable.
        - "<heap>+0x40", "<stack>+0x10": an address in the heap of brk(2), or in the main thread's
          stack.
        - "0x7f0000001000": any other address, mapped or not.

        A module is named by its file's name, or by its path or its base where several have it.

        Engine call: none on Linux, where the symbols of the modules' files are read, as for
        resolve(). On dbgeng IDebugSymbols3::GetNameByOffsetWide.

        Args:
            address: An int.

        Raises:
            NoTargetError: The process has ended.
            OverflowError: The address is negative or has more than 64 bits.
            TypeError: The address is no int.
        """
        from pydbgwrite._symbols.naming import name_of

        return name_of(self, address)

    def names(self, addresses: ReadableBuffer | Iterable[SupportsIndex]) -> list[str]:
        """Return the name of each address, as name() does.

        The tables of symbols are read for the first addresses in a module, and kept. A million
        names take about half a second then.

        Args:
            addresses: What write_pointers() takes for pointers, without names: a buffer of 64-bit
                unsigned integers, or an iterable of ints.

        Raises:
            NoTargetError: The process has ended.
            OverflowError, TypeError, ValueError: As of write_pointers() for its pointers.
        """
        from pydbgwrite._symbols.naming import names_of

        return names_of(self, addresses)

    def symbols(
        self, pattern: str = "*", *, module: str | None = None, kind: str | None = None
    ) -> list[Symbol]:
        """Return the symbols of the target's modules that match a pattern.

        Symbols without an address, such as thread-local variables, are left out, and so are those
        of modules whose file can't be read. A symbol of .dynsym and .symtab is listed once.

        Args:
            pattern: Matched with the whole name, mangled or demangled: "vtable for *",
                "*Square::area*", "_ZTV*". "*" stands for any characters, "?" for one, and "[abc]"
                for one of these; "[*]", "[?]" and "[[]" stand for the character itself, as in
                "operator[*]*". Case matters.
            module: Only those of one module, named as for resolve().
            kind: Only those of one kind: "function", "data", "ifunc" (indirect functions) or
                "untyped" (labels of assemblers and linkers).

        Returns:
            The symbols, by address within each module, with name, demangled, module, address, size
            and kind. On dbgeng the size is 0, and the kind is that of the symbol's section.

        Raises:
            AddressError: There is no such module, or several have the name.
            NoTargetError: The process has ended.
            TypeError: An argument is no str.
            ValueError: There is no such kind, or the pattern has more than 4,096 characters.
        """
        from pydbgwrite._report.listing import Listing
        from pydbgwrite._symbols.naming import symbols_of

        return Listing(symbols_of(self, pattern, module, kind))

    def find_pointers(
        self,
        wanted: PointersToFind | ReadableBuffer,
        *,
        within: MemoryPlace | Iterable[MemoryPlace] | None = None,
        mask: SupportsIndex | None = None,
        aligned: bool = True,
        limit: SupportsIndex | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Found:
        """Find the places in the target's memory that hold certain pointers.

        Example::

            found = session.find_pointers("shop!old_table")
            session.write_scattered(found.addresses, [new] * len(found), expect=found.values)

        The search is conservative: it compares what memory holds. An integer that happens to have
        the value, an unused part of a stack, and freed memory are found, too. On a running target
        (suspend=False) memory changes while it is searched.

        Memory is read in blocks, on all idle processors, and compared there. Memory that was never
        written is not read, unless 0 is wanted.

        Engine call: ReadVirtual. Of the embedded engine, its own interface for blocks.

        Args:
            wanted: The pointers to find. One of these:

                - an address, as an int or a name;
                - every address of a range, a Region, a Module or a Symbol;
                - any of several addresses: what write_pointers() takes for pointers, of any length.
            within: Where to search: a Region, a Module, a range of addresses, the name of a module,
                "<heap>" or "<stack>", or several of these. By default all readable memory.
            mask: The bits of a stored pointer that are compared; the others may have any value.
                0x0000ffffffffffff leaves out tags in the upper 16 bits, and ~7 & (2**64 - 1) the
                lower three. By default all bits. A range must begin without other bits.
            aligned: False searches at every byte. By default a pointer lies at a multiple of its
                size.
            limit: The most pointers to return, those with the lowest addresses.
            progress: Called with (bytes done, bytes in all). An exception that it raises ends the
                search.

        Returns:
            What was found, with what could not be read. If Ctrl-C, `progress` or an error ends the
            search, the exception has what was found so far as its attribute `found`.

        Raises:
            AddressError: There is no such name.
            NoTargetError: The target has ended.
            PointerRangeError: A wanted address does not fit a target with 32-bit pointers.
            OverflowError, TypeError, ValueError: Nothing was searched: a range is empty, the mask
                is 0, there is nothing wanted, or an argument has another type.
        """
        from pydbgwrite._find.find import find_pointers

        return find_pointers(self, wanted, within, mask, aligned, limit, progress)

    def retarget(
        self,
        old: PointersToFind | ReadableBuffer,
        new: PointersToFind | ReadableBuffer,
        *,
        within: MemoryPlace | Iterable[MemoryPlace] | None = None,
        mask: SupportsIndex | None = None,
        expect_count: SupportsIndex | None = None,
        verify: bool = True,
        dry_run: bool = False,
        progress: Callable[[int, int], object] | None = None,
    ) -> Retargeted:
        """Find the stored pointers to `old`, and make them point to `new`, all or none.

        Example::

            plan = session.retarget("shop!old_table", "shop!new_table", dry_run=True)
            print(plan, plan.found.by_module())
            done = session.retarget("shop!old_table", "shop!new_table", expect_count=len(plan))
            done.patch.undo(session)

        The search is conservative, as find_pointers() says: an integer that happens to have the
        value is found, and would be replaced. So only the data of modules is searched by default,
        and stacks and heaps must be named. Look at a dry run first, and give the number that you
        expect.

        The pointers are written by write_scattered(), which expects what was found. So a slot that
        has changed since on a running target is not overwritten: then nothing is. They are written
        in the open transaction if there is one, and in one of their own otherwise. To keep a
        journal, call this within session.transaction("table.journal").

        Each slot is replaced once, by what it held: of the pairs a to b and b to c, a slot that
        held a holds b.

        Engine calls: QueryVirtual, ReadVirtual and WriteVirtual.

        Args:
            old: The pointers to replace: an address, as an int or a name; several, as
                write_pointers() takes them; or a range, a Region, a Module or a Symbol: every
                pointer into it.
            new: Where they lead afterwards: one address for all, or one for each of `old`. If `old`
                is a range, then an address, or a range of at least that size: what pointed into
                `old` points at the same offset in `new`.
            within: Where to search, as for find_pointers(); but a module, by name or as an object,
                means its data alone. By default the data of all modules. It is what they write
                (.data, .bss), and what is read-only once it is relocated: on Linux RELRO, such as
                .data.rel.ro and .got; on Windows .rdata, with vtables and import addresses.
            mask: The bits of a stored pointer that are compared and replaced. The others, such as
                tags, stay as they are. By default all bits.
            expect_count: How many pointers must be found. Otherwise nothing is written.
            verify: Read the data back and compare it.
            dry_run: True finds the pointers and writes nothing. A session with writable=False is
                enough.
            progress: Called as progress(done, total), in bytes during the search, and in pointers
                during the write. An exception that it raises ends the search, or rolls all back.

        Returns:
            The Retargeted, with what was found, and the Patch that was applied, or that can be.

        Raises:
            ExpectationError: Another number of pointers was found (`found` has them), or a slot has
                changed since. Nothing is written.
            TargetAccessError: A pointer that was found is in memory that can't be written. Nothing
                is written.
            DebugEngineError, VerificationError: The write failed, and was rolled back; an open
                transaction is rolled back if the exception leaves its block.
            ReadOnlyError: The session has writable=False.
            AddressError, NoTargetError, PointerRangeError: As of find_pointers().
            OverflowError, TypeError, ValueError: Nothing was searched: an old pointer is its new
                one, or has two; the numbers of pointers differ; a new one has bits outside the
                mask; a range is empty or too large; or the target has no modules, and `within` is
                not given.
        """
        from pydbgwrite._find.retarget import retarget

        return retarget(
            self, old, new, within, mask, expect_count, bool(verify), bool(dry_run), progress
        )

    def transaction(
        self, journal: StrOrBytesPath | None = None, *, durable: bool | None = None
    ) -> Transaction:
        """Open a transaction: the writes within its `with` block all happen, or are rolled back.

        Example::

            with session.transaction("table.journal") as t:
                session.write_pointers(table, new)
                session.write_scattered(addresses, values)

        Before each write, what it replaces is read and recorded, 1 MiB at a time. An exception that
        leaves the block, Ctrl-C included, rolls the writes back, the last one first, and propagates
        with a note that says so. t.undo() rolls back at any time. A location that holds neither the
        old nor the written value is a conflict: it is reported, not changed.

        While the transaction is open, the raw layer's writes, serve(), detach(), terminate(),
        close() and another transaction raise SessionBusyError.

        Engine calls: ReadVirtual, and WriteVirtual to roll back.

        Args:
            journal: A file that must not exist yet. Each record is in it before its write reaches
                the target, so pydbgwrite.undo() can restore the target after this process is
                killed. The file stays after the end. Without a journal, records beyond 24 MiB go to
                a temporary file.
            durable: Sync each record to the disk before its write (fdatasync), for a target that
                survives a crash of this machine. The default is True for a remote or kernel target,
                for one behind a process server, and where wrap() can't tell.

        Returns:
            The Transaction, a context manager. A write whose record can't be made (a full disk)
            raises JournalError and does not happen.

        Raises:
            ReadOnlyError, SessionBusyError, OSError: Entering the block raises these if the session
                has writable=False, if it serves, or if the journal can't be made (FileExistsError
                if the file exists).
        """
        from pydbgwrite._transactions.transaction import Transaction, checked_journal

        return Transaction(self, *checked_journal(journal, durable))

    def serve(
        self,
        options: str,
        *,
        stop: Callable[[], object] | None = None,
        insecure: bool = False,
    ) -> None:
        """Serve clients that call connect(), on this or another machine, until told to stop.

        This is the engine's own remoting (IDebugClient5::StartServerWide; "Activating a Debugging
        Server" in the Windows Debugger's documentation). A client acts in this process and on its
        target. Serving ends when `stop` returns true, when the session is closed, or on Ctrl-C;
        then no client is admitted any more.

        Args:
            options: Where to listen, such as "tcp:port=5005,password=secret" or "npipe:pipe=patch".
            stop: Called about every 50 ms.
            insecure: True allows a tcp server without a password, which lets anyone who reaches it
                run any code in this process.

        Raises:
            ValueError: A tcp server has no password, or the session comes from wrap(): its engine
                is for the package that started it to serve.
            SessionBusyError: A transaction is open, which does not see what clients write.
            DebugEngineError: The engine can't serve; the embedded one never can (E_NOTIMPL).
        """
        if not isinstance(options, str):
            raise TypeError(f"options must be a str, got {type(options).__name__}")
        if "\0" in options:
            raise ValueError("options: embedded null character")
        if stop is not None and not callable(stop):
            raise TypeError(f"stop must be callable, got {type(stop).__name__}")
        if self._wrapped:
            raise ValueError(
                "serve() can't be used on a session of wrap(): ending it would end every server of "
                "that engine. Serve with the package that started the engine"
            )
        if not insecure and not _is_protected(options):
            raise ValueError(
                "a server at a tcp port without a password lets anyone who reaches it run any "
                "code in this process: add password= to the options, or pass insecure=True"
            )
        if getattr(self, "_transaction", None) is not None:
            raise SessionBusyError(
                "a transaction is open in this session, and it can't record the writes of "
                "serve()'s clients. End the transaction first"
            )
        self._serving = True
        try:
            self._serve(options, stop)
        finally:
            self._serving = False

    def _serve(self, options: str, stop: Callable[[], object] | None) -> None:
        self._start_server(options)
        try:
            while not (stop is not None and stop()) and not self.closed:
                started = time.monotonic()
                self._dispatch(_SLICE_MS)
                # An engine without a reason to wait comes back at once: this must not spin.
                if time.monotonic() - started < _SLICE_MS / 10_000:
                    time.sleep(_SLICE_MS / 1000)
        finally:
            if not self.closed:  # closing has ended it then
                self._end_servers()

    def _override_pointer_size(self, size: int) -> None:
        """Set the target's pointer size, or close the session and raise."""
        try:
            self._set_pointer_size(size)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        transaction = getattr(self, "_transaction", None)
        try:
            if transaction is not None:
                transaction._abandon(value)
        finally:
            if not self.closed:
                self.close()

    def __repr__(self) -> str:
        what = self.target if self.pid is None else f"{self.target} {self.pid}"
        return f"<pydbgwrite.Session of {what}{', closed' if self.closed else ''}>"


def _is_protected(options: str) -> bool:
    """Return whether the server restricts who may use it.

    Windows authenticates the clients of named pipes (npipe) and the like, not those of sockets.
    """
    transport, _, rest = options.strip().partition(":")
    parameters = [part.partition("=") for part in rest.split(",")]
    password = any(
        name.strip().lower() == "password" and value.strip() for name, _, value in parameters
    )
    return password or transport.strip().lower() not in ("tcp", "ssl", "spipe")
