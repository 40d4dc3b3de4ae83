"""Resolving forks: what one copy of a store committed by itself gets an id of its own, here and on a remote.

The side of a fork that is here becomes another store (see `eventlog.fork`) if this machine is the one whose
store it is, or if the new store has come here already from the machine that is. On the remote, segments of a
side that has become a store which is there too, batch for batch, are deleted.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import msgspec

from eventlog.batch import Batch
from eventlog.errors import DataCorrupt, EventlogError, NotFound, RemoteInvalid, StoreForked, StoreNewer
from eventlog.events import SessionStarted
from eventlog.fork import Destination, Parted, derived_store, part, session_start, start_in
from eventlog.store import Head, Store
from eventlog.sync.compaction import merge_small
from eventlog.sync.fork_sides import Side, Written
from eventlog.sync.forks import hash_of
from eventlog.sync.layout import Holdings, Segment, uncovered
from eventlog.sync.planning import Planned, plan_pull, plan_push
from eventlog.sync.puller import BEFORE_FIRST, Puller
from eventlog.sync.pusher import Pusher
from eventlog.sync.remote import Remote
from eventlog.sync.results import ProgressCallback, Tally, Transfer
from eventlog.sync.segment import confirmed

__all__ = ["Fork", "ForkResult", "Moved", "resolve_forks", "side_here"]


@dataclass(frozen=True)
class Fork:
    """Two histories of one store.

    Attributes:
        store: its id.
        common: number of the last batch that both have; -1 for none.
        here: the side in this store.
        there: the side on the remote; None if only here there are batches that have a new id elsewhere.
        remote: its URL, as it may be shown.
        parted: what became of the side here, or None if it stays as it is.
    """

    store: bytes
    common: int
    here: Side
    there: Side | None
    remote: str
    parted: Parted | None = None


class Moved(NamedTuple):
    """How much went one way: batches, and blobs."""

    batches: int = 0
    blobs: int = 0

    @classmethod
    def planned(cls, total: Planned) -> "Moved":
        """What a transfer would do."""
        return cls(total.batches, total.blobs)

    def and_of(self, tally: Tally) -> "Moved":
        """What a transfer has done, added to this."""
        done = tally.result(Transfer)
        return Moved(self.batches + done.batches, self.blobs + done.blobs)


@dataclass
class ForkResult:
    """What was found, and done about it.

    Attributes:
        forks: those found.
        pulled, pushed: what was let in and put there meanwhile, as by a sync.
        deleted: segments deleted on the remote, as they are there as another store's.
            Of these three, a dry run says what would be, but for the sides that have no new id yet.
        problems: what could not be resolved, and why: one line each.
    """

    forks: list[Fork] = field(default_factory=list)
    pulled: Moved = field(default_factory=Moved)
    pushed: Moved = field(default_factory=Moved)
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
        dry_run: only find them, and what would be done about what has a new id already.

    Raises:
        InputInvalid, RemoteInvalid, RemoteUnreachable, StoreNewer: the remote cannot be used.
        StoreForked: processes are writing to the store.
        StoreFull, StoreReadOnly: the store cannot be written.
    """
    with Remote(url) as remote:
        remote.require()
        return _resolve(store, remote, named, progress, dry_run=dry_run)


def side_here(store: Store, copy_of: bytes, common: int) -> Side:
    """What is here of a store behind a batch, of which there is something here.

    Raises:
        DataCorrupt: the batches are damaged.
    """
    (first,) = store.batches(copy_of, common + 1, common + 1)
    last = first
    written = Written()
    for last in store.batches(copy_of, common + 1):
        written.add(last)
    return Side(
        last.number - common,
        written.events,
        last.last_time,
        session_start(store, copy_of, last.session).host,
        written.task,
        written.task_name,
        derived_store(first.hash),
    )


def _resolve(
    store: Store, remote: Remote, named: bytes | None, progress: ProgressCallback | None, *, dry_run: bool
) -> ForkResult:
    result = ForkResult()
    if not dry_run:
        # What this process has appended belongs to the side that is here.
        store.session.close()
        # The store that a side has become may come with it.
        first = Tally("pull", progress)
        Puller(store, remote, remote.holdings(), first).pull()
        result.pulled = result.pulled.and_of(first)
    holdings = remote.holdings()
    for copy_of in sorted(store.heads()):
        try:
            fork = _find(store, remote, copy_of, holdings.get(copy_of, []))
            if fork is None:
                continue
            if not dry_run:
                fork = replace(fork, parted=_part(store, fork, named))
            result.forks.append(fork)
        except (DataCorrupt, StoreNewer) as error:
            result.problems.append(str(error))
        except StoreForked as error:
            if copy_of == store.id:
                raise
            result.problems.append(str(error))
    if dry_run:
        _foresee(store, remote, holdings, result, progress)
    else:
        _meet(store, remote, result, progress)
    return result


