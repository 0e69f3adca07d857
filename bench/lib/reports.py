"""Shows figures: a table for the terminal, JSON for later comparisons."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy
from rich.console import Console
from rich.table import Table

import pydbgwrite
from lib.measuring import Figure

__all__ = ["RESULTS", "duration", "machine", "per_pointer", "show", "write_json"]

#: Git ignores it.
RESULTS = Path(__file__).resolve().parents[1] / "results"


#: The load of other programs: this one has just begun.
_LOAD = os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def show(figures: Sequence[Figure]) -> None:
    """Print one table."""
    table = Table(title="pydbgwrite: ratios and limits (absolute times are this machine's, today)")
    for heading in ("case", "contestant", "against"):
        table.add_column(heading)
    for heading in ("its time", "a pointer", "ratio", "figure", "limit", "verified", "met"):
        table.add_column(heading, justify="right")
    for before, figure in zip([None, *figures], figures, strict=False):
        if before is not None and before.case != figure.case:
            table.add_section()
        table.add_row(
            figure.case,
            figure.contestant_name,
            figure.baseline_name,
            duration(figure.contestant),
            per_pointer(figure),
            "-" if figure.ratio is None else f"{figure.ratio:.3f}",
            figure.note if figure.value is None else f"{figure.value:,.3g} {figure.unit}",
            "-" if figure.limit is None else f"{figure.limit:,g}",
            {True: "yes", False: "NO", None: "-"}[figure.verified],
            "yes" if figure.met else "NO",
        )
    console = Console()
    # A pipe has no width, and a table of 80 columns would be broken into unreadable lines.
    console.width = console.width if console.is_terminal else 190
    console.print(table)


def per_pointer(figure: Figure) -> str:
    """Return the nanoseconds a pointer, as text."""
    if figure.contestant is None or not figure.count:
        return "-"
    took = figure.contestant / figure.count
    return f"{took:,.2f} ns" if took < 10 else f"{took:,.0f} ns"


def duration(nanoseconds: float | None) -> str:
    """Return a time in a suitable unit, as text."""
    if nanoseconds is None:
        return "-"
    if nanoseconds < 1e4:
        return f"{nanoseconds:,.0f} ns"
    if nanoseconds < 1e7:
        return f"{nanoseconds / 1e3:,.0f} us"
    return f"{nanoseconds / 1e6:,.0f} ms"


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {
        "pydbgwrite": pydbgwrite.__version__,
        "python": sys.version,
        "numpy": numpy.__version__,
        "system": _system(),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "processors": os.cpu_count(),
        "load": _LOAD,
    }


def _system() -> str:
    """Return the system and its version, such as "Linux 6.12", without the build."""
    return f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}"


def _cpu() -> str:
    """Return the processor's model (proc_cpuinfo(5)), or its architecture if none is named."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def write_json(figures: Sequence[Figure], folder: Path) -> Path:
    """Write one file a run, named by the time in UTC."""
    now = datetime.now(UTC)
    path = folder / f"{now:%Y%m%dT%H%M%SZ}.json"
    folder.mkdir(parents=True, exist_ok=True)
    results = {
        "when": now.isoformat(timespec="seconds"),
        "on": machine(),
        "figures": [{**asdict(figure), "met": figure.met} for figure in figures],
    }
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return path
