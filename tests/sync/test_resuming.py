"""What a transfer that was cut off left is gone on with only as far as it is right, and by one at a time."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eventlog.blobs import Blobs
from eventlog.errors import DataCorrupt, RemoteUnreachable
from eventlog.partial_file import claim
from eventlog.sync import s3_objects
from eventlog.sync.resuming import own_name
from eventlog.sync.urls import objects_at

SIZE = 20 << 20

Place = Callable[[str], str]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(os.urandom(SIZE))
    return path


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def damaged_copy(source: Path) -> Path:
    """A file whose last byte is another."""
    data = bytearray(source.read_bytes())
    data[-1] ^= 1
    path = source.with_name("damaged")
    path.write_bytes(data)
    return path


def name_of(source: Path) -> str:
    descriptor = os.open(source, os.O_RDONLY)
    try:
        with own_name(descriptor, digest_of(source)) as name:
            assert name is not None
            return name
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("kind", ["folder", "sftp"])
@pytest.mark.parametrize("left", ["beginning", "holes", "more", "all"])
def test_what_is_left_in_a_folder_is_gone_on_with(
    kind: str, left: str, place: Place, tmp_path: Path, source: Path
) -> None:
    data = source.read_bytes()
    remains = {
        "beginning": data[: 11 << 20],
        # Of the last stretch, some writes went through and some did not.
        "holes": data[: 16 << 20] + bytes(1 << 20) + data[17 << 20 : 18 << 20],
        "more": data + b"more",
        "all": data,
    }[left]
    (tmp_path / "remote" / "temporary").mkdir(parents=True)
    (tmp_path / "remote" / "temporary" / name_of(source)).write_bytes(remains)
    counts: list[int] = []
    objects_at(place(kind)).put_file("blobs/ab/x", source, digest_of(source), counts.append)
    assert sum(counts) == SIZE
    assert (tmp_path / "remote" / "blobs" / "ab" / "x").read_bytes() == data
    assert list((tmp_path / "remote" / "temporary").iterdir()) == []


def test_a_folder_takes_nothing_that_is_left_on_trust(place: Place, tmp_path: Path, source: Path) -> None:
    data = bytearray(source.read_bytes())
    data[5] ^= 1
    (tmp_path / "remote" / "temporary").mkdir(parents=True)
    (tmp_path / "remote" / "temporary" / name_of(source)).write_bytes(data)
    objects_at(place("folder")).put_file("blobs/ab/x", source, digest_of(source), lambda _: None)
    assert digest_of(tmp_path / "remote" / "blobs" / "ab" / "x") == digest_of(source)


@pytest.mark.parametrize("kind", ["folder", "sftp", "s3"])
def test_two_that_send_the_same_file_do_not_mix(kind: str, place: Place, source: Path) -> None:
    """Neither when one's copy is damaged, which it notices at its end."""
    url = place(kind)
    objects_at(url).make_root()
    damaged = damaged_copy(source)
    start = threading.Barrier(3)
    ends: list[object] = []

    def send(path: Path) -> None:
        start.wait(30)
        try:
            ends.append(objects_at(url).put_file("blobs/ab/x", path, digest_of(source), lambda _: None))
        except DataCorrupt as error:
            ends.append(error)

    threads = [threading.Thread(target=send, args=(path,)) for path in (source, source, damaged)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(type(end).__name__ for end in ends) == ["DataCorrupt", "NoneType", "NoneType"]
    with objects_at(url).open("blobs/ab/x") as file:
        assert hashlib.sha256(file.read()).hexdigest() == digest_of(source)
    assert not objects_at(url).files("temporary")


def begun(objects: Any, parts: dict[int, bytes]) -> str:
    """An upload of blobs/ab/x that another has begun, with some parts; returns its id."""
    bucket, key, _ = objects._fs.split_path(objects._path("blobs/ab/x"))
    place = {"Bucket": bucket, "Key": key}
    place["UploadId"] = objects.call("create_multipart_upload", **place)["UploadId"]
    for number, data in parts.items():
        objects.call("upload_part", Body=data, PartNumber=number, **place)
    return place["UploadId"]


def uploads(objects: Any) -> set[str]:
    """The uploads of blobs/ab/x that are not finished."""
    bucket, key, _ = objects._fs.split_path(objects._path("blobs/ab/x"))
    return {one["UploadId"] for one in objects.uploads(bucket, key)}


def part_of(source: Path, number: int) -> bytes:
    size = s3_objects.PART_SIZE
    return source.read_bytes()[(number - 1) * size : number * size]


@pytest.mark.parametrize("left", ["right", "wrong", "none"])
def test_an_upload_is_gone_on_with_if_all_its_parts_are_right(
    left: str, place: Place, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One with others is of somebody who may be at it: it is left as it is."""
    objects: Any = objects_at(place("s3"))
    first, wrong = part_of(source, 1), os.urandom(s3_objects.PART_SIZE)
    upload = begun(objects, {"right": {1: first}, "wrong": {1: first, 2: wrong}, "none": {}}[left])
    sent = []
    call = objects.call

    def count(method: str, **arguments: Any) -> Any:
        if method == "upload_part":
            sent.append(arguments["PartNumber"])
        return call(method, **arguments)

    monkeypatch.setattr(objects, "call", count)
    objects.put_file("blobs/ab/x", source, digest_of(source), lambda _: None)
    with objects.open("blobs/ab/x") as file:
        assert hashlib.sha256(file.read()).hexdigest() == digest_of(source)
    assert sorted(sent) == ([2, 3] if left == "right" else [1, 2, 3])
    assert uploads(objects) == (set() if left == "right" else {upload})


def test_who_has_damaged_bytes_does_not_touch_an_upload_of_others(place: Place, source: Path) -> None:
    """The next would otherwise lose what he has sent to each who tries again, as a watcher does."""
    objects: Any = objects_at(place("s3"))
    upload = begun(objects, {1: part_of(source, 1)})
    damaged = damaged_copy(source)
    for _ in range(2):
        with pytest.raises(DataCorrupt):
            objects_at(place("s3")).put_file("blobs/ab/x", damaged, digest_of(source), lambda _: None)
    assert uploads(objects) == {upload}
    assert objects.size("blobs/ab/x") is None


def test_an_upload_into_which_another_sends_wrong_bytes_is_given_up_for_an_own_one(
    place: Place, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many others have begun to send it with a damaged copy."""
    objects: Any = objects_at(place("s3"))
    others = {begun(objects, {1: part_of(source, 1)}) for _ in range(5)}
    call = objects.call

    def interfere(method: str, **arguments: Any) -> Any:
        if method == "complete_multipart_upload" and arguments["UploadId"] in others:
            place = {key: arguments[key] for key in ("Bucket", "Key", "UploadId")}
            call("upload_part", PartNumber=2, Body=os.urandom(s3_objects.PART_SIZE), **place)
        return call(method, **arguments)

    monkeypatch.setattr(objects, "call", interfere)
    counts: list[int] = []
    objects.put_file("blobs/ab/x", source, digest_of(source), counts.append)
    assert sum(counts) == SIZE
    assert uploads(objects) == others
    with objects.open("blobs/ab/x") as file:
        assert hashlib.sha256(file.read()).hexdigest() == digest_of(source)


def test_uploads_that_nobody_goes_on_with_are_cleared_away_after_a_day(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects: Any = objects_at(place("s3"))
    for name in ("blobs/ab/x", "other/x"):
        bucket, key, _ = objects._fs.split_path(objects._path(name))
        upload = objects.call("create_multipart_upload", Bucket=bucket, Key=key)["UploadId"]
        # moto says of every upload that it was begun in 2010; the time of its parts is right.
        objects.call("upload_part", Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"half")
    of_blobs = objects._path("blobs/").partition("/")[2]
    objects.sweep()
    assert len(objects.uploads(bucket, of_blobs)) == 1
    later = time.time() + 25 * 3600
    monkeypatch.setattr(s3_objects.time, "time", lambda: later)
    objects.sweep()
    assert objects.uploads(bucket, of_blobs) == []
    assert len(objects.uploads(bucket, key)) == 1


@pytest.mark.parametrize("kind", ["sftp", "folder"])
def test_what_dead_writers_left_is_cleared_away_after_a_day(kind: str, place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "remote" / "temporary"
    folder.mkdir(parents=True)
    for name, age in (("0" * 32, 90_000), ("1" * 32, 1_000), ("notes.txt", 90_000)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age,) * 2)
    objects_at(place(kind)).sweep()
    assert {path.name for path in folder.iterdir()} == {"1" * 32, "notes.txt"}


def test_a_blob_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    digest = hashlib.sha256(data).hexdigest()
    blobs = Blobs(tmp_path / "home")

    def pieces() -> Iterator[bytes]:
        yield data[: 2 << 20]
        raise RemoteUnreachable("the network is away")

    with pytest.raises(RemoteUnreachable), blobs.writer(expected=digest, resumable=True) as writer:
        all(writer.write(piece) for piece in pieces())
    with blobs.writer(expected=digest, resumable=True) as writer:
        assert writer.size == 2 << 20
        # Another at the same time has a file of its own.
        with blobs.writer(expected=digest, resumable=True) as other:
            assert other.size == 0
            other.write(data)
        writer.write(data[2 << 20 :])
    assert blobs.path(digest).read_bytes() == data
    assert list(blobs.temporary.iterdir()) == []


def test_a_blob_that_was_left_wrong_is_thrown_away(tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    digest = hashlib.sha256(data).hexdigest()
    blobs = Blobs(tmp_path / "home")
    blobs.temporary.mkdir(parents=True)
    (blobs.temporary / f"blob-{digest}").write_bytes(bytes(1 << 20))
    with pytest.raises(DataCorrupt), blobs.writer(expected=digest, resumable=True) as writer:
        writer.write(data[writer.size :])
    assert list(blobs) == list(blobs.temporary.iterdir()) == []
    with blobs.writer(expected=digest, resumable=True) as writer:
        assert writer.size == 0
        writer.write(data)
    assert list(blobs) == [digest]


def test_a_file_that_another_has_made_whole_is_not_written_to(tmp_path: Path) -> None:
    first = claim(tmp_path / "partial")
    assert first is not None
    assert claim(tmp_path / "partial") is None
    (tmp_path / "partial").rename(tmp_path / "whole")
    second = claim(tmp_path / "partial")
    assert second is not None
    assert not os.path.samestat(os.fstat(first), os.fstat(second))
    os.close(first)
    os.close(second)
