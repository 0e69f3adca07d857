"""The Windows lane's cache folder: parts made once, kept under a stamp of their recipe.

Everything the lane fetches or makes is below `.cache/windows-lane`, which git ignores. Deleting
that folder is always safe. A part is a folder; it is made beside its place and renamed into it, so
that a run that was broken off leaves nothing half made.
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


PAUSES = (5, 30)  # seconds before a download is tried again


class LaneError(Exception):
    """A part of the lane that can't be had; the message says what is missing and what to do."""


def note(text: str) -> None:
    """Tell the reader what the lane is doing (standard error: output belongs to the program)."""
    print(f"lane: {text}", file=sys.stderr, flush=True)


def find_tool(name: str, package: str) -> str:
    """Where the program `name` is, or an error naming the Debian package that brings it."""
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
    """Run a build step; return what it printed, or raise LaneError with all of it."""
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
    """Run a step that downloads, and again where it fails: networks and mirrors do, for a while.

    clear: a folder to empty between, of what was left half done.
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


def digest_of_files(files: Iterable[Path]) -> str:
    """One hash over names and contents, in a fixed order."""
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
        """Hold the cache while its parts are made: two lanes may be started at once."""
        with (self.folder / "lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                note("waiting for another lane.py that is preparing the same cache")
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def has(self, name: str) -> bool:
        """Whether a part of that name stands in the cache, whatever its recipe was."""
        return (self.folder / name).is_dir() and (self.stamps / name).is_file()

    def part(self, name: str, recipe: object, make: Callable[[Path], None]) -> Path:
        """The folder `name`, made by `make(folder)` unless this very recipe has made it before."""
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
