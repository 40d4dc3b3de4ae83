"""Remote objects on S3, and on what is spoken to as S3 is.

A large object is sent in parts, several at once, and is there when the last call puts them together. Parts
that a push which was cut off has sent are found again, and not sent again, if their MD5s are those of the
bytes here.

Whoever began them may be alive. So an upload of another's is only gone on with by who has found his own bytes
to be right, and every part there to be of them: what he sends into it is what is there already, to the byte.
And nobody removes an upload of the last day, not even one who finds at the end that his bytes are not right.
So it can fail once to go on with an upload, where who began it sends wrong bytes into it; one's own, nobody
disturbs.
"""

import contextlib
import hashlib
import os
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from eventlog.errors import DataCorrupt, EventlogError
from eventlog.sync.copying import OnBytes, hash_file, opened
from eventlog.sync.failures import Failure, Passing, failure_of
from eventlog.sync.layout import BLOBS
from eventlog.sync.objects import SWEEP_AGE_SECONDS, check_digest
from eventlog.sync.put_objects import PutObjects

__all__ = ["S3Objects"]

PART_SIZE = 8 << 20
MOST_PARTS = 10_000
PARTS_AT_ONCE = 4
# From how many objects on it is worth to look whether one answer names all that there are (S3: 1,000).
WORTH_A_PAGE = 16
# How often a whole object is begun, where what was being sent is gone. Beside programs that do as this one
# does, two are enough.
BEGINNINGS = 4
# How many uploads of one object are looked at, to go on with one.
MOST_LOOKED_AT = 5

# Size and ETag of a part, by its number.
Parts = dict[int, tuple[int, str]]


