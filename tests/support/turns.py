"""Does a call release the GIL to another thread?"""

from __future__ import annotations

import sys
import threading
from array import array
from collections.abc import Callable


def turns_until_another_thread_ran(move: Callable[[], object], most: int) -> int:
    """Return how many calls are made before another thread gets the GIL; 0: it never does.

    The switch interval is endless: a waiting thread gets the GIL only if the thread that holds it
    releases it, and then not at once, since the waiting thread must first wake up.
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
        go_on.release()  # from here on the other thread waits only for the GIL
        for turn in range(most):
            move()
            if gone_on[0]:
                return turn + 1
        return 0
    finally:
        sys.setswitchinterval(before)
        thread.join()
