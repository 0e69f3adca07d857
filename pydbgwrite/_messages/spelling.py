"""The names of arguments in messages: an argument in Python, an option in a shell.

A message names an argument or a function, and the spelling in force writes it. That is Python's
spelling, unless the command line sets its own (cli/spelling.py).
"""

from __future__ import annotations

from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["IN_FORCE", "Spelling", "any_of"]


class Spelling:
    """Python's spelling."""

    #: Does a message of the embedded engine end with the call that failed, and its HRESULT?
    names_calls = True

    def name(self, argument: str) -> str:
        """Return the argument within a sentence: "timeout must be ..."."""
        return argument

    def argument(self, name: str, value: object = None) -> str:
        """Return the argument as given, "timeout=" or "suspend=False"; "" if there is none."""
        return f"{name}={'' if value is None else repr(value)}"

    def passing(self, name: str, value: bool) -> str:
        """Return how to set a flag to that value: "with suspend=True"; "" if there is none."""
        given, left_out = self.argument(name, value), self.argument(name, not value)
        return f"with {given}" if given else f"without {left_out}" if left_out else ""

    def element(self, argument: str, index: int) -> str:
        """Return an element of an argument; "" if the caller gave no such argument."""
        return f"{argument}[{index}]"

    def function(self, name: str) -> str:
        """Return the function, "session.modules()"; "" if there is none."""
        return f"{name}()"

    def opening(self, function: str, subject: object) -> str:
        """Return the call that opens a target: "connect('tcp:port=5005')"."""
        return f"{function}({subject!r})"

    def attribute(self, name: str) -> str:
        """Return the clause that names an attribute of an exception; "" if nobody sees it."""
        return f", which is the exception's attribute {name}"

    def undoing(self, journal: str) -> str:
        """Return the call that undoes a journal."""
        return f"pydbgwrite.undo({journal!r}, session)"

    def command_line(self) -> str | None:
        """Return the command line that runs, for a journal's header; None in Python."""
        return None


_PYTHON: Final = Spelling()

#: The spelling of messages that are made in this context.
IN_FORCE: Final[ContextVar[Spelling]] = ContextVar("spelling", default=_PYTHON)


def any_of(*remedies: str) -> str:
    """Join the non-empty names as alternatives: "a, b, or c"."""
    there = [each for each in remedies if each]
    if len(there) < 2:
        return "".join(there)
    return f"{', '.join(there[:-1])}, or {there[-1]}"
