"""Reading an object range by range: what is cut off goes on where it was, and nothing is in memory whole."""

import io
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["RANGE_SIZE", "RangedFile", "ranges"]

RANGE_SIZE = 8 << 20
# Ranges of one object that are on their way at once.
AHEAD = 3

# Of an object, the bytes from an offset, at most a number of them, fewer at its end alone.
ReadRange = Callable[[int, int], bytes]


class RangedFile(io.RawIOBase):
    """An object as a file that is read front to back.

    The first range is read when it is opened, so that an object that is not there is known at once.
    """

    def __init__(self, read: ReadRange, size: int = RANGE_SIZE) -> None:
        super().__init__()
        self._read = read
        self._size = size
        self._offset = 0
        self._position = 0
        self._range = b""
        self._next()

    def __repr__(self) -> str:
        return f"<RangedFile at {self._offset + self._position}>"

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: object) -> int:
        """Read what is at hand into a buffer, and return how many bytes that was; 0 at the end."""
        target = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if self._position == len(self._range) == self._size:
            self._next()
        piece = self._range[self._position : self._position + len(target)]
        target[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _next(self) -> None:
        self._offset += len(self._range)
        self._range = self._read(self._offset, self._size)
        self._position = 0


def ranges(read: ReadRange, start: int, end: int) -> Iterator[bytes]:
    """The bytes of an object from `start` to `end` in ranges, the next ones on their way meanwhile."""
    starts = range(start, end, RANGE_SIZE)

    def one(offset: int) -> bytes:
        return read(offset, min(RANGE_SIZE, end - offset))

    if len(starts) < 2:
        yield from map(one, starts)
        return
    executor = ThreadPoolExecutor(AHEAD, thread_name_prefix="eventlog-ranges")
    waiting: deque[Future[bytes]] = deque()
    try:
        for offset in starts:
            try:
                waiting.append(executor.submit(one, offset))
            except RuntimeError:
                # The interpreter is ending and starts no threads any more.
                while waiting:
                    yield waiting.popleft().result()
                yield one(offset)
                continue
            if len(waiting) >= AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Who interrupts is not kept waiting for what a server does not answer.
        executor.shutdown(wait=False, cancel_futures=True)
