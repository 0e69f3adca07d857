"""The memory that a write needs beyond the caller's: a memmap too large to be copied."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lib.measuring import Figure
from lib.targets import Target, started

__all__ = ["large_memmap"]

_WRITER = Path(__file__).resolve().parents[1] / "lib" / "memmap_writer.py"
_MIB = 1 << 20
_LIMIT_MIB = 64.0
_RECORDED_LIMIT_MIB = 32.0
#: The ways of lib/memmap_writer.py to record a write and to undo it, and the name of the journal.
_RECORDED = {
    "in a transaction": ("memory", ""),
    "in a transaction, undone by an exception": ("undone", ""),
    "in a transaction with a journal": ("journal", "journal"),
    "undo() of that journal, in another process": ("undo", "journal"),
}


def large_memmap(*, quick: bool) -> Iterator[Figure]:
    """Write a numpy memmap of a sparse file of 4 GiB in one call (quick: 512 MiB)."""
    size = 512 * _MIB if quick else 4096 * _MIB
    with tempfile.TemporaryDirectory(prefix="pydbgwrite-bench-") as folder, started(size) as target:
        path = Path(folder, "pointers.bin")
        _make_sparse(path, size)
        result = _written(target, path)
        yield Figure(
            case=f"memmap of {size // _MIB:,} MiB",
            contestant_name="write_pointers, numpy memmap",
            baseline_name="the mapped pages",
            value=result["extra_bytes"] / _MIB,
            unit="MiB more than mapped",
            limit=_LIMIT_MIB,
            contestant=result["nanoseconds"],
            verified=result["written"] == size // 8 and target.holds_file(path, size),
            note=f"{result['mapped_bytes'] / _MIB:,.0f} MiB mapped in",
        )
        for name, (how, journal) in _RECORDED.items():
            recorded = _written(target, path, how, str(Path(folder, journal)))
            yield Figure(
                case=f"memmap of {size // _MIB:,} MiB",
                contestant_name=name,
                baseline_name="the plain write",
                value=(recorded["extra_bytes"] - result["extra_bytes"]) / _MIB,
                unit="MiB more",
                limit=_RECORDED_LIMIT_MIB,
                contestant=recorded["nanoseconds"],
                verified=recorded["written"] == size // 8,
            )


def _written(target: Target, path: Path, *how: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, str(_WRITER), str(target.pid), str(target.address), str(path), *how],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    result: dict[str, int] = json.loads(done.stdout)
    return result


def _make_sparse(path: Path, size: int) -> None:
    """Make a file of zeros, with a page of random bytes in every 16 MiB and at the end."""
    with path.open("wb") as file:
        for at in (*range(0, size, 16 * _MIB), size - 4096):
            file.seek(at)
            file.write(os.urandom(4096))
