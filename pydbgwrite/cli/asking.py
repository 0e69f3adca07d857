"""Ask the user a question that is answered by yes or no."""

from __future__ import annotations

import os
import signal
import sys
import threading

import click

from pydbgwrite._signal_handlers import not_from_handler
from pydbgwrite.cli.exit_codes import CommandError, ExitCode
from pydbgwrite.cli.output import printable, show_on_stderr, stream_output

__all__ = ["ask", "can_ask"]


def can_ask() -> bool:
    """Return whether a user at a terminal can see a question and answer it."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def ask(question: str, otherwise: str) -> None:
    """Ask, and return if the answer is yes; a CommandError with the text `otherwise` if not."""
    stream_output()  # or what is asked about would come after the question
    if sys.stdout is not None:
        sys.stdout.flush()
    shown = f"{printable(question)} [y/N] "
    show_on_stderr(lambda: click.echo(shown, nl=False, err=True))
    try:
        _wait_for_input()
        answer = sys.stdin.readline()
    except not_from_handler(OSError, UnicodeDecodeError):
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        if not answer.endswith("\n"):
            show_on_stderr(lambda: click.echo(err=True))
        raise CommandError(otherwise, ExitCode.INTERRUPTED)


def _wait_for_input() -> None:
    """Wait for a line or a signal.

    A signal that comes between two instructions of Python, just before read(2), does not end that:
    Ctrl-C right after the question would do nothing. So signals wake a poll by a pipe.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        return
    import select

    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        try:
            poll = select.poll()
            poll.register(sys.stdin, select.POLLIN)
            poll.register(reader, select.POLLIN)
            # The handlers of signals run here. One that raises nothing is no answer.
            while not any(descriptor != reader for descriptor, _ in poll.poll()):
                os.read(reader, 4096)
        finally:
            signal.set_wakeup_fd(before)
    finally:
        os.close(reader)
        os.close(writer)
