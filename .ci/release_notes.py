"""Prints what CHANGELOG.md says of a version.

    python .ci/release_notes.py 1.2.3 <CHANGELOG.md

A release without notes fails: its heading "## [1.2.3]" must be there, and an entry under it.
"""

from __future__ import annotations

import sys


def sections_of(changelog: str) -> dict[str, list[str]]:
    """Return the lines under each "## " heading, without those of the links at the end."""
    sections: dict[str, list[str]] = {}
    lines: list[str] = []  # of the current section
    fenced = False
    for line in changelog.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        if not fenced and line.startswith("## "):
            lines = sections.setdefault(line, [])
        elif not fenced and line.startswith("[") and "]: " in line:
            lines = []
        else:
            lines.append(line)
    return sections


def notes_of(version: str, changelog: str) -> str:
    """Return the text under the version's heading; raise LookupError if there is none."""
    sought = f"## [{version}]"
    sections = sections_of(changelog)
    found = [heading for heading in sections if heading.startswith(sought)]
    if not found:
        raise LookupError(f'has no heading "{sought}"; it has: {", ".join(sections) or "none"}')
    lines = sections[found[0]]
    if not any(line.strip() and not line.startswith("#") for line in lines):
        raise LookupError(f'has no entry under "{found[0]}"')
    return "\n".join(lines).strip()


def main(arguments: list[str]) -> int:
    """Run the command line; return its exit code."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        print(notes_of(arguments[0], sys.stdin.read()))
    except LookupError as error:
        print(f"CHANGELOG.md {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
