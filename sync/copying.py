"""Copying bytes and hashing them on the way, so that what was copied is what was hashed."""

import hashlib
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from eventlog.errors import DataCorrupt

__all__ = [
    "THREAD_SIZE",
    "WHOLE_SIZE",
    "OnBytes",
    "copy_hashing",
    "copy_pieces",
    "hash_file",
    "opened",
    "read_whole",
]

PIECE_SIZE = 1 << 18
# Below this, a thread to hash in costs more than it gives.
THREAD_SIZE = 4 << 20
# Below this, a file is read in one piece.
WHOLE_SIZE = 256 << 10
RING = 8

OnBytes = Callable[[int], None]


@contextmanager
def opened(source: Path) -> Iterator[int]:
    """The descriptor of a file opened for reading."""
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise DataCorrupt(f"{source} cannot be read ({error.strerror})") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def hash_file(source: int, progress: OnBytes) -> str:
    """SHA-256, in hexadecimal, of what an open file holds.

    Args:
        progress: gets the number of bytes of each piece.
    """
    hasher = hashlib.sha256()
    copy_pieces(source, hasher.update, progress)
    return hasher.hexdigest()


def read_whole(source: int, size: int) -> bytes:
    """What an open file of this size holds; a byte more where it holds more.

    Raises:
        DataCorrupt: it cannot be read.
    """
    try:
        return os.pread(source, size + 1, 0)
    except OSError as error:
        raise DataCorrupt(f"the file cannot be read ({error.strerror})") from None


def copy_pieces(
    source: int, take: Callable[[memoryview], object], progress: OnBytes, offset: int = 0
) -> None:
    """Give what an open file holds from `offset` on to `take`, piece by piece.

    Args:
        take: gets each piece, whole; the piece is only good until it returns.
        progress: gets the number of bytes of each piece.

    Raises:
        DataCorrupt: the file cannot be read.
    """
    buffer = _buffer(source)
    while count := _read(source, buffer, offset):
        take(buffer[:count])
        offset += count
        progress(count)


def copy_hashing(source: int, write: Callable[[memoryview], object], progress: OnBytes) -> str:
    """Copy what an open file holds, and return the SHA-256, in hexadecimal, of what was written.

    Large files are hashed in a thread of their own beside the copying, from a ring of buffers.

    Args:
        write: takes each piece, whole; the piece is only good until it returns.
        progress: gets the number of bytes of each piece.

    Raises:
        DataCorrupt: the file cannot be read.
    """
    hasher = hashlib.sha256()
    if os.fstat(source).st_size < THREAD_SIZE:

        def hash_and_write(piece: memoryview) -> None:
            hasher.update(piece)
            write(piece)

        copy_pieces(source, hash_and_write, progress)
        return hasher.hexdigest()
    full: queue.SimpleQueue[tuple[memoryview, int] | None] = queue.SimpleQueue()
    free: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
    for _ in range(RING):
        free.put(memoryview(bytearray(PIECE_SIZE)))

    def hash_pieces() -> None:
        while (item := full.get()) is not None:
            buffer, count = item
            hasher.update(buffer[:count])
            free.put(buffer)

    thread = threading.Thread(target=hash_pieces, name="eventlog-hash", daemon=True)
    thread.start()
    try:
        offset = 0
        while True:
            buffer = free.get()
            count = _read(source, buffer, offset)
            if not count:
                break
            full.put((buffer, count))
            write(buffer[:count])
            offset += count
            progress(count)
    finally:
        full.put(None)
        thread.join()
    return hasher.hexdigest()


def _buffer(source: int) -> memoryview:
    # New memory costs as much as the hashing: no more of it than a small file needs.
    return memoryview(bytearray(max(1, min(PIECE_SIZE, os.fstat(source).st_size))))


def _read(source: int, buffer: memoryview, offset: int) -> int:
    try:
        return os.preadv(source, [buffer], offset)
    except OSError as error:
        raise DataCorrupt(f"the file cannot be read at byte {offset} ({error.strerror})") from None
