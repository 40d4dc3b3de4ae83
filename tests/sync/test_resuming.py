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
    damaged = source.with_name("damaged")
    damaged.write_bytes(source.read_bytes()[:-1] + b"\0")
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


def test_parts_that_are_not_those_of_the_file_are_sent_again(place: Place, source: Path) -> None:
    objects: Any = objects_at(place("s3"))
    bucket, key, _ = objects._fs.split_path(objects._path("blobs/ab/x"))
    upload = objects.call("create_multipart_upload", Bucket=bucket, Key=key)["UploadId"]
    part = {"Bucket": bucket, "Key": key, "UploadId": upload, "PartNumber": 1}
    objects.call("upload_part", Body=os.urandom(s3_objects.PART_SIZE), **part)
    objects.put_file("blobs/ab/x", source, digest_of(source), lambda _: None)
    with objects.open("blobs/ab/x") as file:
        assert hashlib.sha256(file.read()).hexdigest() == digest_of(source)
    assert objects.uploads(bucket, key) == []


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
