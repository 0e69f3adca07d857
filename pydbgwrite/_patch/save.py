"""Write patch files. The TOML is written by hand: the library has no dependencies."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pydbgwrite._patch.builds import BuildCheck
from pydbgwrite._patch.entry import PatchEntry
from pydbgwrite._patch.scattered import Entry, ScatteredEntry
from pydbgwrite._patch.side_files import name_fault, write_side_file
from pydbgwrite._replaced_file import replace_file
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import PatchError

if TYPE_CHECKING:
    from pydbgwrite._patch.entry import _Values

__all__ = ["save_patch"]

#: The number of values on one line.
_A_LINE: Final = 4


def save_patch(
    path: str, entries: list[Entry], builds: list[BuildCheck], note: str, inline: int
) -> None:
    """Write the side files, then the patch file. Each file is replaced as a whole."""
    version = 2 if any(isinstance(entry, ScatteredEntry) for entry in entries) else 1
    blocks = [f"format = {version}\n"]
    if note:
        blocks.append(f"note = {_text(note, 'note')}\n")
    for number, build in enumerate(builds, 1):
        blocks.append(_build(build, f"build {number}"))
    files = _SideFiles(os.path.splitext(os.path.basename(path))[0], inline)
    for number, entry in enumerate(entries, 1):
        if isinstance(entry, ScatteredEntry):
            blocks.append(_scattered(entry, number, files))
        else:
            blocks.append(_entry(entry, number, files))
    folder = os.path.dirname(path) or "."
    for name, values in files.contents.items():
        target = os.path.join(folder, *name.split("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        write_side_file(target, values)
    replace_file(path, "".join(blocks).encode())


class _SideFiles:
    """The side files of a patch: which values go into one, and its name."""

    def __init__(self, stem: str, inline: int) -> None:
        self.contents: dict[str, array[int]] = {}
        self._stem = stem
        self._inline = inline

    def name_of(
        self, given: str | None, values: int | str | _Values, number: int, kind: str = ""
    ) -> str | None:
        """Return the name of the file for these values, or None if the patch file has them.

        given: the entry's own choice. number: of the entry. kind: what the values are, if they are
        not its pointers.
        """
        name = given
        if name is None and isinstance(values, array) and len(values) > self._inline:
            name = f"{self._stem}.{number}.{kind}{'.' if kind else ''}npy"
        if name is None:
            return None
        fault = name_fault(name, anywhere=False)
        problem = None
        if fault is not None:
            problem = str(fault)
        elif isinstance(values, (int, str)):
            problem = f"file {name!r} can't hold one value for all addresses; leave it out"
        elif not isinstance(values, array):
            problem = f"file {name!r} can't hold addresses by name; leave file out"
        elif self.contents.get(name, values) != values:
            problem = f"file {name!r} belongs to another entry, which has other pointers"
        if problem is not None:
            problem = f"entry {number}: {problem}"
            raise PatchError(problem, [problem])
        assert isinstance(values, array)
        self.contents[name] = values
        return name


def _build(build: BuildCheck, what: str) -> str:
    lines = ["", "[[build]]", f"module = {_text(build.module, what)}"]
    for key, value in (("build_id", build.build_id), ("sha256", build.sha256)):
        if value is not None:
            lines.append(f"{key} = {_text(value, what)}")
    return "\n".join(lines) + "\n"


def _entry(entry: PatchEntry, number: int, files: _SideFiles) -> str:
    what = f"entry {number}"
    lines = ["", "[[write]]", f"address = {_value(entry.address, what)}"]
    file = files.name_of(entry.file, entry.pointers, number)
    if file is not None:
        lines.append(f"file = {_text(file, what)}")
    else:
        lines.append(f"pointers = {_list(entry.pointers, what)}")
    if entry.expect is not None:
        lines.append(f"expect = {_one_or_each(entry.expect, what)}")
    if entry.note:
        lines.append(f"note = {_text(entry.note, what)}")
    return "\n".join(lines) + "\n"


def _scattered(entry: ScatteredEntry, number: int, files: _SideFiles) -> str:
    what = f"entry {number}"
    lines = ["", "[[write]]"]
    if entry.base is not None:
        lines.append(f"base = {_value(entry.base, what)}")
    places = "addresses" if entry.base is None else "offsets"
    file = files.name_of(entry.addresses_file, entry.addresses, number, places)
    shown = _list(entry.addresses, what) if file is None else _text(file, what)
    lines.append(f"{places} = {shown}")
    file = files.name_of(entry.file, entry.pointers, number)
    if file is not None:
        lines.append(f"file = {_text(file, what)}")
    else:
        lines.append(f"pointers = {_one_or_each(entry.pointers, what)}")
    if entry.expect is not None:
        file = files.name_of(entry.expect_file, entry.expect, number, "expect")
        if file is not None:
            lines.append(f"expect_file = {_text(file, what)}")
        else:
            lines.append(f"expect = {_one_or_each(entry.expect, what)}")
    if entry.note:
        lines.append(f"note = {_text(entry.note, what)}")
    return "\n".join(lines) + "\n"


def _one_or_each(values: int | str | _Values, what: str) -> str:
    return _value(values, what) if isinstance(values, (int, str)) else _list(values, what)


def _list(values: _Values, what: str) -> str:
    if len(values) <= _A_LINE:
        return f"[{', '.join(_value(value, what) for value in values)}]"
    return "[\n" + "".join(_lines(values, what)) + "]"


def _lines(values: _Values, what: str) -> Iterator[str]:
    for start in range(0, len(values), _A_LINE):
        shown = [_value(value, what) for value in values[start : start + _A_LINE]]
        yield f"    {', '.join(shown)},\n"


def _value(value: int | str, what: str) -> str:
    # As text: a TOML integer has 64 bits with a sign (toml.io/en/v1.0.0#integer).
    return f'"0x{value:x}"' if isinstance(value, int) else _text(value, what)


def _text(text: str, what: str) -> str:
    """Return a TOML basic string."""
    try:
        text.encode()
    except not_from_handler(UnicodeEncodeError):
        problem = f"{what}: {text[:80]!r} can't be written as TOML: it is not valid Unicode"
        raise PatchError(problem, [problem]) from None
    # A JSON string is a TOML string, except for DEL, which JSON does not escape.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
