"""The symbols that an ELF file defines, by name, with their versions.

The entries of a table are unpacked all at once, with no object for each: a browser has a million.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from pydbgwrite._symbols.elf_headers import Reader, Section, read_sections, read_whole

__all__ = ["Definition", "SymbolTable"]

# elf(5), and gABI for the others.
_SHT_SYMTAB, _SHT_DYNSYM = 2, 11
_SHT_GNU_VERDEF, _SHT_GNU_VERSYM = 0x6FFFFFFD, 0x6FFFFFFF
_SHN_UNDEF, _SHN_ABS, _SHN_COMMON = 0, 0xFFF1, 0xFFF2
_STT_SECTION, _STT_FILE, _STT_TLS, _STT_GNU_IFUNC = 3, 4, 6, 10
_STB_LOCAL: Final = 0
_HIDDEN: Final = 0x8000  # of a version: not the one that a plain name means
_MOST_BYTES: Final = 1 << 31
_MOST_OF_VERSION: Final = 4096  # bytes of its name
_MOST_SEARCHES: Final = 100


class Definition(NamedTuple):
    """One symbol that is defined in the file."""

    value: int
    kind: int
    binding: int
    section: int
    version: str
    #: Is it what the name means without a version?
    default: bool

    def fault(self) -> str | None:
        """Why there is no address to give for it; None: there is."""
        if self.kind == _STT_TLS:
            return "is thread-local: each thread has one of its own, at another address"
        if self.kind == _STT_GNU_IFUNC:
            return (
                "is an indirect function (IFUNC): its resolver picks one of several functions when "
                "the program starts; name that function, or read the address from the table that "
                "holds it"
            )
        if self.section == _SHN_ABS:
            return f"is an absolute value (0x{self.value:x}) and no place in the module"
        if self.section == _SHN_COMMON:
            return "has no place yet: the file is not linked"
        return None

    def told(self) -> str:
        """What sets it apart from others of the name."""
        binding = "local" if self.binding == _STB_LOCAL else "global"
        return f"{binding}, version {self.version}" if self.version else binding


class _Table:
    """One symbol table, with its strings and versions."""

    def __init__(
        self, form: str, raw: bytes, strings: bytes, versions: list[tuple[str, bool]] | None
    ) -> None:
        self._form = form
        self._wide = form.endswith("Q")
        self._size = struct.calcsize(form)
        self._raw = raw[: len(raw) // self._size * self._size]
        self._strings = strings
        self._versions = versions
        #: From where its name begins to the numbers of symbols.
        self._by_name: dict[int, list[int]] = {}
        #: By name, once many were asked for.
        self._index: dict[bytes, list[int]] | None = None
        self._asked = 0
        #: By what stands before the '@': whole names.
        self._versioned: dict[bytes, list[bytes]] | None = None
        for number, entry in enumerate(struct.iter_unpack(self._form, self._raw)):
            self._by_name.setdefault(entry[0], []).append(number)

    def find(self, name: bytes) -> Iterator[Definition]:
        """Those of exactly that name."""
        for number in self._numbers(name):
            definition = self._definition(number)
            if definition is not None:
                yield definition

    def with_versions(self, name: bytes) -> Iterator[tuple[str, Definition]]:
        """Those that have a version in their name, as .symtab writes it: "name@@version"."""
        if self._versioned is None:
            self._versioned = self._find_versioned()
        for whole in self._versioned.get(name, ()):
            for definition in self.find(whole):
                yield whole.decode(errors="surrogateescape"), definition

    def _numbers(self, name: bytes) -> Iterable[int]:
        """Of the symbols of that name. The first few are searched for, then there is an index."""
        self._asked += 1
        if self._index is None and self._asked > _MOST_SEARCHES:
            self._index = {}
            for start, numbers in self._by_name.items():
                end = self._strings.find(b"\0", start)
                self._index.setdefault(self._strings[start:end], []).extend(numbers)
        if self._index is not None:
            return self._index.get(name, ())
        found: list[int] = []
        at = self._strings.find(name + b"\0")
        while at >= 0:  # linkers let names share their ends
            found += self._by_name.get(at, ())
            at = self._strings.find(name + b"\0", at + 1)
        return found

    def _find_versioned(self) -> dict[bytes, list[bytes]]:
        found: dict[bytes, list[bytes]] = {}
        at = self._strings.find(b"@")
        while at >= 0:
            start, end = self._strings.rfind(b"\0", 0, at) + 1, self._strings.find(b"\0", at)
            if start in self._by_name and end > at:
                found.setdefault(self._strings[start:at], []).append(self._strings[start:end])
            at = self._strings.find(b"@", end) if end > at else -1
        return found

    def names(self) -> Iterator[str]:
        """Of all definitions."""
        for number, entry in enumerate(struct.iter_unpack(self._form, self._raw)):
            end = self._strings.find(b"\0", entry[0])
            if end > entry[0] and self._definition(number) is not None:
                yield self._strings[entry[0] : end].decode(errors="surrogateescape")

    def _definition(self, number: int) -> Definition | None:
        entry = struct.unpack_from(self._form, self._raw, number * self._size)
        if self._wide:
            _name, info, _other, section, value, _size = entry
        else:
            _name, value, _size, info, _other, section = entry
        kind, binding = info & 15, info >> 4
        if section == _SHN_UNDEF or kind in (_STT_SECTION, _STT_FILE):
            return None
        version, default = "", True
        if self._versions is not None and number < len(self._versions):
            version, default = self._versions[number]
        return Definition(value, kind, binding, section, version, default)


class SymbolTable:
    """All that a file defines."""

    def __init__(self, bits: int, order: str, read: Reader) -> None:
        sections = read_sections(read)
        # A file has one of each kind (gABI, "Sections").
        by_kind = {section.kind: section for section in sections}

        def content(section: Section) -> bytes:
            if section.size > _MOST_BYTES:
                raise ValueError(f"one of its sections has {section.size:,} bytes")
            return read_whole(read, section.offset, section.size)

        def strings_of(section: Section) -> bytes:
            return content(sections[section.link])

        versions = None
        if numbers := by_kind.get(_SHT_GNU_VERSYM):
            names = by_kind.get(_SHT_GNU_VERDEF)
            known = _version_names(order, content(names), strings_of(names)) if names else {}
            versions = _versions(order, content(numbers), known)
        form = order + ("IBBHQQ" if bits == 64 else "IIIBBH")
        self._tables = [
            _Table(
                form,
                content(section),
                strings_of(section),
                versions if section.kind == _SHT_DYNSYM else None,
            )
            for kind in (_SHT_SYMTAB, _SHT_DYNSYM)
            if (section := by_kind.get(kind))
        ]

    def find(self, symbol: str) -> list[Definition]:
        """What a name means: "name", or "name@version"; several where it is ambiguous."""
        whole = symbol.encode(errors="surrogateescape")
        base, _, wanted = symbol.partition("@")
        wanted = wanted.removeprefix("@")
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
        if not wanted and any(each.default for each in found):
            found = [each for each in found if each.default]
        # .dynsym repeats what .symtab has.
        unique = {each.value: each for each in found}
        return [unique[value] for value in sorted(unique)]

    def names(self) -> Iterable[str]:
        """Every name once."""
        seen: set[str] = set()
        for table in self._tables:
            for name in table.names():
                if name not in seen:
                    seen.add(name)
                    yield name


def _versions(order: str, raw: bytes, known: dict[int, str]) -> list[tuple[str, bool]]:
    """The version of each dynamic symbol, and whether a plain name means it.

    "Symbol Versioning" of the Linux Standard Base: .gnu.version has a number for each symbol, and
    .gnu.version_d names the numbers.
    """
    return [
        # 0 and 1: local and global, without a version. The version that bears the file's own name
        # is no version of a symbol.
        (known.get(number & ~_HIDDEN, "") if number & ~_HIDDEN > 1 else "", not number & _HIDDEN)
        for (number,) in struct.iter_unpack(f"{order}H", raw[: len(raw) // 2 * 2])
    ]


def _version_names(order: str, raw: bytes, strings: bytes) -> dict[int, str]:
    """The names of numbers. Each entry says how far the next is (Elfxx_Verdef, Elfxx_Verdaux)."""
    known: dict[int, str] = {}
    at = 0
    for _ in range(_HIDDEN):  # no more than there are numbers
        number, auxiliary, following = struct.unpack_from(f"{order}4xH6x2I", raw, at)
        (name,) = struct.unpack_from(f"{order}I", raw, at + auxiliary)
        text = strings[name : name + _MOST_OF_VERSION].partition(b"\0")[0]
        known[number & ~_HIDDEN] = text.decode(errors="surrogateescape")
        if following == 0:
            break
        at += following
    return known
