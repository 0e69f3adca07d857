"""Writes and loads patch files for tests, and collects the reported problems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pydbgwrite import Error, Patch, PatchError

ENTRY = "[[write]]\naddress = 0x1000\npointers = [1]\n"


def problems_of(folder: Path, text: str | bytes, **options: Any) -> list[str]:
    """Return the problems that Patch.load() reports in a file with that text."""
    path = folder / "patch.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PatchError) as caught:
        Patch.load(path, **options)
    error = caught.value
    assert isinstance(error, Error) and isinstance(error, ValueError)
    assert str(error).startswith(str(path)) and "nothing was written" in str(error)
    assert error.problems
    for problem in error.problems[:20]:
        assert problem in str(error)
    return error.problems


def load(folder: Path, text: str, **options: Any) -> Patch:
    """Return a patch of that text."""
    (folder / "patch.toml").write_text(text, encoding="utf-8", newline="")
    return Patch.load(folder / "patch.toml", **options)
