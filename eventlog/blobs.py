"""Blobs: the bytes of artifacts, models, plots and images, each a write-once file named by its SHA-256.

A blob is written in the store's ``temporary`` folder, hashed from what was written there, synced (small ones
of a pull together), and only then renamed to ``blobs/ab/abcdef…``: under its name there is never half a blob,
nor one whose source changed while it was read. Any number of processes may put the same bytes at once.
"""

import contextlib
import errno
import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType

from eventlog.errors import BlobMissing, DataCorrupt, InputInvalid, StoreFull, StoreInvalid, StoreReadOnly
from eventlog.group_sync import GROUPED_SIZE, GroupSync, sync_folders
from eventlog.growing_hash import GrowingHash
from eventlog.kernel_copy import copy_range, reflink
from eventlog.regular_file import open_regular, regular_size

__all__ = ["BlobWriter", "Blobs"]

PIECE_SIZE = 1 << 20
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NO_RIGHT = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
HEX = frozenset("0123456789abcdef")
MOST_REMEMBERED = 10_000


class Blobs:
    """The blobs of the store at `home`. Nothing is created there before the first one is put.

    Args:
        home: the store's folder.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "blobs"
        self.temporary = home / "temporary"
        # What this process knows to outlast a power cut: a script may put the same picture again and again.
        self._synced: set[str] = set()
        self._synced_folders: set[Path] = set()

    def __repr__(self) -> str:
        return f"<Blobs at {self.folder}>"

    def __contains__(self, digest: object) -> bool:
        if not isinstance(digest, str) or not _is_digest(digest):
            return False
        return regular_size(self._place(digest)) is not None

    def __iter__(self) -> Iterator[str]:
        """The digests of all blobs here, in order. Files that no blob could be called are passed over."""
        for folder in _names(self.folder):
            for name in _names(self.folder / folder):
                if name[:2] == folder and _is_digest(name):
                    yield name

    def path(self, digest: str) -> Path:
        """The file that holds a blob; to be read, never written.

        Raises:
            BlobMissing: it is not here.
        """
        self.size(digest)
        return Path(self._place(digest))

    def size(self, digest: str) -> int:
        """A blob's size in bytes.

        Raises:
            BlobMissing: it is not here.
        """
        if not _is_digest(digest):
            raise BlobMissing(f"{digest!r} names no blob: it must be a SHA-256 in lower-case hexadecimal")
        size = regular_size(self._place(digest))
        if size is None:
            raise BlobMissing(
                f"blob {digest} is not in the store at {self.home}: pull it from a remote that has it"
            )
        return size

    def put_bytes(self, data: bytes, *, expected: str | None = None, group: GroupSync | None = None) -> str:
        """Keeps bytes, and returns their SHA-256 in hexadecimal. Bytes that are here already cost a hash.

        Args:
            expected: the SHA-256 that they must have; others are not kept.
            group: made by `together`, which a small blob is kept with.

        Raises:
            DataCorrupt: they have another SHA-256 than was expected.
            StoreFull, StoreReadOnly: they cannot be kept.
        """
        # Many small blobs make this a hot path: as few calls as can be, and none of them for nothing.
        digest = hashlib.sha256(data).hexdigest()
        if expected is not None:
            _check_digest(digest, expected)
        if not self._holds(digest, len(data)):
            with _store_errors(self.home):
                self._put(data, digest, group)
        return digest

    def put_file(self, path: Path, progress: Callable[[int], None] | None = None) -> tuple[str, int]:
        """Keeps a file's bytes as they are now, by reflink where the file system can, else by copy.

        Args:
            path: a regular file, of any size; it does not pass through memory as a whole.
            progress: gets the number of bytes done so far, every mebibyte.

        Returns:
            The SHA-256 in hexadecimal, and the size in bytes, of what was kept.

        Raises:
            InputInvalid: there is no such file, or it cannot be read.
            StoreFull, StoreReadOnly: it cannot be kept.
        """
        with _opened(path) as source, self.writer() as writer:
            writer.take(source, path, progress)
        return writer.digest, writer.size

    @contextlib.contextmanager
    def together(self) -> Iterator[GroupSync]:
        """A group for `writer`, as a context manager: small blobs written into it are kept at its end.

        Raises:
            StoreFull, StoreReadOnly: they cannot be kept.
        """
        placed: list[str] = []

        def place(path: str, digest: str) -> None:
            self._move(path, digest)
            placed.append(digest)

        with GroupSync(self.home, place, lambda: _store_errors(self.home)) as group:
            yield group
        self.settle(placed)

    def settle(self, digests: Iterable[str]) -> None:
        """Return once these blobs, which are here, will outlast a power cut, whoever has put them."""
        unsynced = [digest for digest in digests if digest not in self._synced]
        if unsynced:
            with _store_errors(self.home):
                self._sync_folders(unsynced)

    def writer(
        self, *, expected: str | None = None, resumable: bool = False, group: GroupSync | None = None
    ) -> "BlobWriter":
        """A file to write a blob to, as a context manager; at its end the blob is kept.

        Args:
            expected: the SHA-256 that the bytes must have; others are thrown away with DataCorrupt.
            resumable: go on after the bytes that an earlier writer of the same blob left when it was cut off;
                the writer's `size` says how many they are.
            group: made by `together`, which a small blob then is kept with.
        """
        return BlobWriter(self, expected, resumable=resumable and expected is not None, group=group)

    def admit_file(self, path: Path, digest: str) -> None:
        """Makes a file in `temporary`, such as one fetched from a remote, a blob, and takes it away.

        Raises:
            DataCorrupt: its SHA-256 is not `digest`; the file is left where it is.
            StoreFull, StoreReadOnly: it cannot be kept.
        """
        with path.open("rb", buffering=0) as file:
            _check_digest(hashlib.file_digest(file, "sha256").hexdigest(), digest)
            with _store_errors(self.home):
                size = os.fstat(file.fileno()).st_size
                if self._holds(digest, size):
                    path.unlink(missing_ok=True)
                else:
                    os.fchmod(file.fileno(), 0o400)
                    self._keep(os.dup(file.fileno()), str(path), digest, size)

    def _place(self, digest: str) -> str:
        # A Path made of parts costs microseconds, of which a pull of many blobs would pay ten each.
        return f"{self.folder}/{digest[:2]}/{digest}"

    def _holds(self, digest: str, size: int) -> bool:
        """Whether the blob is here and will outlast a power cut.

        A file of another size is not taken for the blob, so that putting it again mends a truncated one.
        """
        try:
            if os.stat(self._place(digest)).st_size != size:
                return False
        except OSError:
            return False
        # Another process may have renamed it in a moment ago, and not yet synced the folders.
        self.settle([digest])
        return True

    def _put(self, data: bytes, digest: str, group: GroupSync | None) -> None:
        file, path = self._new_file(0o400)
        try:
            try:
                _write(file, data)
            except BaseException:
                os.close(file)
                raise
            self._keep(file, path, digest, len(data), group)
        except BaseException:
            _remove(path)
            raise

    def _new_file(self, mode: int) -> tuple[int, str]:
        """The descriptor and the path of a new file in `temporary`."""
        path = f"{self.temporary}/blob-{os.urandom(12).hex()}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            return os.open(path, flags, mode), path
        except FileNotFoundError:
            _make_folder(self.temporary)
            return os.open(path, flags, mode), path

    def _keep(self, file: int, path: str, digest: str, size: int, group: GroupSync | None = None) -> None:
        """Make a file that was written a blob, and close it, whatever happens."""
        if group is not None and size < GROUPED_SIZE:
            group.add(file, path, digest, size)
            return
        try:
            os.fsync(file)
            self._move(path, digest)
        finally:
            # Closed last: until then no other process takes over what is here.
            os.close(file)
        self._sync_folders([digest])

    def _move(self, path: str, digest: str) -> None:
        try:
            os.replace(path, self._place(digest))
        except FileNotFoundError:
            inner = self.folder / digest[:2]
            _make_folder(inner)
            self._synced_folders.discard(inner)
            os.replace(path, self._place(digest))

    def _sync_folders(self, digests: list[str]) -> None:
        """Have the names of these blobs, and of the folders on the way to them, outlast a power cut."""
        inner = {self.folder / two for two in {digest[:2] for digest in digests}}
        folders = set(inner)
        if not inner <= self._synced_folders:
            folders |= {self.folder, self.home}
        sync_folders(folders)
        self._synced_folders |= inner
        if len(self._synced) + len(digests) > MOST_REMEMBERED:
            self._synced.clear()
        self._synced.update(digests[:MOST_REMEMBERED])


class BlobWriter:
    """A blob being written: a context manager with `write`, made by `Blobs.writer`.

    When the block ends the blob is kept; when it ends with an exception, nothing is.

    Attributes:
        digest: SHA-256 in hexadecimal, once the block has ended.
        size: bytes written so far.
    """

    def __init__(
        self, blobs: Blobs, expected: str | None, *, resumable: bool = False, group: GroupSync | None = None
    ) -> None:
        self.digest = ""
        self.size = 0
        self._blobs = blobs
        self._expected = expected
        self._resumable = resumable
        self._group = group
        self._path = ""

    def __repr__(self) -> str:
        return f"<BlobWriter {self.digest or 'open'}: {self.size} bytes>"

    def __enter__(self) -> "BlobWriter":
        with _store_errors(self._blobs.home):
            left = self._claim_what_is_left() if self._resumable else None
            self._file, self._path = left or self._held_file()
        self._hash = GrowingHash(self._file)
        if self.size:
            self._hash.announce(self.size)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with _store_errors(self._blobs.home):
                digest = self._hash.finish(self.size if kind is None else 0)
            if kind is None:
                if self._expected is not None:
                    _check_digest(digest, self._expected)
                with _store_errors(self._blobs.home):
                    self._keep(digest)
                self.digest = digest
        finally:
            if not self.digest and not (self._resumable and _may_go_on(error)):
                _remove(self._path)
            if self._file >= 0:
                os.close(self._file)

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Appends bytes, and returns how many.

        Raises:
            StoreFull, StoreReadOnly: they cannot be kept.
        """
        rest = memoryview(data).cast("B")
        size = len(rest)
        with _store_errors(self._blobs.home):
            _write(self._file, rest)
        self._grown(size)
        return size

    def take(self, source: int, path: Path, progress: Callable[[int], None] | None = None) -> None:
        """Takes in what an open file holds, after as many bytes of it as are here already."""
        if not self.size and reflink(source, self._file):
            size = os.fstat(self._file).st_size
            while self.size < size:
                self.size = min(self.size + PIECE_SIZE, size)
                self._hash.hash_to(self.size)
                if progress is not None:
                    progress(self.size)
            return
        # No further than it was: whoever appends faster than this copies would fill the disk. Files that say
        # they are empty, as those of /proc do, are read to their end.
        end = os.fstat(source).st_size or sys.maxsize
        while self.size < end and (
            size := copy_range(source, self._file, self.size) or self._copy(source, path)
        ):
            self._grown(size)
            if progress is not None:
                progress(self.size)

    def _held_file(self) -> tuple[int, str]:
        from eventlog.partial_file import hold

        file, path = self._blobs._new_file(0o600)
        hold(file)
        return file, path

    def _claim_what_is_left(self) -> tuple[int, str] | None:
        """The file that an earlier writer of this blob left, or that the next may find; None if taken."""
        from eventlog.partial_file import claim  # what keeps no large blobs needs none of it

        _make_folder(self._blobs.temporary)
        path = self._blobs.temporary / f"blob-{self._expected}"
        file = claim(path)
        if file is None:
            self._resumable = False
            return None
        self.size = os.lseek(file, 0, os.SEEK_END)
        return file, str(path)

    def _keep(self, digest: str) -> None:
        if self._blobs._holds(digest, self.size):
            _remove(self._path)
            return
        os.fchmod(self._file, 0o400)
        file, self._file = self._file, -1
        self._blobs._keep(file, self._path, digest, self.size, self._group)

    def _grown(self, size: int) -> None:
        self.size += size
        self._hash.announce(self.size)

    def _copy(self, source: int, path: Path) -> int:
        """Copies a piece through this process."""
        try:
            piece = os.pread(source, PIECE_SIZE, self.size)
        except OSError as error:
            raise InputInvalid(f"{path} cannot be read at byte {self.size}: {error.strerror}") from None
        rest = memoryview(piece)
        with _store_errors(self._blobs.home):
            while rest:
                rest = rest[os.pwrite(self._file, rest, self.size + len(piece) - len(rest)) :]
        return len(piece)


