"""Read patch files, and report all faults of a file at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from pydbgwrite._patch.builds import BuildCheck, build_faults
from pydbgwrite._patch.entry import (
    MOST_FAULTS,
    PatchEntry,
    shown,
    take_address,
    take_expect,
    take_pointers,
)
from pydbgwrite._patch.overlaps import sure_overlaps
from pydbgwrite._patch.problems import summary
from pydbgwrite._patch.scattered import (
    Entry,
    ScatteredEntry,
    scattered_faults,
    take_base,
    take_one_or_each,
)
from pydbgwrite._patch.side_files import SideFileError, name_fault, read_side_file
from pydbgwrite._patch.toml_lines import Lines
from pydbgwrite._regular_file import open_regular
from pydbgwrite._report.text import counted
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.advice import near
from pydbgwrite.errors import PatchError

if TYPE_CHECKING:
    from pydbgwrite._patch.entry import _Values

__all__ = ["Parts", "read_patch"]

#: The newest format. Its entries can be scattered.
FORMAT: Final = 2
_TOP_KEYS: Final = ("format", "note", "build", "write")
_WRITE_KEYS: Final = ("address", "pointers", "file", "expect", "note")
_SCATTERED_KEYS: Final = (
    *("base", "offsets", "addresses", "pointers", "file", "expect", "expect_file", "note"),
)
#: An entry with one of these is scattered.
_SCATTERING: Final = frozenset(("base", "offsets", "addresses"))
_BUILD_KEYS: Final = ("module", "build_id", "sha256")
#: The length in characters from which the faster reader is tried.
_LONG: Final = 1 << 16


class Parts:
    """The contents of a patch file."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.note = ""
        self.entries: list[Entry] = []
        self.builds: list[BuildCheck] = []


def read_patch(path: str, *, anywhere: bool) -> Parts:
    """Read a patch file. PatchError lists its faults; OSError if it can't be read."""
    with open_regular(path) as file:
        content = file.read()
    try:
        text = content.decode("utf-8-sig")
    except not_from_handler(UnicodeDecodeError) as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _failed(path, [f"line {line}: this is not UTF-8, as TOML requires"]) from None
    reader = _Reader(os.path.dirname(path) or ".", anywhere, Lines(text))
    try:
        reader.read(_parse(path, text))
    except not_from_handler(RecursionError):  # a message that shows such a value raises it, too
        raise _failed(path, ["it nests too deeply"]) from None
    if reader.problems:
        # In the order of the file; faults without a line come first.
        reader.problems.sort(key=lambda problem: problem[0])
        raise _failed(path, [message for _, message in reader.problems])
    return reader.parts


def _failed(path: str, problems: list[str]) -> PatchError:
    return PatchError(summary(path, problems), problems)


def _parse(path: str, text: str) -> dict[str, Any]:
    from pydbgwrite._patch import toml_bounded

    try:
        if len(text) >= _LONG:
            from pydbgwrite._patch.toml_fast import read_plain

            plain = read_plain(text.replace("\r\n", "\n"))
            if plain is not None:
                return plain
        return toml_bounded.loads(text)
    # TOMLDecodeError is a ValueError, as is the error for a date or number out of range.
    except not_from_handler(ValueError) as error:
        import re

        said = str(error)
        place = re.search(r" \(at line (\d+), column (\d+)\)$", said)
        if place is not None:
            said = f"line {place[1]}: syntax error, column {place[2]}: {said[: place.start()]}"
        elif said.endswith("(at end of document)"):
            said = f"line {text.count(chr(10)) + 1}: syntax error: {said}"
        raise _failed(path, [said]) from None


