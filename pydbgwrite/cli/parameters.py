"""Parameters of several commands: numbers, addresses, and files of pointers."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

import click

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite._symbols.addresses import shown
from pydbgwrite.cli.exit_codes import CommandError, ExitCode
from pydbgwrite.cli.held_output import OutputError

if TYPE_CHECKING:
    from array import array

__all__ = [
    "COUNT",
    "FILE",
    "FOLDER",
    "Count",
    "NumbersCommand",
    "array_file",
    "load_array",
    "save_array",
]

_NEGATIVE: Final = re.compile(r"-[0-9][0-9a-zA-Z_]*")


class Count(click.types.IntParamType):
    """A count: 16, 0x10, 1_000_000."""

    name = "count"

    def __init__(self, least: int = 0) -> None:
        self._least = least

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> int:
        """Return the number that a text shows."""
        if isinstance(value, int):
            return value
        try:
            number = int(value, 0)
        except not_from_handler(ValueError):  # no number, or one of thousands of digits
            number = -1
        if not self._least <= number < 2**61:
            self.fail(
                f"{shown(value)} is no number from {self._least} to 2**61 - 1.", param, context
            )
        return number


COUNT = Count()


class NumbersCommand(click.Command):
    """A command with numbers for arguments: "-1" is one of them, and no option.

    It is refused all the same, in the words for numbers.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Move the arguments behind "--" if one of them is a negative number."""
        taking = {
            name
            for option in self.params
            if isinstance(option, click.Option) and not option.is_flag
            for name in option.opts
        }
        options: list[str] = []
        arguments: list[str] = []
        left = iter(args)
        for word in left:
            if word == "--":
                arguments += left
            elif not word.startswith("-") or word == "-" or _NEGATIVE.fullmatch(word):
                arguments.append(word)
            else:
                options.append(word)
                if word in taking:
                    options += [value for value in [next(left, None)] if value is not None]
        if any(map(_NEGATIVE.fullmatch, arguments)):
            args = [*options, "--", *arguments]
        return super().parse_args(ctx, args)


#: Nothing is checked here: whether a file can be read is for whoever reads it to say. But a shell
#: that completes what is typed then knows that it is a file.
FILE = click.Path(readable=False)
FOLDER = click.Path(readable=False, file_okay=False)


def array_file(path: str, option: str) -> str:
    """Return the path if its extension is known (.npy, .bin); a usage error otherwise."""
    if not path.lower().endswith((".npy", ".bin")):
        raise click.UsageError(
            f"{option} takes a file .npy (numpy) or .bin (64-bit, little-endian), got {path!r}."
        )
    return path


def load_array(path: str) -> array[int]:
    """Read the pointers in a file. CommandError if it can't be read; ValueError if invalid."""
    from pydbgwrite._patch.side_files import read_side_file

    try:
        return read_side_file(os.curdir, path, anywhere=True)
    except not_from_handler(OSError) as failure:
        raise CommandError(
            f"{path!r} could not be read: {failure.strerror or failure}", ExitCode.BAD_USAGE
        ) from failure


def save_array(path: str, values: array[int]) -> None:
    """Save pointers in the form of the file's extension; OutputError if that fails."""
    from pydbgwrite._patch.side_files import npy_header

    try:
        with open(path, "wb") as file:
            if path.lower().endswith(".npy"):
                file.write(npy_header(len(values)))
            file.write(values)
    except not_from_handler(OSError) as failure:
        # What is there now is a part: nobody must take it for all. A device is left alone.
        if os.path.isfile(path) and not isinstance(failure, PermissionError):
            os.unlink(path)
        raise OutputError(
            f"{path!r} could not be written: {failure.strerror or failure}"
        ) from failure
