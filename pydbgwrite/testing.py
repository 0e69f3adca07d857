"""Faults for simulated targets, to test what a script does when a target fails.

    with pydbgwrite.simulate([(0x10000, 4096)]) as session:
        pydbgwrite.testing.fail_writes(session, 0x10040, after=2)

Each function takes an open session of simulate() and raises ValueError for any other.
"""

from __future__ import annotations

from pydbgwrite import Session

__all__ = [
    "clear",
    "fail_reads",
    "fail_writes",
    "limit_transfers",
    "lose_writes",
    "run",
    "stop",
    "vanish",
]


def fail_writes(session: Session, address: int, *, after: int = 0) -> None:
    """Let writes to the byte at address work `after` more times, then fail (ERROR_WRITE_FAULT)."""
    session._inject_fault("fail_write", address, after)


def fail_reads(session: Session, address: int, *, after: int = 0) -> None:
    """Let reads of the byte at address work `after` more times, then fail (ERROR_READ_FAULT).

    Each transfer that covers the byte counts once, those that pydbgwrite makes itself too.
    """
    session._inject_fault("fail_read", address, after)


def lose_writes(session: Session, address: int) -> None:
    """Let writes to the byte at address succeed and change nothing there.

    It is as if another program restored the byte at once. `verify=True` finds it.
    """
    session._inject_fault("lose_write", address)


def limit_transfers(session: Session, size: int) -> None:
    """Limit each transfer of bytes to size: WriteVirtual and ReadVirtual transfer less.

    Pointers (8 bytes and less) stay whole. 0 removes the limit.
    """
    session._inject_fault("short", size)


def run(session: Session) -> None:
    """Let the target run: every call on its memory raises NoTargetError until stop()."""
    session._inject_fault("run")


def stop(session: Session) -> None:
    """Suspend a target that run() resumed."""
    session._inject_fault("stop")


def vanish(session: Session) -> None:
    """End the target for good, like a killed process."""
    session._inject_fault("vanish")


def clear(session: Session) -> None:
    """Remove the effects of fail_writes, fail_reads, lose_writes and limit_transfers."""
    session._inject_fault("clear")
