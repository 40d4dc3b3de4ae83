"""What a remote or a store is known to lack: listed before it is named, supplied later, never in the way."""

import contextlib
import os
from collections.abc import Callable, Iterator, Set
from pathlib import Path

import pytest

from eventlog import check_absent
from eventlog.batch import Batch
from eventlog.events import TextReported, encode_event
from eventlog.sync import pull, push, repairing, synchronise
from eventlog.sync.blob_lists import MANY_LISTS, BlobLists, FolderPlace
from eventlog.sync.layout import blob_object
from eventlog.sync.references import NamedBlobs, named_blobs
from eventlog.verify import verify
from tests.sync.machines import Machine, absent_from, batches_of, read_remote

Machines = Callable[[str], Machine]


def only(*chosen: str) -> Callable[[Set[str]], Set[str]]:
    return lambda among: among & set(chosen)


# Choosing.


def test_a_push_takes_the_whole_log_and_the_chosen_blobs_alone(machine: Machines, remote: Path) -> None:
    laptop = machine("laptop")
    small, large = laptop.upload(b"small"), laptop.upload(b"large" * 1000, "large")
    result = push(laptop.store, remote, choose=only(small))
    assert (result.batches, result.blobs, result.absent, result.problems) == (2, 1, 1, [])
    assert read_remote(remote)[laptop.id] == dict(enumerate(batches_of(laptop.store)[laptop.id]))
    assert absent_from(remote) == {large}
    assert not (remote / blob_object(large)).exists()


def test_a_push_of_everything_supplies_what_was_left_out(machine: Machines, remote: Path) -> None:
    laptop = machine("laptop")
    one, two, three = (laptop.upload(b"%d" % number, str(number)) for number in range(3))
    push(laptop.store, remote, choose=only())
    assert absent_from(remote) == {one, two, three}
    again = push(laptop.store, remote, choose=only(two))
    assert (again.batches, again.blobs) == (0, 1)
    assert absent_from(remote) == {one, three}
    assert push(laptop.store, remote).blobs == 2
    assert absent_from(remote) == set()
    assert not any((remote / "absent").iterdir())
    assert push(laptop.store, remote).blobs == 0
    read_remote(remote)


def test_a_pull_takes_the_whole_log_and_the_chosen_blobs_alone(machine: Machines, remote: Path) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    small, large = laptop.upload(b"small"), laptop.upload(b"large" * 1000, "large")
    push(laptop.store, remote)
    asked: list[Set[str]] = []

    def choose(among: Set[str]) -> Set[str]:
        # By now it can be asked of the log what the blobs are.
        assert batches_of(cluster.store) == batches_of(laptop.store)
        asked.append(among)
        return among & {small}

    result = pull(cluster.store, remote, choose=choose)
    assert (result.batches, result.blobs, result.absent, result.problems) == (2, 1, 1, [])
    assert asked == [{small, large}]
    assert set(cluster.store.blobs) == {small}
    assert absent_from(cluster.home) == {large}
    report = verify(cluster.home)
    assert (report.problems, report.absent) == ([], 1)


def test_a_pull_of_everything_fetches_what_was_left_out(machine: Machines, remote: Path) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    digest = laptop.upload(b"weights")
    push(laptop.store, remote)
    pull(cluster.store, remote, choose=only())
    result = pull(cluster.store, remote)
    assert (result.batches, result.blobs, result.absent) == (0, 1, 0)
    assert cluster.store.blobs.path(digest).read_bytes() == b"weights"
    assert not any((cluster.home / "absent").iterdir())


def test_what_is_not_on_a_remote_yet_is_counted_and_comes_with_a_later_pull(
    machine: Machines, remote: Path
) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    laptop.upload(b"one")
    laptop.upload(b"two", "other")
    push(laptop.store, remote, choose=only())
    for _ in range(2):
        result = pull(cluster.store, remote)
        assert (result.blobs, result.absent, result.problems) == (0, 2, [])
    push(laptop.store, remote)
    assert pull(cluster.store, remote).blobs == 2
    assert verify(cluster.home).absent == 0


