"""How a message names what its reader can give: an argument in Python, an option in a shell.

A message says which argument or function it means, and the caller says how that is spelt. Python's
spelling is in force unless the command line has put its own there (cli/spelling.py).
"""

from __future__ import annotations

from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["IN_FORCE", "Spelling", "any_of"]


class Spelling:
    """Python's."""

    def name(self, argument: str) -> str:
        """The argument within a sentence: "timeout must be ..."."""
        return argument

    def argument(self, name: str, value: object = None) -> str:
        """The argument as it is given, "timeout=" or "suspend=False"; "" where there is no such."""
        return f"{name}={'' if value is None else repr(value)}"

    def passing(self, name: str, value: bool) -> str:
        """What to do so that a flag has that value: "with suspend=True"; "" where there is none."""
        given, left_out = self.argument(name, value), self.argument(name, not value)
        return f"with {given}" if given else f"without {left_out}" if left_out else ""

    def element(self, argument: str, index: int) -> str:
        """An element of what was given; "" where the caller gave no such argument."""
        return f"{argument}[{index}]"

    def function(self, name: str) -> str:
        """The function, "session.modules()"; "" where there is no such."""
        return f"{name}()"

    def opening(self, function: str, subject: object) -> str:
        """The call that opens a target: "connect('tcp:port=5005')"."""
        return f"{function}({subject!r})"

    def undoing(self, journal: str) -> str:
        """What undoes a journal."""
        return f"pydbgwrite.undo({journal!r}, session)"


_PYTHON: Final = Spelling()

#: The spelling of messages that are made in this context.
IN_FORCE: Final[ContextVar[Spelling]] = ContextVar("spelling", default=_PYTHON)


def any_of(*remedies: str) -> str:
    """Those that are not empty, as alternatives: "a, b, or c"."""
    there = [each for each in remedies if each]
    if len(there) < 2:
        return "".join(there)
    return f"{', '.join(there[:-1])}, or {there[-1]}"
