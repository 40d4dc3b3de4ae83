"""Pushing often leaves few objects: small segments are merged, and nobody who reads meanwhile notices."""

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.errors import RemoteUnreachable
from eventlog.events import ScalarReported
from eventlog.store import Store
from eventlog.sync import Remote, pull, push
from eventlog.sync.compaction import FULL_SIZE, MOST_SMALL, merge_small, merges
from eventlog.sync.layout import SEGMENT_SIZE, Segment, uncovered
from eventlog.sync.objects import Objects
from eventlog.sync.puller import Puller
from eventlog.sync.pusher import Pusher
from eventlog.sync.results import PullResult, Tally
from tests.projections.logs import scratch
from tests.sync.machines import Machine, batches_of, change_batch, read_remote

Machines = Callable[[str], Machine]


def segments_in(remote: Path) -> list[Path]:
    return sorted(remote.glob("stores/*/*"))


def push_often(one: Machine, remote: Path, times: int) -> None:
    for step in range(times):
        one.append(ScalarReported, one.task, "loss", "train", step, 1 / (step + 1))
        one.store.flush()
        assert push(one.store, remote).problems == []


# What to merge.


def segment(first: int, last: int, size: int) -> Segment:
    return Segment(first, last, f"{last:016x}", b"s" * 16, size)


def merged(segments: Iterable[Segment]) -> list[Segment]:
    """What is left once what is to be merged was, and deleted."""
    left = set(segments)
    for run in merges(segments):
        new = segment(run[0].first, run[-1].last, sum(one.size for one in run))
        left = {one for one in left if not (new.first <= one.first and one.last <= new.last)} | {new}
    return sorted(left)


# From a batch of one event to more than fits into a segment.
SIZES = st.integers(0, 26).flatmap(lambda power: st.integers(150 << max(0, power - 1), 150 << power))


@st.composite
def segment_lists(draw: st.DrawFn) -> list[Segment]:
    """Segments as any number of pushes and merges may leave them: with gaps, within others, overlapping."""
    made = {}
    for _ in range(draw(st.integers(1, 40))):
        first = draw(st.integers(0, 60))
        last = first + draw(st.integers(0, 12))
        made[first, last] = segment(first, last, draw(SIZES))
    return list(made.values())


@settings(max_examples=200)
@given(segment_lists())
def test_what_is_merged_are_neighbours_that_lose_no_batch(segments: list[Segment]) -> None:
    runs = merges(segments)
    for run in runs:
        assert len(run) > 1
        assert set(run) <= set(segments)
        assert sum(one.size for one in run) <= SEGMENT_SIZE
        assert all(one.size < FULL_SIZE for one in run)
        assert not uncovered(run, run[-1].last)[1:]
        assert uncovered(run, run[-1].last) in ([], [(0, run[0].first - 1)])
    assert len({one for run in runs for one in run}) == sum(map(len, runs))
    assert uncovered(merged(segments), 80) == uncovered(segments, 80)
    assert merges(reversed(segments)) == runs


@settings(max_examples=60)
@given(st.lists(SIZES, min_size=1, max_size=300))
def test_pushes_of_any_sizes_leave_few_segments_and_no_byte_is_written_often(sizes: list[int]) -> None:
    held: list[Segment] = []
    written = 0
    for number, size in enumerate(sizes):
        before = {*held, segment(number, number, size)}
        held = merged(before)
        written += sum(one.size for one in set(held) - before)
    small = [one for one in held if one.size < FULL_SIZE]
    full = len(held) - len(small)
    assert len(small) <= MOST_SMALL * (full + 1)
    assert uncovered(held, len(sizes) - 1) == []
    assert written <= sum(sizes) * math.log(SEGMENT_SIZE / 75, 4)


def test_a_remote_full_of_small_segments_is_merged_at_once_in_segments_of_bounded_size() -> None:
    left = merged([segment(number, number, 10_000) for number in range(20_000)])
    assert len(left) <= 200_000_000 // FULL_SIZE
    assert max(one.size for one in left) <= SEGMENT_SIZE
    assert merges(left) == []


# On a remote.


@pytest.mark.timeout(600)
def test_two_thousand_pushes_leave_few_objects_and_are_read_in_the_middle(machine: Machines) -> None:
    laptop, desktop = machine("laptop"), machine("desktop")
    with scratch() as folder:
        remote = folder / "remote"
        folder.mkdir()
        for _ in range(20):
            push_often(laptop, remote, 100)
            assert len(segments_in(remote)) <= 20
            assert pull(desktop.store, remote).problems == []
            assert batches_of(desktop.store) == batches_of(laptop.store)
        assert list(read_remote(remote)[laptop.id].values()) == batches_of(laptop.store)[laptop.id]
        assert pull(machine("cluster").store, remote).batches == 2000


