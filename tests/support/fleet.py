"""Many small processes of one program, as a server with prefork workers has them.

Each has a table of 64 words at one address, which begins as 0, 1, 2, ... A worker tells what its
table holds when it is asked, so what a test finds is what the process itself sees.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
from collections.abc import Sequence
from pathlib import Path

from pydbgwrite import Patch, PatchEntry, rollout
from support.libraries import compile_program
from support.processes import LiveChild

__all__ = ["ENTRIES", "Fleet", "Server", "compile_fleet", "kill", "of", "patch_of", "read_request"]

#: The words that patch_of() writes: every third one.
ENTRIES = 10

_SOURCE = r"""
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef PLACED
__attribute__((section(".placed")))
#endif
volatile uint64_t table[64] = {0};

/* Yama lets only ancestors trace a process, unless it allows others (prctl(2)). */
static void allow_tracers(void) { prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0); }

static int child(int parent) {
    int pid = fork();
    if (pid == 0) {
        allow_tracers();
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(0);
    }
    return pid;
}

/* Answers each byte with the table. */
static void answer(int from) {
    char byte;
    while (read(from, &byte, 1) == 1)
        if (write(from, (const void *)table, sizeof table) != (ssize_t)sizeof table) break;
    _exit(0);
}

static int fleet(int count) {
    int parent = getpid(), *ends = malloc(sizeof(int) * (size_t)count);
    for (int i = 0; i < count; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) return 1;
        int pid = child(parent);
        if (pid == 0) { close(pair[0]); answer(pair[1]); }
        close(pair[1]);
        ends[i] = pair[0];
        printf("%d\n", pid);
    }
    uint64_t held[64];
    for (int i = 0; i < count; i++) /* each child runs, and may be traced */
        if (write(ends[i], "?", 1) != 1 || recv(ends[i], held, sizeof held, MSG_WAITALL) < 0)
            return 1;
    printf("ready\n");
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        memset(held, 255, sizeof held);
        int number = atoi(line);
        if (number == count)
            memcpy(held, (const void *)table, sizeof held);
        else if (number < 0 || write(ends[number], "?", 1) != 1)
            return 2;
        else if (recv(ends[number], held, sizeof held, MSG_WAITALL) < 0)
            return 3;
        fwrite(held, sizeof held, 1, stdout);
        fflush(stdout);
    }
    return 0;
}

/* Serves connections, so many by each worker, which then ends; another takes its place. */
static void serve(int listening, int requests) {
    while (requests--) {
        int client = accept(listening, NULL, NULL);
        if (client < 0) _exit(4);
        if (write(client, (const void *)table, sizeof table) != (ssize_t)sizeof table) _exit(5);
        close(client);
    }
    _exit(0);
}

static int server(int count, const char *path, int requests) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int parent = getpid(), listening = socket(AF_UNIX, SOCK_STREAM, 0);
    strncpy(name.sun_path, path, sizeof name.sun_path - 1);
    if (bind(listening, (struct sockaddr *)&name, sizeof name) || listen(listening, 128)) return 1;
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        if (count-- > 0) {
            if (child(parent) == 0) serve(listening, requests);
        } else {
            int how;
            if (wait(&how) < 0 || how != 0) return 6;
            count = 1;
        }
    }
}

int main(int count, char **words) {
    signal(SIGPIPE, SIG_IGN);
    allow_tracers();
    for (int i = 0; i < 64; i++) table[i] = (uint64_t)i;
    printf("%lu\n", (unsigned long)table);
    fflush(stdout);
    if (count == 2) return fleet(atoi(words[1]));
    return server(atoi(words[1]), words[2], atoi(words[3]));
}
"""


def compile_fleet(path: Path, *flags: str) -> Path:
    """Compile the program to that path. Each has a build id of its own: tests run side by side."""
    return compile_program(path, _SOURCE, f"-Wl,--build-id=0x{os.urandom(20).hex()}", *flags)


def of(fleet: Fleet) -> rollout.Choice:
    """Choose the children of a fleet."""
    return rollout.processes(pids=fleet.pids)


def patch_of(place: int | str, *, first: int = 1000) -> Patch:
    """Return a patch of ENTRIES words of the table, which expects those at the beginning."""
    entries = []
    for number in range(ENTRIES):
        at = 24 * number
        address = place + at if isinstance(place, int) else f"{place}+0x{at:x}"
        entries.append(PatchEntry(address, [first + number], expect=[3 * number]))
    return Patch(entries)


def kill(pid: int) -> None:
    """Kill one process of a fleet, and wait for its end."""
    ended = os.pidfd_open(pid)
    try:
        os.kill(pid, signal.SIGKILL)
        assert select.select([ended], [], [], 60)[0]
    finally:
        os.close(ended)


def content_of(held: bytes, first: int = 1000) -> str:
    """Return "old", "new" or "mixed": what a table holds."""
    words = struct.unpack("64Q", held)
    rest = [word for at, word in enumerate(words) if at % 3 or at >= 3 * ENTRIES]
    assert rest == [at for at in range(64) if at % 3 or at >= 3 * ENTRIES], "others are as before"
    here = list(words[: 3 * ENTRIES : 3])
    if here == [3 * number for number in range(ENTRIES)]:
        return "old"
    return "new" if here == [first + number for number in range(ENTRIES)] else "mixed"


class _Program(LiveChild):
    """The program and its children; `table` is the address in each of them."""

    def __init__(self, program: Path, *arguments: object, under: Sequence[str] = ()) -> None:
        """under: the beginning of a command line that runs the program."""
        super().__init__([*under, str(program), *map(str, arguments)])
        self.table = int(self._hear_line())

    def kill(self) -> None:
        """End it, and wait for its children, which end with it: they hold the same pipe."""
        super().kill()
        assert self._process.stdout is not None
        self._process.stdout.read()


class Fleet(_Program):
    """A process and so many children, which tell what they hold."""

    def __init__(self, program: Path, count: int, *, under: Sequence[str] = ()) -> None:
        super().__init__(program, count, under=under)
        self.pids = [int(self._hear_line()) for _ in range(count)]
        assert self._hear_line() == b"ready\n"

    def held(self, number: int) -> str:
        """Return what a child says that its table holds: "old", "new" or "mixed".

        The number after the last child's is the parent's.
        """
        self._say(b"%d\n" % number)
        return content_of(self._hear(512))

    def all_held(self) -> set[str]:
        """Return what the children hold, each answer once."""
        return {self.held(number) for number in range(len(self.pids))}


class Server(_Program):
    """A server whose workers end after so many requests each."""

    def __init__(self, program: Path, workers: int, path: Path, requests: int) -> None:
        super().__init__(program, workers, path, requests)
        self.path = path
        assert self._hear_line() == b"ready\n"

    @property
    def runs(self) -> bool:
        """True while no worker has failed."""
        return self._process.poll() is None


def read_request(path: Path) -> str:
    """Make one request of a server; return what the worker that answers it holds."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(path))
        held = b""
        while len(held) < 512:
            part = client.recv(512 - len(held))
            assert part, "the request has failed"
            held += part
        return content_of(held)