class _Reader:
    """Check the whole file and collect its faults."""

    def __init__(self, folder: str, anywhere: bool, lines: Lines) -> None:
        self.problems: list[tuple[int, str]] = []
        self.parts = Parts(lines)
        self._folder = folder
        self._anywhere = anywhere
        self._lines = lines
        self._format = FORMAT

    def read(self, data: dict[str, Any]) -> None:
        version = data.get("format")
        if type(version) is int and 1 <= version <= FORMAT:
            self._format = version
        elif "format" not in data:
            self._top(f"format is missing: write format = {_format_of(data)}", None)
        else:
            message = f"format is {shown(version)}: this version reads format = 1 and format = 2"
            self._top(message, "format")
            if type(version) is int and version > FORMAT:
                return  # do not report the new parts of a newer format as faults
        self._unknown_top(data)
        note = data.get("note", "")
        if isinstance(note, str):
            self.parts.note = note
        else:
            self._top(f"note must be text, got {_kind(note)}", "note")
        for index, table in enumerate(self._tables(data, "build")):
            self._build(index, table)
        entries = self._tables(data, "write")
        if not entries and "write" not in data:
            self._top("there is no [[write]]: a patch needs at least one", None)
        for index, table in enumerate(entries):
            self._entry(index, table)
        if not self.problems:
            for index, message in sure_overlaps(self.parts.entries):
                self._add("write", index, _key_of_places(entries[index]), message)

    def _tables(self, data: dict[str, Any], name: str) -> list[dict[str, Any]]:
        tables = data.get(name, [])
        if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
            what = "a table" if isinstance(tables, dict) else _kind(tables)
            self._top(f"{name} must be tables, each with [[{name}]] above it, got {what}", name)
            return []
        if not tables and name in data:
            self._top(f"{name} is empty", name)
        return tables

    def _entry(self, index: int, table: dict[str, Any]) -> None:
        if _is_scattered(table):
            self._scattered(index, table)
            return
        faults: list[Exception] = []
        before = len(self.problems)
        if not table.keys() <= _WRITE_SET:
            self._unknown(index, "write", table, _WRITE_KEYS)
        address: int | str = 0
        if "address" in table:
            address = take_address(table["address"], "address", faults)
            if faults:
                self._faults("write", index, "address", faults)
        else:
            self._add("write", index, None, "address is missing")
        values = self._values(index, table)
        note = self._note(index, table)
        expect = None
        if "expect" in table:
            expect = take_expect(table["expect"], len(values) or None, faults)
            self._faults("write", index, "expect", faults)
        if isinstance(address, int) and address + 4 * len(values) > 2**64:
            message = f"{counted(len(values), 'pointer')} at 0x{address:x} would go past 2**64"
            self._add("write", index, "address", message)
        if len(self.problems) == before:
            entry = PatchEntry._made(address, values, expect, note)
            entry.file = table.get("file")
            self.parts.entries.append(entry)

    def _note(self, index: int, table: dict[str, Any]) -> str:
        note = table.get("note", "")
        if not isinstance(note, str):
            self._add("write", index, "note", f"note must be text, got {_kind(note)}")
            return ""
        return note

    def _scattered(self, index: int, table: dict[str, Any]) -> None:
        before = len(self.problems)
        places = _key_of_places(table)
        if self._format < 2:
            self._add("write", index, places, f"{places} is of format 2: write format = 2")
            return
        self._unknown(index, "write", table, ("address", *_SCATTERED_KEYS))
        faults: list[Exception] = []
        base = take_base(table.get("base"), faults)
        self._faults("write", index, "base", faults)
        for key, other in (
            ("address", places),
            ("addresses", "base" if "base" in table else "offsets"),
            ("pointers", "file"),
            ("expect", "expect_file"),
        ):
            if key in table and other in table:
                message = f"{key} and {other} are both given: give only one"
                self._add("write", index, other, message)
        for key, other in (("base", "offsets"), ("offsets", "base")):
            if key in table and other not in table and "addresses" not in table:
                self._add("write", index, key, f"{other} is missing: {key} goes with it")
        addresses: _Values = ()
        given = table.get(places) if places != "base" else None
        if isinstance(given, str):
            addresses = self._side_file(index, given, places)
        elif isinstance(given, list):
            addresses = take_pointers(given, places, faults)
            self._faults("write", index, places, faults)
        elif given is not None:
            message = f"{places} must be a list in brackets or a side file, got {_kind(given)}"
            self._add("write", index, places, message)
        pointers = self._one_or_each(index, table, "pointers", "file")
        if pointers is None:
            self._add("write", index, None, "pointers (or file) is missing")
        expect = self._one_or_each(index, table, "expect", "expect_file")
        note = self._note(index, table)
        if len(self.problems) > before or pointers is None:
            return
        found = scattered_faults(base, addresses, pointers, expect)
        for name, fault in found:
            keys = {"addresses": places, "pointers": "file", "expect": "expect_file"}
            self._add("write", index, name if name in table else keys[name], str(fault))
        if not found:
            entry = ScatteredEntry._made(base, addresses, pointers, expect, note)
            entry.addresses_file = given if isinstance(given, str) else None
            entry.file, entry.expect_file = table.get("file"), table.get("expect_file")
            self.parts.entries.append(entry)

    def _one_or_each(
        self, index: int, table: dict[str, Any], key: str, file_key: str
    ) -> int | str | _Values | None:
        """Return the values of one key, or of the side file that the other names; or None."""
        if key in table:
            given = table[key]
            faults: list[Exception] = []
            if not isinstance(given, (int, str, list)):
                message = f"{key} must be a list in brackets or one value, got {_kind(given)}"
                faults.append(TypeError(message))
                values: int | str | _Values = ()
            else:
                values = take_one_or_each(given, key, faults)
            self._faults("write", index, key, faults)
            return values
        if file_key in table:
            return self._side_file(index, table[file_key], file_key)
        return None

    def _values(self, index: int, table: dict[str, Any]) -> _Values:
        faults: list[Exception] = []
        values: _Values = ()
        if "pointers" in table:
            if "file" in table:
                message = "pointers and file are both given: give only one"
                self._add("write", index, "file", message)
            given = table["pointers"]
            if not isinstance(given, list):
                message = f"pointers must be a list in brackets, got {_kind(given)}"
                self._add("write", index, "pointers", message)
            else:
                values = take_pointers(given, "pointers", faults)
                if faults:
                    self._faults("write", index, "pointers", faults)
        elif "file" in table:
            values = self._side_file(index, table["file"], "file")
        else:
            self._add("write", index, None, "pointers (or file) is missing")
        return values

    def _side_file(self, index: int, name: Any, key: str) -> _Values:
        fault: Exception | None = name_fault(name, anywhere=self._anywhere)
        if fault is None:
            try:
                return read_side_file(self._folder, name, anywhere=self._anywhere)
            except not_from_handler(SideFileError) as error:
                fault = error
            except not_from_handler(OSError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) else None
                fault = ValueError(f"file {name[:200]!r} can't be read: {why or error}")
            except not_from_handler(MemoryError):
                fault = ValueError(f"file {name[:200]!r} does not fit into memory")
        self._add("write", index, key, str(fault))
        return ()

    def _build(self, index: int, table: dict[str, Any]) -> None:
        self._unknown(index, "build", table, _BUILD_KEYS)
        module, build_id, sha256 = (table.get(key) for key in _BUILD_KEYS)
        if "module" not in table:
            self._add("build", index, None, "module is missing")
            module = "?"
        faults = build_faults(module, build_id, sha256)
        for fault in faults:
            self._add("build", index, str(fault).partition(" ")[0], str(fault))
        if not faults and isinstance(module, str):
            self.parts.builds.append(BuildCheck(module, build_id=build_id, sha256=sha256))

    def _unknown_top(self, data: dict[str, Any]) -> None:
        unknown = [key for key in data if key not in _TOP_KEYS]
        for key in unknown[:MOST_FAULTS]:  # the line of each is searched for
            self._top(_unknown_key(key, _TOP_KEYS), key)
        if len(unknown) > MOST_FAULTS:
            self._top(_more_unknown(unknown), unknown[MOST_FAULTS])

    def _unknown(self, index: int, kind: str, table: dict[str, Any], keys: tuple[str, ...]) -> None:
        unknown = [key for key in table if key not in keys]
        for key in unknown[:MOST_FAULTS]:
            self._add(kind, index, key, _unknown_key(key, keys))
        if len(unknown) > MOST_FAULTS:
            self._add(kind, index, unknown[MOST_FAULTS], _more_unknown(unknown))

    def _faults(self, kind: str, index: int, key: str, faults: list[Exception]) -> None:
        for fault in faults:
            self._add(kind, index, key, str(fault))
        faults.clear()

    def _top(self, message: str, key: str | None) -> None:
        line = self._lines.of_key(key) if key is not None else None
        self.problems.append(
            (line or 0, f"line {line}: {message}" if line is not None else message)
        )

    def _add(self, kind: str, index: int, key: str | None, message: str) -> None:
        line = self._lines.of(kind, index, key)
        noun = "entry" if kind == "write" else "build"
        place = f"line {line}, " if line is not None else ""
        self.problems.append((line or 0, f"{place}{noun} {index + 1}: {message}"))


