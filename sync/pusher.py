"""Pushing: what a store holds and a remote does not, blobs first, then the batches that name them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventlog.batch import Batch
from eventlog.errors import BlobMissing, DataCorrupt, StoreForked, StoreNewer
from eventlog.store import Head, Store
from eventlog.sync.copying import OnBytes
from eventlog.sync.forks import check_agreement
from eventlog.sync.layout import SEGMENT_SIZE, Holdings, Segment, uncovered
from eventlog.sync.parallel import in_parallel
from eventlog.sync.references import named_blobs
from eventlog.sync.remote import Remote
from eventlog.sync.results import Tally
from eventlog.sync.segment import confirmed, segment_size

__all__ = ["Pusher", "lacking"]

# A batch and its hash.
Link = tuple[Batch, bytes]


def lacking(
    store: Store, copy_of: bytes, head: Head, segments: list[Segment], *, pulled: bool = False
) -> list[tuple[int, int]]:
    """The ranges of batches of a store that are here and not on a remote; read off names alone.

    Args:
        copy_of: id of the store.
        head: its last batch here.
        segments: what the remote holds of it.
        pulled: it was just pulled from that remote, so that it is known why the remote has more.

    Raises:
        StoreForked: here and there are two histories.
        DataCorrupt: the batches here are damaged.
    """
    check_agreement(store, copy_of, head, segments)
    if copy_of == store.id and not pulled and any(segment.last > head.number for segment in segments):
        raise StoreForked(
            f"the remote holds more of this store ({copy_of.hex()}) than is here, as after restoring a copy:"
            " pull first"
        )
    return uncovered(segments, head.number)


class Pusher:
    """One push.

    Args:
        holdings: what the remote holds, as listed.
        pulled: what it holds was just pulled.
    """

    def __init__(
        self, store: Store, remote: Remote, holdings: Holdings, tally: Tally, *, pulled: bool = False
    ) -> None:
        self.store = store
        self.remote = remote
        self.holdings = holdings
        self.tally = tally
        self.pulled = pulled
        self._blobs_there: set[str] = set()

    def __repr__(self) -> str:
        return f"<Pusher of {self.store!r} to {self.remote!r}>"

    def push(self) -> None:
        """Push every store's batches that are here; what cannot be is told among the tally's problems.

        Raises:
            RemoteUnreachable, RemoteInvalid: the remote does not take it. What is there is whole.
        """
        planned = []
        # Read after the remote was listed, so that what another process pushed meanwhile is no surprise.
        for copy_of, head in sorted(self.store.heads().items()):
            with self._problems():
                segments = self.holdings.get(copy_of, [])
                ranges = lacking(self.store, copy_of, head, segments, pulled=self.pulled)
                planned.append((copy_of, head, ranges))
                self.tally.add(batches_total=sum(last - first + 1 for first, last in ranges))
        for copy_of, head, ranges in planned:
            with self._problems():
                for first, last in ranges:
                    self._push_range(copy_of, first, last, head)
        self.remote.settle()

    def _push_range(self, copy_of: bytes, first: int, last: int, head: Head) -> None:
        try:
            for run in _runs(self._checked(copy_of, first, last, head)):
                self._push_run(copy_of, run)
        except (DataCorrupt, StoreNewer) as error:
            raise DataCorrupt(f"store {copy_of.hex()} is not pushed further: {error}") from None

    def _checked(self, copy_of: bytes, first: int, last: int, head: Head) -> Iterator[Link]:
        """The batches of a range, each proved by its hash to be what was committed."""
        last_hash = head.hash
        if last < head.number:
            (successor,) = self.store.batches(copy_of, last + 1, last + 1)
            last_hash = successor.previous
        try:
            yield from confirmed(
                self.store.batches(copy_of, first, last), copy_of, first, last, last_hash.__eq__
            )
        except (DataCorrupt, StoreNewer) as error:
            raise DataCorrupt(f"{error}; run `eventlog verify`") from None

    def _push_run(self, copy_of: bytes, run: list[Link]) -> None:
        """Push batches as one segment, up to the first whose blobs cannot be there before it."""
        named = [named_blobs(batch) for batch, _ in run]
        required = set[str]().union(*(blobs.required for blobs in named))
        possible = set[str]().union(*(blobs.possible for blobs in named))
        failed = self._push_blobs(required, possible)
        whole = 0
        while whole < len(run) and failed.keys().isdisjoint(named[whole].required):
            whole += 1
        if whole:
            batches = [batch for batch, _ in run[:whole]]
            size = segment_size(batches)
            self.tally.add(bytes_total=size)
            # Whatever happens to the machine, a blob is there before what names it.
            self.remote.settle()
            self.remote.put_segment(copy_of, batches, run[whole - 1][1])
            self.tally.segments += 1
            self.tally.add(batches=whole, bytes=size)
        if whole < len(run):
            reason = failed[min(failed.keys() & named[whole].required)]
            raise DataCorrupt(f"batch {run[whole][0].number} names a blob that cannot be pushed: {reason}")

    def _push_blobs(self, required: set[str], possible: set[str]) -> dict[str, str]:
        """Put on the remote what it lacks of these blobs; returns why not, for those required that fail."""
        asked = (required | possible) - self._blobs_there
        there = self.remote.blob_sizes(asked)
        failed: dict[str, str] = {}
        paths: dict[str, Path] = {}
        sizes: dict[str, int] = {}
        for digest in sorted(asked):
            try:
                path = self.store.blobs.path(digest)
                size = path.stat().st_size
            except (BlobMissing, OSError) as error:
                if digest not in there and digest in required:
                    failed[digest] = str(error)
            else:
                # One of another size is not whole, as a folder on a stick that was pulled out may hold.
                if there.get(digest) != size:
                    paths[digest], sizes[digest] = path, size
        self.tally.add(blobs_total=len(sizes), bytes_total=sum(sizes.values()))

        def put(digest: str, count: OnBytes) -> None:
            try:
                self.remote.put_blob(digest, paths[digest], count)
            except DataCorrupt as error:
                if digest in required:
                    failed[digest] = f"{error}; run `eventlog verify`"
            else:
                self.tally.add(blobs=1)

        in_parallel(put, sizes, lambda count: self.tally.add(bytes=count))
        self._blobs_there |= asked - failed.keys()
        return failed

    @contextmanager
    def _problems(self) -> Iterator[None]:
        """One store that cannot be pushed does not stop the others."""
        try:
            yield
        except (DataCorrupt, StoreForked, StoreNewer) as error:
            self.tally.problems.append(str(error))


def _runs(links: Iterator[Link]) -> Iterator[list[Link]]:
    """Links in runs that make a segment each; what came before an error is given before it is raised."""
    run: list[Link] = []
    size = 0
    while True:
        failure: Exception | None = None
        try:
            link = next(links, None)
        except (DataCorrupt, StoreNewer) as error:
            link, failure = None, error
        if link is not None:
            run.append(link)
            size += len(link[0].data)
        if run and (link is None or size >= SEGMENT_SIZE):
            yield run
            run, size = [], 0
        if failure is not None:
            raise failure
        if link is None:
            return
