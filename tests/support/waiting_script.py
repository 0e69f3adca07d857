"""Ctrl-C for a script that sleeps in the kernel, in a system call that moves memory."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import Final

BOUND: Final = 60  # seconds: a call that waits would wait for ever, and no machine is that slow

#: For the script: a thread that reports once one thread waits while others can run.
WATCH: Final = """
import os, platform, threading, time

# process_vm_readv and process_vm_writev
moving = {"270", "271"} if platform.machine() == "aarch64" else {"310", "311"}

def watch():
    seen = 0
    while seen < 5:
        sleeping = [
            open(f"/proc/self/task/{thread}/syscall").read().split()[0]
            for thread in os.listdir("/proc/self/task")
        ]
        seen = seen + 1 if moving.intersection(sleeping) else 0
        time.sleep(0.005)
    print("waits", flush=True)

threading.Thread(target=watch, daemon=True).start()
"""


def said_after_ctrl_c(script: str, words: list[str]) -> list[str]:
    """Run it until it reports that it waits, press Ctrl-C, and return the lines it then prints.

    It must end by itself, in time and with exit status 0.
    """
    command = [sys.executable, "-c", script, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        late = threading.Timer(BOUND, running.kill)
        late.start()
        try:
            assert running.stdout.readline() == "waits\n"
            running.send_signal(signal.SIGINT)
            said = running.stdout.read()
            assert running.wait() == 0
        finally:
            late.cancel()
            running.kill()
    return said.splitlines()
