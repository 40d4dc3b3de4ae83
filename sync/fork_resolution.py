"""Resolving forks: what one copy of a store committed by itself gets an id of its own, here and on a remote.

The side of a fork that is here becomes another store (see `eventlog.fork`) if this machine is the one whose
store it is, or if the new store has come here already from the machine that is. On the remote, segments of a
side that has become a store which is there too, batch for batch, are deleted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from eventlog.batch import Batch
from eventlog.errors import DataCorrupt, EventlogError, NotFound, RemoteInvalid, StoreForked, StoreNewer
from eventlog.events import SessionStarted
from eventlog.fork import Parted, Rechaining, derived_store, part, session_start
from eventlog.store import Head, Store
from eventlog.sync.compaction import merge_small
from eventlog.sync.forks import hash_of
from eventlog.sync.layout import Segment, uncovered
from eventlog.sync.puller import Puller
from eventlog.sync.pusher import Pusher
from eventlog.sync.remote import Remote
from eventlog.sync.results import ProgressCallback, Tally
from eventlog.sync.segment import confirmed

__all__ = ["Fork", "ForkResult", "Side", "resolve_forks"]


@dataclass(frozen=True)
class Side:
    """What one copy of a store committed by itself.

    Attributes:
        batches: how many.
        last_time: of its last event, in milliseconds since 1970-01-01 UTC.
        host: of the session that its last batch is of; "" if that is not known.
        becomes: id of the store that it becomes, if this side is the one to get a new id.
    """

    batches: int
    last_time: int
    host: str
    becomes: bytes


@dataclass(frozen=True)
class Fork:
    """Two histories of one store.

    Attributes:
        store: its id.
        common: number of the last batch that both have; -1 for none.
        here: the side in this store.
        there: the side on the remote.
        parted: what became of the side here, or None if it stays as it is.
    """

    store: bytes
    common: int
    here: Side
    there: Side
    parted: Parted | None = None


@dataclass
class ForkResult:
    """What was found, and done about it.

    Attributes:
        forks: those found.
        deleted: segments deleted on the remote, as they are there as another store's.
        problems: what could not be resolved, and why: one line each.
    """

    forks: list[Fork] = field(default_factory=list)
    deleted: int = 0
    problems: list[str] = field(default_factory=list)


def resolve_forks(
    store: Store,
    url: str,
    *,
    named: bytes | None = None,
    dry_run: bool = False,
    progress: ProgressCallback | None = None,
) -> ForkResult:
    """Find the forks between a store and a remote, and give what is here of them a new id.

    All else is pulled first and pushed afterwards, as in a sync. Cut off anywhere, the next run goes on.

    Args:
        url: any URL that fsspec knows, or the path of a folder.
        named: another store whose side here gets a new id, as nobody is left to say so where it comes from.
        dry_run: only find them.

    Raises:
        InputInvalid, RemoteInvalid, RemoteUnreachable, StoreNewer: the remote cannot be used.
        StoreForked: processes are writing to the store.
        StoreFull, StoreReadOnly: the store cannot be written.
    """
    remote = Remote(url)
    remote.require()
    result = ForkResult()
    if not dry_run:
        # What this process has appended belongs to the side that is here.
        store.session.close()
        # The store that a side has become may come with it.
        Puller(store, remote, remote.holdings(), Tally("pull", progress)).pull()
    holdings = remote.holdings()
    for copy_of in sorted(holdings.keys() & store.heads().keys()):
        try:
            fork = _find(store, remote, copy_of, holdings[copy_of])
            if fork is None:
                continue
            if not dry_run:
                parted = _part(store, fork, named)
                fork = Fork(fork.store, fork.common, fork.here, fork.there, parted)
            result.forks.append(fork)
        except (DataCorrupt, StoreNewer) as error:
            result.problems.append(str(error))
        except StoreForked as error:
            if copy_of == store.id:
                raise
            result.problems.append(str(error))
    if not dry_run:
        _meet(store, remote, result, progress)
    return result


def _part(store: Store, fork: Fork, named: bytes | None) -> Parted | None:
    heads = store.heads()
    if fork.here.becomes in heads or fork.store == named:
        return part(store, fork.store, fork.common)
    if fork.there.becomes in heads:
        return None
    if fork.store == store.id:
        return part(store, fork.store, fork.common)
    raise StoreForked(
        f"store {fork.store.hex()} has two histories after batch {fork.common}, and is another machine's: run"
        " `eventlog fork` there, on one of the two, and then here; or here with --store, if neither is left"
    )


def _meet(store: Store, remote: Remote, result: ForkResult, progress: ProgressCallback | None) -> None:
    """Push what there is now, delete what the remote has twice, and take in the other sides."""
    remote.prepare()
    holdings = remote.holdings()
    pushing = Tally("push", progress)
    pusher = Pusher(store, remote, holdings, pushing, pulled=True)
    pusher.push()
    merge_small(store, remote, holdings, pusher.put)
    remote.settle()
    for copy_of in sorted(holdings.keys() & store.heads().keys()):
        try:
            result.deleted += _clear(store, remote, copy_of)
        except EventlogError as error:
            result.problems.append(f"{remote.url} keeps batches of store {copy_of.hex()} twice: {error}")
    pulling = Tally("pull", progress)
    holdings = remote.holdings()
    Puller(store, remote, holdings, pulling).pull()
    again = Tally("push", progress)
    Pusher(store, remote, holdings, again, pulled=True).push()
    # Of a fork that stays, it has been said why.
    told = [copy_of.hex() for copy_of in holdings if any(copy_of.hex() in one for one in result.problems)]
    result.problems += [
        problem
        for problem in dict.fromkeys(pulling.problems + again.problems)
        if not any(name in problem for name in told)
    ]


def _find(store: Store, remote: Remote, copy_of: bytes, segments: list[Segment]) -> Fork | None:
    """The fork between what is here and on a remote of a store, if there is one."""
    head = store.heads()[copy_of]
    heads = store.heads()
    for side in _read_sides(store, remote, copy_of, head, segments):
        common = side.first.number - 1
        if common < head.number and (side.chain.store not in heads or not side.is_moved):
            return Fork(copy_of, common, _here(store, copy_of, common, head), side.described())
    return None


def _here(store: Store, copy_of: bytes, common: int, head: Head) -> Side:
    (first,) = store.batches(copy_of, common + 1, common + 1)
    (last,) = store.batches(copy_of, head.number, head.number)
    return Side(
        head.number - common,
        last.last_time,
        session_start(store, copy_of, last.session).host,
        derived_store(first.hash),
    )


class _SideThere:
    """A side of a fork on a remote: batches that are not what is here under their numbers.

    Attributes:
        first: its first batch.
        chain: what it becomes.
        is_moved: whether all of it that was read is here, as the store that it becomes.
        segments: those that hold batches of it.
    """

    def __init__(self, store: Store, first: Batch) -> None:
        self._store = store
        self._starts: dict[bytes, SessionStarted] = {}
        self._last = first
        self._batches = 0
        self.first = first
        self.chain = Rechaining(first, self._start_of)
        self.is_moved = True
        self.segments: set[Segment] = set()

    def __repr__(self) -> str:
        return f"<_SideThere of {self._batches} batches from {self.first!r} on>"

    def take(self, batch: Batch) -> None:
        """Take in the next batch."""
        if batch.first == 0:
            started = batch.events()[0].event
            if isinstance(started, SessionStarted):
                self._starts[batch.session] = started
        for new in self.chain.take(batch):
            there = next(self._store.batches(self.chain.store, new.number, new.number), None)
            self.is_moved &= there is not None and there.data == new.data
        self._last = batch
        self._batches += 1

    def described(self) -> Side:
        host = self._start_of(self._last.session).host
        return Side(self._batches, self._last.last_time, host, self.chain.store)

    def _start_of(self, session: bytes) -> SessionStarted:
        if session not in self._starts:
            self._starts[session] = session_start(self._store, self.first.store, session)
        return self._starts[session]


def _read_sides(
    store: Store, remote: Remote, copy_of: bytes, head: Head, segments: Iterable[Segment]
) -> list[_SideThere]:
    """The sides of a store on a remote that are not here, from the segments that differ by name.

    Raises:
        DataCorrupt: the batch with which one begins is not there.
    """
    sides: list[_SideThere] = []
    # By the hashes of their batches, and of their last ones.
    of_batch: dict[bytes, _SideThere] = {}
    at_end: dict[bytes, _SideThere] = {}
    for segment in sorted(segments):
        if segment.last <= head.number and segment.ends_with(hash_of(store, copy_of, segment.last, head)):
            continue
        for batch, digest in _readable(remote, segment):
            side = of_batch.get(digest)
            if side is None:
                if batch.number <= head.number and digest == hash_of(store, copy_of, batch.number, head):
                    continue
                side = at_end.pop(batch.previous, None)
                if side is None:
                    if batch.number and (
                        batch.number > head.number + 1
                        or batch.previous != hash_of(store, copy_of, batch.number - 1, head)
                    ):
                        raise DataCorrupt(
                            f"{remote.url} has batch {batch.number} of another history of store"
                            f" {copy_of.hex()}, and lacks those before it: push to it from where they are"
                        )
                    side = _SideThere(store, batch)
                    sides.append(side)
                side.take(batch)
                of_batch[digest] = at_end[digest] = side
            side.segments.add(segment)
    return sides


def _readable(remote: Remote, segment: Segment) -> Iterator[tuple[Batch, bytes]]:
    """The batches of a segment, and their hashes, as far as it is sound."""
    try:
        with remote.read_segment(segment, lambda _: None) as batches:
            yield from confirmed(batches, segment.store, segment.first, segment.last, segment.ends_with)
    except (DataCorrupt, NotFound, RemoteInvalid):
        # A pull says so.
        return


def _clear(store: Store, remote: Remote, copy_of: bytes) -> int:
    """Delete the segments of a store on a remote whose batches are there as another store's."""
    head = store.heads()[copy_of]
    segments = remote.segments_of(copy_of)
    deleted = 0
    for side in _read_sides(store, remote, copy_of, head, segments):
        if not side.is_moved or uncovered(remote.segments_of(side.chain.store), side.chain.head.number):
            continue
        common = side.first.number - 1
        kept = [segment for segment in segments if segment not in side.segments]
        for first, last in uncovered(kept, common):
            # One that is deleted holds batches of both.
            links = list(
                confirmed(
                    store.batches(copy_of, first, last),
                    copy_of,
                    first,
                    last,
                    hash_of(store, copy_of, last, head).__eq__,
                )
            )
            kept.append(remote.put_segment(copy_of, [batch for batch, _ in links], links[-1][1]))
        remote.settle()
        for segment in side.segments:
            remote.objects.remove(segment.object)
            deleted += 1
        segments = kept
    return deleted
