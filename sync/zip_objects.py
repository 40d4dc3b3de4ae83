"""A remote in one zip file: its objects are the members, under the same names.

It is written once, front to back, and is a remote from the moment it has its name. What compresses well is
deflated, the rest stored, so that any program can take it apart.
"""

import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from eventlog.errors import NotFound
from eventlog.sync.archive import Archive
from eventlog.sync.blob_lists import BlobLists, ObjectsPlace
from eventlog.sync.copying import OnBytes, hash_file, opened
from eventlog.sync.layout import ABSENT, HAD
from eventlog.sync.objects import Objects, check_digest
from eventlog.sync.read_only import ReadOnlyObjects

__all__ = ["ZipObjects", "ZipTarget"]

PIECE_SIZE = 1 << 20
SAMPLE_SIZE = 64 << 10
# A member is deflated where that leaves less than this part of it.
WORTHWHILE = 0.9


class ZipObjects(ReadOnlyObjects):
    """The objects in a zip file, for reading; as many threads as want to may read at once."""

    is_made_once = True
    advice_on_gaps = "take in the bundle first that it goes on from"
    advice_on_blobs = "copy it again, or take in one that has it, made with `eventlog bundle create`"
    advice_on_sides = "make a new bundle where `eventlog fork` was run, as this one cannot be changed"
    advice_on_writing = "make another with `eventlog bundle create`"

    def __init__(self, archive: Archive) -> None:
        super().__init__(None, "", str(archive.path))
        self._archive = archive
        self._folders: dict[str, dict[str, int]] = {}
        for name, size in archive.sizes.items():
            folder, _, base = name.rpartition("/")
            self._folders.setdefault(folder, {})[base] = size

    def close(self) -> None:
        """Close the file."""
        self._archive.close()

    def names(self) -> list[str] | None:
        """The names right under the root, folders included."""
        return sorted({name.partition("/")[0] for name in self._archive.sizes})

    def files(self, folder: str) -> dict[str, int]:
        """Size by name of the files right in a folder."""
        return dict(self._folders.get(folder, {}))

    def everything(self) -> dict[str, int | None]:
        """Size by name of every object."""
        return dict(self._archive.sizes)

    def files_in_folders(self, folder: str) -> dict[str, int]:
        """Size by ``folder/name`` of the files in the folders of a folder."""
        start = f"{folder}/"
        return {
            name.removeprefix(start): size
            for name, size in self._archive.sizes.items()
            if name.startswith(start) and name.count("/") == start.count("/") + 1
        }

    def left_out(self) -> set[str]:
        """The blobs that are left out, by their SHA-256, as the side that these are for has them."""
        return BlobLists(ObjectsPlace(self, HAD)).digests()

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """The sizes of those of these objects that are there."""
        return {name: self._archive.sizes[name] for name in names if name in self._archive.sizes}

    def size(self, name: str) -> int | None:
        """An object's size in bytes, or None where there is none."""
        return self._archive.sizes.get(name)

    def open(self, name: str) -> BinaryIO:
        """An object, opened for reading.

        Raises:
            NotFound: there is none.
        """
        if name not in self._archive.sizes:
            raise NotFound(f"{self.shown}/{name} is not there")
        with self._archive.errors(name):
            return self._archive.file(name)

    def start(self, name: str, count: int) -> bytes:
        """At most the first `count` bytes of an object.

        Raises:
            NotFound: there is none.
        """
        with self.errors(name), self.open(name) as file:
            return file.read(count)

    def _pieces(self, name: str, start: int, size: int, progress: OnBytes) -> Iterator[bytes]:
        with self.errors(name), self.open(name) as file:
            offset = 0
            while piece := file.read(PIECE_SIZE):
                offset += len(piece)
                # A member has no ranges: what is here already is read, and passed over.
                if offset > start:
                    yield piece[max(0, len(piece) - (offset - start)) :]

    @contextmanager
    def errors(self, name: str, *, writing: bool = False) -> Iterator[None]:
        """Says in one line that bytes are not what they should be."""
        with self._archive.errors(name):
            yield


