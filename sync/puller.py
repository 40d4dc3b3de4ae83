"""Pulling: what a remote holds and a store does not, checked before it is let in, blobs first."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from eventlog.batch import FIRST_PREVIOUS, Batch
from eventlog.blobs import BlobWriter
from eventlog.errors import (
    BlobMissing,
    DataCorrupt,
    NotFound,
    RemoteInvalid,
    StoreForked,
    StoreNewer,
    StoreReadOnly,
)
from eventlog.store import Head, Store
from eventlog.sync.copying import OnBytes
from eventlog.sync.forks import check_agreement, forked
from eventlog.sync.layout import SEGMENT_SIZE, Holdings, Segment, blob_object, covering
from eventlog.sync.parallel import in_parallel
from eventlog.sync.references import named_blobs
from eventlog.sync.results import Tally
from eventlog.sync.segment import confirmed

__all__ = ["Puller", "Source"]

BEFORE_FIRST = Head(-1, FIRST_PREVIOUS)
# What is wrong with one segment, or one store, and does not stop the others.
ONE_BAD_THING = (BlobMissing, DataCorrupt, NotFound, RemoteInvalid, StoreForked, StoreNewer)


class Source(Protocol):
    """What a pull reads from: a `Remote`, or another store."""

    url: str

    def read_segment(
        self, segment: Segment, progress: OnBytes
    ) -> AbstractContextManager[Iterator[Batch]]: ...

    def blob_sizes(self, digests: Iterable[str]) -> dict[str, int]: ...

    def copy_blob(self, digest: str, size: int, writer: BlobWriter, progress: OnBytes) -> None: ...


class Puller:
    """One pull.

    Args:
        holdings: what the remote holds, as listed.
    """

    def __init__(self, store: Store, remote: Source, holdings: Holdings, tally: Tally) -> None:
        self.store = store
        self.remote = remote
        self.holdings = holdings
        self.tally = tally

    def __repr__(self) -> str:
        return f"<Puller from {self.remote!r} into {self.store!r}>"

    def pull(self) -> None:
        """Let in every store's batches that are not here; what cannot be is told among the problems.

        Raises:
            RemoteUnreachable: the remote broke off. What was let in is whole.
            StoreFull, StoreReadOnly: there is no room or no right to let it in.
        """
        if self.store.read_only:
            raise StoreReadOnly(f"the store at {self.store.home} is open for reading alone: it can only push")
        heads = self.store.heads()
        for copy_of, segments in self.holdings.items():
            head = heads.get(copy_of, BEFORE_FIRST)
            end = max(segment.last for segment in segments)
            self.tally.add(batches_total=max(0, end - head.number))
        for copy_of, segments in sorted(self.holdings.items()):
            try:
                self._pull_store(copy_of, heads.get(copy_of), segments)
            except ONE_BAD_THING as error:
                self.tally.problems.append(str(error))

    def _pull_store(self, copy_of: bytes, head: Head | None, segments: list[Segment]) -> None:
        check_agreement(self.store, copy_of, head, segments)
        before = reached = head or BEFORE_FIRST
        usable = set(segments)
        damaged = False
        while segment := covering(usable, reached.number + 1):
            # Another segment may hold the same batches, and a damaged one can then be got around.
            usable.discard(segment)
            try:
                self._let_in(segment, reached)
            except (DataCorrupt, NotFound, RemoteInvalid, StoreNewer) as error:
                damaged = True
                problem = f"{self.remote.url}/{segment.object} is passed over: {error}"
                if isinstance(error, DataCorrupt):
                    problem += "; remove it, and push from a store that has its batches"
                self.tally.problems.append(problem)
            reached = self.store.heads().get(copy_of, BEFORE_FIRST)
        arrived = [segment for segment in segments if segment.last > before.number]
        check_agreement(self.store, copy_of, reached, arrived)
        end = max(segment.last for segment in segments)
        if reached.number < end and not damaged:
            raise DataCorrupt(
                f"{self.remote.url} lacks batch {reached.number + 1} of store {copy_of.hex()}, though it has"
                " later ones: push to it from where that batch is"
            )

    def _let_in(self, segment: Segment, reached: Head) -> None:
        self.tally.add(bytes_total=segment.size)
        with self.remote.read_segment(segment, self._count_bytes) as batches:
            chain = confirmed(batches, segment.store, segment.first, segment.last, segment.ends_with)
            for run in _runs(self._continuing(chain, segment, reached)):
                self._admit(run)
        self.tally.segments += 1

    def _continuing(
        self, chain: Iterator[tuple[Batch, bytes]], segment: Segment, reached: Head
    ) -> Iterator[Batch]:
        """Those batches of a segment that come after the last one here."""
        differs = False
        for batch, digest in chain:
            if batch.number == reached.number:
                differs |= digest != reached.hash
            elif batch.number == reached.number + 1:
                differs |= batch.previous != reached.hash
            if batch.number > reached.number and not differs:
                yield batch
        # Not before its end is a segment known to be sound, and so to be another history's.
        if differs:
            raise forked(segment.store, segment)

    def _admit(self, run: list[Batch]) -> None:
        """Let in batches, up to the first whose blobs cannot be here before it."""
        named = [named_blobs(batch) for batch in run]
        required = set[str]().union(*(blobs.required for blobs in named))
        possible = set[str]().union(*(blobs.possible for blobs in named))
        failed = self._fetch_blobs(required, possible)
        whole = 0
        while whole < len(run) and failed.keys().isdisjoint(named[whole].required):
            whole += 1
        self.tally.add(batches=self.store.admit(run[:whole]))
        if whole < len(run):
            batch = run[whole]
            reason = failed[min(failed.keys() & named[whole].required)]
            raise BlobMissing(
                f"store {batch.store.hex()} is not pulled further: batch {batch.number} names a blob that"
                f" cannot be had: {reason}"
            )

    def _fetch_blobs(self, required: set[str], possible: set[str]) -> dict[str, str]:
        """Take in those of these blobs that are not here; returns why not, for those required that fail."""
        wanted = sorted(digest for digest in required | possible if digest not in self.store.blobs)
        sizes = self.remote.blob_sizes(wanted)
        failed = {
            digest: f"{self.remote.url}/{blob_object(digest)} is not there"
            for digest in wanted
            if digest in required and digest not in sizes
        }
        self.tally.add(blobs_total=len(sizes), bytes_total=sum(sizes.values()))

        def fetch(digest: str, count: OnBytes) -> None:
            try:
                with self.store.blobs.writer(expected=digest) as writer:
                    self.remote.copy_blob(digest, sizes[digest], writer, count)
            except (DataCorrupt, NotFound, RemoteInvalid) as error:
                if digest in required:
                    failed[digest] = f"{self.remote.url}/{blob_object(digest)}: {error}"
            else:
                self.tally.add(blobs=1)

        in_parallel(fetch, sizes, self._count_bytes)
        return failed

    def _count_bytes(self, count: int) -> None:
        self.tally.add(bytes=count)


def _runs(batches: Iterator[Batch]) -> Iterator[list[Batch]]:
    """Batches in runs that fit in memory: a segment's as one, unless it is larger than any pushed here."""
    run: list[Batch] = []
    size = 0
    for batch in batches:
        run.append(batch)
        size += len(batch.data)
        if size >= SEGMENT_SIZE:
            yield run
            run, size = [], 0
    if run:
        yield run