def _part(store: Store, fork: Fork, named: bytes | None) -> Parted | None:
    if fork.store in (store.id, named):
        return part(store, fork.store, fork.common)
    return part(store, fork.store, fork.common, create=False)


def _meet(store: Store, remote: Remote, result: ForkResult, progress: ProgressCallback | None) -> None:
    """Push what there is now, delete what the remote has twice, and take in the other sides."""
    if not remote.is_read_only:
        remote.prepare()
        holdings = remote.holdings()
        first = Tally("push", progress)
        pusher = Pusher(store, remote, holdings, first, pulled=True)
        pusher.push()
        result.pushed = result.pushed.and_of(first)
        merge_small(store, remote, holdings, pusher.put)
        remote.settle()
        for copy_of in sorted(holdings):
            try:
                result.deleted += _clear(store, remote, copy_of)
            except EventlogError as error:
                result.problems.append(_keeps_twice(remote, copy_of, error))
    holdings = remote.holdings()
    pulling, pushing = Tally("pull", progress), Tally("push", progress)
    puller = Puller(store, remote, holdings, pulling)
    puller.pull()
    if not remote.is_read_only:
        remote.absent.add(puller.missing)
        Pusher(store, remote, holdings, pushing, pulled=True).push()
    result.pulled = result.pulled.and_of(pulling)
    result.pushed = result.pushed.and_of(pushing)
    _add_problems(result, holdings, pulling.problems + pushing.problems)


def _foresee(
    store: Store, remote: Remote, holdings: Holdings, result: ForkResult, progress: ProgressCallback | None
) -> None:
    """Find out what `_meet` would do."""
    problems: list[str] = []
    if not remote.is_read_only:
        for copy_of, segments in sorted(holdings.items()):
            try:
                twice = _held_twice(store, remote, copy_of, segments)
            except EventlogError as error:
                result.problems.append(_keeps_twice(remote, copy_of, error))
            else:
                result.deleted += len(twice.segments)
                holdings[copy_of] = [one for one in segments if one not in twice.segments] + twice.common
        push = plan_push(store, remote, holdings, progress=progress, pulled=True)
        result.pushed = Moved.planned(push.total)
        problems = push.problems
    pull = plan_pull(store, remote, holdings, progress=progress)
    result.pulled = Moved.planned(pull.total)
    _add_problems(result, holdings, pull.problems + problems)


def _add_problems(result: ForkResult, holdings: Holdings, problems: list[str]) -> None:
    # Of a fork that stays, it has been said why.
    told = [copy_of.hex() for copy_of in holdings if any(copy_of.hex() in one for one in result.problems)]
    told += [fork.store.hex() for fork in result.forks if fork.parted is None]
    result.problems += [
        problem for problem in dict.fromkeys(problems) if not any(name in problem for name in told)
    ]


def _keeps_twice(remote: Remote, copy_of: bytes, error: EventlogError) -> str:
    return f"{remote.url} keeps batches of store {copy_of.hex()} twice: {error}"


def _find(store: Store, remote: Remote, copy_of: bytes, segments: list[Segment]) -> Fork | None:
    """The fork between what is here and on a remote of a store, if there is one that is not resolved."""
    heads = store.heads()
    head = heads[copy_of]
    places = _read_sides(store, remote, copy_of, head, segments)
    # What somebody else has given a new id is not what is here any more.
    moved = next(
        (one.number for one in store.batches(copy_of) if derived_store(one.hash) in heads), head.number + 1
    )
    unresolved = [place for place in places.values() if not place.is_here and place.common < head.number]
    if not unresolved and moved > head.number:
        return None
    there = max(unresolved, key=lambda place: place.batch.number, default=None)
    common = moved - 1 if there is None else min(there.common, moved - 1)
    side = None if there is None else there.described()
    return Fork(copy_of, common, side_here(store, copy_of, common), side, remote.url)


class _Place:
    """A batch on a remote that is not what is here under its number, and where it goes.

    Attributes:
        batch: the batch, without what it holds.
        common: number of the last batch before it that is here as well.
        first: hash of the first one after that.
        destination: where the batches up to this one go.
        written: what they hold.
        is_here: whether it is here, as the batch of another store.
    """

    def __init__(
        self, before: "_Place | None", batch: Batch, digest: bytes, destination: Destination
    ) -> None:
        self.common: int = before.common if before else batch.number - 1
        self.first: bytes = before.first if before else digest
        self.destination = destination
        self.is_here: bool = (before is None or before.is_here) and destination.take(batch) is not None
        self.written: Written = Written(before.written if before else None).add(batch)
        self.batch = msgspec.structs.replace(batch, data=b"")

    def __repr__(self) -> str:
        return f"<_Place of {self.batch!r}>"

    def described(self) -> Side:
        return Side(
            self.batch.number - self.common,
            self.written.events,
            self.batch.last_time,
            self.destination.start_of(self.batch.session).host,
            self.written.task,
            self.written.task_name,
            derived_store(self.first),
        )


