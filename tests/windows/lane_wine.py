"""Wine for the Windows lane: the prefix, 32-bit support, and running programs in it."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from lane_cache import Cache, LaneError, call, fetch, find_tool, note

WINE_PACKAGES = "wine wine64"
LIBWINE_32 = "libwine:i386"
LIBWINE_64 = "libwine"
RECIPE = 1
NOT_PASSED_ON = ("WINE", "PYTHON", "PIP_", "PYENV", "_NT_", "DISPLAY", "WAYLAND_DISPLAY", "LD_")
OVERRIDES = "dbgeng,dbghelp,dbgmodel=n;mscoree,mshtml=;winemenubuilder.exe="
TIMED_OUT = 124


def windows_path(path: Path) -> str:
    """Return a path of this machine as Wine's Z: drive shows it."""
    return "Z:" + str(path).replace("/", "\\")


@dataclass(frozen=True)
class Wine:
    """A Wine prefix, with or without 32-bit programs, and the environment that runs it."""

    program: str
    prefix: Path
    libraries_32: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Return this environment without the variables that would mislead a Windows program."""
        env = {key: text for key, text in os.environ.items() if not key.startswith(NOT_PASSED_ON)}
        env.update(
            WINEPREFIX=str(self.prefix),
            WINEARCH="win64",
            WINEDEBUG="-all",
            WINEDLLOVERRIDES=OVERRIDES,
        )
        if self.libraries_32 is not None:
            env["WINEDLLPATH"] = str(self.libraries_32)
        env.update(self.settings)
        return env


def wine_version() -> tuple[str, str]:
    """Return the Wine program and the version that it reports."""
    program = find_tool("wine", WINE_PACKAGES)
    env = {**os.environ, "WINEDEBUG": "-all"}
    return program, call([program, "--version"], what="asking Wine its version", env=env).strip()


def _wine_libraries() -> Path:
    """Return the folder with Wine's own x86_64-windows and x86_64-unix folders."""
    for line in call(["dpkg", "-L", LIBWINE_64], what="listing Wine's own files").splitlines():
        if line.endswith("/wine/x86_64-unix"):
            return Path(line).parent
    raise LaneError(f"the package {LIBWINE_64} has no x86_64-unix folder: this Wine can't be used")


def libraries_32(cache: Cache) -> Path:
    """Return Wine's 32-bit Windows libraries, from Debian's i386 package, which is not installed.

    apt keeps its lists for the other architecture in the cache, so neither root nor a change of
    the machine's own configuration is needed.
    """
    _, version = wine_version()
    found = shutil.which("apt-get")
    if found is None or shutil.which("dpkg-deb") is None:
        raise LaneError(f"32-bit programs need Debian's {LIBWINE_32}, and there is no apt-get here")
    apt: str = found
    package = call(
        ["dpkg-query", "-W", "-f", "${Version}", LIBWINE_64], what=f"asking for {LIBWINE_64}"
    ).strip()

    def make(folder: Path) -> None:
        for name in ("lists/partial", "archives/partial", "download", "unpacked"):
            (folder / name).mkdir(parents=True)
        options = [
            *("-o", "APT::Architectures::=amd64", "-o", "APT::Architectures::=i386"),
            *("-o", f"Dir::State::lists={folder / 'lists'}", "-o", f"Dir::Cache={folder}"),
            *("-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3"),
        ]
        # An unavailable list (of a mirror out of step) matters only if the package is in it.
        failure = ""
        try:
            call([apt, *options, "--quiet", "update"], what="reading the i386 package lists")
        except LaneError as error:
            failure = f"\n{error}"
        try:
            fetch(
                [apt, *options, "--quiet", "download", f"{LIBWINE_32}={package}"],
                what=f"fetching {LIBWINE_32}",
                cwd=folder / "download",
            )
        except LaneError as error:
            raise LaneError(f"{error}{failure}") from None
        archive = next((folder / "download").glob("libwine_*_i386.deb"))
        unpacked = folder / "unpacked"
        call(["dpkg-deb", "--extract", archive, unpacked], what=f"unpacking {LIBWINE_32}")
        windows = next(unpacked.glob("usr/lib/*/wine/i386-windows"))
        windows.rename(folder / "i386-windows")
        # A library searches for its Linux half beside itself.
        (folder / "x86_64-unix").symlink_to(_wine_libraries() / "x86_64-unix")
        for name in ("lists", "archives", "download", "unpacked"):
            shutil.rmtree(folder / name)
        for file in folder.glob("*.bin"):
            file.unlink()

    return cache.part("wine-32", [RECIPE, version, package], make)


def prefix_name(*, bits_32: bool, own: bool) -> str:
    """Return the name of a prefix: each Wine has its own, since it changes another's."""
    return ("prefix" if own else "prefix-wine-10") + ("-32" if bits_32 else "")


def prepared(cache: Cache, *, bits_32: bool, own: bool = True) -> Wine:
    """Return the lane's own Wine prefix. own: of this machine's Wine; Wine 10 has all libraries."""
    program, version = wine_version()
    if not own and not version.startswith("wine-10."):
        raise LaneError(f"Wine 10 is wanted, and {program} is {version}")
    libraries = libraries_32(cache) if bits_32 and own else None
    name = prefix_name(bits_32=bits_32, own=own)

    def make(folder: Path) -> None:
        env = Wine(program, folder, libraries).environment()
        env["WINEDLLOVERRIDES"] = OVERRIDES.partition(";")[2]
        # Output by pipe: a helper that keeps running would otherwise hold the caller's output.
        call([program, "wineboot", "--init"], what="making the Wine prefix", env=env)
        call([find_tool("wineserver", WINE_PACKAGES), "-w"], what="waiting for Wine", env=env)
        if not (folder / "system.reg").is_file() or not (folder / "dosdevices" / "z:").exists():
            raise LaneError("wineboot made no registry or no Z: drive in the new Wine prefix")
        if bits_32 and not (folder / "drive_c/windows/syswow64/cmd.exe").is_file():
            raise LaneError("wineboot made a prefix without 32-bit programs")

    prefix = cache.part(name, [RECIPE, version, bits_32, OVERRIDES], make)
    return Wine(program, prefix, libraries)


