"""Doing one thing to many blobs in a few threads, to be stopped at once."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from eventlog.sync.copying import OnBytes

__all__ = ["in_parallel"]

# Small blobs spend their time waiting, for the disk to sync or the network to answer; large ones fill
# what there is of both, and more of them at once would only make a disk seek.
SMALL_SIZE = 4 << 20
SMALL_JOBS = 16
LARGE_JOBS = 4


class _Stopped(Exception):
    """Another blob failed, or the user interrupted: nobody waits for this one."""


def in_parallel(work: Callable[[str, OnBytes], None], sizes: Mapping[str, int], count: OnBytes) -> None:
    """Call `work` for every blob, several at once; the first to raise stops the rest and is raised.

    Args:
        work: gets a blob's digest, and what to call with the number of bytes of each piece as it goes on.
        sizes: the blobs' sizes in bytes, by digest.
        count: gets these numbers, from any thread.
    """
    small = sorted(digest for digest, size in sizes.items() if size < SMALL_SIZE)
    large = sorted(sizes.keys() - set(small))
    _run(work, large, count, LARGE_JOBS)
    _run(work, small, count, SMALL_JOBS)


def _run(work: Callable[[str, OnBytes], None], digests: Sequence[str], count: OnBytes, jobs: int) -> None:
    if len(digests) < 2:
        for digest in digests:
            work(digest, count)
        return
    stop = threading.Event()

    def counted(size: int) -> None:
        if stop.is_set():
            raise _Stopped
        count(size)

    executor = ThreadPoolExecutor(min(jobs, len(digests)), thread_name_prefix="eventlog-sync")
    try:
        try:
            futures = [executor.submit(work, digest, counted) for digest in digests]
        except RuntimeError:
            # The interpreter is ending and starts no threads any more.
            futures = []
            for digest in digests:
                work(digest, counted)
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
    finally:
        stop.set()
        executor.shutdown(cancel_futures=True)
