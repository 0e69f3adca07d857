"""The symbols that an ELF file defines, with their names and versions.

The entries of a table are unpacked at once, without an object for each: a browser has a million.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

from pydbgwrite._symbols.addresses import split_version
from pydbgwrite._symbols.elf_dynamic import AddressReader, Dynamic
from pydbgwrite._symbols.elf_headers import (
    ElfHeaders,
    Reader,
    Section,
    read_sections,
    read_whole,
)

__all__ = ["Definition", "Exported", "Source", "SymbolTable"]

#: A symbol table as _core.ModuleSymbols takes it.
Source: TypeAlias = tuple[bytes, bytes, bytes, list[tuple[int, int]], bool, bool, bool]

# elf(5), and gABI for the others.
_SHT_SYMTAB, _SHT_DYNSYM = 2, 11
_SHT_GNU_VERDEF, _SHT_GNU_VERSYM = 0x6FFFFFFD, 0x6FFFFFFF
_SHN_UNDEF, _SHN_ABS, _SHN_COMMON = 0, 0xFFF1, 0xFFF2
_SHT_GNU_VERNEED: Final = 0x6FFFFFFE
_STT_OBJECT: Final = 1
_STT_SECTION, _STT_FILE, _STT_TLS, _STT_GNU_IFUNC = 3, 4, 6, 10
_STB_LOCAL: Final = 0
_STV_DEFAULT, _STV_PROTECTED = 0, 3
_HIDDEN: Final = 0x8000  # flag of a version: a plain name does not mean it
_MOST_BYTES: Final = 1 << 31
_MOST_OF_VERSION: Final = 4096  # bytes of its name
_MOST_SEARCHES: Final = 100
_MOST_PLACES: Final = 4  # places of a name at the ends of others, before all entries are searched
_MOST_OF_NAME: Final = 1 << 16
_MOST_COMPARED: Final = 4096  # the longest name that is compared with a misspelt one
_MOST_ALIASES: Final = 64
#: Names can share their ends, but all names are not many times as long as their table.
_MOST_SHARED: Final = 16


class Definition(NamedTuple):
    """A symbol that the file defines."""

    value: int
    kind: int
    binding: int
    section: int
    version: str
    #: True if the name without a version means it.
    default: bool
    #: The lowest two bits of st_other.
    visibility: int

    @property
    def variable(self) -> bool:
        """True if it is data."""
        return self.kind == _STT_OBJECT

    @property
    def replaceable(self) -> bool:
        """Return whether it is a variable that a definition elsewhere can replace."""
        return self.variable and self.exported and self.visibility == _STV_DEFAULT

    @property
    def exported(self) -> bool:
        """Return whether other files can use it by its name."""
        return self.binding != _STB_LOCAL and self.visibility in (_STV_DEFAULT, _STV_PROTECTED)

    def fault(self) -> str | None:
        """Return why it has no address, or None."""
        if self.kind == _STT_TLS:
            return "is thread-local: each thread has its own, at another address"
        if self.kind == _STT_GNU_IFUNC:
            return (
                "is an indirect function (IFUNC): its resolver picks one of several functions when "
                "the program starts; name that function, or read the address from the table that "
                "holds it"
            )
        if self.section == _SHN_ABS:
            return f"is an absolute value (0x{self.value:x}) and not an address in the module"
        if self.section == _SHN_COMMON:
            return "has no address yet: the file is not linked"
        return None

    def description(self) -> str:
        """Return its binding and version, which distinguish it from others of that name."""
        binding = "local" if self.binding == _STB_LOCAL else "global"
        return f"{binding}, version {self.version}" if self.version else binding


class Exported(NamedTuple):
    """A dynamic symbol that other files can use, and its number in the table."""

    number: int
    name: bytes
    definition: Definition


class _Table:
    """One symbol table, with its strings and versions."""

    def __init__(
        self,
        form: str,
        raw: bytes,
        strings: bytes,
        versions: _Versions | None,
        sections: list[tuple[int, int]] | None = None,
    ) -> None:
        self._form = form
        self._wide = form.endswith("Q")
        self.bits = 64 if self._wide else 32
        self._size = struct.calcsize(form)
        self._raw = raw[: len(raw) // self._size * self._size]
        self._strings = strings
        self._versions = versions
        #: The address and size of each section; empty if they are not known.
        self._sections = sections or []
        #: Bytes of the file.
        self.size = len(raw) + len(strings)
        #: From the offset of a name to the indexes of symbols; made on demand.
        self._starts: dict[int, list[int]] | None = None
        #: By what _numbers() takes; made after many searches.
        self._index: dict[bytes, list[int]] | None = None
        self._asked = 0
        self._indexable = True
        #: By value; made after many searches.
        self._values: dict[int, list[int]] | None = None
        self._asked_values = 0

    @property
    def _by_name(self) -> dict[int, list[int]]:
        if self._starts is None:  # whole, or not at all: Ctrl-C can end this
            self._starts = self._by_field(0)
        return self._starts

    def _by_field(self, field: int) -> dict[int, list[int]]:
        """Return the indexes of symbols by one of their fields."""
        found: dict[int, list[int]] = {}
        for number, entry in enumerate(struct.iter_unpack(self._form, self._raw)):
            found.setdefault(entry[field], []).append(number)
        return found

    def source(self, *, secondary: bool) -> Source:
        """Return what the compiled half takes."""
        versions = b"" if self._versions is None else self._versions.raw
        order = self._form[0] == ">"
        return (
            self._raw,
            self._strings,
            versions,
            self._sections,
            self._wide,
            order,
            secondary,
        )

    def find(self, name: bytes) -> Iterator[Definition]:
        """Return the definitions of exactly that name."""
        return (definition for _, definition in self.numbered(name))

    def numbered(self, name: bytes) -> Iterator[tuple[int, Definition]]:
        """The same, with their numbers."""
        for number in self._numbers(name + b"\0"):
            definition = self._definition(number)
            if definition is not None:
                yield number, definition

    def undefined(self, name: bytes) -> Iterator[tuple[int, str]]:
        """The numbers and versions of the symbols of that name that are another file's."""
        for number in self._numbers(name + b"\0"):
            if self._definition(number) is None:
                yield number, "" if self._versions is None else self._versions.of(number)[0]

    def with_versions(self, name: bytes) -> Iterator[tuple[str, Definition]]:
        """Return the definitions with a version in the name, as in .symtab: "name@@version"."""
        left = self._most_of_names()
        for number in self._numbers(name + b"@"):
            whole = self._name_of(number)
            left -= len(whole)
            definition = self._definition(number) if left >= 0 else None
            if definition is not None and whole:
                yield whole.decode(errors="surrogateescape"), definition

    def _numbers(self, text: bytes) -> Iterable[int]:
        """Return the indexes of symbols by a name and what ends it: a NUL, or a version's "@".

        After a few searches an index is built.
        """
        self._asked += 1
        if self._asked > _MOST_SEARCHES and self._index is None and self._indexable:
            self._index = self._make_index()
            self._indexable = self._index is not None
        if self._index is not None:
            return self._index.get(text, ())
        found: list[int] = []
        places = 0
        at = self._strings.find(text)
        while at >= 0:  # a name can be the end of another
            places += 1
            if places <= _MOST_PLACES and self._starts is None:
                found += self._holding(0, "I", at)
            else:
                found += self._by_name.get(at, ())
            at = self._strings.find(text, at + 1)
        return found

    def _make_index(self) -> dict[bytes, list[int]] | None:
        """All names; None where they share so much of the table that it would become too large."""
        index: dict[bytes, list[int]] = {}
        left = self._most_of_names()
        for start, numbers in self._by_name.items():
            name = self._name_at(start)
            sign = name.find(b"@", 1)
            for text in (name + b"\0", name[: sign + 1]) if sign > 0 else (name + b"\0",):
                left -= len(text)
                if left < 0:
                    return None
                index.setdefault(text, []).extend(numbers)
        return index

    def _most_of_names(self) -> int:
        """How long all names together are at most, but in a hostile file."""
        return _MOST_SHARED * len(self._strings) + _MOST_OF_NAME

    def _name_of(self, number: int) -> bytes:
        (start,) = struct.unpack_from(self._form[0] + "I", self._raw, number * self._size)
        return self._name_at(start)

    def _name_at(self, start: int) -> bytes:
        """Return the name that begins there; empty if it has no end."""
        end = self._strings.find(b"\0", start, start + _MOST_OF_NAME)
        return self._strings[start:end] if end > start else b""

    def _holding(self, place: int, form: str, value: int) -> Iterator[int]:
        """Return the indexes of the symbols with that value in that field."""
        wanted = struct.pack(self._form[0] + form, value)
        at = self._raw.find(wanted)
        while at >= 0:
            beyond = (at - place) % self._size
            if beyond == 0:
                yield at // self._size
            at = self._raw.find(wanted, at + self._size - beyond)

    def exported_at(self, value: int) -> Iterator[Exported]:
        """Yield the definitions that have that value and that other files can use."""
        for number in self._valued(value):
            definition = self._definition(number)
            if definition is not None and definition.exported:
                yield Exported(number, self._name_of(number), definition)

    def numbered_name(self, number: int) -> tuple[str, bool]:
        """Return a symbol's name with its version, and whether the file defines it."""
        if (number + 1) * self._size > len(self._raw):
            return "", False
        name = self._name_of(number).decode(errors="surrogateescape")
        version = "" if self._versions is None else self._versions.of(number)[0]
        defined = self._definition(number) is not None
        return f"{name}@{version}" if version and name else name, defined

    def _valued(self, value: int) -> Iterable[int]:
        """Return the indexes of symbols of that value. After some searches an index is built."""
        self._asked_values += 1
        if self._asked_values <= _MOST_SEARCHES:
            return self._holding(*((8, "Q") if self._wide else (4, "I")), value)
        if self._values is None:
            self._values = self._by_field(4 if self._wide else 1)
        return self._values.get(value, ())

    def names(self) -> Iterator[str]:
        """Yield the name of every definition, except overlong ones."""
        for number, entry in enumerate(struct.iter_unpack(self._form, self._raw)):
            name = self._name_at(entry[0])
            if 0 < len(name) <= _MOST_COMPARED and self._definition(number) is not None:
                yield name.decode(errors="surrogateescape")

    def _definition(self, number: int) -> Definition | None:
        entry = struct.unpack_from(self._form, self._raw, number * self._size)
        if self._wide:
            _name, info, other, section, value, _size = entry
        else:
            _name, value, _size, info, other, section = entry
        kind, binding = info & 15, info >> 4
        if section == _SHN_UNDEF or kind in (_STT_SECTION, _STT_FILE):
            return None
        version, default = "", True
        if self._versions is not None:
            version, default = self._versions.of(number)
        return Definition(value, kind, binding, section, version, default, other & 3)


