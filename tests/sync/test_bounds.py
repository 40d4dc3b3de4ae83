"""What a push and a pull take into memory, and how many of them are under way at once."""

import base64
import io
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from eventlog.batch import Batch
from eventlog.events import TextReported
from eventlog.store import Store
from eventlog.sync import Remote, pull, push
from eventlog.sync.folder_objects import FolderObjects
from eventlog.sync.layout import Segment
from eventlog.sync.read_ahead import ReadAhead
from tests.eventlog.memory import MIB, at_most
from tests.sync.machines import Machine, batches_of

Machines = Callable[[str], Machine]


def write(one: Machine, batches: int, size: int) -> None:
    """Commit batches of so many bytes that cannot be compressed by much."""
    noise = random.Random(batches)
    for _ in range(batches):
        for _ in range(max(1, size // 60_000)):
            text = base64.b85encode(noise.randbytes(min(size, 60_000) * 4 // 5)).decode()
            one.append(TextReported, one.task, text)
        one.store.flush()


@pytest.fixture
def small_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds of a mebibyte, so that what is larger can be small."""
    monkeypatch.setattr("eventlog.sync.pusher.SEGMENT_SIZE", MIB)
    monkeypatch.setattr("eventlog.sync.puller.SEGMENT_SIZE", MIB)
    monkeypatch.setattr("eventlog.sync.read_ahead.AHEAD_SIZE", MIB)
    monkeypatch.setattr("eventlog.sync.compaction.FULL_SIZE", 0)


def test_a_large_blob_never_lies_in_memory(machine: Machines, remote: Path) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    laptop.upload(random.Random(0).randbytes(48 * MIB))
    with at_most(6 * MIB):
        assert push(laptop.store, remote).blobs == 1
    with at_most(6 * MIB):
        assert pull(cluster.store, remote).blobs == 1


@pytest.mark.usefixtures("small_bound")
def test_a_large_log_never_lies_in_memory(machine: Machines, remote: Path) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    write(laptop, 60, 500_000)
    # A store gives its batches 8 MiB at a time, and lets go of them when it has the next ones.
    with at_most(19 * MIB):
        result = push(laptop.store, remote)
    assert result.segments > 15
    assert result.bytes > 22 * MIB
    with at_most(6 * MIB):
        assert pull(cluster.store, remote).batches == result.batches


@pytest.mark.usefixtures("small_bound")
def test_a_segment_larger_than_any_written_here_is_read_piece_by_piece(
    machine: Machines, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    write(laptop, 60, 500_000)
    monkeypatch.setattr("eventlog.sync.pusher.SEGMENT_SIZE", 64 * MIB)
    assert push(laptop.store, remote).segments == 1
    with at_most(6 * MIB):
        assert pull(cluster.store, remote).bytes > 22 * MIB
    assert cluster.store.heads() == laptop.store.heads()


@pytest.mark.usefixtures("small_bound")
def test_segments_are_fetched_ahead_up_to_a_bound_and_read_in_their_order(
    machine: Machines, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    for _ in range(20):
        write(laptop, 1, 180_000)
        push(laptop.store, remote)
    held: list[int] = []
    taken = ReadAhead._take

    def take(ahead: ReadAhead, segment: Segment) -> io.BytesIO | None:
        held.append(ahead._held)
        return taken(ahead, segment)

    monkeypatch.setattr(ReadAhead, "_take", take)
    assert pull(cluster.store, remote).segments == 20
    assert max(held) <= MIB
    assert batches_of(cluster.store) == batches_of(laptop.store)


def test_what_is_merged_never_lies_in_memory(machine: Machines, remote: Path) -> None:
    laptop = machine("laptop")
    for _ in range(5):
        write(laptop, 11, 500_000)
        with at_most(19 * MIB):
            push(laptop.store, remote)
    assert max(path.stat().st_size for path in remote.glob("stores/*/*")) > 19 * MIB


class Meeting:
    """Counts how many are in it at once, and lets each go on once enough are there."""

    def __init__(self, wanted: int) -> None:
        self.most = 0
        self._inside = 0
        self._wanted = wanted
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self._inside += 1
            self.most = max(self.most, self._inside)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.most >= self._wanted, timeout=60)
            self._inside -= 1


def met_at(meeting: Meeting, whole: Callable) -> Callable:
    """A method of objects that goes through a meeting for segments."""

    def met(objects: FolderObjects, name: str, *arguments: object) -> object:
        if name.endswith(".segment"):
            meeting()
        return whole(objects, name, *arguments)

    return met


@pytest.mark.parametrize("jobs", [None, 3, 1])
def test_many_stores_are_pushed_and_pulled_at_once(
    tmp_path: Path, remote: Path, monkeypatch: pytest.MonkeyPatch, jobs: int | None
) -> None:
    """On a network each would wait for an answer by itself; --jobs says how many do."""
    stores = []
    for number in range(8):
        one = Machine(tmp_path / str(number))
        one.train()
        push(one.store, tmp_path / "between")
        one.close()
        stores.append(one.id)
    wanted = min(jobs or 8, 8)
    with Store.open(tmp_path / "all") as store, Store.open(tmp_path / "late") as late:
        pull(store, tmp_path / "between")
        for method, transfer, of in (("put", push, store), ("start", pull, late)):
            meeting = Meeting(wanted)
            whole = getattr(FolderObjects, method)

            with monkeypatch.context() as patched:
                patched.setattr(FolderObjects, method, met_at(meeting, whole))
                assert transfer(of, remote, jobs=jobs).problems == []
            assert meeting.most == wanted
        assert late.heads().keys() == set(stores)


@pytest.mark.usefixtures("small_bound")
def test_segments_passed_over_do_not_stop_those_behind_them(machine: Machines, remote: Path) -> None:
    """What was fetched ahead of a store that turns out to be damaged makes room for others."""
    laptop, desktop, cluster = machine("laptop"), machine("desktop"), machine("cluster")
    for one in (laptop, desktop):
        for _ in range(6):
            write(one, 1, 1000)
            push(one.store, remote)
    for path in (remote / "stores" / min(laptop.id, desktop.id).hex()).iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    held = Remote(remote).holdings()
    assert all(len(segments) == 6 for segments in held.values())
    result = pull(cluster.store, remote)
    assert (len(result.problems), result.segments) == (1, 6)
    assert cluster.store.heads().keys() == {max(laptop.id, desktop.id)}


@pytest.mark.usefixtures("small_bound")
def test_what_batches_unpack_to_counts_where_they_are_let_in_together(
    machine: Machines, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    for _ in range(12):
        # Some kilobytes that unpack to a mebibyte.
        for _ in range(20):
            laptop.append(TextReported, laptop.task, "x" * 60_000)
        laptop.store.flush()
    assert push(laptop.store, remote).bytes < 100_000
    waves: list[int] = []
    admit = Store.admit

    def counted(store: Store, batches: list[Batch]) -> int:
        waves.append(len(batches))
        return admit(store, batches)

    monkeypatch.setattr(Store, "admit", counted)
    assert pull(cluster.store, remote).batches == sum(waves)
    assert max(waves) <= 5
