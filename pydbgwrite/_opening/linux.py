"""Starting programs on Linux: their arguments as the bytes and descriptors that C takes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING

from pydbgwrite import _core
from pydbgwrite._session import Session

if TYPE_CHECKING:
    from _typeshed import StrOrBytesPath

assert sys.platform.startswith("linux")

__all__ = ["launch"]


def launch(
    args: Sequence[StrOrBytesPath],
    cwd: StrOrBytesPath | None,
    env: Mapping[str, str] | None,
    standard: tuple[int | IO[bytes] | IO[str] | None, ...],
    writable: bool,
    timeout: float,
) -> Session:
    """Launch a program under the embedded engine."""
    words = tuple(_word(each, f"args[{index}]") for index, each in enumerate(args))
    environment = _environment(os.environ if env is None else env)
    stdin, stdout, stderr = (
        _descriptor(name, each)
        for name, each in zip(("stdin", "stdout", "stderr"), standard, strict=True)
    )
    folder = None if cwd is None else _word(cwd, "cwd")
    return _core.linux_launch(
        Session,
        _program(words[0], env),
        words,
        environment,
        folder,
        (stdin, stdout, stderr),
        writable,
        timeout,
    )


def _word(text: StrOrBytesPath, what: str) -> bytes:
    """A path or argument as the bytes that execve(2) takes."""
    encoded = os.fsencode(text)
    if b"\0" in encoded:
        raise ValueError(f"{what}: embedded null byte in {text!r}")
    return encoded


def _environment(env: Mapping[str, str]) -> tuple[bytes, ...]:
    pairs = []
    for name, value in env.items():
        if "=" in name:
            raise ValueError(f"env: illegal name {name!r}")
        pairs.append(_word(f"{name}={value}", "env"))
    return tuple(pairs)


def _descriptor(name: str, file: int | IO[bytes] | IO[str] | None) -> int:
    if file is None:
        return -1
    if isinstance(file, bool) or not (isinstance(file, int) or hasattr(file, "fileno")):
        raise TypeError(f"{name} must be a file or a descriptor, got {type(file).__name__}")
    number = file if isinstance(file, int) else file.fileno()
    if number < 0:
        raise ValueError(
            f"{name} must be a file or a descriptor, got {number}; "
            "open os.devnull or make an os.pipe() for what subprocess calls DEVNULL and PIPE"
        )
    os.fstat(number)  # raises OSError where it is not open
    return number


def _program(word: bytes, env: Mapping[str, str] | None) -> bytes:
    """Where the program is: looked for on PATH where it has no slash."""
    if b"/" in word:
        return word
    # Only where a program is looked for: this import costs as much as half the package.
    import shutil

    path = None if env is None else env.get("PATH")
    found = shutil.which(os.fsdecode(word), path=path)
    if found is None:
        raise FileNotFoundError(2, "no such program on PATH", os.fsdecode(word))
    return os.fsencode(found)
