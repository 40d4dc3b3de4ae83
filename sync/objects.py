"""Remote objects: named bytes under one URL, each written once and whole.

There are kinds of them, by how an object comes to be whole under its name:

* `Objects`: written under ``temporary/``, then moved into place (shares through fsspec, WebDAV).
* `FolderObjects`: the same on a local file system, synced to the disk before it is moved.
* `SftpObjects`: the same over SFTP, going on with what a cut-off write left.
* `PutObjects`: put in one request that succeeds or leaves nothing (GCS, Azure).
* `S3Objects`: the same, with large objects in parts that are put together at the end.
* `HttpObjects`: only read.

What fails for the moment is tried again, with `Patience`. Whatever goes wrong for good is said in one line,
as an error of the tree.
"""

import contextlib
import hashlib
import io
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from eventlog.blobs import BlobWriter
from eventlog.errors import DataCorrupt, EventlogError, NotFound, RemoteInvalid
from eventlog.sync.copying import OnBytes, copy_hashing, opened, read_whole
from eventlog.sync.failures import Failure, failure_of, told
from eventlog.sync.layout import TEMPORARY, is_temporary
from eventlog.sync.parallel import run_all
from eventlog.sync.patience import Patience
from eventlog.sync.ranges import RangedFile, ranges

__all__ = ["Objects", "Recounted", "check_digest", "check_size", "read_checked"]

SWEEP_AGE_SECONDS = 24 * 3600
LISTING_JOBS = 16
# Where fewer objects than this are asked for in a folder, each is asked for by itself.
WORTH_LISTING = 3
# Folders within folders that are looked into; a remote has two.
DEEPEST = 4

Result = TypeVar("Result")


