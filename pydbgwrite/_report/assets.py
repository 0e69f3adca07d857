"""The style and the script of a report page, which stands alone: both are part of it."""

from __future__ import annotations

from typing import Final

__all__ = ["SCRIPT", "STYLE"]

# Colours have a contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3). A state has a sign beside its
# colour, and a cell of the strip with a bad pointer a mark.
STYLE: Final = """
:root {
  color-scheme: light dark;
  --page: #fff; --text: #1b1f24; --quiet: #59636e; --line: #d1d9e0; --fill: #f5f7f9;
  --link: #0a58ca; --good: #116329; --bad: #b3132b; --new: #0a58ca;
  --h0: #e9edf1; --h1: #b9d6fb; --h2: #74acf0; --h3: #2f74cf; --h4: #0b3f87;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --text: #e6eaee; --quiet: #9ba6b1; --line: #363d45; --fill: #1d2228;
    --link: #8ab8ff; --good: #6bd98a; --bad: #ff9494; --new: #8ab8ff;
    --h0: #262c33; --h1: #1f4372; --h2: #2f69b0; --h3: #5f9be6; --h4: #bcd9ff;
  }
}
* { box-sizing: border-box; }
body {
  background: var(--page); color: var(--text); margin: 0 auto; max-width: 82rem; padding: 1.5rem;
  font: 0.9375rem/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
h1 { font-size: 1.375rem; line-height: 1.3; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { break-after: avoid; font-size: 1.0625rem; line-height: 1.3; margin: 2rem 0 0.5rem; }
p { margin: 0 0 0.75rem; max-width: 46rem; }
dd, li { overflow-wrap: anywhere; }
.hex, .range {
  font: 0.8125rem/1.5 ui-monospace, "Cascadia Mono", Consolas, "DejaVu Sans Mono", monospace;
}
.quiet { color: var(--quiet); font-size: 0.875rem; }
.verdict { border-left: 4px solid var(--good); background: var(--fill); padding: 0.75rem 1rem; }
.verdict.no { border-color: var(--bad); }
.verdict p { margin: 0; }
.verdict strong { color: var(--good); }
.verdict.no strong { color: var(--bad); }
.verdict ul { margin: 0.5rem 0 0; padding-left: 1.25rem; }
.verdict li { margin: 0.25rem 0; }
dl, .strips { display: grid; gap: 0.25rem 1.25rem; grid-template-columns: max-content 1fr; }
dl { margin: 1.25rem 0 0; }
dt { color: var(--quiet); }
dd { margin: 0; }
.strips { align-items: center; row-gap: 0.625rem; }
.strips .place { max-width: 22rem; }
.strips .place b { display: block; font-weight: 600; overflow-wrap: anywhere; }
.strips svg { display: block; height: 1.375rem; max-width: 100%; }
.legend { align-items: center; display: flex; flex-wrap: wrap; gap: 0.25rem 0.5rem; }
.legend svg { height: 0.75rem; }
.strips + * { margin-top: 1rem; }
.scroll + :not(h2) { margin-top: 0.75rem; }
.h0 { fill: var(--h0); } .h1 { fill: var(--h1); } .h2 { fill: var(--h2); }
.h3 { fill: var(--h3); } .h4 { fill: var(--h4); }
.mark { fill: var(--bad); stroke: var(--page); }
form { align-items: end; display: none; flex-wrap: wrap; gap: 0.75rem; margin: 0 0 0.75rem; }
.script form { display: flex; }
label { color: var(--quiet); display: grid; font-size: 0.8125rem; gap: 0.125rem; }
label.wide { flex: 1 1 16rem; max-width: 30rem; }
input, select, button {
  background: var(--page); border: 1px solid var(--line); border-radius: 4px; color: var(--text);
  font: inherit; font-size: 0.9375rem; min-height: 2.25rem; padding: 0.25rem 0.625rem;
}
input { width: 100%; }
button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 1px; }
.scroll { border: 1px solid var(--line); border-radius: 4px; overflow-x: auto; }
table { border-collapse: collapse; min-width: 60rem; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: 0.375rem 0.75rem; }
th, td { text-align: left; vertical-align: top; }
tbody tr:last-child > * { border-bottom: 0; }
td { overflow: clip; }
thead th { background: var(--fill); font-size: 0.8125rem; font-weight: 600; white-space: nowrap; }
thead button {
  background: none; border: 0; border-radius: 2px; font-size: inherit; font-weight: inherit;
  min-height: 0; padding: 0; white-space: nowrap;
}
thead button::after { color: var(--quiet); content: "\\2195"; padding-left: 0.375rem; }
[aria-sort="ascending"] button::after { color: var(--text); content: "\\2191"; }
[aria-sort="descending"] button::after { color: var(--text); content: "\\2193"; }
td.number { color: var(--quiet); text-align: right; }
th[data-key="entry"] { text-align: right; width: 1%; }
/* break-word: a column is as wide as a name, up to a width. */
td :is(.name, .note) { display: block; max-width: 13rem; overflow-wrap: break-word; }
td .name + .hex { color: var(--quiet); }
.hex { white-space: nowrap; }
.new .name, .new > .hex:only-child { color: var(--new); font-weight: 600; }
td .note { max-width: 11rem; }
td.state { white-space: nowrap; }
.bad td.state { color: var(--bad); font-weight: 600; }
.fine td.state { color: var(--good); }
.same :is(.new, .old) * { color: var(--quiet); font-weight: 400; }
tr.group > * { background: var(--fill); font-weight: 400; }
tr.group button {
  background: none; border: 0; border-radius: 2px; min-height: 0; padding: 0; text-align: left;
}
tr.group button::before { content: "\\25b8"; display: inline-block; width: 1.125rem; }
tr.group button[aria-expanded="true"]::before { content: "\\25be"; }
tr.group :is(.name, .range) { margin-right: 0.75rem; }
tr.group .count { color: var(--quiet); font-size: 0.875rem; margin-right: 0.75rem; }
tr.group .badly { color: var(--bad); font-size: 0.875rem; font-weight: 600; margin-right: 0.75rem; }
tr.more td { color: var(--quiet); font-size: 0.875rem; padding-left: 1.875rem; }
footer { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: 0.75rem; }
@media (min-width: 64rem) {
  dl { grid-template-columns: max-content 1fr max-content 1fr; }
}
@media (max-width: 40rem) {
  body { padding: 1rem; }
  dl, .strips { grid-template-columns: 1fr; gap: 0 0; }
  dd, .strips svg { margin-bottom: 0.625rem; }
}
@media print {
  :root { font-size: 9.5pt; }
  body { max-width: none; padding: 0; }
  form, .script form { display: none; }
  .scroll { border: 0; overflow: visible; }
  table { min-width: 0; }
  th, td { padding: 0.25rem 0.375rem; }
  thead { display: table-header-group; }
  thead button::after { content: none !important; }
  tr, .strips > *, dl > * { break-inside: avoid; }
  svg, .verdict, thead th, tr.group > * {
    print-color-adjust: exact; -webkit-print-color-adjust: exact;
  }
}
"""