class ZipTarget(Objects):
    """The objects of a zip file that is being written; what is put by several threads goes in turns.

    Args:
        path: the file; there is none yet.
        deflate: compress what compresses well.

    Attributes:
        content: bytes of all objects so far.
    """

    def __init__(self, path: Path, shown: str, *, deflate: bool = True) -> None:
        super().__init__(None, "", shown)
        self.content = 0
        self._deflate = deflate
        self._sizes: dict[str, int] = {}
        with self.errors("", writing=True):
            self._file: BinaryIO = path.open("xb")
        self._zip = zipfile.ZipFile(self._file, "w", compresslevel=1)

    def close(self) -> None:
        """Write the list of members, and return once all of it is on the disk.

        Raises:
            RemoteUnreachable: there is no room for it.
        """
        with self.errors("", writing=True), self._file:
            self._zip.close()
            self._file.flush()
            os.fsync(self._file.fileno())

    def abandon(self) -> None:
        """Close the file as it is."""
        self._zip.fp = None
        self._file.close()

    def names(self) -> list[str] | None:
        """The names right under the root, folders included."""
        return sorted({name.partition("/")[0] for name in self._sizes})

    def files(self, folder: str) -> dict[str, int]:
        """Size by name of the files right in a folder."""
        return _files(self._sizes, folder)

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """The sizes of those of these objects that were put."""
        return {name: self._sizes[name] for name in names if name in self._sizes}

    def start(self, name: str, count: int) -> bytes:
        """Nothing that was written is read again.

        Raises:
            NotFound: always.
        """
        raise NotFound(f"{self.shown}/{name} is not there")

    def make_root(self) -> None:
        """Nothing: the file is there."""

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write an object; lists alone are not compressed already."""
        is_list = name.startswith((f"{ABSENT}/", f"{HAD}/"))
        method = zipfile.ZIP_DEFLATED if self._deflate and is_list else zipfile.ZIP_STORED
        self._write(name, method, pieces, 0, lambda _: None)

    def put_file(self, name: str, source: Path, digest: str, progress: OnBytes) -> None:
        """Write a file's bytes as an object.

        Raises:
            DataCorrupt: the file's bytes have another hash, or cannot be read; nothing was written.
        """
        with opened(source) as descriptor:
            # What was written cannot be taken back, so the hash has to be known before.
            check_digest(source, hash_file(descriptor, lambda _: None), digest)
            size = os.fstat(descriptor).st_size
            method = zipfile.ZIP_DEFLATED if self._is_worthwhile(descriptor, size) else zipfile.ZIP_STORED
            self._write(name, method, _pieces(descriptor), size, progress)

    def sweep(self) -> None:
        """Nothing: nothing is written under another name."""

    def _is_worthwhile(self, source: int, size: int) -> bool:
        if not self._deflate or not size:
            return False
        places = {0, max(0, size // 2), max(0, size - SAMPLE_SIZE)}
        sample = b"".join(os.pread(source, SAMPLE_SIZE, place) for place in sorted(places))
        return len(zlib.compress(sample, 1)) < WORTHWHILE * len(sample)

    def _write(
        self, name: str, method: int, pieces: Iterable[bytes], size: int, progress: Callable[[int], None]
    ) -> None:
        with self._lock, self.errors(name, writing=True):
            written = 0
            self._zip.compression = method
            # Of a name alone, unlike of a ZipInfo, the archive's level is taken.
            with self._zip.open(name, "w", force_zip64=size >= zipfile.ZIP64_LIMIT // 2) as target:
                for piece in pieces:
                    target.write(piece)
                    written += len(piece)
                    progress(len(piece))
            self._sizes[name] = written
            self.content += written


def _files(sizes: Mapping[str, int], folder: str) -> dict[str, int]:
    start = f"{folder}/"
    return {
        name.removeprefix(start): size
        for name, size in sizes.items()
        if name.startswith(start) and name.count("/") == start.count("/")
    }


def _pieces(descriptor: int) -> Iterator[bytes]:
    offset = 0
    while piece := os.pread(descriptor, PIECE_SIZE, offset):
        offset += len(piece)
        yield piece
