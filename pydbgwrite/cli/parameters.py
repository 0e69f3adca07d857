"""What several commands take: numbers, addresses, and arrays of pointers in files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from pydbgwrite.cli.exit_codes import CommandError, ExitCode
from pydbgwrite.cli.held_output import OutputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COUNT", "array_file", "load_array", "save_array"]


class _Count(click.ParamType[int]):
    """A number of things: 16, 0x10, 1_000_000."""

    name = "count"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        try:
            number = int(value, 0)
        except ValueError:
            self.fail(f"{value!r} is not a number.", param, context)
        if not 0 <= number < 2**61:
            self.fail(f"{value} is not from 0 to 2**61 - 1.", param, context)
        return number


COUNT = _Count()


def array_file(path: str, option: str) -> str:
    """The path, if its name says which form the file has; a usage error otherwise."""
    if not path.lower().endswith((".npy", ".bin")):
        raise click.UsageError(
            f"{option} takes a file .npy (numpy) or .bin (64-bit, little-endian), got {path!r}."
        )
    return path


def load_array(path: str) -> NDArray[Any]:
    """The pointers in a file; a CommandError where it can't be read or holds something else."""
    import numpy as np

    try:
        with open(path, "rb") as file:
            if path.lower().endswith(".npy"):
                loaded: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
            else:
                data = file.read()
                if len(data) % 8:
                    raise ValueError(f"it has {len(data):,} bytes, which is no multiple of 8")
                loaded = np.frombuffer(data, dtype="<u8")
    except OSError as failure:
        raise CommandError(
            f"{path!r} could not be read: {failure.strerror or failure}", ExitCode.BAD_USAGE
        ) from failure
    # A file that was damaged on purpose makes numpy raise much else than ValueError.
    except Exception as failure:
        raise CommandError(
            f"{path!r} is no such file of pointers: {failure}", ExitCode.BAD_USAGE
        ) from failure
    if loaded.ndim != 1 or loaded.dtype.kind not in "ui" or loaded.dtype.itemsize != 8:
        raise CommandError(
            f"{path!r} holds {loaded.dtype.name} in the shape {loaded.shape}; it must be one row "
            "of uint64",
            ExitCode.BAD_USAGE,
        )
    # Another byte order, or gaps between the values, are no matter here.
    return np.ascontiguousarray(loaded.astype(loaded.dtype.newbyteorder("="), copy=False))


def save_array(path: str, values: NDArray[Any]) -> None:
    """Save pointers in the form that the file's name says; OutputError where that fails."""
    import numpy as np

    try:
        with open(path, "wb") as file:
            if path.lower().endswith(".npy"):
                header = np.lib.format.header_data_from_array_1_0(values)
                np.lib.format.write_array_header_1_0(file, header)
            file.write(values.data.cast("B"))
    except OSError as failure:
        # What is there now is a part: nobody must take it for all. A device is left alone.
        if os.path.isfile(path) and not isinstance(failure, PermissionError):
            os.unlink(path)
        raise OutputError(
            f"{path!r} could not be written: {failure.strerror or failure}"
        ) from failure