_WRITE_SET: Final = frozenset(_WRITE_KEYS)


def _is_scattered(table: dict[str, Any]) -> bool:
    return not _SCATTERING.isdisjoint(table)


def _format_of(data: dict[str, Any]) -> int:
    """Return the first format that has all entries of this file."""
    tables = data.get("write")
    scattered = isinstance(tables, list) and any(
        isinstance(each, dict) and _is_scattered(each) for each in tables
    )
    return 2 if scattered else 1


def _key_of_places(table: dict[str, Any]) -> str:
    """Return the key of a [[write]] that says where to write."""
    keys = ("addresses", "offsets", "base")
    return next((key for key in keys if key in table), "address")


def _unknown_key(key: str, known: tuple[str, ...]) -> str:
    alike = near([key], list(known))
    hint = f"did you mean {alike[0]!r}?" if alike else f"known are {', '.join(known)}"
    return f"unknown key {key[:80]!r}; {hint}"


def _more_unknown(unknown: list[str]) -> str:
    return f"and {len(unknown) - MOST_FAULTS:,} more unknown keys"


def _kind(value: object) -> str:
    """Name the type of a TOML value in TOML's terms."""
    names = {bool: "a boolean", int: "a number", float: "a float", str: "text", list: "a list"}
    name = names.get(type(value), "a table" if isinstance(value, dict) else "a date or time")
    return f"{name} ({shown(value)})"
