"""Puts the results of a run into docs/performance.md: limits, the peers, and a plot.

The document marks the places with <!-- NAME --> and <!-- end of NAME -->.
"""

from __future__ import annotations

import io
import platform
import re
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from lib.measuring import Figure
from lib.reports import duration, machine, per_pointer
from peers.finders import FINDERS
from peers.ways import WAYS

__all__ = ["update_docs", "write_plot"]

_DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
_PLOT = _DOCUMENT.with_suffix(".svg")

_BASELINE = next(iter(WAYS))
# Text and lines are drawn in this colour, which write_plot() replaces by one for a light or dark
# page.
_INK = "#123456"
_STYLE = """<style>
 :root { --ink: #1f2328; } @media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; } }
</style>"""
# Colours that are visible on light and dark pages; the markers differ for readers who can't see
# colours.
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


def update_docs(figures: Sequence[Figure], plot: Path | None) -> Iterator[Path]:
    """Put the figures into the document; a part without new figures stays as it is.

    The run of some cases replaces their limits among the others.
    """
    text = _DOCUMENT.read_text(encoding="utf-8")
    peers, finders = _peers(figures), _finders(figures)
    parts = {
        "machine": _machine() if peers else [],
        "limits": _limits(figures, text),
        "peers": peers,
        "finders": [*_machine(), "", *finders] if finders else [],
    }
    for name, lines in parts.items():
        if lines:
            place = re.compile(f"(<!-- {name} -->\n).*(<!-- end of {name} -->)", re.DOTALL)
            inserted = "\n".join(["", *lines, "", ""])
            text, found = place.subn(lambda match: f"{match[1]}{inserted}{match[2]}", text)  # noqa: B023
            if found != 1:
                raise LookupError(f"{_DOCUMENT} has no one place for {name}")
    _DOCUMENT.write_text(text, encoding="utf-8")
    yield _DOCUMENT
    if plot is not None:
        shutil.copyfile(plot, _PLOT)
        yield _PLOT


def _machine() -> list[str]:
    on = machine()
    python = platform.python_version()
    return [
        f"Measured on {on['processors']} processors ({on['cpu']}, {on['machine']}), "
        f"{on['system']}, Python {python}, numpy {on['numpy']}, pydbgwrite {on['pydbgwrite']}, "
        f"on {datetime.now(UTC):%d %B %Y}, beside other programs with a load of {on['load']:.1f}."
    ]


def _limits(figures: Sequence[Figure], text: str) -> list[str]:
    """Return the table with these figures in place of earlier ones of the same name."""
    rows: dict[tuple[str, ...], str] = {}
    earlier = re.search("<!-- limits -->\n(.*)<!-- end of limits -->", text, re.DOTALL)
    for line in earlier[1].strip().splitlines()[2:] if earlier is not None else ():
        rows[tuple(line.split("|")[1:4])] = line
    measured = False
    for figure in figures:
        if figure.limit is not None and figure.value is not None:
            line = (
                f"| {figure.case} | {figure.contestant_name} | {figure.baseline_name} "
                f"| {figure.value:,.3g} {figure.unit} | {figure.limit:,g} "
                f"| {'yes' if figure.met else '**no**'} |"
            )
            rows[tuple(line.split("|")[1:4])] = line
            measured = True
    head = ["| case | what | against | figure | at most | met |", "|---|---|---|---|---|---|"]
    return [*head, *rows.values()] if measured else []


def _finders(figures: Sequence[Figure]) -> list[str]:
    """Return the table of what the finders of several packages take."""
    first = next(iter(FINDERS))
    shown = [figure for figure in figures if figure.baseline_name == first]
    if not shown:
        return []
    lines = [f"| {shown[0].case} | time | times as long as {first} |", "|---|---|---|"]
    for figure in shown:
        wrong = " **wrong**" if figure.verified is False else ""
        ratio = figure.note if figure.ratio is None else f"{_short(figure.ratio)}{wrong}"
        lines.append(f"| {figure.contestant_name} | {duration(figure.contestant)} | {ratio} |")
    return lines


def _peers(figures: Sequence[Figure]) -> list[str]:
    """Return the table of nanoseconds a pointer, and ratios to C."""
    cases = _by_case(figures)
    if not cases:
        return []
    lines = ["| case | " + " | ".join(WAYS) + " |", "|---" * (len(WAYS) + 1) + "|"]
    notes: list[str] = []
    for case, by_way in cases.items():
        cells = [_cell(by_way[way], notes) for way in WAYS]
        lines.append(f"| {case} | " + " | ".join(cells) + " |")
    return [*lines, "", *(f"({number}) {note}  " for number, note in enumerate(notes, 1))]


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
    """Plot nanoseconds a pointer, one line a case; None without matplotlib or without contests."""
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
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=4,
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
