"""The files that libraries save models to and load them from, and the bytes of one version of them.

A file may be written over, renamed or deleted as soon as the library has returned. It is opened at once, so
that what is read later is what was saved; and it is looked at before and after, so that what is recorded is
never the half of one version and the half of another.
"""

import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from eventlog.sdk.model_weights import Weights
    from eventlog.store import Store

__all__ = ["Changed", "Version", "path_given"]

T = TypeVar("T")

_PIECE = 1 << 20
# What TensorFlow's checkpoints are known by: the path of one names no file, but these do.
_INDEX = ".index"
_DATA = ".data-"


class Changed(Exception):
    """What was to be read is being written to."""


def path_given(target: Any, *, has_written: bool = False) -> Path | None:
    """The absolute path that a library was given, as a path or as an open file; None where it is none.

    Args:
        has_written: the library has just written to it.
    """
    if not isinstance(target, (str, bytes, os.PathLike)):
        name = getattr(target, "name", None)
        if not isinstance(name, (str, bytes, os.PathLike)):
            return None
        if has_written and not getattr(target, "closed", False):
            with suppress(Exception):
                target.flush()
        target = name
        if not os.path.isfile(target):  # noqa: PTH113 (bytes, too)
            return None
    text = os.fsdecode(target)
    if not text or "://" in text:
        return None
    return Path(os.path.abspath(text))


class Version:
    """A model's file, or folder, or the several files of a checkpoint, as it is now.

    Attributes:
        path: where it is.
        size: bytes, of all files.
        marks: what tells it from another version, without being read.

    Raises:
        OSError: it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # In the background it is not there any more, maybe, and another one of that name is.
        self._file = _opened(path)
        self.marks = self._look()
        self.size = sum(mark[2] for mark in self.marks)

    def __repr__(self) -> str:
        return f"<Version of {self.path}: {self.size} bytes>"

    def digest(self, moved: Callable[[int], None], *, same: bool = False) -> tuple[str, int]:
        """The SHA-256 that the store would keep it under, and its size in bytes.

        Args:
            moved: gets the number of bytes read so far.
            same: it has to be as it was when this object was made.

        Raises:
            Changed: it is written to meanwhile, or was.
            OSError, InputInvalid: it cannot be read.
        """
        digest = self._at_one_moment(lambda: self._digest(moved))
        if same and self._look() != self.marks:
            raise Changed(f"{self.path} was written to before it was read")
        return digest

    def take(self, store: "Store", file_name: str, moved: Callable[[int], None]) -> "Weights":
        """Take its bytes into a store; arguments and errors as of `digest`.

        Args:
            file_name: what to call a copy.
        """
        return self._at_one_moment(lambda: self._take(store, file_name, moved))

    def is_current(self) -> bool:
        """Whether it is what is at its path."""
        try:
            return marks_of(self.path) == self.marks
        except OSError:
            return False

    def close(self) -> None:
        """Read no more."""
        if self._file is not None:
            self._file.close()

    def _look(self) -> tuple[tuple[int, int, int, int], ...]:
        if self._file is not None:
            return (_mark(os.fstat(self._file.fileno())),)
        return marks_of(self.path)

    def _at_one_moment(self, read: Callable[[], T]) -> T:
        before = self._look()
        result = read()
        if self._look() != before:
            raise Changed(f"{self.path} is being written to")
        return result

    def _digest(self, moved: Callable[[int], None]) -> tuple[str, int]:
        if self._file is None:
            from eventlog.sdk.archives import write_archive

            sink = _HashSink(moved)
            write_archive(self._members(), sink)
            return sink.hash.hexdigest(), sum(mark[2] for mark in self._look())
        hasher, size = hashlib.sha256(), 0
        self._file.seek(0)
        buffer = memoryview(bytearray(_PIECE))
        # What is appended to it meanwhile has no end, maybe.
        whole = os.fstat(self._file.fileno()).st_size
        while size <= whole and (count := self._file.readinto(buffer)):
            hasher.update(buffer[:count])
            size += count
            moved(size)
        return hasher.hexdigest(), size

    def _take(self, store: "Store", file_name: str, moved: Callable[[int], None]) -> "Weights":
        from eventlog.sdk.model_weights import Weights, file_name_of
        from eventlog.sdk.taking import take_members

        if self._file is not None:
            # Another way to the very file that is open, whatever has become of its name.
            blob, size = store.blobs.put_file(Path(f"/dev/fd/{self._file.fileno()}"), moved)
            return Weights(blob, size, file_name_of(file_name))
        blob, size, written = take_members(store.blobs, self._members, self.path.name)
        names = tuple(name for name, _ in written)
        return Weights(blob, size, file_name_of(f"{file_name}.zip"), "zip", members=names)

    def _members(self) -> list[tuple[Path, str]]:
        from eventlog.sdk.archives import folder_members

        if self.path.is_dir():
            return list(folder_members(self.path))
        return [(part, part.name) for part in _parts(self.path)]


def marks_of(path: Path) -> tuple[tuple[int, int, int, int], ...]:
    """What tells what is at a path from any other version.

    Raises:
        OSError: there is nothing.
    """
    if path.is_dir():
        inner = sorted(one for one in path.rglob("*") if one.is_file())
        return tuple(_mark(one.stat()) for one in inner)
    parts = _parts(path)
    return tuple(_mark(one.stat()) for one in parts or [path])


def _opened(path: Path) -> FileIO | None:
    """A plain file, open; None for a folder, and for a checkpoint of several files.

    Raises:
        OSError: there is nothing, or something else.
    """
    try:
        # A pipe would otherwise be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if _parts(path):
            return None
        raise
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return FileIO(descriptor)
    os.close(descriptor)
    if not stat.S_ISDIR(mode):
        raise OSError(f"{path} is no plain file")
    return None


def _parts(path: Path) -> list[Path]:
    """The files of a TensorFlow checkpoint, which has a path but is no file; none for anything else."""
    if path.exists() or not path.with_name(path.name + _INDEX).is_file():
        return []
    beginnings = (path.name + _INDEX, path.name + _DATA)
    return sorted(
        one
        for one in path.parent.iterdir()
        if one.name == beginnings[0] or one.name.startswith(beginnings[1])
    )


def _mark(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class _HashSink:
    """Takes what an archive would be written as, and keeps its hash alone."""

    def __init__(self, moved: Callable[[int], None]) -> None:
        self.hash = hashlib.sha256()
        self._moved = moved

    def write(self, data: bytes, /) -> int:
        self.hash.update(data)
        self._moved(len(data))
        return len(data)