def _read_sides(
    store: Store, remote: Remote, copy_of: bytes, head: Head, segments: Iterable[Segment]
) -> dict[bytes, _Place]:
    """The batches of a store on a remote that are not here, by hash, from segments that differ by name.

    Raises:
        DataCorrupt: the batch with which one begins is not there.
    """
    starts: dict[bytes, SessionStarted] = {}

    def find(of_store: bytes, number: int) -> bytes | None:
        return next((batch.data for batch in store.batches(of_store, number, number)), None)

    def start_of(session: bytes) -> SessionStarted:
        if session not in starts:
            starts[session] = session_start(store, copy_of, session)
        return starts[session]

    places: dict[bytes, _Place] = {}
    for segment in sorted(segments):
        if segment.last <= head.number and segment.ends_with(hash_of(store, copy_of, segment.last, head)):
            continue
        for batch, digest in _readable(remote, segment):
            number = batch.number
            is_common = number <= head.number and digest == hash_of(store, copy_of, number, head)
            if is_common or digest in places:
                continue
            if batch.first == 0:
                starts[batch.session] = start_in(batch)
            before = places.get(batch.previous)
            if before is not None:
                destination = before.destination.copy()
            elif number == 0 or (
                number <= head.number + 1 and batch.previous == hash_of(store, copy_of, number - 1, head)
            ):
                destination = Destination(find, start_of, create=False)
            else:
                raise DataCorrupt(
                    f"{remote.url} has batch {number} of another history of store {copy_of.hex()}, and lacks"
                    " those before it: push to it from where they are"
                )
            places[digest] = _Place(before, batch, digest, destination)
    return places


def _readable(remote: Remote, segment: Segment) -> Iterator[tuple[Batch, bytes]]:
    """The batches of a segment, and their hashes, as far as it is sound."""
    try:
        with remote.read_segment(segment, lambda _: None) as batches:
            yield from confirmed(batches, segment.store, segment.first, segment.last, segment.ends_with)
    except (DataCorrupt, NotFound, RemoteInvalid):
        # A pull says so.
        return


def _clear(store: Store, remote: Remote, copy_of: bytes) -> int:
    """Delete the segments of a store on a remote whose batches are there as other stores'."""
    there: Holdings = {}

    def is_there(destination: Destination) -> bool:
        if destination.store not in there:
            there[destination.store] = remote.segments_of(destination.store)
        return not uncovered(there[destination.store], destination.head.number)

    twice = _held_twice(store, remote, copy_of, remote.segments_of(copy_of), is_there)
    for segment in twice.common:
        batches = store.batches(copy_of, segment.first, segment.last)
        links = list(confirmed(batches, copy_of, segment.first, segment.last, segment.ends_with))
        remote.put_segment(copy_of, [batch for batch, _ in links], links[-1][1])
    if twice.segments:
        remote.settle()
    for segment in twice.segments:
        remote.objects.remove(segment.object)
    return len(twice.segments)


class _Twice(NamedTuple):
    """What a remote holds of a store under its old id, and as other stores'.

    Attributes:
        segments: those that hold it.
        common: those that take their place, where they alone hold batches of both sides.
    """

    segments: list[Segment]
    common: list[Segment]


def _held_twice(
    store: Store,
    remote: Remote,
    copy_of: bytes,
    segments: list[Segment],
    is_there: Callable[[Destination], bool] = lambda _: True,
) -> _Twice:
    """What a remote holds twice of a store, or would, once all that is here were pushed.

    Args:
        segments: what it holds of the store.
        is_there: whether it holds what batches have become, up to the last of them.
    """
    # Where two copies parted before their first batch, nobody may have the store itself any more.
    head = store.heads().get(copy_of, BEFORE_FIRST)
    places = _read_sides(store, remote, copy_of, head, segments)
    doomed = []
    common = -1
    for segment in segments:
        if segment.last <= head.number and segment.ends_with(hash_of(store, copy_of, segment.last, head)):
            continue
        read = [digest for _, digest in _readable(remote, segment)]
        own = [places[digest] for digest in read if digest in places]
        is_whole = len(read) == segment.last - segment.first + 1
        if own and is_whole and all(place.is_here and is_there(place.destination) for place in own):
            doomed.append(segment)
            common = max(common, own[0].common)
    kept = [segment for segment in segments if segment not in doomed]
    marks = [(first, last, hash_of(store, copy_of, last, head)) for first, last in uncovered(kept, common)]
    return _Twice(doomed, [Segment(first, last, ends.hex()[:16], copy_of, 0) for first, last, ends in marks])