class SymbolTable:
    """All symbols that a file defines."""

    def __init__(self, tables: list[_Table], dynamic: _Table | None, *, stripped: bool) -> None:
        self._tables = tables
        self._dynamic = dynamic
        #: True if there is no .symtab.
        self.stripped = stripped
        #: Bytes of the tables.
        self.size = sum(table.size for table in tables)

    @classmethod
    def of_sections(cls, bits: int, order: str, read: Reader, size: int) -> SymbolTable:
        """Read .symtab and .dynsym of a file of that size; empty if there are none."""
        sections = read_sections(read)
        # A file has one of each kind (gABI, "Sections").
        by_kind = {section.kind: section for section in sections}
        parts: dict[tuple[int, int], bytes] = {}

        def content(section: Section) -> bytes:
            if section.size > _MOST_BYTES:
                raise ValueError(f"one of its sections has {section.size:,} bytes")
            place = section.offset, section.size
            if place not in parts:
                # No byte is in two sections (gABI, "Sections").
                if section.size <= size < sum(map(len, parts.values())) + section.size:
                    raise ValueError("its sections overlap")
                parts[place] = read_whole(read, *place)
            return parts[place]

        def strings_of(section: Section) -> bytes:
            return content(sections[section.link])

        versions = None
        if numbers := by_kind.get(_SHT_GNU_VERSYM):
            known: dict[int, str] = {}
            for kind, names_of in (
                (_SHT_GNU_VERDEF, _defined_versions),
                (_SHT_GNU_VERNEED, _needed_versions),
            ):
                if names := by_kind.get(kind):
                    known |= names_of(order, _within(content(names)), strings_of(names))
            versions = _Versions(f"{order}H", content(numbers), known)
        places = [(section.address, section.size) for section in sections]
        tables = {
            kind: _Table(
                _form(bits, order),
                content(section),
                strings_of(section),
                versions if kind == _SHT_DYNSYM else None,
                places,
            )
            for kind in (_SHT_SYMTAB, _SHT_DYNSYM)
            if (section := by_kind.get(kind))
        }
        return cls(
            list(tables.values()), tables.get(_SHT_DYNSYM), stripped=_SHT_SYMTAB not in tables
        )

    @classmethod
    def of_dynamic(
        cls, headers: ElfHeaders, read: AddressReader, dynamic: Dynamic | None
    ) -> SymbolTable:
        """Read only the tables that the dynamic linker uses."""
        if dynamic is None:
            return cls([], None, stripped=True)
        versions = None
        if dynamic.versions:
            known: dict[int, str] = {}
            for start, names_of in (
                (dynamic.defined, _defined_versions),
                (dynamic.needed, _needed_versions),
            ):
                if start:
                    known |= names_of(headers.order, _behind(read, start), dynamic.strings)
            versions = _Versions(f"{headers.order}H", dynamic.versions, known)
        form = _form(headers.bits, headers.order)
        table = _Table(form, dynamic.symbols, dynamic.strings, versions)
        return cls([table], table, stripped=True)

    @property
    def empty(self) -> bool:
        """True if the file has no symbol table."""
        return not self._tables

    def sources(self, *, secondary: bool = False) -> list[Source]:
        """Return the tables as the compiled half takes them."""
        return [table.source(secondary=secondary) for table in self._tables]

    def exported_at(self, value: int) -> list[Exported]:
        """Return the symbols of that value that other files can use."""
        if self._dynamic is None or value >= 1 << self._dynamic.bits:
            return []
        return list(islice(self._dynamic.exported_at(value), _MOST_ALIASES))

    def exported(self, name: bytes, version: str) -> Exported | None:
        """What this file has for uses of a name, of that version if it says one."""
        for number, found in self._dynamic.numbered(name) if self._dynamic is not None else ():
            if found.exported and (not version or found.version in ("", version)):
                return Exported(number, name, found)
        return None

    def undefined(self, name: bytes, version: str) -> list[int]:
        """The numbers of the symbols by which this file uses another's, of that version or none."""
        if self._dynamic is None:
            return []
        found = islice(self._dynamic.undefined(name), _MOST_ALIASES)
        return [number for number, wanted in found if wanted in ("", version) or not version]

    def numbered(self, number: int) -> tuple[str, bool]:
        """Return the name of a dynamic symbol, "name@version" if it has one; is it this file's?"""
        return ("", False) if self._dynamic is None else self._dynamic.numbered_name(number)

    def find(self, symbol: str) -> list[Definition]:
        """Return the definitions of "name" or "name@version"; several if it is ambiguous."""
        found = self._matching(symbol)
        wanted = split_version(symbol)[1]
        if not wanted and any(each.default for each in found):
            found = [each for each in found if each.default]
        # .dynsym repeats entries of .symtab.
        unique = {each.value: each for each in found}
        return [unique[value] for value in sorted(unique)]

    def spellings(self, name: str, value: int) -> list[str]:
        """Return the name with each version that a symbol of that name and value has."""
        found = [each for each in self._matching(name) if each.value == value and each.version]
        found.sort(key=lambda each: not each.default)
        return [f"{name}{'@@' if each.default else '@'}{each.version}" for each in found]

    def _matching(self, symbol: str) -> list[Definition]:
        whole = symbol.encode(errors="surrogateescape")
        base, wanted = split_version(symbol)
        name = base.encode(errors="surrogateescape")
        found: list[Definition] = []
        for table in self._tables:
            found += table.find(whole)
            if not name:
                continue
            if wanted:
                found += [each for each in table.find(name) if each.version == wanted]
            for text, each in table.with_versions(name):
                separator, version = text[len(base) : len(base) + 2], text.rpartition("@")[2]
                marked = each._replace(version=version, default=separator == "@@")
                if text != symbol and wanted in ("", version):
                    found.append(marked)
        return found

    def names(self) -> Iterable[str]:
        """Return every name once."""
        seen: set[str] = set()
        for table in self._tables:
            for name in table.names():
                if name not in seen:
                    seen.add(name)
                    yield name


