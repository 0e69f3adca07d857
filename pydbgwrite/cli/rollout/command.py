"""pydbgwrite rollout: one patch for all processes of a program, on this machine."""

from __future__ import annotations

import click

from pydbgwrite.cli.output import example
from pydbgwrite.cli.rollout.after import resume, status, undo
from pydbgwrite.cli.rollout.apply import apply

__all__ = ["rollout"]


@click.group(epilog=example("pydbgwrite rollout apply patch.toml --program shop --dry-run"))
def rollout() -> None:
    """Apply one patch to all processes of a program, in stages.

    A rollout has a folder with its ledger, by which the other commands know it.
    """


for _command in (apply, status, resume, undo):
    rollout.add_command(_command)
