"""Pulling: what a remote holds and a store does not, checked before it is let in, blobs first."""

from collections.abc import Generator, Iterable, Iterator, Set
from contextlib import AbstractContextManager, closing
from typing import BinaryIO, NamedTuple, Protocol

from eventlog.batch import FIRST_PREVIOUS, Batch
from eventlog.blobs import BlobWriter
from eventlog.errors import (
    DataCorrupt,
    EventlogError,
    NotFound,
    RemoteInvalid,
    RemoteUnreachable,
    StoreForked,
    StoreNewer,
    StoreReadOnly,
)
from eventlog.fork import derived_store
from eventlog.store import Head, Store
from eventlog.sync.blob_lists import BlobLists
from eventlog.sync.copying import OnBytes
from eventlog.sync.failures import passed_over
from eventlog.sync.fetcher import Fetcher
from eventlog.sync.forks import check_agreement, forked, moved
from eventlog.sync.layout import SEGMENT_SIZE, Holdings, Segment, chain_after, covering, uncovered
from eventlog.sync.read_ahead import ReadAhead
from eventlog.sync.references import Choose, NamedBlobs, named_blobs
from eventlog.sync.results import Tally
from eventlog.sync.segment import confirmed

__all__ = ["BEFORE_FIRST", "Arrived", "Puller", "Source"]

# As far as batches are compressed as a rule.
USUAL_RATIO = 4
BEFORE_FIRST = Head(-1, FIRST_PREVIOUS)
# What is wrong with one segment, or one store, and does not stop the others.
ONE_BAD_THING = (DataCorrupt, NotFound, RemoteInvalid, StoreForked, StoreNewer)


class Source(Protocol):
    """What a pull reads from: a `Remote`, or another store."""

    url: str
    absent: BlobLists

    @property
    def advice_on_gaps(self) -> str: ...

    @property
    def advice_on_blobs(self) -> str: ...

    @property
    def advice_on_sides(self) -> str: ...

    def left_out(self) -> set[str]: ...

    @property
    def is_local(self) -> bool: ...

    def is_reachable(self) -> bool: ...

    def segments_of(self, store: bytes) -> list[Segment]: ...

    def read_segment(
        self, segment: Segment, progress: OnBytes, file: BinaryIO | None = None
    ) -> AbstractContextManager[Iterator[Batch]]: ...

    def whole_segment(self, segment: Segment) -> bytes: ...

    def blob_sizes(self, digests: Iterable[str]) -> dict[str, int]: ...

    def whole_blob(self, digest: str, size: int) -> bytes: ...

    def copy_blob(self, digest: str, size: int, writer: BlobWriter, progress: OnBytes) -> None: ...


class Arrived(NamedTuple):
    """A batch that is proved to continue its store's chain, and the blobs that it names."""

    batch: Batch
    named: NamedBlobs


