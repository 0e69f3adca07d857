"""Does a call let another thread have the GIL?"""

from __future__ import annotations

import sys
import threading
from array import array
from collections.abc import Callable


def turns_until_another_thread_ran(move: Callable[[], object], most: int) -> int:
    """How often a call is made before another thread has had the GIL; 0: it never had.

    The switch interval is endless: a thread that waits for the GIL gets it only where the one that
    holds it lets it go, and then not at once, since it must first wake up.
    """
    before = sys.getswitchinterval()
    started, go_on, gone_on = threading.Event(), threading.Lock(), array("B", [0])

    def other() -> None:
        started.set()
        with go_on:
            gone_on[0] = 1

    go_on.acquire()
    thread = threading.Thread(target=other)
    thread.start()
    started.wait()
    sys.setswitchinterval(1000)
    try:
        go_on.release()  # from here on the other thread waits for nothing but the GIL
        for turn in range(most):
            move()
            if gone_on[0]:
                return turn + 1
        return 0
    finally:
        sys.setswitchinterval(before)
        thread.join()