class _Versions(NamedTuple):
    """The version of each dynamic symbol.

    "Symbol Versioning" of the Linux Standard Base: .gnu.version has a number for each symbol, and
    .gnu.version_d and .gnu.version_r name the numbers.
    """

    form: str
    raw: bytes
    names: dict[int, str]

    def of(self, symbol: int) -> tuple[str, bool]:
        """Return the version's name, and whether a name without a version means this symbol."""
        if 2 * symbol + 2 > len(self.raw):
            return "", True
        (number,) = struct.unpack_from(self.form, self.raw, 2 * symbol)
        # 0 and 1: local and global, without a version. The version with the file's own name is not
        # a version of a symbol.
        version = number & ~_HIDDEN
        return self.names.get(version, "") if version > 1 else "", not number & _HIDDEN


def _form(bits: int, order: str) -> str:
    return order + ("IBBHQQ" if bits == 64 else "IIIBBH")


def _within(raw: bytes) -> Reader:
    """Return a reader of a table's bytes; fewer at its end."""
    return lambda at, size: raw[at : at + size]


def _behind(read: AddressReader, start: int) -> Reader:
    """Return a reader of the bytes from an address on."""
    return lambda at, size: read(start + at, size)


def _defined_versions(order: str, read: Reader, strings: bytes) -> dict[int, str]:
    """Return defined versions by index. Each entry has the next one's offset (Elfxx_Verdef)."""
    known: dict[int, str] = {}
    at = 0
    for _ in range(_HIDDEN):  # bounded by the range of version indexes
        number, auxiliary, following = struct.unpack(f"{order}4xH6x2I", read(at, 20))
        (name,) = struct.unpack(f"{order}I", read(at + auxiliary, 4))
        known[number & ~_HIDDEN] = _version_name(strings, name)
        if following == 0:
            break
        at += following
    return known


def _needed_versions(order: str, read: Reader, strings: bytes) -> dict[int, str]:
    """Return the versions of other files by index (Elfxx_Verneed, Elfxx_Vernaux)."""
    known: dict[int, str] = {}
    left = _HIDDEN  # the total of all lists
    at = 0
    while left > 0:
        auxiliary, following = struct.unpack(f"{order}8x2I", read(at, 16))
        entry = at + auxiliary
        while left > 0:
            left -= 1
            number, name, next_entry = struct.unpack(f"{order}6xH2I", read(entry, 16))
            known[number & ~_HIDDEN] = _version_name(strings, name)
            if next_entry == 0:
                break
            entry += next_entry
        if following == 0:
            break
        at += following
    return known


def _version_name(strings: bytes, start: int) -> str:
    text = strings[start : start + _MOST_OF_VERSION].partition(b"\0")[0]
    return text.decode(errors="surrogateescape")
