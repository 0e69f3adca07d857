"""Names of arguments in the library's messages, as the command line spells them."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from typing import Final

import click

from pydbgwrite._messages.spelling import Spelling

__all__ = ["CommandLineSpelling"]

#: Parameters of commands that stand for an argument of the library, where the names differ.
_PARAMETERS: Final = {
    "expect": ("expect", "expect_file"),
    "options": ("connect", "kernel"),
    "path": ("dump",),
    "pids": ("pid",),
    "pointers": ("values", "file"),
    "suspend": ("no_suspend",),
    "wanted": ("what",),
}

#: What does the work of a function. What is not here, the command line does not have.
_FUNCTIONS: Final = {
    "attach": "-p",
    "attach_kernel": "--kernel",
    "connect": "--connect",
    "open_dump": "--dump",
    "pydbgwrite.undo": "`pydbgwrite undo`",
}

#: Commands on the same target as the running one.
_COMMANDS: Final = {
    "session.import_slots": "imports",
    "session.modules": "modules",
    "session.regions": "regions",
    "session.symbols": "symbols",
}


#: Parts of Microsoft's connection strings that are secrets.
_SECRETS: Final = re.compile(r"\b(key|password)=[^,\s]*", re.IGNORECASE)
#: A command line can have thousands of values.
_LONGEST: Final = 1_000


class CommandLineSpelling(Spelling):
    """Spells arguments as the running command's options; "" if it has no such option."""

    names_calls = False

    def __init__(self, words: Sequence[str] = ()) -> None:
        """words: the command line, without the program."""
        self._words = words

    def name(self, argument: str) -> str:
        """Return the option, or the argument's name in the help."""
        parameter = _parameter(argument)
        if isinstance(parameter, click.Option):
            return parameter.opts[0]
        return argument if parameter is None else parameter.human_readable_name

    def argument(self, name: str, value: object = None) -> str:
        """Return the option; "" if the command has none for that value."""
        parameter = _parameter(name)
        if not isinstance(parameter, click.Option):
            return ""
        # A flag stands for one value alone: --no-suspend for suspend=False.
        stands_for = parameter.name == name
        return "" if parameter.is_flag and value is not stands_for else parameter.opts[0]

    def element(self, argument: str, index: int) -> str:
        """Name one of several values, counted from 1."""
        parameter = _parameter(argument)
        if parameter is None:
            return ""
        of = f" of {parameter.opts[0]}" if isinstance(parameter, click.Option) else ""
        return f"value {index + 1}{of}"

    def function(self, name: str) -> str:
        """Return the option or command that does the same."""
        command = _COMMANDS.get(name)
        return f"`pydbgwrite {command}{_target()}`" if command else _FUNCTIONS.get(name, "")

    def opening(self, function: str, subject: object) -> str:
        """Return the attempted action: "opening --dump FILE"."""
        # `undo` opens the process of its journal, which no option names.
        option = "process" if function == "attach" else self.function(function)
        return f"opening {option} {subject}"

    def attribute(self, name: str) -> str:
        """Return nothing: a command ends with a message alone."""
        return ""

    def undoing(self, journal: str) -> str:
        """Return the command line that undoes a journal."""
        return f"pydbgwrite undo {quoted(journal)}"

    def command_line(self) -> str | None:
        """Return the command line, for a journal's header: without secrets, and not too long."""
        line = _SECRETS.sub(r"\1=...", " ".join(map(quoted, ["pydbgwrite", *self._words])))
        return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."


def quoted(word: str) -> str:
    """Return a word as this platform's shell takes it, of printable characters on Linux."""
    if sys.platform == "win32":
        from subprocess import list2cmdline

        return list2cmdline([word])
    if word.isprintable():
        return shlex.quote(word)
    # POSIX 2024, "Dollar-Single-Quotes". Octal: more digits may follow those of \x.
    return f"$'{''.join(map(_in_dollar_quotes, word))}'"


def _in_dollar_quotes(character: str) -> str:
    # bash expands an exclamation mark that is typed, as it does in double quotes.
    if character.isprintable() and character not in "\\'!":
        return character
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(character))


def _target() -> str:
    """Return the options that name the running command's target, as words of a shell."""
    context = click.get_current_context(silent=True)
    given = {} if context is None else context.params
    for name, option in (("pid", "-p"), ("dump", "--dump"), ("connect", "--connect")):
        if given.get(name) is not None:
            return f" {option} {quoted(str(given[name]))}"
    return f" --kernel {quoted(given['kernel'])}" if given.get("kernel") else ""


def _parameter(argument: str) -> click.Parameter | None:
    """Return the running command's parameter for an argument; of several, the one given."""
    context = click.get_current_context(silent=True)
    if context is None:
        return None
    names = _PARAMETERS.get(argument, (argument,))
    found = [each for each in context.command.params if each.name in names]
    return max(found, key=lambda each: bool(context.params.get(each.name or "")), default=None)
