"""Checks the wheels against the list in docs/internals/tests.md under "Wheels".

cibuildwheel --print-build-identifiers --platform linux | check_wheels.py identifiers linux
check_wheels.py artifacts FOLDER     one sdist and every wheel, of one version, and nothing else
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

#: The Pythons that build, and the tags they give: Limited API from 3.11 on, and free-threaded.
BUILDS = {"cp311": "cp311-abi3", "cp314t": "cp314-cp314t"}
PLATFORMS = {
    "linux": (
        "manylinux_x86_64",
        "manylinux_aarch64",
        "musllinux_x86_64",
        "musllinux_aarch64",
    ),
    "windows": ("win_amd64", "win_arm64", "win32"),
}
EVERYWHERE = tuple(name for names in PLATFORMS.values() for name in names)


def same(found: Iterable[str], expected: Iterable[str]) -> bool:
    """Are these the same items, each as often? Prints the differences."""
    have, want = Counter(found), Counter(expected)
    for name in sorted((want - have).elements()):
        print(f"missing: {name}", file=sys.stderr)
    for name in sorted((have - want).elements()):
        print(f"not promised: {name}", file=sys.stderr)
    return have == want


def kind_of(file: Path) -> str:
    """Return a distribution's kind: "sdist", or a wheel's tags without the platform's version."""
    if file.name.endswith(".tar.gz"):
        return "sdist"
    if file.suffix != ".whl":
        return file.name
    tags, _, platforms = file.stem.rpartition("-")
    # A wheel has several platform tags if an older name of the same platform exists.
    names = {re.sub(r"(?<=linux)(\d+|_\d+_\d+)_", "_", name) for name in platforms.split(".")}
    return f"{'-'.join(tags.split('-')[2:])}-{'.'.join(sorted(names))}"


def release_of(file: Path) -> str:
    """Return project and version of a distribution's name."""
    return "-".join(file.name.removesuffix(".tar.gz").split("-")[:2])


def check_artifacts(folder: Path) -> bool:
    """Are the files exactly those of a release?"""
    files = sorted(folder.iterdir())
    expected = ["sdist", *(f"{tag}-{name}" for tag in BUILDS.values() for name in EVERYWHERE)]
    good = same(map(kind_of, files), expected)
    releases = sorted({release_of(file) for file in files})
    if len(releases) != 1 or not releases[0].startswith("pydbgwrite-"):
        print(f"not one version of pydbgwrite: {', '.join(releases)}", file=sys.stderr)
        good = False
    if good:
        print(f"{len(files)} files of {releases[0]}, as promised")
    return good


def check_identifiers(platform: str) -> bool:
    """Does cibuildwheel build exactly the listed wheels?"""
    found = sys.stdin.read().split()
    good = same(found, (f"{each}-{name}" for each in BUILDS for name in PLATFORMS[platform]))
    if good:
        print(f"cibuildwheel: {len(found)} builds for {platform}, as promised")
    return good


def main(arguments: list[str]) -> int:
    """Run the command line; return its exit code."""
    match arguments:
        case ["identifiers", platform] if platform in PLATFORMS:
            return 0 if check_identifiers(platform) else 1
        case ["artifacts", folder]:
            return 0 if check_artifacts(Path(folder)) else 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