class S3Objects(PutObjects):
    """Objects on S3."""

    advice_on_rights = "check the credentials (AWS_PROFILE, or AWS_ACCESS_KEY_ID) and what they may do there"

    def __init__(self, file_system: Any, root: str, shown: str) -> None:
        super().__init__(file_system, root, shown)
        # It is tried again here, with patience.
        file_system.retries = 1
        self._is_ready = False

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """The sizes of those of these objects that are there."""
        asked = list(names)
        folders = {name.partition("/")[0] for name in asked}
        if len(asked) >= WORTH_A_PAGE and len(folders) == 1:
            (folder,) = folders
            page = self._attempt(folder, lambda: self._whole_page(folder))
            if page is not None:
                return {name: page[name] for name in asked if name in page}
        return super().sizes(asked)

    def put_file(self, name: str, source: Path, digest: str, progress: OnBytes) -> None:
        """Write a file's bytes as an object, whole or not at all.

        Raises:
            DataCorrupt: the file's bytes have another hash, or cannot be read.
        """
        with opened(source) as descriptor:
            size = os.fstat(descriptor).st_size
            if size <= PART_SIZE:
                data = _read(descriptor, 0, size, source)
                check_digest(source, hashlib.sha256(data).hexdigest(), digest)
                self._attempt(name, lambda: self._put(name, data), progress, writing=True)
                progress(size)
                return
            for beginning in range(BEGINNINGS):
                # What others began is gone on with once.
                upload = _Upload(self, name, progress, goes_on=beginning == 0)
                if upload.send(descriptor, size, source, digest):
                    return
        raise Passing(
            f"{self.shown}/{name} does not hold: others write or remove it at the same time; sync again"
        )

    def sweep(self) -> None:
        """Abort uploads that nobody has added to for more than a day, if that may be done."""
        bucket, prefix, _ = self._fs.split_path(self._path(BLOBS) + "/")
        oldest = time.time() - SWEEP_AGE_SECONDS
        with contextlib.suppress(Exception):
            for upload in self.uploads(bucket, prefix):
                if upload["Initiated"].timestamp() < oldest:
                    place = {"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
                    parts = self.call("list_parts", **place).get("Parts", [])
                    if all(part["LastModified"].timestamp() < oldest for part in parts):
                        self.call("abort_multipart_upload", **place)

    def call(self, method: str, **arguments: Any) -> Any:
        """Call a method of S3."""
        if not self._is_ready:
            # A server that is asked whether it would take a body, and never answers, would be waited for
            # without end: aiohttp has no limit there.
            events = self._fs.connect().meta.events
            events.register_last("before-send.s3", _without_question, unique_id="eventlog-question")
            self._is_ready = True
        return self._fs.call_s3(method, **arguments)

    def uploads(self, bucket: str, prefix: str) -> list[dict[str, Any]]:
        """The uploads that were begun and not finished, under a prefix."""
        found: list[dict[str, Any]] = []
        place = {"Bucket": bucket, "Prefix": prefix}
        while True:
            answer = self.call("list_multipart_uploads", **place)
            found += answer.get("Uploads", [])
            if not answer.get("IsTruncated"):
                return found
            place["KeyMarker"] = answer["NextKeyMarker"]
            place["UploadIdMarker"] = answer["NextUploadIdMarker"]

    def _whole_page(self, folder: str) -> dict[str, int] | None:
        """The sizes of all objects in a folder, however deep; None where one answer has not all of them."""
        bucket, prefix, _ = self._fs.split_path(self._path(folder) + "/")
        answer = self.call("list_objects_v2", Bucket=bucket, Prefix=prefix)
        if answer.get("IsTruncated"):
            return None
        start = len(prefix) - len(folder) - 1
        return {entry["Key"][start:]: int(entry["Size"]) for entry in answer.get("Contents", [])}

    def _size(self, path: str) -> int | None:
        # s3fs would ask for a folder of that name as well.
        bucket, key, _ = self._fs.split_path(path)
        try:
            answer = self.call("head_object", Bucket=bucket, Key=key)
        except FileNotFoundError:
            return None
        return int(answer["ContentLength"])

    def _put(self, name: str, data: bytes) -> None:
        bucket, key, _ = self._fs.split_path(self._path(name))
        answer = self.call("put_object", Bucket=bucket, Key=key, Body=data)
        if not answer.get("ETag"):
            # The page of a network that asks for a login, say, is no promise that it is kept.
            raise Passing(
                f"{self.shown}/{name} was not kept: what answers there is not S3; check the network"
            )


class _Upload:
    """An object being sent in parts."""

    def __init__(self, objects: S3Objects, name: str, progress: OnBytes, *, goes_on: bool) -> None:
        self._objects = objects
        self._name = name
        self._progress = progress
        self._goes_on = goes_on
        bucket, key, _ = objects._fs.split_path(objects._path(name))
        self._place = {"Bucket": bucket, "Key": key}

    def send(self, descriptor: int, size: int, source: Path, digest: str) -> bool:
        """Send a file, and put the object together; False where the parts were gone before that."""
        there = self._find(descriptor, size, source, digest) if self._goes_on else {}
        if not there:
            self._begin()
        part_size = _part_size(size)
        sent: dict[int, str] = {}
        counted = 0
        waiting: deque[tuple[int, int, Future[str]]] = deque()
        hasher = hashlib.sha256()
        executor = ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="eventlog-parts")
        try:
            for number, offset in enumerate(range(0, size, part_size), 1):
                data = _read(descriptor, offset, min(part_size, size - offset), source)
                hasher.update(data)
                if number in there:
                    sent[number] = there[number][1]
                    counted += len(data)
                    self._progress(len(data))
                    continue
                if len(waiting) >= PARTS_AT_ONCE:
                    counted += self._finish(waiting, sent)
                waiting.append((number, len(data), executor.submit(self._send_part, number, data)))
            while waiting:
                counted += self._finish(waiting, sent)
            # Where it is not, the upload is left to be swept: others may be going on with it.
            check_digest(source, hasher.hexdigest(), digest)
            self._call("complete_multipart_upload", MultipartUpload={"Parts": _listed(sent)})
        except EventlogError:
            raise
        except _PartsGone:
            if self._objects.size(self._name) == size:
                # Another has put the same together, or the answer to this was lost; if these are those bytes.
                check_digest(source, hash_file(descriptor, lambda _: None), digest)
                self._progress(size - counted)
                return True
            self._progress(-counted)
            return False
        finally:
            # Who interrupts is not kept waiting for what a server does not answer.
            executor.shutdown(wait=False, cancel_futures=True)
        return True

    def _finish(self, waiting: deque[tuple[int, int, Future[str]]], sent: dict[int, str]) -> int:
        number, size, future = waiting.popleft()
        sent[number] = future.result()
        self._progress(size)
        return size

    def _find(self, descriptor: int, size: int, source: Path, digest: str) -> Parts:
        """Go on with an upload of this object, if there is one whose parts are right; returns these parts.

        Raises:
            DataCorrupt: the file's bytes are not those that they should be.
        """
        for upload, parts in self._begun():
            if self._are_right(parts, descriptor, size, source, digest):
                self._place["UploadId"] = upload
                return parts
        return {}

    def _begun(self) -> list[tuple[str, Parts]]:
        """The uploads of this object that have parts, and their parts, the latest first."""
        found: list[tuple[str, Parts]] = []
        # Whether it is for want of the right, or since this server has no such list: it does without.
        with contextlib.suppress(Exception):
            key = self._place["Key"]
            begun = [one for one in self._objects.uploads(self._place["Bucket"], key) if one["Key"] == key]
            begun.sort(key=lambda one: one["Initiated"], reverse=True)
            for one in begun[:MOST_LOOKED_AT]:
                upload = one["UploadId"]
                found.append((upload, self._parts(upload)))
        return [(upload, parts) for upload, parts in found if parts]

    def _are_right(self, parts: Parts, descriptor: int, size: int, source: Path, digest: str) -> bool:
        """Whether all these parts are of a file, which has the hash that it should have."""
        hasher = hashlib.sha256()
        part_size = _part_size(size)
        own: Parts = {}
        for number, offset in enumerate(range(0, size, part_size), 1):
            data = _read(descriptor, offset, min(part_size, size - offset), source)
            hasher.update(data)
            if number in parts:
                own[number] = len(data), _md5(data)
            self._progress(0)
        check_digest(source, hasher.hexdigest(), digest)
        return own == parts

    def _begin(self) -> None:
        with self._objects.errors(self._name, writing=True):
            answer = self._call("create_multipart_upload")
        self._place["UploadId"] = answer["UploadId"]

    def _parts(self, upload: str) -> Parts:
        found: Parts = {}
        place: dict[str, Any] = {**self._place, "UploadId": upload}
        while True:
            answer = self._objects.call("list_parts", **place)
            for part in answer.get("Parts", []):
                found[part["PartNumber"]] = (part["Size"], part["ETag"])
            if not answer.get("IsTruncated"):
                return found
            place["PartNumberMarker"] = answer["NextPartNumberMarker"]

    def _send_part(self, number: int, data: bytes) -> str:
        answer = self._call("upload_part", PartNumber=number, Body=data)
        return str(answer["ETag"])

    def _call(self, method: str, **arguments: Any) -> Any:
        def call() -> Any:
            try:
                return self._objects.call(method, **self._place, **arguments)
            except Exception as error:
                if "UploadId" in self._place and (failure_of(error) is Failure.MISSING or self._is_gone()):
                    return None
                raise

        answer = self._objects._attempt(self._name, call, writing=True)
        if answer is None:
            raise _PartsGone
        return answer

    def _is_gone(self) -> bool:
        """Whether the upload is not known any more: some servers then fail, where others say so."""
        try:
            self._objects.call("list_parts", **self._place, MaxParts=1)
        except Exception as error:
            return failure_of(error) is Failure.MISSING
        return False


class _PartsGone(Exception):
    """The upload is not known any more: it was put together, or removed."""


def _without_question(request: Any, **_: Any) -> None:
    if "Expect" in request.headers:
        del request.headers["Expect"]


def _part_size(size: int) -> int:
    """Whole mebibytes, the same for the same object each time, so that there are not too many parts."""
    return max(PART_SIZE, -(-size // (MOST_PARTS << 20)) << 20)


def _listed(sent: dict[int, str]) -> list[dict[str, Any]]:
    return [{"PartNumber": number, "ETag": etag} for number, etag in sorted(sent.items())]


def _md5(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def _read(descriptor: int, offset: int, count: int, source: Path) -> bytes:
    try:
        data = os.pread(descriptor, count, offset)
    except OSError as error:
        raise DataCorrupt(f"{source} cannot be read at byte {offset} ({error.strerror})") from None
    if len(data) < count:
        raise DataCorrupt(f"{source} was cut short while it was sent")
    return data
