"""Letting a process go while a question is asked, and opening the same process again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.exit_codes import CommandError, ExitCode
from pydbgwrite.errors import NoTargetError

if TYPE_CHECKING:
    from pydbgwrite import Session
    from pydbgwrite.cli.targets import Target

__all__ = ["Reopened", "described"]


def described(session: Session) -> str:
    """Return what a question says of the target: "shop (pid 71, /opt/shop)"."""
    from pydbgwrite._processes import file_name, program_of

    if session.pid is None:
        return f"the {session.target} target"
    path = program_of(session.pid)
    if path is None or session.target != "process":
        return f"{session.target} {session.pid}"
    return f"{file_name(path)} (pid {session.pid}, {path})"


@dataclass(frozen=True, slots=True)
class Reopened:
    """A process that was shown, to be opened again."""

    target: Target
    program: str
    identity: dict[str, Any]

    @classmethod
    def of(cls, target: Target, session: Session) -> Reopened:
        """Remember the process of an open session."""
        from pydbgwrite._journal.target_identity import describe_target

        # By its id: another process of the same name may have started when it is opened again.
        return cls(replace(target, value=session.pid), described(session), describe_target(session))

    def open(self) -> Session:
        """Open it for writing. CommandError if it has ended, or runs another program."""
        from pydbgwrite._journal.target_identity import describe_target, difference

        try:
            session = self.target.open(writable=True)
        except not_from_handler(NoTargetError) as failure:
            raise self._gone(str(failure)) from failure
        try:
            what = difference(self.identity, describe_target(session))
            if what is not None:
                raise self._gone(what)
        except BaseException:
            session.close()
            raise
        return session

    def _gone(self, what: str) -> CommandError:
        return CommandError(
            f"{self.program} is not there any more as it was shown: {what}. Nothing was written",
            ExitCode.NO_ACCESS,
        )
