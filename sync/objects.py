"""Remote objects: named bytes under one fsspec URL, each written once and whole.

There are three kinds of file system, by how an object comes to be whole under its name:

* `Objects`: written under ``temporary/``, then moved into place (SFTP, WebDAV, shares through fsspec).
* `FolderObjects`: the same on a local file system, synced to the disk before it is moved.
* `PutObjects`: put in one request that succeeds or leaves nothing (S3 and its like).

Whatever goes wrong on the way is said in one line, as an error of the tree.
"""

import contextlib
import errno
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from eventlog.blobs import BlobWriter
from eventlog.errors import DataCorrupt, EventlogError, NotFound, RemoteInvalid, RemoteUnreachable
from eventlog.sync.copying import OnBytes, copy_hashing, opened
from eventlog.sync.layout import TEMPORARY, is_temporary

__all__ = ["Objects", "check_digest", "first_line"]

READ_SIZE = 1 << 20
SWEEP_AGE_SECONDS = 24 * 3600
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NO_RIGHT = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class Objects:
    """Objects on a file system with folders, where a move puts a whole object in place.

    Args:
        file_system: fsspec's.
        root: the path, on it, that all names are below.
        shown: what to call it in messages.
    """

    def __init__(self, file_system: Any, root: str, shown: str) -> None:
        self.shown = shown
        self._fs = file_system
        self._root = root.rstrip("/")
        self._made: set[str] = set()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.shown}>"

    # Reading.

    def names(self) -> list[str] | None:
        """The names right under the root, folders included, or None where there is no such folder.

        Raises:
            RemoteInvalid: it is not a folder.
        """
        with self.errors(""):
            try:
                listing = self._fs.ls(self._root or "/", detail=True)
            except FileNotFoundError:
                return None
            itself = [entry["name"].rstrip("/") for entry in listing] == [self._root]
            if itself and self._fs.isfile(self._root):
                raise RemoteInvalid(f"{self.shown} is a file, not a folder: name a folder")
            return [_base(entry["name"]) for entry in listing]

    def files(self, folder: str) -> dict[str, int]:
        """Size by name of the files right in a folder; empty where there is no such folder."""
        return {
            _base(entry["name"]): int(entry["size"] or 0)
            for entry in self._entries(folder)
            if entry["type"] == "file"
        }

    def files_in_folders(self, folder: str) -> dict[str, int]:
        """Size by ``folder/name`` of the files in the folders of a folder."""
        found: dict[str, int] = {}
        for entry in self._entries(folder):
            if entry["type"] == "directory":
                inner = _base(entry["name"])
                for name, size in self.files(f"{folder}/{inner}").items():
                    found[f"{inner}/{name}"] = size
        return found

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """The sizes of those of these objects that are there."""
        found: dict[str, int] = {}
        folders: dict[str, list[str]] = {}
        for name in names:
            folders.setdefault(name.rpartition("/")[0], []).append(name)
        for folder, wanted in folders.items():
            if len(wanted) == 1:
                size = self.size(wanted[0])
                sizes = {} if size is None else {wanted[0]: size}
            else:
                sizes = {f"{folder}/{name}": size for name, size in self.files(folder).items()}
            found.update((name, sizes[name]) for name in wanted if name in sizes)
        return found

    def size(self, name: str) -> int | None:
        """An object's size in bytes, or None where there is none."""
        with self.errors(name):
            try:
                info = self._fs.info(self._path(name))
            except (FileNotFoundError, NotADirectoryError):
                return None
            return int(info["size"] or 0) if info["type"] == "file" else None

    def start(self, name: str, count: int) -> bytes:
        """At most the first `count` bytes of an object.

        Raises:
            NotFound: there is none.
        """
        with self.errors(name), self.open(name) as file:
            return file.read(count)

    def open(self, name: str) -> BinaryIO:
        """An object, opened for reading.

        Raises:
            NotFound: there is none.
        """
        with self.errors(name):
            file: BinaryIO = self._fs.open(self._path(name), "rb")
            return file

    def copy(self, name: str, size: int, writer: BlobWriter, progress: OnBytes) -> None:
        """Write an object's bytes to a writer of the store.

        Args:
            size: how many they are, as listed: no more are taken.
            progress: gets the number of bytes of each piece.

        Raises:
            NotFound: there is none.
            DataCorrupt: it has more bytes.
            StoreFull, StoreReadOnly: the store cannot keep them.
        """
        with self.errors(name), self.open(name) as file:
            while piece := file.read(READ_SIZE):
                if writer.size + len(piece) > size:
                    raise DataCorrupt("it has more bytes than were listed")
                writer.write(piece)
                progress(len(piece))

    # Writing.

    def make_root(self) -> None:
        """Make the folder itself."""
        with self.errors(""):
            self._fs.makedirs(self._root, exist_ok=True)

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write an object, whole or not at all."""
        with self._placed(name) as temporary, self._fs.open(temporary, "wb") as file:
            for piece in pieces:
                file.write(piece)

    def put_file(self, name: str, source: Path, digest: str, progress: OnBytes) -> None:
        """Write a file's bytes as an object, whole or not at all.

        Args:
            digest: the SHA-256, in hexadecimal, that the bytes must have.
            progress: gets the number of bytes of each piece.

        Raises:
            DataCorrupt: the file's bytes have another hash, or cannot be read.
        """
        with opened(source) as descriptor, self._placed(name) as temporary:
            with self._fs.open(temporary, "wb") as file:
                found = copy_hashing(descriptor, lambda piece: file.write(bytes(piece)), progress)
            check_digest(source, found, digest)

    def remove(self, name: str) -> None:
        """Delete an object, if it is there."""
        with self.errors(name, writing=True):
            with contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(self._path(name))

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

    # Below.

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _entries(self, folder: str) -> list[dict[str, Any]]:
        with self.errors(folder):
            # What other machines have put since the last listing is to be seen.
            self._fs.invalidate_cache()
            try:
                entries: list[dict[str, Any]] = self._fs.ls(self._path(folder), detail=True)
            except FileNotFoundError:
                return []
            # Some file systems list a file, or an empty folder, as itself.
            return [entry for entry in entries if entry["name"].rstrip("/") != self._path(folder)]

    @contextlib.contextmanager
    def _placed(self, name: str) -> Iterator[str]:
        """A path to write to, whose file becomes the object when the block ends, unless it fails."""
        temporary = self._path(f"{TEMPORARY}/{secrets.token_hex(16)}")
        with self.errors(name, writing=True):
            self._make_folder(TEMPORARY)
            try:
                yield temporary
                self._make_folder(name.rpartition("/")[0])
                self._move(temporary, name)
            except BaseException:
                with contextlib.suppress(Exception):
                    self._fs.rm_file(temporary)
                raise

    def _make_folder(self, folder: str) -> None:
        if folder and folder not in self._made:
            self._fs.makedirs(self._path(folder), exist_ok=True)
            self._made.add(folder)

    def _move(self, temporary: str, name: str) -> None:
        self._fs.mv(temporary, self._path(name))

    @contextlib.contextmanager
    def errors(self, name: str, *, writing: bool = False) -> Iterator[None]:
        """Says in one line what an error of the file system means for the remote, and what to do."""
        where = f"{self.shown}/{name}" if name else self.shown
        try:
            yield
        except EventlogError:
            raise
        except FileNotFoundError as error:
            if writing:
                raise RemoteUnreachable(
                    f"{where} cannot be written ({first_line(error)}): check that the remote is still"
                    " there, and sync again"
                ) from None
            raise NotFound(f"{where} is not there") from None
        except (NotADirectoryError, FileExistsError):
            raise RemoteInvalid(
                f"{where} cannot be used: a file is where a folder should be; name another folder"
            ) from None
        except OSError as error:
            doing = "written" if writing else "read"
            reason = error.strerror or first_line(error)
            if error.errno in NO_ROOM:
                advice = "make room there, and sync again"
            elif error.errno in NO_RIGHT or isinstance(error, PermissionError):
                advice = "check its owner and rights"
            else:
                advice = "check that it is there, and sync again"
            raise RemoteUnreachable(f"{where} cannot be {doing} ({reason}): {advice}") from None
        except Exception as error:
            # The packages behind fsspec raise whatever theirs raise.
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise RemoteUnreachable(
                f"{where} cannot be reached ({reason}): check that it is there, and sync again"
            ) from None


def check_digest(source: Path, found: str, digest: str) -> None:
    """Raise DataCorrupt if a file's bytes do not have the hash that they should have."""
    if found != digest:
        raise DataCorrupt(f"{source} has the SHA-256 {found}, not the one of its name")


def _base(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
