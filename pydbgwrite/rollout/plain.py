"""A patch as text: what is sent to workers, and what a ledger holds. Nothing of it is code."""

from __future__ import annotations

import json
from array import array
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from pydbgwrite._patch.builds import BuildCheck
from pydbgwrite._patch.entry import PatchEntry
from pydbgwrite._patch.patch import Patch
from pydbgwrite._patch.scattered import ScatteredEntry

if TYPE_CHECKING:
    from pydbgwrite._patch.apply import Step
    from pydbgwrite._patch.scattered import Entry

__all__ = ["SentPatch", "patch_of_text", "text_of_patch"]


def text_of_patch(patch: Patch) -> str:
    """Return a patch as JSON, with its side files' contents."""
    if not isinstance(patch, Patch):
        raise TypeError(f"patch must be a Patch, got {type(patch).__name__}")
    patch._check()
    parts = {
        "note": patch.note,
        "builds": [[each.module, each.build_id, each.sha256] for each in patch.builds],
        "entries": [_plain_entry(each) for each in patch.entries],
        "lines": [patch._place("write", index) for index in range(len(patch.entries))],
        "build_lines": [patch._place("build", index) for index in range(len(patch.builds))],
    }
    return json.dumps(parts)


def patch_of_text(text: str) -> SentPatch:
    """Return the patch of such a text. It names its lines as the first one did."""
    parts = json.loads(text)
    made = SentPatch(
        [_entry(each) for each in parts["entries"]],
        builds=[BuildCheck(m, build_id=b, sha256=s) for m, b, s in parts["builds"]],
        note=parts["note"],
    )
    made.writes = {}
    made.lines = {"write": parts["lines"], "build": parts["build_lines"]}
    return made


class SentPatch(Patch):
    """A patch that came as text.

    writes: what it writes to each target of a pointer size, once that is known (one_write()).
    """

    __slots__ = ("lines", "writes")

    lines: dict[str, list[str]]
    writes: dict[int, Step]

    def _place(self, kind: str, index: int) -> str:
        return self.lines[kind][index]


def _plain_entry(entry: Entry) -> list[Any]:
    if isinstance(entry, PatchEntry):
        fields = [entry.address, entry.pointers, entry.expect, entry.note]
    else:
        fields = [entry.base, entry.addresses, entry.pointers, entry.expect, entry.note]
    return [_plain(each) for each in fields]


def _plain(value: object) -> object:
    if isinstance(value, array):
        return {"words": b64encode(value.tobytes()).decode()}
    return list(value) if isinstance(value, tuple) else value


def _entry(fields: list[Any]) -> Entry:
    given = [_value(each) for each in fields]
    if len(given) == 4:
        address, pointers, expect, note = given
        return PatchEntry(address, pointers, expect=expect, note=note)
    base, addresses, pointers, expect, note = given
    return ScatteredEntry(addresses, pointers, base=base, expect=expect, note=note)


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return array("Q", b64decode(value["words"]))
    return value
