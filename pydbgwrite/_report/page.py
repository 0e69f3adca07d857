"""Write a report as one page of HTML that needs nothing else.

What the target or a patch's author chose is text: escaped in the table, which works without script,
and JSON in an element that is no script, which the page's one script reads. A policy in the page
forbids every other style and script, and all requests.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from pydbgwrite._report.assets import SCRIPT, STYLE
from pydbgwrite._report.model import STATES, Group, Listed, Report, Row, Strip
from pydbgwrite._report.text import counted, escaped, hexadecimal, shortened
from pydbgwrite._version import __version__

__all__ = ["page_of", "worst"]

#: A page is smaller than this; if it would be larger, it gets fewer rows.
_MOST_CHARACTERS: Final = 4_500_000
#: Of a name or a note, and of a message.
_LONGEST: Final = 200
_SHORTEST: Final = 20
_LONGEST_MESSAGE: Final = 1_000
#: Rows of the table that is there without script.
_STATIC: Final = 600
_CELL: Final = 10  # width and height of a strip's cells
_MOST_PROCESSES: Final = 5_000
_OF_PROCESS: Final = ("Machine", "Process", "Program", "Outcome", "Detail")
_COLUMNS: Final = ("entry", "address", "before", "after", "expected", "note", "state")

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{verdict}
<dl>
{facts}</dl>
{strips}{processes}
{pointers}</main>
<footer class="quiet">Made by pydbgwrite {version}. The page holds memory of the target: keep it \
as private as that.</footer>
{scripts}</body>
</html>
"""

_POINTERS: Final = """<h2 id="pointers">Pointers</h2>
<form>
<label class="wide">Filter <input name="words" type="search" autocomplete="off" spellcheck="false" \
placeholder="name, address, value or note"></label>
<label>State <select name="state"><option value="">any</option>{options}</select></label>
<button type="button" name="every">Open all groups</button>
</form>
<p class="quiet" id="shown" aria-live="polite">{shown}</p>
<div class="scroll" role="region" aria-labelledby="pointers" tabindex="0">
<table id="rows">
<thead><tr>{head}</tr></thead>
<tbody>
{rows}</tbody>
</table>
</div>
{legend}
"""

_SCRIPTS: Final = """<script type="application/json" id="data">{data}</script>
<script>{script}</script>
"""


