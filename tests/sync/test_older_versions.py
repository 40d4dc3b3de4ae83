"""An older version forwards what it cannot read, and has all of it once it is upgraded."""

from collections.abc import Callable
from pathlib import Path

from eventlog.sync import pull, push, synchronise
from eventlog.verify import verify
from tests.sync.machines import Machine, absent_from, batches_of, older_program, read_remote

Machines = Callable[[str], Machine]


def test_an_older_version_forwards_what_it_cannot_read(machine: Machines, tmp_path: Path) -> None:
    laptop, between, cluster = machine("laptop"), machine("between"), machine("cluster")
    digest = laptop.upload(b"weights")
    push(laptop.store, tmp_path / "one")
    with older_program():
        assert pull(between.store, tmp_path / "one").problems == []
        assert push(between.store, tmp_path / "two").problems == []
    assert pull(cluster.store, tmp_path / "two").problems == []
    assert digest in cluster.store.blobs
    assert batches_of(cluster.store) == batches_of(laptop.store)


def test_what_an_older_version_could_not_have_is_listed_and_supplied(
    machine: Machines, tmp_path: Path
) -> None:
    laptop, between, cluster = machine("laptop"), machine("between"), machine("cluster")
    one, two = tmp_path / "one", tmp_path / "two"
    digest = laptop.upload(b"weights")
    push(laptop.store, one, choose=lambda digests: set())
    with older_program():
        assert pull(between.store, one).problems == []
        assert push(between.store, two).problems == []
    assert absent_from(between.home) == absent_from(one) == absent_from(two) == {digest}
    assert pull(cluster.store, two).problems == []
    push(laptop.store, two)
    for one_of_them in (between, cluster):
        assert pull(one_of_them.store, two).problems == []
        assert digest in one_of_them.store.blobs
        assert absent_from(one_of_them.home) == set()


def test_an_upgrade_finds_the_blobs_that_were_overlooked(machine: Machines, remote: Path) -> None:
    laptop, desktop = machine("laptop"), machine("desktop")
    digest = laptop.upload(b"weights")
    push(laptop.store, remote)
    blob = remote / "blobs" / digest[:2] / digest
    aside = blob.rename(remote.parent / "aside")
    with older_program():
        # It cannot know that what it does not find is a blob.
        assert pull(desktop.store, remote).problems == []
    aside.rename(blob)
    assert pull(desktop.store, remote).problems == []
    assert digest in desktop.store.blobs
    assert verify(desktop.home).problems == []


def test_a_blob_that_vanished_from_a_remote_is_supplied_by_who_has_it(
    machine: Machines, remote: Path
) -> None:
    laptop, desktop = machine("laptop"), machine("desktop")
    digest = laptop.upload(b"weights")
    push(laptop.store, remote)
    (remote / "blobs" / digest[:2] / digest).unlink()
    (problem,) = synchronise(desktop.store, remote).problems
    assert "nor listed as absent" in problem
    assert absent_from(remote) == {digest}
    assert push(laptop.store, remote).blobs == 1
    assert synchronise(desktop.store, remote).problems == []
    assert digest in desktop.store.blobs
    assert read_remote(remote)
