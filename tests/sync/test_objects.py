"""Every kind of file system behind a remote keeps the same promises."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.registry import known_implementations

from eventlog.blobs import Blobs
from eventlog.errors import DataCorrupt, NotAvailable, NotFound
from eventlog.sync import Remote, pull, push, synchronise
from eventlog.sync.objects import Objects
from eventlog.sync.s3_objects import S3Objects
from eventlog.sync.urls import objects_at
from tests.sync.machines import Machine, batches_of

KINDS = ["folder", "share", "memory", "s3", "sftp", "webdav", "gcs", "azure"]

# aiohttp says so to gcsfs and adlfs, of what they send.
pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")

Place = Callable[[str], str]


def some_bytes(size: int) -> bytes:
    """The emulator of GCS forgets a carriage return at the end."""
    return os.urandom(size - 1) + b"." if size else b""


@pytest.fixture(params=KINDS)
def another(request: pytest.FixtureRequest, tmp_path: Path, place: Place) -> Iterator[Callable[[], Objects]]:
    """Gives the objects of a remote of each kind; each time as another machine has them."""
    if request.param == "share":
        yield lambda: Objects(fsspec.filesystem("file"), str(tmp_path / "remote"), "a share")
    elif request.param == "memory":
        yield lambda: objects_at(f"memory://{tmp_path.name}/remote")
        fsspec.filesystem("memory").store.clear()
        fsspec.filesystem("memory").pseudo_dirs[:] = [""]
    else:
        url = place(request.param)
        yield lambda: objects_at(url)


@pytest.fixture
def objects(another: Callable[[], Objects]) -> Objects:
    return another()


def put_many(objects: Objects) -> dict[str, int]:
    """Objects in folders of a folder, and others beside them that are not asked for; their sizes."""
    objects.make_root()
    sizes = {f"blobs/{number % 7:02x}/{number:04x}": number for number in range(1, 20)}
    for name, size in [*sizes.items(), ("blobs2/00/0001", 5), ("stores/00/0001", 6)]:
        objects.put(name, [some_bytes(size)])
    return sizes


def test_many_are_asked_for_at_once(another: Callable[[], Objects]) -> None:
    sizes = put_many(another())
    others = [f"blobs/{number % 9:02x}/{number:04x}" for number in range(20, 40)]
    assert another().sizes([*others, *sizes]) == sizes
    assert another().sizes(others) == {}


def test_more_than_an_answer_of_s3_names_are_found_one_by_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = objects_at(place("s3"))
    sizes = put_many(objects)
    assert isinstance(objects, S3Objects)
    call = objects.call
    asked: list[str] = []

    def call_for_few(method: str, **arguments: Any) -> Any:
        asked.append(method)
        return call(method, **arguments, **({"MaxKeys": 5} if method == "list_objects_v2" else {}))

    monkeypatch.setattr(objects, "call", call_for_few)
    assert objects.sizes(["blobs/00/none", *sizes]) == sizes
    assert asked[0] == "list_objects_v2"
    assert "head_object" in asked


def test_a_put_that_s3_has_not_answered_is_tried_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = objects_at(place("s3"))
    assert isinstance(objects, S3Objects)
    call = objects.call
    of_the_portal = [{}, {"Body": "<html>log in</html>"}]

    def call_through_a_portal(method: str, **arguments: Any) -> Any:
        if method == "put_object" and of_the_portal:
            return of_the_portal.pop()
        return call(method, **arguments)

    monkeypatch.setattr(objects, "call", call_through_a_portal)
    objects.put("marker", [b"one"])
    assert read(objects, "marker") == b"one"
    assert not of_the_portal


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


def test_what_another_machine_puts_is_seen_at_the_next_listing(
    objects: Objects, another: Callable[[], Objects]
) -> None:
    objects.make_root()
    objects.put("stores/ab/x", [b"1"])
    assert objects.files_in_folders("stores") == {"ab/x": 1}
    another().put("stores/ab/y", [b"22"])
    assert objects.files_in_folders("stores") == {"ab/x": 1, "ab/y": 2}


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_a_file_is_put_with_its_hash_checked(objects: Objects, tmp_path: Path, size: int) -> None:
    source = tmp_path / "source"
    data = some_bytes(size)
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


def test_what_is_removed_is_gone_and_may_be_removed_again(objects: Objects) -> None:
    objects.make_root()
    objects.put("stores/ab/x", [b"1"])
    objects.put("stores/ab/y", [b"1"])
    for _ in range(2):
        objects.remove("stores/ab/x")
        assert objects.files_in_folders("stores") == {"ab/y": 1}
    with pytest.raises(NotFound):
        objects.start("stores/ab/x", 1)


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
    data = some_bytes(size)
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


def test_what_is_put_again_is_whole_all_the_while(objects: Objects, another: Callable[[], Objects]) -> None:
    """Several machines may put the same under the same name at once; whoever reads it sees it whole."""
    objects.make_root()
    data = some_bytes(300_000)
    objects.put("stores/ab/x", [data])
    start = threading.Barrier(4)
    failures: list[BaseException] = []

    def put() -> None:
        try:
            own = another()
            start.wait(30)
            for _ in range(3):
                own.put("stores/ab/x", [data])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=put) for _ in range(3)]
    for thread in threads:
        thread.start()
    start.wait(30)
    while any(thread.is_alive() for thread in threads):
        assert read(objects, "stores/ab/x") == data
    assert failures == []
    assert objects.files("stores/ab") == {"x": len(data)}
    assert not objects.files("temporary")


@pytest.mark.parametrize("name", ["a b", "a+b", "ä", "a&b=c", "a'b", "[a]*"])
def test_names_are_taken_as_they_are(objects: Objects, name: str) -> None:
    """Other programs may leave what they like there."""
    objects.make_root()
    objects.put(f"stores/ab/{name}", [b"1"])
    assert objects.files_in_folders("stores") == {f"ab/{name}": 1}
    assert read(objects, f"stores/ab/{name}") == b"1"


def test_machines_meet_through_any_of_them(
    another: Callable[[], Objects], machine: Callable[[str], Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlog.sync.remote.objects_at", lambda url: another())
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
