"""The three kinds of file system behind a remote keep the same promises."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec.registry import known_implementations

from eventlog.blobs import Blobs
from eventlog.errors import DataCorrupt, NotAvailable, NotFound
from eventlog.sync import Remote, pull, push, synchronise
from eventlog.sync.objects import Objects
from eventlog.sync.urls import objects_at
from tests.sync.machines import Machine, batches_of

KINDS = ["FolderObjects", "Objects", "PutObjects"]


@pytest.fixture(params=KINDS)
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Objects]:
    """Objects in a folder, in the same through fsspec's calls alone, and in fsspec's memory."""
    if request.param == "FolderObjects":
        made = objects_at(tmp_path / "remote")
    elif request.param == "Objects":
        made = Objects(fsspec.filesystem("file"), str(tmp_path / "remote"), "a share")
    else:
        made = objects_at(f"memory://{tmp_path.name}/remote")
    assert type(made).__name__ == request.param
    yield made
    fsspec.filesystem("memory").store.clear()
    fsspec.filesystem("memory").pseudo_dirs[:] = [""]


def read(objects: Objects, name: str) -> bytes:
    with objects.open(name) as file:
        return file.read()


def test_nothing_is_there_before_anything_is_put(objects: Objects) -> None:
    assert not objects.names()
    assert objects.files("stores") == {}
    with pytest.raises(NotFound):
        objects.everything()
    assert objects.files_in_folders("stores") == {}
    assert objects.size("stores/ab/x") is None
    assert objects.sizes(["stores/ab/x", "stores/ab/y", "stores/cd/x"]) == {}
    with pytest.raises(NotFound):
        objects.open("stores/ab/x").close()
    with pytest.raises(NotFound):
        objects.start("eventlog-remote", 10)


def test_what_is_put_is_there_and_listed(objects: Objects) -> None:
    objects.make_root()
    objects.put("marker", [b"one ", b"piece"])
    objects.put("stores/ab/x", [b"12345"])
    objects.put("stores/ab/y", [])
    objects.put("stores/cd/x", [b"1"])
    objects.settle()
    assert read(objects, "marker") == b"one piece"
    assert objects.start("marker", 3) == b"one"
    names = objects.names()
    assert names is not None
    assert set(names) - {"temporary"} == {"marker", "stores"}
    assert objects.files("stores/ab") == {"x": 5, "y": 0}
    everything = {"marker": 9, "stores/ab/x": 5, "stores/ab/y": 0, "stores/cd/x": 1}
    assert objects.everything() == everything
    assert objects.files_in_folders("stores") == {"ab/x": 5, "ab/y": 0, "cd/x": 1}
    assert objects.sizes(["stores/ab/x", "stores/ab/y", "stores/cd/x", "stores/ef/x"]) == {
        "stores/ab/x": 5,
        "stores/ab/y": 0,
        "stores/cd/x": 1,
    }


def test_what_another_machine_puts_is_seen_at_the_next_listing(objects: Objects) -> None:
    objects.put("stores/ab/x", [b"1"])
    assert objects.files_in_folders("stores") == {"ab/x": 1}
    other = type(objects)(objects._fs, objects._root, "the same")
    other.put("stores/ab/y", [b"22"])
    assert objects.files_in_folders("stores") == {"ab/x": 1, "ab/y": 2}


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_a_file_is_put_with_its_hash_checked(objects: Objects, tmp_path: Path, size: int) -> None:
    source = tmp_path / "source"
    data = os.urandom(size)
    source.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    counts: list[int] = []
    objects.put_file("blobs/ab/x", source, digest, counts.append)
    assert read(objects, "blobs/ab/x") == data
    assert sum(counts) == size

    with pytest.raises(DataCorrupt, match="SHA-256"):
        objects.put_file("blobs/ab/y", source, "0" * 64, counts.append)
    assert objects.files_in_folders("blobs") == {"ab/x": size}
    assert not objects.files("temporary")


def test_a_write_that_fails_half_way_leaves_nothing(objects: Objects) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise DataCorrupt("the rest cannot be had")

    with pytest.raises(DataCorrupt, match="the rest"):
        objects.put("stores/ab/x", pieces())
    assert objects.files_in_folders("stores") == {}
    assert not objects.files("temporary")


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_an_object_is_copied_into_a_store_with_its_hash_checked(
    objects: Objects, tmp_path: Path, size: int
) -> None:
    data = os.urandom(size)
    objects.put("blobs/ab/x", [data])
    digest = hashlib.sha256(data).hexdigest()
    blobs = Blobs(tmp_path / "home")
    counts: list[int] = []
    with blobs.writer(expected=digest) as writer:
        objects.copy("blobs/ab/x", size, writer, counts.append)
    assert blobs.path(digest).read_bytes() == data
    assert sum(counts) == size
    with pytest.raises(DataCorrupt), blobs.writer(expected="0" * 64) as writer:
        objects.copy("blobs/ab/x", size, writer, counts.append)
    assert list(blobs) == [digest]


def test_machines_meet_through_any_of_them(
    objects: Objects, machine: Callable[[str], Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlog.sync.remote.objects_at", lambda url: objects)
    laptop, cluster = machine("laptop"), machine("cluster")
    for one in (laptop, cluster):
        one.train()
        one.upload(one.id)
        one.upload(one.id * 200_000)
    assert push(laptop.store, "any").problems == []
    assert synchronise(cluster.store, "any").problems == []
    assert pull(laptop.store, "any").problems == []
    assert batches_of(laptop.store) == batches_of(cluster.store)
    assert len(laptop.store.heads()) == 2
    assert set(laptop.store.blobs) == set(cluster.store.blobs)
    assert synchronise(laptop.store, "any").push.bytes == 0


def test_a_protocol_whose_package_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        known_implementations,
        "absent",
        {"class": "absent_package.FileSystem", "err": "install absent_package to access Absent"},
    )
    with pytest.raises(NotAvailable, match="install absent_package"):
        Remote("absent://host/path")
