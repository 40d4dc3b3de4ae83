"""The processes that a run started, and those that these left behind: waiting for them, ending them.

Whatever ends a run ends them too, and takes the folder along in which they worked.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Set
from pathlib import Path

import psutil

__all__ = [
    "children",
    "end_all",
    "ending_at_signals",
    "kill",
    "orphans_adopted",
    "scratch_folder",
    "signals_as_usual",
    "wait_until",
]

# linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36
PR_GET_CHILD_SUBREAPER = 37
DEADLINE_SECONDS = 300.0
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def scratch_folder(prefix: str, place: Path) -> Iterator[Path]:
    """A block with an empty folder of its own, which is gone afterwards, as are all processes started in it.

    So it is when the block is left by Ctrl-C, SIGTERM or SIGHUP.

    Args:
        prefix: of the folder's name.
        place: where it is made.
    """
    with ending_at_signals(), orphans_adopted():
        others = children()
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        try:
            yield folder
        finally:
            # First, since they would go on writing.
            end_all(others)
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def ending_at_signals() -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP raise SystemExit: processes and folders are cleared away on the way out.

    The first one does; others would come into the middle of that. Those that are ignored stay so.
    """

    def end(number: int, _: object) -> None:
        for one in _ENDING:
            signal.signal(one, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before = {one: signal.getsignal(one) for one in _ENDING}
    for one, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(one, end)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def signals_as_usual() -> None:
    """In a process that was forked within `ending_at_signals`: it just ends."""
    for one in _ENDING:
        if signal.getsignal(one) is not signal.SIG_IGN:
            signal.signal(one, signal.SIG_DFL)


@contextlib.contextmanager
def orphans_adopted() -> Iterator[None]:
    """Whoever a child leaves behind becomes a child of this process (Linux), to be found and ended."""
    if sys.platform != "linux":
        yield
        return
    before = ctypes.c_int()
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, before.value, 0, 0, 0)


def children() -> set[int]:
    """The children of this process, dead ones that nobody has waited for among them."""
    return {child.pid for child in psutil.Process().children()}


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


def end_all(but: Set[int] = frozenset()) -> int:
    """SIGKILL every process that this one started or adopted, but for some; returns how many there were.

    Args:
        but: children of this process that go on, with all that they started.
    """
    ended = 0
    while ending := children() - but:
        for child in ending:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(child)
                for one in (process, *process.children(recursive=True)):
                    if one.status() != psutil.STATUS_ZOMBIE:
                        ended += kill(one.pid)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)
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
