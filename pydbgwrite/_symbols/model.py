"""Modules and symbols as addresses name them, independent of the platform."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol, SupportsIndex

from pydbgwrite._reprs import record_repr

if TYPE_CHECKING:
    from typing import TypeAlias

    from _typeshed import ReadableBuffer

    #: Addresses in a buffer of 64-bit unsigned integers, or an iterable of ints.
    _Addresses: TypeAlias = ReadableBuffer | Iterable[SupportsIndex]

__all__ = [
    "KINDS",
    "Demangled",
    "Import",
    "ImportSlot",
    "KnownModule",
    "Symbol",
    "Symbols",
]

#: The kinds of symbols that are listed.
KINDS = ("function", "data", "ifunc", "untyped")


class Symbol(NamedTuple):
    """A symbol of a module of the target.

    Attributes:
        name: The name in the module's file, mangled where the compiler mangles names.
        demangled: The name in the source's form; `name` where there is nothing to demangle, or
            without a demangler.
        module: The module's name, as in Module.name.
        address: Where its name leads. For an indirect function this is its resolver.
        size: Bytes; 0 if that is not known.
        kind: "function", "data", "ifunc" (an indirect function), or "untyped".
    """

    name: str
    demangled: str
    module: str
    address: int
    size: int
    kind: str

    def __repr__(self) -> str:
        return record_repr(self, ("address",))


Symbol.__module__ = "pydbgwrite"


class KnownModule(NamedTuple):
    """A module of the target, with the names for it: file name, path, short names."""

    name: str
    base: int
    path: str
    #: The name without its extension, and the engine's name; none on Linux.
    short: tuple[str, ...]
    #: True for the target's main program.
    program: bool = False
    #: True for a 64-bit module of a 32-bit program on Windows: a name that the program's own
    #: modules have, too, means theirs.
    of_system: bool = False


class Demangled(NamedTuple):
    """A symbol of a file, and its name as C++ or Rust has it."""

    name: str
    demangled: str


class ImportSlot(NamedTuple):
    """A place in a module through which it uses a function or variable of another one.

    Attributes:
        address: Of the slot: write a pointer here to hook the import.
        name: What is imported. On Linux with its version, if it has one ("free@GLIBC_2.2.5"); on
            Windows "#12" for an import by number, "" if the file has no names in memory.
        demangled: The name as a C++ or Rust source has it; `name` where there is nothing to
            demangle, or without a demangler.
        points_to: The pointer that the slot holds now. 0 if nothing was found for a weak symbol.
        module: The name of the importing module.
        library: On Windows the name of the file to import from, as the module has it; "" on Linux,
            where any library may have the symbol.
        kind: "call" for a slot that only calls go through (JUMP_SLOT on Linux); "address" for one
            that calls and other uses share (GLOB_DAT, the import address table of Windows); "data"
            for a pointer in the module's data, such as an element of a table; "delayed" for a delay
            import of Windows.
        lazy: True if the slot is not bound yet: it points to code of its own module, which finds
            the import at the first call, and overwrites the slot then.
        protected: True if the slot's page is not writable now: by RELRO on Linux, as all import
            address tables are on Windows. None if the target has no map of its memory.
    """

    address: int
    name: str
    demangled: str
    points_to: int
    module: str
    library: str
    kind: str
    lazy: bool
    protected: bool | None

    def __repr__(self) -> str:
        return record_repr(self, ("address", "points_to"))


ImportSlot.__module__ = "pydbgwrite"


class Import(NamedTuple):
    """An import slot as the module's tables describe it.

    bits: the width of the slot. unbound: what it may point to before it is bound; None if it is
    bound when the module is loaded.
    """

    address: int
    bits: int
    name: str
    library: str
    kind: str
    unbound: range | None


class Symbols(Protocol):
    """A platform's modules and symbols."""

    def modules(self) -> list[KnownModule]:
        """Return all modules of the target, sorted by address."""

    def key(self, name: str) -> str:
        """Return a name or path in the form that is compared."""

    def find(self, module: KnownModule, symbol: str) -> int | None:
        """Return the address of a symbol, or None if there is none of that name.

        Raises AddressError if there are several, or if it has no address.
        """

    def has(self, module: KnownModule, symbol: str) -> bool:
        """Return whether find() knows the symbol, with or without an address."""

    def demangled(self, module: KnownModule, symbol: str) -> list[Demangled] | None:
        """Return the symbols of that demangled name, with these parameters or any if it has none.

        None if there is no library that demangles.
        """

    def region(self, name: str) -> int | None:
        """Return where the region "heap" or "stack" begins; None if the target has none."""

    def fault(self, module: KnownModule) -> str | None:
        """Return why only the exported symbols of a module are known, or None."""

    def stripped(self, module: KnownModule) -> bool:
        """Was the module's file stripped of its symbols that are not exported?"""

    def like(self, module: KnownModule, symbol: str) -> Iterable[str]:
        """Return names to compare a misspelt one with."""

    def imports(self, module: KnownModule) -> list[Import]:
        """Return the module's import slots, by address. AddressError if they can't be read."""

    def names(self, addresses: _Addresses) -> list[str]:
        """Return the name of each address: Session.names()."""

    def symbols(
        self, pattern: str, modules: list[KnownModule], kind: str | None
    ) -> Iterable[Symbol]:
        """Return the symbols that match a shell-style pattern: Session.symbols()."""