def page_of(report: Report) -> str:
    """Return the page."""
    page = _page(report)
    longest, most = _LONGEST, max((len(group.rows) for group in report.groups), default=0)
    while len(page) > _MOST_CHARACTERS and longest > _SHORTEST:
        # Names and notes can be long: fewer rows of each group, and in the end less of each name.
        if most > 1:
            most = max(1, min(most - 1, most * _MOST_CHARACTERS // len(page)))
        else:
            longest //= 2
        page = _page(_smaller(report, most, longest))
    return page


def _smaller(report: Report, most: int, longest: int) -> Report:
    def smaller(group: Group) -> Group:
        rows = [row._replace(note=shortened(row.note, longest)) for row in worst(group.rows, most)]
        return group._replace(rows=rows, note=shortened(group.note, longest))

    names = {value: shortened(name, longest) for value, name in report.names.items()}
    processes = report.processes and [
        each._replace(detail=shortened(each.detail, longest)) for each in report.processes
    ]
    groups = [smaller(group) for group in report.groups]
    return report._replace(groups=groups, names=names, processes=processes)


def worst(rows: list[Row], most: int) -> list[Row]:
    """Return `most` rows by address; those in a bad state go before others."""
    chosen = sorted(rows, key=lambda row: not STATES[row.state].bad)[:most]
    return sorted(chosen, key=lambda row: (row.address or 0, row.entry))


def _page(report: Report) -> str:
    policy = (
        f"default-src 'none'; style-src '{_hash(STYLE)}'; script-src '{_hash(SCRIPT)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    # Of a rollout nothing may be known but its outcomes.
    has_pointers = bool(report.groups) or report.processes is None
    return _PAGE.format(
        policy=policy,
        title=escaped(shortened(report.title, _LONGEST)),
        style=STYLE,
        verdict=_verdict(report),
        facts="".join(_facts(report)),
        strips=_strips(report),
        processes=_processes(report),
        pointers=_pointers(report) if has_pointers else "",
        version=__version__,
        scripts=_SCRIPTS.format(data=_data(report), script=SCRIPT) if has_pointers else "",
    )


def _pointers(report: Report) -> str:
    here = sum(len(group.rows) for group in report.groups)
    shown = f"{counted(report.pointers, 'pointer')}."
    if here < report.pointers:
        shown += " The table has some of them and counts the rest."
    titles = [*map(str.capitalize, _COLUMNS[:-1]), f"State {report.when}"]
    head = "".join(
        f'<th scope="col" data-key="{key}">{title}</th>'
        for key, title in zip(_COLUMNS, titles, strict=True)
    )
    legend = "".join(
        f" <b>{state.sign} {state.word}</b>: {state.meaning};" for state in STATES
    ).rstrip(";")
    return _POINTERS.format(
        options="".join(f"<option>{state.word}</option>" for state in STATES),
        shown=shown,
        head=head,
        rows="".join(_rows(report)),
        legend=f'<p class="quiet">State {report.when} \u2013{legend}.</p>',
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _verdict(report: Report) -> str:
    sign, kind = ("\u2713", "verdict") if report.good else ("\u2717", "verdict no")
    items = [
        f"<li><bdi>{escaped(shortened(each, _LONGEST_MESSAGE))}</bdi></li>"
        for each in report.problems
    ]
    if report.problem_total > len(items):
        items.append(f"<li>and {report.problem_total - len(items):,} more problems</li>")
    listed = f"<ul>{''.join(items)}</ul>" if items else ""
    return (
        f'<div class="{kind}"><p><strong>{sign} {escaped(report.heading)}</strong> '
        f"{escaped(report.verdict)} {escaped(report.closing)}</p>{listed}</div>"
    )


def _facts(report: Report) -> Iterator[str]:
    for label, value in report.facts:
        text = escaped(shortened(value, _LONGEST_MESSAGE))
        yield f"<dt>{escaped(label)}</dt><dd><bdi>{text}</bdi></dd>\n"


# ---- the strip


def _strips(report: Report) -> str:
    if not report.strips:
        return ""
    lines = "\n".join(map(_strip, report.strips))
    places, pointers = report.strips_left
    left = (
        f"<p>And {counted(pointers, 'pointer')} in {places:,} other places.</p>" if places else ""
    )
    scale = "".join(
        f'<rect class="h{level}" x="{level * 12}" width="11" height="10"/>' for level in range(5)
    )
    return f"""<h2>Touched memory</h2>
<div class="strips">
{lines}
</div>
{left}<p class="quiet legend">Untouched
<svg viewBox="0 0 59 10" width="71" aria-hidden="true">{scale}</svg>
full of pointers; <svg viewBox="0 0 9 10" width="11" aria-hidden="true">{_mark(0)}</svg>
a problem. A cell is a page, or a few pages.</p>"""


def _strip(strip: Strip) -> str:
    count = -(-strip.size >> strip.shift)
    width = count * _CELL
    parts = [f'<rect class="h0" width="{width}" height="{2 * _CELL}"/>']
    # From one pointer to a whole cell of them, in equal steps of the logarithm.
    most = max(1, (1 << strip.shift) // 8).bit_length()
    for cell, pointers in sorted(strip.cells.items()):
        level = min(4, 1 + 4 * (pointers.bit_length() - 1) // most)
        start = hexadecimal(strip.base + (cell << strip.shift))
        parts.append(
            f'<rect class="h{level}" x="{cell * _CELL}" width="{_CELL - 1}" height="{2 * _CELL}">'
            f"<title>{start}: {counted(pointers, 'pointer')}</title></rect>"
        )
    parts += [_mark(cell * _CELL) for cell in sorted(strip.marked)]
    label = escaped(shortened(strip.label, _LONGEST))
    pages = counted(-(-strip.size >> 12), "page")
    told = f"{counted(strip.pointers, 'pointer')} in {strip.pages:,} of {pages}"
    behind = hexadecimal(strip.base + strip.size - 1)
    return (
        f'<div class="place"><b><bdi>{label}</bdi></b><span class="quiet">{told}</span><br>'
        f'<span class="range quiet">{hexadecimal(strip.base)} \u2013 {behind}</span></div>'
        f'<svg viewBox="0 0 {width} {2 * _CELL}" width="{width}" preserveAspectRatio="none" '
        f'role="img" aria-label="{label}: {told}">{"".join(parts)}</svg>'
    )


def _mark(x: int) -> str:
    return f'<path class="mark" d="M{x} 0h9l-4.5 8z"/>'


# ---- the processes of a rollout


def _processes(report: Report) -> str:
    if report.processes is None:
        return ""
    # Nothing bad is left out for something good.
    shown = sorted(report.processes, key=lambda each: not each.bad)[:_MOST_PROCESSES]
    head = "".join(f'<th scope="col">{name}</th>' for name in _OF_PROCESS)
    rows = "".join(map(_process, shown))
    left = len(report.processes) - len(shown)
    more = f'<p class="quiet">And {left:,} more processes.</p>' if left else ""
    return f"""<h2 id="processes">Processes</h2>
<div class="scroll" role="region" aria-labelledby="processes" tabindex="0">
<table>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}</tbody>
</table>
</div>
{more}"""


def _process(each: Listed) -> str:
    kind, sign = ("bad", "\u2717") if each.bad else ("fine", "\u2713")
    texts = [
        f"<td><bdi>{escaped(shortened(text, _LONGEST_MESSAGE))}</bdi></td>"
        for text in (each.machine, each.program, each.detail)
    ]
    return (
        f'<tr class="{kind}">{texts[0]}<td>{each.pid}</td>{texts[1]}'
        f'<td class="state">{sign} {escaped(each.outcome)}</td>{texts[2]}</tr>\n'
    )


# ---- the table without script


def _rows(report: Report) -> Iterator[str]:
    left = _STATIC
    each = max(1, _STATIC // max(1, len(report.groups)))
    for group in report.groups:
        if left <= 0:
            break
        if (group.pointers > 1 or group.label) and not report.flat:
            yield _group(group, report.names)
            left -= 1
        rows = group.rows if report.flat else group.rows[:each]
        for row in rows:
            yield _row(row, report.names)
        left -= len(rows)
        if group.pointers > len(rows):
            yield _more(f"and {counted(group.pointers - len(rows), 'pointer')} more")
    else:
        return
    yield _more("More groups are shown with the page\u2019s script alone.")


def _more(text: str) -> str:
    return f'<tr class="more"><td colspan="{len(_COLUMNS)}">{text}</td></tr>\n'


def _group(group: Group, names: dict[int, str]) -> str:
    parts = [
        f'<bdi class="name">{escaped(_name_of(group, names))}</bdi>'
        f'<span class="range">{_range_of(group)}</span>'
        f'<span class="count">{counted(group.pointers, "pointer")}</span>'
    ]
    for state, number in zip(STATES, group.states, strict=True):
        if number:
            kind = "badly" if state.bad else "count"
            parts.append(f'<span class="{kind}">{state.sign} {number:,} {state.word}</span>')
    parts.append(f'<bdi class="quiet">{escaped(shortened(group.note, _LONGEST))}</bdi>')
    cells = "".join(parts)
    return f'<tr class="group"><th colspan="{len(_COLUMNS)}" scope="rowgroup">{cells}</th></tr>\n'


def _name_of(group: Group, names: dict[int, str]) -> str:
    if group.label:
        return shortened(group.label, _LONGEST)
    if group.start is None:
        return "no address"
    return shortened(names.get(group.start, ""), _LONGEST)


def _range_of(group: Group) -> str:
    if group.start is None or group.end is None:
        return ""
    return f"{hexadecimal(group.start)} \u2013 {hexadecimal(group.end - 1)}"


def _row(row: Row, names: dict[int, str]) -> str:
    state = STATES[row.state]
    kind = "bad" if state.bad else "same" if state.word == "same" else "fine"
    expected = _pointer(row.expected, names)
    if row.expected is None or row.expected == row.before:
        said = "anything" if row.expected is None else "as before"
        expected = f'<span class="quiet">{said}</span>'
    return (
        f'<tr class="{kind}"><td class="number">{row.entry}</td>'
        f"<td>{_pointer(row.address, names)}</td>"
        f'<td class="old">{_pointer(row.before, names)}</td>'
        f'<td class="new">{_pointer(row.after, names)}</td>'
        f"<td>{expected}</td>"
        f'<td><bdi class="note">{escaped(shortened(row.note, _LONGEST))}</bdi></td>'
        f'<td class="state">{state.sign} {state.word}</td></tr>\n'
    )


def _pointer(value: int | None, names: dict[int, str]) -> str:
    if value is None:
        return '<span class="quiet">?</span>'
    name = names.get(value)
    shown = ""
    if name is not None:
        # A long name is broken behind its module, a scope, or the bracket of its parameters.
        text = re.sub(r"!|::|\(", r"\g<0><wbr>", escaped(shortened(name, _LONGEST)))
        shown = f'<bdi class="name">{text}</bdi>'
    return f'{shown}<span class="hex">{hexadecimal(value)}</span>'


# ---- the data for the script


def _data(report: Report) -> str:
    """Return JSON that can stand in HTML: ASCII, without <."""
    numbers: dict[str, int] = {"": 0}

    def text(of: str | None) -> int:
        return numbers.setdefault(shortened(of or "", _LONGEST), len(numbers))

    def pointer(value: int | None) -> tuple[str | None, int]:
        return (None, 0) if value is None else (f"{value:x}", text(report.names.get(value)))

    groups = [
        {
            "name": _name_of(group, report.names),
            "range": _range_of(group),
            "count": group.pointers,
            "states": group.states,
            "note": text(group.note),
            "rows": [
                (
                    row.entry,
                    *pointer(row.address),
                    *pointer(row.before),
                    *pointer(row.after),
                    *pointer(row.expected),
                    text(row.note),
                    row.state,
                )
                for row in group.rows
            ],
        }
        for group in report.groups
    ]
    data = {
        "flat": report.flat,
        "headed": report.processes is not None,
        "pointers": report.pointers,
        "states": STATES,
        "groups": groups,
        "texts": list(numbers),
    }
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