class Objects:
    """Objects on a file system with folders, where a move puts a whole object in place.

    Args:
        file_system: fsspec's.
        root: the path, on it, that all names are below.
        shown: what to call it in messages.

    Attributes:
        advice_on_rights: what to do when it refuses.
        advice_on_gaps: what to do when batches are missing in the middle.
        advice_on_blobs: what to do when a blob is missing.
        advice_on_sides: what to do when a side of a fork is there under its old id.
        is_read_only: nothing can be written to it.
        is_made_once: it is as it was made, and never gets more.
        is_local: they are on this machine: nothing is waited for but its disk.
    """

    advice_on_rights = "check its owner and rights"
    advice_on_gaps = "sync again, or push to it from where that batch is"
    advice_on_blobs = "push to it from a store that has it"
    advice_on_sides = "run `eventlog fork` with this remote, so that it is there only once"
    is_read_only = False
    is_made_once = False
    is_local = False

    def __init__(self, file_system: Any, root: str, shown: str) -> None:
        self.shown = shown
        self._fs = file_system
        self._root = root.rstrip("/")
        self._made: set[str] = set()
        self._lock = threading.Lock()
        self._patience = Patience(shown)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.shown}>"

    def close(self) -> None:
        """Let go of what is open; nothing is read or written afterwards."""

    # Reading.

    def names(self) -> list[str] | None:
        """The names right under the root, folders included, or None where there is no such folder.

        Raises:
            RemoteInvalid: it is not a folder.
        """
        listing = self._attempt("", self._root_entries)
        return None if listing is None else [_base(entry["name"]) for entry in listing]

    def files(self, folder: str) -> dict[str, int]:
        """Size by name of the files right in a folder; empty where there is no such folder."""
        return {
            _base(entry["name"]): int(entry["size"] or 0)
            for entry in self._entries(folder)
            if entry["type"] == "file"
        }

    def files_in_folders(self, folder: str) -> dict[str, int]:
        """Size by ``folder/name`` of the files in the folders of a folder."""
        inner = [_base(entry["name"]) for entry in self._entries(folder) if entry["type"] == "directory"]
        listings = self._of_each(inner, lambda one: self.files(f"{folder}/{one}"))
        return {
            f"{one}/{name}": size
            for one, files in zip(inner, listings, strict=True)
            for name, size in files.items()
        }

    def everything(self) -> dict[str, int | None]:
        """Size by name of every object under the root; None for what is no plain object, or lies too deep.

        Raises:
            NotFound: there is no such folder.
        """
        if self.names() is None:
            raise NotFound(f"{self.shown} is not there")
        found: dict[str, int | None] = {}
        folders = [""]
        for depth in range(DEEPEST + 1):
            inner = []
            for folder, entries in zip(folders, self._of_each(folders, self._entries), strict=True):
                for entry in entries:
                    name = f"{folder}/{_base(entry['name'])}".lstrip("/")
                    if entry["type"] == "directory" and depth < DEEPEST:
                        inner.append(name)
                    else:
                        found[name] = int(entry["size"] or 0) if entry["type"] == "file" else None
            folders = inner
        return found

    def left_out(self) -> set[str]:
        """The blobs that are left out, by their SHA-256, as the side that these are for has them."""
        return set()

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """The sizes of those of these objects that are there."""
        folders: dict[str, list[str]] = {}
        for name in names:
            folders.setdefault(name.rpartition("/")[0], []).append(name)
        found: dict[str, int] = {}
        for sizes in self._of_each(list(folders), lambda folder: self._sizes_in(folder, folders[folder])):
            found.update(sizes)
        return found

    def size(self, name: str) -> int | None:
        """An object's size in bytes, or None where there is none."""
        return self._attempt(name, lambda: self._size(self._path(name)))

    def start(self, name: str, count: int) -> bytes:
        """At most the first `count` bytes of an object.

        Raises:
            NotFound: there is none.
        """
        return self._range(name, 0, count)

    def open(self, name: str) -> BinaryIO:
        """An object, opened for reading from its beginning.

        Raises:
            NotFound: there is none.
        """
        file = RangedFile(lambda start, count: self._range(name, start, count))
        return cast(BinaryIO, io.BufferedReader(file))

    def copy(self, name: str, size: int, writer: BlobWriter, progress: OnBytes) -> None:
        """Write an object's bytes to a writer of the store, after those that it has already.

        Args:
            size: how many they are, as listed: no more are taken.
            progress: gets the number of bytes of each piece.

        Raises:
            NotFound: there is none.
            DataCorrupt: it has more bytes, or fewer.
            StoreFull, StoreReadOnly: the store cannot keep them.
        """
        if writer.size:
            progress(writer.size)
        for piece in self._pieces(name, writer.size, size, progress):
            check_size(max(size, writer.size + len(piece)), size)
            writer.write(piece)
            progress(len(piece))

    # Writing.

    def check_writable(self) -> None:
        """Make sure that these are of a kind that can be written."""

    def check_name(self) -> None:
        """Make sure that a root of this name would be made; here every one is."""

    def check_place(self) -> None:
        """Make sure that a root that is not there could be made where it would be; here every one could."""
        self.check_name()

    def make_root(self) -> None:
        """Make the folder itself."""
        self._attempt("", lambda: self._fs.makedirs(self._root, exist_ok=True), writing=True)

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write an object, whole or not at all."""
        data = b"".join(pieces)
        self._attempt(name, lambda: self._put(name, data), writing=True)

    def replace(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write what may have other bytes by now (nothing of a remote has) in the place of what is there."""
        self.put(name, pieces)

    def put_file(self, name: str, source: Path, digest: str, progress: OnBytes) -> None:
        """Write a file's bytes as an object, whole or not at all.

        Args:
            digest: the SHA-256, in hexadecimal, that the bytes must have.
            progress: gets the number of bytes of each piece; less than 0 where they have to go again.

        Raises:
            DataCorrupt: the file's bytes have another hash, or cannot be read.
        """
        recounted = Recounted(progress)
        self._attempt(name, lambda: self._put_file(name, source, digest, recounted), progress, writing=True)

    def together(self) -> AbstractContextManager[None]:
        """A block in which files may be put that are under their names only at its end; one at a time."""
        return contextlib.nullcontext()

    def remove(self, name: str) -> None:
        """Delete an object, if it is there."""
        self._attempt(name, lambda: self._remove(self._path(name)), writing=True)

    def settle(self) -> None:
        """Return once everything put so far will outlast a power cut."""

    def sweep(self) -> None:
        """Remove what writers that died left under ``temporary/`` more than a day ago, if it can be."""
        with contextlib.suppress(Exception):
            for entry in self._entries(TEMPORARY):
                if is_temporary(_base(entry["name"])) and entry["type"] == "file":
                    modified = self._fs.modified(entry["name"]).timestamp()
                    if modified < time.time() - SWEEP_AGE_SECONDS:
                        self._fs.rm_file(entry["name"])

    # Below: what one kind of file system does otherwise than another.

    def _put(self, name: str, data: bytes) -> None:
        with self._placed(name) as temporary:
            self._fs.pipe_file(temporary, data)

    def _put_file(self, name: str, source: Path, digest: str, progress: "Recounted") -> None:
        progress.again()
        with opened(source) as descriptor, self._placed(name) as temporary:
            with self._fs.open(temporary, "wb") as file:
                found = copy_hashing(descriptor, lambda piece: file.write(bytes(piece)), progress)
            check_digest(source, found, digest)

    def _remove(self, path: str) -> None:
        try:
            self._fs.rm_file(path)
        except Exception as error:
            if failure_of(error) is not Failure.MISSING:
                raise

    def _move(self, temporary: str, name: str) -> None:
        self._fs.mv(temporary, self._path(name))

    def _read(self, path: str, start: int, count: int) -> bytes:
        """The bytes of a file from an offset; fewer than `count` at its end alone."""
        try:
            data: bytes = self._fs.cat_file(path, start=start, end=start + count)
        except Exception as error:
            # The end is found by asking for what is behind it.
            if failure_of(error) is Failure.RANGE:
                return b""
            raise
        return data

    def _pieces(self, name: str, start: int, size: int, progress: OnBytes) -> Iterator[bytes]:
        """The bytes of an object from an offset, piece by piece; one more than its size if it has more."""

        def read(offset: int, count: int) -> bytes:
            # The last range asks for a byte more, to notice one that should not be there.
            asked = count + (offset + count == size)
            piece = self._range(name, offset, asked, progress)
            if len(piece) < count:
                check_size(offset + len(piece), size)
            return piece

        yield from ranges(read, start, size)

    # Shared by all kinds.

    def _range(self, name: str, start: int, count: int, progress: OnBytes | None = None) -> bytes:
        return self._attempt(name, lambda: self._read(self._path(name), start, count), progress)

    def _attempt(
        self,
        name: str,
        work: Callable[[], Result],
        progress: OnBytes | None = None,
        *,
        writing: bool = False,
    ) -> Result:
        """Do something to an object, and again while that fails for the moment."""

        def once() -> Result:
            with self.errors(name, writing=writing):
                return work()

        return self._patience.run(once, progress)

    def _of_each(self, names: list[str], ask: Callable[[str], Result]) -> list[Result]:
        """What is answered of each name, several asked at once where answers come over a network."""
        results: dict[str, Result] = {}

        def note(name: str) -> None:
            results[name] = ask(name)

        run_all(note, names, 1 if self.is_local else LISTING_JOBS)
        return [results[name] for name in names]

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _root_entries(self) -> list[dict[str, Any]] | None:
        listing = self._listing(self._root or "/")
        if listing is None:
            return None
        itself = [entry["name"].rstrip("/") for entry in listing] == [self._root]
        if itself and self._fs.isfile(self._root):
            raise RemoteInvalid(f"{self.shown} is a file, not a folder: name a folder")
        return listing

    def _entries(self, folder: str) -> list[dict[str, Any]]:
        path = self._path(folder)
        entries = self._attempt(folder, lambda: self._listing(path))
        # Some file systems list a file, or an empty folder, as itself.
        return [entry for entry in entries or () if entry["name"].rstrip("/") != path]

    def _listing(self, path: str) -> list[dict[str, Any]] | None:
        # What other machines have put since the last listing is to be seen.
        self._fs.invalidate_cache()
        try:
            entries: list[dict[str, Any]] = self._fs.ls(path, detail=True)
        except FileNotFoundError as error:
            if failure_of(error) is Failure.BUCKET_MISSING:
                raise
            return None
        return entries

    def _size(self, path: str) -> int | None:
        try:
            info = self._fs.info(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return int(info["size"] or 0) if info["type"] == "file" else None

    def _each_size(self, names: list[str]) -> dict[str, int]:
        found = zip(names, self._of_each(names, self.size), strict=True)
        return {name: size for name, size in found if size is not None}

    def _sizes_in(self, folder: str, names: list[str]) -> dict[str, int]:
        if len(names) < WORTH_LISTING:
            return self._each_size(names)
        files = {f"{folder}/{name}": size for name, size in self.files(folder).items()}
        return {name: files[name] for name in names if name in files}

    @contextlib.contextmanager
    def _placed(self, name: str, own: str | None = None) -> Iterator[str]:
        """A path to write to, whose file becomes the object when the block ends, unless it fails.

        Args:
            own: what to call the file, where the next try may go on with what this one has written.
        """
        temporary = self._path(f"{TEMPORARY}/{own or secrets.token_hex(16)}")
        self._make_folder(TEMPORARY)
        try:
            yield temporary
            self._make_folder(name.rpartition("/")[0])
            self._move(temporary, name)
        except BaseException as error:
            # Bad bytes are of no use to the next one, and a full disk needs the room.
            if own is None or isinstance(error, DataCorrupt) or failure_of(error) is Failure.FULL:
                with contextlib.suppress(Exception):
                    self._fs.rm_file(temporary)
            raise

    def _make_folder(self, folder: str) -> None:
        if folder and folder not in self._made:
            self._fs.makedirs(self._path(folder), exist_ok=True)
            self._made.add(folder)

    @contextlib.contextmanager
    def errors(self, name: str, *, writing: bool = False) -> Iterator[None]:
        """Says in one line what an error of the file system means for the remote, and what to do."""
        try:
            yield
        except EventlogError:
            raise
        except Exception as error:
            rights = self.advice_on_rights
            raise told(error, self.shown, name, rights=rights, writing=writing) from None


class Recounted:
    """Progress that starts over when bytes have to go again."""

    def __init__(self, progress: OnBytes) -> None:
        self._progress = progress
        self._count = 0

    def __call__(self, count: int) -> None:
        """Count bytes."""
        self._progress(count)
        self._count += count

    def again(self) -> None:
        """Take back what was counted."""
        if self._count:
            self._progress(-self._count)
            self._count = 0


def check_size(found: int, size: int) -> None:
    """Raise DataCorrupt if a blob has another number of bytes than was listed."""
    if found != size:
        told = "more bytes than" if found > size else f"{found} bytes, though {size}"
        raise DataCorrupt(f"it has {told} were listed")


def read_checked(source: Path, descriptor: int, size: int, digest: str) -> bytes:
    """What a small file holds, which is open; DataCorrupt if that does not have the hash that it should."""
    data = read_whole(descriptor, size)
    check_digest(source, hashlib.sha256(data).hexdigest(), digest)
    return data


def check_digest(source: Path, found: str, digest: str) -> None:
    """Raise DataCorrupt if a file's bytes do not have the hash that they should have."""
    if found != digest:
        raise DataCorrupt(f"{source} has the SHA-256 {found}, not the one of its name")


def _base(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]
