"""Doing one thing to many blobs or segments in a few threads, to be stopped at once."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from eventlog.sync.copying import OnBytes

__all__ = ["SLICE_SECONDS", "SMALL_JOBS", "SMALL_SIZE", "in_parallel", "run_all"]

# Small blobs spend their time waiting for the network to answer; large ones fill what there is of it and of
# the disk, and more of them at once would only make a disk seek.
SMALL_SIZE = 4 << 20
SMALL_JOBS = 16
LARGE_JOBS = 4
# How many at once, from what size on. Between folders of one machine nothing is waited for but syncs, which
# a thread beside makes: two copy and hash, and of the smallest, which cost more calls than bytes, one.
NETWORK_JOBS = ((SMALL_SIZE, LARGE_JOBS), (0, SMALL_JOBS))
LOCAL_JOBS = ((SMALL_SIZE, LARGE_JOBS), (256 << 10, 2), (0, 1))
# How long an interrupted user is kept waiting for threads to notice.
PATIENCE_SECONDS = 0.5
# A signal that comes just before a wait does not end it, so nobody waits for longer than this.
SLICE_SECONDS = 0.2

Item = TypeVar("Item")


class _Stopped(Exception):
    """Another blob failed, or the user interrupted: nobody waits for this one."""


def in_parallel(
    work: Callable[[str, OnBytes], None],
    sizes: Mapping[str, int],
    count: OnBytes,
    jobs: int | None = None,
    *,
    is_local: bool = False,
) -> None:
    """Call `work` for every blob, several at once; the first to raise stops the rest and is raised.

    Args:
        work: gets a blob's digest, and what to call with the number of bytes of each piece as it goes on.
        sizes: the blobs' sizes in bytes, by digest.
        count: gets these numbers, from any thread.
        jobs: how many at once; by default as many as their sizes suggest.
        is_local: nothing is waited for but this machine.
    """
    rest = sorted(sizes)
    stop = threading.Event()

    def counted(size: int) -> None:
        if stop.is_set():
            raise _Stopped
        count(size)

    for least, most in LOCAL_JOBS if is_local else NETWORK_JOBS:
        digests = [digest for digest in rest if sizes[digest] >= least]
        rest = [digest for digest in rest if sizes[digest] < least]
        run_all(lambda digest: work(digest, counted), digests, jobs or most, stop)


def run_all(
    work: Callable[[Item], None], items: Iterable[Item], jobs: int, stop: threading.Event | None = None
) -> None:
    """Call `work` for every item, several at once; the first to raise stops the rest and is raised.

    Args:
        jobs: how many at once.
        stop: is set when one has raised, so that the others can notice.
    """
    waiting = deque(items)
    stop = stop or threading.Event()
    failures: list[BaseException] = []

    def work_on() -> None:
        while waiting and not stop.is_set():
            try:
                item = waiting.popleft()
            except IndexError:
                return
            try:
                work(item)
            except BaseException as error:
                failures.append(error)
                stop.set()

    # Threads that no exit waits for: one may hang on a network that is gone when the user interrupts.
    threads: list[threading.Thread] = []
    try:
        for _ in range(min(jobs, len(waiting)) if len(waiting) > 1 else 0):
            thread = threading.Thread(target=work_on, name="eventlog-sync", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # The interpreter is ending and starts no threads any more.
                break
            threads.append(thread)
        if not threads:
            work_on()
        for thread in threads:
            while thread.is_alive():
                thread.join(SLICE_SECONDS)
    except KeyboardInterrupt:
        stop.set()
        _let_notice(threads)
        raise
    if failures:
        raise failures[0]


def _let_notice(threads: Iterable[threading.Thread]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