def test_a_store_forwards_a_log_whose_blobs_it_does_not_have(machine: Machines, tmp_path: Path) -> None:
    laptop, courier, cluster = machine("laptop"), machine("courier"), machine("cluster")
    digest = laptop.upload(b"large" * 1000)
    push(laptop.store, tmp_path / "stick")
    pull(courier.store, tmp_path / "stick", choose=only())
    result = push(courier.store, tmp_path / "bucket")
    assert (result.batches, result.absent, result.problems) == (1, 1, [])
    assert absent_from(tmp_path / "bucket") == {digest}
    # Whoever has it supplies it, and who has the log alone gets it.
    assert pull(cluster.store, tmp_path / "bucket").absent == 1
    assert synchronise(laptop.store, tmp_path / "bucket").push.blobs == 1
    assert pull(cluster.store, tmp_path / "bucket").blobs == 1
    assert read_remote(tmp_path / "bucket")


def test_another_remote_that_knows_nothing_of_a_blob_is_not_blamed(machine: Machines, tmp_path: Path) -> None:
    laptop, desktop, cluster = machine("laptop"), machine("desktop"), machine("cluster")
    laptop.upload(b"weights")
    desktop.train()
    push(laptop.store, tmp_path / "first")
    push(desktop.store, tmp_path / "second")
    pull(cluster.store, tmp_path / "first", choose=only())
    result = pull(cluster.store, tmp_path / "second")
    assert (result.batches, result.absent, result.problems) == (1, 1, [])


def test_what_a_newer_kind_of_event_names_is_left_out_and_supplied_like_the_rest(
    machine: Machines, remote: Path
) -> None:
    from eventlog.batch import pack_events

    laptop, cluster = machine("laptop"), machine("cluster")
    digest = laptop.store.blobs.put_bytes(b"a plot")
    raw = encode_event(TextReported(1, laptop.task, digest)).replace(b"TextReported", b"NextReported")
    laptop.store.commit(bytes(15) + b"\1", [(pack_events(0, [raw], [], 1, 1), [])])
    push(laptop.store, remote, choose=only())
    assert absent_from(remote) == {digest}
    assert pull(cluster.store, remote).absent == 1
    push(laptop.store, remote)
    pull(machine("late").store, remote, choose=only())
    assert absent_from(machine("late").home) == {digest}
    assert pull(machine("late").store, remote).blobs == 1


# Lists.


def test_a_list_of_what_is_missing_is_there_before_what_names_it(
    machine: Machines, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop = machine("laptop")
    digest = laptop.upload(b"weights")

    def put_segment(*_: object) -> None:
        assert absent_from(remote) == {digest}
        raise KeyboardInterrupt

    monkeypatch.setattr("eventlog.sync.remote.Remote.put_segment", put_segment)
    with pytest.raises(KeyboardInterrupt):
        push(laptop.store, remote, choose=only())


def test_many_lists_become_one(machine: Machines, remote: Path) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    digests = set()
    for number in range(3 * MANY_LISTS):
        digests.add(laptop.upload(b"%d" % number))
        push(laptop.store, remote, choose=only())
        pull(cluster.store, remote, choose=only())
        assert absent_from(remote) == absent_from(cluster.home) == digests
        assert len(list((remote / "absent").iterdir())) <= MANY_LISTS
        assert len(list((cluster.home / "absent").iterdir())) <= MANY_LISTS
    assert push(laptop.store, remote).blobs == len(digests)
    assert pull(cluster.store, remote).blobs == len(digests)


def test_a_blob_that_is_there_is_not_absent_whatever_a_list_says(machine: Machines, remote: Path) -> None:
    """As when a push is cut off between putting a blob and deleting the list."""
    laptop, cluster, late = machine("laptop"), machine("cluster"), machine("late")
    digest = laptop.upload(b"weights")
    push(laptop.store, remote, choose=only())
    (path,) = (remote / "absent").iterdir()
    content = path.read_bytes()
    push(laptop.store, remote)
    path.write_bytes(content)
    assert pull(late.store, remote, choose=only(digest)).blobs == 1
    result = push(laptop.store, remote)
    assert (result.blobs, result.problems) == (0, [])
    assert absent_from(remote) == set()
    assert pull(cluster.store, remote).blobs == 1


def test_a_remote_where_nothing_can_be_deleted_does_not_fill_up_with_lists(
    machine: Machines, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eventlog.errors import RemoteUnreachable

    def remove(*_: object) -> None:
        raise RemoteUnreachable("no right")

    monkeypatch.setattr("eventlog.sync.objects.Objects.remove", remove)
    laptop = machine("laptop")
    one = laptop.upload(b"one")
    laptop.upload(b"two")
    push(laptop.store, remote, choose=only())
    push(laptop.store, remote, choose=only(one))
    lists = len(list((remote / "absent").iterdir()))
    for _ in range(3):
        assert push(laptop.store, remote, choose=only(one)).problems == []
    assert len(list((remote / "absent").iterdir())) == lists == 2
    assert pull(machine("cluster").store, remote).absent == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"0" * 64,
        b"0" * 63 + b"\n",
        b"A" * 64 + b"\n",
        b"../" + b"0" * 61 + b"\n",
        (b"1" * 64 + b"\n") + (b"0" * 64 + b"\n"),
        b"\xff" * 64 + b"\n",
    ],
)
def test_a_list_that_is_none_is_named_and_believed_in_nothing(
    machine: Machines, remote: Path, content: bytes
) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    laptop.upload(b"weights")
    push(laptop.store, remote, choose=only())
    (path,) = (remote / "absent").iterdir()
    path.write_bytes(content)
    result = pull(cluster.store, remote)
    assert len(result.problems) == 2
    assert sum(path.name in problem for problem in result.problems) == 1
    assert cluster.store.heads() == laptop.store.heads()

    (own,) = (cluster.home / "absent").iterdir()
    own.chmod(0o600)
    own.write_bytes(content)
    assert any(own.name in problem for problem in verify(cluster.home).problems)