class Puller:
    """One pull.

    Args:
        holdings: what the remote holds, as listed.
        choose: which blobs travel now; by default all.
        jobs: how many transfers at once; by default as many as their sizes suggest.
    """

    def __init__(
        self,
        store: Store,
        remote: Source,
        holdings: Holdings,
        tally: Tally,
        *,
        choose: Choose | None = None,
        jobs: int | None = None,
    ) -> None:
        self.store = store
        self.remote = remote
        self.holdings = holdings
        self.tally = tally
        self._jobs = jobs
        self._blobs = Fetcher(store, remote, tally, choose, jobs)
        # Stores of which a batch was refused, so that none after it can be let in.
        self._refused: set[bytes] = set()
        self._here: Set[bytes] = set()

    def __repr__(self) -> str:
        return f"<Puller from {self.remote!r} into {self.store!r}>"

    @property
    def missing(self) -> set[str]:
        """The blobs that the remote should have, and neither has nor lists as absent."""
        return self._blobs.missing

    def pull(self) -> None:
        """Let in every store's batches that are not here; what cannot be is told among the problems.

        Raises:
            RemoteUnreachable: the remote broke off. What was let in is whole.
            StoreFull, StoreReadOnly: there is no room or no right to let it in.
        """
        if self.store.read_only:
            raise StoreReadOnly(f"the store at {self.store.home} is open for reading alone: it can only push")
        heads = self.store.heads()
        self._here = heads.keys()
        self._blobs.begin()
        # Small stores are let in together, so that none of them waits for the network, or the disk, alone.
        wave: list[Arrived] = []
        size = 0
        for arrived in self.arriving(heads):
            wave.append(arrived)
            # What they unpack to counts, too, or a few bytes could make it as large as they like.
            size += max(len(arrived.batch.data), arrived.batch.content_size // USUAL_RATIO)
            if size >= SEGMENT_SIZE:
                self._let_in(wave)
                wave, size = [], 0
        self._let_in(wave)
        self._check_ends(heads)
        self._blobs.finish(covers_log=self._covers_log())

    def arriving(self, heads: dict[bytes, Head]) -> Iterator[Arrived]:
        """The batches that are not here, store by store, each proved; what cannot be got is a problem."""
        order: list[Segment] = []
        for copy_of, segments in sorted(self.holdings.items()):
            reached = heads.get(copy_of, BEFORE_FIRST).number
            chain = chain_after(segments, reached)
            order += chain
            end = max(segment.last for segment in segments)
            self.tally.add(
                batches_total=max(0, end - reached), bytes_total=sum(segment.size for segment in chain)
            )
        with ReadAhead(self.remote, order, self._jobs) as ahead:
            for copy_of, segments in sorted(self.holdings.items()):
                try:
                    with closing(self._of_store(ahead, copy_of, heads.get(copy_of), segments)) as batches:
                        for arrived in batches:
                            yield arrived
                            if copy_of in self._refused:
                                break
                except ONE_BAD_THING as error:
                    self._refused.add(copy_of)
                    self.tally.problems.append(str(error))

    def _of_store(
        self, ahead: ReadAhead, copy_of: bytes, head: Head | None, segments: list[Segment]
    ) -> Generator[Arrived, None, None]:
        check_agreement(self.store, self.remote, copy_of, head, segments)
        reached = head or BEFORE_FIRST
        known = set(segments)
        usable = set(segments)
        expected = set(chain_after(segments, reached.number))
        damaged = False
        gone: dict[Segment, NotFound] = {}
        while True:
            while segment := covering(usable, reached.number + 1):
                # Another segment may hold the same batches, and a damaged one can then be got around.
                usable.discard(segment)
                if segment not in expected:
                    self.tally.add(bytes_total=segment.size)
                try:
                    with ahead.read_segment(segment, self._count_bytes) as batches:
                        chain = confirmed(batches, copy_of, segment.first, segment.last, segment.ends_with)
                        for batch, digest in self._continuing(chain, segment, reached):
                            if (becomes := derived_store(digest)) in self._here:
                                self._note(str(moved(self.remote, copy_of, batch.number, becomes)))
                                damaged = True
                                break
                            arrived = Arrived(batch, named_blobs(batch))
                            reached = Head(batch.number, digest)
                            yield arrived
                        else:
                            self.tally.segments += 1
                except NotFound as error:
                    gone[segment] = error
                except (DataCorrupt, RemoteInvalid, RemoteUnreachable, StoreNewer) as error:
                    self._pass_over(segment, error)
                    damaged = True
            if reached.number >= max(segment.last for segment in known):
                return
            # Whoever merges segments writes the larger before deleting the smaller.
            fresh = set(self.remote.segments_of(copy_of)) - known
            if not fresh:
                break
            known |= fresh
            usable |= fresh
            self.holdings[copy_of] = sorted(known)
            check_agreement(self.store, self.remote, copy_of, head, fresh)
        for segment, absence in gone.items():
            if segment.last > reached.number:
                self._pass_over(segment, absence)
                damaged = True
        if not damaged:
            raise DataCorrupt(
                f"{self.remote.url} lacks batch {reached.number + 1} of store {copy_of.hex()}, though it has"
                f" later ones: {self.remote.advice_on_gaps}"
            )

    def _note(self, problem: str) -> None:
        if problem not in self.tally.problems:
            self.tally.problems.append(problem)

    def _pass_over(self, segment: Segment, error: EventlogError) -> None:
        if isinstance(error, RemoteUnreachable) and not self.remote.is_reachable():
            raise error
        problem = passed_over(self.remote.url, segment.object, error)
        if isinstance(error, DataCorrupt):
            problem += "; remove it, and push from a store that has its batches"
        elif isinstance(error, NotFound):
            problem += ", or not yet, though it is listed; sync again"
        self.tally.problems.append(problem)

    def _continuing(
        self, chain: Iterator[tuple[Batch, bytes]], segment: Segment, reached: Head
    ) -> Iterator[tuple[Batch, bytes]]:
        """Those batches of a segment that come after the last one here, and their hashes."""
        differs = False
        for batch, digest in chain:
            if batch.number == reached.number:
                differs |= digest != reached.hash
            elif batch.number == reached.number + 1:
                differs |= batch.previous != reached.hash
            if batch.number > reached.number and not differs:
                yield batch, digest
        # Not before its end is a segment known to be sound, and so to be another history's.
        if differs:
            raise forked(self.store, self.remote, segment)

    def _let_in(self, wave: list[Arrived]) -> None:
        """Let in batches of any stores, once their blobs are here or listed as absent."""
        if not wave:
            return
        self._blobs.fetch_named([arrived.named for arrived in wave])
        by_store: dict[bytes, list[Batch]] = {}
        for arrived in wave:
            by_store.setdefault(arrived.batch.store, []).append(arrived.batch)
        try:
            self.tally.add(batches=self.store.admit([arrived.batch for arrived in wave]))
        except (DataCorrupt, StoreForked):
            for copy_of, batches in by_store.items():
                try:
                    self.tally.add(batches=self.store.admit(batches))
                except (DataCorrupt, StoreForked) as error:
                    self._refused.add(copy_of)
                    self.tally.problems.append(f"store {copy_of.hex()} is not pulled further: {error}")

    def _check_ends(self, before: dict[bytes, Head]) -> None:
        """Make sure that what was let in is of the same history as the segments that were not read."""
        heads = self.store.heads()
        for copy_of, segments in sorted(self.holdings.items()):
            reached = before.get(copy_of, BEFORE_FIRST).number
            arrived = [segment for segment in segments if segment.last > reached]
            if arrived and copy_of not in self._refused:
                try:
                    check_agreement(self.store, self.remote, copy_of, heads.get(copy_of), arrived)
                except ONE_BAD_THING as error:
                    self.tally.problems.append(str(error))

    def _covers_log(self) -> bool:
        """Whether the remote has all that is here of others' logs, so that it should know of each blob."""
        return all(
            not uncovered(self.holdings.get(copy_of, []), head.number)
            for copy_of, head in self.store.heads().items()
            if copy_of != self.store.id
        )

    def _count_bytes(self, count: int) -> None:
        self.tally.add(bytes=count)
