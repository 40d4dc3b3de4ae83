"""Doing one thing to many items in a few threads, to be stopped at once."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

from eventlog.sync.copying import OnBytes

__all__ = ["in_parallel"]

T = TypeVar("T")

JOBS = min(8, 2 * (os.cpu_count() or 1))


class _Stopped(Exception):
    """Another item failed, or the user interrupted: nobody waits for this one."""


def in_parallel(work: Callable[[T, OnBytes], None], items: Sequence[T], count: OnBytes) -> None:
    """Call `work` for every item, several at once; the first to raise stops the rest and is raised.

    Args:
        work: gets an item, and what to call with the number of bytes of each piece as it goes on.
        count: gets these numbers, from any thread.
    """
    stop = threading.Event()

    def counted(size: int) -> None:
        if stop.is_set():
            raise _Stopped
        count(size)

    if len(items) == 1:
        work(items[0], count)
        return
    if not items:
        return
    executor = ThreadPoolExecutor(min(JOBS, len(items)), thread_name_prefix="eventlog-sync")
    try:
        futures = [executor.submit(work, item, counted) for item in items]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
    finally:
        stop.set()
        executor.shutdown(cancel_futures=True)