def own_prefix(wine: Wine, cache: Cache, name: str) -> Wine:
    """Return a prefix with its own registry, so its own Wine server, and the same drives."""

    def make(folder: Path) -> None:
        (folder / "dosdevices").mkdir()
        for drive in ("c:", "z:"):
            (folder / "dosdevices" / drive).symlink_to(
                (wine.prefix / "dosdevices" / drive).resolve()
            )
        for file in (*wine.prefix.glob("*.reg"), wine.prefix / ".update-timestamp"):
            shutil.copy2(file, folder)

    recipe = [RECIPE, (cache.stamps / wine.prefix.name).read_text()]
    return replace(wine, prefix=cache.part(f"{wine.prefix.name}-{name}", recipe, make))


class Sink(Protocol):
    """A destination of output."""

    def write(self, data: bytes, /) -> object: ...

    def flush(self) -> object: ...


def _drain(source: int, target: Sink) -> bool:
    """Forward all bytes that can be read now; return False at the end of the pipe."""
    while True:
        try:
            piece = os.read(source, 1 << 16)
        except BlockingIOError:
            return True
        if not piece:
            return False
        target.write(piece)
        target.flush()


def _standard_input() -> tuple[int | None, bytes]:
    """Return the program's standard input, and the bytes to feed it through a pipe.

    Wine can't use a regular file that it inherits from a Linux program, for input or output. With
    a terminal it would draw a console. So a pipe is inherited, a file is fed through a pipe, and
    any other input is replaced by /dev/null.
    """
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return subprocess.DEVNULL, b""
    if stat.S_ISFIFO(mode):
        return None, b""
    if stat.S_ISREG(mode):
        return subprocess.PIPE, sys.stdin.buffer.read()
    return subprocess.DEVNULL, b""


def _feed(pipe: BinaryIO, content: bytes) -> None:
    """Feed a program's standard input, on a thread. It is no error if the program reads no more."""
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(content)


def _end_leftovers(marker: str) -> None:
    """End processes that this run's Python left behind, found by a mark in their environment."""
    needle = f"PYDBGWRITE_LANE_RUN={marker}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            marked = needle in (entry / "environ").read_bytes().split(b"\0")
            line = (entry / "cmdline").read_bytes() if marked else b""
        except OSError:  # it ended meanwhile, or is another user's
            continue
        if marked and b"python.exe" in line.lower():
            shown = line.replace(b"\0", b" ").decode(errors="replace").strip()
            note(f"ending a program that the run left behind: {shown}")
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(entry.name), signal.SIGKILL)


#: The processes that run_python() has started, on any thread.
_running: set[subprocess.Popen[bytes]] = set()


def end_running() -> None:
    """End the processes of run_python(), which then returns."""
    for process in list(_running):
        process.kill()


def run_python(
    wine: Wine,
    cache: Cache,
    python: Path,
    arguments: Sequence[str],
    *,
    settings: Mapping[str, str],
    timeout: float | None = None,
    output: Sink | None = None,
) -> int:
    """Run the Windows Python in a scratch folder; forward its output; return its exit code.

    output: the destination of its standard output, if not this program's own.
    """
    scratches = cache.folder / "scratch"
    scratches.mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=scratches))
    marker = uuid.uuid4().hex
    env = wine.environment()
    env.update(settings)
    env.update(
        PYDBGWRITE_LANE_RUN=marker,
        PYDBGWRITE_LANE_SCRATCH=windows_path(scratch),
        PYTHONPYCACHEPREFIX=windows_path(cache.folder / "pycache"),
        PYTHONNOUSERSITE="1",
    )
    standard_input, content = _standard_input()
    process = subprocess.Popen(
        [wine.program, windows_path(python / "python.exe"), *arguments],
        stdin=standard_input,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        cwd=scratch,
    )
    _running.add(process)
    try:
        if process.stdin is not None:
            threading.Thread(target=_feed, args=(process.stdin, content), daemon=True).start()
        return _pass_on(process, timeout, output or sys.stdout.buffer)
    finally:
        _running.discard(process)
        if process.poll() is None:
            process.kill()
        process.wait()
        _end_leftovers(marker)
        shutil.rmtree(scratch, ignore_errors=True)


def _pass_on(process: subprocess.Popen[bytes], timeout: float | None, output: Sink) -> int:
    """Copy output until the program has ended, even if a child of it still holds the pipes."""
    assert process.stdout is not None and process.stderr is not None
    ended = os.pidfd_open(process.pid)
    deadline = None if timeout is None else time.monotonic() + timeout
    pipes: dict[int, Sink] = {
        process.stdout.fileno(): output,
        process.stderr.fileno(): sys.stderr.buffer,
    }
    try:
        with selectors.DefaultSelector() as selector:
            for source in pipes:
                os.set_blocking(source, False)
                selector.register(source, selectors.EVENT_READ)
            selector.register(ended, selectors.EVENT_READ)
            while True:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                ready = [key.fd for key, _ in selector.select(left)]
                if not ready:
                    note(f"the program ran longer than {timeout:g} s and is ended")
                    return TIMED_OUT
                for source in ready:
                    if source != ended and not _drain(source, pipes[source]):
                        selector.unregister(source)
                if ended in ready:
                    break
        for source, target in pipes.items():
            _drain(source, target)
        return process.wait()
    finally:
        os.close(ended)
