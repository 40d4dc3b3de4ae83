"""Compaction: small segments on a remote merged into larger ones, so that pushing often leaves few objects.

Neighbouring segments are merged where together they are `FACTOR` times as large as the largest of them. So
whenever a byte is written again, its segment has become so much larger: however often a store is pushed, each
byte is written again a logarithmic number of times, and a logarithmic number of small segments is left.
Segments of `FULL_SIZE` are left alone, and none becomes larger than `SEGMENT_SIZE`.

The larger segment is written first, from the batches here, whose chain of hashes proves that they are those
which the smaller ones hold. Then the smaller ones are deleted. A reader that has listed them finds them gone
and lists again; one that finds both takes either. Two machines that merge at once may leave segments that
overlap; whoever merges next merges those too.
"""

import logging
from collections.abc import Iterable, Sequence

from eventlog.errors import DataCorrupt, EventlogError, RemoteInvalid, RemoteUnreachable, StoreNewer
from eventlog.store import Store
from eventlog.sync.layout import SEGMENT_SIZE, Holdings, Segment
from eventlog.sync.parallel import SMALL_JOBS, run_all
from eventlog.sync.remote import Remote
from eventlog.sync.segment import confirmed

__all__ = ["merge_small", "merges"]

log = logging.getLogger("eventlog")

# Four: of n equal segments about 3 log4(n) are left at most, and each was written log4(n) times.
FACTOR = 4
# What is so large is merged no more.
FULL_SIZE = SEGMENT_SIZE // 4
# Sizes can be such that much more than a logarithm is left; past so many, a merge may gain less.
MOST_SMALL = 64


def merges(segments: Iterable[Segment]) -> list[list[Segment]]:
    """Which segments of one store are to be merged, in runs of neighbours that make one segment each.

    Args:
        segments: of one history, by whatever names; those that lie within others count for nothing.
    """
    chosen = []
    for stretch in _stretches(_outermost(segments)):
        for factor in (FACTOR, 2, 1):
            runs = _runs(stretch, factor)
            if len(stretch) - sum(len(run) - 1 for run in runs) <= MOST_SMALL:
                break
        chosen += runs
    return chosen


def merge_small(store: Store, remote: Remote, holdings: Holdings, put: Sequence[Segment]) -> list[str]:
    """Merge small segments of the stores that a push has just put segments of.

    Where the remote does not let go of what was merged, or breaks off, nothing is lost: the next push that
    puts something tries again.

    Args:
        holdings: what the remote held before the push; what it held of these stores is the history here.
        put: what the push put.

    Returns:
        What is wrong here, a line each.
    """
    problems = []
    grown: Holdings = {}
    for segment in put:
        grown.setdefault(segment.store, []).append(segment)
    heads = store.heads()
    for copy_of, new in sorted(grown.items()):
        end = heads[copy_of].number
        known = {one for one in holdings.get(copy_of, []) if one.last <= end}
        try:
            _Compactor(store, remote, copy_of, known.union(new)).run()
        except (DataCorrupt, StoreNewer) as error:
            problems.append(
                f"segments of store {copy_of.hex()} are not merged: {error}; run `eventlog verify`"
            )
        except (RemoteInvalid, RemoteUnreachable) as error:
            log.info("eventlog: segments of store %s are merged later: %s", copy_of.hex(), error)
            break
    return problems


class _Compactor:
    """Merges the small segments of one store.

    Args:
        segments: what the remote holds of it, all of the history that is here.
    """

    def __init__(self, store: Store, remote: Remote, copy_of: bytes, segments: set[Segment]) -> None:
        self._store = store
        self._remote = remote
        self._copy_of = copy_of
        self._segments = segments

    def __repr__(self) -> str:
        return f"<_Compactor of {len(self._segments)} segments of store {self._copy_of.hex()[:8]}>"

    def run(self) -> None:
        merged = [self._merge(run) for run in merges(self._segments)]
        if not merged:
            return
        # Whatever happens to the machine, the larger is there before the smaller goes.
        self._remote.settle()
        try:
            self._delete_within(merged)
            left = self._segments | set(merged)
            for outer in _outermost(left):
                # What another merge left behind when it was cut off. That one's bytes are yet to be trusted.
                if outer not in merged and any(_lies_within(one, outer) for one in left):
                    self._prove(outer)
                    self._delete_within([outer])
                    break
        except EventlogError as error:
            # As a rule, there is no right to delete.
            log.info("eventlog: segments that were merged stay where they are: %s", error)

    def _merge(self, run: list[Segment]) -> Segment:
        first, last = run[0].first, run[-1].last
        merged = Segment(first, last, run[-1].mark, self._copy_of, sum(one.size for one in run))
        batches = self._store.batches(self._copy_of, first, last)
        chain = confirmed(batches, self._copy_of, first, last, run[-1].ends_with)
        self._remote.put_chain(merged, (batch for batch, _ in chain))
        return merged

    def _delete_within(self, outer: list[Segment]) -> None:
        inner = sorted({one for one in self._segments for other in outer if _lies_within(one, other)})
        names = [one.object for one in inner]
        if names:
            # By itself, so that where deleting is not allowed it is tried once.
            self._remote.objects.remove(names[0])
            run_all(self._remote.objects.remove, names[1:], SMALL_JOBS)
            self._segments.difference_update(inner)

    def _prove(self, segment: Segment) -> None:
        with self._remote.read_segment(segment, lambda _: None) as batches:
            for _ in confirmed(batches, self._copy_of, segment.first, segment.last, segment.ends_with):
                pass


def _lies_within(one: Segment, other: Segment) -> bool:
    is_same = (one.first, one.last) == (other.first, other.last)
    return other.first <= one.first and one.last <= other.last and not is_same


def _outermost(segments: Iterable[Segment]) -> list[Segment]:
    """The segments that lie in no other one, in their order; they may overlap."""
    kept: list[Segment] = []
    for segment in sorted(segments, key=lambda one: (one.first, -one.last)):
        if not kept or segment.last > kept[-1].last:
            kept.append(segment)
    return kept


def _stretches(segments: list[Segment]) -> list[list[Segment]]:
    """The runs of neighbours without a gap between them that are not full."""
    stretches: list[list[Segment]] = [[]]
    for segment in segments:
        if stretches[-1] and segment.first > stretches[-1][-1].last + 1:
            stretches.append([])
        if segment.size < FULL_SIZE:
            stretches[-1].append(segment)
        else:
            stretches.append([])
    return [stretch for stretch in stretches if stretch]


def _runs(stretch: list[Segment], factor: int) -> list[list[Segment]]:
    """The longest runs of a stretch whose merging makes their largest segment `factor` times as large."""
    runs = []
    waiting = [stretch]
    while waiting:
        part = waiting.pop()
        if len(part) < 2:
            continue
        sizes = [segment.size for segment in part]
        largest = max(sizes)
        if sum(sizes) >= factor * largest:
            count = _fitting(sizes)
            runs.append(part[:count])
            waiting.append(part[count:])
        else:
            # No run that the largest is in gains enough.
            place = sizes.index(largest)
            waiting += [part[:place], part[place + 1 :]]
    return sorted(runs)


def _fitting(sizes: list[int]) -> int:
    """How many segments, from the first on, make no more than one of the largest size."""
    total = 0
    for count, size in enumerate(sizes):
        total += size
        if total > SEGMENT_SIZE:
            return count
    return len(sizes)
