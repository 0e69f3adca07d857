"""The contests as docs/performance.md shows them: a Markdown table and an SVG plot."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from contest_ways import WAYS
from measuring import Figure
from reports import per_pointer

__all__ = ["write_markdown", "write_plot"]

_BASELINE = next(iter(WAYS))
# Text and lines are drawn in this colour, which the plot then leaves to the reader's light or dark.
_INK = "#123456"
_STYLE = """<style>
 :root { --ink: #1f2328; } @media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; } }
</style>"""
# Seen well on light and on dark, and told apart by those who don't see colours by the markers.
_LOOKS = {
    "C": ("#888888", "|"),
    "pydbgwrite": ("#d9480f", "o"),
    "pydbgwrite, WriteVirtual": ("#f08c00", "s"),
    "ctypes": ("#1c7ed6", "^"),
    "PyMemoryEditor": ("#2f9e44", "v"),
    "libdebug": ("#9c36b5", "D"),
    "gdb": ("#0c8599", "X"),
}


def _by_case(figures: Sequence[Figure]) -> dict[str, dict[str, Figure]]:
    cases: dict[str, dict[str, Figure]] = {}
    for figure in figures:
        if figure.baseline_name == _BASELINE:
            cases.setdefault(figure.case, {})[figure.contestant_name] = figure
    return cases


def write_markdown(figures: Sequence[Figure], beside: Path) -> Path | None:
    """Nanoseconds a pointer and the ratio to C; nothing where no contest was held."""
    cases = _by_case(figures)
    if not cases:
        return None
    lines = ["| case | " + " | ".join(WAYS) + " |", "|---" * (len(WAYS) + 1) + "|"]
    notes: list[str] = []
    for case, by_way in cases.items():
        cells = [_cell(by_way[way], notes) for way in WAYS]
        lines.append(f"| {case} | " + " | ".join(cells) + " |")
    lines += ["", *(f"{number}. {note}" for number, note in enumerate(notes, 1)), ""]
    path = beside.with_suffix(".md")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _cell(figure: Figure, notes: list[str]) -> str:
    if figure.ratio is None:
        note = f"{figure.contestant_name}: {figure.note}"
        if note not in notes:
            notes.append(note)
        return f"({notes.index(note) + 1})"
    if figure.contestant_name == _BASELINE:
        return per_pointer(figure)
    wrong = " **wrong**" if figure.verified is False else ""
    return f"{per_pointer(figure)}, {_short(figure.ratio)}x{wrong}"


def _short(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"


def write_plot(figures: Sequence[Figure], beside: Path) -> Path | None:
    """Nanoseconds a pointer, a line a case; nothing without matplotlib, or where no contest was."""
    cases = _by_case(figures)
    try:
        import matplotlib
    except ImportError:
        cases = {}
    if not cases:
        return None
    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "pydbgwrite", "font.size": 10})
    for part in ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"):
        pyplot.rcParams[part] = _INK
    figure, axes = pyplot.subplots(figsize=(9, 0.38 * len(cases) + 1.4))
    names = list(cases)
    for way, (colour, marker) in _LOOKS.items():
        points = [
            (shown.contestant / shown.count, names.index(case))
            for case, by_way in cases.items()
            if (shown := by_way[way]).contestant is not None and shown.count
        ]
        across, down = [x for x, _ in points], [y for _, y in points]
        axes.scatter(across, down, c=colour, marker=marker, s=46, label=way, zorder=3)
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("nanoseconds a pointer (logarithmic; less is better)")
    axes.grid(color=_INK, alpha=0.15)
    axes.legend(loc="upper center", bbox_to_anchor=(0.4, 1.0 + 1.0 / len(names)), ncols=4,
                frameon=False, labelcolor=_INK)  # fmt: skip
    drawn = io.StringIO()
    figure.savefig(
        drawn, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None}
    )
    text = drawn.getvalue().replace(_INK, "var(--ink)")
    text = text.replace("<defs>", f"{_STYLE}\n <defs>", 1)
    path = beside.with_suffix(".svg")
    path.write_text(text, encoding="utf-8")
    return path
