"""The notes of a release are those of its version in the changelog, and of no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
CHANGELOG = """# Changelog

## [Unreleased]

### Added

- Something new.

## [1.0.1] - 2027-01-02

### Fixed

- A [link](https://example.org) stays.

## [1.0] - 2027-01-01

- First:

```sh
## a comment
```

- Second.

## [0.9]

### Added

## 0.8 - 2026-01-01

- Without brackets.

[1.0.1]: https://example.org/compare
"""


def notes(version: str, changelog: str = CHANGELOG) -> tuple[int, str, str]:
    command = [sys.executable, str(HERE / "release_notes.py"), version]
    done = subprocess.run(command, input=changelog, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.0.1", "### Fixed\n\n- A [link](https://example.org) stays."),
        ("1.0", "- First:\n\n```sh\n## a comment\n```\n\n- Second."),
        ("Unreleased", "### Added\n\n- Something new."),
    ],
)
def test_notes(version: str, expected: str) -> None:
    assert notes(version) == (0, expected, "")


@pytest.mark.parametrize("version", ["2.0", "1", "1.0.1] - 2027", "1x0", "0.8"])
def test_a_version_without_a_heading(version: str) -> None:
    code, out, error = notes(version)
    assert (code, out) == (1, "")
    assert error.startswith(
        f'CHANGELOG.md has no heading "## [{version}]"; it has: ## [Unreleased], '
    )
    assert error.endswith("## 0.8 - 2026-01-01")


def test_a_heading_without_an_entry() -> None:
    assert notes("0.9") == (1, "", 'CHANGELOG.md has no entry under "## [0.9]"')


def test_the_changelog_of_this_package() -> None:
    text = (HERE.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    code, out, _ = notes("Unreleased", text)
    assert code == 0
    assert out.startswith("### ")
