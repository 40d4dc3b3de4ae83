"""Bytes that are not what was written: found, named, and never spread or let in."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from eventlog.events import ArtifactUploaded
from eventlog.store import Store
from eventlog.sync import pull, push, synchronise
from eventlog.verify import verify
from tests.sync.machines import Machine, absent_from, batches_of, change_batch, read_remote

Machines = Callable[[str], Machine]


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


def segments_of(remote: Path, one: Machine) -> list[Path]:
    return sorted((remote / "stores" / one.id.hex()).iterdir())


# In the store that pushes.


@pytest.mark.parametrize("number", [0, 1, 2, 3])
@pytest.mark.parametrize("position", [10, 30, 70, 100, -1])
def test_a_flipped_byte_in_a_store_is_never_spread(
    machine: Machines, remote: Path, number: int, position: int
) -> None:
    laptop, desktop = machine("laptop"), machine("desktop")
    for _ in range(4):
        laptop.train()
    desktop.train()
    pull_all(laptop, desktop, remote.parent / "between")
    before = batches_of(laptop.store)
    laptop.close()
    size = len(before[laptop.id][number])
    change_batch(laptop.home, laptop.store.id, number, position % size)
    laptop.store = Store.open(laptop.home)

    result = push(laptop.store, remote)
    assert len(result.problems) == 1
    assert laptop.id.hex() in result.problems[0]
    assert "eventlog verify" in result.problems[0]
    # What comes before the damage goes through, and so do other stores.
    held = read_remote(remote)
    assert held[desktop.id] == dict(enumerate(before[desktop.id]))
    pushed = held.get(laptop.id, {})
    assert len(pushed) <= number
    assert len(pushed) >= number - 1
    assert pushed == dict(list(enumerate(before[laptop.id]))[: len(pushed)])


def pull_all(one: Machine, other: Machine, between: Path) -> None:
    push(other.store, between)
    pull(one.store, between)


def test_a_damaged_batch_does_not_go_where_the_ones_before_it_are(machine: Machines, remote: Path) -> None:
    laptop = machine("laptop")
    laptop.train()
    push(laptop.store, remote)
    laptop.train()
    laptop.train()
    laptop.close()
    change_batch(laptop.home, laptop.store.id, 1, 100)
    laptop.store = Store.open(laptop.home)
    assert len(push(laptop.store, remote).problems) == 1
    assert list(read_remote(remote)[laptop.id]) == [0]


@pytest.mark.parametrize("harm", ["flip", "truncate", "remove"])
def test_a_blob_that_is_damaged_here_is_told_and_listed_as_absent_and_holds_nothing_back(
    machine: Machines, remote: Path, harm: str
) -> None:
    laptop, desktop = machine("laptop"), machine("desktop")
    desktop.train()
    pull_all(laptop, desktop, remote.parent / "between")
    laptop.train()
    whole = laptop.upload(b"whole")
    broken = laptop.upload(b"to be broken" * 100)
    laptop.train()
    path = laptop.store.blobs.path(broken)
    path.chmod(0o600)
    if harm == "flip":
        flip(path, 600)
    elif harm == "truncate":
        os.truncate(path, 600)
    else:
        path.unlink()

    result = push(laptop.store, remote)
    assert len(result.problems) == 1
    assert broken in result.problems[0]
    held = read_remote(remote)
    assert list(held[laptop.id]) == [0, 1, 2, 3]
    assert list(held[desktop.id]) == [0]
    assert absent_from(remote) == {broken}
    assert result.absent == 1
    assert [path.name for path in remote.glob("blobs/*/*")] == [whole]
    assert not any((remote / "temporary").iterdir())

    # Mended, it is supplied by the next push.
    path.unlink(missing_ok=True)
    laptop.store.blobs.put_bytes(b"to be broken" * 100)
    again = push(laptop.store, remote)
    assert (again.batches, again.blobs, again.problems) == (0, 1, [])
    read_remote(remote)
    assert absent_from(remote) == set()


def test_a_blob_missing_here_and_present_there_holds_nothing_back(machine: Machines, remote: Path) -> None:
    laptop, desktop = machine("laptop"), machine("desktop")
    desktop.upload(b"shared")
    push(desktop.store, remote)
    digest = laptop.upload(b"shared")
    laptop.store.blobs.path(digest).unlink()
    assert push(laptop.store, remote).problems == []
    read_remote(remote)


def test_a_truncated_blob_on_a_remote_is_mended_by_who_has_it(machine: Machines, remote: Path) -> None:
    laptop, desktop = machine("laptop"), machine("desktop")
    digest = laptop.upload(b"weights" * 100)
    push(laptop.store, remote)
    os.truncate(remote / "blobs" / digest[:2] / digest, 10)
    desktop.upload(b"weights" * 100)
    assert push(desktop.store, remote).blobs == 1
    read_remote(remote)


# On the remote that is pulled from.


def test_a_flipped_byte_anywhere_in_a_segment_is_not_let_in(machine: Machines, remote: Path) -> None:
    laptop, desktop, cluster = machine("laptop"), machine("desktop"), machine("cluster")
    laptop.train()
    laptop.train()
    desktop.train()
    push(laptop.store, remote)
    push(desktop.store, remote)
    (path,) = segments_of(remote, laptop)
    for position in range(0, path.stat().st_size, 7):
        flip(path, position)
        result = pull(cluster.store, remote)
        assert len(result.problems) == 1, position
        assert path.name in result.problems[0]
        held = batches_of(cluster.store)
        assert held[desktop.id] == batches_of(desktop.store)[desktop.id]
        # What its successor proves is sound.
        assert held.get(laptop.id, []) in ([], batches_of(laptop.store)[laptop.id][:1])
        flip(path, position)
    assert pull(cluster.store, remote).problems == []
    assert batches_of(cluster.store)[laptop.id] == batches_of(laptop.store)[laptop.id]


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 10, 200, -1])
def test_a_truncated_segment_is_passed_over_with_those_after_it(
    machine: Machines, remote: Path, kept: int
) -> None:
    laptop, desktop, cluster = machine("laptop"), machine("desktop"), machine("cluster")
    desktop.train()
    push(desktop.store, remote)
    for _ in range(3):
        laptop.train()
        push(laptop.store, remote)
    path = segments_of(remote, laptop)[1]
    os.truncate(path, kept % path.stat().st_size)
    result = pull(cluster.store, remote)
    assert len(result.problems) == 1
    assert path.name in result.problems[0]
    assert {store: head.number for store, head in cluster.store.heads().items()} == {
        desktop.id: 0,
        laptop.id: 0,
    }
    # Whoever has its batches pushes them again once it is taken away, as the message says.
    assert "remove it" in result.problems[0]
    path.unlink()
    push(laptop.store, remote)
    assert pull(cluster.store, remote).problems == []
    assert batches_of(cluster.store)[laptop.id] == batches_of(laptop.store)[laptop.id]


def test_a_damaged_segment_is_got_around_where_another_holds_its_batches(
    machine: Machines, remote: Path, tmp_path: Path
) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    laptop.train()
    push(laptop.store, remote)
    laptop.train()
    push(laptop.store, remote)
    push(laptop.store, tmp_path / "whole")
    (large,) = segments_of(tmp_path / "whole", laptop)
    copy = remote / "stores" / laptop.id.hex() / large.name
    copy.write_bytes(large.read_bytes()[:-1])
    result = pull(cluster.store, remote)
    assert len(result.problems) == 1
    assert batches_of(cluster.store) == batches_of(laptop.store)


@pytest.mark.parametrize("harm", ["flip", "truncate", "lengthen", "remove", "fifo", "folder"])
def test_a_blob_that_is_damaged_there_is_told_each_time_and_holds_nothing_back(
    machine: Machines, remote: Path, harm: str
) -> None:
    laptop, desktop, cluster = machine("laptop"), machine("desktop"), machine("cluster")
    desktop.upload(b"sound")
    push(desktop.store, remote)
    laptop.train()
    digest = laptop.upload(b"broken" * 1000)
    laptop.train()
    push(laptop.store, remote)
    path = remote / "blobs" / digest[:2] / digest
    if harm == "flip":
        flip(path, 10)
    elif harm == "truncate":
        os.truncate(path, 10)
    elif harm == "lengthen":
        path.write_bytes(b"broken" * 1001)
    else:
        path.unlink()
        if harm == "fifo":
            os.mkfifo(path)
        elif harm == "folder":
            path.mkdir()

    for _ in range(3):
        result = pull(cluster.store, remote)
        assert len(result.problems) == 1
        assert digest in result.problems[0]
        assert result.absent == 1
    assert {store: head.number for store, head in cluster.store.heads().items()} == {
        desktop.id: 0,
        laptop.id: 2,
    }
    assert digest not in cluster.store.blobs
    assert absent_from(cluster.home) == {digest}
    assert verify(cluster.home).problems == []
    assert not any((cluster.home / "temporary").iterdir())

    if path.is_dir():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    path.write_bytes(b"broken" * 1000)
    mended = pull(cluster.store, remote)
    assert (mended.blobs, mended.absent, mended.problems) == (1, 0, [])
    assert absent_from(cluster.home) == set()


def test_a_segment_under_the_name_of_another_store_is_not_let_in(machine: Machines, remote: Path) -> None:
    laptop, desktop, cluster = machine("laptop"), machine("desktop"), machine("cluster")
    laptop.train()
    desktop.train()
    push(laptop.store, remote)
    (path,) = segments_of(remote, laptop)
    path.rename(remote / "stores" / f"{desktop.id.hex()}-").rename(path)
    (remote / "stores" / desktop.id.hex()).mkdir()
    path.rename(remote / "stores" / desktop.id.hex() / path.name)
    result = pull(cluster.store, remote)
    assert len(result.problems) == 1
    assert cluster.store.heads() == {}


def test_names_that_lead_elsewhere_are_never_followed(
    machine: Machines, remote: Path, tmp_path: Path
) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    laptop.append(ArtifactUploaded, laptop.task, "model", "file", "../../../outside", 3, "../../x")
    laptop.append(ArtifactUploaded, laptop.task, "model", "file", "/etc/hostname", 3, "x")
    (tmp_path / "outside").write_bytes(b"secret")
    push(laptop.store, remote)
    folder = remote / "stores" / laptop.id.hex()
    (folder / "..\\..\\000000000000-000000000009-0123456789abcdef.segment").write_bytes(b"x")
    (folder / "000000000000-000000000009-0123456789abcdef.segment~").write_bytes(b"x")
    (folder / "deeper").mkdir()
    (folder / "deeper" / "000000000000-000000000009-0123456789abcdef.segment").write_bytes(b"x")
    (remote / "stores" / "..not-hex").mkdir()
    (remote / "stores" / "stray").write_bytes(b"x")
    result = pull(cluster.store, remote)
    assert (result.batches, result.blobs, result.problems) == (1, 0, [])
    assert list(cluster.store.blobs) == []
    assert not (remote / "blobs").exists()
    assert push(laptop.store, remote).problems == []


def test_a_segment_that_is_no_file_is_passed_over(machine: Machines, remote: Path) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    laptop.train()
    push(laptop.store, remote)
    (path,) = segments_of(remote, laptop)
    path.unlink()
    os.mkfifo(path)
    assert pull(cluster.store, remote).batches == 0
    path.unlink()
    path.mkdir()
    assert pull(cluster.store, remote).batches == 0
    path.rmdir()
    path.symlink_to("/dev/zero")
    assert pull(cluster.store, remote).batches == 0


def test_a_blob_that_is_a_link_to_itself_holds_nothing_back(machine: Machines, remote: Path) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    digest = laptop.upload(b"weights")
    push(laptop.store, remote)
    path = remote / "blobs" / digest[:2] / digest
    path.unlink()
    path.symlink_to(path.name)
    pulled = pull(cluster.store, remote)
    assert pulled.batches > 0
    assert [digest in problem for problem in pulled.problems] == [True]


@pytest.mark.parametrize("kind", ["segment", "blob"])
def test_an_object_that_the_disk_does_not_give_back_is_passed_over(
    machine: Machines, remote: Path, kind: str
) -> None:
    laptop, desktop, cluster = machine("laptop"), machine("desktop"), machine("cluster")
    digest = laptop.upload(b"weights")
    desktop.train()
    push(laptop.store, remote)
    push(desktop.store, remote)
    path = segments_of(remote, laptop)[0] if kind == "segment" else remote / "blobs" / digest[:2] / digest
    # Reading it is an error of the disk, as far as anybody can tell.
    command = ["mount", "--bind", f"/proc/{os.getpid()}/mem", str(path)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        result = pull(cluster.store, remote)
    finally:
        subprocess.run(["umount", str(path)], check=True)
    assert len(result.problems) == 1
    assert path.name in result.problems[0]
    assert "Input/output error" in result.problems[0]
    assert desktop.id in cluster.store.heads()
    assert (laptop.id in cluster.store.heads()) == (kind == "blob")


def test_one_bad_store_does_not_stop_a_sync_of_the_others(machine: Machines, remote: Path) -> None:
    laptop, desktop, cluster = machine("laptop"), machine("desktop"), machine("cluster")
    laptop.train()
    desktop.train()
    cluster.train()
    push(laptop.store, remote)
    push(desktop.store, remote)
    (path,) = segments_of(remote, laptop)
    flip(path, 50)
    result = synchronise(cluster.store, remote)
    assert len(result.problems) == 1
    assert result.pull.batches == result.push.batches == 1
    assert cluster.store.heads().keys() == {desktop.id, cluster.id}


def test_a_segment_with_a_batch_of_a_newer_version_says_what_to_do(machine: Machines, remote: Path) -> None:
    laptop, cluster = machine("laptop"), machine("cluster")
    laptop.train()
    push(laptop.store, remote)
    (path,) = segments_of(remote, laptop)
    path.write_bytes(path.read_bytes().replace(b"EVB1", b"EVB2", 1))
    result = pull(cluster.store, remote)
    assert len(result.problems) == 1
    assert "upgrade eventlog" in result.problems[0]