def test_a_list_too_large_to_be_one_is_not_read(machine: Machines, remote: Path) -> None:
    laptop = machine("laptop")
    laptop.upload(b"weights")
    push(laptop.store, remote, choose=only())
    path = remote / "absent" / ("0" * 32)
    with path.open("wb") as file:
        os.truncate(file.fileno(), 1 << 40)
    (problem,) = push(laptop.store, remote).problems
    assert path.name in problem


def test_names_that_no_list_has_are_passed_over(machine: Machines, remote: Path, tmp_path: Path) -> None:
    laptop = machine("laptop")
    laptop.upload(b"weights")
    push(laptop.store, remote, choose=only())
    (tmp_path / "outside").write_bytes(b"0" * 64 + b"\n")
    (remote / "absent" / "x").write_bytes(b"x")
    (remote / "absent" / ("a" * 32)).mkdir()
    (remote / "absent" / ("A" * 32)).symlink_to(tmp_path / "outside")
    assert push(laptop.store, remote).problems == []


def test_lists_that_go_while_they_are_read_are_looked_for_again(tmp_path: Path) -> None:
    """What was left of them lies in new ones by then."""
    place = FolderPlace(tmp_path)
    BlobLists(place).add({"0" * 64, "1" * 64})
    (old,) = (tmp_path / "absent").iterdir()

    class Vanishing(FolderPlace):
        def read(self, name: str, count: int) -> bytes:
            if name == old.name and old.exists():
                BlobLists(place).strike({"0" * 64})
            return super().read(name, count)

    assert BlobLists(Vanishing(tmp_path)).digests() == {"1" * 64}


# What is missing.


@pytest.mark.parametrize("seen_before", [False, True])
def test_a_blob_that_is_neither_there_nor_listed_is_told_each_time(
    machine: Machines, remote: Path, seen_before: bool
) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    digest = laptop.upload(b"weights")
    push(laptop.store, remote)
    if seen_before:
        pull(cluster.store, remote, choose=only())
    (remote / blob_object(digest)).unlink()
    for _ in range(3):
        result = pull(cluster.store, remote)
        assert len(result.problems) == 1
        assert digest in result.problems[0]
        assert "push to it" in result.problems[0]
    assert cluster.store.heads() == laptop.store.heads()


