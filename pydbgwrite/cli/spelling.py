"""How messages of the library name what the command line takes."""

from __future__ import annotations

from typing import Final

import click

from pydbgwrite._messages.spelling import Spelling

__all__ = ["CommandLineSpelling"]

#: Parameters of commands that stand for an argument of the library, where the names differ.
_PARAMETERS: Final = {
    "expect": ("expect", "expect_file"),
    "options": ("connect", "kernel"),
    "path": ("dump",),
    "pointers": ("values", "file"),
    "suspend": ("no_suspend",),
}

#: What does the work of a function. What is not here, the command line does not have.
_FUNCTIONS: Final = {
    "attach": "--pid",
    "attach_kernel": "--kernel",
    "connect": "--connect",
    "open_dump": "--dump",
    "pydbgwrite.undo": "`pydbgwrite undo`",
    "session.modules": "`pydbgwrite modules`",
}


class CommandLineSpelling(Spelling):
    """The options of the command that runs; "" for what it does not have."""

    def name(self, argument: str) -> str:
        """The option, or what the help calls the argument."""
        parameter = _parameter(argument)
        if isinstance(parameter, click.Option):
            return parameter.opts[0]
        return argument if parameter is None else parameter.human_readable_name

    def argument(self, name: str, value: object = None) -> str:
        """The option; "" where the command has none for that value."""
        parameter = _parameter(name)
        if not isinstance(parameter, click.Option):
            return ""
        # A flag stands for one value alone: --no-suspend for suspend=False.
        stands_for = parameter.name == name
        return "" if parameter.is_flag and value is not stands_for else parameter.opts[0]

    def element(self, argument: str, index: int) -> str:
        """One of several values, counted from 1."""
        parameter = _parameter(argument)
        if parameter is None:
            return ""
        of = f" of {parameter.opts[0]}" if isinstance(parameter, click.Option) else ""
        return f"value {index + 1}{of}"

    def function(self, name: str) -> str:
        """The option or command that does the same."""
        return _FUNCTIONS.get(name, "")

    def opening(self, function: str, subject: object) -> str:
        """What was tried: "opening --dump FILE"."""
        # `undo` opens the process of its journal, which no option names.
        option = "process" if function == "attach" else self.function(function)
        return f"opening {option} {subject}"

    def undoing(self, journal: str) -> str:
        """The command line for it."""
        return f"pydbgwrite undo {journal}"


def _parameter(argument: str) -> click.Parameter | None:
    """Of the running command: the one for an argument; of several, the one that was given."""
    context = click.get_current_context(silent=True)
    if context is None:
        return None
    names = _PARAMETERS.get(argument, (argument,))
    found = [each for each in context.command.params if each.name in names]
    return max(found, key=lambda each: bool(context.params.get(each.name or "")), default=None)