def test_a_reader_whose_listing_is_older_than_a_merge_goes_on_with_what_replaced_it(
    machine: Machines, remote: Path
) -> None:
    laptop, desktop = machine("laptop"), machine("desktop")
    push_often(laptop, remote, 3)
    listed = Remote(remote).holdings()
    gone = segments_in(remote)
    push_often(laptop, remote, 20)
    assert not any(path.exists() for path in gone)
    tally = Tally("pull", None)
    Puller(desktop.store, Remote(remote), listed, tally).pull()
    assert tally.result(PullResult).problems == []
    assert len(batches_of(desktop.store)[laptop.id]) >= 3
    pull(desktop.store, remote)
    assert batches_of(desktop.store) == batches_of(laptop.store)


@pytest.fixture
def keep() -> Iterator[Callable[[], None]]:
    """No object may be deleted until this is called."""

    def refuse(self: Objects, name: str) -> None:
        raise RemoteUnreachable(f"{name} cannot be written: check its owner and rights")

    patch = pytest.MonkeyPatch()
    patch.setattr(Objects, "remove", refuse)
    yield patch.undo
    patch.undo()


def test_where_nothing_may_be_deleted_pushing_goes_on(
    machine: Machines, remote: Path, keep: Callable[[], None]
) -> None:
    laptop = machine("laptop")
    push_often(laptop, remote, 40)
    assert len(segments_in(remote)) > 40
    assert pull(machine("desktop").store, remote).segments <= 8
    assert list(read_remote(remote)[laptop.id].values()) == batches_of(laptop.store)[laptop.id]


def test_what_a_merge_that_was_cut_off_left_behind_goes_with_later_ones(
    machine: Machines, remote: Path, keep: Callable[[], None]
) -> None:
    laptop = machine("laptop")
    push_often(laptop, remote, 20)
    assert len(segments_in(remote)) > 20
    keep()
    push_often(laptop, remote, 20)
    assert len(segments_in(remote)) <= 10
    assert list(read_remote(remote)[laptop.id].values()) == batches_of(laptop.store)[laptop.id]


def test_a_damaged_segment_that_somebody_else_merged_costs_no_sound_one(
    machine: Machines, remote: Path, keep: Callable[[], None]
) -> None:
    laptop = machine("laptop")
    push_often(laptop, remote, 16)
    largest = max(segments_in(remote), key=lambda path: path.stat().st_size)
    inner = [path for path in segments_in(remote) if path.name[13:25] <= largest.name[13:25]]
    assert len(inner) > 4
    data = bytearray(largest.read_bytes())
    data[-5] ^= 1
    largest.chmod(0o600)
    largest.write_bytes(data)
    keep()
    # Enough for a merge, and not for one that takes in the damaged one as well.
    push_often(laptop, remote, 4)
    assert all(path.exists() for path in inner)
    result = pull(machine("desktop").store, remote)
    assert result.batches == 20
    # And once it is merged itself, from what is here, it is whole.
    push_often(laptop, remote, 60)
    assert not largest.exists()
    assert pull(machine("cluster").store, remote).problems == []


def test_two_machines_that_merge_at_once_lose_nothing(machine: Machines, remote: Path) -> None:
    laptop, desktop = machine("laptop"), machine("desktop")
    push_often(laptop, remote, 3)
    pull(desktop.store, remote)
    listed = Remote(remote).holdings()
    push_often(laptop, remote, 1)
    pull(desktop.store, remote)
    # The desktop forwards what it thinks is lacking, and merges what is merged already.
    pusher = Pusher(desktop.store, Remote(remote), listed, Tally("push", None))
    pusher.push()
    assert merge_small(desktop.store, pusher.remote, listed, pusher.put) == []
    push_often(laptop, remote, 20)
    assert list(read_remote(remote)[laptop.id].values()) == batches_of(laptop.store)[laptop.id]
    assert len(segments_in(remote)) <= 8
    assert pull(machine("cluster").store, remote).batches == 24


def test_a_damaged_batch_here_is_not_merged_into_what_is_sound_there(machine: Machines, remote: Path) -> None:
    laptop = machine("laptop")
    push_often(laptop, remote, 3)
    laptop.close()
    change_batch(laptop.home, laptop.store.id, 1, -1)
    laptop.store = Store.open(laptop.home)
    problems = []
    for step in range(20):
        laptop.append(ScalarReported, laptop.task, "loss", "train", step, 1.0)
        laptop.store.flush()
        problems += push(laptop.store, remote).problems
    assert problems
    assert all("are not merged" in one and "eventlog verify" in one for one in problems)
    assert pull(machine("desktop").store, remote).batches == len(batches_of(laptop.store)[laptop.id])
