"""Processes that turn into another program (execve) when a test tells them to."""

from __future__ import annotations

import sys
from pathlib import Path

from support.libraries import compile_program
from support.processes import LiveChild

__all__ = ["Turning", "TurningChild"]

#: Has a table as the children of a fleet have, and becomes cat when it hears a line.
_TURNS = """
import ctypes, os
table = (ctypes.c_uint64 * 64)(*range(64))
print(ctypes.addressof(table), flush=True)
os.read(0, 1)
os.execv("/bin/cat", ["cat"])
"""

#: Has a child that shares its memory, and becomes cat when it hears a byte.
_SHARES = r"""
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

volatile uint64_t table[64] = {1};

static int child(void *unused) {
    char byte, *words[] = {"cat", NULL};
    (void)unused;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(0, &byte, 1) == 1) execv("/bin/cat", words);
    _exit(1);
}

int main(void) {
    char *stack = malloc(1 << 16);
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    printf("%d\n%lu\n", clone(child, stack + (1 << 16), CLONE_VM | SIGCHLD, NULL),
           (unsigned long)table);
    fflush(stdout);
    for (;;) pause();
}
"""


class _Turning(LiveChild):
    def turn(self) -> None:
        """Let it run the other program, and return when that runs."""
        self._say(b"!")
        self.say_and_hear(b"there\n")

    def say_and_hear(self, line: bytes) -> None:
        """Wait until the other program has answered a line with the same."""
        self._say(line)
        assert self._hear_line() == line


class Turning(_Turning):
    """A process that can turn into another program."""

    def __init__(self) -> None:
        super().__init__([sys.executable, "-I", "-c", _TURNS])
        self.table = int(self._hear_line())


class TurningChild(_Turning):
    """A process whose child uses the same memory until it turns; `sharer` is the child's id."""

    def __init__(self, path: Path) -> None:
        super().__init__([str(compile_program(path, _SHARES))])
        self.sharer, self.table = int(self._hear_line()), int(self._hear_line())