SCRIPT: Final = """
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const [ENTRY, ADDRESS, BEFORE, AFTER, EXPECTED, NOTE, STATE] = [0, 1, 3, 5, 7, 9, 10];
  const KEYS = { entry: ENTRY, address: ADDRESS, before: BEFORE, after: AFTER,
                 expected: EXPECTED, note: NOTE, state: STATE };
  const STEP = 500;
  const body = document.querySelector("#rows tbody");
  const form = document.querySelector("form");
  const shown = document.getElementById("shown");
  const open = new Set(data.flat ? data.groups.keys() : []);
  let sorting = { key: "address", down: false };
  let limit = STEP;

  const make = (tag, name, text) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const figure = (number) => number.toLocaleString("en");
  const count = (number, noun) => `${figure(number)} ${noun}${number === 1 ? "" : "s"}`;

  const pointer = (row, at, name) => {
    const cell = make("td", name);
    const quiet = (text) => cell.append(make("span", "quiet", text));
    if (row[at] === null) quiet(at === EXPECTED ? "anything" : "?");
    else if (at === EXPECTED && row[at] === row[BEFORE]) quiet("as before");
    else {
      if (row[at + 1]) {
        const name = make("bdi", "name");
        // A long name is broken behind its module, a scope, or the bracket of its parameters.
        const parts = data.texts[row[at + 1]].split(/(!|::|[(])/);
        parts.forEach((part, n) => n % 2 ? name.append(part, make("wbr")) : name.append(part));
        cell.append(name);
      }
      cell.append(make("span", "hex", "0x" + row[at]));
    }
    return cell;
  };

  const line = (row) => {
    const [word, sign, , bad] = data.states[row[STATE]];
    const made = make("tr", bad ? "bad" : word === "same" ? "same" : "fine");
    made.append(make("td", "number", row[ENTRY]), pointer(row, ADDRESS),
                pointer(row, BEFORE, "old"), pointer(row, AFTER, "new"), pointer(row, EXPECTED));
    const note = make("td");
    note.append(make("bdi", "note", data.texts[row[NOTE]]));
    made.append(note, make("td", "state", `${sign} ${word}`));
    return made;
  };

  const head = (group, number) => {
    const made = make("tr", "group"), cell = make("th");
    cell.colSpan = 7;
    cell.scope = "rowgroup";
    const button = make("button");
    button.type = "button";
    button.setAttribute("aria-expanded", open.has(number));
    if (group.name) button.append(make("bdi", "name", group.name));
    button.append(make("span", "range", group.range));
    button.addEventListener("click", () => {
      if (!open.delete(number)) open.add(number);
      draw();
      body.querySelector(`[data-group="${number}"]`)?.focus();
    });
    button.dataset.group = number;
    cell.append(button, make("span", "count", count(group.count, "pointer")));
    group.states.forEach((many, state) => {
      const [word, sign, , bad] = data.states[state];
      if (many) {
        cell.append(make("span", bad ? "badly" : "count", `${sign} ${figure(many)} ${word}`));
      }
    });
    cell.append(make("bdi", "quiet", data.texts[group.note]));
    made.append(cell);
    return made;
  };

  const more = (text) => {
    const made = make("tr", "more"), cell = make("td", "", text);
    cell.colSpan = 7;
    made.append(cell);
    return made;
  };

  const words = (row) => row.words ??= [
    row[ENTRY], ...[ADDRESS, BEFORE, AFTER, EXPECTED].flatMap((at) =>
      row[at] === null ? [] : ["0x" + row[at], data.texts[row[at + 1]]]),
    data.texts[row[NOTE]], data.states[row[STATE]][0],
  ].join("\\n").toLowerCase();

  const value = (row) => {
    const at = KEYS[sorting.key], held = row[at];
    if (at === NOTE) return data.texts[held];
    if (at === ENTRY || at === STATE) return held;
    return held === null ? "" : held.padStart(16, "0");
  };
  const compare = (one, other) => {
    const [a, b] = [value(one), value(other)];
    const order = a < b ? -1 : a > b ? 1 : 0;
    return sorting.down ? -order : order;
  };

  const draw = () => {
    const text = form.elements.words.value.trim().toLowerCase();
    const state = form.elements.state.value;
    const filtered = Boolean(text || state);
    let found = data.groups.map((group, number) => ({
      group, number,
      rows: group.rows.filter((row) => (!state || data.states[row[STATE]][0] === state) &&
                                       (!text || words(row).includes(text))).sort(compare),
    })).filter((each) => each.rows.length);
    found.sort((one, other) => compare(one.rows[0], other.rows[0]));
    if (data.flat) {
      const rows = found.flatMap((each) => each.rows).sort(compare);
      found = rows.length ? [{ rows }] : [];
    }
    const made = document.createDocumentFragment();
    let left = limit, matching = 0;
    for (const { group, number, rows } of found) {
      matching += rows.length;
      if (left <= 0) continue;
      const headed = group && (group.count > 1 || data.headed);
      if (headed) { made.append(head(group, number)); left -= 1; }
      if (headed && !filtered && !open.has(number)) continue;
      for (const row of rows.slice(0, left)) made.append(line(row));
      left -= rows.length;
      const absent = group ? group.count - group.rows.length : 0;
      if (absent) made.append(more(`and ${count(absent, "pointer")} that this page does not have`));
    }
    if (!found.length) made.append(more("No pointer of this page matches."));
    if (left <= 0) {
      const last = more(""), button = make("button", "", "Show more");
      button.type = "button";
      button.addEventListener("click", () => { limit *= 4; draw(); });
      last.firstChild.append(button);
      made.append(last);
    }
    body.replaceChildren(made);
    const here = data.groups.reduce((sum, group) => sum + group.rows.length, 0);
    const said = [];
    if (filtered) said.push(`${count(matching, "pointer")} of ${figure(here)} match.`);
    if (here < data.pointers) {
      said.push(`The patch has ${count(data.pointers, "pointer")}; ` +
                `this page has ${figure(here)} of them and counts the rest.`);
    } else if (!filtered) said.push(`${count(here, "pointer")}.`);
    shown.textContent = said.join(" ");
  };

  const heads = document.querySelectorAll("#rows thead th");
  for (const cell of heads) {
    const button = make("button", "", cell.textContent);
    button.type = "button";
    button.addEventListener("click", () => {
      const { key } = cell.dataset;
      sorting = { key, down: sorting.key === key && !sorting.down };
      for (const each of heads) each.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", sorting.down ? "descending" : "ascending");
      draw();
    });
    cell.replaceChildren(button);
  }
  document.querySelector('[data-key="address"]').setAttribute("aria-sort", "ascending");
  form.addEventListener("input", () => { limit = STEP; draw(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  const all = form.elements.every;
  all.hidden = data.flat;
  all.addEventListener("click", () => {
    const opening = open.size < data.groups.length;
    data.groups.forEach((_, number) => opening ? open.add(number) : open.delete(number));
    all.textContent = opening ? "Close all groups" : "Open all groups";
    draw();
  });
  document.documentElement.classList.add("script");
  draw();
})();
"""