def test_several_bad_things_at_once_are_told_and_the_rest_goes_through(
    machine: Machines, remote: Path
) -> None:
    from tests.sync.machines import change_batch

    laptop, desktop, server, cluster = map(machine, ("laptop", "desktop", "server", "cluster"))
    for one in (desktop, server):
        one.train()
        push(one.store, remote)
    pull(laptop.store, remote)
    gone, sound = laptop.upload(b"gone"), laptop.upload(b"sound", "other")
    laptop.store.blobs.path(gone).unlink()
    laptop.close()
    change_batch(laptop.home, desktop.id, 0, 100)
    laptop.reopen()

    # A push of a store with a damaged batch of another store in it, and a blob that is gone.
    bucket = remote.parent / "bucket"
    result = push(laptop.store, bucket)
    assert len(result.problems) == 2
    assert any(desktop.id.hex() in problem for problem in result.problems)
    assert any(gone in problem for problem in result.problems)
    assert read_remote(bucket).keys() == {laptop.id, server.id}

    # A pull with a corrupt segment, one that cannot be read, a blob that is gone and one that is listed.
    (bucket / blob_object(sound)).unlink()
    push(desktop.store, bucket)
    (segment,) = (bucket / "stores" / server.id.hex()).iterdir()
    segment.write_bytes(segment.read_bytes()[:-1])
    result = pull(cluster.store, bucket)
    assert len(result.problems) == 2
    assert any(segment.name in problem for problem in result.problems)
    assert any(sound in problem for problem in result.problems)
    assert all("\n" not in problem for problem in result.problems)
    assert cluster.store.heads().keys() == {laptop.id, desktop.id}
    assert result.absent == 2


def test_of_very_many_missing_blobs_the_first_are_named_and_the_others_counted(
    machine: Machines, remote: Path
) -> None:
    laptop = machine("laptop")
    for number in range(130):
        digest = laptop.store.blobs.put_bytes(b"%d" % number)
        laptop.append(TextReported, laptop.task, "text", 20, digest)
        laptop.store.blobs.path(digest).unlink()
    result = push(laptop.store, remote)
    assert len(result.problems) == 101
    assert result.problems[-1] == "and so are 30 blobs more"


def test_a_repair_reads_each_batch_once_also_what_it_pulls(
    machine: Machines, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, desktop = machine("laptop"), machine("desktop")
    lost_here, lost_there = laptop.upload(b"one"), laptop.upload(b"two")
    push(laptop.store, remote)
    pulled = desktop.upload(b"three")
    push(desktop.store, remote)
    laptop.store.blobs.path(lost_here).unlink()
    for digest in (lost_there, pulled):
        (remote / blob_object(digest)).unlink()
    read = []

    def counted(batch: Batch) -> NamedBlobs:
        read.append((batch.store, batch.number))
        return named_blobs(batch)

    monkeypatch.setattr(repairing, "named_blobs", counted)
    synchronise(laptop.store, remote, repair=True)
    assert sorted(read) == sorted(
        (store, number) for store, held in batches_of(laptop.store).items() for number in range(len(held))
    )
    assert lost_here in laptop.store.blobs
    assert (remote / blob_object(lost_there)).exists()
    assert pulled in absent_from(remote)


def test_a_list_that_is_replaced_while_lists_are_read_hides_none_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, struck, also_struck = (f"{number:064x}" for number in range(3))
    for digest in (kept, struck, also_struck):
        BlobLists(FolderPlace(tmp_path)).add({digest})
    scandir, entries = os.scandir, check_absent.entries

    @contextlib.contextmanager
    def listed_and_replaced(folder: Path) -> Iterator[list[os.DirEntry[str]]]:
        with scandir(folder) as found:
            listed = list(found)
        monkeypatch.setattr(os, "scandir", scandir)
        BlobLists(FolderPlace(tmp_path)).strike({struck})
        yield listed

    monkeypatch.setattr(os, "scandir", listed_and_replaced)
    assert BlobLists(FolderPlace(tmp_path)).digests() == {kept, also_struck}

    def listed_and_replaced_again(folder: Path) -> list[os.DirEntry[str]]:
        listed = entries(folder)
        monkeypatch.setattr(check_absent, "entries", entries)
        BlobLists(FolderPlace(tmp_path)).strike({also_struck})
        return listed

    monkeypatch.setattr(check_absent, "entries", listed_and_replaced_again)
    assert check_absent.read_absent(tmp_path / "absent") == ({kept}, [])
