"""The processes that a round started, and those that these left behind: waiting for them, ending them."""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable

import psutil

__all__ = ["adopt_orphans", "end_all", "kill", "wait_until"]

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
DEADLINE_SECONDS = 300.0


def adopt_orphans() -> None:
    """Become the parent of whoever a child leaves behind (Linux), so that they can be found and ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill(process: int, *, group: bool = False) -> bool:
    """SIGKILL a process, or its whole group, if it is still there; returns whether it was."""
    try:
        if group:
            os.killpg(process, signal.SIGKILL)
        else:
            os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def end_all() -> int:
    """SIGKILL every process that this one started or adopted; returns how many there were."""
    ended = 0
    me = psutil.Process()
    while children := me.children(recursive=True):
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.status() != psutil.STATUS_ZOMBIE:
                    ended += kill(child.pid)
        _reap()
    return ended


def wait_until(condition: Callable[[], object], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Look again and again until a condition holds.

    Raises:
        TimeoutError: it did not in that time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it took more than {seconds:g} seconds: {what}")
        time.sleep(0.002)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    time.sleep(0.001)
