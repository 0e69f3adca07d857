"""Opening sessions: attach, launch, simulate. Arguments are checked here, before C is entered."""

from __future__ import annotations

import math
import operator
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Final, SupportsIndex, TypeAlias

from pydbgwrite import _core
from pydbgwrite._session import Session
from pydbgwrite.errors import EngineNotFoundError

if TYPE_CHECKING:
    from _typeshed import StrOrBytesPath

__all__ = ["DEFAULT_TIMEOUT", "attach", "launch", "simulate"]

#: Seconds that attach() and launch() wait for the target to stop, where nothing else is said.
DEFAULT_TIMEOUT: Final = 10.0

_PROTECTIONS: Final = {"none": 0, "r": 1, "rw": 2}

#: (base, size) or (base, size, "rw" / "r" / "none").
RegionSpec: TypeAlias = tuple[int, int] | tuple[int, int, str]


def attach(
    pid: SupportsIndex,
    *,
    invasive: bool = False,
    suspend: bool = True,
    writable: bool = True,
    timeout: float = DEFAULT_TIMEOUT,
) -> Session:
    """Open a live process.

    On Linux the embedded engine works on it. With suspend=True all its threads stand still, those
    that start meanwhile too, until the session ends; then it goes on as it was found. With
    suspend=False it runs on, and a write of more than one pointer is seen by it piece by piece.

    pid: of a process other than this one.
    invasive: Windows only (ValueError here): be the process's debugger.
    suspend: stop it for the life of the session.
    writable: False opens nothing for writing, and every write raises ReadOnlyError.
    timeout: seconds to wait for the process to stop; math.inf waits for ever. Ctrl-C works.

    Raises NoTargetError (no such process, or it has ended), TargetAccessError (no permission; the
    message says why and what to do), TimeoutError (a thread would not stop: all were let go),
    TypeError or ValueError for arguments that mean nothing, EngineNotFoundError where this platform
    has no engine for live processes.

    Behind it: ptrace(2) PTRACE_SEIZE and PTRACE_INTERRUPT, process_vm_writev(2), proc_pid_mem(5).
    """
    number = _pid(pid)
    seconds = _timeout(timeout)
    if not sys.platform.startswith("linux"):
        raise _no_engine("attach")
    if invasive:
        raise ValueError(
            "invasive=True is for Windows: on Linux a process is stopped with suspend=True"
        )
    return _core.linux_attach(Session, number, bool(suspend), bool(writable), seconds)


def launch(
    args: Sequence[StrOrBytesPath],
    *,
    cwd: StrOrBytesPath | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int | IO[bytes] | IO[str] | None = None,
    stdout: int | IO[bytes] | IO[str] | None = None,
    stderr: int | IO[bytes] | IO[str] | None = None,
    writable: bool = True,
    timeout: float = DEFAULT_TIMEOUT,
) -> Session:
    """Start a program and open it before its first instruction runs, to patch its own image.

    On Linux it is stopped at the end of execve(2): the program and its loader are mapped, shared
    libraries are not yet. detach() or close() lets it go on, terminate() ends it. It is a child of
    this process: os.waitpid(session.pid, 0) collects its exit status.

    args: program and arguments; a program without a slash is looked for on PATH.
    cwd: working folder; env: the whole environment, this process's where None.
    stdin, stdout, stderr: a file or its descriptor; this process's where None.
    writable, timeout: as for attach().

    Raises OSError (FileNotFoundError, PermissionError, ...) where the program can't be started, and
    what attach() raises.
    """
    if isinstance(args, (str, bytes)) or not isinstance(args, Sequence):
        raise TypeError(
            f"args must be a sequence of a program and its arguments, got {type(args).__name__}; "
            "shlex.split() makes one of a command line"
        )
    if not args:
        raise ValueError("args is empty: the program is missing")
    words = tuple(_word(each, "args") for each in args)
    environment = _environment(os.environ if env is None else env)
    standard = (_descriptor(stdin), _descriptor(stdout), _descriptor(stderr))
    folder = None if cwd is None else _word(cwd, "cwd")
    seconds = _timeout(timeout)
    if not sys.platform.startswith("linux"):
        raise _no_engine("launch")
    return _core.linux_launch(
        Session,
        _program(words[0], env),
        words,
        environment,
        folder,
        standard,
        bool(writable),
        seconds,
    )


