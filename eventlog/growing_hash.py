"""The SHA-256 of a file while it is being written, in a thread beside those who write it.

What is hashed is what is in the file, so a source that changes meanwhile cannot make the two differ.
"""

import errno
import functools
import hashlib
import os
import queue
import threading
from collections.abc import Callable
from typing import cast

__all__ = ["WRITE_BACK_SIZE", "GrowingHash", "begin_write_back"]

PIECE_SIZE = 1 << 18
# Below this a thread costs more than it gives.
THREAD_SIZE = 2 << 20
# How often the kernel is asked to begin writing to the disk, so that the sync at the end finds little to do.
WRITE_BACK_SIZE = 32 << 20
SYNC_FILE_RANGE_WRITE = 2  # linux/fs.h


class GrowingHash:
    """SHA-256 of what is in a file.

    Args:
        file: a descriptor of the file, open for reading.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._hashed = 0
        self._asked = 0
        self._buffer = bytearray()
        self._ends: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._threads_possible = True
        self._error: OSError | None = None

    def __repr__(self) -> str:
        return f"<GrowingHash of {self._hashed} bytes>"

    def announce(self, end: int) -> None:
        """The file has grown to `end` bytes: hash them soon, and begin to write them to the disk."""
        if self._thread is None and end - self._hashed >= THREAD_SIZE and self._threads_possible:
            thread = threading.Thread(target=self._run, name="eventlog-blob-hash", daemon=True)
            try:
                thread.start()
                self._thread = thread
            except RuntimeError:
                # The interpreter is shutting down, and starts no threads any more.
                self._threads_possible = False
        if self._thread is not None:
            self._ends.put(end)
        if end - self._asked >= WRITE_BACK_SIZE:
            begin_write_back(self._file, self._asked, end - self._asked)
            self._asked = end

    def hash_to(self, end: int) -> None:
        """Hash the bytes up to `end` now.

        Raises:
            OSError: they cannot be read.
        """
        # One buffer for all of them: new memory for each piece would cost more than the hashing.
        if not self._buffer and self._hashed < end:
            # A thread may be told of little at first; without one, this is all that there is.
            least = 0 if self._thread is None else THREAD_SIZE
            self._buffer = bytearray(min(PIECE_SIZE, max(end - self._hashed, least)))
        view = memoryview(self._buffer)
        while self._hashed < end:
            size = os.preadv(self._file, [view[: end - self._hashed]], self._hashed)
            if not size:
                raise OSError(errno.EIO, "what was written cannot be read back")
            self._hash.update(view[:size])
            self._hashed += size

    def finish(self, end: int) -> str:
        """The SHA-256, in hexadecimal, once the bytes up to `end` are hashed.

        Raises:
            OSError: they cannot be read.
        """
        if self._thread is not None:
            self._ends.put(None)
            self._thread.join()
            self._thread = None
        if self._error is not None:
            raise self._error
        self.hash_to(end)
        return self._hash.hexdigest()

    def _run(self) -> None:
        try:
            while (end := self._ends.get()) is not None:
                self.hash_to(end)
        except OSError as error:
            self._error = error


def begin_write_back(file: int, offset: int, size: int) -> None:
    """Have the kernel begin to write these bytes to the disk, without waiting for it, where it can be asked.

    POSIX_FADV_DONTNEED begins it too, but then waits for every processor.
    """
    call = _sync_file_range()
    if call is not None:
        call(file, offset, size, SYNC_FILE_RANGE_WRITE)


@functools.cache
def _sync_file_range() -> Callable[[int, int, int, int], int] | None:
    import ctypes  # not needed by processes that keep nothing large

    call = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if call is not None:
        call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return cast("Callable[[int, int, int, int], int] | None", call)
