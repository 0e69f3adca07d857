"""The Windows lane's cache folder: parts made once, kept under a stamp of their recipe.

All that the lane fetches or makes is below `.cache/windows-lane`, which git ignores. It is always
safe to delete that folder. A part is a folder; it is made beside its place and renamed into it, so
an interrupted run leaves no incomplete part.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGE_FOLDERS = ("csrc", "pydbgwrite")
GENERATED = "docstrings.h"  # by setup.py, from the other sources
PAUSES = (5, 30)  # seconds before another try of a download


class LaneError(Exception):
    """A part of the lane is not available; the message names it and the remedy."""


def note(text: str) -> None:
    """Report the lane's progress on standard error: the output belongs to the program."""
    print(f"lane: {text}", file=sys.stderr, flush=True)


def find_tool(name: str, package: str) -> str:
    """Return the path of the program `name`, or raise an error that names its Debian package."""
    found = shutil.which(name)
    if found is None:
        raise LaneError(
            f"the program {name} is missing. Install it: apt-get install {package}"
            " (or give lane.py --install, as root)"
        )
    return found


def call(
    command: Sequence[str | Path],
    *,
    what: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a build step; return its output, or raise LaneError with all of it."""
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=cwd,
        check=False,
    )
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        line = " ".join(str(part) for part in command)
        raise LaneError(f"{what} failed (exit code {done.returncode}): {line}\n{text.rstrip()}")
    return text


def fetch(
    command: Sequence[str | Path],
    *,
    what: str,
    clear: Path | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a step that downloads; repeat it if it fails: networks and mirrors fail for a while.

    clear: a folder that is emptied of incomplete files between tries.
    """
    for pause in PAUSES:
        try:
            return call(command, what=what, cwd=cwd)
        except LaneError as error:
            note(f"trying again in {pause} s: {error}")
        time.sleep(pause)
        if clear is not None:
            shutil.rmtree(clear, ignore_errors=True)
            clear.mkdir()
    return call(command, what=what, cwd=cwd)


def package_sources(project: Path) -> list[Path]:
    """Return the sources of a project's package, without what a build makes beside them."""
    return [
        file
        for folder in PACKAGE_FOLDERS
        for file in (project / folder).rglob("*")
        if file.suffix in {".c", ".h", ".py", ".pyi", ".typed"} and file.name != GENERATED
    ]


def digest_of_files(files: Iterable[Path]) -> str:
    """Return one hash over names and contents, in a fixed order."""
    total = hashlib.sha256()
    for file in sorted(files):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        name = os.path.relpath(file, ROOT)
        total.update(f"{name}\0{content}\n".encode())
    return total.hexdigest()


class Cache:
    """The cache folder, its lock and its stamps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stamps = folder / "stamps"
        self.stamps.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the cache while its parts are made: two lanes may start at once."""
        with (self.folder / "lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                note("waiting for another lane.py that is preparing the same cache")
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def has(self, name: str) -> bool:
        """Return whether the cache has a part of that name, with any recipe."""
        return (self.folder / name).is_dir() and (self.stamps / name).is_file()

    def part(self, name: str, recipe: object, make: Callable[[Path], None]) -> Path:
        """Return the folder `name`; call `make(folder)` unless that recipe has made it before."""
        place = self.folder / name
        stamp = self.stamps / name
        key = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
        if place.is_dir() and stamp.is_file() and stamp.read_text() == key:
            return place
        started = time.monotonic()
        note(f"making {name}")
        stamp.unlink(missing_ok=True)
        fresh = self.folder / f"{name}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        try:
            make(fresh)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        shutil.rmtree(place, ignore_errors=True)
        fresh.rename(place)
        stamp.write_text(key)
        note(f"made {name} in {time.monotonic() - started:.1f} s")
        return place
