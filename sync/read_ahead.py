"""Small segments, fetched before it is their turn: of many, each would wait for the network by itself."""

import io
import threading
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import BinaryIO, Protocol

from eventlog.batch import Batch
from eventlog.sync.copying import OnBytes
from eventlog.sync.layout import Segment
from eventlog.sync.parallel import SLICE_SECONDS, SMALL_JOBS, SMALL_SIZE

__all__ = ["ReadAhead"]

# Bytes that are held of segments whose turn has not come.
AHEAD_SIZE = 32 << 20


class _Fetched:
    """A segment's bytes, or why there are none; nothing yet while both are None."""

    def __init__(self) -> None:
        self.data: bytes | None = None
        self.error: BaseException | None = None


class Reader(Protocol):
    """What segments are read from."""

    def whole_segment(self, segment: Segment) -> bytes: ...

    def read_segment(
        self, segment: Segment, progress: OnBytes, file: BinaryIO | None = None
    ) -> AbstractContextManager[Iterator[Batch]]: ...


class ReadAhead:
    """Segments in the order in which they will be read; a context manager.

    Args:
        remote: what they are read from.
        order: the segments, as far as is known before.
        jobs: how many are fetched at once.
    """

    def __init__(self, remote: Reader, order: Sequence[Segment], jobs: int | None = None) -> None:
        self._remote = remote
        self._places = {segment: place for place, segment in enumerate(order)}
        # Where a segment comes from a store, its size is not known, and 0.
        self._waiting = deque(segment for segment in order if 0 < segment.size < SMALL_SIZE)
        self._jobs = min(jobs or SMALL_JOBS, len(self._waiting)) if len(self._waiting) > 1 else 0
        # Those begun, in their order, and not yet read.
        # A plain dictionary would take ever longer to find its first entry.
        self._begun: OrderedDict[Segment, _Fetched] = OrderedDict()
        self._held = 0
        self._changed = threading.Condition()
        self._closed = False

    def __repr__(self) -> str:
        return f"<ReadAhead of {len(self._waiting)} segments, {self._held} bytes held>"

    def __enter__(self) -> "ReadAhead":
        for _ in range(self._jobs):
            try:
                threading.Thread(target=self._fetch_on, name="eventlog-sync", daemon=True).start()
            except RuntimeError:
                # The interpreter is ending and starts no threads any more; then each is read in its turn.
                break
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._begun.clear()
            self._waiting.clear()
            self._changed.notify_all()

    @contextmanager
    def read_segment(self, segment: Segment, progress: OnBytes) -> Iterator[Iterator[Batch]]:
        """The batches of a segment, one by one, as a context manager; arguments and errors as of a remote."""
        with self._remote.read_segment(segment, progress, self._take(segment)) as batches:
            yield batches

    def _take(self, segment: Segment) -> io.BytesIO | None:
        """What it holds, or None where nobody has begun to fetch it."""
        with self._changed:
            # Those before it were passed over, as when their store turned out to be damaged.
            place = self._places.get(segment, 0)
            while self._begun and self._places[first := next(iter(self._begun))] < place:
                self._release(first)
            fetched = self._begun.get(segment)
            if fetched is None:
                if segment in self._waiting:
                    self._waiting.remove(segment)
                return None
            while fetched.data is None and fetched.error is None:
                self._changed.wait(SLICE_SECONDS)
            self._release(segment)
        if fetched.error is not None:
            raise fetched.error
        assert fetched.data is not None
        return io.BytesIO(fetched.data)

    def _release(self, segment: Segment) -> None:
        del self._begun[segment]
        self._held -= segment.size
        self._changed.notify_all()

    def _fetch_on(self) -> None:
        while True:
            with self._changed:
                while self._waiting and self._held and self._held + self._waiting[0].size > AHEAD_SIZE:
                    self._changed.wait()
                if self._closed or not self._waiting:
                    return
                segment = self._waiting.popleft()
                fetched = self._begun[segment] = _Fetched()
                self._held += segment.size
            self._fetch(segment, fetched)
            # Or this thread would hold it while it waits for the next.
            del fetched

    def _fetch(self, segment: Segment, fetched: _Fetched) -> None:
        data, error = None, None
        try:
            data = self._remote.whole_segment(segment)
        except BaseException as failure:
            error = failure
        with self._changed:
            fetched.data, fetched.error = data, error
            self._changed.notify_all()
