"""Remote objects in a folder: of a local disk, of a stick, or of a share that is mounted."""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from eventlog.blobs import BlobWriter
from eventlog.errors import DataCorrupt, InputInvalid, NotFound, RemoteInvalid, RemoteUnreachable
from eventlog.group_sync import GROUPED_SIZE, GroupSync, sync_folders
from eventlog.growing_hash import WRITE_BACK_SIZE, GrowingHash, begin_write_back
from eventlog.hosts import is_on_network
from eventlog.kernel_copy import copy_range, reflink
from eventlog.regular_file import NotRegular, open_regular, regular_size
from eventlog.sync.copying import (
    THREAD_SIZE,
    WHOLE_SIZE,
    OnBytes,
    copy_hashing,
    copy_pieces,
    hash_file,
    opened,
)
from eventlog.sync.layout import TEMPORARY, is_bundle_name
from eventlog.sync.objects import Objects, check_digest, read_checked
from eventlog.sync.resuming import own_name

__all__ = ["FolderObjects"]


class FolderObjects(Objects):
    """Objects in a folder of a local file system, or of one that is mounted."""

    def __init__(self, file_system: Any, root: str, shown: str) -> None:
        super().__init__(file_system, root, shown)
        self._unsynced: set[str] = set()
        self._group: GroupSync | None = None
        self.is_local = not is_on_network(Path(root))
        # Which folder it is, once something of it was read: a stick may be pulled out at any moment.
        self._identity: tuple[int, int] | None = None

    def make_root(self) -> None:
        """Make the folder itself, in one that is there.

        Raises:
            RemoteUnreachable: it is not: a slip in the name, or a share or a stick that is not mounted.
            InputInvalid: it would have the name of a bundle.
        """
        if self._identity is not None:
            self._check_root()
            return
        self.check_place()
        parent = Path(self._root).parent
        with self.errors("", writing=True):
            Path(self._root).mkdir(exist_ok=True)
            self._identity = self._root_identity()
            # Before others can see that it is a remote, and take what they put there for safe.
            with contextlib.suppress(PermissionError):
                sync_folders([parent])

    def check_place(self) -> None:
        """Make sure that the folder could be made where it would be; see `make_root`."""
        parent = Path(self._root).parent
        if not parent.exists():
            raise RemoteUnreachable(
                f"{self.shown} cannot be made, as {parent} is not there: check the name, and that the share"
                " or the stick is mounted"
            )
        self.check_name()

    def check_name(self) -> None:
        """Make sure that the folder is there, or that one of its name is ever made.

        Raises:
            InputInvalid: it would have the name of a bundle.
        """
        if is_bundle_name(self._root) and not Path(self._root).exists():
            raise InputInvalid(
                f"{self.shown} is not there, and no folder is made of that name: make a bundle with"
                " `eventlog bundle create`, or name the folder without .zip"
            )

    def everything(self) -> dict[str, int | None]:
        """Size by name of every object under the root, however deep; None for what is no plain file.

        Raises:
            NotFound: there is no such folder.
        """
        found: dict[str, int | None] = {}
        folders = [""]
        while folders:
            folder = folders.pop()
            with self.errors(folder):
                entries = self._listing(self._path(folder))
            if entries is None and not folder:
                raise NotFound(f"{self.shown} is not there")
            # Another that is not there was just removed by another machine.
            for entry in entries or ():
                name = entry["name"].removeprefix(self._root).lstrip("/")
                if entry["type"] == "directory":
                    folders.append(name)
                else:
                    found[name] = entry["size"] if entry["type"] == "file" else None
        return found

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """The sizes of those of these objects that are there."""
        # Asking for one costs microseconds, whereas a folder may hold many more than were asked for.
        paths = {name: self._path(name) for name in names}
        sizes = self._attempt("", lambda: {name: regular_size(path) for name, path in paths.items()})
        return {name: size for name, size in sizes.items() if size is not None}

    def open(self, name: str) -> BinaryIO:
        """An object, opened for reading.

        Raises:
            NotFound: there is none.
            RemoteInvalid: it is not a regular file.
        """
        with self.errors(name):
            try:
                return open_regular(self._path(name))
            except (NotRegular, IsADirectoryError):
                raise RemoteInvalid(
                    f"{self.shown}/{name} is not a regular file: remove it, and sync again"
                ) from None

    def start(self, name: str, count: int) -> bytes:
        """At most the first `count` bytes of an object.

        Raises:
            NotFound: there is none.
            RemoteInvalid: it is not a regular file.
        """
        with self.open(name) as file, self.errors(name):
            found = file.read(count)
            if self._identity is None:
                self._identity = self._root_identity()
            return found

    def copy(self, name: str, size: int, writer: BlobWriter, progress: OnBytes) -> None:
        """Write an object's bytes to a writer of the store; by reflink where the file system can.

        Raises:
            NotFound: there is none.
            DataCorrupt: it cannot be read.
            StoreFull, StoreReadOnly: the store cannot keep them.
        """
        before = 0

        def advance(done: int) -> None:
            nonlocal before
            progress(done - before)
            before = done

        with self.errors(name), self.open(name) as file:
            if writer.size:
                advance(writer.size)
            try:
                writer.take(file.fileno(), Path(self._path(name)), advance)
            except InputInvalid as error:
                raise DataCorrupt(str(error)) from None

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write an object, whole or not at all."""
        with self.errors(name, writing=True), self._placed(name) as temporary, _Target(temporary) as target:
            for piece in pieces:
                target.write(memoryview(piece))

    def put_file(self, name: str, source: Path, digest: str, progress: OnBytes) -> None:
        """Write a file's bytes as an object, whole or not at all; by reflink where the file system can.

        In a block of `together`, the smallest are read and written, which takes less than to ask it.

        Raises:
            DataCorrupt: the file's bytes have another hash, or cannot be read.
        """
        with self.errors(name, writing=True), opened(source) as descriptor:
            group = self._group
            if group is not None and (size := os.fstat(descriptor).st_size) < GROUPED_SIZE:
                self._put_together(group, name, source, descriptor, size, digest, progress)
                return
            with (
                own_name(descriptor, digest) as own,
                self._placed(name, own) as temporary,
                _Target(temporary) as target,
            ):
                check_digest(source, self._copy(descriptor, target, progress), digest)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """A block in which small files that are put are under their names only at its end."""
        with self.errors("", writing=True):
            self._make_folder(TEMPORARY)
            group_sync = GroupSync(Path(self._root), self._move_in, lambda: self.errors("", writing=True))
        with group_sync as group:
            self._group = group
            try:
                yield
            finally:
                self._group = None

    def remove(self, name: str) -> None:
        """Delete an object, if it is there.

        Raises:
            RemoteInvalid: a folder on the way to it is a link, which may lead anywhere.
        """
        with self.errors(name, writing=True), contextlib.suppress(FileNotFoundError):
            self._check_folders(name.rpartition("/")[0])
            super().remove(name)

    def sweep(self) -> None:
        """Remove what writers that died left under ``temporary/`` more than a day ago, if it can be."""
        if not Path(self._path(TEMPORARY)).is_symlink():
            super().sweep()

    def settle(self) -> None:
        """Return once everything put so far will outlast a power cut."""
        with self._lock:
            folders, self._unsynced = self._unsynced, set()
        with self.errors("", writing=True):
            sync_folders(Path(self._path(folder)) for folder in folders)

    def _listing(self, path: str) -> list[dict[str, Any]] | None:
        # What fsspec takes five times as long for.
        try:
            with os.scandir(path) as scanned:
                entries = list(scanned)
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            return [{"name": path, "size": 0, "type": "file"}]
        found = []
        for entry in entries:
            # One that another machine has just removed is not there.
            with contextlib.suppress(FileNotFoundError):
                found.append(_described(entry))
        return found

    def _size(self, path: str) -> int | None:
        return regular_size(path)

    def _put_together(
        self,
        group: GroupSync,
        name: str,
        source: Path,
        descriptor: int,
        size: int,
        digest: str,
        progress: OnBytes,
    ) -> None:
        temporary = self._path(f"{TEMPORARY}/{secrets.token_hex(16)}")
        try:
            with _Target(temporary) as target:
                if size < WHOLE_SIZE:
                    # Of thousands of small files, each call counts.
                    target.write(memoryview(read_checked(source, descriptor, size, digest)))
                    progress(size)
                else:
                    check_digest(source, self._copy(descriptor, target, progress), digest)
                target.hand_over(group, name)
        except BaseException as error:
            if isinstance(error, FileNotFoundError):
                self._check_root()
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise

    def _copy(self, source: int, target: "_Target", progress: OnBytes) -> str:
        """Copy what an open file holds, by reflink where the file system can, and return its SHA-256."""
        if not target.there:
            if reflink(source, target.descriptor):
                return hash_file(target.descriptor, progress)
            # On a network, what the server has copied by itself would be fetched to be hashed.
            if self.is_local and os.fstat(source).st_size >= THREAD_SIZE:
                return _copy_in_kernel(source, target, progress)
        return copy_hashing(source, target.write, progress)

    def _make_folder(self, folder: str) -> None:
        if self._identity is None:
            self.make_root()
        self._check_root()
        if folder in self._made:
            return
        made = ""
        for part in folder.split("/"):
            made = f"{made}/{part}" if made else part
            if made not in self._made:
                with contextlib.suppress(FileExistsError):
                    Path(self._path(made)).mkdir()
                self._check_folders(made)
                self._made.add(made)

    def _check_folders(self, folder: str) -> None:
        """Make sure that none of the folders down to this one is a link: it could lead out of the remote."""
        at = ""
        for part in folder.split("/"):
            at = f"{at}/{part}" if at else part
            if not stat.S_ISDIR(Path(self._path(at)).lstat().st_mode):
                raise RemoteInvalid(f"{self.shown}/{at} is not a folder, but a file or a link: remove it")

    def _check_root(self) -> None:
        """Make sure that the folder is the one that was read: without it, nothing is put in its place."""
        try:
            identity = self._root_identity()
        except FileNotFoundError:
            identity = None
        if identity is None or identity != self._identity:
            raise RemoteUnreachable(
                f"{self.shown} is not there any more, or another folder: check that the share or the stick is"
                " still mounted, and sync again"
            )

    def _root_identity(self) -> tuple[int, int]:
        status = os.stat(self._root)
        return status.st_dev, status.st_ino

    def _move_in(self, temporary: str, name: str) -> None:
        folder = name.rpartition("/")[0]
        # Whether the root is still the same was asked when it was made: elsewhere there is no such file.
        if folder not in self._made:
            self._make_folder(folder)
        self._move(temporary, name)

    def _move(self, temporary: str, name: str) -> None:
        os.replace(temporary, self._path(name))
        with self._lock:
            folder = name.rpartition("/")[0]
            while folder:
                self._unsynced.add(folder)
                folder = folder.rpartition("/")[0]
            self._unsynced.add("")


def _described(entry: os.DirEntry[str]) -> dict[str, Any]:
    """What fsspec says of an entry of a folder, as far as it is asked for."""
    if entry.is_dir(follow_symlinks=False):
        return {"name": entry.path, "size": 0, "type": "directory"}
    if entry.is_file(follow_symlinks=False):
        return {"name": entry.path, "size": entry.stat(follow_symlinks=False).st_size, "type": "file"}
    return {"name": entry.path, "size": 0, "type": "other"}


def _copy_in_kernel(source: int, target: "_Target", progress: OnBytes) -> str:
    """Copy a file without its bytes passing through this process but to be hashed, in a thread beside."""
    growing = GrowingHash(target.descriptor)

    def write(piece: memoryview) -> None:
        target.write(piece)
        growing.announce(target.size)

    try:
        while count := copy_range(source, target.descriptor, target.size):
            target.size += count
            growing.announce(target.size)
            progress(count)
        # That was the end, or the kernel goes no further.
        copy_pieces(source, write, progress, target.size)
    except BaseException:
        growing.finish(0)
        raise
    return growing.finish(target.size)


class _Target:
    """A file on a local file system: a context manager, at whose end it holds what was written, on the disk.

    What it held before is compared with what is written, and overwritten from where the two differ.

    Attributes:
        descriptor: of the file, once the block has begun.
        there: bytes that it held before.
        size: bytes that were written, or found to be there.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self.size = 0
        self._asked = 0
        self._group: GroupSync | None = None

    def __enter__(self) -> "_Target":
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self.descriptor = os.open(self._path, flags, 0o666)
        self.there = os.fstat(self.descriptor).st_size
        self._same = self.there > 0
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self._group is None:
                if 0 < self.size < self.there:
                    os.ftruncate(self.descriptor, self.size)
                os.fsync(self.descriptor)
        finally:
            if self._group is None:
                os.close(self.descriptor)

    def hand_over(self, group: GroupSync, name: str) -> None:
        """Leave it to a group to sync the file, and to place it."""
        self._group = group
        group.add(self.descriptor, self._path, name, self.size)

    def write(self, piece: memoryview) -> None:
        """Append a piece, whole."""
        if self._same:
            known = os.pread(self.descriptor, len(piece), self.size)
            self._same = known == piece
        if self._same:
            self.size += len(piece)
            return
        while piece:
            count = os.pwrite(self.descriptor, piece, self.size)
            self.size += count
            piece = piece[count:]
        if self.size - self._asked >= WRITE_BACK_SIZE:
            begin_write_back(self.descriptor, self._asked, self.size - self._asked)
            self._asked = self.size
