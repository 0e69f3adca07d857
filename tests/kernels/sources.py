"""The source of Debian's packages: the archive for which this machine's own apt is configured."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from lane_cache import LaneError, call, fetch

SUITE = "bookworm"  # of the guests' files
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
ARCHIVE, SECURITY = "Debian", "Debian-Security"  # the labels in their Release files
UPDATE_ERRORS = "APT::Update::Error-Mode=any"  # a list that can't be fetched is an error


class AbsentError(LaneError):
    """The archive no longer has a suite or a package."""


def archives() -> dict[str, str]:
    """Return the addresses of Debian's archives, by label."""
    asked = ["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages"]
    found: dict[str, str] = {}
    for line in call(asked, what="asking apt for its archives").splitlines():
        label, _, address = line.partition(" ")
        found.setdefault(label, address)
    if ARCHIVE not in found or SECURITY not in found or not KEYRING.exists():
        raise LaneError(
            "the lane takes packages from the Debian archive that apt is configured for, "
            f"and here apt knows of {', '.join(sorted(found)) or 'none'}: run it on Debian, "
            "with its archive and its security archive (apt-get update first)"
        )
    return found


def source_line(suite: str) -> str:
    """Return a line of sources.list."""
    address = archives()[SECURITY if suite.endswith("-security") else ARCHIVE]
    return f"deb [signed-by={KEYRING}] {address} {suite} main"


class Packages:
    """Packages of one suite and architecture, with a separate apt: nothing is installed."""

    def __init__(self, folder: Path, suite: str, architecture: str) -> None:
        self._folder = folder / "apt"
        lists, archives = self._folder / "lists", self._folder / "archives"
        for each in (lists / "partial", archives / "partial"):
            each.mkdir(parents=True)
        (self._folder / "status").touch()
        (self._folder / "sources.list").write_text(source_line(suite) + "\n")
        settings = {
            "Dir::State": self._folder,
            "Dir::State::status": self._folder / "status",
            "Dir::State::lists": lists,
            "Dir::Cache": self._folder,
            "Dir::Cache::archives": archives,
            "Dir::Etc::sourcelist": self._folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Sandbox::User": "root",
        }
        self._options = [f"-o{key}={value}" for key, value in settings.items()]
        update = ["apt-get", "-q", *self._options, f"-o{UPDATE_ERRORS}", "update"]
        try:
            fetch(update, what=f"reading the package lists of {suite}")
        except LaneError as error:
            raise AbsentError(str(error)) from error

    def newest(self, pattern: str) -> str:
        """Return the package of the highest version whose whole name matches that expression."""
        names = call(
            ["apt-cache", *self._options, "--names-only", "search", f"^{pattern}$"],
            what=f"looking for {pattern}",
        )
        found = [line.split()[0] for line in names.splitlines()]
        if not found:
            raise AbsentError(f"the archive has no package {pattern}")
        return max(found, key=lambda name: [int(part) for part in re.findall(r"\d+", name)])

    def unpack(self, name: str, target: Path) -> None:
        """Download a package, and put its files below that folder."""
        command = ["apt-get", "-q", *self._options, "download", name]
        fetch(command, what=f"downloading {name}", cwd=self._folder)
        (archive,) = self._folder.glob("*.deb")
        call(["dpkg-deb", "-x", archive, target], what=f"unpacking {name}")
        archive.unlink()

    def remove(self) -> None:
        """Remove the lists again."""
        shutil.rmtree(self._folder)


def debian_tree(target: Path, architecture: str, packages: Sequence[str]) -> None:
    """Unpack these packages and their dependencies, without running any of their scripts."""
    lines = "\n".join(source_line(suite) for suite in (SUITE, f"{SUITE}-security"))
    sources = target.with_name("sources.list")
    sources.write_text(lines + "\n")
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=extract"]
    command += [f"--architectures={architecture}", f"--include={','.join(packages)}"]
    fetch([*command, SUITE, target, sources], what=f"unpacking Debian for {architecture}")