def simulate(regions: Iterable[RegionSpec], *, pointer_size: int = 8) -> Session:
    """Open simulated memory: a place to try patches on, on any platform.

    regions: (base, size) or (base, size, protection), in bytes, in any order, without overlaps;
        protection is "rw" (the default), "r" or "none". All bytes are 0 at first. Memory is used
        only for what is written, so regions may be as large as an address space.
    pointer_size: of the target, 8 or 4.

    It answers as the genuine engine was seen to answer (docs/engine.md). pydbgwrite.testing makes
    it fail on demand.

    Raises TypeError or ValueError for regions that make no sense.
    """
    if isinstance(pointer_size, bool) or pointer_size not in (4, 8):
        raise ValueError(f"pointer_size must be 4 or 8, got {pointer_size!r}")
    limit = 1 << (8 * pointer_size)
    checked = sorted(_region(each, index, limit) for index, each in enumerate(regions))
    for before, after in zip(checked, checked[1:]):
        if before[0] + before[1] > after[0]:
            raise ValueError(
                f"regions overlap: 0x{before[0]:x} has {before[1]:,} bytes, "
                f"and another begins at 0x{after[0]:x}"
            )
    return _core.simulate(Session, checked, pointer_size)


def _pid(pid: SupportsIndex) -> int:
    if isinstance(pid, bool):
        raise TypeError("pid must be an int, got bool")
    try:
        number = operator.index(pid)
    except TypeError:
        raise TypeError(f"pid must be an int, got {type(pid).__name__}") from None
    # 2**22 is the kernel's own limit (proc_sys_kernel(5), pid_max); pid_t has 31 bits.
    if not 0 < number < 2**31:
        shown = number if number.bit_length() < 128 else f"an int of {number.bit_length()} bits"
        raise ValueError(f"pid must be from 1 to 2**31 - 1, got {shown}")
    return number


def _timeout(timeout: float) -> float:
    try:
        seconds = float(timeout)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"timeout must be seconds, got {type(timeout).__name__}") from None
    if math.isnan(seconds) or seconds < 0:
        raise ValueError(f"timeout must be 0 seconds or more, got {seconds}")
    return seconds


def _no_engine(call: str) -> EngineNotFoundError:
    return EngineNotFoundError(
        f"{call}() has no engine for live processes on {sys.platform} in this version of "
        "pydbgwrite; simulate() works everywhere",
        written=0,
    )


def _region(region: RegionSpec, index: int, limit: int) -> tuple[int, int, int]:
    if isinstance(region, (str, bytes)) or not isinstance(region, Sequence):
        raise TypeError(f"regions[{index}] must be (base, size) or (base, size, protection)")
    if len(region) not in (2, 3):
        raise ValueError(f"regions[{index}] must have 2 or 3 items, got {len(region)}")
    base, size = (_region_number(each, index) for each in region[:2])
    protection = region[2] if len(region) == 3 else "rw"
    if protection not in _PROTECTIONS:
        raise ValueError(
            f"regions[{index}]: protection must be 'rw', 'r' or 'none', got {protection!r}"
        )
    if size <= 0 or base < 0 or base + size > limit:
        raise ValueError(
            f"regions[{index}] must have a size above 0 and lie within 0 to "
            f"2**{limit.bit_length() - 1}, got base {base:#x}, size {size:,}"
        )
    return base, size, _PROTECTIONS[protection]


def _region_number(value: SupportsIndex | str, index: int) -> int:
    if isinstance(value, (bool, str)):
        raise TypeError(f"regions[{index}]: base and size must be ints, got {value!r}")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"regions[{index}]: base and size must be ints, got {type(value).__name__}"
        ) from None


def _word(text: StrOrBytesPath, what: str) -> bytes:
    """A path or argument as the bytes that execve(2) takes."""
    encoded = os.fsencode(text)
    if b"\0" in encoded:
        raise ValueError(f"{what}: embedded null byte in {text!r}")
    return encoded


def _environment(env: Mapping[str, str]) -> tuple[bytes, ...]:
    if not isinstance(env, Mapping):
        raise TypeError(f"env must be a mapping of str to str, got {type(env).__name__}")
    pairs = []
    for name, value in env.items():
        if "=" in name:
            raise ValueError(f"env: illegal name {name!r}")
        pairs.append(_word(f"{name}={value}", "env"))
    return tuple(pairs)


def _descriptor(file: int | IO[bytes] | IO[str] | None) -> int:
    if file is None:
        return -1
    if isinstance(file, bool):
        raise TypeError("stdin, stdout and stderr must be files or descriptors, got bool")
    number = file if isinstance(file, int) else file.fileno()
    if number < 0:
        raise ValueError(
            f"stdin, stdout and stderr must be files or descriptors, got {number}; "
            "open os.devnull or make an os.pipe() for what subprocess calls DEVNULL and PIPE"
        )
    os.fstat(number)  # raises OSError where it is not open
    return number


def _program(word: bytes, env: Mapping[str, str] | None) -> bytes:
    """Where the program is: looked for on PATH where it has no slash."""
    if b"/" in word:
        return word
    path = None if env is None else env.get("PATH")
    found = shutil.which(os.fsdecode(word), path=path)
    if found is None:
        raise FileNotFoundError(2, "no such program on PATH", os.fsdecode(word))
    return os.fsencode(found)
