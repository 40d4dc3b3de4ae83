"""Pushing: what a store holds and a remote does not, blobs first, then the batches that name them."""

from collections.abc import Iterator, Set
from contextlib import contextmanager
from typing import NamedTuple

from eventlog.batch import Batch
from eventlog.errors import DataCorrupt, StoreForked, StoreNewer
from eventlog.fork import derived_store
from eventlog.store import Head, Store
from eventlog.sync.forks import check_agreement, moved_here
from eventlog.sync.layout import SEGMENT_SIZE, Holdings, Segment, uncovered
from eventlog.sync.parallel import SMALL_JOBS, run_all
from eventlog.sync.references import Choose, NamedBlobs, named_blobs
from eventlog.sync.remote import Remote
from eventlog.sync.results import Tally
from eventlog.sync.segment import confirmed, segment_size
from eventlog.sync.sender import Sender

__all__ = ["Leaving", "Pusher", "lacking"]


class Leaving(NamedTuple):
    """A batch that is proved to be what was committed, its hash, and the blobs that it names."""

    batch: Batch
    hash: bytes
    named: NamedBlobs


def lacking(
    store: Store, remote: Remote, copy_of: bytes, head: Head, segments: list[Segment], *, pulled: bool = False
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
    check_agreement(store, remote, copy_of, head, segments)
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
        choose: which blobs travel now; by default all.
        jobs: how many transfers at once; by default as many as their sizes suggest.
        has: blobs that need not go, by their SHA-256.

    Attributes:
        put: the segments that it has put on the remote.
    """

    def __init__(
        self,
        store: Store,
        remote: Remote,
        holdings: Holdings,
        tally: Tally,
        *,
        pulled: bool = False,
        choose: Choose | None = None,
        jobs: int | None = None,
        has: Set[str] = frozenset(),
    ) -> None:
        self.store = store
        self.remote = remote
        self.holdings = holdings
        self.tally = tally
        self.pulled = pulled
        self.put: list[Segment] = []
        self._jobs = jobs
        self._blobs = Sender(store, remote, tally, choose, jobs, has)

    def __repr__(self) -> str:
        return f"<Pusher of {self.store!r} to {self.remote!r}>"

    def push(self) -> None:
        """Push every store's batches that are here; what cannot be is told among the tally's problems.

        Raises:
            RemoteUnreachable, RemoteInvalid: the remote does not take it. What is there is whole.
        """
        # Small stores go together, so that none of them waits for the network, or the disk, alone.
        wave: dict[bytes, list[Leaving]] = {}
        size = 0
        for run in self.leaving():
            copy_of = run[0].batch.store
            # A store's segments are put in order.
            if copy_of in wave or size >= SEGMENT_SIZE:
                self._push_wave(wave)
                wave, size = {}, 0
            wave[copy_of] = run
            size += sum(len(one.batch.data) for one in run)
        self._push_wave(wave)
        self._blobs.supply()
        self.remote.settle()
        self.tally.problems += self.remote.absent.problems

    def supply(self, digests: Set[str]) -> None:
        """Put those of these blobs that are here, though no batch that is pushed now may name them.

        The others are listed as absent, and so is what is lacking here: nobody else knows of it.

        Raises:
            RemoteUnreachable, RemoteInvalid: the remote does not take them.
        """
        self._blobs.send_all(digests)

    def leaving(self) -> Iterator[list[Leaving]]:
        """The batches that the remote lacks, in runs that make a segment each; damage is a problem."""
        planned = []
        # Read after the remote was listed, so that what another process pushed meanwhile is no surprise.
        heads = self.store.heads()
        for copy_of, head in sorted(heads.items()):
            with self._problems():
                segments = self.holdings.get(copy_of, [])
                ranges = lacking(self.store, self.remote, copy_of, head, segments, pulled=self.pulled)
                planned.append((copy_of, head, ranges))
                self.tally.add(batches_total=sum(last - first + 1 for first, last in ranges))
        for copy_of, head, ranges in planned:
            with self._problems():
                for first, last in ranges:
                    yield from _runs(self._checked(copy_of, first, last, head, heads.keys()))

    def _checked(
        self, copy_of: bytes, first: int, last: int, head: Head, here: Set[bytes]
    ) -> Iterator[Leaving]:
        """The batches of a range, each proved by its hash to be what was committed.

        Args:
            here: the stores that are here.
        """
        try:
            last_hash = head.hash
            if last < head.number:
                (successor,) = self.store.batches(copy_of, last + 1, last + 1)
                last_hash = successor.previous
            batches = self.store.batches(copy_of, first, last)
            for batch, digest in confirmed(batches, copy_of, first, last, last_hash.__eq__):
                if (becomes := derived_store(digest)) in here:
                    raise moved_here(copy_of, batch.number, becomes)
                yield Leaving(batch, digest, named_blobs(batch))
        except (DataCorrupt, StoreNewer) as error:
            raise DataCorrupt(
                f"store {copy_of.hex()} is not pushed further: {error}; run `eventlog verify`"
            ) from None

    def _push_wave(self, wave: dict[bytes, list[Leaving]]) -> None:
        """Push a run of batches of each of some stores, once their blobs are there or listed as absent."""
        if not wave:
            return
        self._blobs.send_named([one.named for run in wave.values() for one in run])
        # Whatever happens to the machine, a blob, or its list, is there before what names it.
        self.remote.settle()
        sizes = {copy_of: segment_size([one.batch for one in run]) for copy_of, run in wave.items()}
        self.tally.add(bytes_total=sum(sizes.values()))

        def put(copy_of: bytes) -> None:
            run = wave[copy_of]
            segment = self.remote.put_segment(copy_of, [one.batch for one in run], run[-1].hash)
            self.put.append(segment)
            self.tally.add(batches=len(run), bytes=sizes[copy_of])

        run_all(put, wave, self._jobs or SMALL_JOBS)
        self.tally.segments += len(wave)

    @contextmanager
    def _problems(self) -> Iterator[None]:
        """One store that cannot be pushed does not stop the others."""
        try:
            yield
        except (DataCorrupt, StoreForked, StoreNewer) as error:
            self.tally.problems.append(str(error))


def _runs(links: Iterator[Leaving]) -> Iterator[list[Leaving]]:
    """Batches in runs that make a segment each; what came before an error is given before it is raised."""
    run: list[Leaving] = []
    size = 0
    while True:
        failure: Exception | None = None
        try:
            link = next(links, None)
        except (DataCorrupt, StoreForked) as error:
            link, failure = None, error
        if link is not None:
            run.append(link)
            size += len(link.batch.data)
        if run and (link is None or size >= SEGMENT_SIZE):
            yield run
            run, size = [], 0
        if failure is not None:
            raise failure
        if link is None:
            return
