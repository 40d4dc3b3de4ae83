"""Forks: two copies of a store that both went on from the same head. They are found by name.

A segment's name says what its last batch's hash is. Where that batch is here too, and has another hash,
the two histories differ: nothing of that store may be sent or let in until one copy has a new id.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from eventlog.batch import Batch
from eventlog.errors import DataCorrupt, EventlogError, StoreForked
from eventlog.fork import derived_store
from eventlog.store import Head, Store
from eventlog.sync.layout import Segment

if TYPE_CHECKING:
    from eventlog.sync.puller import Source

__all__ = ["check_agreement", "forked", "hash_of", "moved", "moved_here"]


def check_agreement(
    store: Store, source: "Source", copy_of: bytes, head: Head | None, segments: Iterable[Segment]
) -> None:
    """Make sure that what is here of a store, and what a remote holds of it, are one history.

    Costs one look-up for each segment, whatever the batches hold; where they are one history, no batch is
    read.

    Args:
        source: the remote.
        copy_of: id of the store.
        head: its last batch here, or None where there is none.
        segments: what the remote holds of it.

    Raises:
        StoreForked: they are not.
        DataCorrupt: the batches here are damaged.
    """
    if head is None:
        return
    for segment in sorted(segments):
        if segment.last > head.number:
            continue
        expected = hash_of(store, copy_of, segment.last, head)
        if not segment.ends_with(expected):
            if _batch(store, copy_of, segment.last).hash != expected:
                raise DataCorrupt(
                    f"the chain of store {copy_of.hex()} breaks here at batch {segment.last}:"
                    " run `eventlog verify`"
                )
            raise forked(store, source, segment)


def forked(store: Store, source: "Source", segment: Segment) -> StoreForked:
    """The error that says that a segment is of another history than the one here."""
    copy_of = segment.store
    heads = store.heads()
    first = _first_unknown(store, source, heads.get(copy_of), segment)
    if first is not None and (becomes := derived_store(first.hash)) in heads:
        return moved(source, copy_of, first.number, becomes)
    return StoreForked(
        f"store {copy_of.hex()} has two histories: what is here differs from {segment.object} by batch"
        f" {segment.last} at the latest, as a copy of the store went on by itself; run `eventlog fork` with"
        " this remote on the copy that is to get a new id"
    )


def moved(source: "Source", copy_of: bytes, number: int, becomes: bytes) -> StoreForked:
    """The error that says that batches on a remote are of a side of a fork that has a new id since."""
    return StoreForked(
        f"store {copy_of.hex()} has two histories, and the one on {source.url} from batch {number} on is"
        f" store {becomes.hex()} since, which is here: {source.advice_on_sides}"
    )


def moved_here(copy_of: bytes, number: int, becomes: bytes) -> StoreForked:
    """The error that says that batches here are of a side of a fork that has a new id since."""
    return StoreForked(
        f"store {copy_of.hex()} has two histories, and what is here from batch {number} on is store"
        f" {becomes.hex()} since: run `eventlog fork` with any remote, so that it is here only once"
    )


def hash_of(store: Store, copy_of: bytes, number: int, head: Head) -> bytes:
    """The hash of a batch that is here, as the one after it names it."""
    if number == head.number:
        return head.hash
    return _batch(store, copy_of, number + 1).previous


def _first_unknown(store: Store, source: "Source", head: Head | None, segment: Segment) -> Batch | None:
    """The first batch of a segment that is not here; None where that cannot be read."""
    try:
        with source.read_segment(segment, lambda _: None) as batches:
            for batch in batches:
                if head is None or batch.number > head.number:
                    return batch
                if batch.hash != hash_of(store, segment.store, batch.number, head):
                    return batch
    except EventlogError:
        # Whoever reads it for its batches says so.
        pass
    return None


def _batch(store: Store, copy_of: bytes, number: int) -> Batch:
    for batch in store.batches(copy_of, number, number):
        return batch
    raise DataCorrupt(f"batch {number} of store {copy_of.hex()} is missing here: run `eventlog verify`")
