"""Validate the arguments of openings, in the same way on every platform."""

from __future__ import annotations

import math
import operator
import os

from pydbgwrite._reprs import int_text
from pydbgwrite._signal_handlers import not_from_handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final, SupportsIndex, TypeAlias

    from _typeshed import StrOrBytesPath

__all__ = [
    "RegionSpec",
    "check_program",
    "validate_options",
    "validate_pid",
    "validate_pointer_size",
    "validate_region",
    "validate_timeout",
]

#: (base, size) or (base, size, "rw" / "r" / "none").
RegionSpec: TypeAlias = tuple[int, int] | tuple[int, int, str]

_PROTECTIONS: Final = {"none": 0, "r": 1, "rw": 2}


def validate_pid(pid: SupportsIndex, limit: int) -> int:
    """Return a process id from 1 to below the limit."""
    number = _index(pid)
    if number is None:
        raise TypeError(f"{_name('pid')} must be an int, got {type(pid).__name__}")
    # Linux: pid_t has 31 bits. Windows: a DWORD.
    if not 0 < number < limit:
        raise ValueError(
            f"{_name('pid')} must be from 1 to 2**{limit.bit_length() - 1} - 1, "
            f"got {int_text(number)}"
        )
    return number


def validate_timeout(timeout: float) -> float:
    """Return the seconds to wait, 0 or more."""
    # Not what float() takes besides numbers: text.
    number = hasattr(timeout, "__float__") or hasattr(timeout, "__index__")
    if isinstance(timeout, bool) or not number:
        raise TypeError(f"timeout must be seconds, got {type(timeout).__name__}")
    try:
        seconds = float(timeout)
    except not_from_handler(OverflowError):  # an int beyond all floats: that is for ever
        seconds = math.inf if timeout > 0 else -math.inf
    if math.isnan(seconds) or seconds < 0:
        raise ValueError(f"{_name('timeout')} must be 0 seconds or more, got {seconds}")
    return seconds


def validate_options(options: str, function: str) -> str:
    """Return the connection string of connect(), process_server() or attach_kernel()."""
    if not isinstance(options, str):
        raise TypeError(f"options must be a str, got {type(options).__name__}")
    if not options.strip() or "\0" in options:
        from pydbgwrite._messages.windows import FORMS, without_password

        raise ValueError(
            f"{_name('options')} must be a connection string, got {without_password(options)!r}. "
            f"{FORMS[function]}"
        )
    return options


def validate_pointer_size(size: SupportsIndex) -> int:
    """Return 4 or 8."""
    number = _index(size)
    if number is None:
        raise TypeError(f"pointer_size must be 4 or 8, an int, got {type(size).__name__}")
    if number not in (4, 8):
        raise ValueError(f"pointer_size must be 4 or 8, got {int_text(number, '#x')}")
    return number


def check_program(
    args: Sequence[StrOrBytesPath], cwd: StrOrBytesPath | None, env: Mapping[str, str] | None
) -> None:
    """Raise TypeError or ValueError unless these describe a program to start."""
    from collections.abc import Mapping, Sequence

    if isinstance(args, (str, bytes)) or not isinstance(args, Sequence):
        raise TypeError(
            f"args must be a sequence of a program and its arguments, got {type(args).__name__}; "
            "shlex.split() makes one of a command line"
        )
    if not args:
        raise ValueError("args is empty: the program is missing")
    for index, word in enumerate(args):
        _check_path(word, f"args[{index}]")
    if cwd is not None:
        _check_path(cwd, "cwd")
    if env is None:
        return
    if not isinstance(env, Mapping):
        raise TypeError(f"env must be a mapping of str to str, got {type(env).__name__}")
    for name, value in env.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(
                f"env must map str to str, got {type(name).__name__} to {type(value).__name__}"
            )


def _check_path(path: object, what: str) -> None:
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"{what} must be str, bytes or os.PathLike, got {type(path).__name__}")


def validate_region(region: RegionSpec, index: int, limit: int) -> tuple[int, int, int]:
    """Return base, size and protection number of one of simulate()'s regions."""
    from collections.abc import Sequence

    if isinstance(region, (str, bytes)) or not isinstance(region, Sequence):
        raise TypeError(f"regions[{index}] must be (base, size) or (base, size, protection)")
    if len(region) not in (2, 3):
        raise ValueError(f"regions[{index}] must have 2 or 3 items, got {len(region)}")
    base, size = (_region_number(each, index) for each in region[:2])
    protection = region[2] if len(region) == 3 else "rw"
    if not isinstance(protection, str) or protection not in _PROTECTIONS:
        raise ValueError(
            f"regions[{index}]: protection must be 'rw', 'r' or 'none', got {protection!r}"
        )
    if size <= 0 or base < 0 or base + size > limit or size == 2**64:
        raise ValueError(
            f"regions[{index}] must have a size above 0, below 2**64, and lie within 0 to "
            f"2**{limit.bit_length() - 1}, got base {int_text(base, '#x')}, "
            f"size {int_text(size, '#x')}"
        )
    return base, size, _PROTECTIONS[protection]


def _name(argument: str) -> str:
    from pydbgwrite._messages.spelling import IN_FORCE

    return IN_FORCE.get().name(argument)


def _region_number(value: SupportsIndex | str, index: int) -> int:
    number = _index(value)
    if number is None:
        raise TypeError(f"regions[{index}]: base and size must be ints, got {type(value).__name__}")
    return number


def _index(value: object) -> int | None:
    """Return a whole number as an int; None for other types, including bool."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except not_from_handler(TypeError):
        return None
