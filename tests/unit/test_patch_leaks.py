"""Patches leak no memory when they are loaded, previewed, applied and refused many times."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import pytest
from support.inputs import BASE
from support.leak_check import Case, growth

import pydbgwrite
from pydbgwrite import Session

BAD_ADDRESS = 0x900000


class Raises:
    """An object whose __index__ raises."""

    def __index__(self) -> int:
        raise ZeroDivisionError


RAISES: Any = Raises()


def patch_turn(session: Session, address: object, **options: object) -> None:
    """Save and load a patch; preview, apply, verify and undo it."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "p.toml")  # noqa: PTH118
        entry: Any = pydbgwrite.PatchEntry
        pydbgwrite.Patch([entry(address, [1, 2, 3], **options)]).save(path, inline=1)
        patch = pydbgwrite.Patch.load(path)
        patch.preview(session)
        patch.apply(session)
        patch.verify(session)
        patch.undo(session)


def scattered_turn(session: Session, **options: Any) -> None:
    """Do the same with pointers at separate addresses."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "p.toml")  # noqa: PTH118
        entry = pydbgwrite.ScatteredEntry([0, 32, 16], [1, 2, 3], **options)
        pydbgwrite.Patch([entry]).save(path, inline=1)
        patch = pydbgwrite.Patch.load(path)
        patch.preview(session).to_html()
        patch.apply(session)
        patch.verify(session)
        patch.undo(session)


PATCHES: dict[str, Case] = {
    "good": lambda s: patch_turn(s, BASE),
    "expectation fails": lambda s: patch_turn(s, BASE, expect=5),
    "not mapped": lambda s: patch_turn(s, BAD_ADDRESS),
    "no such name": lambda s: patch_turn(s, "module!symbol"),
    "scattered": lambda s: scattered_turn(s, base=BASE),
    "scattered, refused": lambda s: scattered_turn(s, base=BAD_ADDRESS, expect=[1, 2, 3]),
    "bad address": lambda s: patch_turn(s, "module"),
    "bad pointers": lambda s: pydbgwrite.PatchEntry(BASE, [1, RAISES]),
    "bad file": lambda s: pydbgwrite.Patch.load(os.devnull),
    "no file": lambda s: pydbgwrite.Patch.load("nowhere.toml"),
    "nothing to undo": lambda s: pydbgwrite.Patch([pydbgwrite.PatchEntry(BASE, [1])]).undo(s),
    "build": lambda s: pydbgwrite.BuildCheck.of(s, "module"),
}


@pytest.mark.parametrize("name", PATCHES)
def test_patches_leave_nothing(session: Session, name: str) -> None:
    """Memory grows by less than half a block a turn; the interpreter's caches stop growing."""
    turns = 40
    if growth(PATCHES[name], session, turns) >= turns // 2:
        assert growth(PATCHES[name], session, 10 * turns) < 5 * turns
