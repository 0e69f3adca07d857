"""Sessions hold and release a process at random moments: no signal is lost, no pointer torn."""

from __future__ import annotations

import ctypes
import os
import random
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.chance import chance, rounds
from support.child import PAGE, RW_PAGES
from support.libraries import compile_program
from support.processes import Child64

import pydbgwrite

__all__ = ["chance"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux processes are for Linux")

SIZE = RW_PAGES * PAGE

# Writes a table of pointers with equal bytes, then another such table, without end.
HOLDER = """
import sys
import pydbgwrite
pid, address, count = map(int, sys.argv[1:])
number = 0
while True:
    with pydbgwrite.attach(pid) as session:
        for _ in range(3):
            number = number % 255 + 1
            session.write_pointers(address, [number * 0x0101010101010101] * count)
            print(number, flush=True)
"""


def test_a_holder_that_is_killed(chance: random.Random, profile: str) -> None:
    """The process continues, can be opened again, and every pointer within a page is whole.

    The kernel ends the write of a killed process between two pages: a pointer that lies across them
    can be half written.
    """
    with Child64(anyone=True) as child:
        address, count = child.areas["rw"], SIZE // 8
        with pydbgwrite.attach(child.pid) as session:
            session.write(address, bytes(SIZE))
        for number in rounds(profile, quick=4, seconds=45):
            shift = chance.choice([0, 0, 3])  # 3: some pointers lie across pages
            holder = subprocess.Popen(
                [
                    *(sys.executable, "-c", HOLDER),
                    *map(str, (child.pid, address + shift, count - 1)),
                ],
                stdout=subprocess.PIPE,
            )
            with holder:
                assert holder.stdout is not None
                assert holder.stdout.readline()
                select.select([], [], [], chance.random() * 0.03)  # a random moment
                holder.kill()
                holder.stdout.read()
            held = child.read(address, SIZE)  # the process runs: it answers
            parts: list[bytes] = []
            for at in range(shift, SIZE - 8, 8):
                border = min(8, PAGE - at % PAGE)
                parts += filter(None, (held[at : at + border], held[at + border : at + 8]))
            torn = [each.hex() for each in parts if len(set(each)) != 1]
            assert not torn, (number, shift, torn[:3])
            with pydbgwrite.attach(child.pid) as session:
                assert session.read(address, SIZE) == held
                session.write(address, bytes(SIZE))


# Counts queued signals by thread-directed and process-directed handlers, and checks their order.
# Each signal has a number, one more than that of the signal before.
RECEIVER = """
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
static volatile int taken[8], misplaced;
static void handle(int number, siginfo_t *info, void *context)
{
    int which = number - SIGRTMIN;
    (void)context;
    misplaced += info->si_value.sival_int != taken[which];
    taken[which]++;
}
static void *idle(void *unused)
{
    (void)unused;
    for (;;) {
        pause();
    }
    return NULL;
}
int main(void)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};
    pthread_t threads[3];
    char line[8];
    sigset_t all, before, real;
    sigfillset(&all);
    sigemptyset(&real);
    for (int i = 0; i < 8; i++) {
        sigaddset(&real, SIGRTMIN + i);
    }
    action.sa_mask = real;
    for (int i = 0; i < 8; i++) {
        sigaction(SIGRTMIN + i, &action, NULL);
    }
    /* The threads inherit the mask. A thread that blocks the signals only once it runs takes some
     * before, beside the first thread: then two handlers run at a time. */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    for (int i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, idle, NULL);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        for (int i = 0; i < 8; i++) {
            printf("%d ", taken[i]);
        }
        printf("%d\\n", misplaced);
        fflush(stdout);
    }
    return 0;
}
"""


def test_real_time_signals_to_a_held_process(
    chance: random.Random, profile: str, tmp_path: Path
) -> None:
    """Each signal is delivered once, in order, before, during or after a session."""
    libc = ctypes.CDLL(None, use_errno=True)
    program = compile_program(tmp_path / "receiver", RECEIVER, "-pthread")
    sent = [0] * 8
    with subprocess.Popen(
        [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"

        def send(most: int) -> None:
            for _ in range(chance.randrange(most)):
                which = chance.randrange(8)
                number = signal.SIGRTMIN + which
                if libc.sigqueue(child.pid, number, ctypes.c_void_p(sent[which])) == 0:
                    sent[which] += 1

        for _ in rounds(profile, quick=60, seconds=30):
            send(30)
            with pydbgwrite.attach(child.pid):
                send(200)
            send(30)
            if chance.random() < 0.1:
                os.kill(child.pid, signal.SIGSTOP)
                with pydbgwrite.attach(child.pid):
                    send(30)
                os.kill(child.pid, signal.SIGCONT)
            child.stdin.write("?\n")
            child.stdin.flush()
            *taken, misplaced = map(int, child.stdout.readline().split())
            assert (taken, misplaced) == (sent, 0)
        child.stdin.close()
    assert sum(sent) > 1000
