"""Write patch files. The TOML is written by hand: the library has no dependencies."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pydbgwrite._patch.builds import BuildCheck
from pydbgwrite._patch.entry import PatchEntry
from pydbgwrite._patch.side_files import name_fault, replace_file, write_side_file
from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.errors import PatchError

if TYPE_CHECKING:
    from pydbgwrite._patch.entry import _Values

__all__ = ["save_patch"]

#: The number of values on one line.
_A_LINE: Final = 4


def save_patch(
    path: str, entries: list[PatchEntry], builds: list[BuildCheck], note: str, inline: int
) -> None:
    """Write the side files, then the patch file. Each file is replaced as a whole."""
    blocks = ["format = 1\n"]
    if note:
        blocks.append(f"note = {_text(note, 'note')}\n")
    for number, build in enumerate(builds, 1):
        blocks.append(_build(build, f"build {number}"))
    files: dict[str, array[int]] = {}
    for number, entry in enumerate(entries, 1):
        blocks.append(_entry(entry, _side_file(path, entry, number, inline, files), number))
    folder = os.path.dirname(path) or "."
    for name, values in files.items():
        target = os.path.join(folder, *name.split("/"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        write_side_file(target, values)
    replace_file(path, "".join(blocks).encode())


def _side_file(
    path: str, entry: PatchEntry, number: int, inline: int, files: dict[str, array[int]]
) -> str | None:
    """Return the name of the entry's side file, or None if its pointers are in the patch file."""
    values = entry.pointers
    name = entry.file
    if name is None and len(values) > inline and isinstance(values, array):
        stem = os.path.splitext(os.path.basename(path))[0]
        name = f"{stem}.{number}.npy"
    if name is None:
        return None
    fault = name_fault(name, anywhere=False)
    problem = None
    if fault is not None:
        problem = str(fault)
    elif not isinstance(values, array):
        problem = f"file {name!r} can't hold addresses by name; leave file out"
    elif files.get(name, values) != values:
        problem = f"file {name!r} belongs to another entry, which has other pointers"
    if problem is not None:
        problem = f"entry {number}: {problem}"
        raise PatchError(problem, [problem])
    assert isinstance(values, array)
    files[name] = values
    return name


def _build(build: BuildCheck, what: str) -> str:
    lines = ["", "[[build]]", f"module = {_text(build.module, what)}"]
    for key, value in (("build_id", build.build_id), ("sha256", build.sha256)):
        if value is not None:
            lines.append(f"{key} = {_text(value, what)}")
    return "\n".join(lines) + "\n"


def _entry(entry: PatchEntry, file: str | None, number: int) -> str:
    what = f"entry {number}"
    lines = ["", "[[write]]", f"address = {_value(entry.address, what)}"]
    if file is not None:
        lines.append(f"file = {_text(file, what)}")
    else:
        lines.append(f"pointers = {_list(entry.pointers, what)}")
    if isinstance(entry.expect, (int, str)):
        lines.append(f"expect = {_value(entry.expect, what)}")
    elif entry.expect is not None:
        lines.append(f"expect = {_list(entry.expect, what)}")
    if entry.note:
        lines.append(f"note = {_text(entry.note, what)}")
    return "\n".join(lines) + "\n"


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
