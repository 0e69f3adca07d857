"""Prints what CHANGELOG.md says of a version.

    python .ci/release_notes.py 1.2.3 <CHANGELOG.md

A release without notes fails.
"""

from __future__ import annotations

import re
import sys


def notes_of(version: str, changelog: str) -> str:
    """Return the text under the version's heading; "" if there is none."""
    heading = rf"^## \[{re.escape(version)}\][^\n]*$"
    found = re.search(heading + r"(.*?)(?=^## |^\[[^\]\n]+\]: |\Z)", changelog, re.M | re.S)
    return found[1].strip() if found else ""


def main(arguments: list[str]) -> int:
    """Run the command line; return its exit code."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    notes = notes_of(arguments[0], sys.stdin.read())
    if not notes:
        print(f"CHANGELOG.md says nothing of version {arguments[0]}", file=sys.stderr)
        return 1
    print(notes)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