def _write(file: int, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _may_go_on(error: BaseException | None) -> bool:
    """Whether what was written before an error is worth keeping: the bytes are good, and there is room."""
    return error is not None and not isinstance(error, DataCorrupt | StoreFull | StoreReadOnly | InputInvalid)


def _is_digest(name: str) -> bool:
    return len(name) == 64 and HEX.issuperset(name)


def _check_digest(found: str, expected: str) -> None:
    if found != expected:
        raise DataCorrupt(
            f"the bytes that should be blob {expected} have the SHA-256 {found}: fetch them again,"
            " from another copy if it happens twice"
        )


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _make_folder(folder: Path) -> bool:
    """Makes a folder, if it is not there; returns whether it was not."""
    if folder.is_dir():
        return False
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return True


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The descriptor of a regular file opened for reading."""
    try:
        file = open_regular(path)
    except OSError as error:
        raise InputInvalid(f"{path} cannot be read: {error.strerror}; give an existing file") from None
    with file:
        yield file.fileno()


@contextlib.contextmanager
def _store_errors(home: Path) -> Iterator[None]:
    """Says what an error of the file system means for the store, and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise StoreFull(
                f"no room for the blob in the store at {home} ({error.strerror}): free some space, or set"
                " EVENTLOG_HOME to a folder on a larger disk, and try again"
            ) from None
        if error.errno in NO_RIGHT:
            raise StoreReadOnly(
                f"the store at {home} cannot be written ({error.strerror}): make it writable, or set"
                " EVENTLOG_HOME to a folder that is"
            ) from None
        raise StoreInvalid(
            f"a blob cannot be kept in the store at {home} ({error.strerror}): check the folder and its disk"
        ) from None
